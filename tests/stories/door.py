"""For stories with `runpost serve`: the door as a process, with listeners of its own or the
story's, and a client that puts on the wire exactly the bytes it is given."""

import json
import os
import select
import signal
import socket
import subprocess

from harness import BIN, LIMIT_S, descendants, free_port, wait_until

# Hands the listener that came as standard input on, as a service manager would.
ACTIVATE = 'exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"'


class Door:
    """`runpost serve` on a port of 127.0.0.1. held: behind a listener of the story, which stays
    open while the door is restarted, so that connections wait in it."""

    def __init__(self, story, *options, port=None, held=False):
        if "serve" not in subprocess.run([BIN / "runpost", "--help"], check=True, text=True,
                                         stdout=subprocess.PIPE).stdout:
            story.skipTest("runpost has no verb serve yet")
        self.story = story
        self.options = options
        self.listener = None
        if held:
            self.listener = socket.create_server(("127.0.0.1", port or 0), backlog=1024)
            story.addCleanup(self.listener.close)
            port = self.listener.getsockname()[1]
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = None

    def start(self):
        argv = [BIN / "runpost", "serve", "--outbox", self.story.outbox, "--config",
                self.story.config, *self.options]
        if self.listener is not None:
            argv = ["sh", "-c", ACTIVATE, "sh", *argv]
        self.process = self.story.spawn(*argv, stdin=self.listener)
        self.wait_ready()
        return self

    def wait_ready(self, times=1):
        """Until a worker has said that it accepts, for the n-th time."""
        def is_ready():
            if self.process.poll() is not None:
                raise AssertionError(f"the door ended: {self.process.err[-3000:]}")
            return self.process.err.count("ev=ready") >= times
        wait_until(is_ready, "the door to be ready")

    def worker(self):
        """The pid of the process that accepts."""
        return wait_until(lambda: descendants(self.process.pid), "a worker of the door")[0]

    def kill_worker(self):
        """kill -9 of the process that accepts, until the next one does."""
        times = self.process.err.count("ev=ready") + 1
        os.kill(self.worker(), signal.SIGKILL)
        self.wait_ready(times)

    def stop(self):
        """The orderly end: its exit status."""
        return self.process.stop()

    def kill(self):
        """kill -9 of the supervisor and of its workers."""
        family = [self.process.pid, *descendants(self.process.pid)]
        for pid in family:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()


class Wire:
    """A connection to the door. Sends bytes as they are, reads answers."""

    def __init__(self, port, limit_s=LIMIT_S):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=limit_s)
        self.data = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def is_open(self):
        """Whether the door has not ended it: what a client looks at before it sends again."""
        return not select.select([self.sock], [], [], 0)[0]

    def send(self, *parts):
        """Each part by a write of its own."""
        for part in parts:
            self.sock.sendall(part)

    def _more(self):
        got = self.sock.recv(1 << 16)
        if not got:
            raise EOFError("the connection ended without a whole answer")
        self.data += got

    def answer(self):
        """(status, the header fields with names in lower case, body)"""
        while b"\r\n\r\n" not in self.data:
            self._more()
        head, _, self.data = self.data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        fields = {name.lower(): value.strip()
                  for name, _, value in (line.partition(":") for line in lines)}
        length = int(fields.get("content-length", "0"))
        while len(self.data) < length:
            self._more()
        body, self.data = self.data[:length], self.data[length:]
        return int(first.split(" ", 2)[1]), fields, body

    def ask(self, *parts):
        self.send(*parts)
        return self.answer()


def receipt(answer):
    """(status, the object in the body) of an answer of the door."""
    status, _, body = answer
    return status, json.loads(body)
