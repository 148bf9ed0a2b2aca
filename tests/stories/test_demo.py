"""Stories of `runpost demo`: it plays every step, tells when one fails,
and leaves nothing behind."""

import fcntl
import hashlib
import json
import os
import pathlib
import pty
import select
import shutil
import signal
import socket
import struct
import termios

from harness import BIN, FIXTURES, Story, descendants, is_alive, wait_until

RUNS = FIXTURES / "langgraph-runs.ndjson"
TOKEN = b"s3cret"


def program_of(pid):
    try:
        return pathlib.Path(os.readlink(f"/proc/{pid}/exe")).name
    except OSError:  # it has just ended
        return None


class Demo(Story):
    deadline_s = 90
    weight = 3

    def setUp(self):
        super().setUp()
        self.tmp = self.folder / "tmp"
        self.tmp.mkdir()

    def demo(self, *options, code=0, bin=BIN):
        process = self.run_program(bin / "runpost", "demo", *options, env={"TMPDIR": str(self.tmp)},
                                   limit_s=80)
        self.assertEqual(process.poll(), code, process.out.decode(errors="replace") + process.err)
        return process

    def programs(self, **scripts):
        """A folder with the programs, some of which are scripts;
        REAL in them is the folder of the real ones."""
        folder = self.folder / "bin"
        folder.mkdir()
        for name in ("runpost", "runpostctl", "runpost-sender", "runpost-sink"):
            path = folder / name
            script = scripts.get(name.replace("-", "_"))
            if script is None:
                shutil.copy(BIN / name, path)
            else:
                path.write_text("#!/bin/sh\n" + script.replace("REAL", str(BIN)))
                path.chmod(0o755)
        return folder

    def assert_nothing_left(self):
        self.assertEqual(list(self.tmp.iterdir()), [])

    def last_line(self, process):
        return process.out.decode().splitlines()[-1]


class Playing(Demo):
    def test_every_step_does_what_it_says(self):
        done = self.demo("--runs", RUNS)
        self.assertRegex(self.last_line(done), r"^demo: every step did what it says \(\d+\.\d s\)$")
        self.assertEqual([line[:2] for line in done.out.decode().splitlines() if line[1:2] == "."],
                         [f"{n}." for n in range(1, 8)])
        self.assertNotIn(b"FAILED", done.out)
        for secret in (TOKEN, b"whsec_"):
            self.assertNotIn(secret, done.out + done.err.encode())
        self.assert_nothing_left()

    def test_without_a_file_it_has_runs_of_its_own(self):
        done = self.demo()
        self.assertIn(b"3 runs (of the demo's own)", done.out)
        self.assert_nothing_left()

    def test_recorded_runs_go_through_the_front_door_and_arrive_as_they_are(self):
        done = self.demo("--runs", RUNS, "--keep")
        self.assertIn(b"ok      answers 202, so that the run is on disk: 8 of 8\n", done.out)
        self.assertIn(b"ok      answers 200 with the first id: 8 of 8\n", done.out)
        self.assertIn(b"a good signature and a good token each time: 8 of 8\n", done.out)
        record = [json.loads(line) for line in
                  (self.kept(done) / "receiver.ndjson").read_text().splitlines()]
        sent = {hashlib.sha256(run).hexdigest() for run in RUNS.read_bytes().splitlines()}
        self.assertEqual({post["sha256"] for post in record}, sent)

    def kept(self, done):
        return pathlib.Path(
            next(line for line in done.out.decode().splitlines() if line.startswith("kept: "))[6:])

    def test_runs_for_others_go_nowhere_but_to_the_demo(self):
        with socket.socket() as other:
            other.bind(("127.0.0.2", 0))
            other.listen()
            other.setblocking(False)
            url = f"http://127.0.0.2:{other.getsockname()[1]}/hook?token=0123456789"
            # ... also where the name of the member that counts is not plain
            # to see, and another one is
            hidden = ('{"run_id":"b","status":"success","kwargs":{"web\\u0068ook":"%s"},'
                      '"values":{"webhook":"http://127.0.0.1:9911/hook?token=0123456789"}}\n' % url)
            runs = self.file("runs", json.dumps({"run_id": "a", "status": "success",
                                                 "webhook": url}) + " \r\n\n{}\n" + hidden)
            done = self.demo("--runs", runs)
            self.assertIn(b"on disk: 3 of 3\n", done.out)
            self.assertRaises(BlockingIOError, other.accept)

    def test_kept_files_are_private(self):
        done = self.demo("--keep")
        kept = self.kept(done)
        self.assertEqual(kept.parent, self.tmp)
        self.assertEqual(kept.stat().st_mode & 0o777, 0o700)
        for name in ("secret", "door-token"):
            self.assertEqual((kept / name).stat().st_mode & 0o777, 0o600)
        self.assertTrue((kept / "outbox" / "data.mdb").exists())


