"""What the inspector's verbs are put through by more than one part of this folder. A scene makes an
outbox, runs one program with a fault, and checks whatever must hold however the program ended. It
returns the Done of that program."""
import fcntl
import json
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import termios
import time

from lab import LIMIT_S, Done, Violation, run_line, whole_lines

RUNS = 3
CLOSED_PORT = "http://127.0.0.1:1/closed"


def some_waiting(bench, n=RUNS):
    bench.reset()
    bench.offer([run_line(i, bench.url("ab"[i % 2]), pad=(i % 3) * 1500) for i in range(n)])
    bench.ingest(step=n)


def some_delivered(bench, n=RUNS):
    some_waiting(bench, n)
    bench.must("runpost", "send", "--drain")


def was_killed(done):
    return done.code < 0


def all_are_there(bench, replays=None):
    """Drained, each run is there once. replays: how often each may have been replayed."""
    entries = bench.settle()
    if len(entries) != len(bench.payloads):
        raise Violation(f"{len(entries)} entries of {len(bench.payloads)} runs")
    found = [e["replays"] for e in entries.values()]
    if replays is not None and not set(found) <= set(replays):
        raise Violation(f"replayed {found} times, not {replays}")


# --- what copies and removes entries

def import_lines(bench, fault):
    some_waiting(bench)
    file = bench.folder / "import.ndjson"
    file.write_bytes(bench.must("runpostctl", "export", "--with-secrets").out)
    acked, payloads = bench.acked, bench.payloads
    bench.reset()
    bench.acked, bench.payloads = acked, payloads
    bench.must("runpost", "init")
    done = bench.run("runpostctl", "import", file, fault=fault)
    n = bench.check_sound()["accepted"]
    if done.code == 0 and n != RUNS:
        raise Violation(f"it says that it is done, and {n} are there: {done}")
    again = json.loads(bench.must("runpostctl", "import", "--json", file).out)
    if (again["imported"], again["present"]) != (RUNS - n, n):
        raise Violation(f"{n} were there, and imported again: {again}")
    all_are_there(bench)
    return done


def backup(bench, fault):
    """What has the name of an outbox is a whole one."""
    stock(bench)
    copy = bench.folder / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    done = bench.run("runpostctl", "backup", copy, fault=fault)
    if (copy / "data.mdb").exists():
        bench.must("runpostctl", "verify", "--outbox", copy)
        stats, = whole_lines(bench.must("runpostctl", "stats", "--json", "--outbox", copy).out)
        counts = stats["entries"]
        if counts != bench.stats()["entries"]:
            raise Violation(f"the copy holds {counts}")
    elif done.code == 0:
        raise Violation(f"it says that it is done, and there is no copy: {done}")
    elif copy.exists() and not was_killed(done):
        raise Violation(f"half a copy was left behind: {os.listdir(copy)}: {done}")
    elif copy.exists():
        bench.must("runpostctl", "stats", "--outbox", copy, code=66)
    return done


def check_purged(bench, done):
    """Whatever a purge has removed is in a whole backup, and comes back from it."""
    left = {e["id"] for e in bench.entries()}
    saved, whole = set(), []
    for file in sorted((bench.outbox / "purged").glob("*")):
        text = file.read_bytes()
        if text.count(b"\n") == RUNS and text.endswith(b"\n"):
            saved |= {json.loads(line)["id"] for line in text.splitlines()}
            whole.append(file)
        elif not was_killed(done):
            raise Violation(f"half a backup was left behind: {file.name}: {done}")
    lost = set(bench.acked.values()) - left - saved
    if lost:
        raise Violation(f"purged, and in no backup: {lost}: {done}")
    if done.code == 0 and (left or not saved):
        raise Violation(
            f"it says that it is done, with {len(left)} left and {len(saved)} saved: {done}")
    for file in whole:
        bench.must("runpostctl", "import", file)
    all_are_there(bench)
    return done


def purge_waiting(bench, fault):
    some_waiting(bench)
    return check_purged(bench, bench.run("runpostctl", "purge", "--state", "waiting", "--yes",
                                         fault=fault))


