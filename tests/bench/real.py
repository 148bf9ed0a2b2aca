"""What the phases of receivers as they are in the world share: they have names, speak TLS, and may
be far away. All of it happens in a place of its own (place.c), entered by name spaces: as root, or
where the kernel lets users have them."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import harness

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "stories"))
import tls_server

NAME_SERVER = "127.77.77.53"
FAR_NETWORK, FAR_NAME = "192.0.2.0/24", "far-192-0-2-2.bench.test"
PORT = 8443  # nobody else is in the place
MIB = 1024
SENDER_IN_FLIGHT = 256  # by default
SYSTEM_CAS = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")


class Place:
    """Names, loopback, and with far_ms the addresses 192.0.2.0/24 so far away."""

    def __init__(self, bench, far_ms=0):
        self.bench = bench
        conf = bench.dir / "resolv.conf"
        conf.write_text(f"nameserver {NAME_SERVER}\n")
        user = () if os.geteuid() == 0 else ("--user", "--map-root-user")
        self.keeper = bench.start("unshare", *user, "--net", "--mount", bench.program("place"),
                                  "--resolv-conf", conf, "--far-ms", far_ms,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self.keeper.stdout.readline() != b"ready\n":
            raise harness.Trouble(f"there is no place of our own: {self.keeper.log()}")
        preserve = ("--user", "--preserve-credentials") if user else ()
        self.prefix = ("nsenter", "--target", self.keeper.pid, *preserve, "--net", "--mount")

    def start(self, *command, **how):
        return self.bench.start(*self.prefix, *command, **how)

    def start_ready(self, *command):
        process = self.start(*command, stdout=subprocess.PIPE)
        if process.stdout.readline() != b"ready\n":
            raise harness.Trouble(f"{command[0]} does not start: {process.log()}")
        return process

    def names(self):
        return self.start_ready(sys.executable, pathlib.Path(__file__).parent / "name_server.py",
                                NAME_SERVER)

    def sink(self, *options, port=PORT):
        cert, key = identity(self.bench)
        return self.start_ready(self.bench.program("tls_sink"), "--bind", "0.0.0.0", "--port", port,
                                "--cert", cert, "--key", key, *options)

    def sockets(self, state, local_port=None):
        """The TCP sockets of the place in this state (a number, in hexadecimal), by both ends."""
        rows = [line.split() for line in
                open(f"/proc/{self.keeper.pid}/net/tcp").readlines()[1:]]
        return {(row[1], row[2]) for row in rows if row[3] == state and (
            local_port is None or row[1].endswith(f":{local_port:04X}"))}

    def end(self):
        self.keeper.stdin.close()
        self.keeper.finish()


ESTABLISHED, CLOSE_WAIT = "01", "08"


def why_not(bench, far_ms=0):
    """Why this machine does not let us have such a place; None: it does."""
    try:
        Place(bench, far_ms).end()
    except harness.Trouble as trouble:
        return str(trouble).strip()
    return None


def authority(bench):
    if not hasattr(bench, "authority"):
        bench.authority = tls_server.Authority(bench.dir, "bench")
        bench.identity = bench.authority.issue("receiver", "DNS:*.bench.test")
    return bench.authority


def identity(bench):
    """Certificate and key of every receiver."""
    authority(bench)
    return bench.identity


def name_of(host, network="127.1"):
    return f"h{host}-{network.replace('.', '-')}-{host // 250}-{host % 250 + 1}.bench.test"


def urls(hosts, port=PORT):
    return [f"https://{name_of(host)}:{port}/hook" for host in range(hosts)]


def config(bench, *sections, **defaults):
    """What a user has to say about such receivers, and no limit that he would not."""
    defaults = {"allow": "127.0.0.0/8", "ca_file": authority(bench).file,
                "secret_file": bench.secret, **defaults}
    lines = ["[outbox]", "disk_reserve = 1M", "[sender]", "stop_grace = 500ms", "[defaults]",
             *(f"{key} = {value}" for key, value in defaults.items() if value is not None)]
    for name, settings in sections:
        lines += [f'[endpoint "{name}"]', *(f"{key} = {value}" for key, value in settings.items())]
    path = bench.dir / "real.conf"
    path.write_text("\n".join(lines) + "\n")
    return path


def stored(bench, conf, to, entries):
    """A fresh outbox with so many entries, for the URLs in turn."""
    outbox = bench.new_outbox("outbox", conf)
    harness.feed(bench, outbox, conf, to, entries)
    return outbox


def memory_kib(pids):
    """By name, of all these processes."""
    sums = {}
    for pid in pids:
        for line in open(f"/proc/{pid}/smaps_rollup").readlines()[1:]:
            key, value = line.split()[:2]
            sums[key.rstrip(":")] = sums.get(key.rstrip(":"), 0) + int(value)
    return sums


def tree(pid):
    """A process and those it started."""
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid] + [found for child in children for found in tree(int(child))]


def ask_to_end(process):
    """At once; returns what it reports."""
    process.send_signal(signal.SIGTERM)
    process.finish()
    return json.loads(process.output)


def start_up(bench, conf):
    """Of a sender that finds nothing to do: seconds, and microseconds of CPU."""
    outbox, start_s = bench.new_outbox("outbox", conf), time.monotonic()
    sender = harness.send(bench, outbox, conf, "--drain", senders=1)
    return sender.finish() - start_s, sender.cpu_us


def deliver(bench, place, conf, to, entries, *sink_options, prefix=()):
    """One sender with its defaults drains a backlog: the rate is from its start to the last
    arrival; "sink": what the receiver saw."""
    outbox = stored(bench, conf, to, entries)
    names, sink = place.names(), place.sink("--exit-after", entries, *sink_options)
    span = harness.Span()
    sender = harness.send(bench, outbox, conf, senders=1, prefix=(*place.prefix, *prefix))
    took_s = sink.finish() - span.start_s
    seen = json.loads(sink.output)
    memory = memory_kib(tree(sender.pid))
    harness.stop(sender)
    lookups = ask_to_end(names)
    bench.expect(outbox, delivered=entries)
    return {"per_s": entries / took_s, "cpu_us": sender.cpu_us / entries,
            "sink": seen,
            "sink_cpu_us": sink.cpu_us / entries,
            "lookups": lookups,
            "peak_mib": sender.most_kib / MIB, "pss_mib": memory["Pss"] / MIB,
            "own_mib": memory["Anonymous"] / MIB,
            "noise_cores": span.noise(sender, sink)}


def bare(bench, place, to, entries, in_flight, kept, *sink_options):
    """The same bytes to the same receivers from a loop that keeps `kept` connections."""
    lines_file = harness.make_lines(bench, to, entries)
    names, sink = place.names(), place.sink("--exit-after", entries, *sink_options)
    start_s = time.monotonic()
    loop = place.start(bench.program("bare_post"), "--in-flight", in_flight, "--kept", kept,
                       "--ca", authority(bench).file, lines_file, *to, stdout=subprocess.PIPE)
    took_s = sink.finish() - start_s
    loop.finish()
    return {"per_s": entries / took_s, "cpu_us": json.loads(loop.output)["cpu_us"] / entries,
            "sink": json.loads(sink.output), "lookups": ask_to_end(names)}
