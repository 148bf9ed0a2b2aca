"""What millions of stored entries cost: rates beside those with ten thousand,
start-up, retention and purge.

Only on request (--only scale): a million entries take a minute or two and 1 GB of disk, ten million
ten times as much (--stored). A third of them is delivered, a third dead, a third waiting at a
paused endpoint; all are small. `stock` puts them there."""

import json
import statistics
import subprocess
import time

import harness

FEW = 10_000
PROBE_BYTES = 300
PROBE_RATE = 200
ROUNDS = 3

TABLE = [
    ("stored entries", "scale_stored", "", 0, None),
    ("  ingest, of the rate with ten thousand", "scale_ingest_share", "", 2, (">=", 0.9)),
    ("  drain, of the rate with ten thousand", "scale_drain_share", "", 2, (">=", 0.9)),
    ("  start and end of ingest with one line", "scale_start_s", "s", 2, ("<", 1)),
    ("  start of a sender to its first delivery", "scale_send_s", "s", 2, ("<", 1)),
    ("  file, bytes a stored entry", "scale_entry_bytes", "", 0, None),
    ("retention, entries removed", "scale_expire_per_s", "/s", 0, None),
    ("  a lone line beside it waits, p99", "scale_expire_p99_ms", "ms", 1, None),
    ("  ... at most", "scale_expire_max_ms", "ms", 1, None),
    ("  longest transaction", "scale_expire_txn_ms", "ms", 1, ("<", 20)),
    ("purge, entries removed", "scale_purge_per_s", "/s", 0, None),
    ("  a lone line beside it waits, p99", "scale_purge_p99_ms", "ms", 1, None),
    ("  ... at most", "scale_purge_max_ms", "ms", 1, None),
    ("  longest transaction", "scale_purge_txn_ms", "ms", 1, ("<", 20)),
    ("  a lone line without either, p99", "scale_calm_p99_ms", "ms", 1, None),
    ("file after filling it again", "scale_file_growth", "", 2, ("<", 1.15)),
]


OUTBOX = ["map_size = 128G", "quota = 64G"]


def stock(bench, *command):
    process = bench.start(bench.program("stock"), *command, stdout=subprocess.PIPE)
    process.finish()
    return json.loads(process.output)


def control(bench, outbox, *command):
    subprocess.run([bench.program("runpostctl"), *command, "--outbox", outbox],
                   stdout=subprocess.DEVNULL, check=True)


def rates(bench, outbox, config):
    """Of ingest and delivery of runs of the usual size, to an endpoint of their own."""
    n, port = bench.args.entries, harness.free_port()
    _, _, report = harness.feed(bench, outbox, config, [f"http://127.0.0.1:{port}/new"], n,
                                "--seed", time.monotonic_ns())
    sink = bench.sink(port, "--exit-after", n)
    start_s = time.monotonic()
    sender = harness.send(bench, outbox, config)
    drained_s = sink.finish() - start_s
    harness.stop(sender)
    return report["lines"] / (report["end_us"] - report["start_us"]) * 1e6, n / drained_s


def start_up(bench, outbox, config):
    port = harness.free_port()
    start_s = time.monotonic()
    harness.feed(bench, outbox, config, [f"http://127.0.0.1:{port}/first"], 1)
    ingest_s = time.monotonic() - start_s
    sink = bench.sink(port, "--exit-after", 1)
    start_s = time.monotonic()
    sender = harness.send(bench, outbox, config)
    send_s = sink.finish() - start_s
    harness.stop(sender)
    return {"scale_start_s": ingest_s, "scale_send_s": send_s}


def probe(bench, outbox, config, name, is_over):
    """How long lone lines wait for their receipts, a second's worth at a time until is_over()."""
    stamps, waits, over = bench.dir / "stamps", [], False
    while not over:
        over = is_over()
        harness.feed(bench, outbox, config, ["http://127.0.0.1:9/probe"], PROBE_RATE, "--bytes",
                     PROBE_BYTES,
                     "--rate", PROBE_RATE, "--stamps", stamps, "--seed", time.monotonic_ns())
        waits += [(receipt_us - sent_us) / 1000
                  for _, sent_us, receipt_us in harness.read_stamps(stamps)]
    waits.sort()
    return {f"scale_{name}_p99_ms": harness.percentile(waits, 0.99),
            f"scale_{name}_max_ms": waits[-1]}


def retire(bench, outbox, stored):
    """Retention removes the delivered and the dead, a purge those that wait.
    Each while lone lines come in."""
    config = bench.config("retire", outbox=[*OUTBOX, "keep_delivered = 1s", "keep_dead = 1s"])
    result = probe(bench, outbox, config, "calm", lambda: True)
    control(bench, outbox, "pause", "http://127.0.0.1:9/probe")
    sender = harness.send(bench, outbox, config)
    start_s, ended_s = time.monotonic(), []

    def is_retired():
        entries = bench.stats(outbox)["entries"]
        ended_s.append(time.monotonic())
        return entries["delivered"] + entries["dead"] == 0

    removed = sum(bench.stats(outbox)["entries"][state] for state in ("delivered", "dead"))
    result |= probe(bench, outbox, config, "expire", is_retired)
    result["scale_expire_per_s"] = removed / (ended_s[-1] - start_s)
    harness.stop(sender)

    start_s = time.monotonic()
    purge = bench.start(bench.program("runpostctl"), "purge", "--endpoint", "*/waiting", "--yes",
                        "--outbox", outbox, stdout=subprocess.DEVNULL)
    result |= probe(bench, outbox, config, "purge", purge.is_over)
    result["scale_purge_per_s"] = stored // 3 / (purge.finish() - start_s)
    return result


def run(bench):
    stored = bench.args.stored // 3 * 3
    span, started = harness.Span(), len(bench.running)
    config, outbox = bench.config("scale", outbox=OUTBOX), bench.fresh("many")
    stock(bench, "fill", outbox, stored)
    result = {"scale_stored": stored,
              "scale_entry_bytes": (outbox / "data.mdb").stat().st_size / stored}
    result |= start_up(bench, outbox, config)
    shares = []
    for _ in range(ROUNDS):
        few = bench.fresh("few")
        stock(bench, "fill", few, FEW)
        shares.append([many / one for many, one in zip(rates(bench, outbox, config),
                                                       rates(bench, few, config))])
    result["scale_ingest_share"], result["scale_drain_share"] = map(statistics.median, zip(*shares))
    before = (outbox / "data.mdb").stat().st_size
    result |= retire(bench, outbox, stored)
    stock(bench, "fill", outbox, stored)
    result["scale_file_growth"] = (outbox / "data.mdb").stat().st_size / before
    control(bench, outbox, "verify")
    times = stock(bench, "retire", outbox)
    for what in ("expire", "purge"):
        result[f"scale_{what}_txn_ms"] = times[what]["max_ms"]
    result["scale_noise_cores"] = span.noise(*bench.running[started:])
    return result
