"""While one endpoint is flooded, runs for another one at a steady rate:
how long until each arrives."""

import harness

RATE = 200
FLOOD = (150_000, 1_000_000)  # lines, quick and with --full

TABLE = [
    (f"beside a flood, at {RATE}/s: receipt to arrival, p50", "flood_p50_ms", "ms", 1, None),
    ("  p99", "flood_p99_ms", "ms", 1, ("<", 100)),
    ("  line in to receipt, p50", "flood_receipt_p50_ms", "ms", 1, None),
    ("  line in to receipt, p99", "flood_receipt_p99_ms", "ms", 1, None),
    ("  line in to receipt, longest", "flood_receipt_max_ms", "ms", 1, None),
    ("  flood, ingested meanwhile", "flood_per_s", "/s", 0, None),
]


def run(bench):
    """Two ingesters, one sender, a receiver each. Only runs whose line came while the
    flood was coming in count."""
    flood, port, quiet_port = FLOOD[bench.args.full], harness.free_port(), harness.free_port()
    config = bench.config("flood", in_flight=None)
    outbox = bench.new_outbox("outbox", config)
    record, stamps = bench.dir / "record", bench.dir / "stamps"
    record.unlink(missing_ok=True)
    span, started = harness.Span(), len(bench.running)
    sinks = [bench.sink(port), bench.sink(quiet_port, "--record", record)]
    sender = harness.send(bench, outbox, config)
    ingest, load = harness.start_feed(bench, outbox, config, [f"http://127.0.0.1:{port}/flood"],
                                      flood)
    runs = []
    while not load.is_over():  # a second at a time
        harness.feed(bench, outbox, config, [f"http://127.0.0.1:{quiet_port}/quiet"], RATE,
                     "--rate", RATE, "--stamps", stamps, "--seed", len(runs) + 1)
        runs += harness.read_stamps(stamps)
    report = harness.finish_feed(ingest, load, flood)
    harness.wait_until(lambda: len(record.read_text().splitlines()) >= len(runs),
                       "arrival of the quiet endpoint's runs")
    for process in [sender, *sinks]:
        harness.stop(process)
    noise = span.noise(*bench.running[started:])
    arrivals = harness.read_arrivals(record)
    runs = [run for run in runs if report["start_us"] < run[1] < report["end_us"]]
    if len(runs) < RATE / 2:
        raise harness.Trouble(
            f"the flood was over after {len(runs)} runs of the quiet endpoint; make it longer")
    waits = sorted((arrivals[webhook_id] - receipt_us) / 1000 for webhook_id, _, receipt_us in runs)
    receipts = sorted((receipt_us - sent_us) / 1000 for _, sent_us, receipt_us in runs)
    return {"flood_p50_ms": harness.percentile(waits, 0.5),
            "flood_p99_ms": harness.percentile(waits, 0.99), "flood_max_ms": waits[-1],
            "flood_runs": len(runs), "flood_receipt_p50_ms": harness.percentile(receipts, 0.5),
            "flood_receipt_p99_ms": harness.percentile(receipts, 0.99),
            "flood_receipt_max_ms": receipts[-1], "flood_noise_cores": noise,
            "flood_per_s": report["lines"] / (report["end_us"] - report["start_us"]) * 1e6}
