"""Ingest and delivery at once, beside a bare libcurl loop; and what a sender keeps of its drain
rate while ingest floods."""

import statistics
import time

import harness

FLOOD = 200  # times as many lines as are drained: it is killed when those are there

TABLE = [
    ("ingest and delivery at once", "both_per_s", "/s", 0, None),
    ("  ratio to the bare libcurl loop", "both_ratio", "", 2, (">=", 0.5)),
    ("  CPU a webhook, all processes", "both_cpu_us", "us", 1, ("<", 50)),
    ("  commits a webhook", "both_commits", "", 4, ("<", 0.05)),
    ("drain while ingest floods, share kept", "both_flood_share", "", 2, (">=", 0.6)),
]


def drain(bench, config, url, port, flooded):
    """From the sender's start to the arrival of as many as its backlog had; of a flood's own some
    may be among them."""
    n, outbox = bench.args.entries, bench.new_outbox("outbox", config)
    harness.feed(bench, outbox, config, [url], n)
    sink, flood = bench.sink(port, "--exit-after", n), ()
    if flooded:
        flood = harness.start_feed(bench, outbox, config, [url], FLOOD * n)
        harness.wait_until(lambda: bench.stats(outbox)["entries"]["waiting"] > n, "the flood")
    start_s = time.monotonic()
    sender = harness.send(bench, outbox, config)
    rate = n / (sink.finish() - start_s)
    if any(process.is_over() for process in flood):
        raise harness.Trouble("the flood was over too early")
    for process in flood:  # the second may die of the first one's end
        process.kill()
        process.wait()
    harness.stop(sender)
    return rate


def together(bench, config, url, port):
    """From the first line in to the last arrival."""
    n = bench.args.entries
    outbox = bench.new_outbox("outbox", config)
    lines_file = harness.make_lines(bench, [url], n)
    before = bench.stats(outbox)["commits"]

    span = harness.Span()
    sink = bench.sink(port, "--exit-after", n)
    sender = harness.send(bench, outbox, config)
    ingest, load, report = harness.feed(bench, outbox, config, [url], n)
    end_s = sink.finish()
    harness.stop(sender)
    result = {"both_noise_cores": span.noise(sender, sink, ingest, load)}
    stats = bench.expect(outbox, delivered=n)
    result["both_per_s"] = report["lines"] / (end_s - report["start_us"] / 1e6)
    result["both_cpu_us"] = (ingest.cpu_us + sender.cpu_us) / n
    result["both_commits"] = (stats["commits"] - before) / n
    result["both_ratio"] = (result["both_per_s"]
                            / harness.bare_post(bench, lines_file, url, port, n)["bare_post_per_s"])
    return result


def run(bench):
    port = harness.free_port()
    url = f"http://127.0.0.1:{port}/hook?token=s3cret"
    config = bench.config("both")
    result = together(bench, config, url, port)
    before, beside, after = (drain(bench, config, url, port, flooded)
                             for flooded in (False, True, False))
    result["both_flood_share"] = beside / statistics.mean([before, after])
    return result
