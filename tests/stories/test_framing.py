"""Stories about what a server takes for a request and where it sees the end of one."""

import collections
import hashlib
import socket

from door import Door
from framing import (BODY, LIMIT_S, MALFORMED, SMUGGLED, WELL_FORMED, Server, check_malformed,
                     check_well_formed)
from harness import Story


class Receiver(Story):
    """runpost-sink, which writes down what it took."""

    weight = 5

    def setUp(self):
        super().setUp()
        self.receiver = self.sink()
        address = ("127.0.0.1", self.receiver.port)
        self.server = Server(lambda: socket.create_connection(address, LIMIT_S), b"/hook",
                             b"127.0.0.1:%d" % self.receiver.port, [200], b"/next", 200)

    def taken(self):
        return collections.Counter((r["method"], r["path"], r["sha256"])
                                   for r in self.receiver.record())

    def test_what_is_malformed_is_refused_however_it_arrives(self):
        self.assertEqual(len(MALFORMED), 19)
        for name, (status, probe) in MALFORMED.items():
            check_malformed(self, self.server, name, status, probe)
        self.assertEqual(self.taken(), {})

    def test_what_is_well_formed_is_taken_with_its_body_however_it_arrives(self):
        self.assertEqual(len(WELL_FORMED), 6)
        n = sum(check_well_formed(self, self.server, name, probe)
                for name, probe in WELL_FORMED.items())
        self.assertEqual(self.taken(),
                         {("POST", "/hook", hashlib.sha256(BODY).hexdigest()): n,
                          ("GET", "/next", hashlib.sha256(b"").hexdigest()): n})

    def test_newer_ways_to_smuggle_find_nothing(self):
        for name, (status, probe) in SMUGGLED.items():
            check_malformed(self, self.server, name, status, probe)
        self.assertEqual(self.taken(), {})


class FrontDoor(Story):
    """`runpost serve`, to which a strange request of somebody's proxy may come."""

    weight = 5

    def setUp(self):
        super().setUp()
        self.configure(endpoints=[("hooks", {"url": "http://127.0.0.1:9/hook", "door": "yes"})],
                       door={"listen": "127.0.0.1:0"})
        address = Door(self).tcp
        self.server = Server(lambda: socket.create_connection(address, LIMIT_S), b"/to/hooks",
                             b"127.0.0.1:%d" % address[1], [202, 200], b"/healthz", 200)

    def test_what_is_malformed_is_refused_however_it_arrives(self):
        for name, (status, probe) in {**MALFORMED, **SMUGGLED}.items():
            check_malformed(self, self.server, name, status, probe)
        self.assertEqual(self.stats()["accepted"], 0)

    def test_what_is_well_formed_is_one_run_with_its_body_however_it_arrives(self):
        for name, probe in WELL_FORMED.items():
            check_well_formed(self, self.server, name, probe)
        entry = self.list()
        self.assertEqual(len(entry), 1)
        self.assertEqual(self.ctl("body", entry[0]["id"]).out, BODY)
