"""Senders beside entries that wait for their time: what they use up while
there is nothing to do."""

import subprocess
import time

import harness

COUNTS = (1, 8)
WAITING = {False: 100_000, True: 1_000_000}  # quick, with --full
SETTLE_S = 2   # to start and to have looked around
WATCH_S = 10   # ten heartbeats, and two looks for entries past their keep time

TABLE = [row for count in COUNTS for row in (
    (f"waking up, sender processes: {count}, each", f"idle_{count}_wakeups_per_s", "/s", 2,
     ("<", 2)),
    ("  CPU, all of them", f"idle_{count}_cpu_share", " %", 2, ("<", 0.5)),
)]


def lines(url, n):
    for i in range(n):
        yield (f'{{"webhook":"{url}","not_before":"2099-01-01T00:00:00Z",'
               f'"run":{{"run_id":"run-{i}","status":"success"}}}}\n')


def fill(bench, outbox, config, url, n):
    """Lines from a file: nobody reads receipts meanwhile."""
    path = bench.dir / "waiting"
    with open(path, "w") as out:
        out.writelines(lines(url, n))
    with open(path) as source:
        bench.start(bench.program("runpost"), "ingest", "--quiet", "--outbox", outbox, "--config",
                    config, stdin=source, stdout=subprocess.DEVNULL).finish()
    path.unlink()
    bench.expect(outbox, waiting=n)


def usage(pids):
    """CPU seconds and voluntary context switches of these processes so far.
    A process that is woken goes to sleep again."""
    cpu_s, switches = 0, 0
    for pid in pids:
        fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
        cpu_s += (int(fields[11]) + int(fields[12])) * harness.TICK_S
        status = open(f"/proc/{pid}/status").read()
        switches += int(status.split("\nvoluntary_ctxt_switches:")[1].split()[0])
    return cpu_s, switches


def watch(bench, outbox, config, senders):
    sender = harness.send(bench, outbox, config, senders=senders)
    time.sleep(SETTLE_S)
    children = [int(pid)
                for pid in open(f"/proc/{sender.pid}/task/{sender.pid}/children").read().split()]
    if len(children) != (senders if senders > 1 else 0):
        raise harness.Trouble(f"{senders} senders have {len(children)} processes: {sender.log()}")
    pids = [sender.pid, *children]
    before = usage(pids)
    time.sleep(WATCH_S)
    after = usage(pids)
    harness.stop(sender)
    return (after[0] - before[0]) / WATCH_S * 100, (after[1] - before[1]) / WATCH_S / senders


def run(bench):
    n = WAITING[bench.args.full]
    config = bench.config("idle")
    outbox = bench.new_outbox("outbox", config)
    fill(bench, outbox, config, f"http://127.0.0.1:{harness.free_port()}/later", n)
    result = {}
    for count in COUNTS:
        result[f"idle_{count}_cpu_share"], result[f"idle_{count}_wakeups_per_s"] = watch(
            bench, outbox, config, count)
    bench.expect(outbox, waiting=n)
    return result
