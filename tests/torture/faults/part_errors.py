#!/usr/bin/env python3
"""Each call that may fail does, once and from then on for ever: no signal, no hang, no loss,
and all drains afterwards."""
# torture: budget_s=500 quick_budget_s=100 cores=1
import collections
import re
import signal

import doors
import scenes
from lab import Lab, Violation, run_line, whole_lines

# call -> (errors, when it may fail, whether also for ever). EINTR for ever is no error
# but a call that never comes back. "after": it was done, and says that it was not:
# what LMDB commits then counts, and nobody knows.
ERRORS = {
    "write": ("EIO ENOSPC short", "before", True),
    "writev": ("EIO ENOSPC short", "before", True),
    "pwrite": ("EIO ENOSPC short", "before", True),
    "fdatasync": ("EIO ENOSPC", "before after", True),
    "fsync": ("EIO", "before", True),
    "flock": ("ENOLCK", "before", True),
    "ftruncate": ("EIO ENOSPC", "before", True),
    "open": ("EIO EMFILE EACCES ENOSPC", "before", True),
    "fwrite": ("EIO", "before", True),
    "fflush": ("ENOSPC", "before", True),
    "rename": ("EIO ENOSPC", "before", True),
    "mkdir": ("ENOSPC EACCES", "before", True),
    "read": ("EIO", "before", True),
    "pread": ("EIO", "before", True),
    "mmap": ("ENOMEM", "before", True),
    "getrandom": ("ENOSYS", "before", True),
    "epoll_create1": ("EMFILE", "before", True),
    "epoll_ctl": ("ENOMEM", "before", True),
    "socket": ("EMFILE ENOMEM", "before", True),
    "socketpair": ("EMFILE", "before", True),
    "inotify_init1": ("EMFILE", "before", True),
    "inotify_add_watch": ("ENOSPC", "before", True),
    "signalfd": ("EMFILE", "before", True),
    "send": ("EPIPE EIO short", "before", True),
    "recv": ("EIO", "before", True),
    "fcntl": ("EIO", "before", True),
    "fstatvfs": ("EIO", "before", True),
    "fstatat": ("EIO", "before", True),
    "opendir": ("EMFILE", "before", True),
    "fopen": ("EMFILE", "before", True),
    "poll": ("ENOMEM", "before", True),
    "fork": ("EAGAIN", "before", False),
    "accept4": ("EMFILE ECONNABORTED ENOMEM", "before", True),
    "eventfd": ("EMFILE", "before", True),
    "sendto": ("ENOBUFS", "before", True),
    "recvfrom": ("ENOBUFS", "before", True),
}
INTERRUPTED = ("write", "writev", "read", "poll", "getrandom", "epoll_wait", "send", "recv",
               "fcntl", "flock", "waitpid", "open")
AFTER_TOO = {"pwrite": "EIO", "writev": "EIO"}
# Memory asked for by these is asked for in the course of a start,
# thousands of times in the same way.
RARELY = {"malloc.libcrypto": 61, "malloc.libjansson": 7, "malloc.libp11-kit": 23,
          "malloc.libgcrypt": 23}
LOOKS_RARELY = 3  # and so do all that only look
QUICK_EACH = 2
QUICK_ONE_OF = 5  # and of those, of the inspector's newer verbs and the door
DOORS = ("door", "serve")

CHANGERS = {"replay": ["--state", "delivered", "--yes"], "purge": ["--state", "delivered", "--yes"],
            "hold": ["--state", "waiting", "--yes"], "release": ["--state", "held", "--yes"],
            "pause": ["127.0.0.1*"], "resume": ["127.0.0.1*"]}
# What a sender does beside sending is about the store: what else may fail in it
# fails in the role "sender".
OF_THE_STORE = re.compile(
    r"(writev|pwrite|fdatasync|ftruncate|pread|mmap|open|malloc\.(program|liblmdb))$")


def process_of(role):
    """A role is a process, and what it is about: purge.plan."""
    return role.partition(".")[0]


class Fault:
    def __init__(self, role, call, when, n, error, for_ever):
        self.role, self.call, self.when, self.n = role, call, when, n
        self.error, self.for_ever = error, for_ever

    def __str__(self):
        return f"{self.role}:" + self.what()

    def spec(self):
        return f"{process_of(self.role)}:" + self.what()

    def what(self):
        return f"{self.call}:{self.when}:{self.n}{'+' * self.for_ever}:{self.error}"


