"""What nine endpoints keep of their throughput beside a tenth one that is in trouble or flooded.

The receivers of the nine, and the flooded one's, answer after ANSWER_MS, as they do across a
network: then the in-flight limits decide, as they do in real life, and no core is full. With
receivers that answer at once, a flooded tenth endpoint takes a tenth of a full processor by right,
and the nine could at best keep 0.9."""

import signal
import statistics

import harness

GOOD_ENDPOINTS = 9
ANSWER_MS = 20
# What the tenth endpoint does: options of its receiver, and its backlog as a key of BACKLOGS.
TROUBLES = {
    "hangs": (["--never"], "long"),
    "slow": (["--delay", "5s"], "long"),
    "fails": (["--status", "503"], "long"),
    "refuses": (["--status", "500"], "long"),
    "flooded": (["--delay", f"{ANSWER_MS}ms"], "flood"),
}
SINGLE_TROUBLES = ("hangs", "slow")
SINGLE_ENTRIES = 4_000
BACKLOGS = {"long": (10_000, 100_000), "flood": (50_000, 1_000_000)}  # quick, with --full
SENDERS = (1, 4)

TABLE = []
for count in SENDERS:
    TABLE += [
        (f"nine endpoints, senders: {count}", f"good_{count}_alone_per_s", "/s", 0, None),
        ("  CPU of the senders, cores", f"good_{count}_alone_cores", "", 2, None),
        ("  share kept beside one that never answers", f"good_{count}_hangs_share", "", 2,
         (">=", 0.95)),
        ("  ... that answers after 5 s", f"good_{count}_slow_share", "", 2, (">=", 0.95)),
        ("  ... that fails at once (503)", f"good_{count}_fails_share", "", 2, (">=", 0.95)),
        ("  ... that refuses everything (500)", f"good_{count}_refuses_share", "", 2, (">=", 0.95)),
        ("  ... that is flooded", f"good_{count}_flooded_share", "", 2, (">=", 0.95)),
    ]
TABLE += [
    ("one endpoint with one request at a time", "single_alone_per_s", "/s", 0, None),
    ("  share kept beside one that never answers", "single_hangs_share", "", 2, (">=", 0.95)),
    ("  ... that answers after 5 s", "single_slow_share", "", 2, (">=", 0.95)),
]


def drain_single(bench, trouble=None):
    """One endpoint whose requests go one after another (in_flight = 1) and are answered at once:
    there each millisecond between an answer and the next claim is seen. Returns its rate."""
    port, bad_port = harness.free_port(), harness.free_port()
    url = f"http://127.0.0.1:{port}/single"
    config = bench.config("single", in_flight=None)
    with config.open("a") as file:
        file.write(f'[endpoint "single"]\nurl = {url}\nin_flight = 1\n')
    outbox = bench.new_outbox("outbox", config)
    if trouble:
        bad = bench.sink(bad_port, *TROUBLES[trouble][0])
        harness.feed(bench, outbox, config, [f"http://127.0.0.1:{bad_port}/bad"],
                     BACKLOGS["long"][0])
    harness.feed(bench, outbox, config, [url], SINGLE_ENTRIES)
    span = harness.Span()
    sink = bench.sink(port, "--exit-after", SINGLE_ENTRIES)
    sender = harness.send(bench, outbox, config, senders=1)
    wall_s = sink.finish() - span.start_s
    harness.stop(sender)
    if trouble:
        bad.send_signal(signal.SIGTERM)
        bad.finish()
    return SINGLE_ENTRIES / wall_s


def drain(bench, senders, trouble=None):
    """Nine endpoints that answer; with `trouble` a tenth one, whose backlog was there first. Limits
    and timeouts are those that hold by default. Returns the rate of the nine, the cores that the
    senders used, and the noise."""
    each = bench.args.entries // GOOD_ENDPOINTS
    port, bad_port = harness.free_port(), harness.free_port()
    config = bench.config("isolation", in_flight=None)
    outbox = bench.new_outbox("outbox", config)
    bad = None
    if trouble:
        options, backlog = TROUBLES[trouble]
        bad = bench.sink(bad_port, *options)
        harness.feed(bench, outbox, config, [f"http://127.0.0.1:{bad_port}/bad"],
                     BACKLOGS[backlog][bench.args.full])
    urls = [f"http://127.0.0.1:{port}/good-{i}" for i in range(GOOD_ENDPOINTS)]
    harness.feed(bench, outbox, config, urls, each * GOOD_ENDPOINTS)
    span = harness.Span()
    sink = bench.sink(port, "--delay", f"{ANSWER_MS}ms", "--exit-after", each * GOOD_ENDPOINTS)
    sender = harness.send(bench, outbox, config, senders=senders)
    wall_s = sink.finish() - span.start_s
    harness.stop(sender)
    if bad:
        bad.send_signal(signal.SIGTERM)
        bad.finish()
    noise = span.noise(sender, sink, *([bad] if bad else []))
    delivered = [e["delivered"] for e in bench.endpoints(outbox) if "/good-" in e["endpoint"]]
    if delivered != [each] * GOOD_ENDPOINTS:
        raise harness.Trouble(
            f"{each} should be delivered to each good endpoint, the outbox says {delivered}")
    return each * GOOD_ENDPOINTS / wall_s, sender.cpu_us / 1e6 / wall_s, noise


def run(bench):
    """Each trouble between two runs without one, so that a machine that gets slower or
    faster counts for both."""
    result, noises = {}, []
    for senders in SENDERS:
        rate, cores, noise = drain(bench, senders)
        alone, noises = [rate], [*noises, noise]
        result[f"good_{senders}_alone_cores"] = cores
        for trouble in TROUBLES:
            rate, _, noise = drain(bench, senders, trouble)
            rate_after, _, noise_after = drain(bench, senders)
            alone.append(rate_after)
            noises += [noise, noise_after]
            result[f"good_{senders}_{trouble}_share"] = rate / statistics.mean(alone[-2:])
        result[f"good_{senders}_alone_per_s"] = statistics.median(alone)
    alone = [drain_single(bench)]
    for trouble in SINGLE_TROUBLES:
        rate = drain_single(bench, trouble)
        alone.append(drain_single(bench))
        result[f"single_{trouble}_share"] = rate / statistics.mean(alone[-2:])
    result["single_alone_per_s"] = statistics.median(alone)
    result["isolation_noise_cores"] = statistics.median(noises)
    return result
