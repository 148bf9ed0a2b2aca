"""The front door beside a bare server that appends the same bodies to an outbox of the same kind:
runs a second, CPU, and how long a lone request takes; with --only door also its memory and a fast
client's times beside 512 slow ones, 256 connections, and a flood through one of them.

The bare server is measured before and after the door; ratios are to the mean of both. A second bare
server stores the bodies in one table, from which nothing could be delivered: it tells what an
outbox costs."""

import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import time

import harness

AT_ONCE, MANY = 64, 256
LONE_RATE = 100
LONE = 300
SLOW = 512
BESIDE_RATE = 200
BESIDE = 2600  # 13 s: heads and bodies that are too slow are ended after 10
FLOOD_DEPTH = 64
SLOW_KINDS = ("heads", "bodies", "idle")
MIB = 1024

TABLE = [
    (f"door, runs of 2 KB, {AT_ONCE} connections", "door_per_s", "/s", 0, None),
    ("  bare server", "door_bare_per_s", "/s", 0, None),
    ("  ratio", "door_ratio", "", 2, (">=", 0.85)),
    ("  CPU a run", "door_cpu_us", "us", 1, None),
    ("  CPU a run, bare server", "door_bare_cpu_us", "us", 1, None),
    ("  CPU, ratio", "door_cpu_ratio", "", 2, ("<", 1.2501)),
    ("  ratio to a bare server with one table", "door_table_ratio", "", 2, None),
    ("  CPU, ratio to that one", "door_table_cpu_ratio", "", 2, None),
    ("  a request, p99", "door_p99_ms", "ms", 1, None),
    ("  a request at the bare server, p99", "door_bare_p99_ms", "ms", 1, None),
    ("  runs a commit", "door_runs_a_commit", "", 0, None),
    ("door, a lone request, p50", "door_lone_ms", "ms", 2, None),
    ("  bare server", "door_bare_lone_ms", "ms", 2, None),
    ("  more than the bare server", "door_lone_more_ms", "ms", 3, ("<", 0.2001)),
    (f"door, {MANY} connections, ratio", "door_many_ratio", "", 2, None),
    ("  CPU, ratio", "door_many_cpu_ratio", "", 2, None),
    *((f"beside {SLOW} slow clients ({kind}), p99", f"door_slow_{kind}_p99_ms", "ms", 2, ("<", 10))
      for kind in SLOW_KINDS),
    *((f"  memory, {kind}, most", f"door_slow_{kind}_mib", " MiB", 1, ("<", 32))
      for kind in SLOW_KINDS),
    ("beside a flood through one connection, p99", "door_flood_p99_ms", "ms", 2, None),
    ("  the flood itself", "door_flood_per_s", "/s", 0, None),
    ("an idle door, wake-ups a second", "door_idle_wakes_per_s", "", 2, ("<", 0.5)),
]


def lines(bench, count, name):
    """Runs as an engine sends them, none the same as one before."""
    path = bench.dir / name
    harness.make_lines(bench, ["http://127.0.0.1:9/hook"], count).rename(path)
    return path


class Server:
    """A door or a bare server, and what it is asked."""

    def __init__(self, bench, process, port, path):
        self.bench, self.process, self.port, self.path = bench, process, port, path
        self.taken = 0

    def clients(self, *options, file=()):
        return self.bench.start(self.bench.program("door_load"), *options, self.port, self.path,
                                *file, stdout=subprocess.PIPE)

    def report(self, clients):
        """Waits for the end of fast ones."""
        clients.finish()
        report = json.loads(clients.output)
        self.taken += report["requests"] + 1  # the first one is not timed
        return report

    def ask(self, file, *options):
        return self.report(self.clients(*options, file=[file]))

    def close(self):
        harness.stop(self.process)
        return self.process.cpu_us


