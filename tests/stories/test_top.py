"""Stories of `runpostctl top`: keys are typed, the screen is read as a terminal would show it, and
the terminal is left as it was found, however it ends."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios

from harness import BIN, Story, make_run, run_id, wait_until


class Screen:
    """A terminal of so many rows and columns, as far as top and a shell use one."""

    def __init__(self, rows, cols):
        self.rows, self.cols = rows, cols
        self.other = False  # the alternate screen
        self.styles = set()
        self.clear()

    def clear(self):
        self.cells = [[" "] * self.cols for _ in range(self.rows)]
        self.row = self.col = 0

    def lines(self):
        return ["".join(row).rstrip() for row in self.cells]

    def text(self):
        return "\n".join(self.lines())

    def feed(self, data):
        for csi, text in re.findall(r"\x1b\[([?0-9;]*[a-zA-Z])|([^\x1b]+|\x1b)", data):
            if csi:
                self.control(csi[:-1], csi[-1])
            for c in text:
                self.put(c)

    def put(self, c):
        if c == "\r":
            self.col = 0
        elif c == "\n":
            if self.row + 1 < self.rows:
                self.row += 1
            else:
                self.cells = self.cells[1:] + [[" "] * self.cols]
        elif c >= " " and self.col < self.cols:
            self.cells[self.row][self.col] = c
            self.col += 1

    def control(self, args, final):
        if final == "H":
            at = [int(n or 1) for n in args.split(";")] if args else [1, 1]
            self.row, self.col = at[0] - 1, at[1] - 1
        elif final == "K":
            self.cells[self.row][self.col:] = [" "] * (self.cols - self.col)
        elif final == "J":
            self.cells[self.row][self.col:] = [" "] * (self.cols - self.col)
            for row in range(self.row + 1, self.rows):
                self.cells[row] = [" "] * self.cols
        elif final == "m":
            self.styles.add(args)
        elif args == "?1049":
            self.other = final == "h"
            self.clear()


class Terminal:
    """A program on a pseudo-terminal of its own."""

    def __init__(self, story, argv, rows=24, cols=80, env=None):
        self.master, self.slave = pty.openpty()
        self.screen = Screen(rows, cols)
        self.resize(rows, cols, None)
        self.before = termios.tcgetattr(self.slave)
        environ = {**os.environ, "TERM": "xterm", "LC_ALL": "C.utf8", **(env or {})}
        environ = {k: v for k, v in environ.items() if v is not None}

        def take_terminal():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.popen = subprocess.Popen([str(a) for a in argv], stdin=self.slave, stdout=self.slave,
                                      stderr=self.slave, env=environ, preexec_fn=take_terminal)
        self.raw = ""
        story.addCleanup(self.end)

    def resize(self, rows, cols, pid):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
        self.screen = Screen(rows, cols)
        if pid is not None:
            os.kill(pid, signal.SIGWINCH)

    def end(self):
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()
        os.close(self.master)
        os.close(self.slave)

    def read(self):
        while select.select([self.master], [], [], 0.02)[0]:
            data = os.read(self.master, 65536).decode(errors="replace")
            self.raw += data
            self.screen.feed(data)
        return self.screen.text()

    def type(self, text):
        os.write(self.master, text.encode())

    def wait_for(self, pattern, what=None):
        return wait_until(lambda: re.search(pattern, self.read(), re.M),
                          f"{what or pattern!r} on the screen", every_s=0.01)

    def wait_end(self, code=0):
        wait_until(lambda: (self.read(), self.popen.poll() is not None)[1], "its end", 10)
        self.read()
        return self.popen.returncode

    def is_restored(self):
        return termios.tcgetattr(self.slave) == self.before and not self.screen.other


class Top(Story):
    def top(self, *options, **more):
        return Terminal(self, [BIN / "runpostctl", "top", "--outbox", self.outbox, "--config",
                               self.config, *options], **more)

    def fill(self):
        self.configure(defaults={"retry_attempts": "2", "retry_base": "10ms"})
        self.good, self.bad = self.sink(), self.sink("--status", "500")
        lines = [make_run(n, self.good.hook(f"/good/{n % 3}?token=s3cret")) for n in range(30)]
        self.ingest(lines
                    + [make_run(n, self.bad.hook("/bad?token=s3cret")) for n in range(30, 36)])
        self.drain()

    def test_it_shows_endpoints_failures_and_totals_and_gives_the_terminal_back(self):
        self.fill()
        t = self.top(cols=110)
        t.wait_for(r"delivered 30$")
        text = t.read()
        self.assertRegex(text, r"(?m)^ waiting 0  in flight 0  held 0  dead 6  delivered 30$")
        self.assertRegex(text, r"4 ENDPOINTS +WAITING +DEAD")
        self.assertRegex(text, rf"127\.0\.0\.1:{self.bad.port}/bad +0 +6 .* 0\.0 .*failing")
        self.assertRegex(text, rf"127\.0\.0\.1:{self.good.port}/good/1 +0 +0 .* 100 .*ok")
        self.assertRegex(text, r"http_500 .* msg_\w{26}  dead \(exhausted\)")
        self.assertRegex(text, "[\u2581-\u2588]")
        self.assertNotIn("s3cret", t.raw)
        self.assertFalse(t.is_restored())
        t.type("q")
        self.assertEqual(t.wait_end(), 0)
        self.assertTrue(t.is_restored())

    def test_keys_move_filter_and_look(self):
        self.fill()
        t = self.top()
        t.wait_for(r"^>.*/bad")
        t.type("j")
        t.wait_for(r"^>.*/good/0")
        t.type("\x1b[B\x1b[B\x1b[B")  # one more than there are
        t.wait_for(r"^>.*/good/2")
        t.type("g")
        t.wait_for(r"^>.*/bad")
        t.type("\r")
        t.wait_for(rf"endpoint +http://127\.0\.0\.1:{self.bad.port}/bad$")
        t.wait_for(r"state +failing: 12 in a row, the last with http_500")
        t.type("q/good")
        t.wait_for(r"^ /good_")
        t.type("\r")
        t.wait_for(r"3 LIKE good")
        self.assertNotRegex(t.read().partition("SENDER")[0], "/bad")
        t.type("\x1b")
        t.wait_for(r"4 ENDPOINTS")
        t.type("?")
        t.wait_for(r"pause or resume")
        t.type("qq")
        self.assertEqual(t.wait_end(), 0)
        self.assertTrue(t.is_restored())

    def test_what_changes_something_asks_and_then_does_it(self):
        self.fill()
        t = self.top(cols=120)
        t.wait_for(r"^>.*/bad")
        t.type("p")
        t.wait_for(r"pause http.*/bad\? y/n")
        t.type("n")
        t.wait_for("nothing was changed")
        self.assertEqual({e["paused"] for e in self.ctl_json("endpoints")}, {False})
        t.type("p")
        t.wait_for("y/n")
        t.type("y")
        t.wait_for(r"^ paused http")
        t.wait_for(r"^>.*/bad .* paused$")
        self.assertEqual([e["endpoint"] for e in self.ctl_json("endpoints") if e["paused"]],
                         [self.bad.hook("/bad")])
        self.assertEqual([(r["verb"], r["what"]) for r in self.ctl_json("audit")],
                         [("top pause", self.bad.hook("/bad"))])
        t.type("p")
        t.wait_for(r"resume http.*/bad\? y/n")
        t.type("y")
        t.wait_for(r"^>.*/bad .* failing$")
        t.type("R")
        t.wait_for(r"replay the 6 dead letters of http.*/bad\? y/n")
        t.type("y")
        self.wait_entries("the replay", dead=0, waiting=6)
        t.wait_for(r"^ waiting 6 .* dead 0 ")
        t.type("R")
        t.wait_for("it has no dead letters")
        t.type("q")
        self.assertEqual(t.wait_end(), 0)

    def test_what_comes_is_seen_while_it_runs(self):
        sink = self.sink()
        self.ingest([make_run(1, sink.hook("/first"))])
        t = self.top()
        t.wait_for(r"1 ENDPOINT ")
        t.wait_for("0 SENDERS: nothing is being delivered")
        sender = self.send()
        t.wait_for(r"sender-0 +pid +\d+ .* alive")
        self.ingest([make_run(n, sink.hook("/second")) for n in range(2, 30)])
        t.wait_for(r"delivered 29$")
        t.wait_for(r"/second .* 100 ")
        self.ctl("hold", "--run", run_id(1), code=None)
        sender.stop()
        t.wait_for("0 SENDERS")
        t.type("q")
        self.assertEqual(t.wait_end(), 0)

    def test_signals_end_it_and_leave_the_terminal_as_it_was(self):
        self.fill()
        for number, code in ((signal.SIGINT, 0), (signal.SIGTERM, 0), (signal.SIGHUP, 0),
                             (signal.SIGABRT, -signal.SIGABRT), (signal.SIGSEGV, -signal.SIGSEGV)):
            with self.subTest(signal=number.name):
                t = self.top()
                t.wait_for("ENDPOINTS")
                self.assertFalse(t.is_restored())
                t.popen.send_signal(number)
                self.assertEqual(t.wait_end(), code)
                self.assertTrue(t.is_restored())
                self.assertTrue(t.raw.rstrip().endswith("\x1b[?1049l"), t.raw[-80:])

    def test_pages_that_cannot_be_read_end_it_with_a_word_on_the_terminal_as_it_was(self):
        self.fill()
        t = self.top()
        t.wait_for("ENDPOINTS")
        os.truncate(self.outbox / "data.mdb", 8192)
        self.assertEqual(t.wait_end(), 65)
        self.assertTrue(t.is_restored())
        self.assertIn("data.mdb is damaged or cannot be read", t.raw)

    def test_it_stops_and_goes_on(self):
        self.fill()
        script = self.file("jobs.sh", f"""set -m
