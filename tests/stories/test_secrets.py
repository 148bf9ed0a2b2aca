"""Stories about promise P8: secrets appear in no log, tool output, metric or argument list."""

import base64
import json
import os
import pathlib
import re

from harness import BIN, Story, envelope, json_lines, make_run, secret_text, wait_until

VERBS_TO_LOOK = ["stats", "list", "show", "dead", "endpoints", "verify"]


class Canaries(Story):
    QUERY, HEADER = "canary-in-the-query", "canary-in-the-config"
    ENVELOPE = "canary-in-the-envelope"
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
        sinks = [self.sink("--status", "503", "--body", echo, "--misbehave-first", "2"),
                 self.sink("--reset"),
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
        self.assertNotIn(self.QUERY.encode(),
                         pathlib.Path(f"/proc/{sender.pid}/cmdline").read_bytes())
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
        lines = [b'{"webhook":"http://h/a\\\\b?token=%s"}', b'{"webhook":"http://user:%s@h/"}',
                 b'{"webhook":"%s://h/"}', b'{"webhook":"http://h:99999/?%s"}',
                 b'{"webhook":"http://h/?%s\\u0000"}', b'{"webhook":"http://h/?%s',
                 b'{"webhook":"http://h/","run":{},"headers":{"x":"%s\\r\\n"}}',
                 b'{"webhook":"http://h/","run":{},"headers":{"x":["%s"]}}', b'{"%s']
        rejects = self.folder / "rejects"
        lines = [line % self.QUERY.encode() for line in lines]
        receipts = self.ingest(lines, "--rejects", rejects, code=1)
        self.assert_statuses(receipts, *["rejected"] * len(lines))
        self.assertEqual(rejects.read_bytes().count(self.QUERY.encode()), len(lines))
        self.assertEqual(self.run_program(*self.ingest_argv("--webhook", "ftp://h/?x"),
                                          data=b"").poll(), 64)
        for process in self.processes:
            self.assertNotIn(self.QUERY, process.out.decode() + process.err)

    def test_a_default_webhook_is_read_from_a_file_and_told_to_nobody(self):
        sink = self.sink()
        url = sink.hook(f"/hook?token={self.QUERY}")
        no_webhook = b'{"run_id":"r-%d","status":"success"}'
        file = self.file("hook", "\ufeff" + url + "\r\n")
        for n, options in enumerate((["--webhook-file", file], [])):
            self.configure(ingest={"webhook_file": None if options else "hook"})
            live = self.live_ingest(*options)
            live.send(no_webhook % n)
            live.wait_receipts(1)
            self.assertEqual(live.receipts[0]["status"], "queued")
            command_line = pathlib.Path(f"/proc/{live.process.pid}/cmdline").read_bytes()
            self.assertIn(b"ingest", command_line)
            self.assertNotIn(self.QUERY.encode(), command_line)
            self.assertEqual(live.close(), 0)
        self.drain()
        self.assertEqual(sink.count(), 2)
        self.assertIn(f"token={self.QUERY}", json.dumps(self.ctl_json("export", "--with-secrets")))
        self.processes.pop()  # which tells them, as asked
        # on a command line it is still taken, and told where it should stand
        warned = self.run_program(*self.ingest_argv("--webhook", sink.hook("/hook?x=1")), data=b"")
        self.assertEqual((warned.poll(), "webhook-file" in warned.err), (0, True), warned.err)
        quiet = self.run_program(*self.ingest_argv("--webhook", sink.hook()), data=b"")
        self.assertEqual((quiet.poll(), "webhook-file" in quiet.err), (0, False), quiet.err)
        self.configure(ingest={"webhook_file": "hook"})
        check = [BIN / "runpost", "check-config", "--config", self.config]
        self.assertEqual(self.run_program(*check).poll(), 0)
        for data, mode, says in ((url, 0o644, "chmod 0600"), ("", 0o600, "empty"),
                                 (url + "\n" + url, 0o600, "byte "),
                                 (f"ftp://h/?{self.QUERY}", 0o600, "https://"),
                                 ("https://h/" + "x" * 5000, 0o600, "bytes")):
            self.file("hook", data, mode)
            for argv in (check, self.ingest_argv()):
                refused = self.run_program(*argv, data=no_webhook % 9)
                self.assertEqual(refused.poll(), 78, refused.err)
                self.assertIn(says, refused.err)
        file.unlink()
        os.mkfifo(file, 0o600)  # nobody writes to it
        refused = self.run_program(*self.ingest_argv(), data=no_webhook % 9)
        self.assertEqual((refused.poll(), "no regular file" in refused.err), (78, True),
                         refused.err)
        file.unlink()
        for mistaken in (url, url.upper()[:5] + url[5:]):
            refused = self.run_program(*self.ingest_argv("--webhook-file", mistaken),
                                       data=no_webhook % 9)
            self.assertEqual(refused.poll(), 78, refused.err)
            self.assertIn("the name of a file", refused.err)
        # Told there by who gave it.
        self.arguments = [a for a in self.arguments if b"--webhook-file" not in a]
        self.configure(ingest={"webhook_file": url})
        for argv in (check, self.ingest_argv()):
            refused = self.run_program(*argv, data=no_webhook % 9)
            self.assertEqual(refused.poll(), 78, refused.err)
            self.assertIn("this is a URL", refused.err)
        self.configure(ingest={"webhook_file": "hook"})
        refused = self.run_program(*self.ingest_argv(), data=no_webhook % 9)
        self.assertEqual(refused.poll(), 78, refused.err)
        secrets = {c["check"]: c for c in self.ctl_json("doctor", code=2)}["secrets"]
        self.assertEqual((secrets["level"], "webhook_file" in secrets["text"]), ("fail", True),
                         secrets)
        self.assert_no_canary()

    def test_a_token_is_masked_in_whatever_encoding_it_comes_back(self):
        head, secret, tail = "Qk9", "SEKRETabc123", "=="
        forms = ["%2F", "%2f", "%252F", "\\/", "\\u002f", "\\x2f", "&#x2F;", "&#47;", "&sol;", "/"]
        echo = " ".join(f"{head}{form}{secret}%3D%3D" for form in forms)
        sinks = [self.sink("--status", "400", "--body", echo),
                 self.sink("--status", "308", "--header", f"Location: /login/{head}%252F{secret}")]
        self.configure(defaults={"retry_attempts": "1",
                                 "header": f"Authorization: Bearer {head}/{secret}{tail}"})
        urls = [s.hook(f"/hook?t={token}") for s in sinks
                for token in (f"{head}/{secret}{tail}", f"{head}%2F{secret}%3D%3D",
                              f"{head}+{secret}")]
        urls.append(sinks[0].hook("/hook"))
        ids = [r["id"] for r in self.ingest([envelope(n, url) for n, url in enumerate(urls)])]
        self.drain()
        self.look_with_every_verb(*ids)
        self.ctl("explain", ids[0])
        self.assertIn(b"Qk9%2F****", self.ctl("show", ids[0]).out)
        self.canaries = [secret]
        self.assert_no_canary()

    def test_a_path_that_is_a_secret_is_shown_nowhere_and_its_endpoint_can_be_named(self):
        self.configure(defaults={"retry_attempts": "8", "retry_base": "20ms", "retry_cap": "20ms"})
        hooks = [f"/services/T000/B000/canary-in-the-path-{n}" for n in "ab"]
        self.canaries += ["canary-in-the-path", "T000"]
        sinks = [self.sink("--status", "404", "--body", f"Cannot POST {hooks[0]}"), self.sink()]
        self.configure(endpoints=[(f"chat{n}", {"url": s.hook("/services"), "redact_path": "yes"})
                                  for n, s in enumerate(sinks)],
                       defaults={"retry_attempts": "8", "retry_base": "20ms", "retry_cap": "20ms"})
        urls = [sinks[0].hook(hooks[0]), sinks[1].hook(hooks[0]) + "?x=1", sinks[1].hook(hooks[1]),
                sinks[1].hook("/services")]
        lines = [make_run(n, url) for n, url in enumerate(urls)]
        ids = [r["id"] for r in self.ingest(lines)]
        self.drain(env={"RUNPOST_DEBUG": "1"})
        self.assertEqual({line["path"].partition("?")[0] for line in sinks[1].record()},
                         {*hooks, "/services"})
        names = [e["endpoint"] for e in self.ctl_json("endpoints") if e["level"] == "path"]
        self.assertEqual(len(set(names)), 4, names)
        hidden = [n for n in names if re.search(r"/services/REDACTED-[0-9a-f]{12}$", n)]
        self.assertEqual(len(hidden), 3, names)
        self.assertIn(sinks[1].hook("/services"), names)
        self.look_with_every_verb(*ids)
        for verb in ("shape", "tail", "explain", "doctor", "metrics", "audit", "export", "jobs"):
            for options in ([], ["--json"] if verb not in ("metrics", "export") else []):
                self.ctl(verb, *options, *(ids[:1] if verb == "explain" else []), code=None)
        self.assertIn("****", json.dumps(self.show(ids[0])["attempt_log"]))
        # what is shown is taken, and so is the URL itself; neither is told
        first = self.show(ids[0])["endpoint"]
        self.assertIn(first, hidden)
        self.assertEqual([e["id"] for e in self.list("--endpoint", first)], [ids[0]])
        self.assertEqual([e["id"] for e in self.list("--endpoint", sinks[0].hook(hooks[0]))],
                         [ids[0]])
        part = "*/B000/canary-in-the-path-a"
        called = lambda verb: [e["endpoint"]
                               for e in self.ctl_json(verb, "--endpoint", part) if e["endpoint"]]
        # What it is called is looked for in what it is called.
        self.assertEqual(called("dead"), [first])
        self.assertEqual(len(self.ctl_json("pause", first, "--reason", "their upgrade")), 1)
        self.ctl("replay", ids[0])
        blocks = {b["code"]: b["text"] for b in self.ctl_json("explain", ids[0])[0]["blocking"]}
        self.assertIn("(their upgrade)", blocks["paused"])
        self.assertEqual(called("shape"), [first])
        paused = [e["endpoint"] for e in self.ctl_json("endpoints") if e["paused"]]
        self.assertEqual(paused, [first])
        self.ctl("resume", sinks[0].hook(hooks[0]))
        self.ctl("replay", "--endpoint", sinks[0].hook(hooks[0]), "--yes")
        self.ctl("hold", "--yes", "--endpoint", "\\" + sinks[0].hook("/services/T000/*"))
        self.ctl("audit")
        self.ctl("jobs")
        self.ctl("pause", sinks[0].hook("/services/T000/B000/canary-in-the-path-none"), code=1)
        self.run_program(BIN / "runpost", "check-config", "--config", self.config,
                         sinks[0].hook(hooks[0]))
        exported = self.ctl_json("export")
        self.assertEqual([line["complete"] for line in exported], [False, False, False, True])
        self.arguments.clear()  # it was the operator who gave the URL
        self.assert_no_canary()
        whole = self.ctl_json("export", "--with-secrets")
        self.assertIn(sinks[0].hook(hooks[0]), [line["url"] for line in whole])
        self.assertEqual(json_lines(self.ctl("body", ids[0]).out)[0]["kwargs"]["webhook"],
                         sinks[0].hook(hooks[0]))

    def test_mistakes_in_the_configuration_are_told_without_the_values(self):
        mistakes = [("secret_file", self.secret), ("header", f"Authorization {self.HEADER}"),
                    ("secret_env", self.secret), ("header", f"Host: {self.HEADER}"),
                    ("retry_base", self.secret)]
        for key, value in mistakes:
            self.configure(defaults={key: value})
            for argv in (["runpost", "send", "--drain"], ["runpost", "ingest"],
                         ["runpostctl", "stats"]):
                self.run_program(BIN / argv[0], *argv[1:], "--outbox", self.outbox, "--config",
                                 self.config, data=b"")
        self.assert_no_canary()
