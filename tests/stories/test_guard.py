"""Stories about what a sender refuses to touch: schemes, addresses, ports, redirects,
proxies, endless answers."""

import re
import socket
import threading

from harness import Story, make_run

# The cap itself is 64 KiB; the rest is what socket buffers on both sides may swallow.
READ_AT_MOST = 8 << 20


class Blocked(Story):
    def setUp(self):
        super().setUp()
        self.listeners = []

    def listener(self, address="127.0.0.1", family=socket.AF_INET):
        """A socket at which nobody may knock."""
        server = socket.socket(family)
        server.bind((address, 0))
        server.listen(100)
        server.setblocking(False)
        self.addCleanup(server.close)
        self.listeners.append(server)
        return server.getsockname()[1]

    def assert_nobody_knocked(self):
        for server in self.listeners:
            with self.assertRaises(BlockingIOError):
                server.accept()

    def last_causes(self, *urls, env=None, **defaults):
        self.configure(defaults={"retry_attempts": "2", "retry_base": "10ms", "timeout": "2s",
                                 **defaults})
        receipts = self.ingest([make_run(n, url) for n, url in enumerate(urls)])
        self.drain(env=env)
        shown = [self.show(r["id"]) for r in receipts]
        self.assert_sound(accepted=len(urls))
        return [(s["state"], s["last_cause"]) for s in shown]

    def test_http_is_not_sent_without_allow_http(self):
        port = self.listener()
        self.assertEqual(self.last_causes(f"http://127.0.0.1:{port}/", allow_http=None),
                         [("dead", "blocked_scheme")])
        self.assert_nobody_knocked()

    def test_private_addresses_are_not_reached_however_they_are_written(self):
        port = self.listener()
        port6 = self.listener("::1", socket.AF_INET6)
        hosts = ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]")
        urls = [f"http://{host}:{port}/" for host in hosts]
        urls += [f"http://[::1]:{port6}/", "http://10.0.0.1/", "http://192.168.1.1/",
                 "http://169.254.169.254/latest"]
        causes = self.last_causes(*urls, allow=None, allow_ports="any")
        self.assertEqual(set(causes), {("dead", "blocked_address")})
        self.assert_nobody_knocked()

    def test_numbers_that_mean_an_address_are_refused_or_blocked(self):
        port = self.listener()
        hosts = ("2130706433", "0x7f000001", "0177.0.0.1", "127.1", "127.0.0.1.")
        self.configure(defaults={"allow": None, "allow_ports": "any", "retry_attempts": "1",
                                 "timeout": "2s"})
        receipts = self.ingest(
            [make_run(n, f"http://{host}:{port}/") for n, host in enumerate(hosts)], code=None)
        self.drain()
        for receipt in receipts:
            if receipt["status"] == "queued":
                self.assertIn(self.show(receipt["id"])["last_cause"], ("blocked_address", "dns"),
                              receipt)
            else:
                self.assertEqual(receipt["code"], "bad_url")
        self.assert_nobody_knocked()

    def test_an_allowed_network_is_not_more_than_it_says(self):
        port = self.listener()
        self.assertEqual(self.last_causes(f"http://127.0.0.1:{port}/", allow="127.0.0.2/32",
                                          allow_ports="any"),
                         [("dead", "blocked_address")])
        self.assert_nobody_knocked()

    def test_other_ports_are_blocked(self):
        port = self.listener()
        self.assertEqual(self.last_causes(f"http://127.0.0.1:{port}/", allow_ports="80, 443"),
                         [("dead", "blocked_port")])
        self.assert_nobody_knocked()

    def test_a_redirect_is_a_failure_and_not_followed(self):
        port = self.listener()
        sink = self.sink("--status", "302", "--header", f"Location: http://127.0.0.1:{port}/inside")
        self.assertEqual(self.last_causes(sink.hook()), [("dead", "http_302")])
        self.assertEqual([g["path"] for g in sink.record()], ["/hook", "/hook"])
        self.assert_nobody_knocked()

    def test_proxy_variables_are_ignored(self):
        proxy = f"http://127.0.0.1:{self.listener()}"
        names = ("http_proxy", "https_proxy", "all_proxy")
        env = dict.fromkeys([*names, *(name.upper() for name in names)], proxy)
        sink = self.sink()
        self.assertEqual(self.last_causes(sink.hook(), env=env), [("delivered", None)])
        self.assert_nobody_knocked()


class EndlessAnswer(threading.Thread):
    """Answers one request with a head and then bytes for as long as anybody takes them."""

    def __init__(self, status):
        super().__init__(daemon=True)
        self.status = status
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.server.getsockname()[1]}/hook"
        self.sent = 0
        self.start()

    def run(self):
        while True:
            try:
                peer, _ = self.server.accept()
            except OSError:
                return
            with peer:
                try:
                    peer.recv(65536)
                    peer.sendall(b"HTTP/1.1 %d Yes\r\nContent-Length: 100000000000\r\n\r\n"
                                 % self.status)
                    while True:
                        self.sent += peer.send(b"x" * 65536)
                except OSError:
                    continue


class Bounded(Story):
    """Promise P9: what a receiver answers is read up to a bound."""

    def test_an_endless_answer_is_cut_and_judged_by_its_status(self):
        self.configure(defaults={"retry_attempts": "1"})
        servers = [EndlessAnswer(200), EndlessAnswer(500)]
        for server in servers:
            self.addCleanup(server.server.close)
        receipts = self.ingest([make_run(n, server.url) for n, server in enumerate(servers)])
        self.drain(limit_s=9)
        self.assertEqual([self.show(r["id"])["state"] for r in receipts], ["delivered", "dead"])
        self.assertEqual(self.show(receipts[1]["id"])["last_cause"], "http_500")
        for server in servers:
            self.assertLess(server.sent, READ_AT_MOST)
        self.assert_sound(delivered=1, dead=1)

    def test_many_huge_answers_do_not_fill_the_memory(self):
        sink = self.sink("--huge-body", "200M")
        self.ingest([make_run(n, sink.hook()) for n in range(100)])
        sender = self.send()
        self.wait_entries("all deliveries", delivered=100)
        peak_kib = int(re.search(r"VmHWM:\s+(\d+)", open(f"/proc/{sender.pid}/status").read())[1])
        self.assertLess(peak_kib, 64 << 10)
        self.assertEqual(sender.stop(), 0)
        self.assert_sound(delivered=100)

    def test_rude_receivers_are_failures_with_a_name(self):
        self.configure(defaults={"retry_attempts": "1", "timeout": "300ms"})
        cases = {"--garbage": "protocol", "--reset": "reset", "--close": "reset",
                 "--never": "timeout"}
        receipts = self.ingest([make_run(n, self.sink(option).hook())
                                for n, option in enumerate(cases)])
        self.drain()
        self.assertEqual([self.show(r["id"])["last_cause"] for r in receipts], list(cases.values()))
        self.assert_sound(dead=4)