def purge_planned(bench, fault):
    some_waiting(bench)
    bench.must("runpostctl", "purge", "--state", "waiting", "--dry-run")
    done = bench.run("runpostctl", "purge", "--plan", "1", "--yes", fault=fault)
    bench.run("runpostctl", "jobs", "cancel", "1")  # it may be over, or not have begun
    return check_purged(bench, done)


# --- jobs

def job_state(bench):
    return json.loads(bench.must("runpostctl", "jobs", "show", "1", "--json").out)["state"]


def replay_later(bench, fault):
    some_delivered(bench)
    done = bench.run("runpostctl", "replay", "--state", "delivered", "--yes", "--detach",
                     fault=fault)
    all_are_there(bench, replays=[1] if done.code == 0 else [0, 1])
    return done


def begin_replay(bench):
    some_delivered(bench)
    bench.must("runpostctl", "replay", "--state", "delivered", "--yes", "--detach")


def work_on_a_job(bench, fault):
    """A sender carries a replay on; whatever happens to it,
    the job ends and has done each entry once."""
    begin_replay(bench)
    done = bench.run("runpost", "send", "--drain", fault=fault)
    all_are_there(bench, replays=[1])
    if job_state(bench) != "done":
        raise Violation(f"the job is {job_state(bench)} in the end: {done}")
    return done


def steer(word, before, after):
    def scene(bench, fault):
        begin_replay(bench)
        if before == "paused":
            bench.must("runpostctl", "jobs", "pause", "1")
        done = bench.run("runpostctl", "jobs", word, "1", fault=fault)
        state = job_state(bench)
        if state != after and (done.code == 0 or state != before):
            raise Violation(f"the job is {state}: {done}")
        if state == "paused":
            bench.must("runpostctl", "jobs", "resume", "1")
        all_are_there(bench, replays=[0] if state == "cancelled" else [1])
        return done
    return scene


# --- keep times

def expire(bench, fault):
    """A sender removes what is past its keep time, and nothing else."""
    some_delivered(bench)
    short = bench.configure(bench.folder / "conf-short", outbox={"keep_delivered": "1ms"})
    bench.offer([run_line(RUNS, CLOSED_PORT)])
    bench.ingest(step=RUNS + 1)
    bench.must("runpostctl", "hold", "--state", "waiting", "--yes")
    done = bench.run("runpost", "send", "--drain", "--config", short, fault=fault)
    bench.must("runpost", "send", "--drain", "--config", short)
    bench.must("runpostctl", "verify")
    entries = bench.entries()
    purged = bench.stats()["entries"]["purged"]
    if [e["state"] for e in entries] != ["held"] or purged != RUNS:
        raise Violation(
            f"{purged} are purged, left are {[(e['id'], e['state']) for e in entries]}: {done}")
    bench.settle(set(bench.acked.values()), held=1)
    return done


# --- verbs that only look

def stock(bench):
    """Something of everything that can be looked at. Made once, while nobody changes it."""
    if bench.prepared == "stock":
        return
    some_waiting(bench, 2)
    bench.offer([run_line(2, CLOSED_PORT)])
    bench.ingest(step=3)
    once = bench.configure(bench.folder / "conf-once",
                           defaults={"retry_attempts": "2", "retry_cap": "1ms"})
    bench.must("runpost", "send", "--drain", "--config", once)
    bench.must("runpostctl", "replay", "--state", "delivered", "--yes", "--reason", "a test")
    bench.must("runpost", "send", "--drain", "--config", once)
    bench.must("runpostctl", "replay", "--state", "delivered", "--yes", "--detach")
    bench.must("runpostctl", "jobs", "pause", "2")
    bench.offer([run_line(3, bench.url("c"))])
    bench.ingest(step=4)
    bench.must("runpostctl", "hold", "--state", "waiting", "--yes")
    bench.prepared, bench.shapes = "stock", {}


def shape_of(text):
    """Without what differs from one look to the next: numbers, and how long something is ago."""
    text = re.sub(rb"[ \n]+", b" ", re.sub(rb"\b(\d+(\.\d+)?(ms|[smhd])?)+\b", b"#", text))
    return re.sub(rb"\b(just now|now)\b|(\bin )?#( ago)?", b"#", text)


