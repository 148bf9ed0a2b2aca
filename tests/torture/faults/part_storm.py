#!/usr/bin/env python3
"""A storm of kill -9 at random moments: an ingester, a door with three clients, four senders, replay
and purge at once;
then all must be accounted for. Then the same over programs with a mistake: it must be found,
or the rest proves nothing."""
# torture: budget_s=140 quick_budget_s=35 cores=1
import collections
import hashlib
import json
import os
import select
import threading
import time

import doors
from lab import Lab, Mistaken, Violation, run_id, run_line, whole_lines

KILLS, QUICK_KILLS = 3000, 300
# Programs with one mistake each (see ../power/mutants): the verb they take the place of,
# and the violation that must show.
MUTANTS = {"receipt_before_commit": ("ingest", "had a receipt and is gone"),
           "settle_before_response": ("send", "never came")}
MUTANT_KILLS, MUTANT_STORMS = 200, 4
LIFE_S = {"ingest": (0.0, 0.06), "door": (0.02, 0.2),
          "send": (0.01, 0.12), "replay": (0.0, 0.02), "purge": (0.0, 0.05)}
START_S = 0.006  # what a start takes where these lives fit; where it takes longer all live longer


class Storm:
    def __init__(self, lab, bench, wanted):
        self.lab, self.bench, self.wanted = lab, bench, wanted
        self.kills, self.over = collections.Counter(), threading.Event()
        self.lock = threading.Lock()
        self.runs = []  # (line, payload), in the order they are offered
        self.posted = []  # the same of what went to the door, in no order
        self.front = None
        self.acked, self.problems = {}, []  # run_id -> ids that its receipts had
        self.slowness = 1.0

    def killed(self, role):
        with self.lock:
            self.kills[role] += 1
            if sum(self.kills.values()) >= self.wanted:
                self.over.set()

    def life(self, role):
        with self.lock:
            return self.lab.random.uniform(*LIFE_S[role]) * self.slowness

    def feel_the_machine(self):
        """Now and then: a storm in which nobody lives to do anything would prove nothing."""
        while not self.over.is_set():
            self.slowness = max(
                1.0, min(20.0, self.bench.run("runpostctl", "stats").took_s / START_S / 2))
            self.over.wait(1.0)

    def end(self, process, role):
        """kill -9, if it still lives."""
        if process.poll() is None:
            process.kill()
        out, err = process.communicate()
        if process.returncode == -9:
            self.killed(role)
        elif process.returncode not in (0, 1):
            self.problems.append(f"{role} ended by itself with {process.returncode}: {err[-300:]}")
        return out

    # --- the roles, each in a thread until the storm is over

    def ingester(self):
        """Offers run after run; what had no receipt when it was killed is offered again."""
        at = 0
        while not self.over.is_set():
            while len(self.runs) < at + 40:
                n = len(self.runs)
                self.runs.append(run_line(n, self.bench.url(n % 7 if n % 50 else f"new-{n}"),
                                          pad=n % 5 * 700))
            process = self.bench.start("runpost", "ingest", "--quiet", stdin=-1)
            try:
                process.stdin.write(b"".join(line + b"\n" for line, _ in self.runs[at:at + 40]))
                process.stdin.flush()
            except OSError:
                pass
            receipts = self.read_for(process, self.life("ingest"))
            receipts = whole_lines(receipts + self.end(process, "ingest"))
            for receipt in receipts:
                self.take(at + receipt["line"] - 1, receipt)
            at += len(receipts)
        self.offered = at

    @staticmethod
    def read_for(process, seconds):
        out, deadline = b"", time.monotonic() + seconds
        while time.monotonic() < deadline and out.count(b"\n") < 40:
            if select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
                more = os.read(process.stdout.fileno(), 65536)
                if not more:
                    break
                out += more
        return out

    def take(self, number, receipt):
        if receipt["status"] not in ("queued", "duplicate") or receipt["run_id"] != run_id(number):
            self.problems.append(f"a wrong receipt for run {number}: {receipt}")
        self.acked.setdefault(run_id(number), set()).add(receipt["id"])

    def door(self):
        """Killed with its worker, or the worker alone, which then gets a successor."""
        while not self.over.is_set():
            front = doors.Front(self.bench)
            self.front = front
            self.over.wait(self.life("door"))
            if self.lab.random.random() < 0.1 and front.kill_worker():
                self.killed("door")
                self.over.wait(1.2)
            if front.is_over():
                self.problems.append(f"the door ended by itself: {front.text()[-300:]}")
            front.end()
            self.killed("door")

    def client(self, number):
        """Sends each run until it has a receipt."""
        n = number << 20
        while not self.over.is_set():
            line, payload = run_line(n, self.bench.url(n % 7), pad=n % 5 * 700)
            self.posted.append((line, payload))
            request = doors.Request(f"/to/hooks/{self.bench.fresh}/{n % 7}", line, [payload])
            try:
                while not self.over.is_set() and not self.ask(request):
                    pass
            except Violation as why:
                self.problems.append(f"a client: {why}")
                return
            n += 1

    def ask(self, request):
        front = self.front
        if front is None or front.is_over():
            self.over.wait(0.005)
            return False
        return front.take(request, *front.ask(request, patience=False))

    def repeat(self, role, program, verb, *options):
        while not self.over.is_set():
            process = self.bench.start(program, verb, *options)
            self.over.wait(self.life(role))
            self.end(process, role)

    def sender(self):
        self.repeat("send", "runpost", "send", "--in-flight", "8")

    def replayer(self):
        self.repeat("replay", "runpostctl", "replay", "--state", "delivered", "--limit", "5",
                    "--yes")

    def purger(self):
        while not self.over.is_set():
            # Of what is delivered; so whatever is gone must have come.
            process = self.bench.start("runpostctl", "purge", "--state", "delivered", "--limit",
                                       "2", "--yes")
            self.over.wait(self.life("purge"))
            self.end(process, "purge")
            self.over.wait(0.05)

    def watchdog(self, limit_s):
        if not self.over.wait(limit_s):
            self.problems.append(f"only {dict(self.kills)} kills in {limit_s} s")
            self.over.set()

    # --- the calm after

    def check(self):
        bench = self.bench
        if min(len(self.acked), len(bench.acked)) < self.wanted / 10:
            raise Violation(
                f"only {len(self.acked)} and {len(bench.acked)} receipts came in a storm of {self.wanted} kills")
        if self.problems:
            raise Violation("; ".join(self.problems[:5]))
        bench.check_sound()
        # What was killed 16 times in a row is set aside as poison: it is not lost,
        # and an operator can send it.
        bench.run("runpost", "send", "--drain", limit_s=120)
        bench.must("runpostctl", "replay", "--state", "dead", "--yes")
        payloads = {json.loads(payload)["run_id"]: payload
                    for _, payload in self.runs + self.posted}
        for run, ident in bench.acked.items():
            self.acked.setdefault(run, set()).add(ident)
        bench.payloads, bench.acked = payloads, {}
        entries = bench.settle(purged=Anything())
        got = collections.defaultdict(list)
        for request in bench.receiver.record():
            got[request["webhook_id"]].append(request)
        for run, ids in self.acked.items():
            if len(ids) > 1:
                raise Violation(f"run {run} got receipts with {len(ids)} ids, "
                                "though each line is sent again only without one")
            for entry_id in ids:
                came = [r for r in got[entry_id] if r["status"] == 200]
                if entry_id not in entries and not came:
                    raise Violation(f"{entry_id} had a receipt and is gone, and never came")
        for entry_id, requests in got.items():
            if ({r["sha256"] for r in requests}
                    != {hashlib.sha256(payloads[requests[0]["run_id"]]).hexdigest()}):
                raise Violation(f"{entry_id}: the copies are not the bytes that came in")
        return entries, got


