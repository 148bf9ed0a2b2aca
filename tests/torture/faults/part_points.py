#!/usr/bin/env python3
"""kill -9 before and after every library call that matters, in every role;
afterwards nothing may be lost or doubled."""
# torture: budget_s=280 quick_budget_s=65 cores=1
import collections
import json

import doors
import scenes
from lab import Lab, Mistaken, Violation, run_line

# What each role is killed around. Each call of each name is a point, before and after it;
# a name without one fails.
POINTS = {
    "init": ["open.lock.mdb", "open.data.mdb", "mkdir", "fsync", "ftruncate", "pwrite.data.mdb",
             "writev.data.mdb", "fdatasync.data.mdb", "mdb_env_open", "mdb_txn_begin.write",
             "mdb_dbi_open.seen", "mdb_put", "mdb_txn_commit", "mdb_env_sync", "open.doorbell"],
    "ingest": ["mkdir", "mdb_env_open", "mdb_txn_begin.read", "mdb_txn_begin.write", "mdb_put",
               "mdb_txn_commit", "writev.data.mdb", "fdatasync.data.mdb", "pwrite.data.mdb",
               "pwrite.doorbell", "read.stdin", "poll",
               "write.stdout", "open.rejects", "writev.rejects", "fdatasync.rejects", "getrandom"],
    "sender": ["mdb_txn_begin.read", "mdb_txn_begin.write", "mdb_put", "mdb_del", "mdb_txn_commit",
               "writev.data.mdb", "fdatasync.data.mdb", "pwrite.data.mdb", "open.senders",
               "fcntl.senders", "pwrite.senders", "pwrite.doorbell",
               "inotify_init1", "inotify_add_watch", "read.inotify", "epoll_create1", "epoll_ctl",
               "epoll_wait", "poll", "signalfd", "socket", "connect", "send.socket", "recv.socket",
               "curl_multi_add_handle",
               "curl_multi_socket_action", "curl_multi_remove_handle", "mdb_reader_check"],
    # A sender with a parent, which starts another after a second.
    "child": ["send.socket", "recv.socket", "fcntl.senders"],
    "supervisor": ["signalfd", "fork", "poll", "read.[signalfd]", "waitpid"],
    "replay": ["mdb_env_open", "mdb_txn_begin.read", "mdb_txn_begin.write", "mdb_put", "mdb_del",
               "mdb_cursor_open", "mdb_txn_commit", "writev.data.mdb", "fdatasync.data.mdb",
               "pwrite.data.mdb", "pwrite.doorbell"],
    "purge": ["mdb_txn_begin.read", "mdb_txn_begin.write", "mdb_put", "mdb_del", "mdb_cursor_open",
              "mdb_txn_commit",
              "writev.data.mdb", "fdatasync.data.mdb", "pwrite.data.mdb", "pwrite.doorbell"],
    # A role is a process, and what it is about; these have their scenes in scenes.py. Backups are
    # files whose names tell the time.
    "purge.waiting": ["mkdir", "open", "write", "fsync", "fsync.purged", "mdb_txn_begin.write",
                      "mdb_put", "mdb_del",
                      "mdb_txn_commit", "fdatasync.data.mdb", "fflush.stdout"],
    "purge.plan": ["fsync", "mdb_txn_begin.write", "mdb_put", "mdb_del", "mdb_txn_commit",
                   "fdatasync.data.mdb"],
    "replay.later": ["mdb_txn_begin.write", "mdb_put", "mdb_txn_commit", "fdatasync.data.mdb",
                     "fflush.stdout"],
    "jobs.pause": ["mdb_txn_begin.write", "mdb_put", "mdb_txn_commit", "fdatasync.data.mdb",
                   "fflush.stdout"],
    "jobs.cancel": ["mdb_txn_begin.write", "mdb_put", "mdb_txn_commit", "fdatasync.data.mdb"],
    "import": ["open.import.ndjson", "read.import.ndjson", "mdb_txn_begin.write", "mdb_put",
               "mdb_txn_commit", "writev.data.mdb", "fdatasync.data.mdb", "pwrite.data.mdb",
               "pwrite.doorbell", "fflush.stdout"],
    "backup": ["mkdir", "open.data.mdb.part", "mdb_env_copyfd2", "read.pipe", "write.data.mdb.part",
               "fsync.data.mdb.part", "rename", "fsync", "fflush.stdout"],
    "metrics.file": ["open", "write", "fsync", "rename"],
    "sender.job": ["mdb_txn_begin.write", "mdb_put", "mdb_del", "mdb_txn_commit",
                   "fdatasync.data.mdb", "pwrite.data.mdb"],
    "sender.expire": ["mdb_txn_begin.write", "mdb_put", "mdb_del", "mdb_txn_commit",
                      "fdatasync.data.mdb", "pwrite.data.mdb"],
    "hold": ["mdb_txn_begin.write", "mdb_put", "mdb_del", "mdb_txn_commit", "fdatasync.data.mdb"],
    "release": ["mdb_txn_begin.write", "mdb_put", "mdb_txn_commit", "fdatasync.data.mdb",
                "pwrite.doorbell"],
    # The worker of `runpost serve`, and the process above it.
    "door": ["signalfd", "mdb_env_open", "mdb_txn_begin.read", "mdb_txn_begin.write", "mdb_put",
             "mdb_txn_commit", "mdb_cursor_open", "writev.data.mdb", "fdatasync.data.mdb",
             "pwrite.data.mdb", "pwrite.doorbell", "open.door", "open.rejects", "writev.rejects",
             "fdatasync.rejects", "eventfd", "epoll_create1", "epoll_ctl", "epoll_wait", "accept4",
             "recv.socket", "send.socket", "sendto", "recvfrom", "getrandom"],
    "serve": ["socket", "signalfd", "fork", "poll", "read.[signalfd]", "waitpid"],
}
QUICK_EACH = 4  # of a name's calls, spread evenly
QUICK_EACH_OF = {"door": 1, "serve": 1}
# Doors with one mistake each (mutants/): where they are killed, {} being one of the last calls, and
# the violation that must show.
MUTANTS = {"door_answers_first": ("door:mdb_txn_commit:before:{}:kill", "had a receipt with"),
           "door_answers_once": ("count", "is never answered"),
           "door_second_id": ("count", "had a receipt with")}
