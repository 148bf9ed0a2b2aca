"""Stories about what receivers do on the wire: bytes behind an answer,
answers before the request, lost connections.

The receivers are small servers of this file, because a proper HTTP server does none of it."""

import collections
import pathlib
import re
import resource
import socket
import ssl
import threading
import time

from harness import BIN, Story, make_run, wait_until
from tls_server import Authority


class Receiver:
    """Serves each connection in a thread with `serve(self, peer, data)`;
    `requests` counts what it answered."""

    def __init__(self, serve, cert=None):
        self.serve, self.requests, self.connections, self.lock = serve, 0, 0, threading.Lock()
        self.context = None
        if cert is not None:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*cert)
        self.server = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = f"{'https' if cert else 'http'}://127.0.0.1:{self.server.getsockname()[1]}/hook"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                peer, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self._run, args=(peer,), daemon=True).start()

    def _run(self, peer):
        peer.settimeout(20)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self.lock:
            self.connections += 1
        try:
            if self.context is not None:
                peer = self.context.wrap_socket(peer, server_side=True)
            with peer:
                self.serve(self, peer)
        except OSError:
            return

    def read_head(self, peer, data=b""):
        """(head, what came behind it), or nothing at the end."""
        while b"\r\n\r\n" not in data:
            chunk = peer.recv(65536)
            if not chunk:
                return None
            data += chunk
        head, _, rest = data.partition(b"\r\n\r\n")
        return head, rest

    def read_request(self, peer, data=b""):
        """What came behind a request; None at the end."""
        read = self.read_head(peer, data)
        if read is None:
            return None
        head, data = read
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n")
                      if line.lower().startswith(b"content-length:"))
        while len(data) < length:
            chunk = peer.recv(65536)
            if not chunk:
                return None
            data += chunk
        with self.lock:
            self.requests += 1
        return data[length:]

    def close(self):
        self.server.close()


def answers(answer, behind, pause_s=0.0):
    """Each request with `answer`, and then with the bytes `behind` it."""
    def serve(receiver, peer):
        data = receiver.read_request(peer)
        while data is not None:
            peer.sendall(answer)
            if pause_s:
                time.sleep(pause_s)
            peer.sendall(behind)
            data = receiver.read_request(peer, data)
    return serve


def refuses(answer):
    """Reads the head of a request, answers, and closes over the body that it has not read."""
    def serve(receiver, peer):
        if receiver.read_head(peer) is None:
            return
        with receiver.lock:
            receiver.requests += 1
        peer.sendall(answer)
    return serve


class Wire(Story):
    def receiver(self, serve, cert=None):
        receiver = Receiver(serve, cert)
        self.addCleanup(receiver.close)
        return receiver

    def deliver(self, receiver, n, pad=0, endpoints=1, **settings):
        """All entries at their end, after one attempt each if nothing costs a retry."""
        self.configure(defaults={"retry_attempts": "3", "in_flight": "64", **settings})
        self.ingest([make_run(i, f"{receiver.url}/{i % endpoints}", pad) for i in range(n)])
        self.drain(limit_s=60)
        return self.list("--limit", str(n))


class Surplus(Wire):
    """A receiver whose answers are followed by bytes that nobody asked for."""

    N = 400

    def assert_delivers(self, receiver, duplicates, **settings):
        entries = self.deliver(receiver, self.N, **settings)
        found = collections.Counter((e["state"], e["attempts"]) for e in entries)
        self.note(f"{receiver.requests} requests on {receiver.connections} connections for "
                  f"{self.N} entries")
        again = [e["id"] for e in entries if e["attempts"] != 1]
        self.assertEqual(found, {("delivered", 1): self.N},
                         [self.ctl_json("show", entry) for entry in again[:3]])
        self.assertLessEqual(receiver.requests, self.N + duplicates)

    # So many may have been written before the first such bytes were seen:
    # the window's beginning, grown a little.
    FEW = 24

    def test_a_204_with_a_body_that_comes_later(self):
        self.assert_delivers(self.receiver(answers(b"HTTP/1.1 204 Fine\r\n\r\n", b"fine", 0.0005)),
                             self.FEW)

    def test_a_204_that_announces_its_body(self):
        self.assert_delivers(self.receiver(
            answers(b"HTTP/1.1 204 Fine\r\nContent-Length: 4\r\n\r\n", b"fine", 0.0005)), 0)

    def test_a_204_with_chunks_that_come_later(self):
        head = b"HTTP/1.1 204 Fine\r\nTransfer-Encoding: chunked\r\n\r\n"
        self.assert_delivers(self.receiver(answers(head, b"0\r\n\r\n", 0.0005)), 0)

    def test_a_line_end_behind_the_body(self):
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"
        self.assert_delivers(self.receiver(answers(head, b"\r\n", 0.0005)), self.FEW)

    def test_a_body_longer_than_announced(self):
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfi"
        self.assert_delivers(self.receiver(answers(head, b"ne, and more", 0.0005)), self.FEW)

    def test_over_tls(self):
        ca = Authority(self.folder)
        receiver = self.receiver(answers(b"HTTP/1.1 204 Fine\r\n\r\n", b"fine", 0.0005),
                                 ca.issue("good"))
        self.assert_delivers(receiver, self.FEW, ca_file=ca.file)

    def test_over_tls_in_the_record_of_the_body(self):
        """The library has it decrypted and gives nobody a sign."""
        ca = Authority(self.folder)
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"
        receiver = self.receiver(answers(head, b"fine, and more", 0.0005), ca.issue("good"))
        self.assert_delivers(receiver, 0, ca_file=ca.file)

    GONE = b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"

    def test_a_410_that_comes_later_over_tls(self):
        ca = Authority(self.folder)
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"
        self.assert_delivers(self.receiver(answers(head, self.GONE, 0.005), ca.issue("good")),
                             self.FEW, ca_file=ca.file)

    def test_a_second_answer_that_lies_unread_is_seen_over_tls(self):
        """It was taken for the alert of one that closes, and each request met it again."""
        ca = Authority(self.folder)
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"
        receiver = self.receiver(answers(head, self.GONE), ca.issue("good"))
        self.configure(defaults={"ca_file": ca.file, "in_flight": "1", "rate": "1/s"})
        self.ingest([make_run(i, f"{receiver.url}/") for i in range(4)])
        sender = self.drain(limit_s=60)
        self.assertEqual([e["state"] for e in self.list()], ["delivered"] * 4)
        self.assertEqual(receiver.requests, 4)
        # From 8.14 at the latest libcurl itself leaves a connection on which something lies unread.
        seen = sender.err.count("ev=surplus_bytes")
        self.assertTrue(seen == 1 or (seen == 0 and receiver.connections == 4),
                        (seen, receiver.connections))


