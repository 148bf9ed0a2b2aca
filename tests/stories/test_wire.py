"""Stories about what is promised of requests, not of claims: pause and rate while hanging receivers
have all places; about descriptors that run out; about long payloads that receivers hang on."""

import pathlib
import re
import resource
import socket
import threading
import time

from harness import BIN, Story, make_run, wait_until

PLACES = 4


class OnTheWire(Story):
    """Promise P6. The hanging receiver takes all places for HANGS_S, while claims for the other one
    are made. Both have delivered before: hosts that have not share half of the places."""

    HANGS_S = 3

    def begin(self, **target):
        self.slow, self.target = self.sink("--delay", f"{self.HANGS_S}s"), self.sink()
        self.configure(endpoints=[("target", {"url": self.target.hook(), **target})])
        self.sender = self.send("--in-flight", PLACES)
        self.ingest([make_run(n, sink.hook())
                     for n, sink in ((900, self.slow), (901, self.target))])
        self.wait_entries("one delivery of each", delivered=2)
        self.ingest([make_run(n, self.slow.hook()) for n in range(PLACES)])
        self.wait_entries("all places to be taken", in_flight=PLACES)

    def test_nothing_begins_after_pause_has_returned(self):
        self.begin()
        self.ingest([make_run(n, self.target.hook()) for n in range(100, 110)])
        wait_until(lambda: self.entries()["in_flight"] > PLACES, "claims ahead", self.HANGS_S)
        self.assertEqual(self.target.count(), 1)
        self.ctl("pause", self.target.hook())
        self.wait_entries("the places to be free", delivered=2 + PLACES, in_flight=0)
        self.assertEqual(self.target.count(), 1)
        self.ctl("resume", self.target.hook())
        self.wait_entries("the rest", delivered=2 + PLACES + 10)
        self.assertEqual({r["attempt"] for r in self.target.record()}, {1})
        self.assertEqual(self.sender.stop(), 0)
        self.assert_sound(delivered=2 + PLACES + 10)

    def test_nothing_is_sent_again_after_pause_has_returned(self):
        """A kept connection ends without an answer: libcurl makes such a
        request again by itself."""
        got, hold = [], threading.Event()

        def serve(peer):
            with peer:
                for _ in range(2):
                    data = b""
                    while b"\r\n\r\n" not in data:
                        data += peer.recv(65536)
                    head, _, rest = data.partition(b"\r\n\r\n")
                    left = int(re.search(rb"(?i)content-length: *(\d+)", head)[1]) - len(rest)
                    while left > 0:
                        left -= len(peer.recv(65536))
                    got.append(head)
                    if len(got) == 1:
                        peer.sendall(b"HTTP/1.1 204 Fine\r\n\r\n")
                    else:
                        hold.wait(20)
                        return

        def accept():
            while True:
                try:
                    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
                except OSError:
                    return

        server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(server.close)
        threading.Thread(target=accept, daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/hook"
        self.configure(defaults={"retry_base": "60s"})
        sender = self.send()
        self.ingest([make_run(1, url)])
        self.wait_entries("the first", delivered=1)
        self.ingest([make_run(2, url)])
        wait_until(lambda: len(got) == 2, "the second request")
        self.ctl("pause", url)
        hold.set()
        self.wait_entries("its end", delivered=1, in_flight=0)
        self.assertEqual(len(got), 2)
        self.assertEqual([e["last_cause"] for e in self.list("--state", "retrying")], ["reset"])
        self.assertEqual(sender.stop(), 0)
        self.assert_sound(delivered=1, waiting=1)

    def test_tokens_that_passed_while_places_were_taken_are_gone(self):
        self.begin(rate="1/s")
        self.ingest([make_run(n, self.target.hook()) for n in range(100, 120)])
        wait_until(lambda: self.target.count() >= 4, "three deliveries more")
        times_ms = sorted(r["at_ms"] for r in self.target.record())
        gaps_ms = [b - a for a, b in zip(times_ms, times_ms[1:])]
        self.note(f"gaps {gaps_ms} ms")
        self.assertGreater(min(gaps_ms), 800)
        self.assertEqual(self.sender.stop(), 0)
        self.assert_sound()


class Descriptors(Story):
    """A lack of our own spends nothing."""

    HOSTS = 30

    def begin(self, limit):
        self.well = self.sink("--bind", "0.0.0.0", "--delay", "200ms")
        self.configure(defaults={"retry_attempts": "1"})
        self.spawned = self.spawn(BIN / "runpost", "send", "--outbox", self.outbox, "--config",
                                  self.config,
                                  preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limit))
        return self.spawned

    def feed(self):
        """One host by its name and many by their addresses: each has its connections."""
        hosts = ["localhost", *(f"127.0.0.{n}" for n in range(2, self.HOSTS))]
        self.ingest([make_run(n, f"http://{hosts[n % len(hosts)]}:{self.well.port}/hook")
                     for n in range(300)])

    def assert_nothing_spent(self):
        self.wait_entries("all to be delivered", delivered=300)
        self.assertEqual({r["attempt"] for r in self.well.record()}, {1})
        self.assertEqual(self.well.count(), 300)
        self.assertEqual(self.spawned.stop(), 0, self.spawned.err)
        self.assert_sound(delivered=300)

    def test_a_low_limit_makes_fewer_requests_at_once_and_says_so(self):
        for limit in (64, 40):
            with self.subTest(limit=limit):
                self.outbox = self.folder / f"outbox-{limit}"
                sender = self.begin((limit, limit))
                self.feed()
                self.assert_nothing_spent()
                self.assertIn("ev=few_descriptors", sender.err)
                self.assertNotIn("ev=short_of", sender.err)

    def test_a_limit_that_is_too_low_for_one_request_ends_it_with_words(self):
        sender = self.begin((18, 18))
        self.assertEqual(sender.wait(), 75, sender.err)
        self.assertIn("raise it (ulimit -n, LimitNOFILE of the unit)", sender.err)

    def test_descriptors_that_run_out_later_spend_nothing_and_requests_come_back(self):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        sender = self.begin((1024, hard))
        wait_until(lambda: "ev=sending" in sender.err, "the sender")
        taken = len(list(pathlib.Path(f"/proc/{sender.pid}/fd").iterdir()))
        resource.prlimit(sender.pid, resource.RLIMIT_NOFILE, (taken + 8, hard))
        self.feed()
        wait_until(lambda: "ev=short_of" in sender.err, "the lack to be told")
        wait_until(lambda: self.entries()["delivered"] > 20, "some deliveries all the same")
        resource.prlimit(sender.pid, resource.RLIMIT_NOFILE, (hard, hard))
        self.assertLess(sender.err.count("ev=short_of"), 5)
        self.assert_nothing_spent()


