#!/usr/bin/env python3
"""The wall clock steps by days, forward and back, between runs and while programs run: no storm,
no stall, nothing lost."""
# torture: budget_s=60 quick_budget_s=40 cores=1
import signal
import struct
import time

from lab import Lab, Violation, run_line, whole_lines

DAY_MS = 86_400_000
DELAY_S = 1.5  # before a retry, where one is looked at
# `retry_base` is what a delay is at least: jitter only adds to it.
KEEP = {"disk_reserve": "1M", "keep_delivered": "0", "keep_dead": "0"}


def set_clock(bench, days):
    bench.clock.write_bytes(struct.pack("=q", int(days * DAY_MS)))


def step_clock(bench, days):
    """Under programs that run: the file stays the same one."""
    with open(bench.clock, "r+b") as clock:
        clock.write(struct.pack("=q", int(days * DAY_MS)))


def new_lines(bench, n, place="ab"):
    bench.offer([run_line(i, bench.url(place[i % len(place)])) for i in range(n)])


def wait_counts(bench, what, limit_s=20, **counts):
    deadline = time.monotonic() + limit_s
    while True:
        now = bench.stats()["entries"]
        if all(now[k] == v for k, v in counts.items()):
            return
        if time.monotonic() > deadline:
            raise Violation(f"waited {limit_s} s in vain for {what}: {now}")
        time.sleep(0.05)


def run(bench, *argv):
    done = bench.run(*argv, fault="clock")
    if done.code != 0:
        raise Violation(str(done))
    return done


def finish(bench, sender):
    sender.send_signal(signal.SIGTERM)
    _, err = sender.communicate(timeout=20)
    if sender.returncode != 0:
        raise Violation(f"a sender ended with {sender.returncode}: {err[-500:]}")
    if b"sender_missing" in err or b"ev=stalled" in err:
        raise Violation(f"a lease was lost: {err[-500:]}")
    return err.decode(errors="replace")


def clock_check(bench):
    """(level, text) of doctor's, by the clock that was set."""
    done = bench.run("runpostctl", "doctor", "--json", fault="clock")
    if done.code not in (0, 1, 2):
        raise Violation(str(done))
    return next((c["level"], c["text"]) for c in whole_lines(done.out) if c["check"] == "clock")


def expect_clock(bench, level, words):
    got = clock_check(bench)
    if got[0] != level or words not in got[1]:
        raise Violation(f"doctor should say {level} and {words!r} of the clock, and says {got}")


def settle(bench, n):
    entries = bench.settle()
    if len(entries) != n:
        raise Violation(f"{len(entries)} of {n} entries")
    for entry in entries.values():
        if any(a["outcome"] == "sender_lost" for a in entry["attempt_log"]):
            raise Violation(f"a claim was lost: {entry['attempt_log']}")


def retry_gaps(bench):
    """Seconds between an entry's attempts, by the receiver's own clock."""
    last, gaps = {}, []
    for request in bench.receiver.record():
        entry, at = request["webhook_id"], request["monotonic_us"] / 1e6
        if entry in last:
            gaps.append(at - last[entry])
        last[entry] = at
    return gaps


def between_runs(bench, days):
    """Accepted, and failed once, by a clock that was `days` ahead (or behind);
    the next run has the right one."""
    set_clock(bench, days)
    new_lines(bench, 6, "a")
    bench.ingest(step=6, fault="clock")
    sender = bench.start("runpost", "send", fault="clock")
    try:
        wait_counts(bench, "the first to fail and the others to come", delivered=5)
        finish(bench, sender)
    finally:
        bench.end(sender)
    set_clock(bench, 0)
    # with no sender, what was written in the future is all there is
    expect_clock(bench, "fail" if days > 0 else "ok", "in the future")
    began = time.monotonic()
    run(bench, "runpost", "send", "--drain")
    expect_clock(bench, "ok", "in the future")
    took_s = time.monotonic() - began
    if took_s > DELAY_S * 1.5 + 4:
        raise Violation(f"the retry came after {took_s:.1f} s")
    gaps = retry_gaps(bench)
    if days > 0 and gaps != [g for g in gaps if g >= DELAY_S * 0.99]:
        raise Violation(f"a retry came after {min(gaps):.2f} s, not {DELAY_S}")
    settle(bench, 6)


