"""Stories about TLS: whom a sender believes, and that each way of failing has its own name."""

import os
import shutil
import signal
import ssl

from harness import BIN, Story, make_run, wait_until
from tls_server import Authority, SilentServer, TlsServer, openssl, pin_of

V1_1 = ssl.TLSVersion.TLSv1_1
V1_2 = ssl.TLSVersion.TLSv1_2
V1_3 = ssl.TLSVersion.TLSv1_3


class Tls(Story):
    def setUp(self):
        super().setUp()
        self.ca = Authority(self.folder)

    def server(self, *args, **options):
        server = TlsServer(*args, **options)
        self.addCleanup(server.close)
        return server

    def post(self, server, **settings):
        """What `show` says after one attempt."""
        self.configure(defaults={"retry_attempts": "1", "ca_file": self.ca.file, "timeout": "10s",
                                 **settings})
        receipt, = self.ingest([make_run(self.next_number(), server.url)])
        self.drain()
        return self.show(receipt["id"])

    def assert_fails_as(self, cause, server, detail="", **settings):
        shown = self.post(server, **settings)
        self.assertEqual((shown["state"], shown["cause"], shown["last_cause"]),
                         ("dead", "exhausted", cause), shown)
        self.assertIn(detail, shown["attempt_log"][0]["detail"])
        self.assertEqual(server.requests, 0)
        return shown

    def assert_delivers(self, server, **settings):
        before = server.requests
        shown = self.post(server, **settings)
        self.assertEqual(shown["state"], "delivered", shown)
        self.assertEqual(server.requests, before + 1)
        return shown

    def test_a_certificate_of_the_ca_file_is_believed_and_the_log_tells_of_the_handshake(self):
        server = self.server(self.ca.issue("good"))
        log, = self.assert_delivers(server)["attempt_log"]
        self.assertEqual((log["outcome"], log["peer"], log["http_version"]),
                         ("delivered", f"127.0.0.1:{server.port}", 1.1))
        self.assertLess(0, log["connect_ms"])
        self.assertLess(log["connect_ms"], log["tls_ms"])
        self.assertLess(log["tls_ms"], log["first_byte_ms"])
        self.assertLessEqual(log["first_byte_ms"], log["duration_ms"])
        self.assertRegex(self.ctl("show", self.list()[0]["id"]).out.decode(),
                         rf"127\.0\.0\.1:{server.port} +HTTP/1\.1")

    def test_an_expired_certificate(self):
        self.assert_fails_as("tls_expired", self.server(self.ca.issue("old", expired=True)),
                             "expired")

    def test_a_certificate_for_another_host(self):
        self.assert_fails_as("tls_name", self.server(self.ca.issue("other", "DNS:other.example")),
                             "127.0.0.1")

    def test_a_certificate_that_nobody_we_trust_has_signed(self):
        stranger = Authority(self.folder, "stranger")
        self.assert_fails_as("tls_issuer", self.server(stranger.issue("strange")), "issuer")
        self.assert_fails_as("tls_issuer", self.server(self.ca.issue("good")), ca_file=None)
        self.assert_fails_as("tls_issuer", self.server((stranger.file, stranger.key)),
                             "self-signed")

    def test_versions_that_do_not_meet(self):
        old = self.server(self.ca.issue("old"), versions=(V1_1, V1_1))
        self.assert_fails_as("tls_version", old)
        middle = self.server(self.ca.issue("middle"), versions=(V1_2, V1_2))
        self.assert_fails_as("tls_version", middle, tls_min="1.3")
        self.assert_delivers(middle, tls_min="1.2")
        new = self.server(self.ca.issue("new"))
        self.assert_delivers(new, tls_min="1.3")
        self.assertEqual((middle.spoken, new.spoken), (["TLSv1.2"], ["TLSv1.3"]))

    def test_a_handshake_that_does_not_end(self):
        server = SilentServer()
        self.addCleanup(server.close)
        shown = self.assert_fails_as("tls_timeout", server, connect_timeout="300ms")
        self.assertLess(shown["attempt_log"][0]["duration_ms"], 5000)

    def test_something_else_than_tls(self):
        sink = self.sink()
        sink.url, sink.requests = sink.hook().replace("http:", "https:"), 0
        self.assert_fails_as("tls", sink)

    def test_a_pinned_key(self):
        cert = self.ca.issue("pinned")
        server = self.server(cert)
        right, wrong = pin_of(cert[0]), pin_of(self.ca.file)
        self.assert_fails_as("tls_pin", server, pin_sha256=wrong)
        self.assert_delivers(server, pin_sha256=right)
        self.assert_delivers(server, pin_sha256=f"{wrong} {right}")
        server.requests = 0
        # A pin is no substitute for trust.
        self.assert_fails_as("tls_issuer", server, pin_sha256=right, ca_file=None)

    def test_a_client_certificate(self):
        server = self.server(self.ca.issue("strict"), client_ca=self.ca.file)
        self.assert_fails_as("tls_client_cert", server)
        stranger = Authority(self.folder, "stranger").issue("nobody")
        self.assert_fails_as("tls_client_cert", server, client_cert=stranger[0],
                             client_key=stranger[1])
        client = self.ca.issue("client")
        self.assert_delivers(server, client_cert=client[0], client_key=client[1])

    def test_one_word_selects_every_kind(self):
        self.assert_fails_as("tls_name", self.server(self.ca.issue("other", "DNS:other.example")))
        self.assert_fails_as("tls_expired", self.server(self.ca.issue("old", expired=True)))
        self.assertEqual(len(self.list("--cause", "tls")), 2)
        self.assertEqual(len(self.list("--cause", "tls_name")), 1)
        groups = {g["last_cause"]: g["suggest"] for g in self.ctl_json("dead")}
        self.assertIn("another host", groups["tls_name"])
        self.assertIn("expired", groups["tls_expired"])


