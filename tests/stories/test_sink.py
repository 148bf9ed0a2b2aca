"""Stories about runpost-sink, the receiver for trying things out: what it shows,
checks, records and breaks.

Runs the built program from RUNPOST_BIN (default: build/). No sleeps;
every wait ends with an event or a time limit.
"""

import base64
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import time
import unittest

BIN = pathlib.Path(os.environ.get("RUNPOST_BIN", "build")).resolve()
SINK = str(BIN / "runpost-sink")
LIMIT_S = 20
KEY = b"0123456789abcdef0123456789abcdef"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
RUN = b'{"run_id":"6c0dda9e-1111-7222-8333-444444444444","status":"success","values":{"n":1}}'


def sign(webhook_id, timestamp, body):
    mac = hmac.new(KEY, f"{webhook_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(mac).decode()


class Sink:
    """A running receiver; as a context it is ended and its exit checked."""

    def __init__(self, *options, port=0):
        self.process = subprocess.Popen(
            [SINK, "--port", str(port), *map(str, options)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.ready = self.process.stdout.readline().rstrip("\n")
        self.port = int(self.ready.rpartition(":")[2])
        self.summary = ""
        self.exit_code = 0

    def __enter__(self):
        return self

    def __exit__(self, failure, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.finish()
        if failure is None and self.process.returncode != self.exit_code:
            raise AssertionError(
                f"exit {self.process.returncode}, not {self.exit_code}: {self.summary}")

    def finish(self):
        """Waits for its end; returns the lines still to be read from stdout."""
        if self.process.stdout.closed:
            return ""
        out, self.summary = self.process.communicate(timeout=LIMIT_S)
        return out

    def line(self):
        return self.process.stdout.readline().rstrip("\n")

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)

    def post(self, path="/hook", body=RUN, headers=None):
        connection = self.connect()
        try:
            connection.request("POST", path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def open_socket(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=LIMIT_S)

    def raw(self, data):
        """Sends bytes on a connection of their own and returns all that comes
        back until it closes."""
        with self.open_socket() as s:
            s.sendall(data)
            return read_all(s)


def read_all(s):
    data = b""
    while piece := s.recv(65536):
        data += piece
    return data


def run_sink(*options):
    return subprocess.run([SINK, *options], capture_output=True, text=True, timeout=LIMIT_S,
                          check=False)


class Story(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def file(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path


class Showing(Story):
    def test_it_says_where_it_listens_and_answers_200(self):
        with Sink() as sink:
            self.assertRegex(sink.ready, r"^ready http://127\.0\.0\.1:\d+$")
            self.assertEqual(sink.post(), (200, b"ok\n"))

    def test_a_delivery_is_one_line_without_secrets(self):
        with Sink("--token", "hush-hush") as sink:
            sink.post("/hook?token=hush-hush&op=x",
                      headers={"webhook-id": "msg_1", "runpost-attempt": "2"})
            line = sink.line()
        self.assertRegex(line, r"^\d\d:\d\d:\d\d\.\d{3}Z  #1 +POST "
                         r"/hook\?token=REDACTED&op=REDACTED +msg_1 +attempt 2 ")
        self.assertRegex(line,
                         r" 85 B  run 6c0dda9e success +signature unchecked  token ok +-> 200$")

    def test_control_bytes_from_outside_do_not_reach_the_terminal(self):
        with Sink() as sink:
            sink.raw(
                b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nwebhook-id: a\tb\xff\r\n\r\n")
            line = sink.line()
        self.assertIn(r"a\x09b\xff", line)

    def test_quiet_shows_no_line(self):
        with Sink("--quiet") as sink:
            sink.post()
            sink.process.send_signal(signal.SIGINT)
            self.assertEqual(sink.finish(), "")

    def test_the_end_brings_a_summary(self):
        with Sink("--status", "503", "200") as sink:
            for webhook_id in ("a", "a", "a", "b"):
                sink.post(headers={"webhook-id": webhook_id})
            sink.process.send_signal(signal.SIGTERM)
            sink.finish()
        self.assertEqual(sink.summary, "runpost-sink: 4 requests: 3 answered 200, 1 answered 503; "
                                       "2 distinct webhook ids, 2 duplicates (1 after a 2xx)\n")

    def test_exit_after_ends_it_once_the_last_is_answered(self):
        with Sink("--exit-after", 2, "--delay", "100ms") as sink:
            self.assertEqual(sink.post()[0], 200)
            self.assertEqual(sink.post()[0], 200)
            sink.process.wait(LIMIT_S)


class Checking(Story):
    def test_the_token_comes_by_query_or_bearer(self):
        # As some editors write it.
        with Sink("--token-file", self.file("token", "\ufeffs3 cret\n")) as sink:
            self.assertEqual(sink.post("/hook?a=1&token=s3%20cret")[0], 200)
            self.assertEqual(sink.post("/hook", headers={"Authorization": "Bearer s3 cret"})[0],
                             200)
            self.assertEqual(sink.post("/hook?token=other")[0], 401)
            self.assertEqual(sink.post("/hook", headers={"Authorization": "Bearer s3 crex"})[0],
                             401)
            self.assertEqual(sink.post("/hook")[0], 401)
            marks = [re.search(r"token (\w+) +->", sink.line())[1] for _ in range(5)]
        self.assertEqual(marks, ["ok", "ok", "bad", "bad", "missing"])

    def test_the_token_of_the_command_line_is_not_left_for_ps(self):
        with Sink("--token", "hush-hush") as sink:
            arguments = pathlib.Path(f"/proc/{sink.process.pid}/cmdline").read_bytes()
        self.assertNotIn(b"hush", arguments)

    def test_signatures_are_checked(self):
        now = int(time.time())
        good = {"webhook-id": "msg_1", "webhook-timestamp": str(now),
                "webhook-signature": sign("msg_1", now, RUN)}
        old = now - 302
        cases = [
            ("ok", 200, good), ("bad", 401, {**good, "webhook-id": "msg_2"}),
            ("bad", 401, {**good, "webhook-timestamp": str(now - 1)}),
            ("bad", 401,
             {**good, "webhook-timestamp": str(old), "webhook-signature": sign("msg_1", old, RUN)}),
            ("bad", 401, {**good, "webhook-timestamp": "x" + str(now)}),
            ("missing", 401, {k: v for k, v in good.items() if k != "webhook-signature"}),
        ]
        with Sink("--secret-file", self.file("secret", SECRET + "\n")) as sink:
            for mark, status, headers in cases:
                with self.subTest(mark=mark, headers=headers):
                    self.assertEqual(sink.post(headers=headers)[0], status)
                    self.assertIn(f"signature {mark} ", sink.line())
            self.assertEqual(sink.post(body=RUN + b" ", headers=good)[0], 401)

    def test_a_refused_request_takes_no_step_of_the_statuses(self):
        with Sink("--token", "t", "--status", "503,200") as sink:
            answers = [sink.post(path)[0] for path in ("/?token=x", "/?token=t", "/", "/?token=t")]
        self.assertEqual(answers, [401, 503, 401, 200])


class Recording(Story):
    def test_each_request_is_on_record_before_its_answer(self):
        record = self.folder / "record.ndjson"
        with Sink("--quiet", "--record", record, "--token", "s3cret") as sink:
            for i in range(1, 4):
                sink.post(f"/hook?token=s3cret&n={i}", headers={
                    "webhook-id": "msg_1", "webhook-timestamp": "17", "runpost-attempt": str(i),
                    "authorization": "Basic abc", "X-Custom": "é".encode("latin-1")})
                self.assertEqual(len(record.read_text().splitlines()), i)
        lines = [json.loads(line) for line in record.read_text().splitlines()]
        got = lines[1]
        self.assertNotIn("s3cret", record.read_text())
        self.assertEqual([line["n"] for line in lines], [1, 2, 3])
        self.assertLess(abs(got["at_ms"] / 1000 - time.time()), LIMIT_S)
        self.assertLess(lines[0]["monotonic_us"], got["monotonic_us"])
        self.assertLess(abs(got["monotonic_us"] / 1e6 - time.monotonic()), LIMIT_S)
        self.assertRegex(got["at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        for name, value in {
                "method": "POST", "path": "/hook", "webhook_id": "msg_1", "webhook_timestamp": "17",
                "attempt": 2, "run_id": "6c0dda9e-1111-7222-8333-444444444444", "bytes": len(RUN),
                "sha256": hashlib.sha256(RUN).hexdigest(), "signature": "unchecked", "token": "ok",
                "status": 200}.items():
            self.assertEqual(got[name], value, name)
        self.assertEqual(got["headers"]["authorization"], "REDACTED")
        self.assertEqual(got["headers"]["content-length"], str(len(RUN)))
        self.assertIn("x-custom", got["headers"])
        self.assertEqual(record.stat().st_mode & 0o777, 0o600)

    def test_the_record_is_appended_to_and_knows_the_unanswered(self):
        record = self.file("record.ndjson", '{"n":0}\n')
        with Sink("--record", record, "--close") as sink:
            with self.assertRaises(http.client.RemoteDisconnected):
                sink.post(body=b"not json")
        lines = [json.loads(line) for line in record.read_text().splitlines()]
        self.assertEqual(lines[0], {"n": 0})
        self.assertEqual([lines[1][k] for k in ("status", "webhook_id", "attempt", "run_id")],
                         [-1, None, None, None])

    def test_a_record_or_a_body_is_not_written_through_a_link(self):
        target, record = self.file("target", "somebody else's"), self.folder / "record.ndjson"
        record.symlink_to(target)
        done = subprocess.run([SINK, "--port", "0", "--record", record], capture_output=True,
                              text=True, check=False, timeout=LIMIT_S)
        self.assertEqual(done.returncode, 64)
        self.assertIn("is a symbolic link", done.stderr)
        bodies = self.folder / "bodies"
        bodies.mkdir()
        os.mkfifo(bodies / "msg_1.1")
        with Sink("--record-dir", bodies) as sink:
            with self.assertRaises((http.client.HTTPException, ConnectionError)):
                sink.post(headers={"webhook-id": "msg_1"})
            sink.finish()
            sink.exit_code = 74
        self.assertEqual(target.read_text(), "somebody else's")

    def test_bodies_are_kept_byte_for_byte_inside_the_directory(self):
        bodies = self.folder / "bodies"
        with Sink("--record-dir", bodies) as sink:
            sink.post(body=RUN, headers={"webhook-id": "msg_1"})
            sink.post(body=b"\0\xff", headers={"webhook-id": "../../up"})
            sink.post(body=b"")
        self.assertEqual({p.name: p.read_bytes() for p in bodies.iterdir()},
                         {"msg_1.1": RUN, "______up.2": b"\0\xff", "none.3": b""})
        self.assertEqual([p.name for p in self.folder.iterdir()], ["bodies"])

    def test_a_record_that_cannot_be_written_is_not_answered(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("no /dev/full here")
        with Sink("--record", "/dev/full") as sink:
            with self.assertRaises((http.client.HTTPException, ConnectionError)):
                sink.post()
            sink.finish()
            sink.exit_code = 74
            self.assertIn("/dev/full", sink.summary)


class Misbehaving(Story):
    def test_statuses_are_answered_in_turn_however_they_are_written(self):
        for options in (["--status", "503", "429", "200"], ["--status", "503,429,200"],
                        ["--status", "503", "--status", "429,200"],
                        ["--status", "503", "429", "--status", "200"]):
            with self.subTest(options=options), Sink(*options) as sink:
                self.assertEqual([sink.post()[0] for _ in range(4)], [503, 429, 200, 200])

    def test_paths_can_have_their_own_sequence(self):
        with Sink("--status", "503", "200", "--per-path") as sink:
            answers = [sink.post(path)[0] for path in ("/a", "/b", "/a?x=1", "/b", "/c")]
        self.assertEqual(answers, [503, 503, 200, 200, 503])

    def test_misbehaviour_can_end_after_the_first_requests(self):
        with Sink("--status", "503", "--header", "Retry-After: 3", "--misbehave-first", 2) as sink:
            connection = sink.connect()
            got = []
            for _ in range(3):
                connection.request("POST", "/", RUN)
                answer = connection.getresponse()
                answer.read()
                got.append((answer.status, answer.getheader("Retry-After")))
            connection.close()
        self.assertEqual(got, [(503, "3"), (503, "3"), (200, None)])

    def test_never_reads_and_stays_silent(self):
        with Sink("--never") as sink, sink.open_socket() as s:
            s.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx")
            self.assertRegex(sink.line(), "-> never$")
            s.settimeout(0.2)
            with self.assertRaises(TimeoutError):
                s.recv(1)

    def test_delay_holds_one_answer_back_but_not_the_others(self):
        with Sink("--delay", "400ms", "--misbehave-first", 1) as sink:
            slow = sink.connect()
            began = time.monotonic()
            slow.request("POST", "/slow", RUN)
            self.assertIn("after 400ms", sink.line())
            self.assertEqual(sink.post("/fast")[0], 200)
            self.assertLess(time.monotonic() - began, 0.4)
            self.assertEqual(slow.getresponse().status, 200)
            self.assertGreaterEqual(time.monotonic() - began, 0.4)
            slow.close()

    def test_garbage_is_not_http(self):
        with Sink("--garbage") as sink:
            with self.assertRaises(http.client.BadStatusLine):
                sink.post()

    def test_reset_and_close_differ(self):
        with Sink("--reset") as sink:
            with self.assertRaises(ConnectionResetError):
                sink.raw(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx")
        with Sink("--close") as sink:
            self.assertEqual(sink.raw(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx"),
                             b"")

    def test_a_slow_body_has_its_head_at_once(self):
        with Sink("--slow-body", "--body", "ab") as sink:
            connection = sink.connect()
            began = time.monotonic()
            connection.request("POST", "/", RUN)
            answer = connection.getresponse()
            self.assertLess(time.monotonic() - began, 0.9)
            self.assertEqual((answer.status, answer.read()), (200, b"ab"))
            self.assertGreaterEqual(time.monotonic() - began, 1.9)
            connection.close()

    def test_a_huge_body_is_as_long_as_announced(self):
        with Sink("--huge-body", "5M", "--status", "500") as sink:
            connection = sink.connect()
            for _ in range(2):
                connection.request("POST", "/", RUN)
                answer = connection.getresponse()
                self.assertEqual((answer.status, len(answer.read())), (500, 5 << 20))
            connection.close()


class Protocol(Story):
    def test_a_connection_is_kept_and_pipelined_requests_are_answered_in_order(self):
        one = b"POST /%d HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n%s\r\nabc"
        with Sink("--status", "201", "202", "203") as sink:
            got = sink.raw(one % (1, b"") + one % (2, b"") + one % (3, b"Connection: close\r\n"))
        self.assertEqual(re.findall(rb"HTTP/1\.1 (\d+) ", got), [b"201", b"202", b"203"])

    def test_requests_behind_a_long_answer_are_not_forgotten(self):
        one = b"GET / HTTP/1.1\r\nHost: h\r\n%s\r\n"
        with Sink("--quiet", "--huge-body", "100K", "--misbehave-first", 2) as sink:
            got = sink.raw(one % b"" * 9 + one % b"Connection: close\r\n")
        self.assertEqual(got.count(b"HTTP/1.1 200 OK"), 10)

    def test_many_pipelined_requests_with_a_delay_each_get_their_answer(self):
        one = b"GET / HTTP/1.1\r\nHost: h\r\n%s\r\n"
        with Sink("--quiet", "--delay", "1ms") as sink:
            got = sink.raw(one % b"" * 99 + one % b"Connection: close\r\n")
        self.assertEqual(got.count(b"HTTP/1.1 200 OK"), 100)

    def test_chunked_bodies_are_understood(self):
        with Sink("--record-dir", self.folder) as sink:
            connection = sink.connect()
            connection.request("POST", "/", iter([b"he", b"llo"]), {"webhook-id": "c"},
                               encode_chunked=True)
            self.assertEqual(connection.getresponse().status, 200)
            connection.close()
        self.assertEqual((self.folder / "c.1").read_bytes(), b"hello")

    def test_a_client_that_waits_for_continue_gets_it(self):
        with Sink() as sink, sink.open_socket() as s:
            s.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n"
                      b"Connection: close\r\n\r\n")
            self.assertEqual(s.recv(100), b"HTTP/1.1 100 Continue\r\n\r\n")
            s.sendall(b"ab")
            self.assertTrue(read_all(s).startswith(b"HTTP/1.1 200 "))

    def test_a_body_over_the_limit_is_413_and_the_answer_arrives(self):
        with Sink("--max-body", "1K") as sink:
            head = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n"
            with sink.open_socket() as s:
                s.sendall(head + b"x" * 100000)
                s.shutdown(socket.SHUT_WR)
                self.assertTrue(read_all(s).startswith(b"HTTP/1.1 413 "))
            self.assertIn("malformed request: the body is larger", sink.line())
            self.assertEqual(sink.post(body=b"x" * 1024)[0], 200)

    def test_what_is_not_http_is_400(self):
        with Sink() as sink:
            self.assertTrue(sink.raw(b"hello\r\n\r\n").startswith(b"HTTP/1.1 400 "))
            self.assertRegex(sink.line(), "malformed request: .* -> 400$")

    def test_head_and_204_have_no_body(self):
        with Sink("--status", "200", "204") as sink:
            connection = sink.connect()
            for method in ("HEAD", "POST", "HEAD"):
                connection.request(method, "/")
                answer = connection.getresponse()
                self.assertEqual(answer.read(), b"")
            connection.close()

    def test_a_large_body_in_many_reads_is_whole(self):
        body = os.urandom(3 << 20)
        with Sink("--record-dir", self.folder) as sink:
            self.assertEqual(sink.post(body=body, headers={"webhook-id": "big"})[0], 200)
        self.assertEqual((self.folder / "big.1").read_bytes(), body)


class Usage(Story):
    def test_wrong_options_are_told_in_one_line_and_exit_64(self):
        for options, words in (
                (["--port", "99999"], "--port wants"), (["--status", "99"], "--status wants"),
                (["--status", "200,"], "--status wants"), (["--nonsense"], "--nonsense"),
                (["--delay", "5"], "--delay wants"), (["stray"], '"stray"'),
                (["--never", "--reset"], "--reset"), (["--header", "a\nb: c"], "--header wants"),
                (["--header", "Content-Length: 3"], "Content-Length"),
                (["--close", "--status", "500"], "--close"),
                (["--record"], "--record wants a value"), (["--bind", "localhost"], "--bind wants"),
                (["--secret-file", self.file("bad", "whsec_xx\n")], "line 1")):
            with self.subTest(options=options):
                done = run_sink(*map(str, options))
                self.assertEqual(done.returncode, 64, done.stderr)
                self.assertIn(words, done.stderr)
                self.assertEqual((done.stderr.count("\n"), done.stdout), (1, ""))

    def test_help_and_version(self):
        self.assertIn("--misbehave-first", run_sink("--help").stdout)
        self.assertRegex(run_sink("--version").stdout, r"^runpost-sink \d+\.\d+\.\d+\n$")

    def test_a_port_in_use_is_exit_74_with_a_way_out(self):
        with Sink() as sink:
            done = run_sink("--port", str(sink.port))
        self.assertEqual(done.returncode, 74)
        self.assertIn("in use", done.stderr)
        self.assertIn("--port 0", done.stderr)

    def test_a_missing_secret_file_is_named(self):
        done = run_sink("--secret-file", str(self.folder / "none"))
        self.assertEqual(done.returncode, 66)
        self.assertIn(str(self.folder / "none"), done.stderr)


if __name__ == "__main__":
    unittest.main()
