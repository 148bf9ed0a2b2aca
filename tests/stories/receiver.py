"""A receiver that counts what is open at it: how many requests it has taken and not yet answered,
at once, by host and by path. runpost-sink records arrivals, but not that.

One process, one port, any number of hosts: with bind 0.0.0.0 each address of 127.0.0.0/8 is one.
In a story it is a thread (Receiver); for the bench it is a program:

    receiver.py [--bind ADDR] [--port P] [--reach N] [--well N] RULE...

A RULE is PATH-PREFIX=STATUS:SECONDS or PATH-PREFIX=never; the longest prefix that fits decides, and
no rule means 200 at once. Prints "ready PORT" when it listens. It ends at SIGTERM, when --reach N
are open at once, or when it has answered 200 to --well N, with a JSON object: requests, answers by
status, the most that were open at once, and how many seconds after the first N were."""

import argparse
import asyncio
import collections
import json
import signal
import threading
import time

NEVER = None

# open_*: how many were, this one included, when it came.
Arrival = collections.namedtuple("Arrival", "at_s host path open_all open_host open_path")


class Ledger:
    """What was open when, and what was answered. Written by the loop's thread only."""

    def __init__(self, on_change=lambda ledger: None):
        self.on_change = on_change
        self.arrivals = []
        self.answers = []  # (at_s, status)
        self.well = 0      # of them 200
        self.open = collections.Counter()
        self.transports = set()

    def opened(self, host, path):
        keys = ((), host, (host, path))
        for key in keys:
            self.open[key] += 1
        self.arrivals.append(Arrival(time.monotonic(), host, path,
                                     *(self.open[key] for key in keys)))
        self.on_change(self)

    def closed(self, host, path):
        for key in ((), host, (host, path)):
            self.open[key] -= 1

    def answered(self, status):
        self.answers.append((time.monotonic(), status))
        self.well += status == 200
        self.on_change(self)


class Connection(asyncio.Protocol):
    """HTTP/1.1 with a content length, kept alive, one request after another."""

    def __init__(self, ledger, behave):
        self.ledger, self.behave = ledger, behave
        self.data, self.request, self.timer = b"", None, None

    def connection_made(self, transport):
        self.transport = transport
        self.ledger.transports.add(transport)
        self.host = transport.get_extra_info("sockname")[0]

    def connection_lost(self, exc):
        self.ledger.transports.discard(self.transport)
        if self.timer:
            self.timer.cancel()
        self.end_request()

    def data_received(self, data):
        self.data += data
        if self.request is None:
            self.take_request()

    def take_request(self):
        head, end, rest = self.data.partition(b"\r\n\r\n")
        if not end:
            return
        line, *fields = head.decode("latin-1").split("\r\n")
        length = next((int(field.partition(":")[2]) for field in fields
                       if field.lower().startswith("content-length:")), 0)
        if len(rest) < length:
            return
        self.data = rest[length:]
        self.request = line.split()[1].partition("?")[0]
        self.ledger.opened(self.host, self.request)
        answer = self.behave(self.request)
        if answer is NEVER:
            return
        status, delay_s = answer
        if delay_s:
            self.timer = asyncio.get_running_loop().call_later(delay_s, self.answer, status)
        else:
            self.answer(status)

    def answer(self, status):
        """It counts as closed before the answer is written: whoever reads it may send the next."""
        self.end_request()
        self.transport.write(b"HTTP/1.1 %d .\r\ncontent-length: 0\r\n\r\n" % status)
        self.ledger.answered(status)
        if self.data:
            self.take_request()

    def end_request(self):
        if self.request is not None:
            self.ledger.closed(self.host, self.request)
        self.request = None


async def listen(ledger, behave, bind, port):
    return await asyncio.get_running_loop().create_server(lambda: Connection(ledger, behave), bind,
                                                          port, backlog=4096)


class Receiver:
    """Of a story. behave(path): (status, seconds until it answers), or NEVER."""

    def __init__(self, story, behave=lambda path: (200, 0), bind="127.0.0.1", port=0):
        self.ledger = Ledger()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        story.addCleanup(self.stop)
        self._server = self._call(listen(self.ledger, behave, bind, port))
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    def stop(self):
        """Nobody listens any more, and all connections are closed."""
        if self._loop.is_closed():
            return
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _close(self):
        self._server.close()
        for transport in list(self.ledger.transports):
            transport.abort()
        await asyncio.sleep(0)  # the loop's next turn tells the connections

    def arrivals(self, prefix=""):
        return [a for a in list(self.ledger.arrivals) if a.path.startswith(prefix)]

    def count(self, prefix=""):
        return len(self.arrivals(prefix))

    def peak(self, what="open_all", prefix=""):
        """The most that were open at once: at all, at one host, at one path."""
        return max((getattr(a, what) for a in self.arrivals(prefix)), default=0)


def parse_rule(text):
    prefix, _, what = text.partition("=")
    if what == "never":
        return prefix, NEVER
    status, _, delay_s = what.partition(":")
    return prefix, (int(status), float(delay_s or 0))


def behave_by(rules):
    ordered = sorted(rules, key=lambda rule: -len(rule[0]))

    def behave(path):
        return next((what for prefix, what in ordered if path.startswith(prefix)), (200, 0))
    return behave


def summary(ledger, reach):
    first_s = ledger.arrivals[0].at_s if ledger.arrivals else 0
    return {"requests": len(ledger.arrivals),
            "answers": collections.Counter(status for _, status in ledger.answers),
            "peak": max((a.open_all for a in ledger.arrivals), default=0),
            "reached_s": next((a.at_s - first_s for a in ledger.arrivals if a.open_all == reach),
                              None)}


async def serve(options):
    over = asyncio.Event()

    def end_if_done(ledger):
        if ledger.open[()] == options.reach or ledger.well == options.well:
            over.set()

    ledger = Ledger(end_if_done)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    server = await listen(ledger, behave_by(options.rules), options.bind, options.port)
    print("ready", server.sockets[0].getsockname()[1], flush=True)
    await over.wait()
    print(json.dumps(summary(ledger, options.reach)), flush=True)


def main():
    parser = argparse.ArgumentParser(description="A receiver that counts what is open at it.")
    parser.add_argument("--bind", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--reach", type=int)
    parser.add_argument("--well", type=int)
    parser.add_argument("rules", nargs="*", type=parse_rule)
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
