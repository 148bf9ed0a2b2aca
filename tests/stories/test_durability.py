"""Stories about receipts: what they promise, when they may be written,
and what a kill -9 leaves behind."""

import re
import shutil
import subprocess

from harness import BIN, Story, json_lines, make_run, run_id

HOOK = "http://127.0.0.1:1/hook"
CALL = re.compile(r"^\d+ +(\w+)\((.*)\) += (-?\d+)")
META_BYTES = 120


class CommitTrace:
    """Reads a strace of one ingester: for each write of receipts,
    how many synced commits there were before it.

    A commit is: pages written, the file flushed, then the short write of a meta page through a
    descriptor opened with O_DSYNC. Anything else on the way to a receipt is an error."""

    def __init__(self, text):
        self.dsync = set()
        self.commits = 0
        self.receipt_writes = []  # commits so far, at each
        self.errors = []
        self.unflushed = self.unnamed = False  # pages not flushed; pages no meta page names yet
        for line in text.splitlines():
            call = CALL.match(line)
            if call is not None and int(call[3]) >= 0:
                self.see(call[1], call[2], line)

    def see(self, name, arguments, line):
        fd = arguments.split("<")[0]
        if name == "openat":
            if "data.mdb" in arguments and "O_DSYNC" in arguments:
                self.dsync.add(line.rpartition("= ")[2].split("<")[0])
        elif "/data.mdb>" in arguments.split(",")[0]:
            self.see_data(name, fd, arguments, line)
        elif fd == "1" and name in ("write", "writev"):
            if self.unnamed:
                self.errors.append(f"receipts before the commit was done: {line[:150]}")
            self.receipt_writes.append(self.commits)

    def see_data(self, name, fd, arguments, line):
        if name in ("fdatasync", "fsync"):
            self.unflushed = False
        elif name == "pwrite64" and arguments.split(", ")[-2] == str(META_BYTES):
            if self.unflushed:
                self.errors.append(f"meta page written before its pages were flushed: {line[:150]}")
            if fd not in self.dsync:
                self.errors.append(f"meta page written without O_DSYNC: {line[:150]}")
            self.commits += 1
            self.unnamed = False
        else:
            self.unflushed = self.unnamed = True


RUN_ID = re.compile(r"0194a[0-9a-f]{3}-[0-9a-f]{4}-7[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}")


class PipelineTrace:
    """Reads a strace, with whole buffers, of an ingester that commits a batch while it writes
    the receipts of the one before: which run ids stood in pages whose commit had returned
    when a receipt named them.

    Two threads call at once, so a call may be told in two lines: what it writes counts from the
    first, that it has returned from the second."""

    def __init__(self, text):
        self.written, self.committed = set(), set()
        self.meta_of = {}  # thread -> whether its call under way writes a meta page
        self.commits = 0
        self.receipts_during_a_commit = 0
        self.receipts, self.errors = set(), []
        for line in text.splitlines():
            thread, _, call = line.partition(" ")
            self.see(thread, call.lstrip())

    def see(self, thread, call):
        if call.startswith("<... "):
            self.ended(thread)
            return
        name, _, rest = call.partition("(")
        first = rest.partition(",")[0]
        if "/data.mdb>" in first and name in ("write", "writev", "pwrite64", "pwritev"):
            self.meta_of[thread] = name == "pwrite64" and f", {META_BYTES}, " in rest[-80:]
            if not self.meta_of[thread]:
                self.written |= set(RUN_ID.findall(rest))
        elif first.startswith("1<") and name in ("write", "writev"):
            named = set(RUN_ID.findall(rest))
            self.receipts |= named
            self.receipts_during_a_commit += bool(self.written - self.committed)
            if not named <= self.committed:
                self.errors.append(
                    f"receipts before the commit was done: {sorted(named - self.committed)[:3]}")
        if not call.endswith("<unfinished ...>"):
            self.ended(thread)

    def ended(self, thread):
        if self.meta_of.pop(thread, False):
            self.committed |= self.written
            self.commits += 1


