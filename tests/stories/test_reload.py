"""Stories about keys and configurations that change while senders run,
and about looking at them before."""

import os
import signal
import time

from harness import BIN, Story, descendants, make_run, secret_text, wait_until


class Reload(Story):
    OLD = secret_text(b"canary-of-the-old-signing-secret")
    NEW = secret_text(b"canary-of-the-new-signing-secret")

    def setUp(self):
        super().setUp()
        self.secret = self.file("secret", self.OLD + "\n")

    def reload(self, sender, event="reloaded", times=1):
        """SIGHUP, and until the log has so many more of the event."""
        before = sender.err.count(f"ev={event} ")
        sender.signal(signal.SIGHUP)
        wait_until(lambda: sender.err.count(f"ev={event} ") >= before + times,
                   f"{times} ev={event}")

    def assert_no_canary(self):
        for process in self.processes:
            text = process.out.decode(errors="replace") + process.err
            for secret in (self.OLD, self.NEW):
                self.assertNotIn(secret[6:30], text, process.argv)

    def test_a_key_is_changed_under_load_and_every_delivery_verifies(self):
        both = self.file("both", f"{self.NEW}\n{self.OLD}\n")
        sink = self.sink("--secret-file", self.file("old", self.OLD + "\n"))
        self.configure(defaults={"secret_file": self.secret})
        sender = self.send("--senders", "2")
        children = wait_until(lambda: len(c := descendants(sender.pid)) == 2 and c, "two senders")
        engine = self.live_ingest()
        sent = 0

        def more(n):
            nonlocal sent
            engine.send(*(make_run(i, sink.hook()) for i in range(sent, sent + n)))
            sent += n

        more(300)
        wait_until(lambda: sink.count() > 50, "deliveries with the old key")
        self.secret.write_text(f"{self.NEW}\n{self.OLD}\n")
        self.reload(sender, times=3)
        more(300)
        wait_until(lambda: any(len(g["headers"]["webhook-signature"].split()) == 2
                               for g in sink.record()), "both keys")
        first = sink.record
        sink.stop()
        second = self.sink("--secret-file", both, port=sink.port)
        self.secret.write_text(f"{self.NEW}\n")
        self.reload(sender, times=3)
        more(300)
        self.assertEqual(engine.close(), 0, engine.process.err)
        self.wait_entries("all to be delivered", delivered=sent)
        got = first() + second.record()
        self.assertEqual({g["signature"] for g in got}, {"ok"})
        self.assertEqual(len(second.record()[-1]["headers"]["webhook-signature"].split()), 1)
        self.assertGreaterEqual(len({g["webhook_id"] for g in got}), sent)
        self.assertEqual(set(descendants(sender.pid)), set(children))
        self.assertEqual(sender.stop(), 0, sender.err)
        self.assert_sound(delivered=sent)
        self.assert_no_canary()

    def test_what_is_wrong_is_refused_and_the_old_stays_in_force(self):
        sink = self.sink("--secret-file", self.file("sink-secret", self.OLD + "\n"))
        self.configure(defaults={"secret_file": self.secret, "header": "X-Era: old"})
        sender = self.send()
        wait_until(lambda: "ev=sending" in sender.err, "the sender to begin")
        right = self.config.read_text()
        lines = right.count("\n")
        newer = right.replace("X-Era: old", "X-Era: new")
        mistakes = [(newer + "retry_bsae = 1s\n", f"runpost.conf:{lines + 1}: "),
                    (newer.replace(str(self.secret), str(self.folder / "none")), "cannot open it"),
                    (None, "cannot open the configuration")]
        for text, why in mistakes:
            if text is None:
                self.config.unlink()
            else:
                self.config.write_text(text)
            self.reload(sender, "reload_refused")
            self.assertIn(why, sender.err.splitlines()[-1])
        self.config.write_text(right.replace("X-Era: old", "X-Era: new"))
        self.secret.chmod(0o644)
        self.reload(sender, "reload_refused")
        self.assertIn("mode 0644", sender.err.splitlines()[-1])
        self.ingest([make_run(1, sink.hook())])
        self.wait_entries("the delivery", delivered=1)
        self.secret.chmod(0o600)
        self.reload(sender)
        self.ingest([make_run(2, sink.hook())])
        self.wait_entries("the delivery", delivered=2)
        self.assertEqual([g["headers"]["x-era"] for g in sink.record()], ["old", "new"])
        self.assertEqual({g["signature"] for g in sink.record()}, {"ok"})
        self.assertEqual(sender.stop(), 0, sender.err)
        self.assert_no_canary()

    def test_requests_under_way_finish_as_they_began_and_a_raised_limit_is_used_at_once(self):
        sink = self.sink("--delay", "1500ms")
        self.configure(defaults={"in_flight": "2"})
        self.ingest([make_run(n, sink.hook()) for n in range(8)])
        sender = self.send()
        wait_until(lambda: sink.count() == 2, "two requests under way")
        # 5: as the window begins.
        self.configure(defaults={"in_flight": "5", "timeout": "1s", "retry_attempts": "1"})
        began = time.monotonic()
        self.reload(sender)
        wait_until(lambda: sink.count() == 5, "three more requests")
        self.assertLess(time.monotonic() - began, 1.3,
                        "the first two must still have been under way")
        self.wait_entries("the first two to be delivered and the others to time out", delivered=2,
                          dead=6)
        self.assertEqual(sender.stop(), 0, sender.err)

    def test_what_needs_a_restart_is_said(self):
        self.configure()
        sender = self.send()
        wait_until(lambda: "ev=sending" in sender.err, "the sender to begin")
        self.configure(outbox={"quota": "1G", "disk_reserve": "2M"}, sender={"in_flight": "7"})
        self.reload(sender, "reload_partly")
        self.assertIn("restart_for=outbox.quota,outbox.disk_reserve,sender.in_flight", sender.err)
        self.configure()
        self.reload(sender)
        self.assertEqual(sender.err.count("ev=reload_partly"), 1)
        self.assertEqual(sender.stop(), 0, sender.err)

    def test_a_sender_started_later_by_the_parent_has_the_new_configuration(self):
        sink = self.sink()
        self.configure(defaults={"header": "X-Era: old"})
        sender = self.send("--senders", "2")
        children = wait_until(lambda: len(c := descendants(sender.pid)) == 2 and c, "two senders")
        self.configure(defaults={"header": "X-Era: new"})
        self.reload(sender, times=3)
        for child in children:
            os.kill(child, signal.SIGKILL)
        wait_until(lambda: len(set(descendants(sender.pid)) - set(children)) == 2,
                   "two new senders")
        self.ingest([make_run(1, sink.hook())])
        self.wait_entries("the delivery", delivered=1)
        self.assertEqual(sink.record()[0]["headers"]["x-era"], "new")
        self.assertEqual(sender.stop(), 0, sender.err)

    def test_without_a_valid_key_an_endpoint_is_parked_until_a_reload_brings_one(self):
        sink = self.sink("--secret-file", self.file("sink-secret", self.NEW + "\n"))
        self.secret.write_text(f"{self.NEW} not-before=2999-01-01T00:00:00Z\n"
                               f"{self.OLD} not-after=2020-01-01T00:00:00Z\n")
        self.configure(defaults={"secret_file": self.secret, "retry_attempts": "1"})
        # Each looks again at what is parked when it starts: both, before the runs.
        sender = self.send("--senders", "2")
        wait_until(lambda: sender.err.count("ev=sending") == 2, "both senders to begin")
        receipts = self.ingest([make_run(n, sink.hook()) for n in range(50)])
        wait_until(lambda: "ev=no_key" in sender.err, "the log to tell")
        entry = wait_until(lambda: (e := self.show(receipts[0]["id"]))["cause"] == "no_key" and e,
                           "the cause")
        self.assertEqual((entry["state"], entry["attempts"]), ("waiting", 0))
        self.assertEqual(self.list("--cause", "no_key", "--limit", "1")[0]["cause"], "no_key")
        self.assertIn(b"no_key", self.ctl("list").out)
        self.assertEqual(sink.count(), 0)
        self.assertEqual(sender.err.count("ev=no_key"), 1, sender.err)
        self.secret.write_text(self.NEW + "\n")
        self.reload(sender, times=3)
        self.wait_entries("all to be delivered", delivered=50)
        self.assertEqual({(g["signature"], g["attempt"]) for g in sink.record()}, {("ok", 1)})
        self.assertEqual(sender.stop(), 0, sender.err)
        self.assert_sound(delivered=50)
        self.assert_no_canary()

    def test_a_credential_of_systemd_is_a_secret_file(self):
        sink = self.sink("--secret-file", self.file("sink-secret", self.NEW + "\n"))
        self.file("hook", self.NEW + "\n", mode=0o400)
        self.configure(defaults={"secret_credential": "hook"})
        self.ingest([make_run(1, sink.hook())])
        self.assertEqual(self.send("--drain", env={"CREDENTIALS_DIRECTORY": "/nowhere"}).wait(), 78)
        self.drain(env={"CREDENTIALS_DIRECTORY": str(self.folder)})
        self.assertEqual(sink.record()[0]["signature"], "ok")