def while_waiting(bench, days):
    """The step comes while a retry is waited for."""
    set_clock(bench, 0)
    new_lines(bench, 6, "a")
    bench.ingest(step=6, fault="clock")
    sender = bench.start("runpost", "send", fault="clock")
    try:
        wait_counts(bench, "the first to fail and the others to come", delivered=5)
        expect_clock(bench, "ok", "was not set")
        step_clock(bench, days)
        began = time.monotonic()
        wait_counts(bench, "the retry", delivered=6)
        took_s = time.monotonic() - began
        # a step back has been minded by now, but it is told for an hour
        expect_clock(bench, "warn", "set ahead by" if days > 0 else "set back by")
        log = finish(bench, sender)
    finally:
        bench.end(sender)
    if took_s > DELAY_S * 1.5 + 4:
        raise Violation(f"the retry came after {took_s:.1f} s")
    if days < 0 and min(retry_gaps(bench)) < DELAY_S * 0.99:
        raise Violation(f"a retry came after {min(retry_gaps(bench)):.2f} s, not {DELAY_S}")
    if (days < 0) != ("ev=clock_set_back" in log):
        raise Violation(f"a step by {days} days, and the log says: {log[-500:]}")
    settle(bench, 6)


def no_storm(bench, days):
    """Everything becomes due at once, and the endpoint's rate holds all the same."""
    bench.configure(outbox=KEEP, defaults={"rate": "10/s", "retry_base": "1h", "retry_cap": "1h"})
    set_clock(bench, 0)
    bench.offer([run_line(i, bench.url("a"), not_before="2100-01-01T00:00:00Z") for i in range(25)])
    bench.ingest(step=25, fault="clock")
    sender = bench.start("runpost", "send", fault="clock")
    try:
        time.sleep(0.3)
        if bench.receiver.record():
            raise Violation("sent before its time")
        step_clock(bench, days)
        # The first gets a 503, and is due again in an hour.
        wait_counts(bench, "all but one to come", delivered=24)
        step_clock(bench, days + 1)
        wait_counts(bench, "all to come", delivered=25)
        finish(bench, sender)
    finally:
        bench.end(sender)
    at = sorted(r["monotonic_us"] for r in bench.receiver.record())
    # A second's worth may have been saved up, and each step of the clock fills the bucket once.
    for i, first in enumerate(at):
        many = sum(first <= t < first + 1_000_000 for t in at[i:])
        if many > 10 + 2 * 10 + 1:
            raise Violation(f"{many} requests within a second, at a rate of 10/s")
    settle(bench, 25)


def here_and_there(bench, days):
    """Steps again and again under load, two senders and an ingester."""
    set_clock(bench, 0)
    senders = [bench.start("runpost", "send", "--in-flight", "8", fault="clock") for _ in range(2)]
    try:
        new_lines(bench, 200, "abcdefgh")
        for i in range(20):
            step_clock(bench, (i % 3 - 1) * days * (i + 1) / 20)
            if i == 3:
                bench.ingest(step=20, fault="clock")
            time.sleep(0.15)
        step_clock(bench, 0)
        wait_counts(bench, "all to come", delivered=200)
        for sender in senders:
            finish(bench, sender)
    finally:
        for sender in senders:
            bench.end(sender)
    settle(bench, 200)


def main():
    lab = Lab(__doc__)
    scenes = {f.__name__: f for f in (between_runs, while_waiting, no_storm, here_and_there)}
    jobs = ([("between_runs", d) for d in (10, -10, 0.02, 400)]
            + [("while_waiting", d) for d in (10, -10, -0.02, -400)])
    jobs += [("no_storm", 40_000), ("here_and_there", 30)]

    def one(bench, job):
        bench.configure(outbox=KEEP,
                        defaults={"retry_base": f"{int(DELAY_S * 1000)}ms", "retry_cap": "1h"})
        bench.reset()
        scenes[job[0]](bench, job[1])

    lab.each(jobs, one, workers=4, signed=False)
    lab.finish(f"{len(jobs)} scenes with steps of half an hour to a hundred years")


if __name__ == "__main__":
    main()