class AfterTheCommit(Story):
    """Promise P2: no receipt byte leaves before the synced commit that covers it has returned."""

    def traced_ingest(self, *options):
        if shutil.which("strace") is None:
            self.fail("strace is needed to see the order of writes; "
                      "install it (it is one of the tests' dependencies)")
        self.run_program(BIN / "runpost", "init", "--outbox", self.outbox, "--config", self.config)
        argv = self.ingest_argv()
        self.trace_path = self.folder / "trace"
        self.ingest_argv = lambda *_: ["strace", "-f", "-y", "-s", "16", "-e",
                                       "trace=write,writev,pwrite64,pwritev,fdatasync,fsync,openat",
                                       *options, "-o", self.trace_path, *argv]
        # The leak checker traces too, and two cannot.
        return self.live_ingest(env={"ASAN_OPTIONS": "detect_leaks=0"})

    def trace(self, live):
        self.assertEqual(live.close(), 0, live.process.err)
        trace = CommitTrace(self.trace_path.read_text())
        self.assertTrue(trace.receipt_writes,
                        "the trace shows no receipts; is tracing permitted here?")
        self.assertEqual(trace.errors, [])
        return trace

    def test_each_receipt_follows_the_synced_commit_of_its_line(self):
        live = self.traced_ingest()
        for n in range(1, 31):
            live.send(make_run(n, HOOK, pad=n * 400))
            live.wait_receipts(n)
        trace = self.trace(live)
        self.assertEqual(trace.receipt_writes, list(range(1, 31)))
        self.assert_sound(accepted=30)

    def test_nor_does_one_leave_before_the_names_of_the_outbox_are_on_disk(self):
        """Whoever made the outbox may have been killed before it had synced the directories."""
        live = self.traced_ingest()
        live.send(make_run(1, HOOK))
        live.wait_receipts(1)
        self.assertEqual(live.close(), 0, live.process.err)
        synced, receipts = set(), 0
        for line in self.trace_path.read_text().splitlines():
            call = CALL.match(line)
            if call is not None and call[1] == "fsync" and call[3] == "0":
                synced.add(call[2].partition("<")[2].rstrip(">"))
            if call is not None and call[1] in ("write", "writev") and call[2].startswith("1<"):
                receipts += 1
                self.assertLessEqual({str(self.outbox), str(self.outbox.parent)}, synced, line)
        self.assertGreater(receipts, 0)

    def test_nor_does_one_overtake_the_commit_of_a_large_batch(self):
        """The next batch is being committed meanwhile, so it matters which
        lines a receipt is for."""
        live = self.traced_ingest("-v", "-s", "100000")
        live.send(*[make_run(n, HOOK, pad=1000) for n in range(3000)])
        live.wait_receipts(3000)
        self.assertEqual(live.close(), 0, live.process.err)
        trace = PipelineTrace(self.trace_path.read_text())
        self.assertEqual(trace.errors, [])
        self.assertGreater(trace.commits, 1)
        self.assertGreater(len(trace.receipts), 2000)  # those that no write of receipts cut in two
        self.note(f"{trace.commits} commits, "
                  f"{trace.receipts_during_a_commit} writes of receipts during the next one")
        self.assert_sound(accepted=3000)


class GroupCommit(Story):
    def test_one_line_at_a_time_has_its_receipt_and_its_commit_at_once(self):
        self.ingest([make_run(0, HOOK)])
        before = self.stats()["commits"]
        live = self.live_ingest()
        for n in range(1, 51):
            live.send(make_run(n, HOOK))
            live.wait_receipts(n, limit_s=2)
        self.assertEqual(live.close(), 0)
        self.assertEqual(self.stats()["commits"] - before, 50)
        self.assert_sound(accepted=51)

    def test_many_lines_at_once_share_commits(self):
        receipts = self.ingest([make_run(n, HOOK) for n in range(20000)])
        self.assertEqual(len({r["id"] for r in receipts}), 20000)
        commits = self.stats()["commits"]
        self.assertLess(commits, 200)
        self.note(f"{commits} commits for 20,000 lines")
        self.assert_sound(accepted=20000)


class KilledIngesters(Story):
    """Promises P1 and P3: a line with a receipt stays, one without is absent or whole,
    and sending again is safe."""

    deadline_s = 120
    weight = 5
    LINES = 40000
    KILLS = 25

    def round(self, lines, limit_s):
        """Offers lines and kills after limit_s seconds; the receipts that got out."""
        path = self.file("offer", b"".join(line + b"\n" for line in lines))
        with open(path, "rb") as source:
            process = self.spawn(*self.ingest_argv("--quiet"), stdin=source)
        try:
            process.popen.wait(limit_s)
        except subprocess.TimeoutExpired:
            process.kill()
        out = process.out
        return json_lines(out[:out.rfind(b"\n") + 1])

    def test_after_many_kills_each_receipt_is_kept_and_each_line_is_there_once(self):
        lines = [make_run(n, HOOK, pad=self.random.choice((0, 100, 3000)))
                 for n in range(self.LINES)]
        acked, kills = [], 0
        while len(acked) < len(lines) and kills < self.KILLS:
            receipts = self.round(lines[len(acked):len(acked) + 8000],
                                  self.random.uniform(0.0, 0.12))
            kills += 1
            self.assertEqual([r["line"] for r in receipts], list(range(1, len(receipts) + 1)))
            for receipt, n in zip(receipts, range(len(acked), len(lines))):
                self.assertIn(receipt["status"], ("queued", "duplicate"))
                self.assertEqual(receipt["run_id"], run_id(n))
            acked += [r["id"] for r in receipts]
            if kills % 5 == 0 and self.outbox_exists():
                self.assert_sound()
        early = len(acked)
        acked += [r["id"] for r in self.ingest(lines[early:])]
        again = self.ingest(lines)
        self.assertEqual({r["status"] for r in again}, {"duplicate"})
        self.assertEqual([r["id"] for r in again], acked)
        self.assertEqual(len(set(acked)), len(lines))
        self.assert_sound(accepted=len(lines), waiting=len(lines))
        listed = self.list("--limit", "0")
        self.assertEqual(sorted(e["id"] for e in listed), sorted(acked))
        ids = self.file("ids", "\n".join(acked[:3000]) + "\n")
        body = self.run_program(BIN / "runpostctl", "body", "-", "--outbox", self.outbox,
                                data=ids.read_bytes())
        self.assertEqual(body.out, b"".join(lines[:3000]))
        self.note(f"{kills} kills, {early} receipts came out before the last one")