class CheckConfig(Story):
    KEY = secret_text(b"canary-of-a-secret-to-be-checked")
    TOKEN, HEADER = "canary-in-a-query", "canary-in-a-header"

    def check(self, *urls, code=0):
        done = self.run_program(BIN / "runpost", "check-config", "--config", self.config, *urls)
        self.assertEqual(done.poll(), code, done.err)
        for canary in (self.KEY[6:30], self.TOKEN, self.HEADER):
            self.assertNotIn(canary, done.out.decode() + done.err)
        return done

    def rows(self, out):
        """{(url, key): [what stands behind]} of the output."""
        found, url = {}, None
        for line in out.decode().splitlines()[1:]:
            if line.startswith("  "):
                found.setdefault((url, line[2:19].strip()), []).append(" ".join(line[20:].split()))
            elif line:
                url = line
        return found

    def test_shows_what_holds_for_a_url_and_where_it_comes_from(self):
        secret = self.file("secret", f"{self.KEY}\n{self.KEY} not-after=2020-01-01T00:00:00Z\n")
        self.config.write_text(
            f"[defaults]\nsecret_file = secret\nheader = Authorization: Bearer {self.HEADER}\n"
            '[endpoint "one"]\nurl = http://127.0.0.1:8787/a\nallow = 127.0.0.1 10.0.0.0/8\n'
            "timeout = 7s\nallow_http = yes\n")
        one, other = f"http://127.0.0.1:8787/a/b?token={self.TOKEN}", "http://x.example:99/"
        out = self.check(one, other).out
        self.assertTrue(out.startswith(b"ok\n"))
        rows = self.rows(out)
        a, b = "http://127.0.0.1:8787/a/b?token=REDACTED", other
        file = str(self.config)
        self.assertEqual(rows[a, "section"], [f'[endpoint "one"] {file}:4'])
        self.assertEqual(rows[a, "timeout"], [f"7s {file}:7"])
        self.assertEqual(rows[a, "secret_file"], [f"{secret} {file}:2 [defaults]"])
        self.assertEqual(rows[a, "header"], [f"Authorization: set {file}:3 [defaults]"])
        self.assertEqual(rows[a, "allow"], [f"127.0.0.1 {file}:6", f"10.0.0.0/8 {file}:6"])
        self.assertEqual(rows[a, "retry_base"], ["5s default"])
        self.assertEqual(rows[a, "signing"], ["1 of 2 keys valid now"])
        self.assertEqual(rows[a, "guard: scheme"], ["http allowed"])
        self.assertEqual(rows[a, "guard: port"], ["8787 allowed on addresses in allow only"])
        self.assertEqual(rows[a, "guard: addresses"], ["public ones, and those in allow"])
        self.assertEqual(rows[b, "section"], ["[defaults]"])
        self.assertEqual(rows[b, "guard: scheme"],
                         ["http refused (blocked_scheme): see allow_http"])
        self.assertEqual(rows[b, "guard: port"], ["99 refused (blocked_port): see allow_ports"])
        self.assertFalse(self.outbox_exists())

    def test_shows_the_limits_of_host_section_and_path_and_the_lines_that_set_them(self):
        self.config.write_text(
            "[defaults]\nrate = 20/s\nhost_rate = 100/s\n"
            '[endpoint "billing"]\nurl = https://h.example/billing\nin_flight = 4\nrate = 2/s\n'
            '[endpoint "crm"]\nurl = https://h.example/crm\nhost_in_flight = 12\n'
            '[endpoint "each"]\nurl = https://h.example/each\nrate = 3/m\nshared_limits = no\n'
            "breaker = off\n")
        line = f"{self.config}:%d".__mod__
        inherited = f"{self.config}:%d [defaults]".__mod__
        of_host = [f"12 at once {line(10)}", f"100/s {inherited(3)}",
                   f"no breaker {line(15)}"]
        levels = {
            "https://h.example/billing/1": {
                "section": [f"4 at once {line(6)}", f"2/s {line(7)}"],
                "path": [f"4 at once {line(6)}"]},
            "https://h.example/crm/1": {
                "path": ["10 at once default", f"20/s {inherited(2)}"]},
            "https://h.example/each/1": {
                "path": ["10 at once default", f"3/m {line(13)}"]},
            "https://h.example/": {
                "path": ["10 at once default", f"20/s {inherited(2)}"]},
            "https://stranger.example/": {
                "host": ["64 at once default", f"100/s {inherited(3)}"],
                "path": ["10 at once default", f"20/s {inherited(2)}"]}}
        rows = self.rows(self.check(*levels).out)
        for url, want in levels.items():
            shown = {key[8:]: row for (of, key), row in rows.items()
                     if of == url and key.startswith("limits: ")}
            self.assertEqual(shown, {"host": of_host, **want}, url)
        self.assertEqual(rows["https://h.example/", "host_in_flight"], [f"12 {line(10)}"])
        self.assertEqual(rows["https://h.example/each/1", "shared_limits"], [f"no {line(14)}"])

    def test_limits_that_contradict_each_other_are_told_with_both_lines(self):
        self.config.write_text('[endpoint "a"]\nurl = https://h.example/a\nhost_in_flight = 10\n'
                               '[endpoint "b"]\nurl = https://h.example/b\nin_flight = 20\n')
        err = self.check(code=78).err
        self.assertIn(f'{self.config}:6: [endpoint "b"] in_flight = 20: ', err)
        self.assertIn('[endpoint "a"] host_in_flight = 10 on line 3; accepted: ', err)

    def test_without_a_url_it_is_ok_or_says_what_is_not(self):
        self.config.write_text(f"[defaults]\nheader = X-Token: {self.HEADER}\n")
        self.assertEqual(self.check().out, b"ok\n")
        self.config.write_text(f"[defaults]\nheader X-Token: {self.HEADER}\n")
        self.assertIn(f"{self.config}:2: ", self.check(code=78).err)
        self.config.write_text("[defaults]\nsecret_file = secret\n")
        self.assertIn("[defaults] secret_file", self.check(code=78).err)
        self.file("secret", self.KEY + " not-after=never\n")
        self.assertIn("line 1: not-after=", self.check(code=78).err)
        self.assertIn("URL", self.check(f"ftp://h/?{self.TOKEN}", code=64).err)
