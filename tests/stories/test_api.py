"""Stories of docs/api.md: its examples are asked and answered as they stand there, and its tables
have every code and status that the source has."""

import json
import pathlib
import re

from door import Client, Door
from harness import Story

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
API = (ROOT / "docs" / "api.md").read_text()
ID = r"msg_(?!0{26})[0-9A-Z]{26}"


def examples():
    """(request, answer) of each example."""
    return re.findall(r"```http\n([A-Z]+ /.*?)```\n```http\n(HTTP/1\.1 .*?)```", API, re.S)


def table():
    """(status, code) of each row of the codes."""
    return [(int(status), code)
            for status, code in re.findall(r"^\| (\d{3}) \| `(\w+)` \|", API, re.M)]


def source():
    return "".join(p.read_text() for p in sorted((ROOT / "src" / "serve").glob("door*.c")))


class Contract(Story):
    def configuration(self):
        text = re.search(r"<!-- file: api.conf -->\n```ini\n(.*?)```", API, re.S)[1]
        self.file("tokens", "an-example-of-a-token\n").chmod(0o600)
        self.file("keys", "an-example-of-a-key\n").chmod(0o600)
        return text.replace("127.0.0.1:8484", "127.0.0.1:0")

    def ask(self, door, request, first_id):
        port = str(door.tcp[1])
        example_id = re.search(r"/entries/(" + ID + ")", request)
        if example_id:
            request = request.replace(example_id[1], first_id)
        request = request.replace(":8484", ":" + port)
        head, _, body = request.rstrip("\n").partition("\n\n")
        if "Content-Length" not in head and "Transfer-Encoding" not in head and body:
            head += f"\nContent-Length: {len(body.encode())}"
        with Client(door.tcp) as client:
            client.send((head.replace("\n", "\r\n") + "\r\n\r\n" + body).encode())
            return client.answer()

    def assert_same(self, answer, shown):
        head, _, body = shown.rstrip("\n").partition("\n\n")
        first, *fields = head.split("\n")
        self.assertEqual(answer.status, int(first.split()[1]), answer)
        for name, value in (field.split(": ", 1) for field in fields):
            self.assertEqual(answer.headers.get(name.lower()), value, answer)
        told = [json.loads(line) for line in body.split("\n")]
        self.assertEqual(len(answer.lines), len(told), answer)
        for got, want in zip(answer.lines, told):
            self.assertEqual(list(got), list(want))
            for member in ("line", "status", "code", "run_id", "state", "endpoint", "event"):
                self.assertEqual(got.get(member), want.get(member), answer)

    def test_every_example_is_answered_as_the_document_says(self):
        self.config.write_text(self.configuration())
        door = Door(self)
        first_id = None
        self.assertGreater(len(examples()), 30)
        for request, answer in examples():
            with self.subTest(request=request.partition("\n\n")[0]):
                got = self.ask(door, request, first_id)
                self.assert_same(got, answer)
                first_id = first_id or got.json["id"]
        kept = (self.folder / "rejects").read_bytes()
        rejected = len(re.findall('"status":"rejected"', API))
        self.assertEqual(kept.count(b"\n"), rejected, kept)

    def test_a_key_beside_lines_does_not_make_one_run_of_them(self):
        self.config.write_text(self.configuration())
        door = Door(self)
        lines = "".join(f'{{"run_id":"r-{n}","webhook":"https://hooks.example.com/orders"}}\n'
                        for n in range(3)).encode()
        answer = door.ask("/v1/runs", lines, {"Content-Type": "application/x-ndjson",
                                              "Idempotency-Key": "k-1"})
        self.assertEqual([a["status"] for a in answer.lines], ["queued"] * 3, answer)

    def test_every_code_of_the_table_has_an_example_or_is_named_beside_one(self):
        shown = {(int(status), code) for status, code in re.findall(
            r'^HTTP/1\.1 (\d{3}) [^`]*?\n\n\{"status":"(?:refused|rejected)","code":"(\w+)"',
            API, re.M)}
        rest = {(503, "away"), (503, "busy"), (503, "stopping"), (503, "failed"), (408, "timeout"),
                (431, "bad_request")}
        self.assertEqual(set(table()), shown | rest)

    def test_the_table_has_every_code_and_status_of_the_source_and_no_other(self):
        codes = {code for _, code in table()}
        counted = set(re.findall(r'\{"(\w+)", (?:true|false)\}', source()))
        refused = set(re.findall(r'rp_door_refuse\([^;]*?\d{3}, "(\w+)"', source()))
        self.assertGreater(len(counted), 20)
        self.assertEqual((counted | refused) - codes, set())
        self.assertEqual(codes - {"no_such_entry"}, counted - {"no_such_entry"})
        told = set(re.findall(r'rp_door_refuse\([^;]*?(\d{3}), "(\w+)"', source()))
        self.assertEqual({(int(s), c) for s, c in told} - set(table()), set())
