#!/usr/bin/env python3
"""The story that looks for the secrets of the front door in all that it tells, over a door that writes
them into its log: it must fail, and without the mistake it must not."""
# torture: budget_s=60 quick_budget_s=60 cores=1
import argparse
import json
import pathlib
import subprocess
import sys

STORIES = pathlib.Path(__file__).resolve().parent.parent.parent / "stories"
STORY = "door_secrets"
MUTANT, WORDS = "torture/faults/mutants/door_logs_tokens", "canary-of-the-bearer"


def story(programs):
    """(its exit code, all it printed)"""
    done = subprocess.run([sys.executable, STORIES / "run.py", "--bin", programs, "-k", STORY],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True, type=pathlib.Path)
    parser.add_argument("--work", required=True, type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    programs = options.work.resolve() / "bin"
    programs.mkdir(parents=True)
    for name in ("runpost", "runpostctl", "runpost-sink"):
        (programs / name).symlink_to(options.bin.resolve() / name)
    whole = story(programs)
    (programs / "runpost").unlink()
    (programs / "runpost").symlink_to(options.bin.resolve() / MUTANT)
    mistaken = story(programs)
    failed = (whole[0] != 0) + (mistaken[0] == 0 or WORDS not in mistaken[1])
    if failed:
        print("without the mistake:", whole[1], "with it:", mistaken[1], sep="\n")
    print("result " + json.dumps({"passed": 2 - failed, "failed": failed, "violations": 0,
                                  "note": "1 mutant"}))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
