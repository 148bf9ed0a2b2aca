"""Stories of `runpostctl verify`: beside everything else,
and in the hands of somebody who waits for it."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

from harness import BIN, Story, make_run, wait_until


class VerifyUnderLoad(Story):
    def test_verify_in_slices_raises_no_false_alarm_while_all_changes(self):
        sink = self.sink()
        senders = [self.send(), self.send()]
        rounds = 0
        for batch in range(6):
            lines = [make_run(batch * 1500 + n, sink.hook()) for n in range(1500)]
            self.ingest(lines)
            done = self.ctl("verify", code=None)
            self.assertEqual(done.poll(), 0, done.out.decode(errors="replace") + done.err)
            rounds += 1
        while self.entries()["delivered"] < 9000 and rounds < 500:
            done = self.ctl("verify", "--json", code=None)
            self.assertEqual(done.poll(), 0, done.out.decode(errors="replace") + done.err)
            rounds += 1
        self.wait_entries("all are delivered", delivered=9000)
        self.assertEqual([s.poll() for s in senders], [None, None])
        self.ctl("verify", "--full")


class VerifyOnATerminal(Story):
    TRIES = 20

    def setUp(self):
        super().setUp()
        self.ingest([make_run(n, "https://r.example/") for n in range(20000)])

    def start(self, *options):
        """On a pseudo terminal. (pid, the terminal)"""
        pid, fd = pty.fork()
        if pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
            os.environ["TERM"] = "xterm"
            os.execv(BIN / "runpostctl",
                     ["runpostctl", "verify", "--outbox", self.outbox, *options])
        return pid, fd

    def end(self, pid, fd):
        """(exit status, what the terminal shows)"""
        shown = b""
        while select.select([fd], [], [], 30)[0]:
            try:
                data = os.read(fd, 65536)
            except OSError:  # Linux: the other side is closed
                break
            if not data:
                break
            shown += data
        os.close(fd)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode()

    def stop_in_the_middle(self, pid):
        """Once the outbox is open. It may be too late for that: the caller tries again."""

        def is_at_it():
            with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
                return "data.mdb" in maps.read()

        def is_stopped():
            with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
                return stat.read().rpartition(")")[2].split()[0] in "TZ"

        try:
            wait_until(is_at_it, "the outbox to be opened", every_s=0)
            os.kill(pid, signal.SIGSTOP)
            wait_until(is_stopped, "verify to stop", every_s=0.001)
        except OSError:
            pass

    def assert_progress(self, *options):
        for _ in range(self.TRIES):
            pid, fd = self.start(*options)
            self.stop_in_the_middle(pid)
            # Not to wait for something, but to be slow: only then is there anything to show.
            time.sleep(1.05)
            os.kill(pid, signal.SIGCONT)
            code, shown = self.end(pid, fd)
            self.assertEqual(code, 0, shown)
            if "verify " in shown:
                break
        lines = re.split("[\r\n]+", shown.replace("\x1b[K", ""))
        self.assertRegex(lines[1], r"^verify \d+/\d+  \[#*\.+\]  \d+%  \d+(\.\d)?/s  \d+\w+ left$")
        self.assertTrue(all(len(line) < 80 for line in lines), lines)
        self.assertIn("20000 entries", lines[-2])

    def test_what_takes_longer_than_a_second_shows_how_far_it_is(self):
        self.assert_progress()
        self.assert_progress("--full")

    def test_it_can_be_interrupted(self):
        for options in ((), ("--full",)):
            for _ in range(self.TRIES):
                pid, fd = self.start(*options)
                self.stop_in_the_middle(pid)
                os.kill(pid, signal.SIGINT)
                os.kill(pid, signal.SIGCONT)
                code, shown = self.end(pid, fd)
                if code == 130:
                    break
            self.assertEqual(code, 130, shown)
            self.assertRegex(shown, r"stopped; \d+ entries were checked, with 0 problems")
