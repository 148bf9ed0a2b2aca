"""Stories about the door and LangGraph's Python server, by a client that does what that server's
sender does. Its source is not open to all, so this is what was read and seen of it: httpx on kept
connections, head and body written apart; at most three tries, on a timeout, a lost connection, 429
and 5xx; the same bytes in each, with the `webhook_sent_at` of the first."""

import json
import os
import signal
import threading
import time

from engine_door import EngineDoor
from harness import FIXTURES, Story, make_run, run_id, secret_text

KEY = b"the key of the orders' receiver!"
TOKEN = "a-token-of-the-engine-0123456789"
# The sender itself reads for 30 s and waits 1 to 3 s between tries.
READ_S = 20
PAUSES_S = (0.1, 0.2)  # before the second try, and before the third
AGAIN = ("timeout", "network", 429)
AGENT = "python-httpx/0.28.1"
BEGAN = "2026-11-30T08:14:03.140015+00:00"


class Sender:
    """One client of the engine: it keeps its connection. `tries` holds what became of each."""

    def __init__(self, door, read_s=READ_S, headers=()):
        self.door, self.read_s, self.headers = door, read_s, list(headers)
        self.wire = None
        self.tries = []

    def head(self, path, body):
        fields = [("Host", f"127.0.0.1:{self.door.port}"), ("Accept", "*/*"),
                  ("Accept-Encoding", "gzip, deflate"), ("Connection", "keep-alive"),
                  ("User-Agent", AGENT), ("Content-Type", "application/json"), *self.headers,
                  ("Content-Length", str(len(body)))]
        lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields)]
        return "\r\n".join([*lines, "", ""]).encode()

    def once(self, path, body):
        """(status, receipt), or a word for what went wrong."""
        try:
            if self.wire is None or not self.wire.is_open():
                self.wire = self.door.wire(self.read_s)
            answer = self.wire.ask_bytes(self.head(path, body), body)
            if answer.headers.get("connection") == "close":
                self.wire = None
            return answer.status, answer.json
        except TimeoutError:
            went_wrong = "timeout"
        except EOFError:  # which the sender takes for the end of it
            went_wrong = "no answer"
        except OSError:
            went_wrong = "network"
        self.wire = None
        return went_wrong, None

    def call(self, path, body):
        """One webhook, with all its tries: what the last one got."""
        for pause_s in (*PAUSES_S, None):
            status, told = self.once(path, body)
            self.tries.append(status)
            is_tried_again = status in AGAIN or (isinstance(status, int) and status >= 500)
            if pause_s is None or not is_tried_again:
                return status, told
            time.sleep(pause_s)  # the sender's own
        return None


def payload(n, status="success", **more):
    """What it posts when the run n has ended; None takes a member away."""
    run = {"run_id": run_id(n), "thread_id": run_id(n + 500_000),
           "assistant_id": "fe096781-5601-53d2-b2f6-0d3403f7e9ca", "created_at": BEGAN,
           "updated_at": BEGAN, "metadata": {"graph_id": "agent"}, "status": status,
           "kwargs": {"input": {"order": "Grüße \u2028"}, "command": None,
                      "config": {"configurable": {"langgraph_auth_user": None}},
                      "stream_mode": ["values"], "webhook": "http://127.0.0.1:8484/to/orders",
                      "temporary": False},
           "multitask_strategy": "enqueue", "run_started_at": BEGAN, "run_ended_at": BEGAN,
           "webhook_sent_at": "2026-11-30T08:14:06.911870+00:00", "values": {"n": n}, **more}
    run = {name: value for name, value in run.items() if value != "absent"}
    return json.dumps(run, separators=(",", ":"), ensure_ascii=False).encode()


