"""A receiver that speaks TLS and is 20 or 100 ms away, at the default limit and at 64: what part of
the rate that limit and round trip allow is reached, and how soon all of it is under way."""

import harness
import real

AWAY_MS = (20, 100)
LIMITS = (10, 64)
ROUNDS = {20: 80, 100: 30}  # of a full limit each
SETTLED = 0.4  # from this part of the arrivals on the rate is taken
FULL = 0.9

TABLE = [row for away in AWAY_MS for limit in LIMITS for row in (
    (f"{away} ms away, {limit} at once: part of it", f"far_{away}_{limit}_share", "", 2,
     (">=", 0.95)),
    ("  bare libcurl loop", f"far_{away}_{limit}_bare_share", "", 2, None),
    ("  rounds until all are under way", f"far_{away}_{limit}_rounds", "", 1,
     ("<", 3.1) if limit == 64 else None),
    ("  bare libcurl loop", f"far_{away}_{limit}_bare_rounds", "", 1, None),
    ("  CPU a webhook", f"far_{away}_{limit}_cpu_us", "us", 0, None))]


def part_of_ideal(arrivals_us, away_ms, limit):
    """Of what limit and round trip allow, once it is settled."""
    settled = arrivals_us[int(len(arrivals_us) * SETTLED):]
    return ((len(settled) - 1) / (settled[-1] - settled[0]) * away_ms * 1000) / limit


def rounds_to_full(arrivals_us, away_ms, limit):
    """From the first arrival to the end of the first round trip in which as many came as may be
    under way. A new connection takes two round trips before its first request."""
    need = int(limit * FULL)
    for first, last in zip(arrivals_us, arrivals_us[need - 1:]):
        if last - first <= away_ms * 1000:
            return (last - arrivals_us[0]) / (away_ms * 1000)
    return float("inf")


def run(bench):
    result = {}
    record = bench.dir / "record"
    to = [f"https://{real.FAR_NAME}:{real.PORT}/hook"]
    for away in AWAY_MS:
        place = real.Place(bench, away)
        for limit in LIMITS:
            key, n = f"far_{away}_{limit}", ROUNDS[away] * limit
            conf = real.config(bench, allow=real.FAR_NETWORK,
                               **({} if limit == LIMITS[0] else {"in_flight": limit}))
            ours = real.deliver(bench, place, conf, to, n, "--record", record)
            mine = harness.read_times(record)
            real.bare(bench, place, to, n, limit, limit, "--record", record)
            loop = harness.read_times(record)
            result |= {f"{key}_share": part_of_ideal(mine, away, limit),
                       f"{key}_bare_share": part_of_ideal(loop, away, limit),
                       f"{key}_rounds": rounds_to_full(mine, away, limit),
                       f"{key}_bare_rounds": rounds_to_full(loop, away, limit),
                       f"{key}_cpu_us": ours["cpu_us"], f"{key}_noise_cores": ours["noise_cores"]}
        place.end()
    return result
