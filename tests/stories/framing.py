"""Probes of how a server frames HTTP/1.1 requests: what known servers take although it is
malformed, and what they refuse although it is well-formed.

`check` sends a probe to a server as a whole, byte by byte and split at every byte. A malformed one
must get its status and nothing else, and the connection must end. Behind a well-formed one goes a
second request on the same connection, which must be answered too. Which bodies a server took is for
it to tell: it knows where to look.
"""

import re
import socket

BODY = b'{"a":1}'
LIMIT_S = 20
LONG = 4096  # a longer probe goes in fewer pieces
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
ONE_CHUNK = b"7\r\n" + BODY + b"\r\n0\r\n\r\n"
SIZED = b"Content-Length: 7\r\n\r\n" + BODY


def post(rest, line=b"POST %PATH% HTTP/1.1", host=b"Host: %HOST%\r\n"):
    return line + b"\r\n" + host + rest


MALFORMED = {
    "two different lengths": (400, post(b"Content-Length: 8\r\n" + SIZED)),
    "length and chunked": (400, post(b"Content-Length: 7\r\n" + CHUNKED + ONE_CHUNK)),
    "length with a sign": (400, post(b"Content-Length: +7\r\n\r\n" + BODY)),
    "space before the colon": (400, post(b"Content-Length : 7\r\n\r\n" + BODY)),
    "bare line feeds": (400, post(SIZED).replace(b"\r\n", b"\n")),
    "folded field": (400, post(b"X: 1\r\n 2\r\n" + SIZED)),
    "NUL in a value": (400, post(b"X: 1\x002\r\n" + SIZED)),
    "empty name": (400, post(b": 1\r\n" + SIZED)),
    "no host": (400, post(SIZED, host=b"")),
    "two hosts": (400, post(b"Host: %HOST%\r\n" + SIZED)),
    "unknown coding": (501, post(b"Transfer-Encoding: xchunked\r\n\r\n" + ONE_CHUNK)),
    "chunked, identity": (501, post(b"Transfer-Encoding: chunked, identity\r\n\r\n" + ONE_CHUNK)),
    "chunk size with 0x": (400, post(CHUNKED + b"0x" + ONE_CHUNK)),
    "chunks that end in line feeds": (400, post(CHUNKED + ONE_CHUNK.replace(b"\r\n", b"\n"))),
    "chunk longer than its size": (400, post(CHUNKED + b"5" + ONE_CHUNK[1:])),
    "head of 40 KiB": (431, post(b"X: " + b"x" * 40960 + b"\r\n" + SIZED)),
    "1,000 fields": (431, post(b"X: 1\r\n" * 1000 + SIZED)),
    "HTTP/0.9": (400, b"POST %PATH%\r\n\r\n"),
    "HTTP/2.0": (505, post(SIZED, b"POST %PATH% HTTP/2.0")),
}
WELL_FORMED = {
    "chunk extensions": post(CHUNKED + b'3;a=b;c;d="x;\\"y"\r\n{"a\r\n4 ; e = f\r\n":1}\r\n'
                             b"0;g\r\n\r\n"),
    "two equal lengths": post(b"Content-Length: 7\r\n" + SIZED),
    "absolute form": post(SIZED, b"POST http://%HOST%%PATH% HTTP/1.1"),
    "empty lines before": b"\r\n\r\n" + post(SIZED),
    "white space around values": post(b"X:\t1 \t 2\t\r\nContent-Length: \t 7 \t\r\n\r\n" + BODY),
    "chunked with trailers": post(CHUNKED + ONE_CHUNK[:-2] + b"X-T: 1\r\nX-U:\r\n\r\n"),
}
# Of the newer ways to smuggle, by the names that their finders gave them.
SMUGGLED = {
    "TERM.EXT": (400, post(CHUNKED + b"7;\nxx\r\n" + BODY + b"\r\n0\r\n\r\n")),
    "EXT.TERM": (400, post(CHUNKED + b"7\nxx\r\n" + BODY + b"\r\n0\r\n\r\n")),
    "CR in an extension": (400, post(CHUNKED + b"7;a\rb\r\n" + BODY + b"\r\n0\r\n\r\n")),
    "line in a quoted extension": (400, post(CHUNKED + b'7;a="b\r\n' + BODY + b'"\r\n0\r\n\r\n')),
    "TERM.SPILL": (400, post(CHUNKED + b"7\r\n" + BODY + b"\n0\r\n\r\n")),
    "two bytes behind a chunk": (400, post(CHUNKED + b"7\r\n" + BODY + b"xx0\r\n\r\n")),
    "size beyond 64 bits": (413, post(CHUNKED + b"1000000000000000" + ONE_CHUNK)),
    "size with an underscore": (400, post(CHUNKED + b"0_7\r\n" + BODY + b"\r\n0\r\n\r\n")),
    "framing in a trailer": (400, post(CHUNKED + ONE_CHUNK[:-2] + b"Content-Length: 9\r\n\r\n")),
    "request as a trailer": (400, post(CHUNKED + ONE_CHUNK[:-2] + b"GET / HTTP/1.1\r\n\r\n")),
    "folded coding": (501, post(b"Transfer-Encoding:\r\n chunked\r\n\r\n" + ONE_CHUNK)),
    "coding with a vertical tab": (400, post(b"Transfer-Encoding: \x0bchunked\r\n\r\n"
                                             + ONE_CHUNK)),
    "coding with a comma": (501, post(b"Transfer-Encoding: chunked,\r\n\r\n" + ONE_CHUNK)),
    "coding twice": (501, post(b"Transfer-Encoding: chunked\r\n" + CHUNKED + ONE_CHUNK)),
    "list of lengths": (400, post(b"Content-Length: 7, 7\r\n\r\n" + BODY)),
    "bare CR ends a field": (400, post(b"X: 1\rContent-Length: 7\r\n\r\n")),
    "CR CR LF": (400, post(b"X: 1\r\r\n" + SIZED)),
    "expectation with more": (417, post(b"Expect: y 100-continue\r\n" + SIZED)),
    "folded expectation": (417, post(b"Expect:\r\n 100-continue\r\n" + SIZED)),
    "target on another host": (400, post(SIZED, b"POST http://other.example%PATH% HTTP/1.1")),
    "hosts joined": (400, post(SIZED, host=b"Host: %HOST%, other.example\r\n")),
    "coding in HTTP/1.0": (400, post(CHUNKED + ONE_CHUNK, b"POST %PATH% HTTP/1.0")),
}


