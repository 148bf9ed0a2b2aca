"""Ingest and delivery at once, beside a bare libcurl loop."""

import harness

TABLE = [
    ("ingest and delivery at once", "both_per_s", "/s", 0, None),
    ("  ratio to the bare libcurl loop", "both_ratio", "", 2, (">=", 0.5)),
    ("  CPU a webhook, all processes", "both_cpu_us", "us", 1, ("<", 50)),
    ("  commits a webhook", "both_commits", "", 4, ("<", 0.05)),
]


def run(bench):
    """Ingest and delivery at once: from the first line in to the last arrival."""
    n = bench.args.entries
    port = harness.free_port()
    url = f"http://127.0.0.1:{port}/hook?token=s3cret"
    config = bench.config("both")
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