class Terminal(Demo):
    """On a terminal the inspector's screens are drawn for people, and its keys reach the demo."""

    def on_a_terminal(self, *options, bin=BIN):
        """The demo, and a function that waits until its terminal has shown a text."""
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 50, 120, 0, 0))
        seen = ""

        def take_terminal():
            os.setsid()
            fcntl.ioctl(1, termios.TIOCSCTTY, 0)

        def has_shown(text):
            nonlocal seen
            while select.select([master], [], [], 0)[0]:
                try:
                    seen += os.read(master, 65536).decode(errors="replace")
                except OSError:  # the other side is closed
                    break
            return seen if text in seen else ""

        def wait_shown(text, limit_s):
            try:
                return wait_until(lambda: has_shown(text), text, limit_s)
            except AssertionError as failure:
                raise AssertionError(f"{failure}; the demo's code: {demo.poll()}; shown at last: "
                                     f"{seen[-1500:]!r}") from None

        demo = self.spawn(bin / "runpost", "demo", *options,
                          env={"TMPDIR": str(self.tmp), "TERM": "xterm"}, stdout=slave,
                          preexec=take_terminal)
        os.close(slave)
        return demo, wait_shown, master

    def test_screens_are_tables(self):
        demo, wait_shown, _ = self.on_a_terminal("--runs", RUNS)
        seen = wait_shown("every step did what it says", 80)
        self.assertEqual(demo.wait(), 0)
        self.assertIn("the sum of the above", seen)
        self.assertRegex(seen, r"ID +STATE +TRY")
        self.assertNotIn(TOKEN.decode(), seen)
        self.assert_nothing_left()

    def test_control_c_ends_it(self):
        demo, wait_shown, master = self.on_a_terminal()
        wait_shown("3. Two senders", 60)
        os.write(master, b"\x03")
        wait_shown("demo: stopped by signal 2", 60)
        self.assertEqual(demo.wait(), 130)
        self.assert_nothing_left()


