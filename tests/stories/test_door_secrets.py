"""Stories about what comes to the front door and must not be seen anywhere but there: its tokens and
keys, what a query brings for the receiver, signatures, and what runs hold."""

import hashlib
import hmac
import re
import urllib.parse

from door import Client, Door
from harness import Story, make_run, run_id, wait_until

BEARER, IN_URL = "canary-of-the-bearer-1", "canary-of-the-door-url-2"
WRONG = "canary-that-is-wrong-33"
KEY = "canary-of-the-key-4444"
RECEIVERS, BODY = "canary-of-the-receiver-5", "canary-of-the-body-6"
LOOKS = [["stats"], ["list"], ["show", "--state", "waiting,dead,delivered"], ["dead"], ["endpoints"],
         ["explain", "--state", "waiting,dead,delivered"], ["audit"], ["tail"], ["doctor"],
         ["verify"], ["shape", "--state", "waiting,dead"]]


class Canaries(Story):
    def setUp(self):
        super().setUp()
        # Its receiver is not there: what became of the runs is told at length.
        self.target = "http://127.0.0.1:1/hook"
        self.signed = f"{self.target}?token={RECEIVERS}"
        self.signature = hmac.new(KEY.encode(), self.signed.encode(), hashlib.sha256).hexdigest()
        self.configure(
            endpoints=[("hooks", {"url": self.target, "door": "yes", "drop": "kwargs.webhook"})],
            defaults={"retry_attempts": "2", "retry_base": "10ms", "retry_cap": "20ms"},
            door={"listen": "127.0.0.1:0", "door_users": "none", "rejects": self.folder / "rejects",
                  "token_file": self.file("tokens", f"{BEARER}\n{IN_URL}\n"),
                  "door_key_file": self.file("keys", KEY + "\n")}, ui={"listen": "127.0.0.1:0"})
        self.door = Door(self)

    def watch(self):
        """Where the numbers are."""
        def look():
            found = re.findall(r"role=watch .*addresses=http://127\.0\.0\.1:(\d+)",
                               self.door.process.err)
            return int(found[0]) if found else None
        return ("127.0.0.1", wait_until(look, "the watch's ev=ready"))

    def ask(self, status, target, body, token=None):
        answer = self.door.ask(target, body, {"Authorization": f"Bearer {token}"} if token else None)
        self.assertEqual(answer.status, status, answer)
        self.answers.append(answer)
        return answer

    def come_in(self):
        self.answers = []
        url = urllib.parse.quote(self.signed, safe="")
        runs = [make_run(n, self.signed, values={"secret": BODY}) for n in range(8)]
        ids = [self.ask(202, f"/to/hooks?token={RECEIVERS}", runs[0], BEARER).json["id"],
               self.ask(202, f"/to/hooks/x?runpost_token={IN_URL}&token={RECEIVERS}", runs[1])
               .json["id"],
               self.ask(202, f"/to?url={url}&sig={self.signature}", runs[2], BEARER).json["id"],
               self.ask(202, "/v1/runs", runs[3], BEARER).json["id"]]
        for status, target, body, token in (
                (401, f"/to/hooks?token={RECEIVERS}", runs[4], WRONG),
                (401, f"/to/hooks?runpost_token={WRONG}&token={RECEIVERS}", runs[4], None),
                (403, f"/to?url={url}&sig={self.signature[::-1]}", runs[4], BEARER),
                (404, f"/to/nobody?token={RECEIVERS}", runs[4], BEARER),
                (400, f"/to/hooks?token={RECEIVERS}", f'{{"{BODY}'.encode(), BEARER),
                (422, "/v1/runs", make_run(5, f"ftp://{RECEIVERS}/?{RECEIVERS}"), BEARER)):
            self.ask(status, target, body, token)
        for entry_id in ids:
            self.answers.append(self.door.get(f"/v1/entries/{entry_id}",
                                              {"Authorization": f"Bearer {BEARER}"}))
        return ids

    def test_nothing_that_is_secret_is_told(self):
        ids = self.come_in()
        said = []
        self.send("--drain").wait()
        for argv in LOOKS:
            said += [self.ctl(*argv, code=None).out, self.ctl(*argv, "--json", code=None).out]
        said.append(self.ctl("metrics").out)
        with Client(self.watch()) as client:
            said.append(client.get("/metrics").body)
        self.assertEqual(self.door.process.stop(), 0, self.door.process.err)
        self.assertIn(ids[0].encode(), b"".join(said))
        self.assertIn(run_id(1).encode(), b"".join(said))
        said += [str(a.headers).encode() + a.body for a in self.answers]
        said += [p.err.encode() for p in self.processes]
        for text in said:
            for canary in (BEARER, IN_URL, WRONG, KEY, RECEIVERS, BODY, self.signature,
                           self.signature[::-1]):
                self.assertNotIn(canary.encode(), text)
        self.assertIn(BODY.encode(), (self.folder / "rejects").read_bytes())
