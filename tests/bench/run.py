#!/usr/bin/env python3
"""make bench: how fast runpost is, beside loops that do only the unavoidable,
in the same run on the same machine.

    tests/bench/run.py --bin build [--full] [--runs 3] [--entries N] [--only drain,real,...]

Without options the phases that tell the most are measured, within three minutes; with --full all of
them, and larger. Every round measures each thing once, the bare loop next to what it is compared
with; ratios are taken within a round, and what is printed is the median over the rounds. What each
phase does is told in docs/performance.md. Any webhook that is not accounted for ends the bench with
an error: a rate of lost webhooks is no rate.
Results: a table on stdout and every single figure in BIN/bench/result.json."""

import argparse
import contextlib
import json
import os
import platform
import signal
import statistics
import sys
import time

import harness
import phase_both
import phase_distance
import phase_door
import phase_drain
import phase_flood
import phase_hosts
import phase_idle
import phase_ingest
import phase_isolation
import phase_latency
import phase_many
import phase_memory
import phase_paths
import phase_scale
import phase_senders
import phase_soak
import phase_tls
import phase_trust
import real

# Each has run(bench) -> figures by key, and TABLE: name, key, unit, digits, target (a bound and its
# direction). ONCE: a round of it is enough. Its first paragraph says what it measures.
PHASES = {"drain": phase_drain, "both": phase_both, "ingest": phase_ingest,
          "latency": phase_latency, "flood": phase_flood, "senders": phase_senders,
          "idle": phase_idle, "memory": phase_memory, "isolation": phase_isolation,
          "hosts": phase_hosts, "paths": phase_paths, "scale": phase_scale, "tls": phase_tls,
          "many": phase_many, "trust": phase_trust, "distance": phase_distance,
          "soak": phase_soak, "door": phase_door}
GROUPS = {"real": ("tls", "many", "trust", "distance", "soak")}  # each in a place of its own
AWAY = ("distance",)  # and far away in it
QUICK = ("drain", "both", "ingest", "latency", "door", "tls", "many")
ON_REQUEST = {"scale"}
QUICK_S = 170  # no round begins that would not end by then
PHASE_S = 45  # nor a phase so long before; the longest of them takes half of it when all is quiet
LIMIT_S = {False: 900, True: 3600}  # a round, quick and with --full


