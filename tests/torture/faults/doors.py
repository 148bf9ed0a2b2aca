"""What the front door is put through: `runpost serve` with a fault in its worker or in the process
above it, and clients that send each run again until it is answered. A receipt is an answer of 202,
or of 200 for a duplicate."""
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import time
import zlib

from lab import LIMIT_S, Done, Violation, run_line, whole_lines

LOOK_S = 0.05
DEAF_S = 0.5
TOLD_S = 1.0
BAD_BODY = b"no run at all"
SECTION = 'endpoint "hooks"'


class Request:
    """payloads: of the runs that it brings, by run id."""

    def __init__(self, target, body=None, payloads=(), headers=""):
        self.target, self.payloads = target, payloads
        self.runs = [json.loads(payload)["run_id"] for payload in payloads]
        method, length = "GET", ""
        if body is not None:
            method, length = "POST", f"Content-Length: {len(body)}\r\n"
        self.bytes = (f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n{headers}{length}\r\n"
                      .encode() + (body or b""))

    def __str__(self):
        return f"{self.target} {self.runs}"


def socket_of(bench):
    """A path that fits into an address."""
    path = bench.folder / "door.sock"
    if len(str(path)) > 100:
        path = pathlib.Path(tempfile.gettempdir(), f"runpost-{os.getpid()}-{bench.number}.sock")
    return path


