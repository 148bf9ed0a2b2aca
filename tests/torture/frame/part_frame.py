#!/usr/bin/env python3
"""Holds the frame itself to its word: parts that fail in every way are told as failures,
and good ones are not."""
# torture: budget_s=20 quick_budget_s=20 cores=1
import argparse
import json
import pathlib
import subprocess
import sys

RUN = pathlib.Path(__file__).resolve().parent.parent / "run.py"
GOOD = 'result {"states": 7, "kills": 2, "passed": 3, "failed": 0, "violations": 0}'

# name -> (what the part does, exit code of run.py, words that it must print)
PARTS = {
    "good": (f"echo '{GOOD}'", 0, ["torture: 3 passed, 0 failed"]),
    "violates": ("echo 'lost msg_1, seed 5'; echo 'result {\"passed\": 3, \"violations\": 2}'; "
                 "exit 1", 1, ["torture: 3 passed, 2 failed", "lost msg_1, seed 5"]),
    "fails": ("echo 'result {\"passed\": 3, \"failed\": 1, \"violations\": 0}'; exit 1", 1,
              ["torture: 3 passed, 1 failed"]),
    "hides": ("echo 'result {\"passed\": 3, \"violations\": 1}'", 1,
              ["does not go with its result"]),
    "crashes": (f"echo '{GOOD}'; kill -SEGV $$", 1, ["does not go with its result"]),
    "mute": ("echo well", 1, ["no result"]),
    "mistaken": ("echo 'result {\"passed\": 3'", 1, ["no result"]),
    "hangs": (f"echo '{GOOD}'; sleep 60", 1, ["took more than 10 times its 1 s"]),
    "idle": ("echo 'result {\"passed\": 0, \"violations\": 0}'", 1,
             ["torture: 0 passed, 0 failed"]),
}


def try_part(options, name, script):
    folder = options.work / name
    (folder / "area").mkdir(parents=True)
    part = folder / "area" / f"part_{name}.sh"
    part.write_text(f"#!/bin/sh\n# torture: budget_s=9 quick_budget_s=1 cores=1\n{script}\n")
    part.chmod(0o755)
    return subprocess.run([sys.executable, RUN, "--bin", options.bin, "--parts", folder, "--quick"],
                          capture_output=True, text=True, timeout=60, check=False)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--work", required=True, type=pathlib.Path)
    parser.add_argument("--seed")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    failed = 0
    for name, (script, code, words) in PARTS.items():
        done = try_part(options, name, script)
        if done.returncode != code or not all(word in done.stdout for word in words):
            failed += 1
            print(f"a part that {name}: "
                  f"run.py ended with {done.returncode} and said\n{done.stdout}{done.stderr}")
    print("result "
          + json.dumps({"passed": len(PARTS) - failed, "failed": failed, "violations": 0}))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