class Failing(Demo):
    def test_a_lone_program_says_what_is_missing(self):
        folder = self.programs()
        (folder / "runpost-sink").unlink()
        done = self.demo("--runs", RUNS, code=66, bin=folder)
        self.assertIn(f"there is no program runpost-sink beside this one, in {folder}", done.err)
        self.assertEqual(done.out, b"")
        self.assert_nothing_left()

    def test_a_bad_file_of_runs_is_told_with_its_line(self):
        self.assertIn("cannot read", self.demo("--runs", self.folder / "none", code=66).err)
        self.assertIn("runs:2: ", self.demo("--runs", self.file("runs", "{}\n{\n"), code=64).err)
        self.assertIn("runs:1: ",
                      self.demo("--keep", "--runs", self.file("runs", "{\n"), code=64).err)
        self.assertIn("no run", self.demo("--runs", self.file("runs", "\n"), code=64).err)
        self.assertIn("at most 50",
                      self.demo("--runs", self.file("runs", "{}\n" * 51), code=64).err)
        self.assert_nothing_left()

    def test_a_screen_that_fails_fails_its_step(self):
        folder = self.programs(
            runpostctl='[ "$1" != verify ] || exit 65\nexec REAL/runpostctl "$@"\n')
        done = self.demo(code=1, bin=folder)
        self.assertIn(b"FAILED  runpostctl verify ended with 65", done.out)
        self.assertTrue(self.last_line(done).startswith("demo: step 6 did not do what it says"),
                        done.out)
        self.assert_nothing_left()

    def test_payloads_that_arrive_changed_fail_the_delivery(self):
        folder = self.programs(runpostctl='''out=$(REAL/runpostctl "$@") || exit
case $out in
*'"delivered":3,'*)
  sed 's/"sha256":"./"sha256":"x/' receiver.ndjson > changed && cat changed > receiver.ndjson ;;
esac
printf '%s\n' "$out"
''')
        done = self.demo(code=1, bin=folder)
        self.assertIn(b"FAILED  runs with the SHA-256 of the input", done.out)
        self.assertTrue(self.last_line(done).startswith("demo: step 3 "), done.out)

    def test_a_token_in_some_output_is_withheld_and_a_failure(self):
        folder = self.programs(
            runpostctl='[ "$1" != dead ] || cat token\nexec REAL/runpostctl "$@"\n')
        done = self.demo("--runs", RUNS, code=1, bin=folder)
        self.assertIn(b"FAILED  a line is not shown", done.out)
        self.assertNotIn(TOKEN, done.out)


class Stopping(Demo):
    def hang(self):
        """A demo that hangs in its third step, with all the programs that it started."""
        folder = self.programs(runpostctl="exec sleep 60\n")
        demo = self.spawn(folder / "runpost", "demo", "--runs", RUNS, env={"TMPDIR": str(self.tmp)})

        def all_there():
            family = descendants(demo.pid)
            names = [program_of(pid) for pid in family]
            there = (names.count("runpost-sink") == 2 and names.count("runpost-sender") == 3
                     and "sleep" in names)
            return family if there else None

        return demo, wait_until(all_there,
                                "two receivers, a parent with two senders, and the tool that hangs")

    def test_an_interrupt_ends_all_and_cleans_up(self):
        demo, family = self.hang()
        demo.signal(signal.SIGINT)
        self.assertEqual(demo.wait(), 130)
        self.assertEqual([pid for pid in family if is_alive(pid)], [])
        self.assertEqual(self.last_line(demo), "demo: stopped by signal 2")
        self.assert_nothing_left()

    def test_an_interrupt_while_the_senders_start_leaves_no_process(self):
        for _ in range(8):  # each one a little earlier or later than the start of the senders
            output, demos_end = os.pipe()
            demo = self.spawn(BIN / "runpost", "demo", "--runs", RUNS, stdout=demos_end,
                              env={"TMPDIR": str(self.tmp)})
            os.close(demos_end)
            with open(output, "rb") as lines:
                next(line for line in lines if b"$ runpost send" in line)
                demo.signal(signal.SIGINT)
                self.assertIn(b"demo: stopped by signal 2", lines.read())
            self.assertEqual(demo.wait(), 130)
            self.assertEqual(self.started_by_demos(), [])
            self.assert_nothing_left()

    def started_by_demos(self):
        """The processes whose temporary folder is this story's."""
        mark = f"TMPDIR={self.tmp}".encode()
        found = []
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if mark in (process / "environ").read_bytes().split(b"\0"):
                    found.append((process / "cmdline").read_bytes())
            except OSError:  # it has just ended, or is another user's
                pass
        return found

    def test_a_killed_demo_leaves_no_process(self):
        demo, family = self.hang()
        self.addCleanup(self.kill_those_alive, family)
        demo.kill()
        wait_until(lambda: not any(is_alive(pid) for pid in family), "the end of its children")
        wait_until(lambda: not list(self.tmp.iterdir()), "the end of its folder")

    def kill_those_alive(self, family):
        for pid in family:
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)