class Anything:
    """Any id may have been purged; what became of it is checked by the storm itself."""

    def __contains__(self, _):
        return True


def rage(lab, bench, wanted, limit_s):
    """(the storm, the entries that are left, the requests that came)"""
    bench.receiver.forget()
    storm = Storm(lab, bench, wanted)
    bench.must("runpost", "init")
    doors.configure(bench)
    roles = [storm.ingester, storm.door, *[lambda n=n: storm.client(n) for n in range(1, 4)],
             *[storm.sender] * 4, storm.replayer, storm.purger,
             storm.feel_the_machine]
    threads = [threading.Thread(target=role) for role in roles]
    for thread in threads:
        thread.start()
    storm.watchdog(limit_s)
    for thread in threads:
        thread.join()
    return (storm, *storm.check())


def find(lab, name):
    """Storms over the mistake, until one of them has found it."""
    verb, words = MUTANTS[name]
    for number in range(MUTANT_STORMS):
        bench = Mistaken(lab, f"{name}-{number}", verb, lab.bin / "torture/power/mutants" / name)
        try:
            rage(lab, bench, MUTANT_KILLS, 40)
        except Violation as why:
            print(f"mutant {name}, storm {number}: {why}"[:400], flush=True)
            if words in str(why):
                return True
        finally:
            bench.close()
    return False


def main():
    lab = Lab(__doc__)
    told = []

    def one(bench, _):
        storm, entries, got = rage(lab, bench, *((QUICK_KILLS, 40) if lab.quick else (KILLS, 240)))
        copies = sum(max(0, sum(r["status"] == 200 for r in requests) - 1)
                     for requests in got.values())
        told.append((sum(storm.kills.values()), f"{dict(storm.kills)} kills, "
                     f"{len(storm.acked)} receipts, {len(entries)} entries "
                     f"left, {copies} copies, each explained by a lost attempt or a replay"))

    lab.each([f"storm with seed {lab.seed}"], one, workers=1)
    for name in MUTANTS:
        if find(lab, name):
            lab.add(passed=1)
        else:
            lab.violation(name, f"{MUTANT_STORMS} storms did not find this mistake")
    kills, note = told[0] if told else (0, "")
    lab.finish(f"{note}; {len(MUTANTS)} mutants", kills=kills)


if __name__ == "__main__":
    main()
