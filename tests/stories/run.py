#!/usr/bin/env python3
"""Runs the stories: finds test_*.py beside this file and runs each test with a
deadline, some at a time.

usage: run.py [-k PATTERN] [--jobs N] [--bin DIR] [--stories DIR] [--store STORE] [--list]

With --store postgres their outboxes are in a database: the one that RP_POSTGRES names, or one that
is started for it. Those of only_lmdb.py are skipped there.

One line a test, failures with their details, at the end the line "N passed, N failed". Exit 1 if
any failed. Each of the N workers is a process that takes the next test when it has done one. A test
that overruns its class's `deadline_s` (default 60) is stopped by an alarm inside the worker, so
that it still cleans up; a worker that does not even answer to that is killed with all it started.
Tests with the largest `weight` of their class go first.
"""

import argparse
import importlib
import json
import os
import pathlib
import queue
import signal
import subprocess
import sys
import threading
import time
import traceback
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "postgres"))
import only_lmdb  # noqa: E402
import server as postgres  # noqa: E402

DEADLINE_S = 60
KILL_AFTER_S = 30
SHOWN_MAX = 6000


class Overrun(BaseException):
    """Not an Exception: no `except Exception` in a test may swallow it."""


def flatten(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from flatten(item)
        else:
            yield item


def discover(folder):
    sys.path.insert(0, str(folder))
    tests = {}
    for path in sorted(folder.glob("test_*.py")):
        for test in flatten(
                unittest.defaultTestLoader.loadTestsFromModule(importlib.import_module(path.stem))):
            tests[test.id()] = test
    return tests


def run_one(test, deadline_s):
    def overrun(_signal, _frame):
        raise Overrun(f"not done after its deadline of {deadline_s} s")

    result = unittest.TestResult()
    signal.signal(signal.SIGALRM, overrun)
    signal.alarm(deadline_s)
    try:
        unittest.TestSuite([test]).run(result)
        problem = "".join(text for _, text in result.failures + result.errors)
    except Overrun:
        problem = traceback.format_exc()
        test.doCleanups()
    finally:
        signal.alarm(0)
    if not problem and result.unexpectedSuccesses:
        problem = "was expected to fail, and passed"
    return {"problem": problem, "skipped": [why for _, why in result.skipped],
            "notes": getattr(test, "notes", [])}


def work(folder):
    """The worker: test names on stdin, a JSON result a line on what was stdout;
    the tests' own output goes to stderr."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    tests = discover(folder)
    for line in sys.stdin:
        test = tests[line.strip()]
        print(json.dumps(run_one(test, getattr(test, "deadline_s", DEADLINE_S))), file=answers,
              flush=True)


class Crew:
    """One thread of the runner: a worker process, started anew when it had to be killed."""

    def __init__(self, folder):
        self.folder = folder
        self.worker = None

    def start(self):
        self.worker = subprocess.Popen([sys.executable, str(HERE / "run.py"), "--worker",
                                        "--stories", str(self.folder)], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, text=True, start_new_session=True)

    def end(self):
        if self.worker is None:
            return
        self.worker.stdin.close()
        try:
            self.worker.wait(KILL_AFTER_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self.worker = None

    def kill(self):
        # The session is ours and holds the worker and whatever it started.
        os.killpg(self.worker.pid, signal.SIGKILL)
        self.worker.wait()

    def run(self, name, deadline_s):
        if self.worker is None:
            self.start()
        timer = threading.Timer(deadline_s + KILL_AFTER_S, self.kill)
        timer.start()
        try:
            self.worker.stdin.write(name + "\n")
            self.worker.stdin.flush()
            answer = self.worker.stdout.readline()
        except BrokenPipeError:
            answer = ""
        finally:
            timer.cancel()
        if answer:
            return json.loads(answer)
        code = self.worker.wait()
        self.worker = None
        return {"problem": f"the worker ended with {code} during this test\n", "skipped": [],
                "notes": []}


def run_all(tests, jobs, folder):
    todo, lock, counts = queue.Queue(), threading.Lock(), {"passed": 0, "failed": 0}
    for test in sorted(tests, key=lambda t: -getattr(t, "weight", 1)):
        todo.put(test)

    def crew():
        mine = Crew(folder)
        while True:
            try:
                test = todo.get_nowait()
            except queue.Empty:
                return mine.end()
            began = time.monotonic()
            why = only_lmdb.reason(test.id()) if os.environ["RP_STORE"] == "postgres" else None
            result = ({"problem": "", "skipped": [why], "notes": []} if why else
                      mine.run(test.id(), getattr(test, "deadline_s", DEADLINE_S)))
            took_s = time.monotonic() - began
            with lock:
                report(test.id(), result, took_s, counts)

    crews = [threading.Thread(target=crew) for _ in range(jobs)]
    for thread in crews:
        thread.start()
    for thread in crews:
        thread.join()
    return counts


def shorten(text):
    """Both ends say most: where it was, and what it was."""
    if len(text) <= SHOWN_MAX:
        return text
    return (f"{text[:SHOWN_MAX // 3]}\n[... "
            f"{len(text) - SHOWN_MAX} characters ...]\n{text[-SHOWN_MAX * 2 // 3:]}")


def report(name, result, took_s, counts):
    if result["problem"]:
        word = "FAIL"
        counts["failed"] += 1
    elif result["skipped"]:
        word = "skip"
    else:
        word = "ok"
        counts["passed"] += 1
    notes = "; ".join(result["skipped"] + result["notes"])
    print(f"{word:4} {took_s:6.2f} s  {name}{'  (' + notes + ')' if notes else ''}", flush=True)
    if result["problem"]:
        print("    " + shorten(result["problem"].rstrip()).replace("\n", "\n    "), flush=True)


def main():
    parser = argparse.ArgumentParser(description="Runs the stories.")
    parser.add_argument("-k", metavar="PATTERN", action="append", default=[],
                        help="only tests whose name contains PATTERN; repeatable")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="tests at once; default 1")
    parser.add_argument("--bin", metavar="DIR", default=os.environ.get("RUNPOST_BIN", "build"),
                        help="where the programs are; default $RUNPOST_BIN, else build")
    parser.add_argument("--stories", type=pathlib.Path, metavar="DIR", default=HERE,
                        help="where the stories are; default: beside this file")
    parser.add_argument("--store", choices=["lmdb", "postgres"], default="lmdb",
                        help="where the outboxes are; default lmdb")
    parser.add_argument("--list", action="store_true", help="print the tests' names and run none")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        return work(options.stories)
    os.environ["RUNPOST_BIN"] = str(pathlib.Path(options.bin).resolve())
    if not os.access(pathlib.Path(options.bin) / "runpost", os.X_OK):
        parser.error(f"{options.bin} holds no program runpost; run make first, or give --bin DIR")
    if options.jobs < 1:
        parser.error("--jobs wants a number from 1 up")
    tests = [t for name, t in discover(options.stories).items() if not options.k
             or any(k in name for k in options.k)]
    if not tests:
        parser.error("no test has such a name; see --list")
    if options.list:
        print("\n".join(t.id() for t in tests))
        return 0
    os.environ["RP_STORE"] = options.store
    if options.store == "postgres" and postgres.VARIABLE not in os.environ:
        if postgres.why_not() is not None:
            parser.error(postgres.why_not())
        with postgres.Server() as server:
            server.make().start()
            os.environ[postgres.VARIABLE] = server.address()
            counts = run_all(tests, options.jobs, options.stories)
    else:
        counts = run_all(tests, options.jobs, options.stories)
    print(f"{counts['passed']} passed, {counts['failed']} failed")
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
