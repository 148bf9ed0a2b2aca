#!/usr/bin/env python3
"""How many lines and branches of our own code (src/, tools/) the tests went through.
usage: coverage.py BUILD_DIR [--list]

Reads what the programs of a build with gcov left behind. --list names every line with a branch that
was never taken. Branches of assert() are left out: the other one ends the program."""
import collections
import gzip
import json
import pathlib
import subprocess
import sys
import tempfile


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    root = pathlib.Path(__file__).resolve().parent.parent
    notes = sorted(p for p in build.rglob("*.gcda") if "/obj/src/" in str(p)
                   or "/obj/tools/" in str(p))
    lines, branches = collections.defaultdict(dict), collections.defaultdict(dict)
    with tempfile.TemporaryDirectory() as folder:
        for note in notes:
            subprocess.run(["gcov", "-b", "-j", str(note)], cwd=folder, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, check=True)
            for found in pathlib.Path(folder).glob("*.gz"):
                for file in json.loads(gzip.decompress(found.read_bytes()))["files"]:
                    read(file, root, lines, branches)
                found.unlink()
    if not lines:
        print("coverage: nothing was run")
        return 1
    totals = [0, 0, 0, 0]
    for name in sorted(lines):
        row = [sum(1 for n in lines[name].values() if n), len(lines[name]),
               sum(1 for n in branches[name].values() if n), len(branches[name])]
        totals = [a + b for a, b in zip(totals, row)]
        print(f"{name:32} lines {share(row[0], row[1])}   branches {share(row[2], row[3])}")
        if "--list" in sys.argv:
            for number in sorted({at[0] for at, n in branches[name].items() if not n}):
                print(f"    {name}:{number}")
    print(f"coverage: {len(lines)} files, lines {share(totals[0], totals[1])}, "
          f"branches {share(totals[2], totals[3])}")
    return 0


def read(file, root, lines, branches):
    path = root / file["file"]
    name = str(path.resolve()).removeprefix(str(root) + "/")
    if not name.startswith(("src/", "tools/")) or name.endswith(".h"):
        return
    source = path.read_text().splitlines()
    for line in file["lines"]:
        number = line["line_number"]
        lines[name][number] = lines[name].get(number, 0) + line["count"]
        if "assert(" in source[number - 1]:
            continue
        for i, branch in enumerate(line["branches"]):
            if not branch["throw"]:
                at = (number, i)
                branches[name][at] = branches[name].get(at, 0) + branch["count"]


def share(part, whole):
    return f"{part:6} of {whole:6} {100 * part / whole if whole else 100:6.1f} %"


sys.exit(main())
