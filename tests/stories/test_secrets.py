"""Stories about promise P8: secrets appear in no log, tool output, metric or argument list."""

import base64
import pathlib

from harness import BIN, Story, envelope, make_run, secret_text, wait_until

VERBS_TO_LOOK = ["stats", "list", "show", "dead", "endpoints", "verify"]


class Canaries(Story):
    QUERY, HEADER, ENVELOPE = "canary-in-the-query", "canary-in-the-config", "canary-in-the-envelope"
    KEY = b"canary-in-the-signing-secret-key"

    def setUp(self):
        super().setUp()
        self.secret = secret_text(self.KEY)
        self.canaries = [self.QUERY, self.HEADER, self.ENVELOPE, self.KEY.decode(), self.secret[6:],
                         base64.b64encode(self.KEY).decode().rstrip("=")]
        self.arguments = []

    def spawn(self, *argv, **more):
        process = super().spawn(*argv, **more)
        if pathlib.Path(argv[0]).name == "runpost-sink":
            return process
        try:
            self.arguments.append(pathlib.Path(f"/proc/{process.pid}/cmdline").read_bytes())
        except OSError:
            pass
        return process

    def assert_no_canary(self, but=()):
        seen = 0
        for process in self.processes:
            if process in but or process.argv[0].endswith("runpost-sink"):
                continue
            for text in (process.out.decode(errors="replace"), process.err):
                seen += len(text)
                for canary in self.canaries:
                    self.assertNotIn(canary, text, f"in what this said: {process.argv}")
        for canary in self.canaries:
            self.assertFalse(any(canary.encode() in a for a in self.arguments))
        self.assertGreater(seen, 1000)

    def look_with_every_verb(self, *ids):
        for verb in VERBS_TO_LOOK:
            for options in ([], ["--json"]):
                if verb == "show":
                    options = [*options, *ids]
                self.ctl(verb, *options, code=None)

    def test_a_life_with_failures_death_and_replay_tells_no_secret(self):
        self.configure(defaults={"retry_attempts": "2", "retry_base": "20ms", "timeout": "500ms",
                                 "secret_file": self.file("secret", self.secret + "\n"),
                                 "header": f"Authorization: Bearer {self.HEADER}"})
        # The receiver gives back in its answer what it was told: the attempt log must not keep it.
        echo = f"no entry with token={self.QUERY}"
        sinks = [self.sink("--status", "503", "--body", echo, "--misbehave-first", "2"), self.sink("--reset"),
                 self.sink("--never"), self.sink("--status", "410", "--body", echo),
                 self.sink("--secret-file", self.file("right", self.secret + "\n"))]
        urls = [s.hook(f"/hook?token={self.QUERY}&op=1") for s in sinks]
        urls.append(f"http://127.0.0.1:1/hook?token={self.QUERY}")
        urls.append(f"http://nowhere.invalid:7/hook?token={self.QUERY}")
        urls.append(f"http://10.0.0.1/hook?token={self.QUERY}")
        lines = [envelope(n, url, headers={"X-Key": self.ENVELOPE}) for n, url in enumerate(urls)]
        receipts = self.ingest(lines + lines[:1])
        ids = [r["id"] for r in receipts[:-1]]
        self.look_with_every_verb(*ids)
        self.drain("--senders", "2", env={"RUNPOST_DEBUG": "1"})
        self.look_with_every_verb(*ids)
        for options in (["--dry-run"], ["--dry-run", "--json"], ["--yes"]):
            self.ctl("replay", "--state", "dead", *options)
        self.ctl("hold", ids[1], "--json")
        self.ctl("release", ids[1], "--json")
        sender = self.send(env={"RUNPOST_DEBUG": "1"})
        wait_until(lambda: sinks[0].count() >= 3, "the replayed delivery")
        self.assertNotIn(self.QUERY.encode(), pathlib.Path(f"/proc/{sender.pid}/cmdline").read_bytes())
        self.assertEqual(sender.stop(), 0)
        for name in ("pause", "resume"):
            self.ctl(name, sinks[4].hook(), code=None)
        self.look_with_every_verb(*ids)
        self.ctl("purge", "--state", "delivered", "--yes", "--json")
        self.assertEqual(sinks[4].record()[0]["signature"], "ok")
        self.assertEqual(sinks[4].record()[0]["headers"]["x-key"], self.ENVELOPE)
        self.assert_sound()
        self.assert_no_canary()

    def test_a_payload_is_shown_by_body_alone(self):
        receipt, = self.ingest([make_run(1, f"http://127.0.0.1:1/?token={self.QUERY}")])
        body = self.ctl("body", receipt["id"])
        self.assertIn(self.QUERY.encode(), body.out)
        self.look_with_every_verb(receipt["id"])
        self.assert_no_canary(but=[body])

    def test_refused_lines_are_told_of_without_their_secrets(self):
        lines = [b'{"webhook":"http://h/a b?token=%s"}', b'{"webhook":"http://user:%s@h/"}', b'{"webhook":"%s://h/"}',
                 b'{"webhook":"http://h:99999/?%s"}', b'{"webhook":"http://h/?%s\\u0000"}', b'{"webhook":"http://h/?%s',
                 b'{"webhook":"http://h/","run":{},"headers":{"x":"%s\\r\\n"}}',
                 b'{"webhook":"http://h/","run":{},"headers":{"x":["%s"]}}', b'{"%s']
        rejects = self.folder / "rejects"
        lines = [line % self.QUERY.encode() for line in lines]
        receipts = self.ingest(lines, "--rejects", rejects, code=1)
        self.assert_statuses(receipts, *["rejected"] * len(lines))
        self.assertEqual(rejects.read_bytes().count(self.QUERY.encode()), len(lines))
        self.assertEqual(self.run_program(*self.ingest_argv("--webhook", "ftp://h/?x"), data=b"").poll(), 64)
        for process in self.processes:
            self.assertNotIn(self.QUERY, process.out.decode() + process.err)

    def test_mistakes_in_the_configuration_are_told_without_the_values(self):
        mistakes = [("secret_file", self.secret), ("header", f"Authorization {self.HEADER}"),
                    ("secret_env", self.secret), ("header", f"Host: {self.HEADER}"), ("retry_base", self.secret)]
        for key, value in mistakes:
            self.configure(defaults={key: value})
            for argv in (["runpost", "send", "--drain"], ["runpost", "ingest"], ["runpostctl", "stats"]):
                self.run_program(BIN / argv[0], *argv[1:], "--outbox", self.outbox, "--config", self.config, data=b"")
        self.assert_no_canary()
