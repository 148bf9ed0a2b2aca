"""What stories of the front door share: `runpost serve` in a process, and a client that speaks HTTP
byte by byte, so that it can be as slow, short or wrong as a story wants."""

import json
import re
import socket

from harness import BIN, LIMIT_S, wait_until


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body[:300]!r}"

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def lines(self):
        return [json.loads(line) for line in self.body.splitlines()]


class Client:
    """One connection."""

    def __init__(self, address, limit_s=LIMIT_S):
        if isinstance(address, tuple):
            self.socket = socket.create_connection(address, limit_s)
            self.host = f"{address[0]}:{address[1]}"
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(limit_s)
            self.socket.connect(str(address))
            self.host = "localhost"
        self.read_bytes = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def head(self, method, target, headers, length):
        fields = {"Host": self.host, **(headers or {})}
        if length is not None and "Transfer-Encoding" not in fields:
            fields.setdefault("Content-Length", str(length))
        lines = [f"{method} {target} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in fields.items() if value is not None]
        return "\r\n".join([*lines, "", ""]).encode()

    def post(self, target, body=b"", headers=None):
        self.send(self.head("POST", target, headers, len(body)) + body)

    def _more(self):
        got = self.socket.recv(65536)
        if not got:
            raise EOFError(f"closed after {self.read_bytes!r}")
        self.read_bytes += got

    def _until(self, mark):
        while mark not in self.read_bytes:
            self._more()
        got, _, self.read_bytes = self.read_bytes.partition(mark)
        return got

    def answer(self, has_body=True):
        """The next answer; 100 Continue is one, too."""
        first, *fields = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        status = int(re.fullmatch(r"HTTP/1\.1 (\d{3}) .*", first)[1])
        headers = {name.lower(): value for name, value in (f.split(": ", 1) for f in fields)}
        length = int(headers.get("content-length", 0)) if has_body else 0
        while len(self.read_bytes) < length:
            self._more()
        body, self.read_bytes = self.read_bytes[:length], self.read_bytes[length:]
        return Answer(status, headers, body)

    def ask(self, target, body=b"", headers=None):
        self.post(target, body, headers)
        return self.answer()

    def get(self, target, headers=None):
        self.send(self.head("GET", target, headers, None))
        return self.answer()

    def is_closed(self):
        """Waits for the end from the other side: no bytes come before it."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True


class Door:
    """`runpost serve` on the addresses that it says itself."""

    def __init__(self, story, *options, env=None, preexec=None):
        self.story = story
        self.process = story.spawn(BIN / "runpost", "serve", "--outbox", story.outbox, "--config",
                                   story.config, *options, env=env, preexec=preexec)
        self.wait_ready()

    def wait_ready(self, times=1):
        def look():
            if self.process.poll() is not None:
                raise AssertionError(f"the door ended with {self.process.poll()}: "
                                     f"{self.process.err}")
            found = re.findall(r"ev=ready addresses=(\S+)", self.process.err)
            return found if len(found) >= times else None

        self.addresses = wait_until(look, "the door's ev=ready")[-1].split(",")
        self.tcp = next((self._tcp(a) for a in self.addresses if a.startswith("http")), None)
        self.unix = next((a[5:] for a in self.addresses if a.startswith("unix:")), None)

    @staticmethod
    def _tcp(url):
        host, _, port = url.removeprefix("http://").rpartition(":")
        return host.strip("[]"), int(port)

    def client(self):
        return Client(self.tcp if self.tcp is not None else self.unix)

    def ask(self, target, body=b"", headers=None):
        with self.client() as client:
            return client.ask(target, body, headers)

    def get(self, target, headers=None):
        with self.client() as client:
            return client.get(target, headers)
