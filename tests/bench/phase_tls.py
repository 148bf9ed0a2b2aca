"""One receiver that speaks TLS, at the default limit and at higher ones."""

import real

LIMITS = (10, 64, 256)  # the first is the default, and written nowhere
TARGETS = {10: (">=", 0.7), 64: (">=", 0.85), 256: (">=", 1.0)}

TABLE = [row for limit in LIMITS for row in (
    (f"one TLS endpoint, {limit} at once", f"tls_{limit}_per_s", "/s", 0, None),
    ("  bare libcurl loop", f"tls_{limit}_bare_per_s", "/s", 0, None),
    ("  ratio", f"tls_{limit}_ratio", "", 2, TARGETS[limit]),
    ("  CPU a webhook", f"tls_{limit}_cpu_us", "us", 1, None),
    ("  CPU a webhook, bare", f"tls_{limit}_bare_cpu_us", "us", 1, None),
    ("  CPU a webhook, receiver", f"tls_{limit}_sink_cpu_us", "us", 1, None),
    ("  CPU, ratio", f"tls_{limit}_cpu_ratio", "", 2, ("<", 1.25) if limit == 64 else None))]


def run(bench):
    place, result = real.Place(bench), {}
    to, n = real.urls(1), bench.args.entries
    for limit in LIMITS:
        conf = real.config(bench, **({} if limit == LIMITS[0] else {"in_flight": limit}))
        ours = real.deliver(bench, place, conf, to, n)
        loop = real.bare(bench, place, to, n, limit, limit)
        result |= {f"tls_{limit}_per_s": ours["per_s"], f"tls_{limit}_bare_per_s": loop["per_s"],
                   f"tls_{limit}_ratio": ours["per_s"] / loop["per_s"],
                   f"tls_{limit}_cpu_us": ours["cpu_us"],
                   f"tls_{limit}_bare_cpu_us": loop["cpu_us"],
                   f"tls_{limit}_sink_cpu_us": ours["sink_cpu_us"],
                   f"tls_{limit}_cpu_ratio": ours["cpu_us"] / loop["cpu_us"],
                   f"tls_{limit}_noise_cores": ours["noise_cores"]}
    place.end()
    return result
