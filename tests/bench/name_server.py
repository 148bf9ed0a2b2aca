#!/usr/bin/env python3
"""name_server.py ADDRESS - a name server in which a name whose first label ends in an address
exists (h7-127-1-0-7.bench.test is 127.1.0.7) and no other does, and which never says a word about
one that begins with "hang". Prints "ready" when it listens, and at SIGTERM how many times an
address was asked for."""

import signal
import socket
import sys

FOUND, NO_SUCH_NAME = 0x8580, 0x8183
A = 1


def main():
    lookups = 0

    def end(*_):
        print(lookups, flush=True)
        sys.exit(0)

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((sys.argv[1], 53))
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        signal.signal(signal.SIGTERM, end)
        print("ready", flush=True)
        while True:
            query, peer = server.recvfrom(1500)
            at = question_end(query)
            lookups += query[at - 4:at - 2] == A.to_bytes(2, "big")
            # The first label stands behind the header and its length.
            label = query[13:13 + query[12]].decode("ascii", "replace").lower()
            if not label.startswith("hang"):
                server.sendto(answer(query[:at], label), peer)


def answer(query, label):
    """To one question: name, type and class."""
    address = bytes(int(part) for part in label.split("-")[-4:] if part.isdigit())
    known = len(address) == 4
    wants_it = known and query[-4:-2] == A.to_bytes(2, "big")
    head = (query[:2] + (FOUND if known else NO_SUCH_NAME).to_bytes(2, "big") + b"\0\1"
            + (b"\0\1" if wants_it else b"\0\0") + bytes(4))
    # The name again, by its place in the question; a minute to live.
    record = b"\xc0\x0c" + query[-4:] + b"\0\0\0\x3c" + b"\0\4" + address
    return head + query[12:] + (record if wants_it else b"")


def question_end(query):
    at = 12
    while query[at]:
        at += query[at] + 1
    return at + 5  # the root's zero, type and class


if __name__ == "__main__":
    main()
