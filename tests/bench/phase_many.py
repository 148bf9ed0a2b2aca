"""Many receivers that speak TLS, a name each: how often they are looked up and greeted, what a
sender keeps for them, and what it keeps when it may not keep them all."""

import harness
import real

HOSTS, RUNS_EACH = 1000, 10
KEPT = 2000  # by the bare loop: all of them
IDLE_MS = 1500  # after which the receivers of the paced round close
ROUNDS = 3
CLOSED_WITHIN_S = 5
# Hosts, runs each, and descriptors a process may have; the second with --full.
BOUNDED = {False: (1000, 4, 512), True: (10000, 4, 4096)}
SPARE = 64  # descriptors of the bare loop that are no connections

TABLE = [
    (f"{HOSTS:,} TLS hosts, {RUNS_EACH} runs each", "many_per_s", "/s", 0, None),
    (f"  bare libcurl loop, keeps {KEPT:,}", "many_bare_per_s", "/s", 0, None),
    ("  ratio", "many_ratio", "", 2, (">=", 0.85)),
    ("  CPU a webhook", "many_cpu_us", "us", 0, None),
    ("  CPU a webhook, bare", "many_bare_cpu_us", "us", 0, None),
    ("  handshakes a host", "many_handshakes", "", 2, ("<", 1.051)),
    ("  lookups a host", "many_lookups", "", 2, ("<", 1.101)),
    ("  lookups a host, bare", "many_bare_lookups", "", 2, None),
    ("  most memory of the sender", "many_peak_mib", " MiB", 1, ("<", 80)),
    ("  its PSS at the end", "many_pss_mib", " MiB", 1, None),
    ("  receivers close, share that resumes", "many_resumed", "", 2, (">=", 0.95)),
    (f"  closed by them, not by us in {CLOSED_WITHIN_S} s", "many_close_wait", "", 0, ("<", 1)),
    ("more hosts than descriptors", "bounded_per_s", "/s", 0, None),
    ("  bare libcurl loop, as many descriptors", "bounded_bare_per_s", "/s", 0, None),
    ("  ratio", "bounded_ratio", "", 2, (">=", 0.9)),
    ("  hosts", "bounded_hosts", "", 0, None),
    ("  descriptors that it may have", "bounded_descriptors", "", 0, None),
    ("  connections at once, most", "bounded_connections", "", 0, None),
    ("  handshakes a host", "bounded_handshakes", "", 2, None),
    ("  handshakes a host, bare", "bounded_bare_handshakes", "", 2, None),
    ("  most memory of the sender", "bounded_peak_mib", " MiB", 1, None),
]


def handshakes(sink):
    return sink["full"] + sink["resumed"]


def kept(bench, place):
    """All may be kept."""
    to, n = real.urls(HOSTS), HOSTS * RUNS_EACH
    ours = real.deliver(bench, place, real.config(bench), to, n)
    loop = real.bare(bench, place, to, n, real.SENDER_IN_FLIGHT, KEPT)
    return {"many_per_s": ours["per_s"], "many_bare_per_s": loop["per_s"],
            "many_ratio": ours["per_s"] / loop["per_s"],
            "many_cpu_us": ours["cpu_us"], "many_bare_cpu_us": loop["cpu_us"],
            "many_handshakes": handshakes(ours["sink"]) / HOSTS,
            "many_lookups": ours["lookups"] / HOSTS,
            "many_bare_lookups": loop["lookups"] / HOSTS,
            "many_peak_mib": ours["peak_mib"], "many_pss_mib": ours["pss_mib"],
            "many_noise_cores": ours["noise_cores"]}


def closed(bench, place):
    """A webhook for each host, and again when each has closed its connection."""
    to, conf = real.urls(HOSTS), real.config(bench)
    outbox = bench.new_outbox("outbox", conf)
    names, sink = place.names(), place.sink("--idle-ms", IDLE_MS)
    sender = harness.send(bench, outbox, conf, senders=1, prefix=place.prefix)
    for number in range(1, ROUNDS + 1):
        harness.feed(bench, outbox, conf, to, HOSTS)
        due = number * HOSTS
        harness.wait_until(lambda: bench.stats(outbox)["entries"]["delivered"] == due, "a round")
        harness.wait_until(lambda: not place.sockets(real.ESTABLISHED, real.PORT),
                           "the receivers close")
    left = closed_by_us(place)
    harness.stop(sender)
    seen = real.ask_to_end(sink)
    real.ask_to_end(names)
    again = seen["connections"] - HOSTS
    return {"many_resumed": seen["resumed"] / again if again > 0 else 0, "many_close_wait": left}


def closed_by_us(place):
    """How many sockets that the other side closed are still open after a while."""
    try:
        harness.wait_until(lambda: not place.sockets(real.CLOSE_WAIT), "", CLOSED_WITHIN_S)
    except harness.Trouble:
        pass
    return len(place.sockets(real.CLOSE_WAIT))


def bounded(bench, place):
    """The bare loop has as many descriptors: a request may need two more for its lookup."""
    hosts, each, descriptors = BOUNDED[bench.args.full]
    to, n = real.urls(hosts), hosts * each
    limit = ("prlimit", f"--nofile={descriptors}")
    in_flight = min(real.SENDER_IN_FLIGHT, descriptors // 4)
    ours = real.deliver(bench, place, real.config(bench), to, n, prefix=limit)
    loop = real.bare(bench, place, to, n, in_flight, descriptors - SPARE - 2 * in_flight)
    return {"bounded_per_s": ours["per_s"], "bounded_bare_per_s": loop["per_s"],
            "bounded_ratio": ours["per_s"] / loop["per_s"], "bounded_hosts": hosts,
            "bounded_descriptors": descriptors,
            "bounded_connections": ours["sink"]["most_open"],
            "bounded_handshakes": handshakes(ours["sink"]) / hosts,
            "bounded_bare_handshakes": handshakes(loop["sink"]) / hosts,
            "bounded_peak_mib": ours["peak_mib"]}


def run(bench):
    place = real.Place(bench)
    result = {**kept(bench, place), **closed(bench, place)}
    if not bench.args.within_s:  # it takes as long as both
        result |= bounded(bench, place)
    place.end()
    return result
