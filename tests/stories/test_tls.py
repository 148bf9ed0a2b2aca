"""Stories about TLS: whom a sender believes, and that each way of failing has its own name."""

import ssl

from harness import Story, make_run
from tls_server import Authority, SilentServer, TlsServer, pin_of

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
        self.configure(defaults={"retry_attempts": "1", "ca_file": self.ca.file, "timeout": "10s", **settings})
        receipt, = self.ingest([make_run(self.next_number(), server.url)])
        self.drain()
        return self.show(receipt["id"])

    def assert_fails_as(self, cause, server, detail="", **settings):
        shown = self.post(server, **settings)
        self.assertEqual((shown["state"], shown["cause"], shown["last_cause"]), ("dead", "exhausted", cause), shown)
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
        self.assertEqual((log["outcome"], log["peer"], log["http_version"]), ("delivered", f"127.0.0.1:{server.port}", 1.1))
        self.assertLess(0, log["connect_ms"])
        self.assertLess(log["connect_ms"], log["tls_ms"])
        self.assertLess(log["tls_ms"], log["first_byte_ms"])
        self.assertLessEqual(log["first_byte_ms"], log["duration_ms"])
        self.assertRegex(self.ctl("show", self.list()[0]["id"]).out.decode(), rf"127\.0\.0\.1:{server.port} +HTTP/1\.1")

    def test_an_expired_certificate(self):
        self.assert_fails_as("tls_expired", self.server(self.ca.issue("old", expired=True)), "expired")

    def test_a_certificate_for_another_host(self):
        self.assert_fails_as("tls_name", self.server(self.ca.issue("other", "DNS:other.example")), "127.0.0.1")

    def test_a_certificate_that_nobody_we_trust_has_signed(self):
        stranger = Authority(self.folder, "stranger")
        self.assert_fails_as("tls_issuer", self.server(stranger.issue("strange")), "issuer")
        self.assert_fails_as("tls_issuer", self.server(self.ca.issue("good")), ca_file=None)
        self.assert_fails_as("tls_issuer", self.server((stranger.file, stranger.key)), "self-signed")

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
        self.assert_fails_as("tls_issuer", server, pin_sha256=right, ca_file=None)  # a pin is no substitute for trust

    def test_a_client_certificate(self):
        server = self.server(self.ca.issue("strict"), client_ca=self.ca.file)
        self.assert_fails_as("tls_client_cert", server)
        stranger = Authority(self.folder, "stranger").issue("nobody")
        self.assert_fails_as("tls_client_cert", server, client_cert=stranger[0], client_key=stranger[1])
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
