#!/usr/bin/env python3
"""make bench: how fast runpost is, beside loops that do only the unavoidable, in the same run on the same machine.

    tests/bench/run.py --bin build [--full] [--runs 3] [--entries N] [--only ingest,drain,...]

Every round measures each thing once, the bare loop next to what it is compared with; ratios are taken within a round, and
what is printed is the median over the rounds. What each phase does is told in docs/performance.md. Any webhook that is
not accounted for ends the bench with an error: a rate of lost webhooks is no rate. Results: a table on stdout and every
single figure in BIN/bench/result.json."""

import argparse
import base64
import contextlib
import json
import math
import os
import pathlib
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time

LINE_BYTES = 2048
LATENCY_RATE = 200
GOOD_ENDPOINTS = 9
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
LIMIT_S = 600


class Trouble(Exception):
    pass


class Bench:
    """The programs, a folder for one round at a time, and every process that was started."""

    def __init__(self, args):
        self.bin = pathlib.Path(args.bin).resolve()
        self.args = args
        self.dir = (pathlib.Path(args.dir) if args.dir else self.bin / "bench").resolve() / f"work-{os.getpid()}"
        self.secret = self.dir / "secret"
        self.running = []

    def program(self, name):
        path = self.bin / ("bench" if name.startswith("bare_") else "") / name
        if not path.exists():
            raise Trouble(f"{path} is missing; `make bench` builds it")
        return str(path)

    def open(self):
        self.dir.mkdir(parents=True)
        self.secret.write_text("whsec_" + base64.b64encode(os.urandom(32)).decode() + "\n")
        self.secret.chmod(0o600)

    def close(self):
        for process in self.running:
            if process.returncode is None:
                process.kill()
                process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def fresh(self, name):
        path = self.dir / name
        shutil.rmtree(path, ignore_errors=True)
        return path

    def config(self, name, **endpoint):
        """Signatures are on. `None` leaves a setting at its default."""
        defaults = {"allow_http": "yes", "allow": "127.0.0.0/8", "secret_file": self.secret,
                    "in_flight": self.args.in_flight, **endpoint}
        lines = ["[outbox]", "disk_reserve = 1M", "[sender]", f"in_flight = {self.args.in_flight}", "stop_grace = 500ms",
                 "[defaults]", *(f"{key} = {value}" for key, value in defaults.items() if value is not None)]
        path = self.dir / f"{name}.conf"
        path.write_text("\n".join(lines) + "\n")
        return path

    def start(self, *command, **how):
        process = Process([str(part) for part in command], self.dir / f"log-{len(self.running)}", how)
        self.running.append(process)
        return process

    def sink(self, port, *options):
        sink = self.start(self.program("runpost-sink"), "--port", port, "--quiet", *options, stdout=subprocess.PIPE)
        if not sink.stdout.readline().startswith(b"ready "):
            raise Trouble(f"the sink does not start: {sink.log()}")
        return sink

    def new_outbox(self, name, config):
        path = self.fresh(name)
        self.start(self.program("runpost"), "init", "--outbox", path, "--config", config, stdout=subprocess.DEVNULL).finish()
        return path

    def stats(self, outbox):
        done = subprocess.run([self.program("runpostctl"), "stats", "--outbox", outbox, "--json"], capture_output=True,
                              text=True, check=True)
        return json.loads(done.stdout)

    def endpoints(self, outbox):
        done = subprocess.run([self.program("runpostctl"), "endpoints", "--outbox", outbox, "--json"], capture_output=True,
                              text=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def expect(self, outbox, **entries):
        stats = self.stats(outbox)
        for state, count in entries.items():
            if stats["entries"][state] != count:
                raise Trouble(f"{count} entries should be {state}, the outbox says {stats['entries']}")
        return stats


class Process(subprocess.Popen):
    """A process whose CPU time (its own children's included) is known when it has ended."""

    def __init__(self, command, log_path, how):
        self.log_path = log_path
        self.cpu_us = None
        with open(log_path, "wb") as log:
            super().__init__(command, stderr=log, **how)

    def log(self):
        return self.log_path.read_text(errors="replace")[-2000:]

    def finish(self, code=0):
        """Waits for the end; returns when it was, in seconds of the monotonic clock."""
        _, status, usage = os.wait4(self.pid, 0)
        ended_s = time.monotonic()
        self.returncode = os.waitstatus_to_exitcode(status)
        self.cpu_us = round((usage.ru_utime + usage.ru_stime) * 1e6)
        if self.stdout:
            self.output = self.stdout.read()
            self.stdout.close()
        if self.returncode != code:
            raise Trouble(f"{' '.join(map(str, self.args))}: exit {self.returncode}: {self.log()}")
        return ended_s


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def busy_cores_s():
    """CPU seconds this machine has spent so far, on anything."""
    fields = [int(v) for v in open("/proc/stat").readline().split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) * TICK_S


class Span:
    """A stretch of time, and how many cores others kept busy in it: the noise of the measurement."""

    def __init__(self):
        self.start_s, self.busy_s = time.monotonic(), busy_cores_s()

    def noise(self, *ours):
        wall_s = time.monotonic() - self.start_s
        own_s = sum(process.cpu_us for process in ours) / 1e6
        return round(max(0.0, (busy_cores_s() - self.busy_s - own_s) / wall_s), 2)


def wait_for_quiet(patience_s):
    """Other work on the machine spoils a phase; it often ends soon."""
    deadline_s = time.monotonic() + patience_s
    while time.monotonic() < deadline_s:
        span = Span()
        time.sleep(0.5)
        if span.noise() < 0.1:
            return


def feed(bench, outbox, config, urls, lines, *options):
    """Lines through a pipe into `runpost ingest`, receipts back through another one. Returns ingest, load, its report."""
    to_ingest, to_load = os.pipe(), os.pipe()
    ingest = bench.start(bench.program("runpost"), "ingest", "--outbox", outbox, "--config", config, stdin=to_ingest[0],
                         stdout=to_load[1])
    load = bench.start(bench.program("bare_load"), "--talk", "--lines", lines, "--bytes", LINE_BYTES, *options, *urls,
                       stdin=to_load[0], stdout=to_ingest[1])
    for fd in (*to_ingest, *to_load):
        os.close(fd)
    load.finish()
    ingest.finish()
    report = json.loads(load.log())
    if report["queued"] != lines:
        raise Trouble(f"{report['queued']} of {lines} lines were queued: {ingest.log()}")
    return ingest, load, report


def send(bench, outbox, config, *options, senders=None):
    return bench.start(bench.program("runpost"), "send", "--outbox", outbox, "--config", config, "--senders",
                       senders or bench.args.senders, *options)


def stop(sender):
    sender.send_signal(signal.SIGTERM)
    sender.finish()


def bare_append(bench, lines_file, batch):
    path = bench.fresh("bare")
    path.mkdir()
    loop = bench.start(bench.program("bare_append"), "--batch", batch, path, lines_file, stdout=subprocess.PIPE)
    loop.finish()
    shutil.rmtree(path)
    report = json.loads(loop.output)
    return report["lines"] / report["wall_us"] * 1e6, report["cpu_us"] / report["lines"]


def bare_post(bench, lines_file, url, port, entries):
    """Both this loop and the senders are timed from their start to the last arrival."""
    sink = bench.sink(port, "--exit-after", entries)
    start_s = time.monotonic()
    loop = bench.start(bench.program("bare_post"), "--in-flight", bench.args.in_flight, url, lines_file,
                       stdout=subprocess.PIPE)
    rate = entries / (sink.finish() - start_s)
    loop.finish()
    return {"bare_post_per_s": rate, "bare_post_cpu_us": json.loads(loop.output)["cpu_us"] / entries,
            "sink_cpu_us": sink.cpu_us / entries}


def make_lines(bench, urls, lines):
    path = bench.dir / "lines"
    with open(path, "wb") as out:
        bench.start(bench.program("bare_load"), "--lines", lines, "--bytes", LINE_BYTES, *urls, stdout=out).finish()
    return path


def phase_ingest_and_drain(bench):
    """Ingest fills an outbox; the same bytes go into a bare LMDB table; a sender drains the outbox; a bare libcurl loop
    posts the same bytes."""
    n = bench.args.entries
    port = free_port()
    url = f"http://127.0.0.1:{port}/hook?token=s3cret"
    config = bench.config("drain")
    outbox = bench.new_outbox("outbox", config)
    lines_file = make_lines(bench, [url], n)
    commits = bench.stats(outbox)["commits"]

    span = Span()
    ingest, load, report = feed(bench, outbox, config, [url], n)
    result = {"ingest_noise_cores": span.noise(ingest, load)}
    stats = bench.expect(outbox, waiting=n)
    ingest_commits = stats["commits"] - commits
    result["ingest_per_s"] = report["lines"] / (report["end_us"] - report["start_us"]) * 1e6
    result["ingest_cpu_us"] = ingest.cpu_us / n
    result["ingest_commits"] = ingest_commits / n
    result["bare_append_per_s"], result["bare_append_cpu_us"] = bare_append(bench, lines_file, math.ceil(n / ingest_commits))
    result["ingest_ratio"] = result["ingest_per_s"] / result["bare_append_per_s"]

    span = Span()
    sink = bench.sink(port, "--exit-after", n)
    start_s = time.monotonic()
    sender = send(bench, outbox, config, "--drain")
    result["drain_per_s"] = n / (sink.finish() - start_s)
    sender.finish()
    result["drain_noise_cores"] = span.noise(sender, sink)
    stats = bench.expect(outbox, delivered=n)
    result["drain_cpu_us"] = sender.cpu_us / n
    result["drain_commits"] = (stats["commits"] - commits - ingest_commits) / n
    result.update(bare_post(bench, lines_file, url, port, n))
    result["drain_ratio"] = result["drain_per_s"] / result["bare_post_per_s"]
    return result


def phase_both(bench):
    """Ingest and delivery at once: from the first line in to the last arrival."""
    n = bench.args.entries
    port = free_port()
    url = f"http://127.0.0.1:{port}/hook?token=s3cret"
    config = bench.config("both")
    outbox = bench.new_outbox("outbox", config)
    lines_file = make_lines(bench, [url], n)
    before = bench.stats(outbox)["commits"]

    span = Span()
    sink = bench.sink(port, "--exit-after", n)
    sender = send(bench, outbox, config)
    ingest, load, report = feed(bench, outbox, config, [url], n)
    end_s = sink.finish()
    stop(sender)
    result = {"both_noise_cores": span.noise(sender, sink, ingest, load)}
    stats = bench.expect(outbox, delivered=n)
    result["both_per_s"] = report["lines"] / (end_s - report["start_us"] / 1e6)
    result["both_cpu_us"] = (ingest.cpu_us + sender.cpu_us) / n
    result["both_commits"] = (stats["commits"] - before) / n
    result["both_ratio"] = result["both_per_s"] / bare_post(bench, lines_file, url, port, n)["bare_post_per_s"]
    return result


def percentile(values, share):
    return values[min(len(values) - 1, math.ceil(len(values) * share) - 1)]


def phase_latency(bench):
    """Runs at a steady rate: from the moment the engine can have its receipt to the arrival, and from the line itself."""
    n = LATENCY_RATE * bench.args.latency_seconds
    port = free_port()
    url = f"http://127.0.0.1:{port}/hook"
    config = bench.config("latency")
    outbox = bench.new_outbox("outbox", config)
    before = bench.stats(outbox)["commits"]
    record, stamps = bench.dir / "record", bench.dir / "stamps"
    record.unlink(missing_ok=True)

    span = Span()
    sink = bench.sink(port, "--exit-after", n, "--record", record)
    sender = send(bench, outbox, config)
    ingest, load, _ = feed(bench, outbox, config, [url], n, "--rate", LATENCY_RATE, "--stamps", stamps)
    sink.finish()
    stop(sender)
    noise = span.noise(sender, sink, ingest, load)
    arrivals = {}
    for line in record.read_text().splitlines():
        delivery = json.loads(line)
        arrivals.setdefault(delivery["webhook_id"], delivery["monotonic_us"])
    from_receipt, from_line = [], []
    for line in stamps.read_text().splitlines():
        webhook_id, sent_us, receipt_us = line.split()
        from_line.append((arrivals[webhook_id] - int(sent_us)) / 1000)
        from_receipt.append((arrivals[webhook_id] - int(receipt_us)) / 1000)
    if len(from_line) != n:
        raise Trouble(f"{len(from_line)} of {n} runs have time stamps")
    from_receipt.sort()
    from_line.sort()
    return {"latency_p50_ms": percentile(from_receipt, 0.5), "latency_p99_ms": percentile(from_receipt, 0.99),
            "latency_max_ms": from_receipt[-1], "line_p50_ms": percentile(from_line, 0.5),
            "line_p99_ms": percentile(from_line, 0.99), "latency_cpu_us": (ingest.cpu_us + sender.cpu_us) / n,
            "latency_commits": (bench.expect(outbox, delivered=n)["commits"] - before) / n, "latency_noise_cores": noise}


TROUBLES = {  # what the tenth endpoint does: options of its receiver, and its backlog as a key of BACKLOGS
    "hangs": (["--never"], "long"),
    "slow": (["--delay", "5s"], "long"),
    "fails": (["--status", "503"], "long"),
    "refuses": (["--status", "500"], "long"),
    "flooded": ([], "flood"),
}
BACKLOGS = {"long": (10_000, 100_000), "flood": (50_000, 1_000_000)}  # quick, with --full


def drain_good_endpoints(bench, senders, trouble=None):
    """Nine endpoints that answer; with `trouble` a tenth one, whose backlog was there first. Limits and timeouts are those
    that hold by default. Returns the rate of the nine and the noise."""
    each = bench.args.entries // GOOD_ENDPOINTS
    port, bad_port = free_port(), free_port()
    config = bench.config("isolation", in_flight=None)
    outbox = bench.new_outbox("outbox", config)
    bad = None
    if trouble:
        options, backlog = TROUBLES[trouble]
        bad = bench.sink(bad_port, *options)
        feed(bench, outbox, config, [f"http://127.0.0.1:{bad_port}/bad"], BACKLOGS[backlog][bench.args.full])
    feed(bench, outbox, config, [f"http://127.0.0.1:{port}/good-{i}" for i in range(GOOD_ENDPOINTS)], each * GOOD_ENDPOINTS)
    span = Span()
    sink = bench.sink(port, "--exit-after", each * GOOD_ENDPOINTS)
    start_s = time.monotonic()
    sender = send(bench, outbox, config, senders=senders)
    rate = each * GOOD_ENDPOINTS / (sink.finish() - start_s)
    stop(sender)
    if bad:
        bad.send_signal(signal.SIGTERM)
        bad.finish()
    noise = span.noise(sender, sink, *([bad] if bad else []))
    delivered = [e["delivered"] for e in bench.endpoints(outbox) if "/good-" in e["endpoint"]]
    if delivered != [each] * GOOD_ENDPOINTS:
        raise Trouble(f"{each} should be delivered to each good endpoint, the outbox says {delivered}")
    return rate, noise


def phase_isolation(bench):
    """Each trouble between two runs without one, so that a machine that gets slower or faster counts for both."""
    result, noises = {}, []

    def drain(senders, trouble=None):
        rate, noise = drain_good_endpoints(bench, senders, trouble)
        noises.append(noise)
        return rate

    for senders in (1, 4):
        alone = [drain(senders)]
        for trouble in TROUBLES:
            rate = drain(senders, trouble)
            alone.append(drain(senders))
            result[f"good_{senders}_{trouble}_share"] = rate / statistics.mean(alone[-2:])
        result[f"good_{senders}_alone_per_s"] = statistics.median(alone)
    result["isolation_noise_cores"] = statistics.median(noises)
    return result


PHASES = {"drain": phase_ingest_and_drain, "both": phase_both, "latency": phase_latency, "isolation": phase_isolation}

TABLE = [  # name, key, unit, digits, target: a bound and its direction
    ("ingest", "ingest_per_s", "/s", 0, None),
    ("  bare LMDB append of the same bytes", "bare_append_per_s", "/s", 0, None),
    ("  ratio", "ingest_ratio", "", 2, (">=", 0.7)),
    ("  CPU a webhook", "ingest_cpu_us", "us", 1, None),
    ("  CPU a webhook, bare", "bare_append_cpu_us", "us", 1, None),
    ("  commits a webhook", "ingest_commits", "", 4, ("<", 0.05)),
    ("drain of a backlog, signed", "drain_per_s", "/s", 0, None),
    ("  bare libcurl loop", "bare_post_per_s", "/s", 0, None),
    ("  ratio", "drain_ratio", "", 2, (">=", 0.6)),
    ("  CPU a webhook", "drain_cpu_us", "us", 1, None),
    ("  CPU a webhook, bare", "bare_post_cpu_us", "us", 1, None),
    ("  CPU a webhook, receiver", "sink_cpu_us", "us", 1, None),
    ("  commits a webhook", "drain_commits", "", 4, ("<", 0.05)),
    ("ingest and delivery at once", "both_per_s", "/s", 0, None),
    ("  ratio to the bare libcurl loop", "both_ratio", "", 2, (">=", 0.5)),
    ("  CPU a webhook, all processes", "both_cpu_us", "us", 1, ("<", 50)),
    ("  commits a webhook", "both_commits", "", 4, ("<", 0.05)),
    (f"receipt to arrival at {LATENCY_RATE}/s, p50", "latency_p50_ms", "ms", 2, ("<", 1)),
    ("  p99", "latency_p99_ms", "ms", 2, ("<", 4)),
    ("  line in to arrival, p50", "line_p50_ms", "ms", 2, None),
    ("  line in to arrival, p99", "line_p99_ms", "ms", 2, None),
    ("  CPU a webhook, all processes", "latency_cpu_us", "us", 0, None),
    ("  commits a webhook", "latency_commits", "", 2, None),
]
for count in (1, 4):
    TABLE += [
        (f"nine endpoints, senders: {count}", f"good_{count}_alone_per_s", "/s", 0, None),
        ("  share kept beside one that never answers", f"good_{count}_hangs_share", "", 2, (">=", 0.95)),
        ("  ... that answers after 5 s", f"good_{count}_slow_share", "", 2, (">=", 0.95)),
        ("  ... that fails at once (503)", f"good_{count}_fails_share", "", 2, (">=", 0.95)),
        ("  ... that refuses everything (500)", f"good_{count}_refuses_share", "", 2, (">=", 0.95)),
        ("  ... that is flooded", f"good_{count}_flooded_share", "", 2, (">=", 0.95)),
    ]


def machine(bench):
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    disk = os.stat(bench.dir).st_dev
    return {"date": time.strftime("%Y-%m-%d"), "cpu": model, "cores": os.cpu_count(), "kernel": platform.release(),
            "disk": f"{os.major(disk)}:{os.minor(disk)}", "load_at_start": os.getloadavg()[0]}


def judge(value, target):
    if target is None:
        return "", ""
    sign, bound = target
    met = value >= bound if sign == ">=" else value < bound
    return f"{sign} {bound}", "met" if met else "missed"


def print_table(rounds):
    print(f"{'':42}{'median':>12}{'lowest':>12}{'highest':>12}    target")
    for name, key, unit, digits, target in TABLE:
        values = [r[key] for r in rounds if key in r]
        if not values:
            continue
        figures = "".join(f"{v:>{12 - len(unit)},.{digits}f}{unit}" for v in
                          (statistics.median(values), min(values), max(values)))
        bound, verdict = judge(statistics.median(values), target)
        print(f"{name:42}{figures}    {bound:8}{verdict}".rstrip())
    noise = max((value for r in rounds for key, value in r.items() if key.endswith("noise_cores")), default=0)
    print(f"\nother work on this machine took up to {noise:.1f} cores while measuring"
          + ("; the figures are noisy, repeat them when it is quiet" if noise > 0.3 else ""))


def write_result(bench, about, rounds):
    medians = {key: statistics.median(r[key] for r in rounds if key in r) for key in {k: 0 for r in rounds for k in r}}
    path = bench.bin / "bench" / "result.json"
    path.write_text(json.dumps({"machine": about, "settings": vars(bench.args), "medians": medians, "rounds": rounds},
                               indent=1) + "\n")
    print(f"every figure: {path}")


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--bin", default="build", help="where the programs are (default: build)")
    parser.add_argument("--full", action="store_true", help="200,000 entries and 30 s of latency instead of 20,000 and 5 s")
    parser.add_argument("--runs", type=int, default=3, help="rounds (default: 3)")
    parser.add_argument("--entries", type=int, help="entries a phase, whatever --full says")
    parser.add_argument("--in-flight", type=int, default=256, help="requests at once, of bare loop and sender (default: 256)")
    parser.add_argument("--senders", type=int, default=1, help="sender processes (default: 1)")
    parser.add_argument("--patience", type=float, default=15,
                        help="seconds to wait before each phase for other work on the machine to end (default: 15)")
    parser.add_argument("--only", default=",".join(PHASES), help=f"phases, of {','.join(PHASES)} (default: all)")
    parser.add_argument("--dir", help="where outboxes are made, on the disk to be measured (default: in BIN/bench)")
    args = parser.parse_args()
    args.entries = args.entries or (200_000 if args.full else 20_000)
    args.latency_seconds = 30 if args.full else 5
    for name in args.only.split(","):
        if name not in PHASES:
            parser.error(f"--only {name}: there is no such phase")
    return args


def out_of_time(*_):
    raise Trouble("a phase hangs: the bench is out of time")


def main():
    args = parse_args()
    bench = Bench(args)
    rounds = []
    signal.signal(signal.SIGALRM, out_of_time)
    signal.alarm((LIMIT_S + round(args.patience) * len(PHASES)) * args.runs)
    with contextlib.ExitStack() as stack:
        stack.callback(bench.close)
        bench.open()
        about = machine(bench)
        print(f"{args.entries:,} runs of {LINE_BYTES} bytes, {args.in_flight} requests at once, {args.senders} sender, "
              f"{args.runs} rounds; {about['cpu']}, {about['cores']} cores, Linux {about['kernel']}")
        for number in range(args.runs):
            print(f"round {number + 1} of {args.runs}", file=sys.stderr)
            result = {}
            for name in args.only.split(","):
                wait_for_quiet(args.patience)
                result.update(PHASES[name](bench))
            rounds.append(result)
        print_table(rounds)
        write_result(bench, about, rounds)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Trouble as trouble:
        print(f"bench: {trouble}", file=sys.stderr)
        sys.exit(1)
