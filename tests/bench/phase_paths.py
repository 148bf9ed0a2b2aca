"""A healthy host with a path for each webhook, beside the same webhooks under one path of it:
delivery, memory and start of a sender, what the inspector takes, and what a reload costs a receipt.

The one path may have as many requests at once as its host has by default, or it would be held back
by its own limit and not be told apart; the receiver answers at once. The rest is left at its
default."""

import json
import os
import signal
import statistics
import subprocess
import sys
import time

import harness

IN_FLIGHT = 64  # what a host gets by default
PATHS = (50_000, 1_000_000)  # quick, with --full
STARTS = 5
MIB = 1024
VERBS = ("endpoints", "metrics", "doctor")
PROBE_RATE, PROBES, PROBE_BYTES = 200, 600, 300  # lone lines: three seconds of them
RELOADS = 3
LIMIT_S = 600
OUTBOX = ["map_size = 64G", "quota = 32G"]

TABLE = [
    ("one path", "paths_one_per_s", "/s", 0, None),
    ("  as many paths as webhooks, share", "paths_many_share", "", 2, (">=", 0.6)),
    ("  ingest, share", "paths_many_ingest_share", "", 2, None),
    ("memory of a sender, one path", "paths_one_mib", " MiB", 1, None),
    ("  as many paths, more by", "paths_more_mib", " MiB", 1, ("<", 20)),
    ("  ... of it its own", "paths_more_anon_mib", " MiB", 1, None),
    ("start to the first arrival, one path", "paths_one_start_ms", "ms", 1, None),
    ("  as many paths, of it", "paths_start_ratio", "", 2, ("<", 1.1)),
]
for verb in VERBS:
    TABLE += [(f"{verb}, as many paths", f"paths_{verb}_ms", "ms", 0, None),
              ("  memory", f"paths_{verb}_mib", " MiB", 1, None)]
TABLE += [
    ("a lone receipt waits, at most", "paths_calm_max_ms", "ms", 1, None),
    ("  beside reloads", "paths_reload_max_ms", "ms", 1, None),
]



def hooks(bench, port, is_many):
    """The same number of webhooks, for a path each or for one."""
    return (f"http://127.0.0.1:{port}/hook/{n if is_many else 0}"
            for n in range(PATHS[bench.args.full]))


def stored(bench, port, is_many):
    """Returns the outbox, its configuration, and how long ingest took for it."""
    config = bench.config("paths", outbox=OUTBOX, in_flight=IN_FLIGHT)
    outbox = bench.new_outbox("outbox", config)
    return outbox, config, harness.ingest(bench, outbox, config, hooks(bench, port, is_many))


def memory_mib(pid):
    """The most it has had, and the part of what it has now that is its own."""
    status = open(f"/proc/{pid}/status").read()
    return [int(status.split(f"\n{key}:")[1].split()[0]) / MIB for key in ("VmHWM", "RssAnon")]


def first_arrival_s(record):
    """Of those that are recorded from now on."""
    with open(record) as file:
        file.seek(0, os.SEEK_END)
        line = ""

        def is_there():
            nonlocal line
            line += file.readline()
            return line.endswith("\n")

        harness.wait_until(is_there, "the first arrival")
    return json.loads(line)["monotonic_us"] / 1e6


def start_up(bench, outbox, config, record):
    """From a sender's start to the first arrival: the sender, and seconds."""
    start_s = time.monotonic()
    sender = harness.send(bench, outbox, config, senders=1)
    return sender, first_arrival_s(record) - start_s


def drain(bench, is_many):
    """Some senders only start; the last one delivers what they left."""
    port, record, count = harness.free_port(), bench.dir / "record", PATHS[bench.args.full]
    outbox, config, ingest_s = stored(bench, port, is_many)
    record.write_text("")
    sink = bench.sink(port, "--record", record, "--exit-after", count)
    starts_s = []
    for _ in range(STARTS):
        sender, start_s = start_up(bench, outbox, config, record)
        starts_s.append(start_s)
        harness.stop(sender)
    delivered = bench.stats(outbox)["entries"]["delivered"]
    span = harness.Span()
    sender = harness.send(bench, outbox, config, senders=1)
    harness.wait_until(sink.is_over, "all of them", LIMIT_S)
    rate = (count - delivered) / (sink.finish() - span.start_s)
    memory = memory_mib(sender.pid)
    harness.stop(sender)
    bench.expect(outbox, delivered=count)
    return {"rate": rate, "ingest_s": ingest_s, "start_s": statistics.median(starts_s),
            "peak_mib": memory[0], "anon_mib": memory[1], "noise": span.noise(sender, sink)}


