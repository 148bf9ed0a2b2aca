"""What the phases of the bench share: programs started and measured,
outboxes fed, the bare loops run."""

import base64
import json
import math
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

LINE_BYTES = 2048
RECEIVER = pathlib.Path(__file__).resolve().parent.parent / "stories" / "receiver.py"
DEFAULT_IN_FLIGHT = 10  # of an endpoint
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


class Trouble(Exception):
    pass


class Bench:
    """The programs, a folder for one round at a time, and every process that was started."""

    def __init__(self, args):
        self.bin = pathlib.Path(args.bin).resolve()
        self.args = args
        self.dir = ((pathlib.Path(args.dir) if args.dir else self.bin / "bench").resolve()
                    / f"work-{os.getpid()}")
        self.secret = self.dir / "secret"
        self.running = []
        self.phase = None
        self.unusual = {}  # limits that nobody would set: the phases that did

    def program(self, name):
        path = self.bin / name
        if not path.exists():
            path = self.bin / "bench" / name
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

    def config(self, name, outbox=(), **endpoint):
        """Signatures are on. The bound on requests at once is the sender's: an endpoint's own
        counts what is claimed, not only what is under way. `None` leaves a setting at its default.
        `outbox`: further lines of that section."""
        defaults = {"allow_http": "yes", "allow": "127.0.0.0/8", "secret_file": self.secret,
                    "in_flight": 4096, **endpoint}
        if defaults["in_flight"] is not None:
            self.unusual.setdefault(f"in_flight = {defaults['in_flight']}", []).append(self.phase)
        lines = ["[outbox]", "disk_reserve = 1M", *outbox, "[sender]",
                 f"in_flight = {self.args.in_flight}", "stop_grace = 500ms", "[defaults]",
                 *(f"{key} = {value}" for key, value in defaults.items() if value is not None)]
        path = self.dir / f"{name}.conf"
        path.write_text("\n".join(lines) + "\n")
        return path

    def start(self, *command, **how):
        process = Process([str(part) for part in command], self.dir / f"log-{len(self.running)}",
                          how)
        self.running.append(process)
        return process

    def sink(self, port, *options):
        sink = self.start(self.program("runpost-sink"), "--port", port, "--quiet", *options,
                          stdout=subprocess.PIPE)
        if not sink.stdout.readline().startswith(b"ready "):
            raise Trouble(f"the sink does not start: {sink.log()}")
        return sink

    def receiver(self, *options):
        """tests/stories/receiver.py; returns the process and its port."""
        receiver = self.start(sys.executable, RECEIVER, *options, stdout=subprocess.PIPE)
        ready = receiver.stdout.readline().split()
        if not ready:
            raise Trouble(f"the receiver does not start: {receiver.log()}")
        return receiver, int(ready[1])

    def new_outbox(self, name, config):
        path = self.fresh(name)
        self.start(self.program("runpost"), "init", "--outbox", path, "--config", config,
                   stdout=subprocess.DEVNULL).finish()
        return path

    def stats(self, outbox):
        done = subprocess.run([self.program("runpostctl"), "stats", "--outbox", outbox, "--json"],
                              capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    def endpoints(self, outbox):
        done = subprocess.run([self.program("runpostctl"), "endpoints", "--outbox", outbox,
                               "--json"], capture_output=True, text=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def expect(self, outbox, **entries):
        stats = self.stats(outbox)
        for state, count in entries.items():
            if stats["entries"][state] != count:
                raise Trouble(
                    f"{count} entries should be {state}, the outbox says {stats['entries']}")
        return stats


class Process(subprocess.Popen):
    """A process whose CPU time (its own children's included), and the most memory that it or one
    of them took, are known when it has ended."""

    def __init__(self, command, log_path, how):
        self.log_path = log_path
        self.cpu_us = self.most_kib = None
        with open(log_path, "wb") as log:
            super().__init__(command, stderr=log, **how)

    def log(self):
        return self.log_path.read_text(errors="replace")[-2000:]

    def is_over(self):
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def finish(self, code=0):
        """Waits for the end; returns when it was, in seconds of the monotonic clock."""
        _, status, usage = os.wait4(self.pid, 0)
        ended_s = time.monotonic()
        self.returncode = os.waitstatus_to_exitcode(status)
        self.cpu_us = round((usage.ru_utime + usage.ru_stime) * 1e6)
        self.most_kib = usage.ru_maxrss
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
    """A stretch of time, and how many cores others kept busy in it:
    the noise of the measurement."""

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


def start_feed(bench, outbox, config, urls, lines, *options):
    """Lines through a pipe into `runpost ingest`, receipts back through another one."""
    to_ingest, to_load = os.pipe(), os.pipe()
    ingest = bench.start(bench.program("runpost"), "ingest", "--outbox", outbox, "--config", config,
                         stdin=to_ingest[0], stdout=to_load[1])
    load = bench.start(bench.program("bare_load"), "--talk", "--lines", lines, "--bytes",
                       LINE_BYTES, *options, *urls, stdin=to_load[0], stdout=to_ingest[1])
    for fd in (*to_ingest, *to_load):
        os.close(fd)
    return ingest, load


def finish_feed(ingest, load, lines):
    """Waits for the end; returns what load reports."""
    load.finish()
    ingest.finish()
    report = json.loads(load.log())
    if report["queued"] != lines:
        raise Trouble(f"{report['queued']} of {lines} lines were queued: {ingest.log()}")
    return report


def feed(bench, outbox, config, urls, lines, *options):
    """Returns ingest, load, its report."""
    ingest, load = start_feed(bench, outbox, config, urls, lines, *options)
    return ingest, load, finish_feed(ingest, load, lines)


def read_stamps(path):
    """Of `bare_load --stamps`: id, when the line was written,
    when the receipt was read, in microseconds."""
    for line in path.read_text().splitlines():
        webhook_id, sent_us, receipt_us = line.split()
        yield webhook_id, int(sent_us), int(receipt_us)


def read_arrivals(path):
    """Of `runpost-sink --record`: the first arrival of each id,
    in microseconds of the same clock."""
    arrivals = {}
    for line in path.read_text().splitlines():
        delivery = json.loads(line)
        arrivals.setdefault(delivery["webhook_id"], delivery["monotonic_us"])
    return arrivals


def read_times(path):
    """Of a record as well: all arrivals, in its order."""
    return [json.loads(line)["monotonic_us"] for line in path.read_text().splitlines()]


def ingest(bench, outbox, config, urls):
    """One small run for each URL, from a file. Returns how many seconds ingest took."""
    path, tag = bench.dir / "lines", time.monotonic_ns()  # no run is the same as one before
    with open(path, "w") as out:
        for n, url in enumerate(urls):
            out.write(f'{{"webhook":"{url}","run":{{"run_id":"{tag}-{n}","status":"success"}}}}\n')
    with open(path) as source:
        start_s = time.monotonic()
        took_s = bench.start(bench.program("runpost"), "ingest", "--quiet", "--outbox", outbox,
                             "--config", config, stdin=source,
                             stdout=subprocess.DEVNULL).finish() - start_s
    path.unlink()
    return took_s


def send(bench, outbox, config, *options, senders=None, prefix=()):
    """prefix: goes before the program, such as unshare with its options."""
    return bench.start(*prefix, bench.program("runpost"), "send", "--outbox", outbox, "--config",
                       config, "--senders", senders or bench.args.senders, *options)


def warm_up(bench, outbox, config, urls, port):
    """A webhook for each: their hosts are known to be well then."""
    sink = bench.sink(port, "--bind", "0.0.0.0", "--exit-after", len(urls))
    ingest(bench, outbox, config, urls)
    send(bench, outbox, config, "--drain", senders=1).finish()
    sink.finish()


def stop(process):
    process.send_signal(signal.SIGTERM)
    process.finish()


def wait_until(true, what, limit_s=60):
    deadline_s = time.monotonic() + limit_s
    while not true():
        if time.monotonic() > deadline_s:
            raise Trouble(f"{what}: not within {limit_s} s")
        time.sleep(0.02)


def bare_append(bench, lines_file, batch):
    path = bench.fresh("bare")
    path.mkdir()
    loop = bench.start(bench.program("bare_append"), "--batch", batch, path, lines_file,
                       stdout=subprocess.PIPE)
    loop.finish()
    shutil.rmtree(path)
    report = json.loads(loop.output)
    return report["lines"] / report["wall_us"] * 1e6, report["cpu_us"] / report["lines"]


def bare_post(bench, lines_file, url, port, entries):
    """Both this loop and the senders are timed from their start to the last arrival."""
    sink = bench.sink(port, "--exit-after", entries)
    start_s = time.monotonic()
    loop = bench.start(bench.program("bare_post"), "--in-flight", bench.args.in_flight,
                       lines_file, url, stdout=subprocess.PIPE)
    rate = entries / (sink.finish() - start_s)
    loop.finish()
    return {"bare_post_per_s": rate,
            "bare_post_cpu_us": json.loads(loop.output)["cpu_us"] / entries,
            "sink_cpu_us": sink.cpu_us / entries}


def make_lines(bench, urls, lines):
    path = bench.dir / "lines"
    with open(path, "wb") as out:
        bench.start(bench.program("bare_load"), "--lines", lines, "--bytes", LINE_BYTES, *urls,
                    stdout=out).finish()
    return path


def percentile(values, share):
    return values[min(len(values) - 1, math.ceil(len(values) * share) - 1)]