class PythonEngine(Story):
    def setUp(self):
        super().setUp()
        self.bodies = self.folder / "bodies"
        self.secret = self.file("secret", secret_text(KEY) + "\n")
        self.receiver = self.sink("--secret-file", self.secret, "--record-dir", self.bodies)
        self.door = EngineDoor(self)
        self.set_up()

    def set_up(self, door=None, **sections):
        orders = {"url": self.receiver.hook("/in"), "secret_file": self.secret, "door": "yes"}
        self.configure(endpoints=[("orders", orders)],
                       door={"listen": f"127.0.0.1:{self.door.port}", **(door or {})}, **sections)

    def assert_arrived(self, told, body):
        delivery, = self.receiver.by_id()[told["id"]]
        self.assertEqual(delivery["signature"], "ok")
        kept = self.bodies / f"{told['id']}.{delivery['n']}"
        self.assertEqual(kept.read_bytes(), body)
        return delivery


class Payloads(PythonEngine):
    SHAPES = [
        payload(1, values=None),
        payload(2, "error", error={"error": "ValueError", "message": "no such order"}),
        payload(3, "error", error="no such order"),
        payload(4, "timeout", error=None),
        payload(5, "interrupted", error={"error": "UserInterrupt", "message": "cancelled"}),
        payload(6, "rollback", values=None),
        payload(7, kwargs="absent", thread_id="absent", values="absent"),
        payload(8, langsmith_session_name="s", a_member_of_tomorrow=[1.0, 1e300, "\x00\x1f"]),
        payload(9, values={"large": "x" * (3 << 20)}),
    ]

    def test_each_shape_is_queued_once_and_arrives_unchanged(self):
        self.door.start()
        sender = Sender(self.door)
        answers = [sender.call("/to/orders", body) for body in self.SHAPES]
        self.assertEqual(sender.tries, [202] * len(self.SHAPES))
        self.drain()
        for (_, told), body in zip(answers, self.SHAPES):
            delivery = self.assert_arrived(told, body)
            self.assertEqual(delivery["run_id"], json.loads(body)["run_id"])
        self.assert_sound(delivered=len(self.SHAPES))

    def test_all_operations_and_crons_that_make_runs(self):
        """A cron's firing is a run like any other."""
        self.door.start()
        lines = (FIXTURES / "operations.ndjson").read_bytes().splitlines()
        bodies = [line[line.index(b',"run":') + 7:-1] for line in lines]
        self.assertEqual(sum(b'"cron_id"' in body for body in bodies), 2)
        sender = Sender(self.door)
        answers = [sender.call("/to/orders", body) for body in bodies]
        self.assertEqual(sender.tries, [202] * len(bodies))
        self.drain()
        for (_, told), body in zip(answers, bodies):
            self.assert_arrived(told, body)
        self.assert_sound(delivered=len(bodies))

    def test_a_run_that_is_executed_again(self):
        self.door.start()
        sender = Sender(self.door)
        later = {"webhook_sent_at": "2026-11-30T09:00:00.000000+00:00"}
        first = sender.call("/to/orders", payload(1))
        self.assertEqual(sender.call("/to/orders", payload(1, **later)),
                         (200, {**first[1], "status": "duplicate"}))
        status, told = sender.call("/to/orders", payload(1, "error", **later))
        self.assertEqual((status, told["status"]), (202, "queued"))
        self.assertNotEqual(told["id"], first[1]["id"])
        self.assert_sound(accepted=2)


