"""What the stories share: the programs, an outbox in a folder of its own,
receivers, waiting, making runs.

Nothing here sleeps and hopes: `wait_until` polls a condition up to a deadline and
says what it was waiting for. Every process is started through `Story.spawn`,
which ends it by its pid when the story ends, whatever happened.
"""

import base64
import collections
import ctypes
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "postgres"))
import server as postgres  # noqa: E402

BIN = pathlib.Path(os.environ.get("RUNPOST_BIN", "build")).resolve()
FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures"
# Where the outboxes of stories are: in folders, or in the database that RP_POSTGRES names.
STORE = os.environ.get("RP_STORE", "lmdb")
LIMIT_S = 30
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)

QUICK_CONFIG = {
    "outbox": {"disk_reserve": "1M"},
    "sender": {"stop_grace": "5s"},
    "defaults": {"allow_http": "yes", "allow": "127.0.0.0/8", "retry_base": "50ms",
                 "retry_factor": "2",
                 "retry_cap": "400ms", "retry_attempts": "50", "timeout": "10s"},
}


def wait_until(condition, what, limit_s=LIMIT_S, every_s=0.02):
    """The condition's first true value; fails with `what` and its last value
    when the deadline passes."""
    deadline = time.monotonic() + limit_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {limit_s} s in vain for {what}; last seen: {value!r}")
        time.sleep(every_s)


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def json_lines(data):
    return [json.loads(line) for line in data.splitlines() if line.strip()]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def run_id(n):
    """Time-ordered like a UUIDv7, the same for the same n."""
    digest = hashlib.sha256(b"run %d" % n).hexdigest()
    return (f"0194a{n >> 16 & 0xfff:03x}-{n & 0xffff:04x}-7{digest[:3]}-8{digest[3:6]}-"
            f"{digest[6:18]}")


def make_run(n, webhook, pad=0, **more):
    """One completed run as the engine would write it: a line of JSON, bytes."""
    run = {"run_id": run_id(n), "thread_id": run_id(n + 500_000), "status": "success",
           "assistant_id": "fe096781-5601-53d2-b2f6-0d3403f7e9ca",
           "kwargs": {"input": {"messages": [{"role": "user", "content": "x" * pad}]},
                      "webhook": webhook},
           "created_at": "2026-11-23T08:26:47.625Z", "values": {"n": n}, **more}
    return json.dumps(run, separators=(",", ":")).encode()


def envelope(n, webhook, **more):
    run = {"run_id": run_id(n), "status": "success", "values": {"n": n}}
    return json.dumps({"webhook": webhook, **more, "run": run}, separators=(",", ":")).encode()


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def secret_text(key):
    return "whsec_" + base64.b64encode(key).decode()


def descendants(pid):
    """The pids of all living children, and theirs."""
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            for child in task.read_text().split():
                found += [int(child), *descendants(int(child))]
        except OSError:
            continue
    return found


