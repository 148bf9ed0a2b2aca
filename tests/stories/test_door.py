"""Stories about the front door: what an engine gets that POSTs its webhooks there, and what its
receivers get then."""

import json
import os
import pathlib
import signal
import threading
import time

from urllib.parse import quote

from door import Client, Door
from harness import (FIXTURES, Story, descendants, envelope, free_port, make_run, run_id,
                     wait_until)


class DoorStory(Story):
    def open_door(self, endpoints=(), door=None, **sections):
        self.configure(endpoints=endpoints, door={"listen": "127.0.0.1:0", **(door or {})},
                       **sections)
        return Door(self)

    def published(self, sink, name="hooks", path="/hook", **keys):
        return (name, {"url": sink.hook(path), "door": "yes", **keys})


class Accepting(DoorStory):
    def test_an_engines_webhooks_go_through_to_its_receiver_byte_for_byte(self):
        sink = self.sink()
        door = self.open_door([self.published(sink)])
        sent = (FIXTURES / "langgraph-runs.ndjson").read_bytes().splitlines()
        with door.client() as client:
            answers = [client.ask("/to/hooks", body,
                                  {"Content-Type": "text/plain;charset=UTF-8", "Accept": "*/*",
                                   "sec-fetch-mode": "cors", "User-Agent": "node"})
                       for body in sent]
        self.assertEqual({a.status for a in answers}, {202}, answers)
        for answer, body in zip(answers, sent):
            self.assertEqual(answer.json["status"], "queued")
            self.assertEqual(answer.json["run_id"], json.loads(body)["run_id"])
        self.drain()
        got = {g["headers"]["webhook-id"]: g for g in sink.record()}
        for answer, body in zip(answers, sent):
            self.assertEqual(self.ctl("body", answer.json["id"]).out, body)
            self.assertEqual(got[answer.json["id"]]["path"], "/hook")
        self.assert_sound(delivered=len(sent))
        self.assertEqual(door.process.stop(), 0, door.process.err)

    def test_the_same_run_again_is_a_duplicate_with_the_first_id(self):
        sink = self.sink()
        door = self.open_door([self.published(sink)])
        run = make_run(1, "http://ignored.example/")
        first, second = door.ask("/to/hooks", run), door.ask("/to/hooks", run)
        self.assertEqual((first.status, second.status), (202, 200))
        self.assertEqual(second.json, {**first.json, "status": "duplicate"})

    def test_path_and_query_go_on_to_the_receiver(self):
        sink = self.sink()
        door = self.open_door([self.published(sink, path="/in")])
        self.assertEqual(door.ask("/to/hooks/orders/7?token=T%20x", make_run(1, None)).status, 202)
        self.drain()
        self.assertEqual(sink.record()[0]["path"], "/in/orders/7")

    def test_v1_runs_takes_runs_envelopes_and_lines(self):
        sink = self.sink()
        door = self.open_door()
        hook = sink.hook()
        self.assertEqual(door.ask("/v1/runs", make_run(1, hook)).status, 202)
        self.assertEqual(door.ask("/v1/runs", envelope(2, hook, id="mine")).status, 202)
        self.assertEqual(door.ask("/v1/runs", make_run(3, None)).json["status"], "skipped")
        lines = [make_run(4, hook), b"{", make_run(1, hook), make_run(5, None)]
        answer = door.ask("/v1/runs", b"\n".join(lines) + b"\n",
                          {"Content-Type": "application/x-ndjson"})
        self.assertEqual(answer.status, 207)
        self.assertEqual([r["status"] for r in answer.lines],
                         ["queued", "rejected", "duplicate", "skipped"])
        self.assertEqual([r["line"] for r in answer.lines], [1, 2, 3, 4])
        self.drain()
        self.assertEqual(sink.count(), 3)

    def test_an_idempotency_key_is_for_one_payload(self):
        sink = self.sink()
        door = self.open_door()
        key = {"Idempotency-Key": "order-7"}
        first = door.ask("/v1/runs", make_run(1, sink.hook()), key)
        self.assertEqual(first.status, 202)
        self.assertEqual(door.ask("/v1/runs", make_run(1, sink.hook()), key).json["id"],
                         first.json["id"])
        other = door.ask("/v1/runs", make_run(2, sink.hook()), key)
        self.assertEqual((other.status, other.json["code"]), (422, "idempotency_key"))

    def test_what_became_of_an_entry(self):
        sink = self.sink()
        door = self.open_door([self.published(sink)])
        entry_id = door.ask("/to/hooks?token=canary", make_run(1, None)).json["id"]
        self.drain()
        answer = door.get(f"/v1/entries/{entry_id}")
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.json, self.show(entry_id))
        self.assertNotIn(b"canary", answer.body)
        self.assertEqual(door.get("/v1/entries/msg_nothing").status, 404)

    def test_many_clients_at_once_share_commits(self):
        sink = self.sink()
        door = self.open_door([self.published(sink)])
        answers, n, each = [], 16, 25

        def engine(first):
            with door.client() as client:
                for i in range(first, first + each):
                    answers.append(client.ask("/to/hooks", make_run(i, None)).status)

        threads = [threading.Thread(target=engine, args=(t * each,)) for t in range(n)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(answers, [202] * (n * each))
        commits = self.stats()["commits"]
        self.assertLess(commits, n * each)
        self.assert_sound(waiting=n * each)


class Refusing(DoorStory):
    def test_each_refusal_has_its_status_and_a_sentence(self):
        sink = self.sink()
        door = self.open_door([self.published(sink), ("closed", {"url": sink.hook("/closed")})])
        run = make_run(1, sink.hook())
        for status, code, target, body, headers in (
                (400, "bad_json", "/to/hooks", b"{", {}),
                (400, "bad_json", "/to/hooks", b"", {}),
                (400, "bad_json", "/v1/runs", b"", {"Content-Type": "application/x-ndjson"}),
                (422, "bad_url", "/to?url=" + quote(sink.hook("/hook/x/..%5cbilling"), safe=""),
                 run, {}),
                (403, "cross_site", "/to/hooks", run, {"Origin": "http://evil.example"}),
                (403, "cross_site", "/to/hooks", run, {"Sec-Fetch-Site": "cross-site"}),
                (403, "not_published", "/to/closed", run, {}),
                (404, "no_such_endpoint", "/to/nobody", run, {}),
                (404, "not_found", "/", run, {}),
                (405, "method", "/healthz", run, {}),
                (415, "content_encoding", "/to/hooks", run, {"Content-Encoding": "gzip"}),
                (421, "host", "/to/hooks", run, {"Host": "evil.example"}),
                (422, "bad_url", "/v1/runs", make_run(2, "ftp://x/"), {}),
                (508, "loop", "/to/hooks", run, {"runpost-attempt": "1"}),
                (508, "loop", "/v1/runs", make_run(3, f"http://127.0.0.1:{door.tcp[1]}/v1/runs"),
                 {})):
            with self.subTest(code=code, target=target):
                answer = door.ask(target, body, headers)
                self.assertEqual((answer.status, answer.json["code"]), (status, code), answer)
                self.assertTrue(answer.json["reason"])
        self.assertEqual(self.entries()["waiting"], 0)

    def test_a_body_is_judged_by_its_head_alone(self):
        sink = self.sink()
        door = self.open_door([self.published(sink)], ingest={"max_line": "1K"})
        with door.client() as client:
            client.send(client.head("POST", "/to/hooks", {"Expect": "100-continue"}, 1 << 30))
            answer = client.answer()
            self.assertEqual((answer.status, answer.json["code"]), (413, "too_large"))
            self.assertTrue(client.is_closed())

    def test_refused_bodies_are_kept_and_counted(self):
        rejects = self.folder / "rejects"
        sink = self.sink()
        door = self.open_door([self.published(sink)], {"rejects": rejects})
        self.assertEqual(door.ask("/to/hooks", b'{"run_id": 7').status, 400)
        self.assertEqual(rejects.read_bytes(), b'{"run_id": 7\n')

    def test_a_token_opens_what_a_foreign_user_may_not(self):
        token = "canary-0123456789abcdef"
        sink = self.sink()
        door = self.open_door([self.published(sink)],
                              {"token_file": self.file("tokens", token + "\n"),
                               "door_users": "none"})
        run = make_run(1, None)
        no = door.ask("/to/hooks", run)
        self.assertEqual((no.status, no.headers["www-authenticate"]), (401, "Bearer"))
        self.assertEqual(door.ask("/to/hooks", run, {"Authorization": "Bearer " + token[:-1]})
                         .status, 401)
        self.assertEqual(door.ask("/to/hooks", run, {"Authorization": "Bearer " + token}).status,
                         202)
        self.assertEqual(door.get("/readyz").status, 200)
        self.assertNotIn(token, door.process.err)


class Restarting(DoorStory):
    def worker(self, door):
        return wait_until(lambda: descendants(door.process.pid), "the door's worker")[0]

    def test_a_killed_worker_costs_no_client_its_connection(self):
        sink = self.sink()
        door = self.open_door([self.published(sink)])
        self.assertEqual(door.ask("/to/hooks", make_run(1, None)).status, 202)
        os.kill(self.worker(door), signal.SIGKILL)
        self.assertEqual(door.ask("/to/hooks", make_run(2, None)).status, 202)
        self.assertIn("ev=worker_ended worker=door", door.process.err)
        self.assert_sound(waiting=2)

    def test_a_reload_publishes_what_the_file_says_now(self):
        sink = self.sink()
        door = self.open_door()
        self.assertEqual(door.ask("/to/hooks", make_run(1, None)).status, 404)
        self.configure(endpoints=[self.published(sink)], door={"listen": "127.0.0.1:1"})
        door.process.signal(signal.SIGHUP)
        wait_until(lambda: door.process.err.count("ev=reloaded") == 2, "both processes")
        wait_until(lambda: door.ask("/to/hooks", make_run(1, None)).status == 202, "the section")
        self.assertIn("ev=reload_partly restart_for=door.listen", door.process.err)
        self.config.write_text("[door]\nnonsense = 1\n")
        door.process.signal(signal.SIGHUP)
        wait_until(lambda: "ev=reload_refused" in door.process.err, "the refusal")
        self.assertEqual(door.ask("/to/hooks", make_run(2, None)).status, 202)

    def test_a_stop_answers_what_was_asked(self):
        sink = self.sink()
        door = self.open_door([self.published(sink)])
        run = make_run(1, None)
        with door.client() as client:
            client.send(client.head("POST", "/to/hooks", None, len(run)) + run[:10])
            self.assertEqual(door.get("/healthz").status, 200)
            door.process.signal(signal.SIGTERM)
            client.send(run[10:])
            answer = client.answer()
            self.assertEqual(answer.status, 202)
            self.assertEqual(answer.headers.get("connection"), "close")
        self.assertEqual(door.process.wait(), 0, door.process.err)
        self.assert_sound(waiting=1)

    def fill(self, door):
        """Until a request is held: the client that waits for its answer."""
        def look():
            answer = door.get("/readyz")
            return answer if answer.status == 503 and answer.json["code"] == "full" else None

        client = door.client()
        self.addCleanup(client.__exit__)
        for i in range(12):
            client.post("/to/hooks", make_run(i, None, pad=700_000))
            try:
                client.socket.settimeout(1)
                self.assertEqual(client.answer().status, 202)
            except TimeoutError:
                break
        client.socket.settimeout(30)
        wait_until(look, "a full outbox")
        return client

    def full_door(self, **door):
        sink = self.sink()
        return self.open_door([self.published(sink)], door, outbox={"quota": "4M"},
                              ingest={"max_line": "8M"})

    def test_a_full_outbox_holds_requests_and_then_says_so(self):
        door = self.full_door(hold="3s")
        client, began = self.fill(door), time.monotonic()
        answer = client.answer()
        self.assertLess(time.monotonic() - began, 4.5)
        self.assertEqual((answer.status, answer.json["code"]), (503, "full"), answer)
        self.assertEqual(answer.headers["retry-after"], "5")
        self.assertEqual(door.ask("/to/hooks", make_run(100, None)).status, 202)
        wait_until(lambda: door.get("/readyz").status == 200, "the door to be ready")

    def test_a_held_request_goes_in_when_there_is_room(self):
        door = self.full_door(hold="30s")
        client = self.fill(door)
        self.drain()
        self.ctl("purge", "--state", "delivered", "--yes")
        self.assertEqual(client.answer().status, 202)
        self.assertEqual(door.get("/readyz").status, 200)

    def test_a_stop_answers_those_that_wait_for_room(self):
        door = self.full_door(hold="30s")
        client = self.fill(door)
        door.process.signal(signal.SIGTERM)
        answer = client.answer()
        self.assertEqual((answer.status, answer.json["code"]), (503, "stopping"))
        self.assertEqual(door.process.wait(), 0)


class Sockets(DoorStory):
    def test_a_unix_socket_needs_no_token(self):
        sink = self.sink()
        path = self.folder / "door.sock"
        door = self.open_door([self.published(sink)], {"listen": f"unix:{path}"})
        self.assertEqual(path.stat().st_mode & 0o777, 0o660)
        with Client(path) as client:
            self.assertEqual(client.ask("/to/hooks", make_run(1, None)).status, 202)
        self.assertEqual(door.process.stop(), 0)
        self.assertFalse(path.exists())

    def test_a_second_door_on_the_same_address_says_what_is_wrong(self):
        sink = self.sink()
        port = free_port()
        door = self.open_door([self.published(sink)], {"listen": f"127.0.0.1:{port}"})
        second = self.spawn(pathlib.Path(door.process.argv[0]), "serve", "--outbox", self.outbox,
                            "--config", self.config)
        self.assertEqual(second.wait(), 74, second.err)
        self.assertIn("in use", second.err)
