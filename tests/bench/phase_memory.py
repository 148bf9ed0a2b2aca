"""How much memory a sender takes with as many requests under way as it may have,
of 2 KB, plain and over TLS, and of 15 MiB."""

import json
import os
import subprocess

import harness
import real

IN_FLIGHT = 256
HOSTS = 64  # a window of 5 each, to begin with, is more than IN_FLIGHT
LONG_BYTES = 15 << 20
LONG_ENDPOINTS = 8
SHORT = 500
TLS_RUNS_EACH, TLS_ANSWER_MS = 16, 2000
MIB = 1024

TABLE = [
    (f"memory of a sender, {IN_FLIGHT} requests of 2 KB", "memory_short_mib", " MiB", 1, ("<", 32)),
    ("  of it not shared with the page cache", "memory_short_anon_mib", " MiB", 1, None),
    (f"  over TLS, {HOSTS} hosts", "memory_tls_mib", " MiB", 1, None),
    ("  ... at once, most", "memory_tls_at_once", "", 0, None),
    ("  of it not shared with the page cache", "memory_tls_anon_mib", " MiB", 1, None),
    (f"  beside {LONG_ENDPOINTS} that hang on 15 MiB, not shared", "memory_long_anon_mib", " MiB",
     1, ("<", 112)),
]


def memory_kib(pid, key):
    return int(open(f"/proc/{pid}/status").read().split(f"\n{key}:")[1].split()[0])


def short(bench):
    """The receivers have been well once, and then take every request and answer none."""
    port = harness.free_port()
    config = bench.config("short")
    outbox = bench.new_outbox("outbox", config)
    urls = [f"http://127.3.0.{i + 1}:{port}/hook" for i in range(HOSTS)]
    harness.warm_up(bench, outbox, config, urls, port)
    harness.feed(bench, outbox, config, urls, IN_FLIGHT * 4)
    sink = bench.sink(port, "--bind", "0.0.0.0", "--never")
    sender = harness.send(bench, outbox, config, senders=1)
    in_flight = min(IN_FLIGHT, bench.args.in_flight)
    harness.wait_until(lambda: connections(sender.pid) >= in_flight, f"{IN_FLIGHT} connections")
    result = {"memory_short_mib": memory_kib(sender.pid, "VmHWM") / MIB,
              "memory_short_anon_mib": memory_kib(sender.pid, "RssAnon") / MIB}
    stop_hanging(sender, sink)
    return result


def connections(pid):
    """Established TCP connections of this process."""
    inodes = set()
    for fd in os.scandir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(fd.path)
        except FileNotFoundError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    rows = [line.split() for line in open("/proc/net/tcp").readlines()[1:]]
    return sum(row[9] in inodes and row[3] == "01" for row in rows)


def stop_hanging(sender, sink):
    harness.stop(sender)
    harness.stop(sink)


def long(bench):
    """Eight endpoints hang on payloads of 15 MiB; a ninth gets its short ones all the same."""
    port, good_port = harness.free_port(), harness.free_port()
    config = bench.config("long")
    outbox = bench.new_outbox("outbox", config)
    path = bench.dir / "long"
    with open(path, "w") as out:
        for i in range(LONG_ENDPOINTS * 2):
            out.write(json.dumps({"webhook": f"http://127.0.0.1:{port}/{i % LONG_ENDPOINTS}",
                                  "run": {"run_id": f"long-{i}", "status": "success",
                                          "text": "x" * LONG_BYTES}}) + "\n")
    with open(path) as source:
        bench.start(bench.program("runpost"), "ingest", "--quiet", "--outbox", outbox, "--config",
                    config, stdin=source, stdout=subprocess.DEVNULL).finish()
    path.unlink()
    sink = bench.sink(port, "--never")
    sender = harness.send(bench, outbox, config, senders=1)
    harness.wait_until(lambda: connections(sender.pid) >= 5, "large requests under way")
    good = bench.sink(good_port, "--exit-after", SHORT)
    harness.feed(bench, outbox, config, [f"http://127.0.0.1:{good_port}/good"], SHORT)
    good.finish()
    anon_mib = memory_kib(sender.pid, "RssAnon") / MIB
    stop_hanging(sender, sink)
    bench.expect(outbox, delivered=SHORT)
    return {"memory_long_anon_mib": anon_mib}


def tls(bench):
    """Hosts that answer late, so that all that may be is under way."""
    if real.why_not(bench):
        return {}
    place = real.Place(bench)
    seen = real.deliver(bench, place, real.config(bench), real.urls(HOSTS),
                        HOSTS * TLS_RUNS_EACH, "--delay-ms", TLS_ANSWER_MS)
    place.end()
    return {"memory_tls_at_once": seen["sink"]["most_unanswered"],
            "memory_tls_mib": seen["peak_mib"], "memory_tls_anon_mib": seen["own_mib"]}


def run(bench):
    return {**short(bench), **tls(bench), **long(bench)}
