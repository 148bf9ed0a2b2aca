#!/usr/bin/env python3
"""Keeps lines of C at 100 columns, a tab counting eight. Tables between `clang-format off` and `on`
may be wider.

Exit 1 and a line for each that is longer."""
import pathlib
import sys

COLUMNS = 100
FOLDERS = ("include", "src", "tools", "tests", "docs")
ENDINGS = (".c", ".h", ".cc")


def long_lines(file):
    free = False
    for number, line in enumerate(file.read_text().splitlines(), 1):
        free = "clang-format off" in line or (free and "clang-format on" not in line)
        width = len(line.expandtabs(8))
        if width > COLUMNS and not free:
            yield f"{file}:{number}: {width} columns; {COLUMNS} is the limit"


def main():
    files = sorted(p for folder in FOLDERS for p in pathlib.Path(folder).rglob("*")
                   if p.suffix in ENDINGS)
    problems = [line for file in files for line in long_lines(file)]
    for line in problems:
        print(line)
    print(f"width: {len(files)} files, {len(problems)} problems")
    return 1 if problems or not files else 0


sys.exit(main())
