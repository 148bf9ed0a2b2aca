#!/usr/bin/env python3
"""Records the webhooks of the engine, byte for byte, as a fixture for the stories of the door.

usage: record.py BUILD_DIR > tests/fixtures/langgraph-js-requests.ndjson

A line a webhook: the operation that started the run, the head with its line ends, the body. They
are posted to 127.0.0.1:8484, where the door listens by default, so this must be free. The engine
must have been installed by `make interop`. Nothing of the machine is in what the engine sends.
"""

import json
import os
import socket
import sys
import threading

os.environ["RUNPOST_BIN"] = sys.argv[1]
from engine import Engine  # noqa: E402
from harness import Story, wait_until  # noqa: E402
from relay import Broken, Side  # noqa: E402

PORT = 8484
WEBHOOK = f"http://127.0.0.1:{PORT}/to/orders"
TEXT = "Grüße \u2028 \"A-1042\" \\ / \x01 你好 </script>"
# What is called, on a thread or stateless, how the path goes on, and with what the run begins.
CALLS = [
    ("create", True, "", {"order": "A-1042"}), ("stream", True, "", {"order": "A-1043"}),
    ("wait", True, "", {"order": TEXT}), ("stream", False, "", {"order": "A-1044"}),
    ("wait", False, "", {"order": "A-1045"}), ("create", False, "", {"order": "A-1046"}),
    ("wait", True, "", {"order": "A-1047", "fails": "no such order: \"A-1047\""}),
    ("wait", True, "/eu/~x/%C3%A4?token=T%2B1+c&q=%20&empty=", {"order": "A-1048"}),
]


class Record(Story):
    def runTest(self):
        got = []
        listener = socket.create_server(("127.0.0.1", PORT))
        self.addCleanup(listener.close)
        threading.Thread(target=self.listen, args=(listener, got), daemon=True).start()
        engine = Engine(self)
        for n, (operation, on_thread, rest, words) in enumerate(CALLS):
            thread = engine.thread() if on_thread else None
            engine.run(operation, WEBHOOK + rest, thread, **words)
            wait_until(lambda: len(got) > n, "the webhook")  # noqa: B023
            head, body = got[n]
            path = ("/threads/{thread_id}" if on_thread else "") + "/runs"
            path += "" if operation == "create" else f"/{operation}"
            sys.stdout.write(json.dumps({"operation": f"POST {path}", "head": head.decode(),
                                         "body": body.decode()}, ensure_ascii=False) + "\n")

    def listen(self, listener, got):
        while True:
            connection = Side(listener.accept()[0])
            try:
                while True:
                    got.append(connection.message())
                    connection.sock.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
            except Broken:
                pass


Record().debug()
