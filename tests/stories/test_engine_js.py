"""Stories about the door and LangGraph's JS server, without it: its recorded requests, and clients
that treat connections as it does. With the server itself: tests/interop/test_engine.py.

It tries once, over kept connections; whatever it gets no answer to is lost to it, and costs it a
worker loop."""

import itertools
import json
import random
import re
import signal
import threading
import time

from engine_door import EngineDoor
from harness import FIXTURES, Story, json_lines, make_run, secret_text, wait_until

REQUESTS = json_lines((FIXTURES / "langgraph-js-requests.ndjson").read_bytes())
KEY = b"the key of the orders' receiver!"
LONGEST_STOP_S = 5
WAITING = 40
CLIENTS = 8
PAUSE_S = 0.02
RESTARTS = 4
RUNS_BETWEEN = 60
KILLS = 6


class Recorded(Story):
    """A door for `orders`, whose receiver checks signatures."""

    def setUp(self):
        super().setUp()
        self.bodies = self.folder / "bodies"
        secret = self.file("secret", secret_text(KEY) + "\n")
        self.receiver = self.sink("--secret-file", secret, "--record-dir", self.bodies)
        self.door = EngineDoor(self)
        self.configure(
            endpoints=[("orders", {"url": self.receiver.hook("/in"), "secret_file": secret,
                                   "door": "yes"})],
            door={"listen": f"127.0.0.1:{self.door.port}"})

    def request(self, recorded):
        """Its bytes, to the port of this door."""
        head = re.sub(r"\r\nhost: [^\r]*", f"\r\nhost: 127.0.0.1:{self.door.port}",
                      recorded["head"], count=1)
        return head.encode() + recorded["body"].encode()

    def like_recorded(self, body):
        """A request of these bytes, with the engine's head."""
        head = re.sub(r"content-length: \d+", f"content-length: {len(body)}", REQUESTS[0]["head"])
        return self.request({"head": head, "body": body.decode()})

    def numbered(self, n):
        return self.like_recorded(make_run(n, "http://127.0.0.1:8484/to/orders"))

    def known_ids(self):
        return {entry["id"] for entry in self.list("--limit", "10000")}


class Replays(Recorded):
    def test_each_arrives_once_signed_and_unchanged(self):
        self.door.start()
        with self.door.wire() as wire:
            first = [wire.ask_bytes(self.request(r)) for r in REQUESTS]
            again = [wire.ask_bytes(self.request(r)) for r in REQUESTS]
        self.assertEqual({answer.status for answer in first}, {202}, first)
        self.assertEqual({answer.status for answer in again}, {200}, again)
        receipts = [answer.json for answer in first]
        self.assertEqual([(told["status"], told["run_id"]) for told in receipts],
                         [("queued", json.loads(r["body"])["run_id"]) for r in REQUESTS])
        self.assertEqual([answer.json for answer in again],
                         [{**told, "status": "duplicate"} for told in receipts])
        self.drain()
        deliveries = self.receiver.by_id()
        for told, recorded in zip(receipts, REQUESTS):
            delivery, = deliveries[told["id"]]
            self.assertEqual(delivery["signature"], "ok")
            kept = self.bodies / f"{told['id']}.{delivery['n']}"
            self.assertEqual(kept.read_bytes(), recorded["body"].encode())
        self.assertIn(f"{self.receiver.url}/in/eu/~x/%C3%A4?token=T%2B1+c&q=%20&empty=",
                      json.dumps(self.ctl_json("export", "--with-secrets")))
        self.assert_sound(delivered=len(REQUESTS))

    def test_a_stop_waits_for_who_uses_a_connection_as_long_as_was_told(self):
        """The engine does not see at once that a connection has ended: a request that it sends
        meanwhile would be lost."""
        self.door.start()
        with self.door.wire() as wire:
            answer = wire.ask_bytes(self.request(REQUESTS[0]))
            told_s = int(re.fullmatch(r"timeout=(\d+)", answer.headers["keep-alive"]).group(1))
            self.assertLessEqual(told_s, LONGEST_STOP_S)
            self.door.process.signal(signal.SIGTERM)
            # The scene: an engine that is idle for a while.
            time.sleep(told_s - 1)
            answer = wire.ask_bytes(self.request(REQUESTS[1]))
            self.assertEqual((answer.status, answer.headers["connection"]), (202, "close"))
        self.assertEqual(self.door.process.wait(), 0)
        self.assert_sound(accepted=2)


