"""Starts, asks and ends the engine: LangGraph's JS server with the graph beside this file.

It is silent: no network but loopback, no browser, no telemetry.
"""

import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "stories"))
from harness import BIN, free_port, wait_until  # noqa: E402

INSTALLED = BIN / "interop" / "engine"
CLI = "node_modules/@langchain/langgraph-cli/dist/cli/cli.mjs"
QUIET = {"LANGGRAPH_CLI_NO_ANALYTICS": "1", "LANGSMITH_TRACING": "false",
         "LANGCHAIN_TRACING_V2": "false", "BROWSER": "none", "NO_COLOR": "1"}
READY_S = 60
STOP_S = 10
# What an operation of the engine's API is called, and the end of its path.
OPERATIONS = {"create": "", "stream": "/stream", "wait": "/wait"}


class Engine:
    """A server of its own folder; `workers` runs at a time. Each webhook whose request fails ends
    one of its worker loops for good, with a line in the log."""

    def __init__(self, story, workers=10):
        self.folder = story.folder / f"engine-{story.next_number()}"
        self.folder.mkdir()
        for name in ("graph.mjs", "langgraph.json", "package.json"):
            shutil.copy(HERE / name, self.folder)
        (self.folder / "node_modules").symlink_to(INSTALLED / "node_modules")
        self.workers = workers
        self.port = free_port()
        # What the environment of the tests says to LangSmith is not for this engine.
        unset = [part for name in os.environ if name.startswith(("LANGSMITH_", "LANGCHAIN_"))
                 for part in ("-u", name)]
        self.process = story.spawn(
            "env", "--chdir", self.folder, *unset, *(f"{k}={v}" for k, v in QUIET.items()),
            "node", INSTALLED / CLI, "dev", "--no-browser", "--no-reload", "-h", "127.0.0.1", "-p",
            self.port, "-n", workers, "-c", "langgraph.json", preexec=os.setsid)
        story.addCleanup(self.stop)
        wait_until(self._is_ready, "the engine to be ready", READY_S, 0.1)

    def _is_ready(self):
        # One whose graph does not load ends, with exit status 0.
        if self.process.poll() is not None:
            raise AssertionError(f"the engine ended: {self.log()[-3000:]}")
        try:
            return self.call("GET", "/ok")[0] == 200
        except OSError:
            return False

    def stop(self):
        """Ends the group: what was started, what that has started, and so on."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            deadline = time.monotonic() + STOP_S
            try:
                os.killpg(self.process.pid, number)
                while time.monotonic() < deadline:
                    self.process.poll()
                    os.killpg(self.process.pid, 0)
                    time.sleep(0.02)
            except ProcessLookupError:
                return

    def log(self):
        return self.process.out.decode(errors="replace") + self.process.err

    def failed_fetches(self):
        """How many webhooks' requests failed: so many worker loops are gone."""
        return len(re.findall(r"fetch failed", self.log()))

    def failures(self):
        """What the log says about them."""
        return "\n".join(part[:1500] for part in self.log().split("fetch failed")[1:])

    def call(self, method, path, body=None, wait_s=60):
        """(status, body) of one request to its API."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=wait_s)
        try:
            connection.request(method, path, None if body is None else json.dumps(body),
                               {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def thread(self):
        return json.loads(self.call("POST", "/threads", {})[1])["thread_id"]

    def run(self, operation, webhook, thread=None, **words):
        """Starts a run, on a thread or stateless; the body of the answer."""
        path = (f"/threads/{thread}" if thread else "") + "/runs" + OPERATIONS[operation]
        status, body = self.call("POST", path, {"assistant_id": "agent", "input": words,
                                                "webhook": webhook})
        if status != 200:
            raise AssertionError(f"{operation} was answered {status}: {body[:500]!r}")
        return body

    def statuses(self, threads):
        """The state of each thread's runs, in one list."""
        return [run["status"] for thread in threads
                for run in json.loads(self.call("GET", f"/threads/{thread}/runs")[1])]

    def wait_ended(self, threads, limit_s=60):
        """Until no run of these threads is pending or running; their states."""
        deadline = time.monotonic() + limit_s
        states = []
        for thread in threads:  # each is asked about until it has ended, and then no more
            def ended():
                now = self.statuses([thread])  # noqa: B023
                return now if not {"pending", "running"} & set(now) else None
            states += wait_until(ended, "all runs to end", deadline - time.monotonic(), 0.1)
        return states

    def loops_at_work(self, webhook, n):
        """Whether n runs can be at work at one time, so n worker loops live."""
        gate = self.folder / f"gate-{time.monotonic_ns()}"
        threads = [self.thread() for _ in range(n)]
        for thread in threads:
            self.run("create", webhook, thread, gate=str(gate))
        try:
            wait_until(lambda: self.statuses(threads).count("running") == n,
                       f"{n} runs to be at work at one time", 15, 0.1)
        finally:
            gate.touch()
        self.wait_ended(threads)