class LongPayloads(Story):
    """Five receivers hang on 15 MiB each."""

    MIB = 1 << 20

    def anonymous_bytes(self, pid):
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) << 10
        raise AssertionError("no RssAnon")

    def test_receivers_that_hang_on_them_hold_up_nobody(self):
        hung, well = self.sink("--never"), self.sink()
        self.ingest([make_run(n, hung.hook(f"/{n}"), pad=15 * self.MIB) for n in range(5)])
        sender = self.send()
        self.wait_entries("the five to be under way", in_flight=5)
        self.ingest([make_run(n, well.hook(), pad=self.MIB) for n in range(100, 120)])
        began = time.time()
        self.wait_entries("the others", delivered=20, limit_s=8)
        took_s = max(r["at_ms"] for r in well.record()) / 1000 - began
        self.note(f"{took_s:.2f} s, {self.anonymous_bytes(sender.pid) / self.MIB:.0f} MiB")
        self.assertLess(took_s, 3)  # those that hang do so for longer than all of this
        self.assertLess(self.anonymous_bytes(sender.pid), 40 * self.MIB)
        sender.signal(15)
        sender.wait()
        self.assert_sound(delivered=20, waiting=5)

    def test_every_byte_of_them_arrives_again_and_again(self):
        flaky = self.sink("--status", "503", "503", "200", "--record-dir", self.folder / "bodies")
        lines = [make_run(n, flaky.hook(f"/{n}"), pad=3 * self.MIB + n) for n in range(3)]
        self.ingest(lines)
        self.drain()
        bodies = [path.read_bytes() for path in (self.folder / "bodies").iterdir()]
        self.assertEqual({len(body) for body in bodies}, {len(line) for line in lines})
        self.assertTrue(all(body in lines for body in bodies))
        self.assert_sound(delivered=3)