def told(bench, verb, *options):
    """What a look tells when nothing fails."""
    key = verb, options
    if key not in bench.shapes:
        bench.shapes[key] = shape_of(bench.run("runpostctl", verb, *options).out)
    return bench.shapes[key]


def look(verb, *options, exact=True):
    """One that ends well has told everything. exact: what it tells does not
    depend on what fails."""
    def scene(bench, fault):
        stock(bench)
        whole = told(bench, verb, *options)
        done = bench.run("runpostctl", verb, *options, fault=fault)
        if done.code == 0 and exact and shape_of(done.out) != whole:
            raise Violation(f"it ended with 0, and told {shape_of(done.out).decode()} instead of "
                            f"{whole.decode()}: {done}")
        return done
    return scene


def metrics_file(bench, fault):
    """The file has its old content or all of the new."""
    stock(bench)
    folder = bench.folder / "textfile"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    file = folder / "runpost.prom"
    file.write_text("old\n")
    done = bench.run("runpostctl", "metrics", "--textfile", file, fault=fault)
    text = file.read_bytes()
    if text == b"old\n" and done.code == 0:
        raise Violation(f"it says that it is done, and the file is the old one: {done}")
    if text != b"old\n" and shape_of(text) != told(bench, "metrics"):
        raise Violation(f"half a file: {text[-200:]}: {done}")
    if len(os.listdir(folder)) != 1 and not was_killed(done):
        raise Violation(f"left behind: {os.listdir(folder)}: {done}")
    return done


def watch_screen(bench, fault):
    """top, on a terminal of 100 by 30, until it has drawn and `q` was typed.
    The terminal is as before."""
    stock(bench)
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    before, began = termios.tcgetattr(its), time.monotonic()
    env = {**bench.environment(fault), "TERM": "xterm"}
    process = subprocess.Popen(bench.argv("runpostctl", "top"), stdin=its, stdout=its,
                               stderr=subprocess.PIPE, env=env, start_new_session=True)
    try:
        while process.poll() is None:
            if select.select([ours], [], [], 0.02)[0] and os.read(ours, 65536):
                os.write(ours, b"q")
            if time.monotonic() > began + LIMIT_S:
                raise Violation(f"top hangs with {fault}")
        done = Done(process.args, process.returncode, b"", process.stderr.read(),
                    time.monotonic() - began)
        if termios.tcgetattr(its) != before and not was_killed(done):
            raise Violation(f"the terminal was not given back: {done}")
        return done
    finally:
        bench.end(process)
        process.stderr.close()
        os.close(ours)
        os.close(its)


LOOKS = {
    "list": look("list"), "list.json": look("list", "--json"),
    "show": look("show", "--state", "delivered"),
    "show.json": look("show", "--state", "dead", "--json"),
    "body": look("body", "--state", "delivered"), "explain": look("explain", "--state", "dead"),
    "explain.json": look("explain", "--state", "held", "--json"),
    "stats": look("stats", "--json", exact=False), "shape": look("shape", "--state", "dead,held"),
    "dead": look("dead"), "tail": look("tail"), "tail.json": look("tail", "--json"),
    "endpoints": look("endpoints"), "audit": look("audit"), "audit.json": look("audit", "--json"),
    "jobs": look("jobs"), "jobs.show": look("jobs", "show", "2"), "metrics": look("metrics"),
    "metrics.file": metrics_file, "export": look("export", "--with-secrets"),
    "verify": look("verify"), "doctor": look("doctor", exact=False),
    "doctor.json": look("doctor", "--json", exact=False), "top": watch_screen,
}
CHANGES = {
    "import": import_lines, "backup": backup, "purge.waiting": purge_waiting,
    "purge.plan": purge_planned,
    "replay.later": replay_later, "jobs.pause": steer("pause", "running", "paused"),
    "jobs.resume": steer("resume", "paused", "running"),
    "jobs.cancel": steer("cancel", "running", "cancelled"),
    "sender.job": work_on_a_job, "sender.expire": expire,
}
