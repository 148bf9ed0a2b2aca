"""A minute (with --full five) over 200 TLS endpoints, a fifth of them in trouble: how long webhooks
for the well ones wait, and whether anything grows.

Two senders, as the unit of docs/examples starts them."""

import os
import statistics
import time

import harness
import real

SECONDS = {False: 60, True: 300}
RATE = 400
WARM_S = 5  # hosts are met for the first time
SENDERS = 2
# Hosts, and what their receivers do; the first two kinds are well. Those that close do so before
# the next webhook comes.
KINDS = {"well": (140, ("--delay-ms", 5)), "close": (20, ("--delay-ms", 5, "--idle-ms", 300)),
         "hang": (20, ("--never",)), "fail": (10, ("--status", 503, "--idle-ms", 1000)),
         "slow": (10, ("--delay-ms", 5000))}
WELL = ("well", "close")
STUCK_S = 5
RETRIES_S = 180  # what fails three times, on a busy machine even at a well host, comes after 105 s
ONCE = True  # it is no comparison: a round is enough

TABLE = [
    ("soak: receipt to arrival at well hosts, p50", "soak_p50_ms", "ms", 1, None),
    ("  p99", "soak_p99_ms", "ms", 1, None),
    ("  p99.9", "soak_p999_ms", "ms", 1, ("<", 50.1)),
    ("  PSS of all processes, most", "soak_pss_mib", " MiB", 1, None),
    ("  RSS of all processes, most", "soak_rss_mib", " MiB", 1, None),
    ("  own memory, last quarter to second", "soak_own_grown", "", 2, ("<", 1.1)),
    ("  descriptors, most", "soak_descriptors", "", 0, None),
    ("  last quarter to second", "soak_descriptors_grown", "", 2, ("<", 1.1)),
    ("  closed by receivers, not by us, most", "soak_close_wait", "", 0, None),
    (f"  ... for {STUCK_S} s and more, most", "soak_stuck", "", 0, ("<", 1)),
    ("  share of reconnects that resumes", "soak_resumed", "", 2, (">=", 0.95)),
    ("  CPU a second, senders and ingest", "soak_cpu_share", " %", 1, None),
]


def sample(place, pids):
    memory = real.memory_kib(pids)
    return {"pss": memory["Pss"] / real.MIB, "rss": memory["Rss"] / real.MIB,
            "own": memory["Anonymous"] / real.MIB,
            "descriptors": sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids),
            "close_wait": place.sockets(real.CLOSE_WAIT)}


def watch(place, load, sender, ingest):
    """A sample a second for as long as lines come, once all senders are there."""
    samples = []
    harness.wait_until(lambda: len(real.tree(sender.pid)) > SENDERS, "senders")
    while not load.is_over():
        samples.append(sample(place, [*real.tree(sender.pid), ingest.pid]))
        time.sleep(1)
    return samples


def grown(values):
    quarter = len(values) // 4
    return statistics.mean(values[-quarter:]) / statistics.mean(values[quarter:2 * quarter])


def waits_ms(stamps, records):
    """From the receipt to the first arrival, of those for well hosts; and how many never came."""
    arrivals = {}
    for record in records:
        arrivals |= harness.read_arrivals(record)
    rows = [row for n, row in enumerate(harness.read_stamps(stamps)) if is_well(n)
            and n >= WARM_S * RATE]
    missing = [row for row in rows if row[0] not in arrivals]
    if missing:
        raise harness.Trouble(f"{len(missing)} webhooks of well hosts did not arrive")
    return sorted((arrivals[webhook_id] - receipt_us) / 1000 for webhook_id, _, receipt_us in rows)


def kinds_in_turn():
    """Kind and port of each host, the kinds spread over all."""
    ports = {kind: real.PORT + number for number, kind in enumerate(KINDS)}
    hosts = [kind for kind, (count, _) in KINDS.items() for _ in range(count)]
    spread = sorted(range(len(hosts)), key=lambda host: host * 67 % len(hosts))
    return [(hosts[host], ports[hosts[host]]) for host in spread]


def is_well(line):
    hosts = kinds_in_turn()
    return hosts[line % len(hosts)][0] in WELL


def run(bench):
    place, conf = real.Place(bench), real.config(bench)
    hosts = kinds_in_turn()
    to = [f"https://{real.name_of(host)}:{port}/hook" for host, (_, port) in enumerate(hosts)]
    outbox, stamps = bench.new_outbox("outbox", conf), bench.dir / "stamps"
    lines, records = RATE * SECONDS[bench.args.full], {}
    names, sinks = place.names(), {}
    for kind, port in dict(hosts).items():
        records[kind] = bench.dir / f"record-{kind}"
        sinks[kind] = place.sink("--record", records[kind], *KINDS[kind][1], port=port)
    span = harness.Span()
    sender = harness.send(bench, outbox, conf, senders=SENDERS, prefix=place.prefix)
    ingest, load = harness.start_feed(bench, outbox, conf, to, lines, "--rate", RATE, "--stamps",
                                      stamps)
    samples = watch(place, load, sender, ingest)
    took_s = time.monotonic() - span.start_s
    harness.finish_feed(ingest, load, lines)
    due = sum(map(is_well, range(lines)))
    harness.wait_until(lambda: sum(records[kind].read_bytes().count(b"\n") for kind in WELL) >= due,
                       "the last webhooks of well hosts", RETRIES_S)
    harness.stop(sender)
    seen = {kind: real.ask_to_end(sink) for kind, sink in sinks.items()}
    real.ask_to_end(names)
    place.end()
    return figures(waits_ms(stamps, [records[kind] for kind in WELL]), samples, seen) | {
        "soak_cpu_share": 100 * (sender.cpu_us + ingest.cpu_us) / took_s / 1e6,
        "soak_noise_cores": span.noise(sender, ingest, load, *sinks.values())}


def figures(waits, samples, seen):
    of = {key: [one[key] for one in samples] for key in samples[0]}
    again = seen["close"]["connections"] - KINDS["close"][0]
    stuck = [set.intersection(*of["close_wait"][n:n + STUCK_S + 1])
             for n in range(len(samples) - STUCK_S)]
    return {"soak_p50_ms": harness.percentile(waits, 0.5),
            "soak_p99_ms": harness.percentile(waits, 0.99),
            "soak_p999_ms": harness.percentile(waits, 0.999),
            "soak_pss_mib": max(of["pss"]), "soak_rss_mib": max(of["rss"]),
            "soak_own_grown": grown(of["own"]), "soak_descriptors": max(of["descriptors"]),
            "soak_descriptors_grown": grown(of["descriptors"]),
            "soak_close_wait": max(map(len, of["close_wait"])),
            "soak_stuck": max(map(len, stuck)),
            "soak_resumed": seen["close"]["resumed"] / again if again > 0 else 0}
