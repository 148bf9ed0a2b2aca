#!/usr/bin/env python3
"""Keeps the library's writable static data short: two handles on two threads,
or a child that was forked, share it.

Everything else is in a handle, on the stack, or constant. Exit 1 and a line for each that is not in
the list, and for each of the list that is gone. usage: static_data.py librunpost.a"""
import re
import subprocess
import sys

ALLOWED = {  # (object, symbol): why it may be shared
    ("log.o", "log_role"): "one log a process; set before the second thread begins",
    ("log.o", "log_level"): "one log a process; set before the second thread begins",
    ("log.o", "own"): "one stderr a process; set before the second thread begins",
    ("log.o", "dropped"): "one log a process; atomic",
    ("log.o", "cut_short"): "one log a process; atomic",
    ("log.o", "held"): "of each thread its own: the lines of its transaction",
    ("damage.o", "program"): "a signal handler has no argument; set before an outbox is opened",
    ("damage.o", "in"): "of each thread its own: the transaction in which a signal met it",
    ("libpq.o", "libpq"): "one libpq a process; filled in once, under a lock",
    ("libpq.o", "loaded"): "set under that lock, after the table",
    ("libpq.o", "one_loads"): "the lock",
    ("assert.o", "failed"): "of each thread its own: a signal handler asks",
}
# Constant tables of pointers are in .data.rel.ro: the loader writes to them and nobody else can.
WRITABLE = re.compile(r"\.(data|bss|tdata|tbss)(?!\.rel\.ro)(\..*)?|\*COM\*")


def symbols(archive):
    table = subprocess.run(["objdump", "-t", archive], check=True, capture_output=True,
                           text=True).stdout
    member = None
    for line in table.splitlines():
        if ":     file format" in line:
            member = line.split(":")[0]
        match = re.match(r"[0-9a-f]+ (.{7}) (\S+)\s+([0-9a-f]+) (.*)", line)
        if (match is None or "d" in match[1] or not WRITABLE.fullmatch(match[2])
                or int(match[3], 16) == 0):
            continue
        yield member, re.sub(r"\.\d+$", "", match[4].split()[-1])


def main():
    found = set(symbols(sys.argv[1]))
    for member, name in sorted(found - ALLOWED.keys()):
        print(f"{member}: {name} is writable and shared by all threads and handles; "
              "put it into a handle")
    for member, name in sorted(ALLOWED.keys() - found):
        print(f"{member}: {name} is in the list of tests/lint/static_data.py, "
              "and not in the library")
    return 0 if found == set(ALLOWED) else 1


sys.exit(main())
