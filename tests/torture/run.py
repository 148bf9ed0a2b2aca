#!/usr/bin/env python3
"""Runs the torture: tests that break the machine under the programs, thousands of times,
and look for one lost receipt.

usage: run.py --bin BUILD [--quick] [--only NAME ...] [--seed N] [--cores N] [--list]

A part is an executable tests/torture/AREA/part_NAME.py (or .sh). A comment within its first 30
lines tells what it takes:

    # torture: budget_s=300 quick_budget_s=40 cores=1

It is run as

    part_NAME.py --bin BUILD --work DIR --seed N [--quick]

with DIR a fresh directory of its own, which is removed when the part found nothing.
What it prints goes to BUILD/torture/log/NAME.log; when it found something its last
lines are shown here too. Its last line is its result:

    result {"states": 0, "kills": 0, "faults": 0, "inputs": 0, "passed": 3, "failed": 0, ...}

  states           disk images or simulated histories that were checked
  kills            processes killed with -9
  faults           errors injected from below
  inputs           bad or mutated inputs tried
  passed, failed   named checks, as in `make test`
  violations       broken promises; each is a failure too

All are optional but `passed` and `violations`. The part's exit code is 0 exactly if it has no
failures and no violations. A part that ends without a result, or takes more than ten times its
budget, has failed. Parts run side by side as far as their cores allow, the longest first; without
--quick all of them together are to take less than 20 minutes on 2 cores.

A violation must be printed with what reproduces it (a seed, a state's number), above the result."""
import argparse
import ctypes
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
COUNTS = ("states", "kills", "faults", "inputs", "passed", "failed", "violations")
SHOWN_LINES = 25
# This only catches a part that hangs. On a host whose forks took 7 ms, twenty times as long as
# usual, `errors` took 260 s of its quick 60, the same with the programs of two days before.
LATE_FACTOR = 10
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None)


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Part:
    def __init__(self, path):
        self.path = path
        self.name = path.stem.removeprefix("part_")
        head = "".join(path.read_text().splitlines(keepends=True)[:30])
        found = re.search(r"^# torture: budget_s=(\d+) quick_budget_s=(\d+) cores=(\d+)$", head,
                          re.M)
        if not found:
            sys.exit(f"{path}: no line `# torture: "
                     "budget_s=N quick_budget_s=N cores=N` within its first 30")
        self.budget_s, self.quick_budget_s, self.cores = map(int, found.groups())
        self.result, self.seconds, self.problem, self.child = {}, 0.0, "", None

    def run(self, options, logs, work):
        log_path, folder = logs / f"{self.name}.log", work / self.name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        budget_s = self.quick_budget_s if options.quick else self.budget_s
        began = time.monotonic()
        argv = [str(self.path), "--bin", str(options.bin), "--work", str(folder), "--seed",
                str(options.seed)]
        with open(log_path, "wb") as log:
            child = subprocess.Popen(argv + ["--quick"] * options.quick, stdin=subprocess.DEVNULL,
                                     stdout=log, stderr=log,
                                     start_new_session=True, preexec_fn=die_with_parent)
            self.child = child
            try:
                code = child.wait(LATE_FACTOR * budget_s)
            except subprocess.TimeoutExpired:
                self.problem = f"took more than {LATE_FACTOR} times its {budget_s} s"
                code = 1
            self.signal(signal.SIGKILL)
            child.wait()
            self.child = None
        self.seconds = time.monotonic() - began
        self.read_result(log_path, code)
        if not self.failures():
            shutil.rmtree(folder, ignore_errors=True)

    def signal(self, number):
        """To its session, which is ours, and to whatever is running in it."""
        try:
            os.killpg(self.child.pid, number)
        except (AttributeError, ProcessLookupError):
            pass  # it has not begun, or it is over

    def read_result(self, log_path, code):
        lines = log_path.read_text(errors="replace").splitlines()
        last = lines[-1] if lines else ""
        try:
            self.result = (json.loads(last.removeprefix("result ")) if last.startswith("result {")
                           else {})
        except ValueError:
            self.result = {}
        if not self.problem and ("passed" not in self.result or "violations" not in self.result):
            self.problem = f"ended with {code} and no result"
        if (not self.problem
                and (code != 0) != (self.count("failed") + self.count("violations") > 0)):
            self.problem = f"its exit code {code} does not go with its result"
        if self.problem or self.failures():
            self.result["tail"] = lines[-SHOWN_LINES:]

    def count(self, key):
        return int(self.result.get(key, 0))

    def failures(self):
        """Each violation and each broken part counts as a failed check."""
        return max(self.count("failed"), self.count("violations"), 1 if self.problem else 0)