def closes_after_each(receiver, peer):
    """Says farewell, as TLS wants it, and closes."""
    with receiver.lock:
        receiver.resumed += peer.session_reused
    receiver.read_request(peer)
    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    peer.settimeout(0.05)  # for the other's farewell, which does not come
    peer.unwrap()


def sockets_to(port):
    """States of this host's connections to the port."""
    lines = pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]
    return [line.split()[3] for line in lines if int(line.split()[2].split(":")[1], 16) == port]


class Kept(Wire):
    CLOSE_WAIT = "08"

    def test_what_a_receiver_closes_is_closed_by_us_and_resumed_later(self):
        """Over TLS its farewell lay unread, and libcurl took the connection for a good one."""
        ca = Authority(self.folder)
        receiver = self.receiver(closes_after_each, ca.issue("good"))
        receiver.resumed = 0
        port = int(receiver.url.split(":")[2].split("/")[0])
        self.configure(defaults={"ca_file": ca.file, "in_flight": "1"})
        sender = self.send()
        for n in range(1, 4):
            self.ingest([make_run(n, receiver.url)])
            self.wait_entries(f"delivery {n}", delivered=n)
            began = time.monotonic()
            # once the receiver has closed, its end is in no state that is called open
            wait_until(lambda: not {"01", self.CLOSE_WAIT} & set(sockets_to(port)),
                       "the sender's close", 10)
            self.note(f"{time.monotonic() - began:.1f} s")
        self.assertEqual((receiver.connections, receiver.resumed), (3, 2))
        self.assertEqual(sender.stop(), 0, sender.err)

    def test_a_sender_tells_what_the_limit_of_open_files_allows(self):
        def limited(n):
            return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (n, n))

        for limit, in_flight in ((600, 100), (600, 256), (20, None)):
            self.configure(sender={"in_flight": str(in_flight or 256)})
            sender = self.spawn(BIN / "runpost", "send", "--drain", "--outbox", self.outbox,
                                "--config", self.config, preexec=limited(limit))
            if in_flight is None:
                self.assertEqual(sender.wait(), 75, sender.err)
                continue
            self.assertEqual(sender.wait(), 0, sender.err)
            told = dict(re.findall(r"(\w+)=(\S+)", re.search("ev=sending .*", sender.err)[0]))
            at_once, kept = int(told["in_flight"]), int(told["connections"])
            self.assertEqual(told["open_files"], str(limit))
            self.assertLessEqual(at_once, in_flight)
            # and some for the process itself
            self.assertLess(3 * at_once + kept, limit)
            self.assertGreater(3 * at_once + kept, limit - 50)
            self.assertGreater(kept, at_once)


class Refusals(Wire):
    """A receiver that answers before it has read the body, and closes: the sender's write fails."""

    N = 320
    deadline_s = 120

    def assert_refused(self, status, cert=None, **settings):
        answer = b"HTTP/1.1 %d No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno" % status
        receiver = self.receiver(refuses(answer), cert)
        entries = self.deliver(receiver, self.N, pad=200000, endpoints=16, retry_attempts="1",
                               **settings)
        found = collections.Counter((e["state"], e["last_cause"]) for e in entries)
        self.note(f"{self.N} x {status}")
        self.assertEqual(found, {("dead", f"http_{status}"): self.N})
        self.assertEqual(receiver.requests, self.N)

    def test_the_status_counts(self):
        self.assert_refused(413)

    def test_the_status_counts_over_tls(self):
        ca = Authority(self.folder)
        self.assert_refused(401, ca.issue("good"), ca_file=ca.file)