class Client(threading.Thread):
    """One kept connection after the other, as the engine's client keeps them: until it ends or an
    answer says so. Requests come from a source that all share."""

    def __init__(self, story, source):
        super().__init__(daemon=True)
        self.story, self.source = story, source
        self.random = random.Random(story.random.random())
        self.answers, self.lost, self.connections = [], [], 0

    def run(self):
        wire = None
        for n in self.source:
            try:
                if wire is None or not wire.is_open():
                    wire = self.story.door.wire()
                    self.connections += 1
                answer = wire.ask_bytes(self.story.numbered(n))
                self.answers.append(answer)
                if answer.headers.get("connection", "").lower() == "close":
                    wire = None
            except (OSError, EOFError) as failure:
                self.lost.append((n, repr(failure)))
                wire = None
            time.sleep(self.random.random() * PAUSE_S)


class Source:
    """Numbers for all clients, until it is closed."""

    def __init__(self):
        self.numbers, self.lock, self.open = itertools.count(), threading.Lock(), True

    def __iter__(self):
        return self

    def __next__(self):
        with self.lock:
            if not self.open:
                raise StopIteration
            return next(self.numbers)


class Load(Recorded):
    deadline_s = 120

    def setUp(self):
        super().setUp()
        self.door.start()
        self.source = Source()
        self.clients = [Client(self, self.source) for _ in range(CLIENTS)]

    def answers(self):
        return [answer for client in self.clients for answer in list(client.answers)]

    def lost(self):
        return [one for client in self.clients for one in list(client.lost)]

    def wait_more(self, n):
        """Until n more requests are answered."""
        known = len(self.answers())
        wait_until(lambda: len(self.answers()) >= known + n, f"{n} more answers", every_s=0.001)

    def finish(self):
        self.source.open = False
        for client in self.clients:
            client.join()
        answers = self.answers()
        self.assertEqual({(a.status, a.json["status"]) for a in answers}, {(202, "queued")})
        ids = {a.json["id"] for a in answers}
        self.assertEqual(len(ids), len(answers))
        self.assertLessEqual(ids, self.known_ids())
        self.note(f"{len(answers)} answered, {len(self.lost())} not")

    def test_restarts_lose_no_request(self):
        for client in self.clients:
            client.start()
        for _ in range(RESTARTS):
            self.wait_more(RUNS_BETWEEN)
            self.assertEqual(self.door.stop(), 0, self.door.process.err)
            self.door.start()
        self.wait_more(RUNS_BETWEEN)
        self.finish()
        self.assertEqual(self.lost(), [])
        self.assertLess(sum(c.connections for c in self.clients), len(self.answers()) / 2)
        self.assert_sound(accepted=len(self.answers()))

    def test_kills_lose_nothing_that_was_answered(self):
        for client in self.clients:
            client.start()
        for n in range(KILLS):
            self.wait_more(RUNS_BETWEEN)
            if n % 2:
                self.door.kill_worker()
            else:
                self.door.kill()
                self.door.start()
        self.wait_more(RUNS_BETWEEN)
        self.finish()
        # A kill can cost each client one request.
        self.assertLessEqual(len(self.lost()), CLIENTS * KILLS)
        self.assert_sound()

    def test_who_comes_while_no_door_is_there_waits_for_it(self):
        self.assertEqual(self.door.stop(), 0)
        wires = [self.door.wire() for _ in range(WAITING)]
        for n, wire in enumerate(wires):
            wire.send(self.numbered(n))
        self.door.start()
        answers = [wire.answer() for wire in wires]
        for wire in wires:
            wire.socket.close()
        self.assertEqual([answer.status for answer in answers], [202] * WAITING)
        self.assert_sound(accepted=WAITING)
