#!/usr/bin/env python3
"""Power cuts: records what ingesters, senders and the inspector write and sync, cuts the power at
every moment of it in many ways, and checks what is left (cut_main.c). Then does the same with
programs that have one mistake each (mutants/): each must be found, or the rest proves nothing."""
# torture: budget_s=240 quick_budget_s=80 cores=2
import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import record

LOST = "it has a receipt, and is lost"
NOT_SAVED = "its backup is not on the disk"
ANY = "lost|verify|cannot be opened|commits are left|did not look like this|ended by"

# name -> (roles whose program it replaces, the words of a violation that must show)
MUTANTS = {
    "receipt_before_commit": (("ingest",), LOST),
    "door_answers_first": (("door",), LOST),
    "nosync": (("ingest",), ANY),
    "nometasync": (("ingest",), LOST),
    "settle_before_response": (("sender",), "the receiver had not answered"),
    "two_transactions": (("ingest", "sender"), "verify"),
    "no_directory_sync": (("init",), "cannot be opened"),
    "nosync_sender": (("sender",), ANY),
    "expires_early": (("sender",), LOST),
    "ctl_no_file_sync": (("ctl",), NOT_SAVED),
    "ctl_no_directory_sync": (("ctl",), NOT_SAVED),
}


class Part:
    def __init__(self, options, ram):
        self.bin, self.seed, self.quick, self.ram = options.bin, options.seed, options.quick, ram
        self.totals = {"states": 0, "kills": 0, "passed": 0, "failed": 0, "violations": 0}
        self.notes = []

    def check(self, good, what):
        self.totals["passed" if good else "failed"] += 1
        if not good:
            print("FAILED:", what, flush=True)

    def record(self, name, seed, size, **more):
        folder = self.ram / name
        (folder / "cut").mkdir(parents=True)
        return record.Recording(self.bin, folder, seed, size, **more)

    def cut(self, recording, seed, states, *more):
        """(the counts, all it printed)"""
        folder = recording.folder
        argv = [self.bin / "torture/power/cut", "--log", folder / "log", "--dir", folder / "cut",
                "--seed", str(seed)]
        done = subprocess.run([*argv, "--states", str(states), "--workers", str(os.cpu_count()),
                               *more], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False, preexec_fn=record.die_with_parent)
        found = re.search(r"^cut (\{.*\})$", done.stdout, re.M)
        return json.loads(found[1]) if found and done.returncode in (0, 1) else None, done.stdout

    def play_and_cut(self, recording, name, seed, states, *acts):
        """The counts; None when something failed, which was told."""
        began = time.monotonic()
        try:
            recording.play(*[getattr(recording, act) for act in acts])
        except record.Failure as why:
            self.check(False, f"{name} (seed {seed}): {why}")
            return None
        recorded_s, began = time.monotonic() - began, time.monotonic()
        counts, text = self.cut(recording, seed, states, "--real", recording.outbox)
        print(f"{name}, seed {seed}: {recorded_s:.1f} s, "
              f"cuts {time.monotonic() - began:.1f} s\n{text}", flush=True)
        self.check(counts is not None, f"{name} could not be read")
        if counts is None:
            return None
        self.check(counts["violations"] == 0, f"{name}: {counts['violations']} violations")
        self.check(counts["states"] >= states * 9 // 10, f"{name}: only {counts['states']} states")
        for key in ("states", "violations"):
            self.totals[key] += counts[key]
        self.totals["kills"] += recording.kills
        if counts["violations"] > 0:  # what reproduces it outlives this run
            kept = self.bin / "torture/power/found" / recording.folder.name
            shutil.copytree(recording.folder, kept, dirs_exist_ok=True)
            print(f"again: cut --log {kept}/log --dir DIR and what stands before the violation",
                  flush=True)
        return counts

    def healthy(self, number, size, states):
        """A recording, and one of what goes on after one of its power cuts:
        so that power fails again in a recovery."""
        seed = self.seed * 1000 + number
        first = self.record(f"recording-{number}", seed, size)
        counts = self.play_and_cut(first, f"recording {number}", seed, states * 2 // 3,
                                   ("alone", "newborn")[number % 2], "together")
        if counts is None:
            return
        step = first.rng.randrange(counts["steps"] // 3, counts["steps"])
        which = first.rng.randrange(2, 1000)
        _, text = self.cut(first, seed, 0, "--step", str(step), "--number", str(which), "--leave")
        left = re.search(r"must (\d+), .* image in (\S+)$", text, re.M)
        second = self.record(f"recording-{number}b", seed, 0,
                             after=(first.log_path, int(left[1]), left[2]),
                             port=first.receiver.port)
        name = f"recording {number}b, after the cut at step {step}, number {which}"
        self.play_and_cut(second, name, seed, states // 3, "after_the_cut")
        for recording in (first, second):
            shutil.rmtree(recording.folder)

    def half_made(self):
        halting = self.bin / "torture/power/mutants/no_directory_sync"
        recording = self.record("half-made", self.seed, 12, programs={"init": halting})
        self.play_and_cut(recording, "half made", self.seed, 900, "half_made")

    def mutant(self, name):
        roles, words = MUTANTS[name]
        area = "faults" if name.startswith("door_") else "power"
        program = self.bin / "torture" / area / "mutants" / name.removesuffix("_sender")
        recording = self.record(f"mutant-{name}", self.seed, 32,
                                programs={role: program for role in roles}, limit_s=8)
        try:
            recording.play()
        except record.Failure as why:
            print(f"mutant {name}: {why}", flush=True)  # what it did until then is recorded
        counts, text = self.cut(recording, self.seed, 2000)
        found = re.findall(rf"^violation: .*(?:{words}).*$", text, re.M)
        print(f"mutant {name}: {counts}\n{found[0] if found else text}", flush=True)
        self.check(bool(found), f"the mutant {name} was not found")
        shutil.rmtree(recording.folder)

    def run(self):
        for number in range(1 if self.quick else 4):
            self.healthy(number, 45 if self.quick else 90, 6000 if self.quick else 18000)
        self.half_made()
        for name in MUTANTS:
            self.mutant(name)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True, type=pathlib.Path)
    parser.add_argument("--work", required=True, type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # so that nothing is left behind
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else options.work
    with tempfile.TemporaryDirectory(prefix="runpost-power-", dir=place) as ram:
        part = Part(options, pathlib.Path(ram))
        part.run()
    part.totals["note"] = f"{len(MUTANTS)} mutants"
    print("result " + json.dumps(part.totals))
    return 1 if part.totals["failed"] or part.totals["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
