"""Stories about a log that nobody reads: lines are dropped and counted,
and nobody waits for them."""

import fcntl
import os
import signal

from harness import BIN, Story, descendants, make_run, wait_until


class UnreadPipe:
    """A pipe for standard error that holds a few lines and is read when a story says so."""

    def __init__(self, story, full=False):
        self.reading, self.writing = os.pipe()
        fcntl.fcntl(self.writing, fcntl.F_SETPIPE_SZ, 4096)
        story.addCleanup(self.close)
        os.set_blocking(self.reading, False)
        if full:
            os.write(self.writing, b"x" * 4095 + b"\n")

    def close(self):
        os.close(self.reading)
        os.close(self.writing)

    def read(self):
        text = b""
        try:
            while data := os.read(self.reading, 65536):
                text += data
        except BlockingIOError:
            pass
        return text.decode()

    def is_blocking(self):
        return os.get_blocking(self.writing)


class UnreadLog(Story):
    def test_senders_deliver_and_jobs_end_and_receipts_come_though_nobody_reads_the_log(self):
        """The end of a job is told from within a transaction:
        there everybody would wait for the reader."""
        for options in ([], ["--senders", "2"]):
            with self.subTest(options=options):
                self.outbox = self.folder / f"outbox{len(options)}"
                log = UnreadPipe(self)
                sink = self.sink("--status", *["500"] * 60, "200")  # each is a line of the log
                sender = self.send(*options, stderr=log.writing)
                self.ingest([make_run(n, sink.hook(f"/{n}")) for n in range(100)])
                self.wait_entries("all to be delivered", delivered=100)
                self.ctl("replay", "--state", "delivered", "--yes")
                self.wait_entries("all to be delivered again", delivered=100)
                wait_until(lambda: all(j["state"] == "done" for j in self.ctl_json("jobs")),
                           "the end of the job")
                self.ingest([make_run(1000 + n, sink.hook()) for n in range(10)])
                self.wait_entries("more to be delivered", delivered=110)
                self.assertTrue(log.is_blocking())
                said = log.read()
                self.ingest([make_run(2000, sink.hook("/other"))])
                self.wait_entries("the last to be delivered", delivered=111)
                self.assertEqual(sender.stop(), 0)
                said += log.read()
                for line in said.splitlines():
                    self.assertRegex(line, r"^at=\S+ level=\w+ role=send\S* pid=\d+ ev=")
                self.assertRegex(said, r" log_dropped=\d+\n")
                self.assert_sound(delivered=111)

    def test_a_parent_replaces_a_killed_child_though_nobody_reads_the_log(self):
        log = UnreadPipe(self, full=True)
        sink = self.sink()
        parent = self.send("--senders", "2", stderr=log.writing)
        children = wait_until(lambda: len(c := descendants(parent.pid)) == 2 and c, "two children")
        os.kill(children[0], signal.SIGKILL)
        wait_until(lambda: len(c := descendants(parent.pid)) == 2 and children[0] not in c,
                   "a new child")
        self.ingest([make_run(n, sink.hook()) for n in range(10)])
        self.wait_entries("all to be delivered", delivered=10)
        self.assertEqual(parent.stop(), 0)

    def test_ingest_gives_receipts_and_ends_though_nobody_reads_the_log(self):
        log = UnreadPipe(self, full=True)
        ingest = self.live_ingest(stderr=log.writing)
        ingest.send(*[make_run(n, "https://a.example/x") for n in range(50)])
        ingest.wait_receipts(50)
        self.assertEqual(ingest.close(), 0)
        self.assertEqual(log.read(), "x" * 4095 + "\n")

    def test_who_cannot_start_ends_though_nobody_reads_why(self):
        bad = self.file("bad.conf", "[nonsense]\nx = 1\n")
        log = UnreadPipe(self, full=True)
        for code, argv in ((78, ("runpost", "send", "--config", bad)),
                           (78, ("runpost", "ingest", "--config", bad)),
                           (64, ("runpost", "send", "--senders", "0")),
                           (64, ("runpost", "ingest", "more")), (64, ("runpost", "sned")),
                           (64, ("runpost",)), (64, ("runpost-sink", "--nonsense"))):
            with self.subTest(argv=argv):
                done = self.spawn(BIN / argv[0], *argv[1:], stderr=log.writing)
                self.assertEqual(done.wait(5), code)
        self.assertTrue(log.is_blocking())

    def test_a_sink_that_is_stopped_ends_though_nobody_reads_its_summary(self):
        log = UnreadPipe(self, full=True)
        sink = self.spawn(BIN / "runpost-sink", "--port", "0", stderr=log.writing)
        wait_until(lambda: b"ready" in sink.out, "the sink")
        self.assertEqual(sink.stop(5), 0)


class StoppedWhileNobodyReads(Story):
    """These verbs wait for whoever reads what they say, and catch SIGTERM:
    it ends them all the same."""

    def stop_blocked(self, *argv, **to):
        process = self.spawn(BIN / "runpostctl", *argv, "--outbox", self.outbox, **to)
        wait_until(lambda: self.is_in_write(process), f"{argv} to wait for the reader")
        process.signal(signal.SIGTERM)
        return process.wait(5)

    @staticmethod
    def is_in_write(process):
        with open(f"/proc/{process.pid}/wchan", encoding="ascii") as f:
            return "pipe_write" in f.read()

    def test_what_is_said_on_stderr(self):
        self.ingest([make_run(n, "https://a.example/x?key=1") for n in range(3)])
        log = UnreadPipe(self, full=True)
        self.assertEqual(self.stop_blocked("export", stderr=log.writing), 0)
        self.assertEqual(self.stop_blocked("export", "--state", "dead", stderr=log.writing), 0)
        self.assertEqual(self.stop_blocked("show", "msg_000000000G1CY55NDPRXZQ0S4M",
                                           stderr=log.writing), -15)
        self.assertEqual(self.stop_blocked("import", self.file("lines", "x\n" * 9),
                                           stderr=log.writing), 130)

    def test_what_is_printed_on_stdout(self):
        self.ingest([make_run(n, "https://a.example/x") for n in range(3)])
        out = UnreadPipe(self, full=True)
        for argv in (["export"], ["verify"], ["verify", "--full", "--json"],
                     ["replay", "--state", "waiting", "--yes"]):
            with self.subTest(argv=argv):
                self.assertIn(self.stop_blocked(*argv, stdout=out.writing), (0, 130))
