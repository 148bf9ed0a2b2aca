"""What the parts of this folder share: outboxes that are made and broken by the thousands,
and what must hold of each.

A Bench is one outbox at a time, with a receiver that keeps a record, and a fault (see
preload_faults.c) for the next program that is started. Benches work side by side, one a thread.
Whatever a fault did, Bench.settle() lets all drain without one and holds what then is there against
the receipts that came out and the receiver's record."""

import argparse
import base64
import collections
import concurrent.futures
import hashlib
import json
import os
import pathlib
import queue
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

LIMIT_S = 20
CONFIG = {
    "outbox": {"disk_reserve": "1M"},
    "sender": {"lease": "5s", "stop_grace": "5s"},
    "defaults": {"allow_http": "yes", "allow": "127.0.0.0/8", "retry_base": "10ms",
                 "retry_cap": "100ms", "retry_attempts": "40", "breaker": "off", "timeout": "2s",
                 "secret_file": "secret"},
}


class Violation(Exception):
    """A broken promise."""


def run_id(n):
    return f"0194a000-{n >> 16 & 0xffff:04x}-7000-8000-{n:012x}"


def run_line(n, url, pad=0, **envelope):
    """(line, payload) of run n, which goes to url."""
    run = {"run_id": run_id(n), "status": "success", "values": {"n": n, "pad": "x" * pad}}
    if not envelope:
        run["kwargs"] = {"webhook": url}
    payload = json.dumps(run, separators=(",", ":")).encode()
    if not envelope:
        return payload, payload
    head = json.dumps({"webhook": url, **envelope}, separators=(",", ":")).encode()
    return head[:-1] + b',"run":' + payload + b"}", payload


def whole_lines(data):
    return [json.loads(line) for line in data[:data.rfind(b"\n") + 1].splitlines()]


class Receiver:
    def __init__(self, lab, folder, *options):
        folder.mkdir(parents=True, exist_ok=True)
        self.record_path = folder / "record"
        self.process = subprocess.Popen([lab.bin / "runpost-sink", "--quiet", "--port", "0",
                                         "--record", self.record_path, *options],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        stdin=subprocess.DEVNULL)
        self.url = self.process.stdout.readline().decode().split()[1].rstrip("/")
        self.offset = 0

    def forget(self):
        self.offset = self.record_path.stat().st_size if self.record_path.exists() else 0

    def record(self):
        if not self.record_path.exists():
            return []
        with open(self.record_path, "rb") as source:
            source.seek(self.offset)
            return whole_lines(source.read())

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Done:
    """A program that has ended."""

    def __init__(self, argv, code, out, err, took_s):
        self.argv, self.code, self.out, self.took_s = argv, code, out, took_s
        self.err = err.decode(errors="replace")

    def __str__(self):
        return (f"{' '.join(map(str, self.argv))}: "
                f"ended with {self.code} after {self.took_s:.1f} s: {self.err[-600:]}")


