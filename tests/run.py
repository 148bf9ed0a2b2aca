#!/usr/bin/env python3
"""Runs every test: the unit test programs, then the stories. The last line is `N passed, N failed`.

What is about PostgreSQL has a server of its own (tests/postgres/server.py), unless RP_POSTGRES
names one; where none can be started it is skipped, counted, and said before the last line.

usage: run.py BUILD_DIR [--unit-only]"""
import collections
import concurrent.futures
import contextlib
import os
import pathlib
import re
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "postgres"))
import server as postgres  # noqa: E402

UNIT_DEADLINE_S = 400
# Once more as on a machine with larger pages of memory: what reads, fills and checks pages. Those
# that take long, and whose work is the same whatever pages are, run with the size there is only.
PAGES = {16384: ["outbox_append", "outbox_change", "outbox_damage", "outbox_import", "outbox_jobs",
                 "outbox_rows", "outbox_open", "outbox_order", "outbox_page_guard",
                 "outbox_exchange", "outbox_verify", "conformance_append", "conformance_change",
                 "conformance_import", "conformance_jobs", "conformance_order",
                 "conformance_exchange"],
         65536: ["outbox_append", "outbox_change", "outbox_damage", "outbox_open", "outbox_verify",
                 "conformance_append", "conformance_change"]}


def run_unit(job):
    """(name, passed, failed, seconds, output)"""
    program, page_bytes = job
    name = pathlib.Path(program).name
    # Check's limits are for a machine that does nothing else.
    env = {**os.environ, "CK_TIMEOUT_MULTIPLIER": "4"}
    if page_bytes:
        name += f" {page_bytes >> 10}K"
        env |= {"LD_PRELOAD": str(pathlib.Path(program).parents[1].resolve() / "preload_pages.so"),
                "RP_TEST_PAGE_BYTES": str(page_bytes),
                "RP_CONFORMANCE_STORE": "lmdb",
                "ASAN_OPTIONS": env.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}
    began = time.monotonic()
    try:
        done = subprocess.run([program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=UNIT_DEADLINE_S,
                              stdin=subprocess.DEVNULL, check=False, env=env)
        output, code = done.stdout.decode(errors="replace"), done.returncode
    except subprocess.TimeoutExpired as over:
        output, code = (over.stdout or b"").decode(errors="replace") + "\ntook too long", 1
    # One for each store that is judged.
    found = re.findall(r"Checks: (\d+), Failures: (\d+), Errors: (\d+)", output)
    if not found:
        return name, 0, 1, time.monotonic() - began, output
    checks, failed = sum(int(f[0]) for f in found), sum(int(f[1]) + int(f[2]) for f in found)
    if code != 0 and failed == 0:  # a sanitizer's word after the last check
        failed = 1
        checks = max(checks, 1)
    return name, checks - failed, failed, time.monotonic() - began, output


@contextlib.contextmanager
def database():
    """RP_POSTGRES for all that runs within, where there can be one."""
    if postgres.VARIABLE in os.environ or postgres.why_not() is not None:
        yield
        return
    with postgres.Server() as server:
        server.make().start()
        os.environ[postgres.VARIABLE] = server.address()
        yield


def main():
    with database():
        return run_all()


def run_all():
    build = pathlib.Path(sys.argv[1])
    here = pathlib.Path(__file__).resolve().parent
    programs = sorted(str(p)
                      for p in (build / "tests").iterdir() if os.access(p, os.X_OK) and p.is_file())
    expected = {p.stem
                for p in [*(here / "unit").rglob("test_*.c"),
                          *(here / "conformance").glob("test_*.c"),
                          *(here / "fuzz").glob("fuzz_*.c")]}
    passed = failed = 0
    skipped = collections.Counter()
    missing = expected - {pathlib.Path(p).name for p in programs}
    if missing:
        print("not built:", ", ".join(sorted(missing)))
        failed += len(missing)
    jobs = [(program, 0) for program in programs]
    jobs += [(str(build / "tests" / f"test_{name}"), page_bytes) for page_bytes in PAGES
             for name in PAGES[page_bytes]]
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for name, ok, bad, seconds, output in pool.map(run_unit, jobs):
            print(
                f"{'ok  ' if bad == 0 else 'FAIL'}  {name:28} {ok + bad:5} checks {seconds:7.2f} s",
                flush=True)
            if bad:
                print(output, flush=True)
            passed, failed = passed + ok, failed + bad
            skipped.update(re.findall(r"^skipped (on .*)$", output, re.M))
    if "--unit-only" not in sys.argv:
        stories = subprocess.Popen(
            [sys.executable, str(here / "stories" / "run.py"), "--bin", str(build), "--jobs", "2"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        found = None
        for raw in stories.stdout:
            line = raw.decode(errors="replace").rstrip("\n")
            match = re.fullmatch(r"(\d+) passed, (\d+) failed", line)
            if match:
                found = match
            else:
                print(line, flush=True)
                if line.startswith("skip "):
                    skipped["of the stories"] += 1
        if stories.wait() != 0 and (found is None or int(found[2]) == 0):
            failed += 1
        if found is None:
            print("the stories ended without a count")
            failed += 1
        else:
            passed, failed = passed + int(found[1]), failed + int(found[2])
    for what, n in sorted(skipped.items()):
        print(f"skipped: {n} {'' if what == 'of the stories' else 'programs '}{what}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


sys.exit(main())