class Front:
    """A door, and what its clients were told."""

    def __init__(self, bench, fault=None):
        self.bench, self.deaf = bench, False
        # It takes no connection, and cannot: no client can be answered.
        self.lets_nobody_in = fault is not None and ":accept4:" in fault and "+:" in fault
        self.path, self.log = socket_of(bench), bench.folder / "door.err"
        self.began = time.monotonic()
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(bench.argv("runpost", "serve"),
                                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                            stderr=log, env=bench.environment(fault),
                                            start_new_session=True)

    def text(self):
        return self.log.read_text(errors="replace")

    def is_over(self):
        return self.process.poll() is not None

    def ends(self):
        """How often a worker has ended, and the process above it."""
        return self.text().count(" ev=worker_ended ") + self.is_over()

    def port(self):
        """Of its socket of TCP, when it has told it."""
        found = re.findall(r"addresses=\S*http://127\.0\.0\.1:(\d+)", self.text())
        return int(found[-1]) if found else None

    def connect(self, tcp=False):
        """None: the door is over, or has no such socket."""
        deadline = time.monotonic() + (TOLD_S if tcp else LIMIT_S)
        while time.monotonic() < deadline:
            port = self.port() if tcp else None
            try:
                if port is not None:
                    return socket.create_connection(("127.0.0.1", port), LIMIT_S)
                if not tcp:
                    client = socket.socket(socket.AF_UNIX)
                    client.connect(str(self.path))
                    return client
            except (FileNotFoundError, ConnectionRefusedError):
                pass
            if self.ends() > 0:
                return None
            time.sleep(0.005)
        if tcp:  # the log was not written, or without the address
            return None
        raise Violation(f"nobody opens the door: {self.text()[-600:]}")

    def ask(self, *requests, tcp=False, patience=True, kill=False):
        """The answers to requests that are sent side by side, each (status, the objects of its
        body); None: there was none, which is right only where the door, or a connection, broke.
        patience: waits for the next worker when one ends. kill: nothing else makes connections end
        without an answer."""
        ends = self.ends()
        clients = [(request, self.connect(tcp)) for request in requests]
        for request, client in clients:
            try:
                if client is not None:
                    client.sendall(request.bytes)
            except OSError:
                pass
        answers = [self.answer(request, client, ends, patience) for request, client in clients]
        if kill and None in answers:
            self.must_end(ends)
        return answers

    def must_end(self, ends):
        """A connection that ends without an answer is the end of a worker."""
        deadline = time.monotonic() + LIMIT_S
        while self.ends() == ends and not self.is_over():
            if time.monotonic() > deadline:
                raise Violation(f"no answer, and the door goes on: {self.text()[-600:]}")
            time.sleep(0.005)

    def answer(self, request, client, ends, patience):
        if client is None:
            return None
        limit_s = DEAF_S if self.lets_nobody_in else self.bench.limit_s
        got, deadline = b"", time.monotonic() + limit_s
        client.settimeout(LOOK_S)
        with client:
            while not is_whole(got):
                try:
                    more = client.recv(65536)
                    if not more:
                        return None
                    got += more
                except TimeoutError:
                    if self.is_over() or (not patience and self.ends() > ends):
                        return None
                except OSError:
                    return None
                if time.monotonic() > deadline and self.lets_nobody_in:
                    self.deaf = True
                    return None
                if time.monotonic() > deadline:
                    raise Violation(f"{request} is never answered: {self.text()[-600:]}")
        head, _, body = got.partition(b"\r\n\r\n")
        return int(head.split()[1]), whole_lines(body)

    def take(self, request, answer, kind=False):
        """Holds an answer against what was told before. kind: a run may be refused for now.
        Returns whether the runs have their receipts."""
        if answer is None:
            return False
        status, told = answer
        if status >= 500 and kind:
            return False
        expected = {"queued", "duplicate"}
        if len(request.runs) == 1:
            expected = {202: {"queued"}, 200: {"duplicate"}}.get(status, set())
        if (status not in (200, 202)
                or [r.get("run_id") for r in told] != request.runs
                or not {r["status"] for r in told} <= expected):
            raise Violation(f"{request} is answered with {status} {told}")
        for receipt in told:
            known = self.bench.acked.get(receipt["run_id"])
            if known is not None and (receipt["status"], receipt["id"]) != ("duplicate", known):
                raise Violation(f"{request} had a receipt with {known}, and is told {receipt}")
            self.bench.acked[receipt["run_id"]] = receipt["id"]
        return True

    def stop(self):
        """It ends when it is told to. Returns how, as a Done."""
        try:
            self.process.terminate()
            self.process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            raise Violation(f"the door does not end: {self.text()[-600:]}") from None
        finally:
            self.end()
        return Done(self.process.args, self.process.returncode, b"", self.text().encode(),
                    time.monotonic() - self.began)

    def end(self):
        """All of it, at once. A worker has its listeners until it is gone."""
        self.bench.end(self.process)
        deadline = time.monotonic() + LIMIT_S
        while self.is_listening() and time.monotonic() < deadline:
            time.sleep(0.002)

    def is_listening(self):
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(str(self.path))
                return True
            except OSError:
                return False

    def kill_worker(self):
        """Whether there was one."""
        children = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        try:
            with open(children, encoding="ascii") as file:
                for pid in file.read().split():
                    os.kill(int(pid), signal.SIGKILL)
                    return True
        except (FileNotFoundError, ProcessLookupError):
            pass
        return False

    def worker_ends(self):
        """(exit, signal) of each worker that has ended."""
        return [(int(code), int(number)) for code, number in
                re.findall(r" ev=worker_ended .* exit=(-?\d+) signal=(\d+)", self.text())]


def is_whole(got):
    head, mark, body = got.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    return bool(mark) and len(body) >= int(length[1] if length else 0)


def configure(bench):
    """A door by two addresses, to a section of the bench's own receiver."""
    rejects = bench.folder / "rejects"
    rejects.unlink(missing_ok=True)
    bench.configure(door={"listen": f"unix:{socket_of(bench)}; 127.0.0.1:0",
                          "hosts": "localhost", "hold": "100ms", "rejects": rejects},
                    defaults={"retry_attempts": "3", "timeout": "500ms"},
                    **{SECTION: {"url": f"{bench.receiver.url}/{bench.number}", "door": "yes"}})


