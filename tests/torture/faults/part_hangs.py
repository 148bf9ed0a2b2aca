#!/usr/bin/env python3
"""Processes that stand still: senders, writers inside a transaction, readers, while they open. Work
goes on, and the file stays in bounds."""
# torture: budget_s=90 quick_budget_s=45 cores=1
import signal
import threading
import time

from lab import Lab, Violation, run_line, whole_lines

LEASE_S = 5

# Where a sender is stopped: before and after its claim is committed,
# around the POST, before it settles.
SENDER_STOPS = ["mdb_txn_begin.write:after:1", "mdb_txn_commit:after:4",
                "curl_multi_add_handle:before:2", "send.socket:before:1", "send.socket:after:2",
                "recv.socket:before:1", "recv.socket:after:2", "poll:before:3"]
QUICK_SENDER_STOPS = SENDER_STOPS[3:6]
WRITER_STOPS = ["sender:mdb_put:after:6", "ingest:mdb_put:after:3", "purge:mdb_del:after:4",
                "ingest:fdatasync.data.mdb:before:1", "ingest:pwrite.data.mdb:after:1"]
READER_STOPS = ["list:mdb_txn_begin.read:after:2", "show:mdb_cursor_open:after:1",
                "verify:mdb_txn_begin.read:after:2"]
# LMDB makes its lock table anew for the first that opens,
# and meanwhile it tells of no commit at all.
OPENER_STOPS = ["flock:after:1", "open.lock.mdb:after:1", "fcntl.lock.mdb:after:1", "mmap:after:1",
                "open.data.mdb:before:1", "pread.data.mdb:before:1", "pread.data.mdb:after:1",
                "mdb_env_open:after:1", "mdb_txn_begin.read:after:1"]
NAMED_BY_DOCTOR = ["pread.data.mdb:before:1"]  # it waits ten seconds before it does
MIB = 1 << 20


def wait_until(condition, what, limit_s=20):
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            raise Violation(f"waited {limit_s} s in vain for {what}")
        time.sleep(0.02)


def new_lines(bench, n, pad=0):
    first = len(bench.lines)
    bench.offer([run_line(first + i, bench.url("abc"[i % 3]), pad=pad) for i in range(n)])


def start_stopped(bench, point, program, verb, *options):
    """A program that stops itself at the point."""
    process = bench.start(program, verb, *options, fault=f"{point}:stop")
    wait_until(lambda: bench.hits() or process.poll() is not None, f"{point} to be reached")
    if process.poll() is not None:
        raise Violation(f"{point} is not reached: {process.stderr.read()[-300:]}")
    return process


def go_on(process, want=0):
    process.send_signal(signal.SIGCONT)
    process.send_signal(signal.SIGTERM)
    code = process.wait(20)
    if code != want:
        raise Violation(
            f"continued and told to stop, it ended with {code}: {process.stderr.read()[-500:]}")


def sender_stops(bench, point):
    """Its lease passes, the other delivers everything, and what it says when it wakes is fenced."""
    bench.reset()
    new_lines(bench, 6)
    bench.ingest(step=6)
    stopped = start_stopped(bench, f"sender:{point}", "runpost", "send")
    try:
        # It holds the write lock: nobody can do anything until it goes on.
        if "mdb_txn_begin.write" in point:
            time.sleep(0.3)
            stopped.send_signal(signal.SIGCONT)
        began = time.monotonic()
        bench.must("runpost", "send", "--drain")
        took_s = time.monotonic() - began
        if took_s > LEASE_S + 5:
            raise Violation(f"what it held came back after {took_s:.1f} s only")
        go_on(stopped)
    finally:
        bench.end(stopped)
    if len(bench.settle()) != 6:
        raise Violation("not each run is there once")


def write_lock(bench):
    """(level, text, remedy) of doctor's check."""
    done = bench.run("runpostctl", "doctor", "--json")
    if done.code not in (0, 1, 2):
        raise Violation(str(done))
    return next((c["level"], c["text"], c["remedy"])
                for c in whole_lines(done.out) if c["check"] == "write_lock")


