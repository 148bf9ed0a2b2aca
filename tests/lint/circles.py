#!/usr/bin/env python3
"""Forbids circles: files that need each other, and folders that do.

A file needs another one when its object wants a symbol that the other one's object defines. The
objects tell the truth: a declaration that stands in a far header hides nothing. A folder needs what
its files need; a folder below a folder stands for itself. A header needs the headers that it
includes. The library is looked at alone, and each program alone.

Exit 1 and a line for each circle, with what closes it. usage: circles.py BUILD_DIR, which has obj/
of all programs"""
import collections
import pathlib
import re
import subprocess
import sys

SHOWN = 6  # symbols for each pair

PARTS = ["src", "src/cmd", "tools/ctl", "tools/sink"]  # the library, and the programs


def part_of(path):
    """The longest of PARTS that the path lies in."""
    return max((p for p in PARTS if path.startswith(p + "/")), key=len, default=None)


def symbols(build):
    """The sources, and by source the symbols that its object defines and those that it wants."""
    objects = {}
    for source in sorted(p for root in ("src", "tools") for p in pathlib.Path(root).rglob("*.c")):
        if part_of(source.as_posix()) is not None:
            objects[source.as_posix()] = pathlib.Path(build, "obj", source).with_suffix(".o")
    defined, wanted = collections.defaultdict(set), collections.defaultdict(set)
    table = subprocess.run(["nm", "-A", "-g"] + [str(o) for o in objects.values()], check=True,
                           capture_output=True, text=True).stdout
    source_of = {str(o): source for source, o in objects.items()}
    for line in table.splitlines():
        name, rest = line.split(":", 1)
        kind, symbol = rest.split()[-2:]
        (wanted if kind in "Uw" else defined)[source_of[name]].add(symbol)
    return sorted(objects), defined, wanted


def needs_of_files(build):
    """{user: {used: symbols}} of the files of each part."""
    files, defined, wanted = symbols(build)
    owner = {(part_of(f), symbol): f for f in files for symbol in defined[f]}
    needs = {f: {} for f in files}
    for user in files:
        for symbol in sorted(wanted[user]):
            used = owner.get((part_of(user), symbol))
            if used not in (None, user):
                needs[user].setdefault(used, []).append(symbol)
    return needs


def needs_of_folders(needs):
    folders = collections.defaultdict(dict)
    for user, uses in needs.items():
        for used, names in uses.items():
            here, there = (pathlib.PurePath(p).parent.as_posix() for p in (user, used))
            if here != there:
                folders[here].setdefault(there, []).extend(f"{user}: {name}" for name in names)
    return folders


def needs_of_headers():
    needs = {}
    roots = ("include", "src", "tools")
    for header in (p for root in roots for p in pathlib.Path(root).rglob("*.h")):
        uses = needs[header.as_posix()] = {}
        for name in re.findall(r'^\s*#\s*include\s+"([^"]+)"', header.read_text(), re.M):
            for root in roots:
                if pathlib.Path(root, name).exists():
                    uses[pathlib.Path(root, name).as_posix()] = ["#include"]
    return needs


def circles(needs):
    """The strongly connected components of more than one node (Tarjan), each sorted."""
    number, low, stack, found = {}, {}, [], []

    def visit(node):
        number[node] = low[node] = len(number)
        stack.append(node)
        for used in needs.get(node, {}):
            if used not in number:
                visit(used)
                low[node] = min(low[node], low[used])
            elif used in stack:
                low[node] = min(low[node], number[used])
        if low[node] == number[node]:
            at = stack.index(node)
            if len(stack) - at > 1:
                found.append(sorted(stack[at:]))
            del stack[at:]

    for node in sorted(needs):
        if node not in number:
            visit(node)
    return found


def check(kind, needs):
    """Prints what is wrong; how many things that is."""
    found = circles(needs)
    for circle in found:
        print(f"circles: {kind} that need each other: {' '.join(circle)}")
        for user in circle:
            for used, names in sorted(needs[user].items()):
                if used in circle:
                    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
                    print(f"  {user} -> {used}: {', '.join(names[:SHOWN])}{more}")
    return len(found)


def main():
    files = needs_of_files(sys.argv[1])
    bad = check("files", files)
    bad += check("folders", needs_of_folders(files))
    bad += check("headers", needs_of_headers())
    print(f"circles: {len(files)} files, {bad} problems")
    return 1 if bad or not files else 0


sys.exit(main())