MUTANT_CALLS = 9


def process_of(role):
    return "sender" if role == "child" else role.partition(".")[0]


class Point:
    def __init__(self, role, call, when, n):
        self.role, self.call, self.when, self.n = role, call, when, n

    def __str__(self):
        return f"{self.role}:{self.call}:{self.when}:{self.n}"

    def fault(self):
        return f"{process_of(self.role)}:{self.call}:{self.when}:{self.n}:kill"


# --- scenes: prepare, run the role with a fault, check

def new_lines(bench, n):
    lines = [run_line(i, bench.url("ab"[i % 2]), pad=(i % 3) * 1500) for i in range(n)]
    lines.insert(2, (b"no run at all", None))
    bench.offer(lines)


def init(bench, fault):
    bench.reset()
    done = bench.run("runpost", "init", fault=fault)
    bench.must("runpost", "init")
    new_lines(bench, 3)
    bench.ingest()
    return done.code


def ingest(bench, fault):
    bench.reset()
    new_lines(bench, 5)
    rejects = bench.folder / "rejects"
    rejects.unlink(missing_ok=True)
    done, receipts = bench.ingest(fault=fault, options=("--rejects", rejects))
    if (any(r["status"] == "rejected" for r in receipts)
            and b"no run at all\n" not in rejects.read_bytes()):
        raise Violation("a line was told rejected before it was in the rejects file")
    again, receipts = bench.ingest(options=("--rejects", rejects))
    if again.code != 1 or len(receipts) != 6:
        raise Violation(f"sent again: {again}")
    return done.code


def deliver(bench, fault, *options):
    bench.reset()
    new_lines(bench, 4)
    bench.ingest(step=5)
    return bench.run("runpost", "send", "--drain", *options, fault=fault).code


def alone(bench, fault):
    return deliver(bench, fault, "--in-flight", "2")


def supervised(bench, fault):
    return deliver(bench, fault, "--senders", "2")


def child(bench, fault):
    """Its parent drains the rest all the same."""
    code = supervised(bench, fault)
    if code != 0:
        raise Violation(f"a parent whose child was killed ended with {code}")
    if bench.stats()["entries"]["waiting"] != 0:
        raise Violation("a parent whose child was killed ended before all was delivered")
    return -9


