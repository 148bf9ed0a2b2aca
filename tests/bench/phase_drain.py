"""Ingest fills an outbox beside a bare LMDB table; a sender drains it
beside a bare libcurl loop."""

import math
import time

import harness

TABLE = [
    ("ingest", "ingest_per_s", "/s", 0, None),
    ("  bare LMDB append of the same bytes", "bare_append_per_s", "/s", 0, None),
    ("  ratio", "ingest_ratio", "", 2, (">=", 0.7)),
    ("  CPU a webhook", "ingest_cpu_us", "us", 1, None),
    ("  CPU a webhook, bare", "bare_append_cpu_us", "us", 1, None),
    ("  commits a webhook", "ingest_commits", "", 4, ("<", 0.05)),
    ("drain of a backlog, signed", "drain_per_s", "/s", 0, None),
    ("  bare libcurl loop", "bare_post_per_s", "/s", 0, None),
    ("  ratio", "drain_ratio", "", 2, (">=", 0.6)),
    ("  CPU a webhook", "drain_cpu_us", "us", 1, None),
    ("  CPU a webhook, bare", "bare_post_cpu_us", "us", 1, None),
    ("  CPU a webhook, receiver", "sink_cpu_us", "us", 1, None),
    ("  commits a webhook", "drain_commits", "", 4, ("<", 0.05)),
]


def run(bench):
    """Ingest fills an outbox; the same bytes go into a bare LMDB table; a sender drains the outbox;
    a bare libcurl loop posts the same bytes."""
    n = bench.args.entries
    port = harness.free_port()
    url = f"http://127.0.0.1:{port}/hook?token=s3cret"
    config = bench.config("drain")
    outbox = bench.new_outbox("outbox", config)
    lines_file = harness.make_lines(bench, [url], n)
    commits = bench.stats(outbox)["commits"]

    span = harness.Span()
    ingest, load, report = harness.feed(bench, outbox, config, [url], n)
    result = {"ingest_noise_cores": span.noise(ingest, load)}
    stats = bench.expect(outbox, waiting=n)
    ingest_commits = stats["commits"] - commits
    result["ingest_per_s"] = report["lines"] / (report["end_us"] - report["start_us"]) * 1e6
    result["ingest_cpu_us"] = ingest.cpu_us / n
    result["ingest_commits"] = ingest_commits / n
    result["bare_append_per_s"], result["bare_append_cpu_us"] = harness.bare_append(
        bench, lines_file, math.ceil(n / ingest_commits))
    result["ingest_ratio"] = result["ingest_per_s"] / result["bare_append_per_s"]

    span = harness.Span()
    sink = bench.sink(port, "--exit-after", n)
    start_s = time.monotonic()
    sender = harness.send(bench, outbox, config, "--drain")
    result["drain_per_s"] = n / (sink.finish() - start_s)
    sender.finish()
    result["drain_noise_cores"] = span.noise(sender, sink)
    stats = bench.expect(outbox, delivered=n)
    result["drain_cpu_us"] = sender.cpu_us / n
    result["drain_commits"] = (stats["commits"] - commits - ingest_commits) / n
    result.update(harness.bare_post(bench, lines_file, url, port, n))
    result["drain_ratio"] = result["drain_per_s"] / result["bare_post_per_s"]
    return result
