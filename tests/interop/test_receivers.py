"""Stories with receivers in other people's servers: the JDK's httpserver,
gunicorn (sync and gevent), Puma.

Each server runs one small application (folder receivers), which notes what it got. Each story holds
for each server: runs over kept connections, connections that end just when a request comes, a
restart under load, and bodies that the receiver refuses. An attempt too many that the receiver did
not cause is a failure, and so is a cause that is not exact.
"""

import collections
import pathlib
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "stories"))
from harness import Story, free_port, make_run, wait_until  # noqa: E402

PROGRAMS = pathlib.Path(__file__).resolve().parent / "receivers"
IN_FLIGHT = 64
KEEP_ALIVE_S = 1
RUNS = 2000
# The fastest of them takes 2,000 in a second, in which a busy machine may not come to stop it.
RESTART_RUNS = 8000
RACE_ROUNDS = 12
RACE_SPREAD_S = 0.06
REFUSED = 120
REFUSED_BYTES = (300_000, 1_000_000, 3_000_000)
# What a server that goes away and comes back may do to a request.
RESTART_CAUSES = {"connect", "reset", "http_503"}


class Receiver:
    """One of the servers, with the record of what its application got."""

    def __init__(self, story, argv, env):
        self.record_path = pathlib.Path(env["RECORD"])
        self.port = int(env["PORT"])
        self.process = story.spawn(*argv, env=env)
        wait_until(self._is_listening, f"{argv[0]} to listen", every_s=0.05)

    def _is_listening(self):
        if self.process.poll() is not None:
            raise AssertionError(
                f"the server ended: {self.process.err[-2000:]}{self.process.out[-2000:]!r}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def has_seen_some(self):
        return self.record_path.exists() and self.record_path.stat().st_size > 0

    def seen(self):
        """webhook-id -> how often it came."""
        text = self.record_path.read_text() if self.record_path.exists() else ""
        return collections.Counter(line.split()[0] for line in text.splitlines())


class Receivers:
    """The stories. A class of a server brings `argv`, the command that starts it on self.port."""

    deadline_s = 180

    def setUp(self):
        super().setUp()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.configure(defaults={"in_flight": str(IN_FLIGHT), "timeout": "20s", "retry_cap": "1s"})

    def start(self):
        env = {"RECORD": str(self.folder / "record"), "PORT": str(self.port)}
        return Receiver(self, self.argv(env), env)

    def attempts_too_many(self):
        """The attempts that failed, of all entries."""
        again = [entry["id"] for entry in self.list() if entry["attempts"] > 1]
        logs = self.ctl_json("show", *again) if again else []
        return [attempt for entry in logs
                for attempt in entry["attempt_log"] if attempt["outcome"] != "delivered"]

    def test_runs_over_kept_connections(self):
        receiver = self.start()
        receipts = self.ingest([make_run(n, self.url + "/hook", pad=1500) for n in range(RUNS)])
        self.drain(limit_s=90)
        self.assertEqual(self.attempts_too_many(), [])
        self.assertEqual(receiver.seen(), collections.Counter(r["id"] for r in receipts))
        self.assert_sound(delivered=RUNS)

    def test_connections_that_end_when_a_request_comes(self):
        receiver = self.start()
        sender = self.send()
        ids = []
        for n in range(RACE_ROUNDS):
            first = n * IN_FLIGHT
            runs = [make_run(first + i, self.url + "/hook") for i in range(IN_FLIGHT)]
            ids += [r["id"] for r in self.ingest(runs)]
            self.wait_entries("a round", delivered=len(ids))
            # The scene itself, not a wait for something: the next round meets the end
            # of this one's connections.
            time.sleep(KEEP_ALIVE_S + (2 * n / (RACE_ROUNDS - 1) - 1) * RACE_SPREAD_S)
        sender.stop()
        self.assertEqual(self.attempts_too_many(), [])
        self.assertEqual(receiver.seen(), collections.Counter(ids))
        self.assert_sound(delivered=len(ids))

    def test_a_restart_under_load(self):
        receiver = self.start()
        receipts = self.ingest([make_run(n, self.url + "/hook", pad=1500)
                                for n in range(RESTART_RUNS)])
        sender = self.send()
        wait_until(receiver.has_seen_some, "the first deliveries", every_s=0.005)
        receiver.process.stop()
        self.assertLess(len(receiver.seen()), RESTART_RUNS,
                        "the server was stopped when all was over")
        receiver = self.start()
        self.wait_entries("all to be delivered", limit_s=90, delivered=RESTART_RUNS)
        sender.stop()
        failed = self.attempts_too_many()
        causes = collections.Counter(a["outcome"] for a in failed)
        self.note(f"failed attempts: {dict(causes)}")
        self.assertLessEqual(set(causes), RESTART_CAUSES, failed[:3])
        seen = receiver.seen()
        self.assertEqual(set(seen), {r["id"] for r in receipts})
        # One that came twice was under way when the server went, and its answer never came back.
        self.assertLessEqual(sum(seen.values()) - RESTART_RUNS, IN_FLIGHT)
        self.assert_sound(delivered=RESTART_RUNS)

    def test_bodies_that_are_refused(self):
        self.configure(defaults={"in_flight": str(IN_FLIGHT), "timeout": "20s",
                                 "permanent_statuses": "413"})
        receiver = self.start()
        receipts = self.ingest([make_run(n, self.url + "/refuse",
                                         pad=REFUSED_BYTES[n % len(REFUSED_BYTES)])
                                for n in range(REFUSED)])
        self.drain(limit_s=90)
        attempts = [a for entry in self.ctl_json("show", *[r["id"] for r in receipts])
                    for a in entry["attempt_log"]]
        self.assertEqual(collections.Counter(a["outcome"] for a in attempts), {"http_413": REFUSED})
        self.assertEqual(receiver.seen(), collections.Counter(r["id"] for r in receipts))
        self.assert_sound(dead=REFUSED)


class JdkHttpserver(Receivers, Story):
    def argv(self, env):
        return ["java", "-XX:TieredStopAtLevel=1",
                f"-Dsun.net.httpserver.idleInterval={KEEP_ALIVE_S}",
                "-Dsun.net.httpserver.clockTick=100", PROGRAMS / "Receiver.java", env["PORT"],
                env["RECORD"]]


class Gunicorn(Receivers):
    def argv(self, env):
        return ["/usr/bin/gunicorn", "--chdir", PROGRAMS, "--bind", f"127.0.0.1:{env['PORT']}",
                "--log-level", "error", "--keep-alive", KEEP_ALIVE_S, "--graceful-timeout", "10",
                *self.options, "receiver_wsgi:application"]


class GunicornSync(Gunicorn, Story):
    options = ("--worker-class", "sync", "--workers", "4")


class GunicornGevent(Gunicorn, Story):
    options = ("--worker-class", "gevent", "--workers", "2")


class Puma(Receivers, Story):
    def argv(self, env):
        settings = self.file(
            "puma.rb", f"persistent_timeout {KEEP_ALIVE_S}\nthreads 16, 16\nlog_requests false\n")
        return ["/usr/bin/puma", "-q", "-C", settings, "-b", f"tcp://127.0.0.1:{env['PORT']}",
                PROGRAMS / "receiver.ru"]
