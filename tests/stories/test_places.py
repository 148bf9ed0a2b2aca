"""Stories about where an outbox is and who may use it: files that are moved or removed under
running programs, containers that share one, and a look by root at somebody else's."""

import os
import shutil
import subprocess
import time

from harness import BIN, Story, make_run, wait_until

HOOK = "http://127.0.0.1:1/hook"
GONE = "was removed, moved or replaced while this program had it open"
NEW_NAMESPACE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
SERVICE = 12345


class FilesLeaveThePath(Story):
    def take_away(self):
        self.outbox.rename(self.folder / "away")

    def remove(self):
        shutil.rmtree(self.outbox)

    def remove_lock(self):
        (self.outbox / "lock.mdb").unlink()

    def restore(self):
        self.ctl("backup", self.folder / "backup")
        self.take_away()
        (self.folder / "backup").rename(self.outbox)

    def test_ingest_gives_no_receipt_for_what_nobody_finds(self):
        for meddle in (self.take_away, self.remove, self.remove_lock, self.restore):
            with self.subTest(meddle.__name__):
                live = self.live_ingest()
                live.send(make_run(1, HOOK))
                live.wait_receipts(1)
                meddle()
                live.send(make_run(2, HOOK))
                self.assertEqual(live.wait(), 74, live.process.err)
                self.assertIn(GONE, live.process.err)
                self.assertEqual(len(live.receipts), 1)
                shutil.rmtree(self.outbox, ignore_errors=True)
                shutil.rmtree(self.folder / "away", ignore_errors=True)

    def test_those_that_have_nothing_to_do_notice_too(self):
        self.ingest([make_run(1, HOOK)])
        waiting = [self.live_ingest().process,
                   self.spawn(BIN / "runpostctl", "tail", "-f", "--outbox", self.outbox)]
        wait_until(lambda: len(self.open_by(waiting)) == 2, "both have the outbox open")
        self.take_away()
        for process in waiting:
            self.assertEqual(process.wait(20), 74, process.err)
            self.assertIn(GONE, process.err)

    def test_those_that_are_kept_busy_with_what_is_not_stored_notice_too(self):
        """They hold the locks of a user of the old files: until they end nobody gets in."""
        live = self.live_ingest()
        live.send(make_run(1, HOOK))
        live.wait_receipts(1)
        self.remove_lock()
        stop = time.monotonic() + 20
        while live.process.poll() is None and time.monotonic() < stop:
            n = len(live.receipts)
            try:
                live.send(b'{"run_id":"x","status":"success"}', b"no JSON")
            except BrokenPipeError:
                break
            wait_until(lambda n=n: len(live.receipts) == n + 2 or live.process.poll() is not None,
                       "two receipts")
        self.assertEqual(live.wait(3), 74, live.process.err)  # sooner than who is idle looks
        self.assertIn(GONE, live.process.err)
        self.assert_sound(accepted=1)

    def open_by(self, processes):
        data = os.stat(self.outbox / "data.mdb")
        found = []
        for process in processes:
            folder = f"/proc/{process.pid}/fd"
            for fd in os.listdir(folder):
                try:
                    st = os.stat(f"{folder}/{fd}")
                except OSError:
                    continue
                if (st.st_dev, st.st_ino) == (data.st_dev, data.st_ino):
                    found.append(process)
                    break
        return found

    def test_senders_go_on_with_a_backup_that_was_put_in_its_place(self):
        sink = self.sink()
        self.ingest([make_run(1, sink.hook())])
        self.ctl("backup", self.folder / "backup")
        sender = self.send("--senders", "2")
        wait_until(lambda: sink.count() == 1, "the first delivery")
        self.take_away()
        (self.folder / "backup").rename(self.outbox)
        self.ingest([make_run(2, sink.hook())])
        self.wait_entries("both delivered from the backup", delivered=2)
        self.assertEqual(len(sink.by_id()), 2)
        self.assertIn(GONE, sender.err)
        self.assertEqual(sender.stop(), 0, sender.err)
        self.assert_sound(accepted=2, delivered=2)

    def test_senders_begin_anew_where_nothing_is_put_in_its_place(self):
        sender = self.send("--senders", "2")
        wait_until(lambda: sender.err.count("ev=sending") == 2, "both senders")
        self.take_away()
        wait_until(lambda: sender.err.count("ev=sending") == 4, "both senders again")
        self.assertEqual(sender.err.count(GONE), 2, sender.err)
        self.ingest([make_run(1, HOOK)])
        self.assertEqual(sender.stop(), 0, sender.err)
        self.assert_sound(accepted=1)


class FilesOfAnOutbox(Story):
    """Whoever is told to write to one of them declines, or a slip of the shell's completion
    would cost the outbox."""

    def test_nothing_else_is_written_over_them(self):
        sink = self.sink()
        self.ingest([make_run(1, sink.hook())])
        self.drain()
        files = [path for path in self.outbox.iterdir() if path.is_file()]
        self.assertEqual(len(files), 4, files)
        before = {path: path.stat().st_ino for path in files}
        for path in files:
            for program in (
                    [BIN / "runpostctl", "metrics", "--outbox", self.outbox, "--textfile", path],
                    [BIN / "runpostctl", "purge", "--outbox", self.outbox, "--yes", "--state",
                     "delivered", "--backup", path],
                    self.ingest_argv("--rejects", path), [BIN / "runpost-sink", "--record", path]):
                done = self.spawn(*program)
                self.assertNotEqual(done.wait(), 0, program)
                self.assertIn("an outbox has a file of this name", done.err)
        self.assertEqual({path: path.stat().st_ino for path in files}, before)
        self.assert_sound(delivered=1)