class Bench:
    limit_s = LIMIT_S  # for an answer

    def __init__(self, lab, number, signed):
        self.lab, self.signed = lab, signed
        self.folder = lab.work / f"bench-{number}"
        self.folder.mkdir(parents=True)
        secret = self.folder / "secret"
        secret.write_text("whsec_" + base64.b64encode(bytes(range(32))).decode())
        secret.chmod(0o600)
        self.receiver = Receiver(lab, self.folder, "--per-path", "--status", "503", "200",
                                 *(["--secret-file", secret] if signed else []))
        self.outbox, self.config = self.folder / "outbox", self.folder / "conf"
        self.log, self.once = self.folder / "log", self.folder / "once"
        self.clock = self.folder / "clock"
        self.number, self.fresh = number, 0
        self.configure()
        self.reset()

    def configure(self, path=None, **sections):
        """Writes the configuration that the programs get,
        or another one beside it. Returns its path."""
        text = ""
        if not self.signed:
            sections["defaults"] = {**sections.get("defaults", {}), "secret_file": ""}
        for name in {**CONFIG, **sections}:
            text += f"[{name}]\n"
            text += "".join(f"{k} = {v}\n"
                            for k, v in {**CONFIG.get(name, {}), **sections.get(name, {})}.items())
        path = path or self.config
        path.write_text(text)
        return path

    def reset(self, template=None):
        """A new outbox: none, or a copy."""
        shutil.rmtree(self.outbox, ignore_errors=True)
        if template is not None:
            shutil.copytree(template, self.outbox)
        self.receiver.forget()
        self.prepared = None  # what the outbox holds, where scenes share it
        # Offered lines; run_id -> payload; run_id -> id.
        self.lines, self.payloads, self.acked = [], {}, {}
        self.fresh += 1

    def url(self, name):
        """A place nobody has been sent to before; its first request gets 503."""
        return f"{self.receiver.url}/{self.number}/{self.fresh}/{name}"

    # --- programs

    def argv(self, program, verb, *options):
        return [self.lab.bin / program, verb, "--outbox", self.outbox, "--config", self.config,
                *options]

    def environment(self, fault):
        env = {**self.lab.environment, "FAULT_LOG": str(self.log), "FAULT_ONCE": str(self.once)}
        if fault:
            self.log.unlink(missing_ok=True)
            self.once.unlink(missing_ok=True)
            env["LD_PRELOAD"] = str(self.lab.preload)
            if fault == "count":
                env["FAULT_COUNT"] = "1"
            elif fault == "clock":
                env["FAULT_CLOCK"] = str(self.clock)
            else:
                env["FAULT"] = fault
                if ":kill" not in fault and "+:" in fault:
                    del env["FAULT_ONCE"]  # for ever, in each process
        return env

    def start(self, program, verb, *options, fault=None, stdin=subprocess.DEVNULL):
        return subprocess.Popen(self.argv(program, verb, *options), stdin=stdin,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                env=self.environment(fault), start_new_session=True)

    def run(self, program, verb, *options, fault=None, limit_s=LIMIT_S):
        began = time.monotonic()
        process = self.start(program, verb, *options, fault=fault)
        try:
            out, err = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            self.end(process)
            raise Violation(f"hangs: {' '.join(map(str, process.args))}: "
                            f"{process.stderr.read()[-600:]}") from None
        finally:
            self.end(process)
        return Done(process.args, process.returncode, out, err, time.monotonic() - began)

    @staticmethod
    def end(process):
        """It and what it started."""
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()

    def must(self, program, verb, *options, code=0):
        done = self.run(program, verb, *options)
        if done.code != code:
            raise Violation(str(done) + done.out.decode(errors="replace")[-1000:])
        return done

    def hits(self):
        return [line.split() for line in self.log.read_text().splitlines()
                if line.startswith("hit ")] if self.log.exists() else []

    def counts(self):
        """role -> call -> how often, after a run with the fault "count"."""
        found = collections.defaultdict(collections.Counter)
        for line in self.log.read_text().splitlines():
            word, role, _, call, n = line.split()
            if word == "count":
                found[role][call] = max(found[role][call], int(n))
        return found

    # --- ingest

    def offer(self, lines):
        """Lines to be ingested: (line, payload); payload None: to be rejected."""
        for line, payload in lines:
            self.lines.append(line)
            if payload is not None:
                self.payloads[json.loads(payload)["run_id"]] = payload

    def ingest(self, step=2, fault=None, options=()):
        """Offers all lines, `step` at a time, waiting for their receipts.
        Returns the ended program and the receipts."""
        began = time.monotonic()
        process = self.start("runpost", "ingest", *options, fault=fault, stdin=subprocess.PIPE)
        out, at, deadline = b"", 0, began + LIMIT_S
        try:
            while True:
                if at < len(self.lines) and out.count(b"\n") >= at:
                    try:
                        process.stdin.write(b"".join(line + b"\n"
                                                     for line in self.lines[at:at + step]))
                        process.stdin.flush()
                    except OSError:
                        break
                    at = min(at + step, len(self.lines))
                if at == len(self.lines) and out.count(b"\n") >= at:
                    break
                if not select.select([process.stdout], [], [],
                                     max(0, deadline - time.monotonic()))[0]:
                    raise Violation(f"ingest hangs after {out.count(10)} receipts")
                more = os.read(process.stdout.fileno(), 65536)
                if not more:
                    break
                out += more
            try:
                process.stdin.close()
            except OSError:
                pass
            process.stdin = None
            rest, err = process.communicate(timeout=max(1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise Violation("ingest hangs at its end") from None
        finally:
            self.end(process)
        done = Done(process.args, process.returncode, out + rest, err, time.monotonic() - began)
        return done, self.take_receipts(done)

    def take_receipts(self, done):
        receipts = whole_lines(done.out)
        for i, receipt in enumerate(receipts):
            if receipt["line"] != i + 1:
                raise Violation(f"receipt {i + 1} is for line {receipt['line']}")
            known = json.loads(self.lines[i]) if self.lines[i].startswith(b"{") else {}
            known = known.get("run", known).get("run_id")
            if (known in self.payloads) != (receipt["status"] in ("queued", "duplicate")):
                raise Violation(f"wrong receipt for line {i + 1}: {receipt}")
            if known not in self.payloads:
                continue
            if (receipt["run_id"] != known
                    or self.acked.setdefault(known, receipt["id"]) != receipt["id"]):
                raise Violation(f"receipt of another run or with another id: {receipt}, "
                                f"was {self.acked.get(known)}")
        return receipts

    # --- what must hold

    def entries(self):
        done = self.must("runpostctl", "show", "--json", "--limit", "0", "--state",
                         "waiting,in_flight,held,delivered,dead")
        return whole_lines(done.out)

    def stats(self):
        return whole_lines(self.must("runpostctl", "stats", "--json").out)[0]

    def check_sound(self):
        self.must("runpostctl", "verify")
        self.must("runpostctl", "verify", "--full")
        stats = self.stats()
        if stats["accepted"] != sum(stats["entries"].values()):
            raise Violation(f"the ledger does not balance: {stats}")
        return stats

    def settle(self, purged=(), held=0, extra=0, states=("delivered",)):
        """Drains what is there, then checks all promises. purged: ids that may be gone; extra:
        copies beside those that the log of attempts explains."""
        self.must("runpost", "send", "--drain")
        stats = self.check_sound()
        counts = stats["entries"]
        if counts["waiting"] or counts["in_flight"] or counts["held"] != held:
            raise Violation(f"not drained: {counts}")
        entries = {e["id"]: e for e in self.entries()}
        got = collections.defaultdict(list)
        for request in self.receiver.record():
            got[request["webhook_id"]].append(request)
        gone = [i for i in self.acked.values() if i not in entries and i not in purged]
        if gone:
            raise Violation(f"lost, with a receipt: {gone}")
        if (len(entries) + counts["purged"] != stats["accepted"]
                or len({e["run_id"] for e in entries.values()}) != len(entries)):
            raise Violation(f"{len(entries)} entries, {stats['accepted']} accepted, {counts}")
        for entry_id, entry in entries.items():
            self.check_entry(entry, got.pop(entry_id, []), extra, states)
        stray = [i for i in got if i not in purged]
        if stray:
            raise Violation(f"delivered, but not in the outbox: {stray}")
        return entries

    def check_entry(self, entry, requests, extra, states):
        what = f"{entry['id']} ({entry['state']})"
        payload = self.payloads.get(entry["run_id"])
        if (payload is not None
                and {r["sha256"] for r in requests} - {hashlib.sha256(payload).hexdigest()}):
            raise Violation(f"{what}: other bytes were sent than came in")
        if entry["state"] not in (*states, "held"):
            raise Violation(f"{what}: {entry['cause']}; {entry['attempt_log']}")
        log = entry["attempt_log"]
        if [a["n"] for a in log] != list(range(1, entry["attempts"] + 1)):
            raise Violation(f"{what}: attempts are numbered {[a['n'] for a in log]}")
        successes = sum(r["status"] == 200 for r in requests)
        # Attempts of which nobody knows how they ended: the sender died,
        # or the answer did not come through.
        unknown = sum(a["outcome"] != "delivered" and not a["outcome"].startswith("http_")
                      for a in log)
        if successes > 1 + entry["replays"] + unknown + extra:
            raise Violation(f"{what}: delivered {successes} times, {entry['replays']} replays, "
                            f"{unknown} attempts unknown")
        if entry["state"] == "delivered" and payload is not None and successes == 0:
            raise Violation(f"{what}: never came")

    def close(self):
        self.receiver.close()


class Mistaken(Bench):
    """One verb of runpost is a program with a mistake."""

    def __init__(self, lab, number, verb, program):
        self.verb, self.program = verb, program
        super().__init__(lab, number, True)

    def argv(self, program, verb, *options):
        return [self.program if verb == self.verb else self.lab.bin / program,
                *super().argv(program, verb, *options)[1:]]


class Lab:
    """A part's options, its benches, and what it found. in_memory: its files are where a sync takes
    no time; what they do to a disk is tried elsewhere."""

    def __init__(self, about, in_memory=False):
        parser = argparse.ArgumentParser(description=about)
        parser.add_argument("--bin", required=True, type=pathlib.Path)
        parser.add_argument("--work", required=True, type=pathlib.Path)
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--quick", action="store_true")
        parser.add_argument("--only", help="only jobs whose name has this in it")
        options = parser.parse_args()
        self.bin, self.work = options.bin.resolve(), options.work.resolve()
        self.seed, self.quick, self.only = options.seed, options.quick, options.only
        self.preload = self.bin / "torture/faults/preload_faults.so"
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("FAULT")
                            and k != "LD_PRELOAD"}
        self.random = random.Random(self.seed)
        self.work.mkdir(parents=True, exist_ok=True)
        self.memory = None
        if in_memory and os.access("/dev/shm", os.W_OK):
            # So that nothing is left behind.
            signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
            self.memory = tempfile.TemporaryDirectory(prefix="runpost-faults-", dir="/dev/shm")
            self.work = pathlib.Path(self.memory.name)
        self.violations, self.counts, self.lock = [], collections.Counter(), threading.Lock()

    def add(self, **counts):
        with self.lock:
            self.counts.update(counts)

    def violation(self, name, why):
        with self.lock:
            self.violations.append(name)
            print(f"VIOLATION {name}: {why}", flush=True)

    def each(self, jobs, work, workers=2, signed=True):
        """work(bench, job) for each job (its str is its name), on as many benches; a Violation is
        told and counted. Not signed: the receiver takes requests whose time is far from its own."""
        jobs = [job for job in jobs if self.only is None or self.only in str(job)
                or self.only.startswith(str(job) + ":")]
        benches = queue.SimpleQueue()
        for number in range(workers):
            benches.put(Bench(self,
                              f"{threading.get_ident() % 1000}-{self.counts['benches']}-{number}",
                              signed))
        self.counts["benches"] += workers

        def one(job):
            bench = benches.get()
            try:
                work(bench, job)
                self.add(passed=1)
            except Violation as why:
                self.violation(str(job), why)
            except Exception as why:  # pylint: disable=broad-except
                self.violation(str(job), f"the part itself failed: {why!r}")
            finally:
                benches.put(bench)

        try:
            with concurrent.futures.ThreadPoolExecutor(workers) as pool:
                list(pool.map(one, jobs))
        finally:
            while not benches.empty():
                benches.get().close()

    def finish(self, note, **counts):
        result = {"passed": self.counts["passed"], "failed": 0, "violations": len(self.violations),
                  **counts, "note": note}
        print("result " + json.dumps(result), flush=True)
        if self.memory is not None:
            self.memory.cleanup()
        sys.exit(1 if self.violations else 0)
