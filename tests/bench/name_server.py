#!/usr/bin/env python3
"""name_server.py ADDRESS - a name server in which no name exists, and which never says a word about
one that begins with "hang". Prints "ready" when it listens."""

import socket
import sys

NO_SUCH_NAME = 0x8183


def main():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((sys.argv[1], 53))
        print("ready", flush=True)
        while True:
            query, peer = server.recvfrom(1500)
            if query[13:17].lower() != b"hang":  # the first label, behind the header and its length
                answer = query[:2] + NO_SUCH_NAME.to_bytes(2, "big") + query[4:6] + bytes(6)
                server.sendto(answer + query[12:question_end(query)], peer)


def question_end(query):
    at = 12
    while query[at]:
        at += query[at] + 1
    return at + 5  # the root's zero, type and class


if __name__ == "__main__":
    main()
