"""Stories about clients of the front door that are slow, huge, lying or gone, and of one beside
them that is none of it. Limits of seconds are tried by tests of the server, whose clock is
theirs."""

import json
import select
import socket
import struct

from door import Door
from harness import Story, make_run, run_id, wait_until

MAX_LINE = 64 << 10
SLOW_HEAD = b"POST /to/hooks HTTP/1.1\r\nHo"


def chunked(*parts):
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


class HostileStory(Story):
    max_line, door_keys = MAX_LINE, {}

    def setUp(self):
        super().setUp()
        self.stored = 0
        self.configure(endpoints=[("hooks", {"url": "http://127.0.0.1:9/hook", "door": "yes"})],
                       ingest={"max_line": str(self.max_line)},
                       door={"listen": "127.0.0.1:0", **self.door_keys})
        self.door = Door(self)

    def client(self):
        client = self.door.client()
        self.addCleanup(client.__exit__)
        return client

    def assert_well(self, n=1000):
        """One that does everything right is served meanwhile, and the outbox has what it should."""
        answer = self.door.ask("/to/hooks", make_run(n, None))
        self.assertEqual(answer.status, 202, answer)
        self.stored += 1
        self.assert_sound(waiting=self.stored)

    def assert_refused(self, client, status, code, closed=True):
        answer = client.answer()
        self.assertEqual((answer.status, answer.json["code"]), (status, code), answer)
        self.assertTrue(answer.json["reason"])
        if closed:
            self.assertEqual(answer.headers.get("connection"), "close")
            self.assertTrue(client.is_closed())

    def take(self, client, status=202):
        answer = client.answer()
        self.assertEqual(answer.status, status, answer)
        self.stored += status == 202
        return answer.json


class Slow(HostileStory):
    def test_who_is_slow_holds_up_nobody(self):
        run = make_run(1, None)
        head, body, greedy, idle = (self.client() for _ in range(4))
        head.send(SLOW_HEAD)
        body.send(body.head("POST", "/to/hooks", None, len(run)) + run[:-1])
        # It asks and asks, and takes no answer.
        question = greedy.head("GET", "/v1/entries/msg_none", None, None)
        greedy.socket.setblocking(False)
        try:
            for _ in range(100):
                greedy.socket.send(question * 1000)
        except BlockingIOError:
            pass
        self.assert_well()
        body.send(run[-1:])
        self.take(body)
        head.send(b"st: " + head.host.encode() + b"\r\nContent-Length: %d\r\n\r\n" % len(run) + run)
        self.take(head, 200)
        idle.post("/to/hooks", make_run(2, None))
        self.take(idle)
        self.assert_well(1001)

    def test_a_request_may_come_byte_by_byte(self):
        client, run = self.client(), make_run(1, None)
        request = client.head("POST", "/to/hooks", None, len(run)) + run
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(len(request)):
            client.send(request[at:at + 1])
        self.take(client)
        self.assert_well()

    def test_there_is_room_for_one_more_than_all(self):
        """The one that has said nothing for the longest gives way."""
        clients = [self.client() for _ in range(512)]
        self.assert_well()
        gone, _, _ = select.select([c.socket for c in clients], [], [], 0)
        self.assertEqual(len(gone), 1)
        self.assertTrue(clients[0].is_closed())
        clients[-1].post("/to/hooks", make_run(1, None))
        self.take(clients[-1])
        self.assert_well(1001)


class Huge(HostileStory):
    def test_a_head_has_an_end(self):
        client = self.client()
        client.send(SLOW_HEAD + b"st: x\r\nX-Long: " + b"x" * 20_000)
        self.assert_refused(client, 431, "bad_request")
        self.assert_well()

    def test_so_has_a_body(self):
        for headers, body in ((None, b"x" * (MAX_LINE + 1)),
                              ({"Transfer-Encoding": "chunked"}, chunked(b"x" * MAX_LINE, b"x"))):
            client = self.client()
            client.send(client.head("POST", "/to/hooks", headers, len(body)) + body)
            self.assert_refused(client, 413, "too_large")
        self.assert_well()

    def test_and_a_list_of_runs(self):
        client = self.client()
        client.post("/v1/runs", b"{}\n" * 4097, {"Content-Type": "application/x-ndjson"})
        self.assert_refused(client, 413, "too_large", closed=False)
        self.assert_well()


class Greedy(HostileStory):
    max_line = 1 << 20
    door_keys = {"bodies": "1M", "hold": "1s"}

    def test_who_keeps_the_room_for_bodies_has_others_wait_and_come_again(self):
        body = make_run(1, None, pad=self.max_line - 1000)
        first, second = self.client(), self.client()
        first.send(first.head("POST", "/to/hooks", None, len(body)) + body[:-1])
        # Its room is taken by now: they are read in the order in which they came.
        second.post("/to/hooks", b"", {"Content-Length": str(len(body)), "Expect": "100-continue"})
        self.assert_well()
        answer = second.answer()
        self.assertEqual((answer.status, answer.json["code"]), (503, "busy"), answer)
        self.assertEqual(answer.headers["retry-after"], "5")
        first.send(body[-1:])
        self.take(first)
        self.assert_well(1001)


