"""Stands between the engine and the door: passes on the bytes, both ways, and keeps them."""

import dataclasses
import json
import select
import socket
import struct
import threading


@dataclasses.dataclass
class Exchange:
    """One request and its answer, bytes. status None: no answer came, the connection broke."""
    connection: int
    head: bytes
    body: bytes
    status: int | None = None
    answer: bytes = b""

    @property
    def target(self):
        return self.head.split(b" ", 2)[1].decode("latin-1")

    @property
    def run(self):
        return json.loads(self.body)

    @property
    def receipt(self):
        return json.loads(self.answer)


class Broken(Exception):
    """The other side ended in the middle of a message, or before one."""


class Side:
    """One end of a connection, as messages come from it."""

    def __init__(self, sock):
        self.sock = sock
        self.data = b""

    def more(self):
        got = self.sock.recv(1 << 16)
        if not got:
            raise Broken
        self.data += got

    def message(self):
        """(head with its empty line, body): with a Content-Length, or without a body."""
        while b"\r\n\r\n" not in self.data:
            self.more()
        head, end, rest = self.data.partition(b"\r\n\r\n")
        fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:])
        length = int(fields.get(b"content-length", b"0"))
        self.data = rest
        while len(self.data) < length:
            self.more()
        body, self.data = self.data[:length], self.data[length:]
        return head + end, body


class Relay:
    """Listens on a port of 127.0.0.1 in threads of its own. A connection has one to the door, of
    the same life: when that ends the engine's ends, with a reset if an answer was owed."""

    def __init__(self, door_port):
        self.door_port = door_port
        self.exchanges = []
        self.refused = 0  # connections that the door did not take
        self._owed = 0
        self._idle = threading.Condition()
        self._connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def wait_idle(self, limit_s=30):
        """Until no request waits for its answer."""
        with self._idle:
            if not self._idle.wait_for(lambda: self._owed == 0, limit_s):
                raise AssertionError(f"{self._owed} requests got no answer in {limit_s} s")

    def answered(self, status):
        return [e for e in self.exchanges if e.status == status]

    def unanswered(self):
        return self.answered(None)

    def _accept(self):
        while True:
            try:
                engine = self._listener.accept()[0]
            except OSError:
                return
            self._connections += 1
            threading.Thread(target=self._serve, args=(engine, self._connections),
                             daemon=True).start()

    def _owe(self, step):
        with self._idle:
            self._owed += step
            self._idle.notify_all()

    def _serve(self, engine, number):
        with engine:
            try:
                door = socket.create_connection(("127.0.0.1", self.door_port))
            except OSError:
                self.refused += 1
                return
            with door:
                door.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                a, b = Side(engine), Side(door)
                try:
                    while door not in select.select([engine, door], [], [])[0]:
                        self._pass_on(a, b, Exchange(number, *a.message()))
                except (Broken, OSError):
                    pass

    def _pass_on(self, engine, door, exchange):
        self.exchanges.append(exchange)
        self._owe(1)
        try:
            door.sock.sendall(exchange.head + exchange.body)
            head, exchange.answer = door.message()
            exchange.status = int(head.split(b" ", 2)[1])
        except (Broken, OSError):
            engine.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raise
        finally:
            self._owe(-1)
        engine.sock.sendall(head + exchange.answer)