def writer_stops(bench, point):
    """All who write wait, those who read do not, and doctor tells. Continued, or killed,
    it holds nobody up any longer."""
    role = point.partition(":")[0]
    for end in ("continue", "kill"):
        bench.reset()
        new_lines(bench, 4)
        bench.ingest(step=4)
        if role == "purge":
            bench.must("runpost", "send", "--drain")
        argv = {"sender": ("runpost", "send", "--drain"),
                "ingest": ("runpost", "ingest", "--quiet"),
                "purge": ("runpostctl", "purge", "--state", "delivered", "--yes")}[role]
        if role == "ingest":
            source = bench.folder / "more"
            bench.offer([run_line(90, bench.url("a"))])
            source.write_bytes(bench.lines[-1] + b"\n")
            with open(source, "rb") as lines:
                stopped = bench.start(*argv, fault=f"{point}:stop", stdin=lines)
            wait_until(bench.hits, f"{point} to be reached")
        else:
            stopped = start_stopped(bench, point, *argv)
        bench.must("runpostctl", "stats")
        waiting = bench.start("runpost", "send", "--drain")
        try:
            time.sleep(0.3)
            if waiting.poll() is not None and waiting.returncode != 0:
                raise Violation(f"a sender that had to wait ended with {waiting.returncode}")
            if waiting.poll() is not None:
                raise Violation(
                    "nobody holds the write lock: the point is not inside a transaction")
            level, text, remedy = write_lock(bench)
            if (level != "fail" or "somebody holds it" not in text
                    or f"kill -CONT {stopped.pid} " not in remedy):
                raise Violation(f"{stopped.pid} is stopped, and doctor says of the write lock: "
                                f"{level}, {text}, {remedy}")
            stopped.send_signal(signal.SIGCONT if end == "continue" else signal.SIGKILL)
            stopped.wait(20)
            if waiting.wait(20) != 0:
                raise Violation(f"the other writer did not go on: {waiting.stderr.read()[-500:]}")
            level, text, _ = write_lock(bench)
            if level != "ok":
                raise Violation("the stopped writer is gone, and doctor says of the write lock: "
                                f"{level}, {text}")
        finally:
            bench.end(stopped)
            bench.end(waiting)
        if role == "ingest":
            bench.ingest(step=5)
        bench.settle(purged=set(bench.acked.values()) if role == "purge" else ())


def reader_stops(bench, point):
    """The file grows to the quota and little more; ingest says whose fault it is; deliveries go on,
    and when the reader is gone so does ingest."""
    bench.configure(outbox={"quota": "4M"}, ingest={"full_wait": "50ms"},
                    defaults={"in_flight": "200"})
    bench.reset()
    role = point.partition(":")[0]
    new_lines(bench, 20, pad=3000)
    bench.ingest(step=20)
    options = ("--state", "waiting") if role != "verify" else ()
    stopped = start_stopped(bench, point, "runpostctl", role, *options)
    text, sizes = "", []
    try:
        for _ in range(12):
            # Round by round what is there leaves, and would make room if nobody kept the old pages.
            bench.must("runpost", "send", "--drain")
            bench.must("runpostctl", "purge", "--state", "delivered", "--yes")
            for receipts in (bench.acked, bench.payloads):
                receipts.clear()
            bench.lines.clear()
            bench.offer([run_line(1000 + 100 * len(sizes) + i, bench.url("abc"[i % 3]), pad=3000)
                         for i in range(60)])
            done, _ = bench.ingest(step=60)
            text = done.err if done.code == 75 else text
            sizes.append((bench.outbox / "data.mdb").stat().st_size)
        if f"process {stopped.pid} reads" not in text:
            raise Violation(f"ingest was not told of the reader {stopped.pid}; file sizes {sizes}; "
                            f"{text[-300:]}")
        if max(sizes) > 8 * MIB or sizes[-1] - sizes[-3] > MIB // 2:
            raise Violation(f"with a quota of 4 MiB the file grew to {sizes}")
    finally:
        stopped.kill()
        bench.end(stopped)
    done, receipts = bench.ingest(step=60)
    if done.code != 0 or len(receipts) != 60:
        raise Violation(f"the reader is gone, and still: {done}")
    bench.settle(purged=Anything())
    bench.lab.add(grown=max(sizes))


def opener_stops(bench, point):
    """Whoever comes while another opens sees all that is there, also when that one is killed."""
    bench.reset()
    new_lines(bench, 4)
    bench.ingest(step=4)
    stopped = start_stopped(bench, f"list:{point}", "runpostctl", "list")
    new_lines(bench, 4)
    if point in NAMED_BY_DOCTOR:
        check = next(c for c in whole_lines(bench.run("runpostctl", "doctor", "--json").out)
                     if c["check"] == "store")
        if ("another process has been opening" not in check["text"]
                or f"kill -CONT {stopped.pid} " not in check["remedy"]):
            raise Violation(f"{stopped.pid} is stopped while it opens, and doctor says: {check}")
    killer = threading.Timer(0.2, stopped.kill)
    killer.start()
    try:
        done, receipts = bench.ingest(step=8)
    finally:
        killer.join()
        bench.end(stopped)
    if done.code != 0 or [r["status"] for r in receipts] != ["duplicate"] * 4 + ["queued"] * 4:
        raise Violation(f"beside another that was killed while it opened: {receipts}, {done}")
    bench.settle()


class Anything:
    def __contains__(self, _):
        return True


def main():
    lab = Lab(__doc__)
    jobs = [("sender", p) for p in (QUICK_SENDER_STOPS if lab.quick else SENDER_STOPS)]
    jobs += ([("writer", p) for p in WRITER_STOPS] + [("reader", p) for p in READER_STOPS]
             + [("opener", p) for p in OPENER_STOPS])
    scenes = {"sender": sender_stops, "writer": writer_stops, "reader": reader_stops,
              "opener": opener_stops}

    def one(bench, job):
        bench.configure()
        scenes[job[0]](bench, job[1])

    lab.each(jobs, one, workers=4)
    lab.finish(f"{len(jobs)} processes stopped: senders, writers in a transaction, "
               "readers in a transaction, openers")


if __name__ == "__main__":
    main()