# libcurl 7.88.1 divides by zero where it finds no memory for a table of sockets. That is its own,
# and a sender that ends so is one that was killed: what must hold then is checked all the same.
crashes = []


def new_lines(bench, n):
    lines = [run_line(i, bench.url("ab"[i % 2]), pad=(i % 3) * 1500) for i in range(n)]
    lines.insert(1, (b"no run at all", None))
    bench.offer(lines)


def ended_well(done, fault):
    """74 and 75 make a supervisor try again. 78 would make it give up; that and 77 are for what was
    refused. doctor tells what it finds as 0, 1 and 2."""
    good = ({0, 1, 74, 75} | ({77, 78} if "EACCES" in fault else set())
            | ({2} if done.argv[1] == "doctor" else set()))
    if "malloc.libcurl" in fault and done.code == -signal.SIGFPE:
        crashes.append(fault)
    elif done.code not in good:
        raise Violation(str(done))
    return done


# --- scenes: run the role with the fault, then without, then check

def init(bench, fault):
    bench.reset()
    ended_well(bench.run("runpost", "init", fault=fault), fault)
    bench.must("runpost", "init")
    new_lines(bench, 2)
    bench.ingest(step=3)
    bench.settle()


def ingest(bench, fault):
    bench.reset()
    new_lines(bench, 3)
    rejects = bench.folder / "rejects"
    rejects.unlink(missing_ok=True)
    done, receipts = bench.ingest(fault=fault, options=("--rejects", rejects))
    ended_well(done, fault)
    if (any(r["status"] == "rejected" for r in receipts)
            and b"no run at all\n" not in rejects.read_bytes()):
        raise Violation("a line was told rejected before it was in the rejects file")
    if len(receipts) < 4 and done.code in (0, 1):
        raise Violation(f"receipts are missing, and yet: {done}")
    again, receipts = bench.ingest(step=4, options=("--rejects", rejects))
    if again.code != 1 or len(receipts) != 4:
        raise Violation(f"sent again: {again}")
    if len(bench.settle()) != 3:
        raise Violation("not each run is there once")


def deliver(bench, fault, *options):
    bench.reset()
    new_lines(bench, 3)
    bench.ingest(step=4)
    ended_well(bench.run("runpost", "send", "--drain", *options, fault=fault), fault)
    # What a fault for ever made fail until nothing was left of its retries is dead by now,
    # and nothing else is; or it is when the receiver has refused it once, as it does with
    # each place's first request.
    bench.must("runpost", "send", "--drain")
    for entry in bench.entries():
        if entry["state"] == "dead" and entry["cause"] != "exhausted":
            raise Violation(f"dead of {entry['cause']}: {entry['attempt_log']}")
    bench.must("runpostctl", "replay", "--state", "dead", "--yes")
    # libcurl sends again by itself, up to five times, where a connection that it had
    # kept ends without a byte.
    extra = 15 if ":recv:" in fault or ":send:" in fault or "socket" in fault else 0
    if len(bench.settle(extra=extra)) != 3:
        raise Violation("not each run is there once")


def supervised(bench, fault):
    deliver(bench, fault, "--senders", "2")


def change(verb):
    def scene(bench, fault):
        bench.reset()
        new_lines(bench, 3)
        bench.ingest(step=4)
        if "delivered" in CHANGERS[verb]:
            bench.must("runpost", "send", "--drain")
        for first, then in (("hold", "release"), ("pause", "resume")):
            if verb == then:
                bench.must("runpostctl", first, *CHANGERS[first])
        done = ended_well(bench.run("runpostctl", verb, *CHANGERS[verb], fault=fault), fault)
        stats = bench.check_sound()
        if done.code == 0 and not says_the_truth(bench, verb, stats["entries"]):
            raise Violation(f"it says that it is done, and {stats}")
        bench.must("runpostctl", "release", "--state", "held,waiting", "--yes")
        bench.run("runpostctl", "resume", *CHANGERS["resume"])  # after a purge there is none
        bench.settle(set(bench.acked.values()) if verb == "purge" else ())
    return scene


