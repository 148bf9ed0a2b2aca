#!/usr/bin/env python3
"""The database's primary is killed under load, again and again, and its synchronous standby takes
over: ingest, four senders, replay and purge go on by themselves, and nothing that had a receipt is
lost. In between the standby is switched off, the server restarted, connections are ended. Then the
same with mistakes, which must be found, or the rest proves nothing.

Where no PostgreSQL server is installed nothing is tried, and that is said."""
# torture: budget_s=600 quick_budget_s=110 cores=2
import collections
import hashlib
import json
import os
import pathlib
import select
import signal
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "faults"), str(HERE.parents[1] / "postgres")]
import server as postgres  # noqa: E402
from lab import Bench, Lab, Violation, run_id, run_line, whole_lines  # noqa: E402
from pair import Pair  # noqa: E402

ROUNDS, QUICK_ROUNDS = 50, 5
BATCH, BATCH_EVERY_S = 10, 0.1
SENDERS = 4
GO_ON_S = 5  # of the new primary's being there, and of a standby's
# What a sender settled so long before the end of a primary may be unknown to the next one.
UNSEEN_S = 3
DRAIN_S = 180
EX_TEMPFAIL = 75


class DatabaseBench(Bench):
    def __init__(self, lab, number, pair, durability, ingest=None):
        self.mistaken = ingest
        super().__init__(lab, number, True)
        self.outbox = pair.address(durability=durability)

    def argv(self, program, verb, *options):
        argv = super().argv(program, verb, *options)
        return [self.mistaken, *argv[1:]] if self.mistaken and verb == "ingest" else argv