class Containers(Story):
    def setUp(self):
        super().setUp()
        if subprocess.run([*NEW_NAMESPACE, "true"], capture_output=True, check=False).returncode:
            self.skipTest("this user may not make a PID namespace")

    def test_one_that_shares_an_outbox_with_another_is_refused_until_that_is_gone(self):
        live = self.live_ingest()
        live.send(make_run(1, HOOK))
        live.wait_receipts(1)
        self.prefix = NEW_NAMESPACE
        for done in (self.ctl("stats", code=75), self.run_program(*self.ingest_argv(), data=b"")):
            self.assertEqual(done.poll(), 75, done.err)
            self.assertIn("programs in another PID namespace", done.err)
            self.assertIn("docker exec", done.err)
        self.assertEqual(live.close(), 0)
        self.assert_sound(accepted=1)

    def test_one_that_was_killed_is_followed_by_the_next(self):
        self.prefix = NEW_NAMESPACE
        for n in range(1, 4):
            live = self.live_ingest()
            live.send(make_run(n, HOOK))
            live.wait_receipts(1)
            live.kill()
        self.assertEqual(len(self.ingest([make_run(4, HOOK)])), 1)
        self.assert_sound(accepted=4)

    def test_those_of_one_container_share_it(self):
        """As with nsenter, docker exec, or a PID namespace that two containers have in common."""
        holder = self.spawn(*NEW_NAMESPACE, "sleep", "60")
        inner = wait_until(lambda: self.child_of(holder.pid), "the first process of the namespace")
        self.prefix = ["nsenter", "-t", str(inner), "-p", "-m", "--wd=."]
        live = self.live_ingest()
        live.send(make_run(1, HOOK))
        live.wait_receipts(1)
        self.assertEqual(self.entries()["waiting"], 1)
        self.assertEqual(live.close(), 0, live.process.err)

    @staticmethod
    def child_of(pid):
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            children = f.read().split()
        return int(children[0]) if children else None


class LookByRoot(Story):
    """The outbox is a service's, and root uses each verb that looks at it."""

    def setUp(self):
        super().setUp()
        if os.geteuid() != 0:
            self.skipTest("only root can look at somebody else's outbox")
        self.programs = self.folder / "bin"  # where the service's user can reach them
        self.programs.mkdir()
        for name in ("runpost", "runpostctl"):
            shutil.copy(BIN / name, self.programs)
        for folder in (self.folder, self.programs):
            folder.chmod(0o755)
        self.config.chmod(0o644)
        self.outbox.mkdir(0o700)
        os.chown(self.outbox, SERVICE, SERVICE)

    def as_service(self, *argv, data):
        def become():
            os.setgroups([])
            os.setgid(SERVICE)
            os.setuid(SERVICE)
        return self.run_program(self.programs / argv[0], *argv[1:], "--outbox", self.outbox,
                                "--config", self.config, data=data, preexec=become)

    def test_it_leaves_nothing_that_the_service_cannot_use(self):
        for n, verb in enumerate(("stats", "list", "doctor", "verify", "endpoints")):
            done = self.as_service("runpost", "ingest", data=make_run(n, HOOK) + b"\n")
            self.assertEqual(done.poll(), 0, f"after {verb}: {done.err}")
            for name in ("senders", "doorbell", "lock.mdb"):
                (self.outbox / name).unlink(missing_ok=True)
            self.ctl(verb, code=None)
            for path in self.outbox.iterdir():
                self.assertEqual(path.stat().st_uid, SERVICE, f"{path.name} after {verb}")
        self.ctl("verify")

    def test_a_directory_that_stayed_roots_is_told_with_what_mends_it(self):
        self.as_service("runpost", "ingest", data=make_run(1, HOOK) + b"\n")
        os.chown(self.outbox, 0, 0)
        (self.outbox / "lock.mdb").unlink()
        for mode, name in ((0o755, "lock.mdb"), (0o700, "doorbell")):
            with self.subTest(name):
                self.outbox.chmod(mode)
                mend = f"chown {SERVICE}:{SERVICE} {self.outbox}"
                said = self.ctl("stats", code=77).err
                for part in (f"{self.outbox}/{name}: user {SERVICE}, ", "as whom root acts",
                             f"(as root: {mend})"):
                    self.assertIn(part, said)
                said = self.ctl("doctor", code=2).out.decode()
                self.assertIn(mend, said)
                self.assertNotIn("run it as", said)
        subprocess.run(mend, shell=True, check=True)
        self.ctl("stats")

    def test_it_writes_through_no_link(self):
        precious = self.file("precious", "keep me")
        self.as_service("runpost", "ingest", data=make_run(1, HOOK) + b"\n")
        for name in ("senders", "doorbell", "lock.mdb"):
            with self.subTest(name):
                kept = self.outbox / name
                kept.unlink(missing_ok=True)
                kept.symlink_to(precious)
                done = self.ctl("stats", code=77)
                self.assertIn("is a symbolic link", done.err)
                self.assertEqual(precious.read_text(), "keep me")
                self.assertEqual(precious.stat().st_uid, os.geteuid())
                kept.unlink()
