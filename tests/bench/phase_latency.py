"""Runs at a steady rate: how long until each arrives."""

import harness

LATENCY_RATE = 200

TABLE = [
    (f"receipt to arrival at {LATENCY_RATE}/s, p50", "latency_p50_ms", "ms", 2, ("<", 1)),
    ("  p99", "latency_p99_ms", "ms", 2, ("<", 4)),
    ("  line in to arrival, p50", "line_p50_ms", "ms", 2, None),
    ("  line in to arrival, p99", "line_p99_ms", "ms", 2, None),
    ("  CPU a webhook, all processes", "latency_cpu_us", "us", 0, None),
    ("  commits a webhook", "latency_commits", "", 2, None),
]


def run(bench):
    """Runs at a steady rate: from the moment the engine can have its receipt to the arrival,
    and from the line itself."""
    n = LATENCY_RATE * bench.args.latency_seconds
    port = harness.free_port()
    url = f"http://127.0.0.1:{port}/hook"
    config = bench.config("latency")
    outbox = bench.new_outbox("outbox", config)
    before = bench.stats(outbox)["commits"]
    record, stamps = bench.dir / "record", bench.dir / "stamps"
    record.unlink(missing_ok=True)

    span = harness.Span()
    sink = bench.sink(port, "--exit-after", n, "--record", record)
    sender = harness.send(bench, outbox, config)
    ingest, load, _ = harness.feed(bench, outbox, config, [url], n, "--rate", LATENCY_RATE,
                                   "--stamps", stamps)
    sink.finish()
    harness.stop(sender)
    noise = span.noise(sender, sink, ingest, load)
    arrivals = harness.read_arrivals(record)
    from_receipt, from_line = [], []
    for webhook_id, sent_us, receipt_us in harness.read_stamps(stamps):
        from_line.append((arrivals[webhook_id] - sent_us) / 1000)
        from_receipt.append((arrivals[webhook_id] - receipt_us) / 1000)
    if len(from_line) != n:
        raise harness.Trouble(f"{len(from_line)} of {n} runs have time stamps")
    from_receipt.sort()
    from_line.sort()
    return {"latency_p50_ms": harness.percentile(from_receipt, 0.5),
            "latency_p99_ms": harness.percentile(from_receipt, 0.99),
            "latency_max_ms": from_receipt[-1], "line_p50_ms": harness.percentile(from_line, 0.5),
            "line_p99_ms": harness.percentile(from_line, 0.99),
            "latency_cpu_us": (ingest.cpu_us + sender.cpu_us) / n,
            "latency_commits": (bench.expect(outbox, delivered=n)["commits"] - before) / n,
            "latency_noise_cores": noise}