class Storm:
    def __init__(self, lab, bench, pair):
        self.lab, self.bench, self.pair = lab, bench, pair
        self.over, self.lock = threading.Event(), threading.Lock()
        self.runs, self.acked = [], {}  # (line, payload); run_id -> ids that its receipts had
        self.last_receipt = 0.0
        self.problems, self.ends = [], collections.Counter()
        self.failovers = []  # (killed at, the new one was there at)
        self.took_s = collections.defaultdict(list)
        self.senders = []

    # --- the load, each in a thread until the storm is over

    def ingester(self):
        """Offers run after run; what had no receipt when an ingester ended is offered again."""
        at = 0
        while not self.over.is_set():
            process = self.bench.start("runpost", "ingest", "--quiet", stdin=subprocess.PIPE)
            at = self.feed(process, at)
            self.bench.end(process)
            said = process.stderr.read().decode(errors="replace")
            self.ends[f"ingest {process.returncode}"] += 1
            if process.returncode not in (0, EX_TEMPFAIL, -signal.SIGKILL):
                self.problems.append(f"ingest ended with {process.returncode}: {said[-300:]}")
            self.over.wait(0.1)

    def feed(self, process, at):
        first, out = at, b""
        while not self.over.is_set():
            while len(self.runs) < at + BATCH:
                n = len(self.runs)
                self.runs.append(run_line(n, self.bench.url(n % 7), pad=n % 5 * 300))
            try:
                process.stdin.write(b"".join(x + b"\n" for x, _ in self.runs[at:at + BATCH]))
                process.stdin.flush()
            except OSError:
                break
            end = at + BATCH
            while at < end and not self.over.is_set():
                if not select.select([process.stdout], [], [], 0.2)[0]:
                    continue
                more = os.read(process.stdout.fileno(), 65536)
                if not more:
                    process.wait()
                    return at
                out += more
                receipts, out = whole_lines(out), out[out.rfind(b"\n") + 1:]
                for receipt in receipts:
                    self.take(first + receipt["line"] - 1, receipt)
                at += len(receipts)
            self.over.wait(BATCH_EVERY_S)
        return at

    def take(self, number, receipt):
        if receipt["status"] not in ("queued", "duplicate") or receipt["run_id"] != run_id(number):
            self.problems.append(f"a wrong receipt for run {number}: {receipt}")
        self.last_receipt = time.time()
        self.acked.setdefault(run_id(number), set()).add(receipt["id"])

    def start_senders(self):
        for n in range(SENDERS):
            path = self.bench.folder / f"sender-{n}.log"
            with open(path, "wb") as log:
                self.senders.append((subprocess.Popen(
                    self.bench.argv("runpost", "send", "--in-flight", "8"), stdout=log, stderr=log,
                    stdin=subprocess.DEVNULL, env=self.bench.environment(None),
                    start_new_session=True), path))

    def stop_senders(self):
        for process, path in self.senders:
            if process.poll() is not None:
                self.problems.append(f"a sender ended by itself with {process.returncode}: "
                                     f"{path.read_text(errors='replace')[-600:]}")
            else:
                process.terminate()
        for process, path in self.senders:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                self.problems.append(f"a sender does not stop: {path.read_text()[-600:]}")
                self.bench.end(process)

    def operator(self, verb, *options):
        """Verbs of runpostctl, which say so where the store is away."""
        while not self.over.is_set():
            try:
                done = self.bench.run("runpostctl", verb, "--state", "delivered", *options, "--yes",
                                      limit_s=60)
            except Violation as why:
                self.problems.append(str(why))
                return
            self.ends[f"{verb} {done.code}"] += 1
            if done.code not in (0, EX_TEMPFAIL):
                self.problems.append(str(done))
            self.over.wait(0.3)

    # --- what happens to the server

    def pause(self, least, most):
        time.sleep(self.lab.random.uniform(least, most))

    def ask(self, sql):
        return self.pair.primary.query(sql, check=False)

    def wait_for(self, condition, what, limit_s):
        began = time.monotonic()
        while not condition():
            if time.monotonic() > began + limit_s * self.slowness():
                raise Violation(f"{what}: not within {limit_s} s")
            time.sleep(0.02)
        self.took_s[what].append(time.monotonic() - began)

    @staticmethod
    def slowness():
        """A machine that others use too is no fault of ours."""
        return max(1.0, os.getloadavg()[0] / os.cpu_count())

    def deliveries_go_on(self, what):
        """Attempts that began since."""
        since_ms = int(self.ask("SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)"))
        self.wait_for(lambda: self.ask("SELECT 1 FROM runpost.attempt WHERE started_at_ms > "
                                       f"{since_ms} LIMIT 1") == "1", what, GO_ON_S)

    def receipts_go_on(self, what):
        since = time.time()
        self.wait_for(lambda: self.last_receipt > since, what, GO_ON_S)

    def hold_standby(self):
        """It stands still for a moment: what has a receipt only from the primary is lost."""
        pid = self.pair.standby.query("SELECT pid FROM pg_stat_wal_receiver")
        if pid:
            os.kill(int(pid), signal.SIGSTOP)
        return int(pid or 0)

    def failover(self):
        held = self.hold_standby() if self.lab.random.random() < 0.5 else 0
        if held:
            self.pause(0.1, 0.6)
        killed_at = time.time()
        self.pair.fail()
        if held:
            os.kill(held, signal.SIGCONT)
        self.pause(0.0, 0.5)
        self.pair.promote()
        self.failovers.append((killed_at, time.time()))
        self.deliveries_go_on("deliveries after a promotion")
        self.pair.follow()
        self.receipts_go_on("receipts with the new standby")

    def without_standby(self):
        """No receipt is given, and deliveries go on."""
        self.pair.stop_standby()
        time.sleep(0.5)
        since = self.last_receipt
        self.deliveries_go_on("deliveries without a standby")
        time.sleep(1)
        if self.last_receipt != since:
            raise Violation("a receipt was given without a standby")
        self.pair.start_standby()
        self.receipts_go_on("receipts with the standby back")

    def restart(self):
        self.pair.primary.stop()
        self.pause(0.0, 0.5)
        self.pair.primary.start()
        self.failovers.append((time.time(), time.time()))
        self.deliveries_go_on("deliveries after a restart")
        self.pair.wait_synchronous()
        self.receipts_go_on("receipts after a restart")

    def end_connections(self):
        for _ in range(20):
            self.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = "
                     "'client backend' AND pid <> pg_backend_pid() ORDER BY random() LIMIT 2")
            time.sleep(0.05)
        self.failovers.append((time.time() - 1, time.time()))
        self.deliveries_go_on("deliveries after ended connections")

    # --- the calm after

    def explained(self, at):
        return any(killed - UNSEEN_S <= at <= there + GO_ON_S for killed, there in self.failovers)

    def check(self):
        bench = self.bench
        bench.check_sound()
        done = bench.run("runpost", "send", "--drain", limit_s=DRAIN_S)
        if done.code not in (0, 1):
            raise Violation(str(done))
        bench.must("runpostctl", "replay", "--state", "dead", "--yes")
        bench.must("runpost", "send", "--drain")
        stats = bench.check_sound()
        entries = {e["id"]: e for e in bench.entries()}
        counts = stats["entries"]
        if counts["waiting"] + counts["in_flight"] + counts["held"] + counts["dead"]:
            raise Violation(f"not drained: {counts}")
        got = collections.defaultdict(list)
        for request in bench.receiver.record():
            got[request["webhook_id"]].append(request)
        payloads = {json.loads(p)["run_id"]: p for _, p in self.runs}
        for run, ids in self.acked.items():
            for entry_id in ids:
                if entry_id not in entries and not any(r["status"] == 200 for r in got[entry_id]):
                    raise Violation(f"{entry_id} of run {run} had a receipt and is gone, and never "
                                    "came")
        copies = 0
        for entry_id, requests in got.items():
            copies += self.check_requests(entry_id, requests, entries.get(entry_id), payloads)
        for entry_id, entry in entries.items():
            if not any(r["status"] == 200 for r in got[entry_id]):
                raise Violation(f"{entry_id} is {entry['state']} and never came")
        if len(self.acked) < BATCH:
            raise Violation(f"only {len(self.acked)} receipts came")
        if self.problems:
            raise Violation("; ".join(self.problems[:5]))
        return len(entries), copies

    def check_requests(self, entry_id, requests, entry, payloads):
        """Result: copies more than one. Each is a replay, an attempt of unknown end, or came where
        a primary's last words went unheard."""
        wanted = hashlib.sha256(payloads[requests[0]["run_id"]]).hexdigest()
        if {r["sha256"] for r in requests} != {wanted}:
            raise Violation(f"{entry_id}: other bytes were sent than came in")
        came = [r for r in requests if r["status"] == 200]
        if entry is None:  # purged, or forgotten with its primary before it had a receipt
            return max(0, len(came) - 1)
        log = entry["attempt_log"]
        unknown = sum(a["outcome"] != "delivered" and not a["outcome"].startswith("http_")
                      for a in log)
        unheard = sum(self.explained(r["at_ms"] / 1000) for r in came)
        if len(came) > 1 + entry["replays"] + unknown + unheard:
            raise Violation(f"{entry_id}: delivered {len(came)} times, {entry['replays']} replays, "
                            f"{unknown} attempts unknown, {unheard} near a failover; {log}; "
                            f"{[r['at_ms'] for r in came]}; {self.failovers}")
        return len(came) - 1

    def rage(self, events):
        """The events, one after the other, under load; then the checks."""
        self.bench.must("runpost", "init")
        roles = [self.ingester, lambda: self.operator("replay", "--limit", "3"),
                 lambda: self.operator("purge", "--limit", "1")]
        threads = [threading.Thread(target=role) for role in roles]
        self.start_senders()
        try:
            for thread in threads:
                thread.start()
            self.deliveries_go_on("the first deliveries")
            for event in events:
                self.pause(0.3, 2.0)
                event(self)
        finally:
            self.over.set()
            for thread in threads:
                thread.join()
            self.stop_senders()
        return self.check()