class TlsFiles(Story):
    """What ca_file, client_cert and client_key name is read with the configuration,
    and counts as it was then."""

    def setUp(self):
        super().setUp()
        self.ca, self.other = Authority(self.folder), Authority(self.folder, "other")

    def server(self, *args, **options):
        server = TlsServer(*args, **options)
        self.addCleanup(server.close)
        return server

    def reload(self, sender, event="reloaded"):
        before = sender.err.count(f"ev={event} ")
        sender.signal(signal.SIGHUP)
        wait_until(lambda: sender.err.count(f"ev={event} ") > before, f"ev={event}")

    def post(self, server):
        """What became of one more run: its last cause."""
        receipt, = self.ingest([make_run(self.next_number(), server.url)])
        shown = wait_until(lambda: (e := self.show(receipt["id"]))["state"] in ("delivered", "dead")
                           and e, "an end")
        return shown["state"] if shown["state"] == "delivered" else shown["last_cause"]

    def test_a_withdrawn_ca_is_believed_no_more_and_one_that_stays_costs_no_connection(self):
        trusted = self.folder / "trusted.pem"
        shutil.copy(self.ca.file, trusted)
        self.configure(defaults={"ca_file": trusted, "retry_attempts": "1", "timeout": "10s"})
        server, sender = self.server(self.ca.issue("good")), self.send()
        self.assertEqual([self.post(server), self.post(server)], ["delivered"] * 2)
        self.reload(sender)
        self.assertEqual(self.post(server), "delivered")
        self.assertEqual((server.connections, server.requests), (1, 3))
        shutil.copy(self.other.file, trusted)
        # What is in force was read at the last reload.
        self.assertEqual(self.post(server), "delivered")
        self.reload(sender)
        self.assertEqual([self.post(server), server.connections], ["tls_issuer", 1])
        trusted.write_bytes(self.other.file.read_bytes() + self.ca.file.read_bytes())
        self.reload(sender)
        self.assertEqual([self.post(server), server.connections], ["delivered", 2])
        self.assertEqual(sender.stop(), 0, sender.err)

    def test_another_certificate_of_ours_at_the_same_path_is_used_after_a_reload(self):
        cert, key = self.folder / "mine.pem", self.folder / "mine.key"

        def become(name):
            for source, target in zip(self.ca.issue(name), (cert, key)):
                shutil.copy(source, target)

        become("first")
        self.configure(defaults={"ca_file": self.ca.file, "client_cert": cert, "client_key": key,
                                 "retry_attempts": "1"})
        server = self.server(self.ca.issue("strict"), client_ca=self.ca.file)
        sender = self.send()
        self.assertEqual(self.post(server), "delivered")
        become("second")
        self.reload(sender)
        self.assertEqual(self.post(server), "delivered")
        key.unlink()
        self.reload(sender, "reload_refused")
        self.assertIn("client_key", sender.err.splitlines()[-1])
        self.assertEqual(self.post(server), "delivered")
        self.assertEqual(server.clients, ["first", "second", "second"])
        self.assertEqual(sender.stop(), 0, sender.err)

    def assert_refused(self, *words):
        """By everything that reads the configuration."""
        for program in (["check-config"], ["send", "--drain", "--outbox", self.outbox]):
            done = self.run_program(BIN / "runpost", *program, "--config", self.config)
            self.assertEqual(done.poll(), 78, done.err)
            for word in words:
                self.assertIn(word, done.err)
        self.assertIn(words[0], self.ctl("doctor", code=2).out.decode())

    def test_files_that_cannot_be_used_are_told_before_a_delivery_pays_for_them(self):
        cert, key = self.ca.issue("mine")
        stranger = self.ca.issue("stranger")[1]
        secret = self.folder / "encrypted.key"
        openssl("pkey", "-in", key, "-aes256", "-passout", "pass:hunter2", "-out", secret)
        legacy = self.folder / "legacy.key"
        openssl("ec", "-in", key, "-aes256", "-passout", "pass:hunter2", "-out", legacy)
        for encrypted in (secret, legacy):
            encrypted.chmod(0o600)
        self.ingest([])
        for name, settings, *words in [
                ("ca_file", {"ca_file": self.folder / "none.pem"}, "cannot open it"),
                ("ca_file", {"ca_file": key}, "no certificate"),
                ("ca_file", {"ca_file": self.file("cut.pem", self.ca.file.read_text()[:200])},
                 "cannot be read"),
                ("client_cert", {"client_cert": self.folder / "none.pem", "client_key": key},
                 "cannot open it"),
                ("client_key", {"client_cert": cert, "client_key": self.folder / "none.key"},
                 "cannot open it"),
                ("client_key", {"client_cert": cert, "client_key": stranger},
                 "not that of the certificate"),
                ("client_key", {"client_cert": cert, "client_key": cert}, "mode 0644",
                 f"chmod 0600 {cert}"),
                ("client_key", {"client_cert": cert, "client_key": secret}, "encrypted",
                 f"openssl pkey -in {secret}"),
                ("client_key", {"client_cert": cert, "client_key": legacy}, "encrypted"),
                ("client_key", {"client_key": key}, "without a certificate")]:
            with self.subTest(settings):
                self.configure(defaults=settings)
                line = self.config.read_text().splitlines().index(f"{name} = {settings[name]}") + 1
                self.assert_refused(f"{self.config}:{line}: [defaults] {name} = {settings[name]}: ",
                                    *words)

    def test_a_pass_phrase_is_not_asked_for_at_a_terminal(self):
        cert, key = self.ca.issue("mine")
        secret = self.folder / "encrypted.key"
        openssl("pkey", "-in", key, "-aes256", "-passout", "pass:hunter2", "-out", secret)
        secret.chmod(0o600)
        self.configure(defaults={"ca_file": self.ca.file, "client_cert": cert,
                                 "client_key": secret})
        self.ingest([make_run(1, self.server(self.ca.issue("good")).url)])
        main, side = os.openpty()
        self.addCleanup(os.close, main)
        self.addCleanup(os.close, side)
        sender = self.spawn("setsid", "--ctty", BIN / "runpost", "send", "--drain", "--outbox",
                            self.outbox, "--config", self.config, stdin=side)
        self.assertEqual(sender.wait(20), 78, sender.err)

    def test_a_key_may_stand_in_the_file_of_its_certificate(self):
        cert, key = self.ca.issue("mine")
        both = self.file("both.pem", cert.read_bytes() + key.read_bytes())
        self.configure(defaults={"ca_file": self.ca.file, "client_cert": both,
                                 "retry_attempts": "1"})
        server = self.server(self.ca.issue("strict"), client_ca=self.ca.file)
        self.ingest([make_run(1, server.url)])
        self.drain()
        self.assertEqual(server.clients, ["mine"])
        both.chmod(0o644)
        self.assert_refused(f"[defaults] client_cert = {both}: mode 0644")