class Lying(HostileStory):
    def test_a_length_that_is_too_short_stores_nothing(self):
        client, run = self.client(), make_run(1, None)
        client.send(client.head("POST", "/to/hooks", None, len(run) - 10) + run + b"\r\n")
        self.assert_refused(client, 400, "bad_json", closed=False)
        self.assert_refused(client, 400, "bad_request")
        self.assert_well()

    def test_a_length_that_is_too_long_stores_nothing(self):
        client, run = self.client(), make_run(1, None)
        client.send(client.head("POST", "/to/hooks", None, len(run) + 1) + run)
        client.socket.shutdown(socket.SHUT_WR)
        self.assertTrue(client.is_closed())
        self.assert_well()

    def test_two_lengths_are_none(self):
        run = make_run(1, None)
        for headers in (f"Content-Length: {len(run)}\r\nTransfer-Encoding: chunked",
                        f"Content-Length: {len(run)}\r\nContent-Length: {len(run) + 1}",
                        f"Content-Length: +{len(run)}", "Content-Length: -1",
                        f"Content-Length: {1 << 64}", "Transfer-Encoding: chunked, chunked"):
            with self.subTest(headers=headers):
                client = self.client()
                client.send(f"POST /to/hooks HTTP/1.1\r\nHost: {client.host}\r\n{headers}\r\n\r\n"
                            .encode() + run)
                answer = client.answer()
                self.assertIn(answer.status, (400, 413, 501), answer)
                self.assertTrue(client.is_closed())
        self.assert_well()

    def test_chunks_are_joined_and_broken_ones_refused(self):
        client, run = self.client(), make_run(1, None)
        head = client.head("POST", "/to/hooks", {"Transfer-Encoding": "chunked"}, None)
        client.send(head + chunked(run[:1], run[1:50], run[50:]))
        self.assertEqual(self.ctl("body", self.take(client)["id"]).out, run)
        for broken in (b"zz\r\n", b"5\r\n{}\r\n\r\n0\r\n\r\n", b"-1\r\n", b"fffffffffffffffff\r\n"):
            with self.subTest(chunk=broken):
                client = self.client()
                client.send(head + broken)
                client.socket.shutdown(socket.SHUT_WR)
                self.assertIn(client.answer().status, (400, 413))
        self.assert_well()


class Gone(HostileStory):
    def test_who_will_say_no_more_is_answered(self):
        client, run = self.client(), make_run(1, None)
        client.post("/to/hooks", run)
        client.socket.shutdown(socket.SHUT_WR)
        self.take(client)
        self.assertTrue(client.is_closed())
        self.assert_well()

    def test_who_hangs_up_before_the_answer_has_sent_his_run_all_the_same(self):
        with self.door.client() as client:
            # the door has asked who this is; of one that has gone the kernel tells nothing
            self.assertEqual(client.get("/healthz").status, 200)
            client.post("/to/hooks", make_run(1, None))
        wait_until(lambda: self.entries()["waiting"] == 1, "the entry")
        self.stored += 1
        client = self.client()
        client.post("/to/hooks", make_run(1, None))
        self.assertEqual(self.take(client, 200)["id"], self.list()[0]["id"])
        self.assert_well()

    def test_many_who_reset_leave_whole_runs_or_none(self):
        ids = {}
        for n in range(50):
            client = self.client()
            client.post("/to/hooks", make_run(n, None))
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.socket.close()
        with self.door.client() as client:
            for n in range(50):
                answer = client.ask("/to/hooks", make_run(n, None))
                self.assertIn(answer.status, (200, 202), answer)
                ids[run_id(n)] = answer.json["id"]
        self.stored = 50
        self.assert_well()
        self.assertLessEqual(set(ids.items()), {(e["run_id"], e["id"]) for e in self.list(
            "--limit", "0")})

    def test_what_was_sent_at_once_is_answered_in_its_order(self):
        client = self.client()
        requests = [client.head("POST", "/to/hooks", None, len(run)) + run
                    for run in (make_run(n, None) for n in (1, 2, 1, 3))]
        requests.insert(2, client.head("POST", "/to/hooks", None, 1) + b"{")
        client.send(b"".join(requests))
        told = [client.answer() for _ in requests]
        self.assertEqual([answer.status for answer in told], [202, 202, 400, 200, 202])
        self.assertEqual([answer.json.get("run_id") for answer in told],
                         [run_id(1), run_id(2), None, run_id(1), run_id(3)])
        self.stored += 3
        self.assert_well()
        self.assertEqual(json.loads(told[0].body)["id"], json.loads(told[3].body)["id"])