def storm(lab, number, events, durability, ingest=None):
    with Pair() as pair:
        pair.make()
        bench = DatabaseBench(lab, number, pair, durability, ingest)
        try:
            one = Storm(lab, bench, pair)
            return (one, *one.rage(events))
        finally:
            bench.close()


def held_failover(one):
    """A failover that a receipt without the standby cannot outlive."""
    held = one.hold_standby()
    one.pause(0.6, 1.0)
    one.pair.fail()
    os.kill(held, signal.SIGCONT)
    one.pair.promote()
    one.failovers.append((time.time() - 2, time.time()))
    one.deliveries_go_on("deliveries after a promotion")
    one.pair.follow()


# name -> (durability, the program in the place of `runpost ingest`, what must be found)
MUTANTS = {"durability = local": ("local", None, "had a receipt and is gone")}


def main():
    lab = Lab(__doc__)
    reason = postgres.why_not()
    if reason is not None:
        lab.finish(f"skipped: {reason}")
    rounds = QUICK_ROUNDS if lab.quick else ROUNDS
    others = [Storm.without_standby, Storm.restart, Storm.end_connections]
    events = []
    for n in range(rounds):
        events += [Storm.failover] + ([others[n // 2 % 3]] if n % 2 else [])
    note = ""
    try:
        one, left, copies = storm(lab, 0, events, "standby")
        slowest = "; ".join(f"{what}: {max(took):.1f} s at most" for what, took in
                            one.took_s.items())
        note = (f"{rounds} failovers, {len(one.acked)} receipts, {left} entries left, {copies} "
                f"copies, each explained; {slowest}; {dict(one.ends)}")
        lab.add(passed=1)
    except Violation as why:
        lab.violation(f"storm with seed {lab.seed}", why)
    for number, (name, (durability, ingest, words)) in enumerate(MUTANTS.items(), 1):
        try:
            storm(lab, number, [held_failover] * 2, durability, ingest)
            lab.violation(name, "two failovers did not find this mistake")
        except Violation as why:
            print(f"mutant {name}: {why}"[:400], flush=True)
            if words in str(why):
                lab.add(passed=1)
            else:
                lab.violation(name, f"found otherwise: {why}")
    lab.finish(f"{note}; {len(MUTANTS)} mutants", kills=rounds)


if __name__ == "__main__":
    main()
