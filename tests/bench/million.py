#!/usr/bin/env python3
"""What the inspector costs with a large outbox: builds one with N waiting and N dead entries and times the verbs on it.

usage: million.py [--bin DIR] [--entries N] [--endpoints N] [--keep DIR]

Prints a line a verb: the best and the worst of five runs, and the most memory a run had (pages of the outbox that it
touched are mapped, and count). --keep uses the outbox in DIR, building it if it is not there, and leaves it."""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

RUNS = 5
VERBS = [
    ["stats"],
    ["shape"],
    ["shape", "--state", "dead"],
    ["dead"],
    ["dead", "--cause", "expired", "--endpoint", "r3.example.com"],
    ["list", "--limit", "50"],
    ["endpoints"],
]


def lines(first, n, endpoints, **more):
    tail = "".join(f',"{key}":"{value}"' for key, value in more.items())
    for i in range(first, first + n):
        url = f"https://r{i % endpoints}.example.com/hooks"
        yield f'{{"webhook":"{url}"{tail},"run":{{"run_id":"run-{i}","status":"success"}}}}\n'


def ingest(bin_dir, outbox, source):
    process = subprocess.Popen([bin_dir / "runpost", "ingest", "--quiet", "--outbox", outbox], stdin=subprocess.PIPE,
                               stdout=subprocess.DEVNULL, text=True)
    process.stdin.writelines(source)
    process.stdin.close()
    if process.wait() != 0:
        sys.exit("million: ingest failed")


def entries(bin_dir, outbox):
    done = subprocess.run([bin_dir / "runpostctl", "stats", "--json", "--outbox", outbox], capture_output=True, check=True)
    return json.loads(done.stdout)["entries"]


def build(bin_dir, outbox, waiting, dead, endpoints):
    """The dead ones expired before they were sent: no request is made."""
    print(f"building an outbox with {waiting} waiting and {dead} dead entries of {endpoints} endpoints ...", flush=True)
    ingest(bin_dir, outbox, lines(0, dead, endpoints, expires_at="2020-01-01T00:00:00Z"))
    sender = subprocess.Popen([bin_dir / "runpost", "send", "--outbox", outbox, "--drain"], stderr=subprocess.DEVNULL)
    if sender.wait() != 0 or entries(bin_dir, outbox)["dead"] != dead:
        sys.exit("million: those to be dead did not expire")
    ingest(bin_dir, outbox, lines(dead, waiting, endpoints))


def measure(argv):
    """(seconds, most memory in MiB)"""
    began = time.perf_counter()
    with open(os.devnull, "wb") as nowhere:
        pid = os.posix_spawn(argv[0], [str(a) for a in argv], os.environ,
                             file_actions=[(os.POSIX_SPAWN_DUP2, nowhere.fileno(), 1)])
        _, status, usage = os.wait4(pid, 0)
    if status != 0:
        sys.exit(f"million: {argv} ended with status {status}")
    return time.perf_counter() - began, usage.ru_maxrss / 1024


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--bin", type=pathlib.Path, default=pathlib.Path("build"))
    options.add_argument("--entries", type=int, default=1_000_000)
    options.add_argument("--endpoints", type=int, default=20)
    options.add_argument("--keep", type=pathlib.Path)
    args = options.parse_args()
    bin_dir = args.bin.resolve()
    folder = args.keep or pathlib.Path(tempfile.mkdtemp(prefix="million-", dir=bin_dir))
    outbox = folder / "outbox"
    try:
        if not outbox.exists():
            folder.mkdir(parents=True, exist_ok=True)
            build(bin_dir, outbox, args.entries, args.endpoints)
        print(f"{'VERB':50} {'BEST':>9} {'WORST':>9} {'MEMORY':>10}")
        for verb in VERBS:
            runs = [measure([bin_dir / "runpostctl", *verb, "--outbox", outbox]) for _ in range(RUNS)]
            best, worst = min(s for s, _ in runs), max(s for s, _ in runs)
            print(f"{' '.join(verb):50} {best * 1000:6.1f} ms {worst * 1000:6.1f} ms {max(m for _, m in runs):6.1f} MiB")
    finally:
        if not args.keep:
            shutil.rmtree(folder, ignore_errors=True)


main()