def requests_of(bench):
    """Whatever a door takes, and each way in."""
    def payload(n, pad=0):
        return run_line(n, bench.url("ab"[n % 2]), pad)[1]

    hook = f"/to/hooks/{bench.fresh}/"
    lines = [payload(2), payload(3, 1500)]
    envelope, run = run_line(4, bench.url("a"), 200, order_by="a key")
    found = [Request(hook + "a", payload(0), [payload(0)]),
             Request(hook + "b", payload(1, 1500), [payload(1, 1500)]),
             Request("/v1/runs", b"\n".join(lines), lines,
                     "Content-Type: application/x-ndjson\r\n"),
             Request("/v1/runs", envelope, [run], "Idempotency-Key: a-key\r\n"),
             Request(hook + "c", payload(5, 3000), [payload(5, 3000)]),
             Request(hook + "a", payload(6), [payload(6)])]
    bench.payloads = {run: payload for request in found
                      for run, payload in zip(request.runs, request.payloads)}
    return found


def check_reject(front, answer, kind):
    """A body is told refused for good when it is kept."""
    if answer is None or (kind and answer[0] >= 500):
        return
    status, told = answer
    if status != 400 or told[0]["code"] != "bad_json":
        raise Violation(f"a body that is no run is answered with {answer}")
    kept = (front.bench.folder / "rejects").read_bytes().count(BAD_BODY + b"\n")
    if kept == 0 and not (kind and " ev=rejects_not_kept " in front.text()):
        raise Violation("a body was told refused before it was in the rejects file")


def check_entry(answer, ident, kind):
    if answer is None or (kind and answer[0] >= 500):
        return
    if answer[0] != 200 or answer[1][0]["id"] != ident:
        raise Violation(f"asked for {ident}: {answer}")


def visit(front, kind, patience):
    """One client after another, two at once, one by TCP, one that sends a run again. Ends early
    where the door does not go on."""
    bench, requests = front.bench, requests_of(front.bench)

    def ask(*these, **how):
        if front.deaf or (not patience and front.ends() > 0):
            return [None] * len(these)
        return front.ask(*these, patience=patience, kill=not kind, **how)

    for request in requests[:4]:
        front.take(request, *ask(request), kind)
    check_reject(front, *ask(Request(f"/to/hooks/{bench.fresh}/a", BAD_BODY)), kind)
    for request, answer in zip(requests[4:], ask(*requests[4:])):
        front.take(request, answer, kind)
    front.take(requests[0], *ask(requests[0], tcp=True), kind)
    front.take(requests[3], *ask(requests[3]), kind)
    if requests[0].runs[0] in bench.acked:
        ident = bench.acked[requests[0].runs[0]]
        check_entry(*ask(Request("/v1/entries/" + ident)), ident, kind)
    ask(Request("/readyz"))


def goes_on(fault):
    """Whether the clients wait for the next worker, which takes up to a second: one scene in
    eight."""
    return zlib.crc32(fault.encode()) % 8 == 0 and "+:" not in fault


def scene(bench, fault, kind=False):
    """A door with a fault, and one without: whatever was answered is there once, whatever was not
    is there or goes in, and whoever sends again is told the first id. kind: of faults that a door
    may answer with 5xx. Returns the first door's end."""
    bench.reset()
    configure(bench)
    front = Front(bench, fault)
    try:
        visit(front, kind, goes_on(fault))
        done = front.stop()
    finally:
        front.end()
    done.worker_ends = front.worker_ends()
    send_again(bench)
    bench.configure()
    return done


def send_again(bench):
    front = Front(bench)
    try:
        for request in requests_of(bench):
            if not front.take(request, *front.ask(request)):
                raise Violation(f"{request} is not answered, though nothing fails")
        done = front.stop()
    finally:
        front.end()
    if done.code != 0 or front.worker_ends() != [(0, 0)]:
        raise Violation(f"nothing fails, and yet: {done}")