def change(verb):
    def scene(bench, fault):
        bench.reset()
        new_lines(bench, 4)
        bench.ingest(step=5)
        delivers = verb in ("replay", "purge")
        if delivers:
            bench.must("runpost", "send", "--drain")
        if verb == "release":
            bench.must("runpostctl", "hold", "--state", "waiting", "--yes")
        state = "delivered" if delivers else "held" if verb == "release" else "waiting"
        code = bench.run("runpostctl", verb, "--state", state, "--yes", fault=fault).code
        bench.check_sound()
        if verb == "hold":
            bench.must("runpostctl", "release", "--state", "held,waiting", "--yes")
        elif verb != "replay":
            bench.must("runpostctl", verb, "--state", state, "--yes")
        return code
    return scene


def door(bench, fault):
    """The scene waits for the worker that comes next, or does not; so it tells how that one ended
    that was killed."""
    done = doors.scene(bench, fault)
    return -9 if (-1, 9) in done.worker_ends else done.code


SCENES = {"init": init, "door": door, "serve": door, "ingest": ingest, "sender": alone,
          "child": child, "supervisor": supervised,
          "replay": change("replay"),
          "purge": change("purge"), "hold": change("hold"), "release": change("release")}
OTHERS = {role: scene
          for role, scene in {**scenes.CHANGES, **scenes.LOOKS}.items() if role in POINTS}
SCENES.update({role: (lambda scene: lambda bench, fault: scene(bench, fault).code)(scene)
               for role, scene in OTHERS.items()})


def settle(bench, role):
    if role in OTHERS:
        return  # the scene did
    purged = set(bench.acked.values()) if role == "purge" else ()
    entries = bench.settle(purged)
    if len(entries) != (0 if role == "purge" else len(bench.payloads)):
        raise Violation(f"{len(entries)} entries of {len(bench.payloads)} runs")


def points_of(lab, bench, role):
    (supervised if role == "child" else SCENES[role])(bench, "count")
    counts = bench.counts()[process_of(role)]
    settle(bench, role)
    found = []
    for call in POINTS[role]:
        every = range(1, max(counts[call], 1) + 1)
        step = -(-len(every) // QUICK_EACH_OF.get(role, QUICK_EACH)) if lab.quick else 1
        found += [Point(role, call, when, n) for n in every[::step] for when in ("before", "after")]
    return found


def is_found(lab, name):
    """Whether a door with this mistake breaks a promise that the scene looks for."""
    fault, words = MUTANTS[name]
    bench = Mistaken(lab, name, "serve", lab.work / f"bench-{name}" / "runpost")
    bench.program.symlink_to(lab.bin / "torture/faults/mutants" / name)  # a fault looks at the name
    bench.limit_s = 3
    try:
        for n in range(MUTANT_CALLS, 0, -1):
            try:
                door(bench, fault.format(n))
                settle(bench, "door")
            except Violation as why:
                print(f"mutant {name}: {why}"[:400], flush=True)
                if words in str(why):
                    return True
    finally:
        bench.close()
    return False


def main():
    lab = Lab(__doc__, in_memory=True)
    points, hits, lost, lock = [], collections.Counter(), collections.Counter(), lab.lock
    lab.each(POINTS, lambda bench, role: points.extend(points_of(lab, bench, role)), workers=1)

    def one(bench, point):
        # A run takes its own course: where calls depend on time,
        # the n-th may not come. It gets another try.
        for _ in range(2):
            code = SCENES[point.role](bench, point.fault())
            hit = bench.hits()
            settle(bench, point.role)
            if hit:
                break
        with lock:
            hits[point.role, point.call, point.when] += len(hit)
            lost[point.role] += not hit
        if hit and point.role != "ingest" and code != -9:
            raise Violation(f"it was killed and ended with {code}")

    lab.each(sorted(points, key=str), one, workers=3)
    for name in MUTANTS:
        if is_found(lab, name):
            lab.add(passed=1)
        else:
            lab.violation(name, "the scene of the door did not find this mistake")
    if lab.only is None:
        for role, calls in POINTS.items():
            for call in calls:
                for when in ("before", "after"):
                    if hits[role, call, when] == 0:
                        lab.violation(f"{role}:{call}:{when}", "this point was never hit")
    kills = sum(hits.values())
    print(json.dumps({"points": len(points), "hit": kills, "not reached again": dict(lost)}))
    lab.finish(f"{len(hits)} named points in {len(POINTS)} roles, {kills} kills at them; "
               f"{len(MUTANTS)} mutants",
               kills=kills)


if __name__ == "__main__":
    main()
