"""For stories of the door and an engine: a door that can be restarted, and a connection that puts
on the wire exactly the bytes it is given."""

import os
import select
import signal
import socket

from door import Client
from harness import BIN, descendants, free_port, wait_until

# Hands the listener that came as standard input on, as a service manager would.
ACTIVATE = 'exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"'


class EngineDoor:
    """`runpost serve` on a port of 127.0.0.1, which the configuration says, too. held: behind a
    listener of the story, which stays open over its restarts, so that connections wait in it."""

    def __init__(self, story, held=True):
        self.story = story
        self.process = None
        self.listener = None
        self.port = free_port()
        if held:
            self.listener = socket.create_server(("127.0.0.1", self.port), backlog=1024)
            story.addCleanup(self.listener.close)

    def start(self):
        argv = [BIN / "runpost", "serve", "--outbox", self.story.outbox, "--config",
                self.story.config]
        if self.listener is not None:
            argv = ["sh", "-c", ACTIVATE, "sh", *argv]
        self.process = self.story.spawn(*argv, stdin=self.listener)
        self._wait_ready(1)

    def _wait_ready(self, times):
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
        self._wait_ready(times)

    def stop(self):
        """The orderly end: its exit status."""
        return self.process.stop()

    def kill(self):
        """kill -9 of the supervisor and of its workers."""
        for pid in [self.process.pid, *descendants(self.process.pid)]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()

    def wire(self, limit_s=30):
        return Wire(("127.0.0.1", self.port), limit_s)


class Wire(Client):
    """Requests as bytes."""

    def is_open(self):
        """Whether the door has not ended it: what a client looks at before it sends again."""
        return not select.select([self.socket], [], [], 0)[0]

    def ask_bytes(self, *parts):
        """Each part by a write of its own."""
        for part in parts:
            self.send(part)
        return self.answer()