class Server:
    """Where the probes go. `connect` returns a new socket; `path` takes a POST of BODY and answers
    one of `taken`; a GET of `next_path` is answered `next_status`. `headers` go along with each."""

    def __init__(self, connect, path, host, taken, next_path, next_status, headers=b""):
        self.connect, self.taken, self.next_status = connect, taken, next_status
        self.words = {b"%PATH%": path, b"%HOST%": host}
        self.headers = headers
        self.next = self.fill(b"GET " + next_path + b" HTTP/1.1\r\nHost: %HOST%\r\n"
                              b"Connection: close\r\n\r\n")

    def fill(self, data):
        for word, value in self.words.items():
            data = data.replace(word, value)
        at = data.find(b"\n", data.find(b"HTTP/")) + 1
        return data[:at] + self.headers + data[at:] if at and self.headers else data


def pieces(data, cut, step):
    yield data[:cut]
    for at in range(cut, len(data), step):
        yield data[at:at + step]


def ways(n):
    """(first piece, each further one): whole, byte by byte, split at every byte."""
    yield n, n
    step = 1 if n <= LONG else 997
    yield step, step
    for cut in range(step, n, step):
        yield cut, n


def talk(server, data, cut, step):
    """All that comes back until the server ends the connection."""
    got = b""
    with server.connect() as s:
        s.settimeout(LIMIT_S)
        if s.family != socket.AF_UNIX:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for piece in pieces(data, cut, step):
                s.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before all was sent
        while piece := s.recv(65536):
            got += piece
    return got


def statuses(answer):
    return [int(s) for s in re.findall(rb"(?:^|\n)HTTP/1\.1 (\d{3})", answer)]


def check_malformed(test, server, name, status, probe):
    data = server.fill(probe)
    for cut, step in ways(len(data)):
        with test.subTest(probe=name, cut=cut, step=step):
            answer = talk(server, data, cut, step)
            test.assertEqual(statuses(answer), [status], answer)
            test.assertIn(b"\r\nConnection: close\r\n", answer)


def check_well_formed(test, server, name, probe):
    """Returns how often it was sent."""
    data = server.fill(probe)
    n = 0
    for n, (cut, step) in enumerate(ways(len(data)), 1):
        with test.subTest(probe=name, cut=cut, step=step):
            answer = talk(server, data + server.next, cut, step)
            first, *rest = statuses(answer)
            test.assertIn(first, server.taken, answer)
            test.assertEqual(rest, [server.next_status], answer)
    return n