def machine(bench):
    model = next((line.split(":", 1)[1].strip()
                  for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    disk = os.stat(bench.dir).st_dev
    return {"date": time.strftime("%Y-%m-%d"), "cpu": model, "cores": os.cpu_count(),
            "kernel": platform.release(),
            "disk": f"{os.major(disk)}:{os.minor(disk)}", "load_at_start": os.getloadavg()[0]}


def judge(value, target):
    if target is None:
        return "", ""
    sign, bound = target
    met = value >= bound if sign == ">=" else value < bound
    return f"{sign} {bound}", "met" if met else "missed"


def print_table(rounds):
    print(f"{'':42}{'median':>12}{'lowest':>12}{'highest':>12}    target")
    for name, key, unit, digits, target in (row for phase in PHASES.values()
                                            for row in phase.TABLE):
        values = [r[key] for r in rounds if key in r]
        if not values:
            continue
        figures = "".join(f"{v:>{12 - len(unit)},.{digits}f}{unit}" for v in
                          (statistics.median(values), min(values), max(values)))
        bound, verdict = judge(statistics.median(values), target)
        print(f"{name:42}{figures}    {bound:8}{verdict}".rstrip())
    noise = max((value for r in rounds for key, value in r.items() if key.endswith("noise_cores")),
                default=0)
    print(f"\nother work on this machine took up to {noise:.1f} cores while measuring"
          + ("; the figures are noisy, repeat them when it is quiet" if noise > 0.3 else ""))


def write_result(bench, about, rounds):
    medians = {key: statistics.median(r[key] for r in rounds if key in r)
               for key in {k: 0 for r in rounds for k in r}}
    path = bench.bin / "bench" / "result.json"
    path.write_text(json.dumps({"machine": about, "settings": vars(bench.args), "medians": medians,
                                "rounds": rounds}, indent=1) + "\n")
    print(f"every figure: {path}")


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--bin", default="build", help="where the programs are (default: build)")
    parser.add_argument("--full", action="store_true",
                        help="200,000 entries and 30 s of latency instead of 20,000 and 5 s")
    parser.add_argument("--runs", type=int, default=3, help="rounds (default: 3)")
    parser.add_argument("--entries", type=int, help="entries a phase, whatever --full says")
    parser.add_argument("--in-flight", type=int, default=256,
                        help="requests at once, of bare loop and sender (default: 256)")
    parser.add_argument("--senders", type=int, default=1, help="sender processes (default: 1)")
    parser.add_argument(
        "--patience", type=float, help="seconds to wait before each phase for other work on the "
        "machine to end (default: 15, or 1 where neither --full nor --only is given)")
    parser.add_argument(
        "--only", help=f"phases, of {','.join(PHASES)}, or "
        + "; ".join(f"{name}: {', '.join(group)}" for name, group in GROUPS.items())
        + f" (default: {','.join(QUICK)}; with --full all but {', '.join(ON_REQUEST)})")
    parser.add_argument("--stored", type=int, default=1_000_000,
                        help="entries in the outbox of phase scale (default: 1,000,000)")
    parser.add_argument(
        "--dir", help="where outboxes are made, on the disk to be measured (default: in BIN/bench)")
    args = parser.parse_args()
    args.entries = args.entries or (200_000 if args.full else 20_000)
    args.latency_seconds = 30 if args.full else 5
    args.within_s = None if args.full or args.only else QUICK_S
    if args.patience is None:
        args.patience = 1 if args.within_s else 15
    args.phases = chosen(args)
    for name in args.phases:
        if name not in PHASES:
            parser.error(f"--only {name}: there is no such phase")
    return args


def chosen(args):
    if args.only:
        return [phase for name in args.only.split(",") for phase in GROUPS.get(name, (name,))]
    return [name for name in PHASES if name not in ON_REQUEST] if args.full else list(QUICK)


def leave_out(bench):
    """The phases that need a place of their own, where there can be none."""
    for phases, far_ms in ((AWAY, 1), (GROUPS["real"], 0)):
        concerned = [name for name in bench.args.phases if name in phases]
        why = real.why_not(bench, far_ms) if concerned else None
        if why:
            print(f"left out: {', '.join(concerned)}, which need root or name spaces: {why}")
            bench.args.phases = [name for name in bench.args.phases if name not in concerned]


def print_plan(bench):
    for name in bench.args.phases:
        about = " ".join(PHASES[name].__doc__.partition("\n\n")[0].split())
        print(f"  {name:10}{about}")
    sys.stdout.flush()


def minutes(seconds):
    return f"{seconds / 60:.1f} min"


def run_phases(bench, number, deadline_s):
    """The figures of one round."""
    result = {}
    for name in bench.args.phases:
        if number > 1 and getattr(PHASES[name], "ONCE", False):
            continue
        if deadline_s and time.monotonic() > deadline_s - PHASE_S:
            print(f"left out for want of time: {name}", file=sys.stderr)
            continue
        bench.phase = name
        harness.wait_for_quiet(bench.args.patience)
        result.update(PHASES[name].run(bench))
    return result


def run_rounds(bench):
    """The figures of each round. How long a round takes is the machine's business,
    so the first one tells it for the rest."""
    rounds, began_s, within_s = [], time.monotonic(), bench.args.within_s
    for number in range(1, bench.args.runs + 1):
        rounds.append(run_phases(bench, number, within_s and began_s + within_s))
        took_s = time.monotonic() - began_s
        left_s = took_s / number * (bench.args.runs - number)
        print(f"round {number} of {bench.args.runs} is done after {minutes(took_s)}"
              + (f", the others need about {minutes(left_s)}" if left_s else ""), file=sys.stderr)
        if within_s and left_s and took_s + took_s / number > within_s:
            print(f"no further round: it would not end within {minutes(within_s)}; "
                  "with --only or --full the bench takes the time it needs", file=sys.stderr)
            break
    return rounds


def print_limits(bench):
    """No figure owes anything in silence to a limit that nobody would set."""
    for limit, phases in bench.unusual.items():
        print(f"{limit} at every endpoint (default: {harness.DEFAULT_IN_FLIGHT}) in: "
              f"{', '.join(dict.fromkeys(phases))}")


def out_of_time(*_):
    raise harness.Trouble("a phase hangs: the bench is out of time")


def main():
    args = parse_args()
    bench = harness.Bench(args)
    signal.signal(signal.SIGALRM, out_of_time)
    signal.alarm(round(LIMIT_S[args.full] + args.patience * len(PHASES) + args.stored / 1000)
                 * args.runs)
    with contextlib.ExitStack() as stack:
        stack.callback(bench.close)
        bench.open()
        about = machine(bench)
        print(
            f"{args.entries:,} runs of {harness.LINE_BYTES} bytes, "
            f"{args.in_flight} requests at once, {args.senders} sender, "
            f"{args.runs} rounds; {about['cpu']}, {about['cores']} cores, Linux {about['kernel']}")
        leave_out(bench)
        print_plan(bench)
        rounds = run_rounds(bench)
        print_table(rounds)
        print_limits(bench)
        write_result(bench, about, rounds)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except harness.Trouble as trouble:
        print(f"bench: {trouble}", file=sys.stderr)
        sys.exit(1)
