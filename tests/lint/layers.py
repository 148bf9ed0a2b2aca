#!/usr/bin/env python3
"""Keeps the layers: who may include whom, which library has which door, which calls are banned,
and that each file begins by saying what it does.

A file may include headers of its own layer and of lower ones, never of a higher one.
The tables below are the rule; the picture of it is in docs/architecture.md. Exit 1 and
a line for each breach."""
import pathlib
import re
import sys

# Folders of src/, lowest first; a folder below a folder belongs to it, unless it is named itself.
# Programs (src/cmd, tools/) stand above all.
LAYERS = ["base", "text", "sign", "model", "net", "run", "config", "store", "report",
          "ingest", "deliver", "api", "http_server", "serve"]

# Of the way in, the library shares what is between a line and a commit, and nothing of the way out.
API_MAY = {"ingest/batch.h"}
# A server of HTTP knows nothing of what it is asked for, and only programs have one.
APART = {"api": ["ingest", "deliver", "report"], "deliver": ["ingest", "report"],
         "ingest": ["deliver", "report"],
         "serve": ["deliver", "api"],
         "http_server": [layer for layer in LAYERS
                         if layer not in ("base", "text", "net", "http_server")]}

DOORS = {  # header -> files that may include it
    r"lmdb\.h": r"src/store/lmdb/.*",
    r"libpq-fe\.h|libpq/.*": r"src/store/postgres/(connection|libpq)\.[ch]",
    # libpq alone is loaded when it is needed
    r"dlfcn\.h": r"src/store/postgres/(connection|libpq)\.c",
    r"curl/.*": r"src/deliver/http/\w+\.[ch]",
    r"jansson\.h": r"src/text/json\.c",
    r"openssl/.*": r"src/sign/crypto(_\w+)?\.[ch]",
    r"ini\.h": r"src/config/config(_\w+)?\.c",
    r"xxhash\.h": r"src/model/record\.c",
    r"sys/random\.h": r"src/base/sys\.c",
    r"sys/inotify\.h": r"src/store/lmdb/host/wakeup\.c",
    r"assert\.h": r"$^",  # base/assert.h has its reasons
    r"sys/fsuid\.h": r"src/store/lmdb/host/owner\.c",
    # past HTTP: for a receiver that misbehaves on purpose
    r"http_server/raw\.h": r"src/http_server/connection(_int)?\.[ch]|tools/sink/handler\.c",
    # lists are how the server's own files hold connections together
    r"http_server/list\.h": r"src/http_server/\w+\.[ch]",
}

BANNED = {  # call -> files where it is fine
    r"strcpy|strcat|vsprintf|strtok|gets|atoi|atol|alloca|system|popen|tmpnam|mktemp": r"$^",
    r"sprintf": r"src/base/log\.c",
    # nothing is written before its pages were looked at (tree/page_guard.c);
    # a new file has none to look at
    r"mdb_put|mdb_del|mdb_drop|mdb_cursor_put|mdb_cursor_del": r"src/store/lmdb/(row|db_open)\.c",
    r"clock_gettime|gettimeofday|time": r"src/base/clocks\.c",
    r"getrandom|rand|random|srand": r"src/base/sys\.c",
    r"rp_clocks_us": r"src/base/(clocks|sys|log)\.[ch]",
    r"fork": r"src/cmd/supervisor\.c|tools/ctl/verbs/verb_doctor\.c",
}


def layer_of(path):
    parts = pathlib.PurePath(path).parts
    if parts[0] == "src" and parts[1] in LAYERS:
        return parts[1]
    return "program" if parts[0] in ("src", "tools") else None


def check_layer(path, number, name, complain):
    layer, other = layer_of(path), name.split("/")[0]
    if layer not in LAYERS or other not in LAYERS:
        return
    if LAYERS.index(other) > LAYERS.index(layer):
        complain(path, number, f"{layer} includes {name}, of a higher layer")
    if other in APART.get(layer, []) and not (layer == "api" and name in API_MAY):
        complain(path, number, f"{layer} must not include {name}")


def without_comments_and_strings(text):
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group().count("\n"), text, flags=re.S)
    text = re.sub(r"//[^\n]*", "", text)
    return re.sub(r'"(\\.|[^"\\\n])*"', '""', text)


def private_to(root, name):
    """The folder that a header is for alone: its name or its first line says so."""
    file = root / "src" / name
    if name.endswith("_int.h"):
        return "src/" + str(pathlib.PurePath(name).parent)
    match = file.exists() and re.match(r"/\* \S+\.h - private to (src/[\w/]+)", file.read_text())
    return match[1] if match else None


def check_includes(root, path, text, complain):
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#\s*include\s+([<"])([^>"]+)[>"]', line)
        if not match:
            continue
        kind, name = match.groups()
        if kind == '"':
            check_layer(path, number, name, complain)
            home = private_to(root, name)
            if home is not None and not path.startswith(home + "/"):
                complain(path, number, f"{name} is private to {home}")
        for header, allowed in DOORS.items():
            if re.fullmatch(header, name) and not re.fullmatch(allowed, path):
                complain(path, number, f"{name} has one door: {allowed}")


def check_calls(path, text, complain):
    for number, line in enumerate(without_comments_and_strings(text).splitlines(), 1):
        for calls, allowed in BANNED.items():
            match = re.search(rf"(?<![\w.>])({calls})\s*\(", line)
            if match and not re.fullmatch(allowed, path):
                complain(path, number, f"{match.group(1)}() is banned here")


def check_first_comment(path, text, complain):
    """A file says first what it does, in a sentence; where it names itself it
    names itself rightly."""
    match = re.match(r"/\*(.*?)\*/", text, re.S)
    words = re.sub(r"\s*\n \*", " ", match.group(1)).strip() if match else ""
    name, dash, sentence = words.partition(" - ")
    if not dash:
        name, sentence = "", words
    if len(sentence.split()) < 4 or not re.search(r"[.;:]( |$)", sentence):
        complain(path, 1, "a file begins with a comment that says what it does")
    if re.fullmatch(r"[\w.]+\.[ch]", name) and name != pathlib.PurePath(path).name:
        complain(path, 1, f"the first comment is about {name}")


def check_function_lengths(path, text, complain, limit=80):
    start = None
    for number, line in enumerate(text.splitlines(), 1):
        if line == "{":
            start = number
        elif line == "}" and start is not None:
            if number - start > limit:
                complain(path, start, f"a function of {number - start} lines; {limit} is the limit")
            start = None


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    problems = []

    def complain(path, number, text):
        problems.append(f"{path}:{number}: {text}")

    files = sorted(p for folder in ("include", "src", "tools")
                   for p in (root / folder).rglob("*.[ch]"))
    for file in files:
        path = file.relative_to(root).as_posix()
        text = file.read_text()
        check_first_comment(path, text, complain)
        check_includes(root, path, text, complain)
        check_calls(path, text, complain)
        check_function_lengths(path, text, complain)
    for line in problems:
        print(line)
    print(f"layers: {len(files)} files, {len(problems)} problems")
    return 1 if problems or not files else 0


sys.exit(main())
