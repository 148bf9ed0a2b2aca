"""One, two, four and eight sender processes on the same backlog."""

import shutil
import time

import harness

COUNTS = (1, 2, 4, 8)
LEAST = 100_000  # fewer, and the start of eight processes counts
ENDPOINTS = 8

TABLE = [row for count in COUNTS for row in (
    (f"drain, sender processes: {count}", f"senders_{count}_per_s", "/s", 0, None),
    ("  CPU a webhook", f"senders_{count}_cpu_us", "us", 1, None),
)] + [
    ("two senders to one", "senders_2_to_1", "", 2, (">=", 1.1)),
    ("eight senders to two", "senders_8_to_2", "", 2, (">=", 0.95)),
]


def drain(bench, backlog, config, port, senders, n):
    outbox = bench.fresh("outbox")
    shutil.copytree(backlog, outbox, ignore=shutil.ignore_patterns("lock.mdb"))
    span = harness.Span()
    sink = bench.sink(port, "--exit-after", n)
    start_s = time.monotonic()
    sender = harness.send(bench, outbox, config, "--drain", senders=senders)
    rate = n / (sink.finish() - start_s)
    sender.finish()
    bench.expect(outbox, delivered=n)
    return rate, sender.cpu_us / n, span.noise(sender, sink)


def run(bench):
    port, n = harness.free_port(), max(bench.args.entries, LEAST)
    config = bench.config("senders")
    backlog = bench.new_outbox("backlog", config)
    harness.feed(bench, backlog, config,
                 [f"http://127.0.0.1:{port}/hook-{i}" for i in range(ENDPOINTS)], n)
    result, noises = {}, []
    for count in COUNTS:
        rate, cpu_us, noise = drain(bench, backlog, config, port, count, n)
        result[f"senders_{count}_per_s"], result[f"senders_{count}_cpu_us"] = rate, cpu_us
        noises.append(noise)
    result["senders_2_to_1"] = result["senders_2_per_s"] / result["senders_1_per_s"]
    result["senders_8_to_2"] = result["senders_8_per_s"] / result["senders_2_per_s"]
    result["senders_noise_cores"] = max(noises)
    return result