def run_parts(parts, options, logs, work):
    waiting, free = sorted(parts, key=lambda p: -p.budget_s), options.cores
    turn = threading.Condition()

    def one(part, cores):
        nonlocal free
        try:
            part.run(options, logs, work)
        except OSError as why:
            part.problem = f"cannot be run: {why}"
        with turn:
            free += cores
            report(part, logs)
            turn.notify_all()

    threads = []
    with turn:
        while waiting:
            fits = next((p for p in waiting if min(p.cores, options.cores) <= free), None)
            if fits is None:
                turn.wait()
                continue
            waiting.remove(fits)
            cores = min(fits.cores, options.cores)
            free -= cores
            threads.append(threading.Thread(target=one, args=(fits, cores)))
            threads[-1].start()
    for thread in threads:
        thread.join()


def report(part, logs):
    word = "FAIL" if part.failures() else "ok  "
    print(f"{word} {part.seconds:6.1f} s  {part.name:14} "
          f"{part.problem or part.result.get('note', '')}", flush=True)
    for line in part.result.get("tail", []):
        print("    " + line, flush=True)
    if part.failures():
        print(f"    the whole of it: {logs / (part.name + '.log')}", flush=True)


def print_table(parts, seconds):
    heads = ("states", "kills", "faults", "bad inputs", "checks", "failed", "violations", "seconds")
    rows = [(p.name, *(p.count(k) for k in COUNTS[:5]), p.failures(), p.count("violations"),
             p.seconds) for p in parts]
    totals = [sum(row[i] for row in rows) for i in range(1, 8)]
    print()
    print(f"{'part':14}" + "".join(f"{head:>12}" for head in heads))
    for name, *counts, took_s in rows + [("all", *totals, seconds)]:
        print(f"{name:14}" + "".join(f"{count:12,}" for count in counts) + f"{took_s:12.1f}")
    print()
    print(f"torture: {totals[4]} passed, {totals[5]} failed")
    return totals[5] == 0 and totals[4] > 0


def main():
    parser = argparse.ArgumentParser(description="Runs the parts of the torture.")
    parser.add_argument("--bin", required=True, type=pathlib.Path, metavar="BUILD",
                        help="where the programs are")
    parser.add_argument("--quick", action="store_true",
                        help="a few minutes instead of twenty, as CI does")
    parser.add_argument("--only", action="append", default=[], metavar="NAME",
                        help="only this part; repeatable")
    parser.add_argument("--seed", type=int, default=1, metavar="N",
                        help="other random choices; default 1")
    parser.add_argument("--cores", type=int, default=os.cpu_count(), metavar="N",
                        help="cores to use; default all")
    parser.add_argument("--parts", type=pathlib.Path, default=HERE, metavar="DIR",
                        help="look for parts in DIR/*/")
    parser.add_argument("--list", action="store_true", help="print the parts and run none")
    options = parser.parse_args()
    options.bin = options.bin.resolve()
    parts = [Part(path)
             for path in sorted(options.parts.glob("*/part_*")) if os.access(path, os.X_OK)]
    unknown = set(options.only) - {p.name for p in parts}
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}; "
                     f"there are {', '.join(p.name for p in parts)}")
    parts = [p for p in parts if not options.only or p.name in options.only]
    if options.list:
        print("\n".join(f"{p.name:14} {p.budget_s:4} s, quick {p.quick_budget_s:3} s, "
                        f"cores {p.cores}" for p in parts))
        return 0
    top = options.bin / "torture" if options.parts == HERE else options.parts
    logs, work = top / "log", top / "work"
    logs.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()

    def stop(*_):
        for number in (signal.SIGTERM, signal.SIGKILL):  # parts may clear up first
            for part in parts:
                part.signal(number)
            time.sleep(0.5)
        os._exit(1)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)
    run_parts(parts, options, logs, work)
    return 0 if print_table(parts, time.monotonic() - began) else 1


if __name__ == "__main__":
    sys.exit(main())
