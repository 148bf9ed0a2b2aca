#!/usr/bin/env python3
"""The data file damaged in thousands of ways: bits, bytes, tails, zeroed and misdirected pages,
meta pages, page headers. Nobody may end by a signal, hang, or send anything but what came in."""
# torture: budget_s=120 quick_budget_s=40 cores=1
import argparse
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True, type=pathlib.Path)
    parser.add_argument("--work", required=True)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    shm = pathlib.Path("/dev/shm")
    work = tempfile.mkdtemp(prefix="runpost-damage-", dir=shm if shm.is_dir() else options.work)
    try:
        done = subprocess.run([options.bin / "torture/damage/damage", "--work", work, "--seed",
                               options.seed, "--seconds", "15" if options.quick else "75"],
                              stdout=subprocess.PIPE, text=True, check=False)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print(done.stdout, flush=True)
    facts = dict(re.findall(r"(\w+)=(\d+)", done.stdout.splitlines()[-1] if done.stdout else ""))
    violations = int(facts.get("violations", 1))
    # most damage must be met at all, and much of the file is still sent
    lively = (int(facts.get("named", 0)) > int(facts.get("variants", 0)) // 4
              and int(facts.get("sent", 0)) > 1000)
    print("result", json.dumps({
        "inputs": int(facts.get("variants", 0)), "passed": int(lively) + (violations == 0),
        "failed": int(not lively), "violations": violations,
        "note": f"{facts.get('named')} noticed, {facts.get('ended_65')} by ending"}))
    return 1 if violations or not lively else 0


sys.exit(main())
