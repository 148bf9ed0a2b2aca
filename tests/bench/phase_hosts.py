"""What healthy hosts keep of their throughput beside hosts in trouble that have many paths, or
beside many hosts in trouble; and how soon a slow receiver gets all that it may.

The healthy ones answer after ANSWER_MS, as in phase_isolation: limits decide, not a core. Before
each measurement they get one webhook each, so that they are known to be well; the figure with
"new" does without."""

import json
import os
import signal
import statistics
import subprocess
import sys
import time

import harness

HOSTS = 9
PATHS_OF_ONE = 4  # with a sick one beside them; 10 at once each are fewer than a host may have
ANSWER_MS = 20
SENDERS = 2
ENTRIES_MAX = 40_000
RUNS, RUNS_MANY = 6_000, 100_000  # a path each
SICK_HOSTS, RUNS_OF_SICK = 300, 20
LIMIT_FACTOR = 3  # so long a measurement beside trouble takes, of one without
FULL_WINDOW = 64
SLOW_S = (1, 5)
ROUNDS_MAX = 8
NAME_SERVER = "127.77.77.53"  # port 53, so root's

TABLE = [
    ("nine hosts, two senders, share kept", "hosts_alone_per_s", "/s", 0, None),
    ("  beside one of 6,000 paths that hangs", "hosts_hangs_share", "", 2, (">=", 0.95)),
    ("  ... of 100,000 paths", "hosts_hangs_many_share", "", 2, (">=", 0.95)),
    ("  ... that answers after 5 s", "hosts_slow_share", "", 2, (">=", 0.95)),
    ("  ... that fails at once (503)", "hosts_fails_share", "", 2, (">=", 0.95)),
    ("  ... that refuses connections", "hosts_refused_share", "", 2, (">=", 0.95)),
    ("  ... whose name does not exist", "hosts_no_name_share", "", 2, (">=", 0.95)),
    ("  ... whose name server is silent", "hosts_name_hangs_share", "", 2, (">=", 0.95)),
    ("  beside 300 hosts that never answer", "hosts_crowd_share", "", 2, (">=", 0.9)),
    ("  ... by hosts that are new", "hosts_crowd_new_share", "", 2, None),
    ("four paths of a host, share kept", "paths_alone_per_s", "/s", 0, None),
    ("  beside another path that fails (503)", "paths_fails_share", "", 2, (">=", 0.95)),
    ("  ... that never answers", "paths_hangs_share", "", 2, (">=", 0.95)),
]
TABLE += [(f"answers after {s} s: rounds to {FULL_WINDOW} at once", f"slow_{s}_rounds", "", 1,
           ("<", 3.5)) for s in SLOW_S]


class Trouble:
    """Receivers, what is stored for them, and what goes before a sender."""

    def __init__(self, urls, *processes, prefix=()):
        self.urls, self.processes, self.prefix = urls, processes, prefix

    def end(self):
        for process in self.processes:
            process.kill()
            process.finish(-signal.SIGKILL)


def own_paths(root, runs=RUNS):
    return [f"{root}/run/{n}" for n in range(runs)]


def misbehaving(*options, runs=RUNS):
    def begin(bench):
        port = harness.free_port()
        return Trouble(own_paths(f"http://127.0.0.1:{port}", runs), bench.sink(port, *options))
    return begin


def refused(bench):
    return Trouble(own_paths(f"http://127.0.0.1:{harness.free_port()}"))


def nameless(name):
    """The senders ask a name server of ours: they see another /etc/resolv.conf."""
    def begin(bench):
        server = bench.start(sys.executable, os.path.join(os.path.dirname(__file__),
                                                          "name_server.py"), NAME_SERVER,
                             stdout=subprocess.PIPE)
        if server.stdout.readline() != b"ready\n":
            raise harness.Trouble(f"the name server does not start: {server.log()}")
        conf = bench.dir / "resolv.conf"
        conf.write_text(f"nameserver {NAME_SERVER}\n")
        return Trouble(own_paths(f"http://{name}.test"), server,
                       prefix=("unshare", "--mount", "sh", "-c",
                               'mount --bind "$0" /etc/resolv.conf && exec "$@"', conf))
    return begin


def crowd(bench):
    port = harness.free_port()
    urls = [f"http://127.2.{n // 100}.{n % 100 + 1}:{port}/hook" for n in range(SICK_HOSTS)]
    return Trouble(urls * RUNS_OF_SICK, bench.sink(port, "--bind", "0.0.0.0", "--never"))


TROUBLES = {
    "hangs": misbehaving("--never"),
    "hangs_many": misbehaving("--never", runs=RUNS_MANY),
    "slow": misbehaving("--delay", "5s"),
    "fails": misbehaving("--status", "503"),
    "refused": refused,
    "no_name": nameless("dead"),
    "name_hangs": nameless("hang"),
    "crowd": crowd,
    "crowd_new": crowd,
}
ONLY_FULL = {"hangs_many"}
ONLY_ROOT = {"no_name", "name_hangs"}


