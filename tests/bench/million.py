#!/usr/bin/env python3
"""What the inspector costs with a large outbox: builds one, with some entries waiting and some
dead, and times the verbs on it.

usage: million.py [--bin DIR] [--waiting N] [--dead N] [--endpoints N] [--keep DIR] [--beside N]

Prints a line a verb: the best and the worst of five runs, and the most memory a run had. --keep
uses the outbox in DIR, building it if it is not there, and leaves it. --beside instead delivers N
entries out of the outbox (so give --waiting 0), in turn with nothing beside it and with the verbs
once a second, and tells what the senders keep of their speed."""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import harness

RUNS = 5
VERBS = [line.split() for line in """
stats
shape
shape --state dead
dead
dead --cause expired --endpoint r3.example.com
endpoints
list --limit 50
list --state dead --limit 50
list --state retrying
list --state dead --cause dns
list --cause dns
list --cause timeout --since 1h
list --endpoint nowhere.example.com
list --endpoint r3.example.com --attempts >0
list --state waiting --endpoint r3.example.com --attempts >0
list --run run-77
list --attempts >=5
list --until 2020-01-01T00:00:00Z
list --thread nobody
list --event error
list --state dead --event error
""".strip().splitlines()]
LOOP = [["stats"], ["shape"], ["dead"], ["list", "--limit", "50"]]


def lines(first, n, endpoints, **more):
    tail = "".join(f',"{key}":"{value}"' for key, value in more.items())
    for i in range(first, first + n):
        url = f"https://r{i % endpoints}.example.com/hooks"
        yield f'{{"webhook":"{url}"{tail},"run":{{"run_id":"run-{i}","status":"success"}}}}\n'


def ingest(bin_dir, outbox, source):
    process = subprocess.Popen([bin_dir / "runpost", "ingest", "--quiet", "--outbox", outbox],
                               stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    process.stdin.writelines(source)
    process.stdin.close()
    if process.wait() != 0:
        sys.exit("million: ingest failed")


def entries(bin_dir, outbox):
    done = subprocess.run([bin_dir / "runpostctl", "stats", "--json", "--outbox", outbox],
                          capture_output=True, check=True)
    return json.loads(done.stdout)["entries"]


def build(bin_dir, outbox, waiting, dead, endpoints):
    """The dead ones expired before they were sent: no request is made."""
    print(f"building an outbox with {waiting} waiting and {dead} dead entries of {endpoints} "
          "endpoints ...", flush=True)
    ingest(bin_dir, outbox, lines(0, dead, endpoints, expires_at="2020-01-01T00:00:00Z"))
    sender = subprocess.Popen([bin_dir / "runpost", "send", "--outbox", outbox, "--drain"],
                              stderr=subprocess.DEVNULL)
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


def measure_all(bin_dir, outbox):
    print(f"{'VERB':60} {'BEST':>9} {'WORST':>9} {'MEMORY':>10}")
    for verb in VERBS:
        runs = [measure([bin_dir / "runpostctl", *verb, "--outbox", outbox]) for _ in range(RUNS)]
        best, worst = min(s for s, _ in runs), max(s for s, _ in runs)
        print(f"{' '.join(verb):60} {best * 1000:6.1f} ms {worst * 1000:6.1f} ms "
              f"{max(m for _, m in runs):6.1f} MiB", flush=True)


def look(bin_dir, outbox, over, rounds):
    """The verbs once a second, as `watch` would."""
    while not over.wait(1 if rounds else 0):
        for verb in LOOP:
            measure([bin_dir / "runpostctl", *verb, "--outbox", outbox])
        rounds.append(time.perf_counter())


def drain(bin_dir, outbox, folder, n, looking):
    """(entries a second, rounds of the loop)"""
    port = harness.free_port()
    config = folder / "beside.conf"
    config.write_text(f"[outbox]\ndir = {outbox}\n[defaults]\nallow_http = yes\nallow = 127.0.0.1\n"
                      f"allow_ports = {port}\nin_flight = 64\n")
    tag = time.monotonic_ns()
    source = (f'{{"webhook":"http://127.0.0.1:{port}/in",'
              f'"run":{{"run_id":"beside-{tag}-{i}","status":"success"}}}}\n' for i in range(n))
    ingest(bin_dir, outbox, source)
    sink = subprocess.Popen([bin_dir / "runpost-sink", "--port", str(port), "--quiet",
                             "--exit-after", str(n)],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(0.3)
    over, rounds = threading.Event(), []
    looker = threading.Thread(target=look, args=(bin_dir, outbox, over, rounds))
    began = time.perf_counter()
    sender = subprocess.Popen([bin_dir / "runpost", "send", "--config", config, "--drain"],
                              stderr=subprocess.DEVNULL)
    if looking:
        looker.start()
    try:
        sink.wait(timeout=120)
        took = time.perf_counter() - began
    finally:
        over.set()
    sender.wait()
    if looking:
        looker.join()
    return n / took, len(rounds)


def measure_beside(bin_dir, outbox, folder, n):
    ratios = []
    drain(bin_dir, outbox, folder, n, False)
    for i in range(4):
        results = {looking: drain(bin_dir, outbox, folder, n, looking)
                   for looking in (i % 2 == 0, i % 2 == 1)}
        (alone, _), (beside, rounds) = results[False], results[True]
        ratios.append(beside / alone)
        print(f"alone {alone:.0f}/s, beside {rounds} rounds of {len(LOOP)} verbs {beside:.0f}/s, "
              f"ratio {ratios[-1]:.2f}", flush=True)
    print(f"ratios from {min(ratios):.2f} to {max(ratios):.2f}")


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--bin", type=pathlib.Path, default=pathlib.Path("build"))
    options.add_argument("--waiting", type=int, default=500_000)
    options.add_argument("--dead", type=int, default=500_000)
    options.add_argument("--endpoints", type=int, default=20)
    options.add_argument("--keep", type=pathlib.Path)
    options.add_argument("--beside", type=int)
    args = options.parse_args()
    bin_dir = args.bin.resolve()
    folder = (args.keep or pathlib.Path(tempfile.mkdtemp(prefix="million-", dir=bin_dir))).resolve()
    outbox = folder / "outbox"
    try:
        if not outbox.exists():
            folder.mkdir(parents=True, exist_ok=True)
            build(bin_dir, outbox, args.waiting, args.dead, args.endpoints)
        if args.beside:
            measure_beside(bin_dir, outbox, folder, args.beside)
        else:
            measure_all(bin_dir, outbox)
    finally:
        if not args.keep:
            shutil.rmtree(folder, ignore_errors=True)


main()
