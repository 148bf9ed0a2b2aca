"""Ingest of lines that have a path each, beside lines of one path; and of a single line, start and
end of the program included."""

import statistics

import harness

STARTS = 21

TABLE = [
    ("ingest, one path", "ingest_path_per_s", "/s", 0, None),
    ("  a path each", "ingest_paths_per_s", "/s", 0, None),
    ("  ratio", "ingest_paths_ratio", "", 2, (">=", 0.6)),
    ("  CPU, ratio", "ingest_paths_cpu_ratio", "", 2, None),
    ("ingest of a single line", "ingest_start_ms", "ms", 1, ("<", 2.21)),
    ("  CPU", "ingest_start_cpu_ms", "ms", 1, None),
]


def measure(bench, config, urls):
    """Into a fresh outbox: seconds, and microseconds of CPU."""
    outbox = bench.new_outbox("outbox", config)
    took_s = harness.ingest(bench, outbox, config, urls)
    return took_s, bench.running[-1].cpu_us


def single(bench, config):
    outbox, took_s, cpu_us = bench.new_outbox("outbox", config), [], []
    for _ in range(STARTS):
        took_s.append(harness.ingest(bench, outbox, config, ["http://127.0.0.1:9/hook"]))
        cpu_us.append(bench.running[-1].cpu_us)
    bench.expect(outbox, waiting=STARTS)
    return {"ingest_start_ms": statistics.median(took_s) * 1000,
            "ingest_start_cpu_ms": statistics.median(cpu_us) / 1000}


def run(bench):
    n, config = bench.args.entries, bench.config("ingest", in_flight=None)
    each = [f"http://127.0.0.1:9/hook/{i}" for i in range(n)]
    runs = [measure(bench, config, urls) for urls in (each[:1] * n, each, each[:1] * n)]
    bench.expect(bench.dir / "outbox", waiting=n)
    took_s, cpu_us = ([run[i] for run in runs] for i in (0, 1))
    one_s = statistics.mean([took_s[0], took_s[2]])
    return single(bench, config) | {
        "ingest_path_per_s": n / one_s, "ingest_paths_per_s": n / took_s[1],
        "ingest_paths_ratio": one_s / took_s[1],
        "ingest_paths_cpu_ratio": 2 * cpu_us[1] / (cpu_us[0] + cpu_us[2])}
