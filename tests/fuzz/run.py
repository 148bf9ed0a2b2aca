#!/usr/bin/env python3
"""Fuzzes every target for a while and says what came of it.
Inputs that break something are kept in BIN/crashes.

usage: run.py --bin DIR [--seconds S | --cpu-seconds S] [--slice S] [--jobs N]
              [-k PATTERN] [--merge] [--json FILE]

--seconds       each target once, for so long (the short run)
--cpu-seconds   rounds of --slice seconds over all targets until each has had so much CPU time
                (the long run)
--merge         afterwards the corpora of the tree take over a sample of what was found

The last line is `fuzz: T targets, N inputs tried, C crashes`, and `S skipped` where a target is
missing because another program's sources are not installed.
With --json a line for each target goes to FILE as well."""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
MAX_LEN = {"import": 2048, "record": 2048, "url": 1024, "address": 256, "times": 256,
           "selector": 512, "lines": 2048, "keys": 512}
# These search from the corpus of another target.
SHARED = {"request_llhttp": "request"}
# Targets beside somebody else's parser, by folder: where its sources must be.
BESIDE = {"llhttp": pathlib.Path("/usr/share/llhttp")}
# Of a corpus in the tree, beside its seeds and crashes:
# the search begins faster, and tests stay short.
KEEP_FILES = 30


class Target:
    def __init__(self, program, work, long):
        self.long = long
        self.program, self.name = program, program.name.removeprefix("fuzz_")
        self.corpus = HERE / "corpus" / SHARED.get(self.name, self.name)
        self.found = work / "corpus" / self.name
        self.crashes = work / "crashes"
        for folder in (self.found, self.crashes):
            folder.mkdir(parents=True, exist_ok=True)
        self.tried = self.cover = self.features = self.crashed = self.slices = 0
        self.cpu_s = 0.0
        self.last = ""

    def options(self):
        # A long run may be stopped for minutes while others measure,
        # and the fuzzer's watch goes on.
        options = [f"-max_len={MAX_LEN.get(self.name, 4096)}",
                   f"-timeout={600 if self.long else 10}",
                   f"-report_slow_units={600 if self.long else 10}", "-rss_limit_mb=1024",
                   "-print_final_stats=1", f"-artifact_prefix={self.crashes}/{self.name}-"]
        words = HERE / "dict" / f"{self.corpus.name}.dict"
        return options + ([f"-dict={words}"] if words.exists() else [])

    def run(self, seconds):
        command = [str(self.program), *self.options(), f"-max_total_time={seconds}",
                   str(self.found), str(self.corpus)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              stdin=subprocess.DEVNULL) as process:
            output = process.stderr.read().decode(errors="replace")
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        self.cpu_s += usage.ru_utime + usage.ru_stime
        self.slices += 1
        done = re.search(r"stat::number_of_executed_units:\s*(\d+)", output)
        self.tried += int(done[1]) if done else 0
        for cover, features in re.findall(r"cov: (\d+) ft: (\d+)", output):
            self.cover = max(self.cover, int(cover))
            self.features = max(self.features, int(features))
        if process.returncode != 0 or not done:
            self.crashed += 1
            self.last = output[-4000:]

    def merge(self):
        """The tree's corpus becomes a sample of a smallest set with the coverage of all that
        was found; crashes stay."""
        kept = self.found.parent / f"{self.name}.merged"
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir()
        subprocess.run([str(self.program), f"-max_len={MAX_LEN.get(self.name, 4096)}", "-merge=1",
                        str(kept), str(self.corpus), str(self.found)],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for file in self.corpus.iterdir():
            if re.fullmatch(r"[0-9a-f]{40}", file.name):
                file.unlink()
        # Some of every size.
        found = sorted(kept.iterdir(), key=lambda f: (f.stat().st_size, f.name))
        for file in found[::max(1, -(-len(found) // KEEP_FILES))]:
            shutil.copy(file, self.corpus / file.name)

    def row(self):
        return {"target": self.name, "tried": self.tried, "cpu_s": round(self.cpu_s),
                "edges": self.cover, "features": self.features,
                "corpus": sum(1 for _ in self.found.iterdir()), "crashes": self.crashed}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True, type=pathlib.Path)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--cpu-seconds", type=int, default=0)
    parser.add_argument("--slice", type=int, default=120)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("-k", default="")
    parser.add_argument("--merge", action="store_true")
    parser.add_argument("--json", type=pathlib.Path)
    args = parser.parse_args()
    targets = [Target(p, args.bin, args.cpu_seconds > 0)
               for p in sorted(args.bin.glob("fuzzers/fuzz_*")) if re.search(args.k, p.name)]
    sources = [p for p in HERE.rglob("fuzz_*.c") if re.search(args.k, p.name)]
    skipped = {p.stem for p in sources
               if p.parent != HERE and not BESIDE[p.parent.name].is_dir()}
    expected = {p.stem for p in sources} - skipped
    for name in sorted(skipped):
        print(f"{name.removeprefix('fuzz_')}: skipped, what it is compared with is not installed")
    if {t.program.name for t in targets} != expected or not targets:
        print("not built:", ", ".join(sorted(expected - {t.program.name for t in targets})))
        return 1
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))

    def turn(target):
        if not ended and not target.crashed:
            target.run(args.slice if args.cpu_seconds else args.seconds)
            if args.json:
                args.json.write_text("".join(json.dumps(t.row()) + "\n" for t in targets))

    with concurrent.futures.ThreadPoolExecutor(max_workers=args.jobs) as pool:
        while not ended:
            list(pool.map(turn, sorted(targets, key=lambda t: t.cpu_s)))
            if (not args.cpu_seconds
                    or all(t.crashed or t.cpu_s >= args.cpu_seconds for t in targets)):
                break
            time.sleep(0.1)
    for t in targets:
        print(f"{t.name:14} {t.tried:12} inputs {t.cpu_s:7.0f} s CPU {t.cover:6} edges "
              f"{t.features:7} features "
              f"{t.crashed} crashes", flush=True)
        if t.crashed:
            print(t.last)
    if args.merge and not any(t.crashed for t in targets):
        for t in targets:
            if t.name not in SHARED:
                t.merge()
    print(f"fuzz: {len(targets)} targets, {sum(t.tried for t in targets)} inputs tried, "
          f"{sum(t.crashed for t in targets)} crashes"
          + (f", {len(skipped)} skipped" if skipped else ""))
    return 1 if any(t.crashed for t in targets) else 0


sys.exit(main())