# A process counts the memory of who started it as its own: this one is small. No exit code is
# wrong; doctor has findings here.
MEASURE = """
import os, sys, time
start_s = time.monotonic()
_, _, usage = os.wait4(os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ), 0)
print((time.monotonic() - start_s) * 1e3, usage.ru_maxrss, file=sys.stderr)
"""


def measure_verb(bench, outbox, config, verb):
    """(milliseconds, most memory in MiB)"""
    process = bench.start(sys.executable, "-IS", "-c", MEASURE, bench.program("runpostctl"), verb,
                          "--outbox", outbox, "--config", config, stdout=subprocess.DEVNULL)
    process.finish()
    ms, kib = process.log().split()[-2:]
    return float(ms), int(kib) / MIB


def reload(sender, config, number):
    """With another limit, so that it matters to every endpoint."""
    config.write_text(config.read_text().replace(f"in_flight = {IN_FLIGHT + number}\n",
                                                 f"in_flight = {IN_FLIGHT + number + 1}\n"))
    sender.send_signal(signal.SIGHUP)
    harness.wait_until(lambda: sender.log_path.read_text().count("ev=reloaded ") > number,
                       "the reload")


def longest_wait_ms(bench, outbox, during=lambda: None):
    """Of lone receipts, while something is done."""
    stamps, feed_config = bench.dir / "stamps", bench.config("feed", outbox=OUTBOX)
    ingest, load = harness.start_feed(
        bench, outbox, feed_config, ["http://127.0.0.1:9/probe"], PROBES, "--bytes", PROBE_BYTES,
        "--rate", PROBE_RATE, "--stamps", stamps, "--seed", time.monotonic_ns())
    during()
    harness.finish_feed(ingest, load, PROBES)
    return max(receipt_us - sent_us
               for _, sent_us, receipt_us in harness.read_stamps(stamps)) / 1000


def look(bench):
    """What the inspector takes while they all wait, and how a reload of a sender, whose requests
    nobody answers, is felt at ingest."""
    port, result = harness.free_port(), {}
    outbox, config, _ = stored(bench, port, True)
    for verb in VERBS:
        ms, mib = measure_verb(bench, outbox, config, verb)
        result |= {f"paths_{verb}_ms": ms, f"paths_{verb}_mib": mib}
    sink = bench.sink(port, "--never")
    sender = harness.send(bench, outbox, config, senders=1)
    harness.wait_until(lambda: bench.stats(outbox)["entries"]["in_flight"] > 0, "requests")

    def reloads():
        for number in range(RELOADS):
            reload(sender, config, number)

    result["paths_calm_max_ms"] = longest_wait_ms(bench, outbox)
    result["paths_reload_max_ms"] = longest_wait_ms(bench, outbox, reloads)
    harness.stop(sender)
    harness.stop(sink)
    return result


def run(bench):
    """Many paths between two runs with one."""
    one, many, again = (drain(bench, is_many) for is_many in (False, True, False))
    ones = {key: (one[key] + again[key]) / 2 for key in one}
    return {"paths_one_per_s": ones["rate"], "paths_many_share": many["rate"] / ones["rate"],
            "paths_many_ingest_share": ones["ingest_s"] / many["ingest_s"],
            "paths_one_mib": ones["peak_mib"],
            "paths_more_mib": many["peak_mib"] - ones["peak_mib"],
            "paths_more_anon_mib": many["anon_mib"] - ones["anon_mib"],
            "paths_one_start_ms": ones["start_s"] * 1000,
            "paths_start_ratio": many["start_s"] / ones["start_s"],
            "paths_noise_cores": max(one["noise"], many["noise"]), **look(bench)}