class Tries(PythonEngine):
    BODY = payload(1)

    def assert_queued_once(self, answer):
        self.assertIn(answer[0], (200, 202))
        self.drain()
        self.assert_arrived(answer[1], self.BODY)
        self.assert_sound(accepted=1, delivered=1)

    def test_answers_that_are_lost(self):
        """Whoever hangs up before the answer comes again with the same bytes."""
        self.door.start()
        for _ in PAUSES_S:
            gone = Sender(self.door)
            with self.door.wire() as wire:
                wire.send(gone.head("/to/orders", self.BODY) + self.BODY)
        sender = Sender(self.door)
        self.assert_queued_once(sender.call("/to/orders", self.BODY))

    def test_tries_that_time_out(self):
        self.door.start()
        worker = self.door.worker()
        sender = Sender(self.door, read_s=0.3)
        os.kill(worker, signal.SIGSTOP)
        try:
            self.assertEqual(sender.once("/to/orders", self.BODY), ("timeout", None))
            self.assertEqual(sender.once("/to/orders", self.BODY), ("timeout", None))
        finally:
            os.kill(worker, signal.SIGCONT)
        sender.read_s = READ_S
        self.assert_queued_once(sender.once("/to/orders", self.BODY))

    def test_the_door_comes_between_two_tries(self):
        self.door.listener.close()
        self.door.listener = None
        sender = Sender(self.door)
        self.assertEqual(sender.once("/to/orders", self.BODY), ("network", None))
        self.door.start()
        self.assert_queued_once(sender.call("/to/orders", self.BODY))
        self.assertEqual(sender.tries, [202])


class FullOutbox(PythonEngine):
    """Beyond its quota nothing is stored until something was delivered."""

    PAD = 20_000

    def full(self, hold):
        self.set_up({"hold": hold}, outbox={"quota": "8M", "keep_delivered": "0s"},
                    ingest={"full_wait": "0"})
        self.ingest([make_run(n, self.receiver.hook("/in"), pad=self.PAD) for n in range(600)],
                    code=75)
        self.door.start()
        return payload(9000, values={"large": "x" * self.PAD})

    def test_is_told_after_the_hold_and_the_next_try_is_taken(self):
        body = self.full("100ms")
        sender = Sender(self.door)
        with self.door.wire() as wire:
            answer = wire.ask_bytes(sender.head("/to/orders", body), body)
        self.assertEqual((answer.status, answer.json["code"]), (503, "full"))
        self.assertGreater(int(answer.headers["retry-after"]), 0)
        self.assertEqual(sender.once("/to/orders", body)[0], 503)
        self.ctl("purge", "--state", "waiting", "--yes")
        status, told = sender.call("/to/orders", body)
        self.assertEqual((status, sender.tries), (202, [202]))
        self.drain()
        self.assert_arrived(told, body)

    def test_a_hold_that_is_long_enough_costs_no_try(self):
        body = self.full("20s")
        sender = Sender(self.door)
        answers = []
        trying = threading.Thread(target=lambda: answers.append(sender.call("/to/orders", body)),
                                  daemon=True)
        trying.start()
        self.drain()
        self.ctl("purge", "--state", "delivered", "--yes", code=None)
        trying.join(READ_S)
        (status, told), = answers
        self.assertEqual((status, sender.tries), (202, [202]))
        self.drain()
        self.assert_arrived(told, body)


class Tokens(PythonEngine):
    """What `webhooks.headers` of the engine's configuration adds."""

    def test_a_token_in_a_header(self):
        self.set_up({"token_file": self.file("tokens", TOKEN + "\n"), "door_users": "none"})
        self.door.start()
        named = Sender(self.door, headers=[("Authorization", f"Bearer {TOKEN}")])
        status, told = named.call("/to/orders", payload(1))
        self.assertEqual(status, 202)
        for headers in [], [("Authorization", f"Bearer {TOKEN[:-1]}x")]:
            nobody = Sender(self.door, headers=headers)
            nobody.call("/to/orders", payload(2))
            self.assertEqual(nobody.tries, [401])
        self.drain()
        delivery = self.assert_arrived(told, payload(1))
        self.assertNotIn(TOKEN, json.dumps(delivery))
        self.assertNotIn(TOKEN, self.door.process.err)
        self.assert_sound(accepted=1)

    def test_a_name_that_is_not_known_is_not_tried_again(self):
        self.door.start()
        sender = Sender(self.door)
        sender.call("/to/nobody", payload(1))
        self.assertEqual(sender.tries, [404])
        self.assertEqual(self.entries_known(), 0)

    def entries_known(self):
        return self.stats()["accepted"] if self.outbox_exists() else 0