def says_the_truth(bench, verb, counts):
    if verb in ("pause", "resume"):
        endpoints = whole_lines(bench.must("runpostctl", "endpoints", "--json").out)
        return all(e["paused"] == (verb == "pause") for e in endpoints if e["level"] == "path")
    return {"replay": counts["waiting"], "purge": counts["purged"], "hold": counts["held"],
            "release": counts["waiting"]}[verb] == 3


# Where these fail, so may the sentence that tells of it.
TELLS = re.compile(r"(write|poll|malloc)\b")


def door(bench, fault):
    """A door goes on, or its worker ends with a sentence and is started again."""
    done = ended_well(doors.scene(bench, fault, kind=True), fault)
    for code, number in done.worker_ends:
        if code not in {0, 74, 75} | ({77, 78} if "EACCES" in fault else set()):
            raise Violation(f"a worker ended with {code}, signal {number}: {done}")
        call = fault.partition(":")[2]
        if code != 0 and " ev=failed " not in done.err and not TELLS.match(call):
            raise Violation(f"a worker ended with {code} and says nothing: {done}")
    if len(bench.settle()) != len(bench.payloads):
        raise Violation("not each run is there once")


def judged(scene):
    return lambda bench, fault: ended_well(scene(bench, fault), fault)


SCENES = {"init": init, "ingest": ingest, "sender": deliver, "supervisor": supervised,
          "door": door, "serve": door,
          **{verb: change(verb) for verb in CHANGERS},
          **{role: judged(scene) for role, scene in scenes.CHANGES.items()},
          **{role: judged(scene) for role, scene in scenes.LOOKS.items()}}


def every(n, step):
    return sorted({*range(1, n + 1, step), n})


def faults_of(lab, bench, role):
    """All that can go wrong in one run of the role."""
    bench.reset()
    if role in scenes.LOOKS:
        SCENES[role](bench, "") # so that the run that is counted finds what all others will
    SCENES[role](bench, "count")
    for call, n in bench.counts()[process_of(role)].items():
        if role in ("sender.job", "sender.expire") and not OF_THE_STORE.match(call):
            continue
        base = call.partition(".")[0]
        if base == "malloc" and "." in call:
            rarely = RARELY.get(call, LOOKS_RARELY if role in scenes.LOOKS else 1)
            numbers = every(n, rarely if not lab.quick else -(-n // QUICK_EACH))
            for i in numbers:
                yield Fault(role, call, "before", i, "ENOMEM", False)
                yield Fault(role, call, "before", i, "ENOMEM", True)
        if "." in call:
            continue
        numbers = every(n, -(-n // QUICK_EACH) if lab.quick else 1)
        errors, whens, for_ever = ERRORS.get(base, ("", "", False))
        for i in numbers:
            for when in whens.split():
                # What only looks goes the same ways whatever the error is.
                looks = role in scenes.LOOKS
                for error in [lab.random.choice(errors.split())] if looks else errors.split():
                    yield Fault(role, call, when, i, error, False)
                    if for_ever:
                        yield Fault(role, call, when, i, error, True)
            if base in AFTER_TOO:
                yield Fault(role, call, "after", i, AFTER_TOO[base], False)
            if base in INTERRUPTED:
                yield Fault(role, call, "before", i, "EINTR", False)


def main():
    lab = Lab(__doc__, in_memory=True)
    jobs, hits = [], collections.Counter()

    def collect(bench, role):
        found = list(faults_of(lab, bench, role))
        if lab.quick and (role in scenes.LOOKS or role in scenes.CHANGES or role in DOORS):
            found = lab.random.sample(found, len(found) // QUICK_ONE_OF)
        jobs.extend(found)

    lab.each(SCENES, collect, workers=1)

    def one(bench, fault):
        bench.configure(ingest={"full_wait": "20ms"},
                        defaults={"retry_attempts": "3", "timeout": "500ms"})
        SCENES[fault.role](bench, fault.spec())
        with lab.lock:
            hits[fault.role, re.sub(r"\..*", "", fault.call)] += 1

    lab.each(jobs, one, workers=3)
    lab.finish(f"{len(jobs)} faults in {len(SCENES)} roles, at {len(hits)} kinds of calls; "
               f"{len(crashes)} crashes inside libcurl", faults=len(jobs))


if __name__ == "__main__":
    main()
