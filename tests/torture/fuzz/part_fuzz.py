#!/usr/bin/env python3
"""Every fuzz target for a while: inputs nobody thought of, under sanitizers.
The targets are those of tests/fuzz/."""
# torture: budget_s=300 quick_budget_s=100 cores=2
import argparse
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent.parent


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True, type=pathlib.Path)
    parser.add_argument("--work", required=True, type=pathlib.Path)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    rows = options.work.resolve() / "rows.json"
    seconds = 5 if options.quick else 25
    done = subprocess.run(["make", "--no-print-directory", "-j2", f"BUILD={options.bin.resolve()}",
                           "fuzz", f"FUZZ_ARGS=--seconds {seconds} --json {rows}"],
                          cwd=ROOT, check=False)
    found = [json.loads(line) for line in rows.read_text().splitlines()] if rows.exists() else []
    crashes = sum(row["crashes"] for row in found)
    print("result", json.dumps({
        "inputs": sum(row["tried"] for row in found),
        "passed": sum(1 for row in found if not row["crashes"]),
        "failed": 0 if done.returncode == 0 or crashes else 1, "violations": crashes,
        "note": f"{len(found)} targets, {seconds} s each"}))
    return 1 if done.returncode or crashes else 0


sys.exit(main())
