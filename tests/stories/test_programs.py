"""Stories about the programs as processes: what they load, and what `runpost send` becomes."""

import os
import pathlib
import shutil
import signal
import subprocess

from harness import BIN, Story, make_run, wait_until


def libraries_of(pid):
    return {pathlib.Path(line.split()[-1]).name.partition(".so")[0]
            for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines() if ".so" in line}


class Programs(Story):
    def test_ingest_and_the_inspector_do_not_load_what_only_senders_need(self):
        live = self.live_ingest()
        live.send(make_run(1, "http://127.0.0.1:9/hook"))
        live.wait_receipts(1)
        tail = self.spawn(BIN / "runpostctl", "tail", "-f", "--outbox", self.outbox)
        for pid, others in ((live.process.pid, {"libcurl", "libssl", "libcrypto"}),
                            (tail.pid, {"libcurl", "libssl"})):
            wait_until(lambda pid=pid: "liblmdb" in libraries_of(pid), "its libraries")
            self.assertEqual(others & libraries_of(pid), set())
        tail.kill()
        self.assertEqual(live.close(), 0)

    def test_a_sender_keeps_the_number_and_the_words_that_it_was_started_with(self):
        self.ingest([])
        sender = self.send()
        process = pathlib.Path(f"/proc/{sender.pid}")
        wait_until(lambda: "ev=sending" in sender.err, "a sender that sends")
        self.assertEqual(pathlib.Path(os.readlink(process / "exe")).name, "runpost-sender")
        self.assertEqual(process.joinpath("cmdline").read_bytes().split(b"\0")[:2],
                         [str(BIN / "runpost").encode(), b"send"])

    def test_without_the_program_that_sends_it_says_where_that_should_be(self):
        shutil.copy(BIN / "runpost", self.folder)
        for verb in ("send", "check-config"):
            done = self.run_program(self.folder / "runpost", verb, "--help")
            self.assertEqual((done.poll(), done.out), (74, b""))
            self.assertIn(f"runpost {verb}: the program for it is not there: "
                          f"{self.folder}/runpost-sender, nor {self.folder}/../libexec/runpost/"
                          "runpost-sender; install runpost again", done.err)
        (self.folder / "runpost-sender").write_text("")
        done = self.run_program(self.folder / "runpost", "send", "--drain")
        self.assertEqual(done.poll(), 77)
        self.assertIn(f"cannot run {self.folder}/runpost-sender: Permission denied", done.err)

    def in_place_of_the_sender(self, script):
        """The path of a `runpost` that becomes the script, which may become the sender: "$0" is
        not its path, "$real" is."""
        shutil.copy(BIN / "runpost", self.folder)
        sender = self.folder / "runpost-sender"
        sender.write_text(f"#!/bin/sh\nreal={BIN}/runpost-sender\n{script}\n")
        sender.chmod(0o755)
        return self.folder / "runpost"

    def test_signals_that_come_before_the_sender_reads_them_wait_for_it(self):
        self.ingest([])
        program = self.in_place_of_the_sender('kill -HUP $$; kill -TERM $$; exec "$real" "$@"')
        for n in "1", "2":
            done = self.run_program(program, "send", "--outbox", self.outbox, "--config",
                                    self.config, "--senders", n)
            self.assertEqual(done.poll(), 0, done.err)
            self.assertIn("ev=reloaded", done.err)
            self.assertEqual(done.err.count("ev=stopped"), int(n))
        self.assertEqual(done.err.count("ev=sender_ended"), 2)
        self.assertEqual(done.err.count("exit=0 signal=0"), 2)

    def test_a_sender_of_another_version_is_refused(self):
        mark = 'RUNPOST_BECOMES="$$ 0.0.9" exec "$real" "$@"'
        for verb in ("send", "check-config"):
            done = self.run_program(self.in_place_of_the_sender(mark), verb, "--help")
            self.assertEqual((done.poll(), done.out), (74, b""))
            self.assertRegex(done.err, f"^runpost {verb}: runpost is of version 0.0.9, but "
                             rf"{BIN}/runpost-sender of version \d+\.\d+\.\d+; "
                             "install runpost again\n$")

    def test_a_mark_of_another_process_does_not_count(self):
        mark = {"RUNPOST_BECOMES": f"{os.getpid()} 0.0.9"}
        for program in "runpost", "runpost-sender":
            done = self.run_program(BIN / program, "send", "--help", env=mark)
            self.assertEqual(done.poll(), 0, done.err)

    def test_a_copy_of_itself_in_the_place_of_the_sender_is_noticed(self):
        program, sender = self.folder / "runpost", self.folder / "runpost-sender"
        shutil.copy(BIN / "runpost", program)
        for make in (os.symlink, os.link, shutil.copy):
            sender.unlink(missing_ok=True)
            make(program, sender)
            for verb in ("send", "check-config"):
                done = self.run_program(program, verb, "--help")
                self.assertEqual((done.poll(), done.out), (74, b""))
                self.assertEqual(done.err, f"runpost {verb}: {sender} is not runpost-sender, but "
                                 "runpost once more; install runpost again\n")

    def test_a_sender_whose_loader_is_missing_is_not_called_missing(self):
        program, sender = self.folder / "runpost", self.folder / "runpost-sender"
        shutil.copy(BIN / "runpost", program)
        sender.write_text("#!/no/such/loader\n")
        sender.chmod(0o755)
        done = self.run_program(program, "send", "--help")
        self.assertEqual(done.poll(), 74)
        self.assertEqual(done.err, f"runpost send: cannot run {sender}: it is there, but the "
                         "loader that it names is not\n")

    def test_without_proc_it_finds_the_sender_and_sends(self):
        sink = self.sink()
        self.ingest([make_run(1, sink.hook())])
        hide = ["unshare", "-m", "sh", "-c", "umount -l /proc && test ! -e /proc/self && "
                "exec \"$@\"", "sh"]
        if subprocess.run([*hide, "true"], capture_output=True, timeout=30,
                          check=False).returncode != 0:
            self.skipTest("/proc cannot be hidden here")
        link = self.folder / "link"
        link.symlink_to(BIN / "runpost")
        by_path = f"cd {BIN.parent} && exec {BIN.name}/runpost \"$@\""
        for start in ([BIN / "runpost"], [link], ["sh", "-c", by_path, "sh"],
                      ["env", f"PATH={BIN}:{os.environ['PATH']}", "runpost"]):
            done = self.run_program(*hide, *start, "check-config", "--config", self.config)
            self.assertEqual((done.poll(), done.out), (0, b"ok\n"), done.err)
        done = self.run_program(*hide, BIN / "runpost", "send", "--drain", "--outbox", self.outbox,
                                "--config", self.config)
        self.assertEqual(done.poll(), 0, done.err)
        self.assertEqual(sink.count(), 1)

    def test_only_the_verb_that_sends_holds_signals(self):
        program = self.in_place_of_the_sender("exec grep SigBlk: /proc/self/status")
        held = sum(1 << number - 1 for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM))
        for verb, wanted in (("send", held), ("check-config", 0)):
            done = self.run_program(program, verb)
            self.assertEqual(int(done.out.split()[1], 16) & held, wanted, verb)

    def test_the_program_that_sends_does_nothing_by_itself(self):
        for argv in ((), ("--drain",), ("ingest",)):
            done = self.run_program(BIN / "runpost-sender", *argv)
            self.assertEqual((done.poll(), done.out), (64, b""))
        self.assertIn("`runpost send` starts this program", done.err)
