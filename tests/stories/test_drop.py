"""Stories about `drop`: members that a section cuts out of its runs before they are stored."""
import json

from door import Door
from harness import BIN, Story, sha256


class Drop(Story):
    TOKEN = "t0ken-of-another"

    def run_line(self, n, hook):
        """With spaces and an escape, which must come out as they went in."""
        user = {"identity": "u-7", "secret": self.TOKEN}
        run = {"run_id": f"run-{n}", "status": "success",
               "kwargs": {"webhook": hook, "config": {"configurable": {
                   "langgraph_auth_user": user, "thread_id": "th"}}}, "values": {"a": [1, 2]}}
        return json.dumps(run).encode().replace(b'"values"', b'"v\\u0061lues"')

    def cut_line(self, line, hook):
        """What is left, by hand."""
        user = json.dumps({"identity": "u-7", "secret": self.TOKEN})
        for gone in (f'"webhook": "{hook}",', f'"langgraph_auth_user": {user},'):
            self.assertEqual(line.count(gone.encode()), 1)
            line = line.replace(gone.encode(), b"")
        return line

    def test_what_a_section_drops_is_stored_nowhere_and_all_other_bytes_are(self):
        sink = self.sink()
        hook, whole_hook = sink.hook(f"/in?token={self.TOKEN}"), sink.hook("/whole")
        self.configure(
            defaults={"drop": ["kwargs.webhook, kwargs.config.configurable.langgraph_auth_user"]},
            endpoints=[("whole", {"url": whole_hook, "drop": "none"})])
        lines = [self.run_line(1, hook), self.run_line(2, whole_hook),
                 b'{"webhook": "%s", "run": %s}' % (hook.encode(), self.run_line(3, hook))]
        receipts = self.ingest(lines)
        again = self.ingest(lines)
        self.assertEqual([r["status"] for r in receipts + again],
                         ["queued"] * 3 + ["duplicate"] * 3)
        wanted = [self.cut_line(lines[0], hook), lines[1],
                  self.cut_line(self.run_line(3, hook), hook)]
        self.drain()
        for receipt, body in zip(receipts, wanted):
            self.assertEqual(self.ctl("body", receipt["id"]).out, body)
            got, = sink.by_id()[receipt["id"]]
            self.assertEqual((got["sha256"], got["bytes"]), (sha256(body), len(body)))
            self.assertEqual(self.show(receipt["id"])["payload_bytes"], len(body))
        self.assert_sound(delivered=3)

    def test_check_config_shows_what_is_dropped_and_where_it_is_said(self):
        self.configure(defaults={"drop": ["kwargs.webhook"]},
                       endpoints=[("a", {"url": "https://a.example", "drop": "user.key"})])
        process = self.run_program(BIN / "runpost", "check-config", "--config", self.config,
                                   "https://a.example/in")
        shown = [line.split()[:2] for line in process.out.decode().splitlines()
                 if line.split()[:1] == ["drop"]]
        self.assertEqual(shown, [["drop", "kwargs.webhook"], ["drop", "user.key"]])
        self.assertEqual(process.poll(), 0)

    def test_a_path_that_cannot_be_is_told_with_its_line(self):
        for path in ("a..b", ".a", "a.", ".".join("a" * 17)):
            self.configure(defaults={"drop": path})
            process = self.run_program(BIN / "runpost", "ingest", "--outbox", self.outbox,
                                       "--config", self.config, data=b"")
            self.assertEqual(process.poll(), 78)
            self.assertRegex(process.err, r"runpost\.conf:\d+: \[defaults\] drop = ")


class AtTheDoor(Story):
    def test_a_token_in_the_url_stays_at_the_door_where_the_webhook_is_dropped(self):
        token = "0123456789abcdefghijkl"
        sink = self.sink()
        self.configure(
            door={"listen": "127.0.0.1:0", "token_file": self.file("tokens", token + "\n"),
                  "door_users": "none"},
            endpoints=[("whole", {"url": sink.hook("/whole"), "door": "yes"}),
                       ("cut", {"url": sink.hook("/cut"), "door": "yes",
                                "drop": "kwargs.webhook"})])
        door = Door(self)
        body = b'{"run_id": "r", "kwargs": {"webhook": "http://d/to/cut?runpost_token=%s"}}'
        body %= token.encode()
        refused = door.ask(f"/to/whole?runpost_token={token}", body)
        self.assertEqual((refused.status, refused.json["code"]), (403, "token_in_url"))
        taken = door.ask(f"/to/cut?runpost_token={token}", body)
        self.assertEqual(taken.status, 202)
        self.assertEqual(self.ctl("body", taken.json["id"]).out,
                         b'{"run_id": "r", "kwargs": {}}')