def is_alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Process:
    """A running program whose outputs go into files, so that no pipe ever fills up
    behind a story's back."""

    def __init__(self, folder, number, argv, stdin=None, env=None, preexec=None, stdout=None,
                 stderr=None):
        self.argv = [str(a) for a in argv]
        name = pathlib.Path(self.argv[0]).name
        self.out_path = folder / f"{number:03d}-{name}.out"
        self.err_path = folder / f"{number:03d}-{name}.err"

        def before_exec():
            _die_with_parent()
            if preexec is not None:
                preexec()

        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            self.popen = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL if stdin is None else stdin,
                stdout=out if stdout is None else stdout, stderr=err if stderr is None else stderr,
                env={**os.environ, **(env or {})}, preexec_fn=before_exec)
        self.pid = self.popen.pid

    @property
    def out(self):
        return self.out_path.read_bytes()

    @property
    def err(self):
        return self.err_path.read_text(errors="replace")

    def poll(self):
        return self.popen.poll()

    def signal(self, number):
        self.popen.send_signal(number)

    def wait(self, limit_s=LIMIT_S):
        try:
            return self.popen.wait(limit_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{' '.join(self.argv)} has not ended after {limit_s} s; it said: "
                                 f"{self.err[-2000:]}") from None

    def stop(self, limit_s=LIMIT_S):
        self.signal(signal.SIGTERM)
        return self.wait(limit_s)

    def kill(self):
        """kill -9, and its end."""
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait(LIMIT_S)

    def end(self):
        """For the end of a story: no ifs."""
        if self.popen.poll() is None:
            family = descendants(self.pid)
            self.popen.kill()
            for pid in family:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        self.popen.wait()
        for pipe in (self.popen.stdin, self.popen.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    pass


class Sink:
    """runpost-sink on a port of 127.0.0.1, with a record of all it got."""

    def __init__(self, story, *options, port=0):
        self.record_path = story.folder / f"record-{story.next_number()}.ndjson"
        self.process = story.spawn(BIN / "runpost-sink", "--quiet", "--port", port,
                                   "--record", self.record_path, *options)
        ready = wait_until(lambda: self._ready(), "the sink's ready line").decode()
        self.url = ready.split()[1].rstrip("/")
        self.port = int(self.url.rpartition(":")[2])

    def _ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the sink ended: {self.process.err}")
        head, newline, _ = self.process.out.partition(b"\n")
        return head if newline else None

    def hook(self, path="/hook"):
        return self.url + path

    def record(self):
        """All deliveries so far; a line that is being written is left out."""
        data = self.record_path.read_bytes() if self.record_path.exists() else b""
        return json_lines(data[:data.rfind(b"\n") + 1])

    def by_id(self):
        """webhook-id -> its requests in the order they came."""
        groups = collections.defaultdict(list)
        for line in self.record():
            groups[line["webhook_id"]].append(line)
        return groups

    def count(self):
        return self.record_path.read_bytes().count(b"\n") if self.record_path.exists() else 0

    def stop(self):
        self.process.stop()


class LiveIngest:
    """runpost ingest with both ends of its pipes in hand; a thread collects the
    receipts and when each came."""

    def __init__(self, story, *options, env=None, stderr=None):
        self.process = story.spawn(*story.ingest_argv(*options), stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, env=env, stderr=stderr)
        self.receipts = []
        self.at = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.popen.stdout:
            if line.endswith(b"\n"):
                self.at.append(time.time())
                self.receipts.append(json.loads(line))

    def send(self, *lines):
        self.write(b"".join(line + b"\n" for line in lines))

    def write(self, data):
        self.process.popen.stdin.write(data)
        self.process.popen.stdin.flush()

    def wait_receipts(self, n, limit_s=LIMIT_S):
        wait_until(lambda: len(self.receipts) >= n, f"{n} receipts", limit_s, 0.002)
        return self.receipts

    def close(self, limit_s=LIMIT_S):
        self.process.popen.stdin.close()
        return self.wait(limit_s)

    def wait(self, limit_s=LIMIT_S):
        """Until it has ended and all its receipts are read; its exit code."""
        code = self.process.wait(limit_s)
        self._reader.join(LIMIT_S)
        return code

    def kill(self):
        self.process.kill()
        self.wait()


class Story(unittest.TestCase):
    """A folder, an outbox in it that does not exist yet, a configuration, and what runs."""

    deadline_s = 60
    maxDiff = 4000

    def setUp(self):
        root = os.environ.get("TMPDIR") or "build/stories"
        os.makedirs(root, exist_ok=True)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="story-", dir=root)).resolve()
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.outbox = self.folder / "outbox" if STORE == "lmdb" else self._schema()
        self.config = self.folder / "runpost.conf"
        self.processes = []
        self.notes = []
        self.prefix = []  # goes before each of our programs, such as nsenter with its options
        self._number = 0
        self.random = random.Random(os.environ.get("RUNPOST_SEED", self.id()))
        self.addCleanup(self._end_processes)
        self.configure()

    def _schema(self):
        """The address of an outbox in a schema that is not there yet."""
        server = os.environ[postgres.VARIABLE]
        name = self.folder.name.replace("-", "_").lower()
        # Called last, when all processes have ended.
        self.addCleanup(subprocess.run, [postgres.programs()[1] / "psql", "-Xqd", server, "-c",
                                         f"DROP SCHEMA IF EXISTS {name} CASCADE"],
                        capture_output=True, check=True)
        return f"{server}{'&' if '?' in server else '?'}schema={name}"

    def _end_processes(self):
        for process in reversed(self.processes):
            process.end()

    def note(self, text):
        """Shown beside the story's line."""
        self.notes.append(text)

    def next_number(self):
        self._number += 1
        return self._number

    # --- configuration and files

    def configure(self, endpoints=(), **sections):
        """Writes the configuration: QUICK_CONFIG, changed by sections;
        None takes a key away, a list repeats it."""
        merged = {name: dict(keys) for name, keys in QUICK_CONFIG.items()}
        for name, keys in sections.items():
            merged.setdefault(name, {}).update(keys)
        text = ""
        for name, keys in [*merged.items(),
                           *((f'endpoint "{name}"', keys) for name, keys in endpoints)]:
            text += f"[{name}]\n"
            for key, value in keys.items():
                for one in value if isinstance(value, list) else [value]:
                    text += f"{key} = {one}\n" if one is not None else ""
        self.config.write_text(text)

    def file(self, name, data, mode=0o600):
        path = self.folder / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        path.chmod(mode)
        return path

    # --- programs

    def spawn(self, *argv, stdin=None, env=None, preexec=None, stdout=None, stderr=None):
        if pathlib.Path(argv[0]).parent == BIN:
            argv = [*self.prefix, *argv]
        process = Process(self.folder, self.next_number(), argv, stdin, env, preexec, stdout,
                          stderr)
        self.processes.append(process)
        return process

    def sink(self, *options, port=0):
        return Sink(self, *options, port=port)

    def run_program(self, *argv, data=None, env=None, preexec=None, limit_s=LIMIT_S):
        """Runs to the end, input from bytes; the ended process."""
        if data is None:
            process = self.spawn(*argv, env=env, preexec=preexec)
        else:
            path = self.folder / f"input-{self.next_number()}"
            path.write_bytes(data)
            with open(path, "rb") as source:
                process = self.spawn(*argv, stdin=source, env=env, preexec=preexec)
            path.unlink()
        process.wait(limit_s)
        return process

    def ingest_argv(self, *options):
        return [BIN / "runpost", "ingest", "--outbox", self.outbox, "--config", self.config,
                *options]

    def ingest(self, data, *options, code=0, env=None, preexec=None, limit_s=LIMIT_S):
        """Ingests bytes, or lines, and returns the receipts."""
        if not isinstance(data, bytes):
            data = b"".join(line + b"\n" for line in data)
        process = self.run_program(*self.ingest_argv(*options), data=data, env=env, preexec=preexec,
                                   limit_s=limit_s)
        if code is not None:
            self.assertEqual(process.poll(), code, process.err)
        return json_lines(process.out)

    def live_ingest(self, *options, env=None, stderr=None):
        return LiveIngest(self, *options, env=env, stderr=stderr)

    def send(self, *options, env=None, stderr=None):
        return self.spawn(BIN / "runpost", "send", "--outbox", self.outbox, "--config", self.config,
                          *options, env=env, stderr=stderr)

    def drain(self, *options, limit_s=LIMIT_S, env=None):
        process = self.send("--drain", *options, env=env)
        self.assertEqual(process.wait(limit_s), 0, process.err)
        return process

    def ctl(self, verb, *options, code=0, limit_s=LIMIT_S):
        process = self.run_program(BIN / "runpostctl", verb, "--outbox", self.outbox, "--config",
                                   self.config, *options, limit_s=limit_s)
        if code is not None:
            self.assertEqual(process.poll(), code,
                             process.err + process.out.decode(errors="replace")[-2000:])
        return process

    def ctl_json(self, verb, *options, code=0):
        return json_lines(self.ctl(verb, "--json", *options, code=code).out)

    # --- looking at the outbox

    def outbox_exists(self):
        if STORE == "lmdb":
            return self.outbox.exists()
        schema = self.outbox.rpartition("schema=")[2]
        return bool(subprocess.run(
            [postgres.programs()[1] / "psql", "-XqAtd", os.environ[postgres.VARIABLE], "-c",
             f"SELECT to_regnamespace('{schema}')"], capture_output=True, text=True,
            check=True).stdout.strip())

    def stats(self):
        return self.ctl_json("stats")[0]

    def entries(self):
        return self.stats()["entries"]

    def list(self, *options):
        return self.ctl_json("list", *options)

    def show(self, entry_id):
        return self.ctl_json("show", entry_id)[0]

    def wait_entries(self, what, limit_s=LIMIT_S, **counts):
        """Until the ledger shows these counts, such as delivered=3."""
        def look():
            now = self.entries()
            return now if all(now[k] == v for k, v in counts.items()) else None
        try:
            return wait_until(look, what, limit_s, 0.05)
        except AssertionError as failure:
            raise AssertionError(
                f"{failure}; wanted {counts}, the ledger says {self.entries()}") from None

    def assert_sound(self, **counts):
        """verify finds nothing, the ledger balances, and it shows these counts."""
        done = self.ctl("verify", "--full", code=None)
        self.assertEqual(done.poll(), 0, done.out.decode(errors="replace") + done.err)
        stats = self.stats()
        self.assertEqual(stats["accepted"], sum(stats["entries"].values()), stats["entries"])
        for name, value in counts.items():
            self.assertEqual(stats["accepted"] if name == "accepted" else stats["entries"][name],
                             value, f"{name} in {stats['accepted']} = {stats['entries']}")

    def assert_statuses(self, receipts, *statuses):
        self.assertEqual([r["status"] for r in receipts], list(statuses), receipts)
