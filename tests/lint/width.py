#!/usr/bin/env python3
"""Keeps every line of text at 100 columns, a tab counting eight.

Wider may be what cannot be broken: a row of a table, a run or a request line in Markdown, tables of
C between `clang-format off` and `on`, and what stands in WHOLE. Exit 1 and a line for each that is longer."""
import os
import pathlib
import re
import sys

COLUMNS = 100
NOT_OURS = {"build", "node_modules", ".git", "__pycache__"}
WHOLE = (  # what is read as it stands, line by line or byte by byte
    "tests/fuzz/corpus/*/*",            # inputs of fuzz targets
    "tests/fixtures/*.ndjson",          # runs as an engine writes them, one a line
    "tests/interop/package-lock.json",  # written by npm
    "tests/interop/engine/package-lock.json",
)
# of a table, an object of JSON that is a line, and the first line of a request
ROW = re.compile(r"\|.*|\{\".*\}|[A-Z]+ /\S+ HTTP/1\.1")


def ours():
    for folder, folders, names in os.walk("."):
        folders[:] = sorted(set(folders) - NOT_OURS)
        for name in sorted(set(names) - NOT_OURS):
            path = pathlib.Path(folder, name)
            if not any(map(path.match, WHOLE)):
                yield path


def long_lines(file):
    free = False
    for number, line in enumerate(file.read_text().splitlines(), 1):
        free = "clang-format off" in line or (free and "clang-format on" not in line)
        row = file.suffix == ".md" and ROW.fullmatch(line)
        width = len(line.expandtabs(8))
        if width > COLUMNS and not free and not row:
            yield f"{file}:{number}: {width} columns; {COLUMNS} is the limit"


def main():
    files = list(ours())
    problems = [line for file in files for line in long_lines(file)]
    for line in problems:
        print(line)
    print(f"width: {len(files)} files, {len(problems)} problems")
    return 1 if problems or not files else 0


sys.exit(main())