def is_measured(bench, trouble):
    return ((bench.args.full or trouble not in ONLY_FULL)
            and (os.geteuid() == 0 or trouble not in ONLY_ROOT))


def per_second(receiver, arrived, entries, start_s, limit_s):
    """Of so many entries, or of those that came within the limit, which `arrived` counts."""
    try:
        harness.wait_until(receiver.is_over, "all of them", limit_s)
    except harness.Trouble:
        harness.stop(receiver)
        return arrived() / limit_s
    return entries / (receiver.finish() - start_s)


def drain_hosts(bench, name=None, limit_s=60):
    """The rate of the healthy hosts, whose backlog is stored after that of the trouble."""
    port, record = harness.free_port(), bench.dir / "record"
    record.unlink(missing_ok=True)
    urls = [f"http://127.1.0.{host + 1}:{port}/hook" for host in range(HOSTS)]
    entries = min(bench.args.entries // 2, ENTRIES_MAX) // HOSTS * HOSTS
    config = bench.config("hosts", in_flight=None)
    outbox = bench.new_outbox("outbox", config)
    if name != "crowd_new":
        harness.warm_up(bench, outbox, config, urls, port)
    trouble = TROUBLES[name](bench) if name else Trouble([])
    harness.ingest(bench, outbox, config, trouble.urls)
    harness.feed(bench, outbox, config, urls, entries)
    sink = bench.sink(port, "--bind", "0.0.0.0", "--delay", f"{ANSWER_MS}ms", "--record", record,
                      "--exit-after", entries)
    span = harness.Span()
    sender = harness.send(bench, outbox, config, senders=SENDERS, prefix=trouble.prefix)
    rate = per_second(sink, lambda: len(harness.read_arrivals(record)), entries, span.start_s,
                      limit_s)
    harness.stop(sender)
    trouble.end()
    return rate, span.noise(sender, sink, *trouble.processes)


def drain_paths(bench, rule=None, limit_s=60):
    """The rate of some paths of a host; with a rule another path of it misbehaves."""
    entries = min(bench.args.entries // 4, ENTRIES_MAX) // PATHS_OF_ONE * PATHS_OF_ONE
    receiver, port = bench.receiver("--well", entries, f"/well=200:{ANSWER_MS / 1000}",
                                    f"/sick={rule or 200}")
    root = f"http://127.0.0.1:{port}"
    config = bench.config("paths", in_flight=None)
    outbox = bench.new_outbox("outbox", config)
    if rule:
        harness.ingest(bench, outbox, config, [f"{root}/sick"] * RUNS)
    harness.feed(bench, outbox, config, [f"{root}/well/{n}" for n in range(PATHS_OF_ONE)], entries)
    span = harness.Span()
    sender = harness.send(bench, outbox, config, senders=SENDERS)
    rate = per_second(receiver, lambda: bench.stats(outbox)["entries"]["delivered"], entries,
                      span.start_s, limit_s)
    harness.stop(sender)
    return rate, span.noise(sender, receiver)


def shares(drain, name, troubles, result, noises):
    """Each trouble between two runs without one, as in phase_isolation."""
    start_s = time.monotonic()
    rate, noise = drain()
    limit_s = LIMIT_FACTOR * (time.monotonic() - start_s)
    alone = [rate]
    noises.append(noise)
    for key, trouble in troubles:
        beside, noise = drain(trouble, limit_s)
        after, noise_after = drain()
        alone.append(after)
        noises += [noise, noise_after]
        result[f"{name}_{key}_share"] = beside / statistics.mean(alone[-2:])
    result[f"{name}_alone_per_s"] = statistics.median(alone)


def rounds_to_full(bench, answer_s):
    """A receiver that is slow but well, may have FULL_WINDOW at once, and has more than enough to
    do: how many of its rounds go by until it has them."""
    receiver, port = bench.receiver("--reach", FULL_WINDOW, f"/=200:{answer_s}")
    config = bench.config("slow", in_flight=FULL_WINDOW)
    outbox = bench.new_outbox("outbox", config)
    harness.ingest(bench, outbox, config,
                   [f"http://127.0.0.1:{port}/hook"] * FULL_WINDOW * ROUNDS_MAX)
    sender = harness.send(bench, outbox, config, senders=1)
    harness.wait_until(receiver.is_over, f"{FULL_WINDOW} at once", ROUNDS_MAX * answer_s)
    receiver.finish()
    harness.stop(sender)
    return json.loads(receiver.output)["reached_s"] / answer_s


def run(bench):
    result, noises = {}, []
    shares(lambda *how: drain_hosts(bench, *how), "hosts",
           [(key, key) for key in TROUBLES if is_measured(bench, key)], result, noises)
    shares(lambda *how: drain_paths(bench, *how), "paths",
           [("fails", "503"), ("hangs", "never")], result, noises)
    result |= {f"slow_{s}_rounds": rounds_to_full(bench, s) for s in SLOW_S}
    result["hosts_noise_cores"] = statistics.median(noises)
    return result
