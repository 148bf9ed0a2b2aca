"""Makes a recording: lets ingesters, doors, senders and the inspector work on an outbox, one after
another and together, with everything written down that they do to its files (preload_record.c),
and what the outside saw (marks).

A mark is a text in the log (log.h), written under the log's lock:

    begin                       what stands before made the outbox that the recording began with:
                                no cuts there
    created                     `runpost init` has ended with 0
    offer RUN AT BYTES \\n LINE  the line is about to be written to an ingester;
                                its payload is BYTES of it from AT on
    answer ID STATUS            the receiver is about to answer the request with this webhook-id
    purging ID, purged ID       a purge is about to be started; it has ended with 0
                                (the same for replaying, replayed)
    holding ID                  a hold is about to be started
    saving ID                   before `purging`: its backup has the entry even if it was delivered
    expiring WHAT, expired WHAT a sender is about to be started to which everything delivered
                                (WHAT is all: or dead) is past its keep time; it has ended

So every mark stands before what it announces could have an effect on the outbox,
and `purged` and `replayed` after."""
import ctypes
import fcntl
import http.server
import json
import os
import queue
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

LIMIT_S = 30
LOG_MAGIC = 0x52504C47
LOG_CREATE, LOG_WRITE, LOG_SYNC, LOG_MKDIR, LOG_RECEIPT, LOG_MARK = 1, 2, 3, 5, 7, 8
HEAD = struct.Struct("=IBBHIIQ")
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None)

CONFIG = """[outbox]
dir = {dir}
disk_reserve = 1M
keep_delivered = {keep_delivered}
keep_dead = {keep_dead}
[sender]
stop_grace = 5s
[door]
listen = unix:{door}
[defaults]
allow_http = yes
allow = 127.0.0.0/8
retry_base = 5ms
retry_factor = 2
retry_cap = 20ms
retry_attempts = 3
in_flight = 8
breaker = off
"""


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Failure(Exception):
    """The programs did not do what the recording needs; with a promise broken, or without."""


def wait_until(condition, what, limit_s):
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            raise Failure(f"waited {limit_s} s in vain for {what}")
        time.sleep(0.002)


class Log:
    def __init__(self, path):
        self.path = path
        self.fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self.ours = threading.Lock()  # a file lock does not keep threads apart
        self.closed = False

    def locked(self, action):
        with self.ours:
            if self.closed:  # a request that nobody waits for any more
                return None
            fcntl.flock(self.fd, fcntl.LOCK_EX)
            try:
                return action()
            finally:
                fcntl.flock(self.fd, fcntl.LOCK_UN)

    def put(self, kind, name, data, pid=0):
        record = HEAD.pack(LOG_MAGIC, kind, 0, len(name), pid, len(data), 0) + name.encode() + data
        self.locked(lambda: os.write(self.fd, record))

    def mark(self, text):
        self.put(LOG_MARK, "", text if isinstance(text, bytes) else text.encode())

    def close(self):
        with self.ours:
            self.closed = True
            os.close(self.fd)


def read_seen(path, before):
    """(kind, pid, data) of the receipts and marks among the first `before` events of a log."""
    data, at, event = path.read_bytes(), 0, 0
    while at < len(data) and event < before:
        _, kind, _, name_len, pid, data_len, _ = HEAD.unpack_from(data, at)
        at += HEAD.size + name_len
        if kind in (LOG_RECEIPT, LOG_MARK):
            yield kind, pid, data[at:at + data_len]
        at, event = at + data_len, event + 1


def run_id(n):
    return f"0194a000-{n:04x}-7000-8000-{n * 7919:012x}"


def make_line(n, url, rng):
    """(line, where its payload begins, its length). Runs as engines write them,
    and envelopes with an order."""
    run = {"run_id": run_id(n), "status": rng.choice(("success", "error"))}
    pad = rng.choice((0, 0, 200, 1500, 5000, 9000))
    if n % 3 == 0:
        run["values"] = {"n": n, "text": "x" * pad}
        payload = json.dumps(run, separators=(",", ":"))
        head = f'{{"webhook":"{url}","order_by":"order-{n % 4}","run":'
        return (head + payload + "}").encode(), len(head), len(payload)
    run["kwargs"], run["values"] = {"webhook": url}, {"n": n, "text": "y" * pad}
    line = json.dumps(run, separators=(",", ":")).encode()
    return line, 0, len(line)


