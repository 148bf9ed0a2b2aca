"""Stories with a real run engine in front of the door: LangGraph's JS server (folder engine), which
posts the webhook of each run to `runpost serve`.

That engine tries once. A request that gets no answer is lost, and ends one of its worker loops:
once all are gone its runs stay pending for ever. So the door may be restarted at any time, but it
must not refuse or reset a connection.
"""

import concurrent.futures
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "engine"), str(HERE.parent / "stories")]
from engine import Engine  # noqa: E402
from engine_door import EngineDoor  # noqa: E402
from relay import Relay  # noqa: E402
from harness import FIXTURES, Story, free_port, json_lines, secret_text, wait_until  # noqa: E402

KEY = b"the key of the orders' receiver!"
TEXT = "Grüße \u2028 \"A-1042\" \\ / \x01 你好 </script>"
DOWN_ATTEMPTS = 5
LOOPS = 10
RESTARTS = 5
RESTART_RUNS = 240
RUN_MS = 150
WORKER_ENDS = 5
KILL_ROUNDS = 3
KILL_RUNS = 12
KILL_AFTER = 4
KILL_LOOPS = KILL_ROUNDS * KILL_RUNS + 4


class Engines:
    """A door that takes runs for `orders`, a relay before it, and a receiver that is not there
    yet."""

    deadline_s = 150
    held = True  # the door's listener, over its restarts

    def setUp(self):
        super().setUp()
        self.bodies = self.folder / "bodies"
        self.secret = self.file("secret", secret_text(KEY) + "\n")
        self.receiver_port = free_port()
        self.door = EngineDoor(self, held=self.held)
        self.relay = Relay(self.door.port)
        self.addCleanup(self.relay.close)
        # A breaker would park the runs while the receiver is down, with a probe now and then.
        orders = {"url": f"http://127.0.0.1:{self.receiver_port}/in", "secret_file": self.secret,
                  "door": "yes", "breaker": "off"}
        self.configure(endpoints=[("orders", orders)], defaults={"breaker": "off"},
                       door={"listen": f"127.0.0.1:{self.door.port}",
                             "hosts": f"127.0.0.1:{self.relay.port}"})
        self.door.start()

    def receiver(self):
        """Answers 401 to what is not signed with the key."""
        return self.sink("--secret-file", self.secret, "--record-dir", self.bodies,
                         port=self.receiver_port)

    def hook(self, port, rest=""):
        return f"http://127.0.0.1:{port}/to/orders{rest}"

    def accepted(self):
        return self.stats()["accepted"]

    def assert_arrived(self, sink, exchanges):
        """The receiver got each of these once, as the engine sent it."""
        record = sink.by_id()
        for exchange in exchanges:
            entry = exchange.receipt["id"]
            delivery, = record[entry]
            self.assertEqual((delivery["signature"], delivery["run_id"]),
                             ("ok", exchange.run["run_id"]))
            body = self.bodies / f"{entry}.{delivery['n']}"
            self.assertEqual(body.read_bytes(), exchange.body)

    def feed(self, engine, hook, n, **words):
        """Starts n runs, each on a thread of its own; the threads. The runs go on."""
        def start(_):
            thread = engine.thread()
            engine.run("create", hook, thread, **words)
            return thread
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            return list(pool.map(start, range(n)))


class Operations(Engines, Story):
    def calls(self, engine):
        """Each operation, on a thread and stateless, then a run that fails, then a path and a query
        that go on to the receiver."""
        hook = self.hook(self.relay.port)
        for thread in engine.thread(), None:
            for operation in "create", "stream", "wait":
                engine.run(operation, hook, thread, order=TEXT)
                yield thread
        engine.run("wait", hook, engine.thread(), order="A-1", fails=TEXT)
        yield
        engine.run("wait", hook + "/eu/%C3%A4?token=T%2B1+c&empty=", engine.thread(), order="A-2")
        yield

    def test_each_arrives_once_signed_and_as_the_engine_sent_it(self):
        sink = self.receiver()
        engine = Engine(self)
        for n, _ in enumerate(self.calls(engine), 1):
            wait_until(lambda: len(self.relay.answered(202)) == n, "the webhook")  # noqa: B023
        batch = [{"assistant_id": "agent", "input": {}, "webhook": self.hook(self.relay.port)}] * 2
        self.assertEqual(engine.call("POST", "/runs/batch", batch)[0], 200)
        wait_until(lambda: len(self.relay.answered(202)) == n + 2, "the webhooks of the batch")
        self.drain()
        exchanges = self.relay.answered(202)
        self.assertEqual(len(exchanges), len(self.relay.exchanges))
        self.assertEqual({e.receipt["status"] for e in exchanges}, {"queued"})
        self.assertEqual([e.receipt["run_id"] for e in exchanges],
                         [e.run["run_id"] for e in exchanges])
        self.assertEqual([e.run["status"] for e in exchanges].count("error"), 1)
        self.assert_arrived(sink, exchanges)
        paths = [line["path"] for line in sink.record()]
        self.assertEqual(paths.count("/in"), len(exchanges) - 1)
        self.assertEqual(paths.count("/in/eu/%C3%A4"), 1)
        self.assert_heads_as_recorded(exchanges)
        self.assert_sound(delivered=len(exchanges))
        self.assertEqual(engine.failed_fetches(), 0)

    def assert_heads_as_recorded(self, exchanges):
        """The stories of the door that run without an engine replay its recorded requests: they
        are true as long as it sends the same fields, in the same order."""
        def fields(head):
            lines = head.split("\r\n")[1:-2]
            return [line.partition(":")[0] if line.startswith(("host:", "content-length:"))
                    else line for line in lines]
        recorded = (FIXTURES / "langgraph-js-requests.ndjson").read_bytes()
        self.assertEqual({json.dumps(fields(e.head.decode())) for e in exchanges},
                         {json.dumps(fields(r["head"])) for r in json_lines(recorded)})

    def test_the_receiver_is_down(self):
        engine = Engine(self, LOOPS)
        threads = self.feed(engine, self.hook(self.relay.port), 2 * LOOPS)
        engine.wait_ended(threads)
        wait_until(lambda: len(self.relay.answered(202)) == len(threads), "the answers")
        sender = self.send()
        wait_until(lambda: all(e["attempts"] >= DOWN_ATTEMPTS for e in self.list()),
                   f"{DOWN_ATTEMPTS} attempts at each", every_s=0.1)
        engine.loops_at_work(self.hook(self.relay.port), LOOPS)
        sink = self.receiver()
        self.wait_entries("all to be delivered", delivered=len(threads) + LOOPS)
        sender.stop()
        self.assert_arrived(sink, self.relay.answered(202))
        self.assert_sound(delivered=len(threads) + LOOPS)


