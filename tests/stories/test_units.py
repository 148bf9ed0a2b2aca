"""Stories of docs/examples/runpost-serve.service and .socket: the door under systemd, whose part is
played here: it holds the sockets and listens to what the service says of itself."""

import os
import pathlib
import re
import signal
import socket

from door import Client
from harness import BIN, Story, descendants, make_run, wait_until

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent.parent / "docs" / "examples"
HAND_OVER = """exec 3<&0 4<&1 </dev/null >/dev/null
LISTEN_FDS=2 LISTEN_FDNAMES="$1:$2" LISTEN_PID=$$ exec "$3" serve --config "$4"
"""


def unit(name):
    """{key: values joined by spaces}"""
    found = {}
    for key, value in re.findall(r"^(\w+)=(.*)$", (EXAMPLES / name).read_text(), re.M):
        found[key] = f"{found[key]} {value}" if key in found else value
    return found


class Units(Story):
    def setUp(self):
        super().setUp()
        self.said = []
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.notify.close)
        self.notify.bind(str(self.folder / "notify"))
        self.notify.setblocking(False)
        self.door_socket, self.ui_socket = self.listening(), self.listening()
        self.configure(endpoints=[("hooks", {"url": "https://hooks.example.com/in",
                                             "door": "yes"})],
                       outbox={"dir": self.outbox})

    def listening(self):
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        return listener

    def start(self):
        name = unit("runpost-serve.socket")["FileDescriptorName"]
        return self.spawn("sh", "-c", HAND_OVER, "sh", name, "ui", BIN / "runpost", self.config,
                          stdin=self.door_socket, stdout=self.ui_socket,
                          env={"NOTIFY_SOCKET": str(self.folder / "notify"),
                               "WATCHDOG_USEC": "200000"})

    def hear(self):
        try:
            while True:
                self.said += self.notify.recv(4096).decode().split("\n")
        except BlockingIOError:
            return self.said

    def wait_said(self, line, times=1):
        wait_until(lambda: self.hear().count(line) >= times, f"{line} for the {times}th time")

    def ask(self, run):
        with Client(self.door_socket.getsockname()) as client:
            return client.ask("/to/hooks", run)

    def test_the_door_uses_the_sockets_and_says_how_it_is(self):
        serve = self.start()
        self.wait_said("READY=1")
        self.assertEqual(self.ask(make_run(1, None)).status, 202)
        with Client(self.ui_socket.getsockname()) as client:
            self.assertIn(b"runpost_door_runs_total", client.get("/metrics").body)
        self.wait_said("WATCHDOG=1", 3)
        self.assertNotIn("STOPPING=1", self.said)
        serve.signal(signal.SIGTERM)
        self.assertEqual(serve.wait(), 0, serve.err)
        self.wait_said("STOPPING=1")

    def test_a_worker_that_dies_does_not_stop_the_service(self):
        serve = self.start()
        self.wait_said("READY=1")
        door = re.search(r"role=door pid=(\d+) ev=ready", serve.err)[1]
        self.assertIn(int(door), descendants(serve.pid))
        os.kill(int(door), signal.SIGKILL)
        self.assertEqual(self.ask(make_run(1, None)).status, 202)
        self.wait_said("READY=1", 2)
        self.assertNotIn("STOPPING=1", self.said)

    def test_who_connects_while_the_service_starts_again_is_served(self):
        serve = self.start()
        self.wait_said("READY=1")
        serve.signal(signal.SIGTERM)
        self.assertEqual(serve.wait(), 0, serve.err)
        with Client(self.door_socket.getsockname()) as client:
            client.post("/to/hooks", make_run(1, None))
            self.start()
            self.assertEqual(client.answer().status, 202)

    def test_the_units_give_the_door_what_it_needs(self):
        service, sockets = unit("runpost-serve.service"), unit("runpost-serve.socket")
        self.assertEqual((service["Type"], service["NotifyAccess"]), ("notify", "all"))
        self.assertIn("WatchdogSec", service)
        self.assertGreater(int(service["TimeoutStopSec"].removesuffix("s")), 10)
        self.assertLessEqual({"AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK"},
                             set(service["RestrictAddressFamilies"].split()))
        for key in ("PrivateUsers", "PrivateNetwork"):
            self.assertNotIn(key, service, "who a peer is could not be known")
        self.assertEqual(service["Requires"], "runpost-serve.socket")
        self.assertEqual(sockets["Service"], "runpost-serve.service")
        self.assertIn("127.0.0.1:8484", sockets["ListenStream"].split())