class Receiver:
    """Answers 200, but to some runs 503 once, and to some until they were dead and replayed."""

    def __init__(self, log, port=0):
        self.log, self.seen, self.problems, self.payloads = log, {}, [], {}
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                status = outer.judge(self.headers["webhook-id"], body)
                outer.log.mark(f"answer {self.headers['webhook-id']} {status}")
                self.wfile.write(b"HTTP/1.1 %d X\r\ncontent-length: 0\r\n\r\n" % status)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # a sender that is killed resets its connections
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever,
                                       kwargs={"poll_interval": 0.05})
        self.thread.start()

    def judge(self, ident, body):
        self.seen[ident] = self.seen.get(ident, 0) + 1
        number = self.payloads.get(body)
        if number is None:
            self.problems.append(f"{ident}: the receiver got bytes that nobody offered")
            return 200
        if number % 7 == 3:
            return 200 if self.seen[ident] > 3 else 503
        return 503 if number % 5 == 2 and self.seen[ident] == 1 else 200

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Ingester:
    """A `runpost ingest` with its receipts."""

    def __init__(self, recording):
        self.receipts = {}
        self.child = recording.start("ingest", "runpost", "ingest", "--config", recording.config,
                                     "--quiet", env={"RECORD_STDOUT": "1"}, stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE)
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _read(self):
        for line in self.child.stdout:
            if line.endswith(b"\n"):
                receipt = json.loads(line)
                self.receipts[receipt["run_id"]] = receipt["id"]

    def has_answered(self, runs):
        if self.child.poll() is not None:
            raise Failure(f"ingest ended with {self.child.returncode}")
        return all(run in self.receipts for run in runs)

    def send(self, lines):
        try:
            for line in lines:
                self.child.stdin.write(line + b"\n")
            self.child.stdin.flush()
        except BrokenPipeError:
            raise Failure("ingest reads no more") from None

    def kill(self, log):
        """With the log locked, so that no operation is cut from its record."""
        log.locked(self.child.kill)
        self.child.wait(LIMIT_S)
        self.thread.join()
        self.child.stdin.close()
        self.child.stdout.close()

    def end(self):
        """At the end of its input it ends, with all receipts written."""
        self.child.stdin.close()
        code = self.child.wait(LIMIT_S)
        self.thread.join()
        self.child.stdout.close()
        if code != 0:
            raise Failure(f"ingest ended with {code}")