'{BIN}/runpostctl' top --outbox '{self.outbox}' --config '{self.config}'
echo STOPPED $?
stty -a | tr ';' '\\n' | grep -o 'icanon.*'
read -r answer
fg
echo ENDED $?
""")
        t = Terminal(self, ["bash", script])
        t.wait_for("4 ENDPOINTS")
        t.type("\x1a")
        t.wait_for(r"^STOPPED 148$")
        t.wait_for("^icanon")
        self.assertFalse(t.screen.other)
        t.type("\n")
        t.wait_for("4 ENDPOINTS")
        self.assertTrue(t.screen.other)
        t.type("q")
        t.wait_for("^ENDED 0$")
        t.wait_end()
        self.assertTrue(t.is_restored())

    def test_it_follows_the_size_of_the_window(self):
        self.fill()
        t = self.top(rows=40, cols=150)
        t.wait_for("RECENT FAILURES")
        t.resize(14, 60, t.popen.pid)
        t.wait_for("^ j/k move")
        self.assertRegex(t.read(), "4 ENDPOINTS")
        t.resize(8, 30, t.popen.pid)
        t.wait_for("the window is too small")
        t.type("q")
        self.assertEqual(t.wait_end(), 0)

    def test_colours_and_bars_follow_the_environment(self):
        self.fill()
        for env, colour, bars in (({}, True, True), ({"NO_COLOR": "1"}, False, True),
                                  ({"LC_ALL": "C"}, True, False)):
            with self.subTest(env=env):
                t = self.top(cols=120, env=env)
                t.wait_for("delivered 30")
                text = t.read()
                self.assertEqual(bool({"31", "32"} & t.screen.styles), colour)
                self.assertEqual(bool(re.search("[\u2581-\u2588]", text)), bars)
                self.assertEqual(text.isascii(), not bars)
                t.type("q")
                t.wait_end()

    def test_a_terminal_that_takes_nothing_is_left_as_it_was(self):
        self.ingest([make_run(1, "https://hooks.example.com/in")])
        ours, its = pty.openpty()
        reading = os.open(os.ttyname(its), os.O_RDONLY | os.O_NOCTTY)
        before = termios.tcgetattr(its)
        try:
            done = subprocess.run([BIN / "runpostctl", "top", "--outbox", self.outbox], stdin=its,
                                  stdout=reading, stderr=subprocess.PIPE,
                                  env={**os.environ, "TERM": "xterm"}, timeout=20, check=False)
            self.assertEqual(done.returncode, 74, done.stderr)
            self.assertIn(b"cannot take the terminal", done.stderr)
            self.assertEqual(termios.tcgetattr(its), before)
        finally:
            for fd in (ours, its, reading):
                os.close(fd)

    def test_without_a_terminal_it_says_so(self):
        self.ingest([make_run(1, "https://hooks.example.com/in")])
        self.assertIn("stats --json", self.ctl("top", code=64).err)
        t = self.top(env={"TERM": "dumb"})
        self.assertEqual(t.wait_end(), 64)
        self.assertIn("TERM is dumb", t.raw)