def accepts(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


@contextlib.contextmanager
def bare(bench, store="outbox"):
    path, port = bench.fresh("bare"), harness.free_port()
    path.mkdir()
    process = bench.start(bench.program("bare_door"), port, path, store, stdout=subprocess.DEVNULL)
    harness.wait_until(lambda: accepts(port), "the bare server")
    yield Server(bench, process, port, "/")
    shutil.rmtree(path)


def table(bench):
    return bare(bench, "table")


@contextlib.contextmanager
def door(bench):
    """All that it answered with 202 has to be in its outbox."""
    port = harness.free_port()
    config = bench.config("door", in_flight=None)
    with open(config, "a") as out:
        out.write(f'[door]\nlisten = 127.0.0.1:{port}\n[endpoint "bench"]\n'
                  "url = http://127.0.0.1:9/hook\ndoor = yes\n")
    outbox = bench.new_outbox("outbox", config)
    process = bench.start(bench.program("runpost"), "serve", "--outbox", outbox, "--config", config)
    harness.wait_until(lambda: "ev=ready" in process.log(), "the door")
    server = Server(bench, process, port, "/to/bench")
    server.outbox = outbox
    yield server
    bench.expect(outbox, waiting=server.taken)


def worker(server):
    """The process behind the supervisor that takes the runs."""
    pid = server.process.pid
    return int(open(f"/proc/{pid}/task/{pid}/children").read().split()[0])


def status_of(pid, key):
    return int(open(f"/proc/{pid}/status").read().split(f"\n{key}:")[1].split()[0])


def wakes(pid):
    """Of all its threads."""
    return sum(int(open(f"/proc/{pid}/task/{task}/status").read()
                   .split("\nvoluntary_ctxt_switches:")[1].split()[0])
               for task in os.listdir(f"/proc/{pid}/task"))


def at_once(kind, bench, connections):
    """Its rate, microseconds of CPU a run and what the clients report; start and end included."""
    file = lines(bench, bench.args.entries + 1, "runs")
    with kind(bench) as server:
        before = bench.stats(server.outbox)["commits"] if kind is door else 0
        report = server.ask(file, "--connections", connections)
        cpu_us = server.close()
        report["commits"] = (bench.stats(server.outbox)["commits"] - before if kind is door else 0)
    return report | {"per_s": report["requests"] / report["wall_us"] * 1e6,
                     "cpu": cpu_us / server.taken}


def compare(bench, connections):
    """Door, and the mean of the bare server before and after it."""
    runs = [at_once(kind, bench, connections) for kind in (bare, door, bare)]
    mean = {key: statistics.mean([runs[0][key], runs[2][key]])
            for key in ("per_s", "cpu", "p99_us")}
    return runs[1], mean


def lone(bench, kind):
    """Median of a request that has the server to itself, in milliseconds."""
    file = lines(bench, LONE + 1, "runs")
    with kind(bench) as server:
        report = server.ask(file, "--rate", LONE_RATE)
        server.close()
    return report["p50_us"] / 1000


def essential(bench):
    span = harness.Span()
    ours, base = compare(bench, AT_ONCE)
    one_table = at_once(table, bench, AT_ONCE)
    noise = span.noise(*(p for p in bench.running[-12:] if p.cpu_us is not None))
    bare_ms = lone(bench, bare)
    door_ms = lone(bench, door)
    bare_ms = (bare_ms + lone(bench, bare)) / 2
    return {"door_per_s": ours["per_s"], "door_bare_per_s": base["per_s"],
            "door_ratio": ours["per_s"] / base["per_s"], "door_cpu_us": ours["cpu"],
            "door_bare_cpu_us": base["cpu"], "door_cpu_ratio": ours["cpu"] / base["cpu"],
            "door_table_ratio": ours["per_s"] / one_table["per_s"],
            "door_table_cpu_ratio": ours["cpu"] / one_table["cpu"],
            "door_p99_ms": ours["p99_us"] / 1000, "door_bare_p99_ms": base["p99_us"] / 1000,
            "door_runs_a_commit": ours["requests"] / max(1, ours["commits"]),
            "door_lone_ms": door_ms, "door_bare_lone_ms": bare_ms,
            "door_lone_more_ms": door_ms - bare_ms, "door_noise_cores": noise}


def many(bench):
    ours, base = compare(bench, MANY)
    return {"door_many_ratio": ours["per_s"] / base["per_s"],
            "door_many_cpu_ratio": ours["cpu"] / base["cpu"]}


def beside_slow(bench, kind):
    """As many slow ones as there may be connections: one has to give way to the fast one."""
    file = lines(bench, BESIDE + 1, "runs")
    with door(bench) as server:
        slow = server.clients("--slow", kind, "--connections", SLOW)
        if slow.stdout.readline() != b"ready\n":
            raise harness.Trouble(f"the slow clients do not start: {slow.log()}")
        report = server.ask(file, "--rate", BESIDE_RATE)
        most_kib = status_of(worker(server), "VmHWM")
        harness.stop(slow)
        server.close()
    return {f"door_slow_{kind}_p99_ms": report["p99_us"] / 1000,
            f"door_slow_{kind}_most_ms": report["most_us"] / 1000,
            f"door_slow_{kind}_mib": most_kib / MIB}


def beside_flood(bench):
    """One connection has as many requests under way as it can, another one asks now and then."""
    flood_file = lines(bench, bench.args.entries, "flood")
    file = lines(bench, BESIDE_RATE + 1, "runs")
    with door(bench) as server:
        flood = server.clients("--pipeline", FLOOD_DEPTH, file=[flood_file])
        report = server.ask(file, "--rate", BESIDE_RATE)
        if flood.is_over():
            raise harness.Trouble("the flood was over too soon; --entries makes it longer")
        flood.terminate()
        flooded = server.report(flood)
        server.close()
    return {"door_flood_p99_ms": report["p99_us"] / 1000,
            "door_flood_per_s": flooded["requests"] / flooded["wall_us"] * 1e6}


def idle(bench):
    """A door and its supervisor with a connection that says nothing."""
    with door(bench) as server:
        waiting = socket.create_connection(("127.0.0.1", server.port))
        pids = [server.process.pid, worker(server)]
        before = sum(map(wakes, pids))
        time.sleep(10)
        woken = sum(map(wakes, pids)) - before
        waiting.close()
        server.close()
    return {"door_idle_wakes_per_s": woken / 10}


def run(bench):
    result = essential(bench)
    if bench.args.within_s:
        return result
    result |= many(bench)
    for kind in SLOW_KINDS:
        result |= beside_slow(bench, kind)
    return result | beside_flood(bench) | idle(bench)