class Door:
    """A `runpost serve` with its receipts: what Ingester is, over HTTP. What is sent at once goes in
    one request of lines, or in requests of its own, over a few connections side by side."""

    CLIENTS = 3

    def __init__(self, recording):
        self.receipts, self.rng, self.broken = {}, recording.rng, None
        self.path = recording.folder / "door.sock"
        self.child = recording.start("door", "runpost", "serve", "--config", recording.config,
                                     env={"RECORD_ANSWERS": "1"})
        self.requests = queue.SimpleQueue()
        self.threads = [threading.Thread(target=self._work) for _ in range(self.CLIENTS)]
        for thread in self.threads:
            thread.start()

    def _work(self):
        connection, deadline = None, time.monotonic() + LIMIT_S
        while (body := self.requests.get()) is not None and self.broken is None:
            try:
                while connection is None:
                    connection = self._connect(deadline)
                self._ask(connection, body)
            except OSError as why:  # it was killed
                self.broken = why
            except Failure as why:
                self.broken = why
        if connection is not None:
            connection.close()

    def _connect(self, deadline):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(LIMIT_S)
        try:
            connection.connect(str(self.path))
            return connection
        except (FileNotFoundError, ConnectionRefusedError):
            connection.close()
            if time.monotonic() > deadline or self.child.poll() is not None:
                raise
            time.sleep(0.002)
            return None

    def _ask(self, connection, body):
        kind = "x-ndjson" if b"\n" in body else "json"
        connection.sendall(f"POST /v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application"
                           f"/{kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        got = b""
        while True:
            head, mark, text = got.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", head)
            if mark and length and len(text) >= int(length[1]):
                break
            more = connection.recv(65536)
            if not more:
                raise ConnectionResetError
            got += more
        if head.split()[1] not in (b"200", b"202"):
            raise Failure(f"the door answers {got!r}")
        for line in text.splitlines():
            receipt = json.loads(line)
            self.receipts[receipt["run_id"]] = receipt["id"]

    def has_answered(self, runs):
        if self.broken is not None:
            raise Failure(f"the door broke: {self.broken!r}")
        return all(run in self.receipts for run in runs)

    def send(self, lines):
        lines = list(lines)
        if lines and self.rng.random() < 0.5:
            self.requests.put(b"".join(line + b"\n" for line in lines))
        else:
            for line in lines:
                self.requests.put(line)

    def _close(self):
        for _ in self.threads:
            self.requests.put(None)
        for thread in self.threads:
            thread.join()

    def kill(self, log):
        """It and its worker, with the log locked, so that no operation is cut from its record."""
        def kill():
            for pid in children_of(self.child.pid):
                os.kill(pid, signal.SIGKILL)
            self.child.kill()
            time.sleep(0.002)  # it may be in a system call; it will not come back from it
        log.locked(kill)
        self.child.wait(LIMIT_S)
        self._close()

    def end(self):
        """Told to end it answers what was asked."""
        self._close()
        self.child.terminate()
        code = self.child.wait(LIMIT_S)
        if code != 0:
            raise Failure(f"serve ended with {code}")


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return [int(child) for child in f.read().split()]


class Recording:
    """programs: of a role (init, ingest, door, sender, ctl) another program than the build's. size: lines
    in all. after: what a power cut left of another recording, to go on from: its log, how many of
    its events had been seen, the directory."""

    def __init__(self, build, folder, seed, size, programs=None, after=None, port=0,
                 limit_s=LIMIT_S):
        self.limit_s = limit_s
        self.build, self.folder, self.size = build, folder, size
        self.programs = programs or {}
        self.rng = random.Random(seed)
        self.outbox, self.config = folder / "outbox", folder / "config"
        self.log_path = folder / "log"
        self.configure(self.config, "7d", "30d")
        self.log = Log(self.log_path)
        self.children, self.ids, self.lines, self.n, self.kills = [], {}, {}, 0, 0
        self.receiver = Receiver(self.log, port)
        if after is not None:
            self.begin_after(*after)
        self.log.mark("begin")

    def configure(self, path, keep_delivered, keep_dead):
        path.write_text(CONFIG.format(dir=self.outbox, door=self.folder / "door.sock",
                                      keep_delivered=keep_delivered, keep_dead=keep_dead))

    def begin_after(self, log_path, before, image):
        """What had been seen stays seen; the files are what the image has."""
        receipts = {}
        for kind, pid, data in read_seen(log_path, before):
            self.log.put(kind, "", data, pid)
            if kind == LOG_RECEIPT:
                receipts[pid] = receipts.get(pid, b"") + data
            elif data.startswith(b"offer "):
                head, _, line = data.partition(b"\n")
                run, at, length = head.decode().split()[1:]
                self.lines[run] = line
                self.receiver.payloads[line[int(at):int(at) + int(length)]] = self.n
                self.n += 1
        for line in b"".join(text[:text.rfind(b"\n") + 1]
                             for text in receipts.values()).splitlines():
            receipt = json.loads(line)
            self.ids[receipt["run_id"]] = receipt["id"]
        shutil.copytree(image, self.outbox)
        self.log.put(LOG_MKDIR, ".", b"")
        self.log.put(LOG_SYNC, "..", b"")
        for path in sorted(self.outbox.rglob("*")):
            name = str(path.relative_to(self.outbox))
            if path.is_dir():
                self.log.put(LOG_MKDIR, name, b"")
            elif name not in ("lock.mdb", "door"):
                for kind, data in ((LOG_CREATE, b""), (LOG_WRITE, path.read_bytes()),
                                   (LOG_SYNC, b"")):
                    self.log.put(kind, name, data)
        if (self.outbox / "purged").exists():
            self.log.put(LOG_SYNC, "purged", b"")
        self.log.put(LOG_SYNC, ".", b"")

    def start(self, role, program, *argv, env=None, **more):
        path = self.programs.get(role, self.build / program)
        errors = open(self.folder / f"{len(self.children):03d}-{role}.err", "wb")
        env = {**os.environ, **(env or {}), "RECORD_DIR": str(self.outbox),
               "RECORD_LOG": str(self.log_path),
               "LD_PRELOAD": str(self.build / "torture/power/preload_record.so")}
        child = subprocess.Popen([str(path), *map(str, argv)], stderr=errors, env=env,
                                 preexec_fn=die_with_parent,
                                 **{"stdin": subprocess.DEVNULL, **more})
        errors.close()
        self.children.append(child)
        return child

    def run(self, role, program, *argv):
        child = self.start(role, program, *argv, stdout=subprocess.PIPE)
        try:
            out, _ = child.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            raise Failure(f"{role} {argv} has not ended after {LIMIT_S} s") from None
        return child.returncode, out

    # --- what is done ---

    def init(self):
        code, _ = self.run("init", "runpost", "init", "--config", self.config)
        if code != 0:
            raise Failure(f"init ended with {code}")
        self.log.mark("created")

    def offer(self, ingester, numbers, wait=True):
        for n in numbers:
            line, at, length = make_line(n, self.receiver.url + f"/hook{n % 3}", self.rng)
            self.receiver.payloads[line[at:at + length]] = n
            self.lines[run_id(n)] = line
            self.log.mark(f"offer {run_id(n)} {at} {length}\n".encode() + line)
        ingester.send(self.lines[run_id(n)] for n in numbers)
        if wait:
            wait_until(lambda: ingester.has_answered([run_id(n) for n in numbers]), "receipts",
                       self.limit_s)

    def next(self, count):
        self.n += count
        return range(self.n - count, self.n)

    def change(self, verb, doing, done, ident, *options):
        self.log.mark(f"{doing} {ident}")
        code, out = self.run("ctl", "runpostctl", verb, ident, *options, "--json", "--config",
                             self.config)
        if code == 0 and done and json.loads(out)["done"] == 1:
            self.log.mark(f"{done} {ident}")

    def replay(self, ident):
        self.change("replay", "replaying", "replayed", ident)

    def purge(self, ident):
        self.change("purge", "purging", "purged", ident)

    def purge_saving(self, ident):
        """With a backup, in the outbox's own directory, of what was delivered too."""
        self.log.mark(f"saving {ident}")
        self.change("purge", "purging", "purged", ident, "--backup",
                    self.outbox / f"extra-{time.monotonic_ns()}.ndjson")

    def expire(self, what="all"):
        """A sender to which everything that is delivered, or dead too, is past its keep time."""
        short = self.folder / "config-short"
        self.configure(short, "1ms", "1ms" if what == "all" else "30d")
        before = self.stats()["purged"]
        self.log.mark(f"expiring {what}")
        code, _ = self.run("sender", "runpost", "send", "--drain", "--config", short)
        if code != 0 or self.stats()["purged"] == before:
            raise Failure(
                f"a sender that should have removed what is past its keep time ended with {code}")
        self.log.mark(f"expired {what}")

    def check_backups(self):
        """Each of their lines brings back what came in; that they are on the disk in
        time is for the cuts."""
        offered = {run_id(n): payload.decode() for payload, n in self.receiver.payloads.items()}
        for path in self.outbox.rglob("*.ndjson"):
            for line in path.read_text().splitlines():
                entry = json.loads(line)
                if (entry["payload"] != offered[entry["run_id"]]
                        or entry["id"] != self.ids[entry["run_id"]]):
                    raise Failure(f"{path.name}: {line[:300]}")

    def stats(self):
        code, out = self.run("ctl", "runpostctl", "stats", "--json", "--config", self.config)
        if code != 0:
            raise Failure(f"stats ended with {code}")
        return json.loads(out)["entries"]

    def senders(self):
        return self.start("sender", "runpost", "send", "--config", self.config, "--senders", "2")

    def kill_a_sender(self, supervisor):
        """With the log locked, so that no operation is cut from its record.
        The supervisor starts another one."""
        def kill():
            victims = children_of(supervisor.pid)
            if victims:
                os.kill(self.rng.choice(victims), signal.SIGKILL)
                self.kills += 1
                time.sleep(0.002)  # it may be in a system call; it will not come back from it
        self.log.locked(kill)

    def settle_down(self):
        wait_until(lambda: self.stats()["waiting"] + self.stats()["in_flight"] == 0,
                   "the outbox to drain", self.limit_s)

    # --- the story ---

    def play(self, *acts):
        try:
            for act in acts or (self.alone, self.together):
                act()
            if self.receiver.problems:
                raise Failure(self.receiver.problems[0])
            self.check_backups()
        finally:
            self.close()

    def alone(self):
        """One after another: init, ingest, two senders, replay,
        purge and what is past its keep time."""
        self.init()
        ingester = Ingester(self)
        door = Door(self)
        for n in self.next(4):
            self.offer((ingester, door)[n % 2], [n])
        self.offer(ingester, self.next(4))
        self.offer(door, self.next(4))
        self.finish(self.senders(), [ingester, door], [3])
        self.purge(self.ids[run_id(10)])  # it died
        self.purge_saving(self.ids[run_id(1)])
        # Removes nothing: it is too early.
        self.run("sender", "runpost", "send", "--drain", "--config", self.config)
        self.expire()

    def newborn(self):
        """Nobody says init: an ingester and two senders find no outbox, and all of them make it."""
        supervisor, ingester = self.senders(), Ingester(self)
        for n in self.next(4):
            self.offer(ingester, [n])
        self.offer(ingester, self.next(8))
        self.finish(supervisor, [ingester], [10])

    def half_made(self):
        """Whoever made the outbox was gone before the directory was synced (a mutant plays that):
        the next one sees to it."""
        self.run("init", "runpost", "init", "--config", self.config)
        ingester = Ingester(self)
        self.offer(ingester, self.next(12))
        self.finish(self.senders(), [ingester], [])

    def together(self):
        """Two ingesters, a door, two senders, replay, purge and hold at once;
        a sender, an ingester and the door are killed."""
        supervisor, ingesters = self.senders(), [Ingester(self), Ingester(self), Door(self)]
        step = 0
        while self.n < self.size:
            step += 1
            self.offer(ingesters[step % 3], self.next(self.rng.choice((1, 1, 1, 2, 5))),
                       wait=self.rng.random() < 0.7)
            if step % 6 == 0:
                self.change_something(ingesters)
            if step == 10:
                self.kill_a_sender(supervisor)
            if step == 16:
                self.expire("delivered")
            if step in (13, 15):
                self.kill(ingesters, {13: 1, 15: 2}[step])
        self.finish(supervisor, ingesters, [17, 24])  # they died, and so did this one:
        self.purge(self.ids[run_id(31)])
        self.expire()

    def kill(self, ingesters, which):
        """And a new one, to which all is sent again that nobody gave a receipt for."""
        ingesters[which].kill(self.log)
        self.kills += 1
        self.ids.update(ingesters[which].receipts)
        ingesters[which] = (Ingester if which < 2 else Door)(self)
        self.resend(ingesters[which], [n for n in range(self.n) if not any(
            i.receipts.get(run_id(n)) for i in ingesters)])

    def after_the_cut(self):
        """The machine is up again: the producer sends what has no receipt,
        senders go on, life too."""
        supervisor, ingesters = self.senders(), [self.rng.choice((Ingester, Door))(self)]
        self.resend(ingesters[0], range(self.n))
        for _ in range(3):
            self.offer(ingesters[0], self.next(self.rng.choice((1, 2, 5))))
            self.change_something(ingesters)
        self.finish(supervisor, ingesters, [])
        self.expire()

    def change_something(self, ingesters):
        for ingester in ingesters:
            self.ids.update(ingester.receipts)
        change = self.rng.choice((self.replay, self.purge, self.purge_saving, self.hold,
                                  self.replay))
        change(self.rng.choice(sorted(self.ids.values())[-20:]))

    def resend(self, ingester, numbers):
        runs = [run for run in map(run_id, numbers) if run not in self.ids]
        ingester.send(self.lines[run] for run in runs)
        wait_until(lambda: ingester.has_answered(runs), "receipts for lines that were sent again",
                   self.limit_s)
        self.ids.update(ingester.receipts)

    def finish(self, supervisor, ingesters, replays):
        wait_until(lambda: all(run_id(n) in self.ids
                               or any(i.has_answered([run_id(n)]) for i in ingesters)
                               for n in range(self.n)), "receipts", self.limit_s)
        for ingester in ingesters:
            ingester.end()
            self.ids.update(ingester.receipts)
        self.settle_down()
        for n in replays:
            self.replay(self.ids[run_id(n)])
        self.settle_down()
        supervisor.terminate()
        if supervisor.wait(LIMIT_S) != 0:
            raise Failure(f"send ended with {supervisor.returncode}")

    def hold(self, ident):
        self.change("hold", "holding", None, ident)
        self.change("release", "holding", None, ident)

    def close(self):
        """Ends what a failure left running, without cutting an operation from its record."""
        running = [child for child in self.children if child.poll() is None]
        self.log.locked(lambda: [child.kill() for child in running])
        for child in running:
            child.wait()
        for child in self.children:
            if child.stdin is not None:
                try:
                    child.stdin.close()
                except BrokenPipeError:
                    pass  # what it had no time to read
        self.receiver.close()
        self.log.close()