class WithoutRelay(Engines):
    """The engine meets the door's own sockets."""

    def setUp(self):
        super().setUp()
        self.sink = self.receiver()
        self.sender = self.send()
        self.engine = Engine(self, LOOPS)

    def assert_all_came(self, threads):
        """Every run ended, its webhook came once, and every worker loop lives."""
        self.assertEqual(self.engine.wait_ended(threads), ["success"] * len(threads))
        wait_until(lambda: self.accepted() + self.engine.failed_fetches() == len(threads),
                   "the last webhooks", every_s=0.1)
        self.assertEqual(self.engine.failed_fetches(), 0, self.engine.failures())
        self.wait_entries("all to be delivered", delivered=len(threads))
        runs = [line["run_id"] for line in self.sink.record()]
        self.assertEqual((len(runs), len(set(runs))), (len(threads), len(threads)))
        self.engine.loops_at_work(self.hook(self.door.port), LOOPS)
        self.wait_entries("the last ones", delivered=len(threads) + LOOPS)
        self.assertEqual(self.engine.failed_fetches(), 0, self.engine.failures())
        self.sender.stop()
        self.assert_sound(delivered=len(threads) + LOOPS)


class Restarts(WithoutRelay, Story):
    def test_the_door_is_restarted_under_load(self):
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            feeding = pool.submit(self.feed, self.engine, self.hook(self.door.port), RESTART_RUNS,
                                  takes_ms=RUN_MS)
            for n in range(1, RESTARTS + 1):
                share = n * RESTART_RUNS // (RESTARTS + 1)
                wait_until(lambda: self.accepted() >= share, f"{share} runs")  # noqa: B023
                self.assertEqual(self.door.stop(), 0, self.door.process.err)
                self.assertLess(self.accepted(), RESTART_RUNS, "it was restarted when all was over")
                self.door.start()
            self.assert_all_came(feeding.result())


class Supervised(WithoutRelay, Story):
    """The door has its listener itself, and keeps it when a worker dies."""

    held = False

    def test_a_worker_of_the_door_dies_between_requests(self):
        threads = []
        for n in range(1, WORKER_ENDS + 1):
            threads += self.feed(self.engine, self.hook(self.door.port), LOOPS)
            wait_until(lambda: self.accepted() == len(threads), "the runs of a round")
            self.door.kill_worker()
        self.assert_all_came(threads)
        self.assertGreater(self.door.process.err.count("ev=ready"), WORKER_ENDS)


class Kills(Engines):
    """kill -9 while webhooks come. What was not answered may cost the engine its worker loops, but
    what was answered is there."""

    def burst(self, engine):
        """KILL_RUNS runs that end all at once; returns when some are answered."""
        gate = self.folder / f"gate-{self.next_number()}"
        threads = self.feed(engine, self.hook(self.relay.port), KILL_RUNS, gate=str(gate))
        wait_until(lambda: engine.statuses(threads).count("running") == KILL_RUNS,
                   "the runs to wait at their gate", every_s=0.1)
        known = len(self.relay.answered(202))
        gate.touch()
        wait_until(lambda: len(self.relay.answered(202)) >= known + KILL_AFTER,
                   f"{KILL_AFTER} answers", every_s=0.0005)
        return threads

    def kill_in_bursts(self, kill):
        engine = Engine(self, KILL_LOOPS)
        threads = []
        for _ in range(KILL_ROUNDS):
            threads += self.burst(engine)
            kill()
            engine.wait_ended(threads)
            self.relay.wait_idle()
        lost = engine.failed_fetches()
        self.assertEqual(len(self.relay.answered(202)) + lost, KILL_ROUNDS * KILL_RUNS)
        self.assertEqual(self.relay.refused, 0)
        # Those that live go on.
        engine.loops_at_work(self.hook(self.relay.port), KILL_LOOPS - lost)
        self.relay.wait_idle()
        answered = self.relay.answered(202)
        self.note(f"{len(answered)} answered, {lost} not")
        self.assertLessEqual({e.receipt["id"] for e in answered},
                             {entry["id"] for entry in self.list("--limit", "1000")})
        sink = self.receiver()
        self.drain()
        self.assert_arrived(sink, answered)
        self.assert_sound(delivered=self.accepted())


class KilledWorker(Kills, Story):
    held = False

    def test_what_was_answered_is_there(self):
        self.kill_in_bursts(self.door.kill_worker)


class KilledDoor(Kills, Story):
    def test_what_was_answered_is_there(self):
        def kill():
            self.door.kill()
            self.door.start()
        self.kill_in_bursts(kill)
