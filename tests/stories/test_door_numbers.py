"""Stories of the front door's numbers: what a door has left in its file is what `metrics`, `stats`
and `doctor` tell, and a file that is none keeps nobody from the rest."""

import fcntl
import os
import re
import signal
import struct
import time

from door import Client, Door
from harness import BIN, Story, descendants, envelope, is_alive, json_lines, make_run, wait_until
from test_metrics import parse, promtool

# src/serve/door_counts.h: all are u64 in the order of the struct.
FIELDS = [("format", 1), ("answers", 40), ("refused", 48), ("runs", 8), ("requests_bytes", 1),
          ("connections", 1), ("held", 1), ("starts", 1), ("failed", 1),
          ("batches", 17), ("waits", 17), ("kept", 1), ("kept_bytes", 1), ("lost", 1),
          ("lost_bytes", 1), ("last_start_at_ms", 1), ("last_queued_at_ms", 1),
          ("last_lost_at_ms", 1), ("last_reject_at_ms", 1), ("last_reject", 1),
          ("last_access_at_ms", 1), ("last_access", 1), ("nothing", 301), ("now", 64)]
FORMAT = 0x72702d646f6f7201
ACCEPTED, REFUSED_ACCESS, REFUSED_JSON = 1, 5, 13  # places of 202, unauthorized, bad_json


class DoorNumbers(Story):
    def write(self, **fields):
        words = []
        for name, n in FIELDS:
            value = fields.get(name, FORMAT if name == "format" else 0)
            given = value if isinstance(value, dict) else {0: value}
            words += [given.get(i, 0) for i in range(n)]
        path = self.outbox / "door"
        path.write_bytes(struct.pack("=512Q", *words))
        path.chmod(0o600)
        return path

    def hold_slot(self, path, slot=0):
        """As a living door does; the lock is that of the descriptor."""
        fd = os.open(path, os.O_RDWR)
        self.addCleanup(os.close, fd)
        lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 4096 - (8 - slot) * 64, 1, 0)
        fcntl.fcntl(fd, 37, lock)  # F_OFD_SETLK

    def metrics(self):
        text = self.ctl("metrics").out.decode()
        promtool(self, text)
        return text, parse(text)

    def checks(self):
        done = self.ctl("doctor", "--json", code=None)
        return {c["check"]: (c["level"], c["text"], c["remedy"]) for c in json_lines(done.out)}

    def test_without_a_door_nothing_is_said_of_one(self):
        self.ingest([envelope(1, "http://127.0.0.1:9/")])
        self.assertNotIn("runpost_door_", self.ctl("metrics").out.decode())
        self.assertIsNone(self.stats()["door"])
        self.assertEqual({"door", "rejects", "access"} & set(self.checks()), set())
        self.assertFalse((self.outbox / "door").exists())

    def test_the_numbers_of_a_door_are_told(self):
        self.ingest([])
        path = self.write(answers={ACCEPTED: 7, 3: 2, 39: 1}, refused={REFUSED_JSON: 2, 47: 1},
                          runs={0: 6, 1: 1, 3: 2}, requests_bytes=900, connections=5,
                          held=3, starts=2, failed=1, batches={0: 7, 1: 3, 4: 1},
                          waits={0: 4_500_000, 1: 2, 16: 1}, kept=2, kept_bytes=50,
                          now={0: 4711, 1: 1, 2: 4, 3: 2, 4: 1, 5: 99, 8: 4712, 9: 2, 10: 8})
        self.hold_slot(path)
        text, m = self.metrics()
        self.assertEqual(m['runpost_door_requests_total{status="202"}'], 7)
        self.assertEqual(m['runpost_door_requests_total{status="400"}'], 2)
        self.assertEqual(m['runpost_door_requests_total{status="other"}'], 1)
        self.assertEqual(m['runpost_door_refused_total{code="bad_json"}'], 2)
        self.assertEqual(m['runpost_door_refused_total{code="other"}'], 1)
        self.assertEqual([m[f'runpost_door_runs_total{{result="{r}"}}'] for r in
                          ("queued", "duplicate", "skipped", "rejected")], [6, 1, 0, 2])
        self.assertEqual(m["runpost_door_request_bytes_total"], 900)
        self.assertEqual(m["runpost_door_commit_runs_count"], 4)
        self.assertEqual(m["runpost_door_commit_runs_sum"], 7)
        self.assertEqual(m['runpost_door_commit_runs_bucket{le="4"}'], 4)
        self.assertEqual(m["runpost_door_commit_wait_seconds_sum"], 4.5)
        self.assertEqual(m['runpost_door_commit_wait_seconds_bucket{le="20"}'], 2)
        self.assertEqual(m['runpost_door_commit_wait_seconds_bucket{le="+Inf"}'], 3)
        self.assertEqual(m['runpost_door_rejects_total{kept="yes"}'], 2)
        # of two doors one lives
        self.assertEqual(m["runpost_door_connections_open"], 4)
        self.assertEqual(m['runpost_door_workers{state="accepting"}'], 1)
        self.assertEqual(m['runpost_door_workers{state="full"}'], 0)
        self.assertEqual(m["runpost_door_bodies_bytes"], 99)
        door = self.stats()["door"]
        self.assertEqual((door["queued"], door["duplicate"], door["rejected"]), (6, 1, 2))
        self.assertEqual(door["answers"], {"202": 7, "400": 2, "other": 1})
        self.assertEqual(door["refused"], {"bad_json": 2, "other": 1})
        self.assertEqual((door["workers"], door["state"], door["connections_open"]),
                         (1, "accepting", 4))
        self.assertEqual((door["last_reject_at"], door["last_reject"]), (None, None))
        checks = self.checks()
        self.assertEqual({checks[c][0] for c in ("door", "rejects", "access")}, {"ok"})
        self.assertIn("accepting", checks["door"][1])

    def test_the_terminal_shows_the_door(self):
        self.ingest([])
        self.write(runs={0: 12, 1: 2}, kept=3, last_queued_at_ms=int(time.time() * 1000) - 5000)
        master, slave = os.openpty()
        self.addCleanup(os.close, master)
        done = self.spawn(BIN / "runpostctl", "stats", "--outbox", self.outbox, stdout=slave)
        os.close(slave)
        self.assertEqual(done.wait(), 0)
        screen = os.read(master, 65536).decode()
        self.assertRegex(screen, r"(?m)^door +accepted 12, again 2, refused by content 3;"
                                 r" last accepted .*not open\r?$")

    def test_bodies_that_were_refused_lately_are_told_and_old_ones_are_not(self):
        self.ingest([])
        now = int(time.time() * 1000)
        self.write(kept=3, last_reject_at_ms=now - 60_000, last_reject=REFUSED_JSON)
        warning, = [w for w in self.stats()["warnings"] if "door" in w["text"]]
        self.assertRegex(warning["text"], r"refused bodies by content: 3, .*bad_json")
        level, text, _ = self.checks()["rejects"]
        self.assertEqual(level, "warn")
        self.assertRegex(text, r"^3 bodies .*bad_json")
        self.assertIn("\n! the door refused", "\n" + self.ctl("stats").err)
        self.configure(door={"rejects": self.folder / "refused here.ndjson"})
        warning, = [w for w in self.stats()["warnings"] if "door" in w["text"]]
        self.assertEqual(warning["command"], f"less '{self.folder}/refused here.ndjson'")
        self.assertEqual(self.checks()["rejects"][2], warning["command"])
        self.write(kept=3, last_reject_at_ms=now - 3_700_000, last_reject=REFUSED_JSON)
        self.assertEqual([w for w in self.stats()["warnings"] if "door" in w["text"]], [])
        self.assertEqual(self.checks()["rejects"][0], "ok")

    def test_bodies_that_are_not_kept_are_a_failure(self):
        self.ingest([])
        now = int(time.time() * 1000)
        self.write(lost=2, last_lost_at_ms=now - 1000, last_reject_at_ms=now - 1000,
                   last_reject=99)
        warning, = [w for w in self.stats()["warnings"] if "door" in w["text"]]
        self.assertRegex(warning["text"], "could not keep .* 2 bodies are lost")
        self.assertIn("runpostctl doctor", warning["command"])
        level, text, remedy = self.checks()["rejects"]
        self.assertEqual(level, "fail")
        self.assertIn("2 bodies", text)
        self.assertIn("[door] rejects", remedy)
        self.assertEqual(self.stats()["door"]["last_reject"], "other")

    def test_those_who_may_not_come_in_are_a_warning(self):
        self.ingest([])
        self.write(refused={REFUSED_ACCESS: 4}, last_access=REFUSED_ACCESS,
                   last_access_at_ms=int(time.time() * 1000) - 1000)
        level, text, remedy = self.checks()["access"]
        self.assertEqual(level, "warn")
        self.assertRegex(text, r"^4 requests .*unauthorized")
        self.assertIn("ev=refused", remedy)
        self.assertEqual(self.stats()["door"]["access_refused"], 4)

    def test_a_file_that_is_none_of_a_doors_is_told_and_everything_else_works(self):
        self.ingest([envelope(1, "http://127.0.0.1:9/")])
        door = self.outbox / "door"
        for make in (lambda: door.write_text("somebody's notes"),
                     lambda: self.write(format=FORMAT + 1), lambda: os.mkfifo(door),
                     lambda: door.symlink_to("/dev/zero"), door.mkdir):
            make()
            text, m = self.metrics()
            self.assertEqual(m['runpost_entries{state="waiting"}'], 1)
            self.assertNotIn("runpost_door_", text)
            stats = self.stats()
            self.assertIsNone(stats["door"])
            self.assertTrue([w for w in stats["warnings"] if "door" in w["text"]])
            self.assertEqual(self.checks()["door"][0], "warn")
            (door.rmdir if door.is_dir() and not door.is_symlink() else door.unlink)()

    def test_counters_are_named_as_counters(self):
        self.ingest([])
        self.write()
        text, _ = self.metrics()
        kinds = dict(re.findall(r"^# TYPE (runpost_door_\S+) (\S+)$", text, re.M))
        self.assertGreater(len(kinds), 15)
        for name, kind in kinds.items():
            self.assertEqual(name.endswith("_total"), kind == "counter", name)


class Watched(Story):
    """A real door, and the worker beside it for those who watch."""

    def open(self, **door):
        self.sink_url = self.sink().hook()
        self.configure(endpoints=[("hooks", {"url": self.sink_url, "door": "yes"})],
                       door={"listen": "127.0.0.1:0", **door}, ui={"listen": "127.0.0.1:0"})
        self.door = Door(self)
        self.wait_watching(1)

    def wait_watching(self, times):
        def look():
            found = re.findall(r"ev=watching addresses=http://(\S+):(\d+)", self.door.process.err)
            return found if len(found) >= times else None

        host, port = wait_until(look, "ev=watching")[-1]
        self.watch = (host, int(port))

    def get(self, target, headers=None):
        with Client(self.watch) as client:
            return client.get(target, headers)

    def watch_metrics(self):
        """Those of now: an answer is good for a second."""
        text = self.get("/metrics").body.decode()
        promtool(self, text)
        return text, parse(text)

    def wait_metric(self, name, value):
        wait_until(lambda: self.watch_metrics()[1].get(name) == value, f"{name} = {value}",
                   every_s=0.2)

    def test_what_the_door_does_is_seen_from_outside(self):
        rejects = self.folder / "rejects"
        self.open(rejects=rejects)
        wait_until(lambda: self.get("/readyz").status == 200, "readiness")
        self.assertEqual(self.get("/healthz").json, {"status": "ok"})
        run = make_run(1, "http://ignored.example/")
        self.assertEqual([self.door.ask("/to/hooks", run).status for _ in range(2)], [202, 200])
        self.assertEqual(self.door.ask("/to/hooks", b"{oh").status, 400)
        self.assertEqual(self.door.ask("/to/nobody", run).status, 404)
        self.assertEqual(self.door.ask("/to/hooks", run, {"Host": "a.example"}).status, 421)
        self.wait_metric('runpost_door_requests_total{status="421"}', 1)
        text, m = self.watch_metrics()
        self.assertEqual([m[f'runpost_door_runs_total{{result="{r}"}}']
                          for r in ("queued", "duplicate", "rejected")], [1, 1, 1])
        self.assertEqual([m[f'runpost_door_requests_total{{status="{s}"}}']
                          for s in (202, 200, 400, 404)], [1, 1, 1, 1])
        self.assertEqual(m['runpost_door_refused_total{code="bad_json"}'], 1)
        self.assertEqual(m['runpost_door_refused_total{code="host"}'], 1)
        self.assertEqual(m["runpost_door_commit_wait_seconds_count"], 3)
        self.assertEqual(m['runpost_door_rejects_total{kept="yes"}'], 1)
        self.assertEqual(m['runpost_door_rejects_bytes_total{kept="yes"}'], 3)
        self.assertEqual(m['runpost_door_workers{state="accepting"}'], 1)
        self.assertEqual(m["runpost_ingest_lines_total{result=\"accepted\"}"], 1)
        self.assertEqual(set(parse(self.ctl("metrics").out.decode())), set(m))
        self.assertNotRegex(text, r"nobody|a\.example|ignored|msg_")
        door = self.stats()["door"]
        self.assertEqual((door["queued"], door["last_reject"], door["last_access"]),
                         (1, "bad_json", "host"))
        self.assertEqual(rejects.read_bytes(), b"{oh\n")
        warning, = [w for w in self.stats()["warnings"] if "door" in w["text"]]
        self.assertEqual(warning["command"], f"less {rejects}")

    def test_bodies_that_no_file_keeps_are_counted_as_lost(self):
        self.open()
        lines = b"\n".join([b"{one", make_run(1, self.sink_url), b"{two"])
        answer = self.door.ask("/v1/runs", lines, {"Content-Type": "application/x-ndjson"})
        self.assertEqual(answer.status, 207)
        door = self.stats()["door"]
        self.assertEqual((door["queued"], door["rejected"], door["rejects_kept"],
                          door["rejects_lost"]), (1, 2, 0, 2))
        warning, = [w for w in self.stats()["warnings"] if "door" in w["text"]]
        self.assertIn("[door] rejects names no file", warning["text"])

    def test_counts_go_on_when_the_door_is_killed_and_when_it_is_started_anew(self):
        self.open()
        self.assertEqual(self.door.ask("/to/hooks", make_run(1, "x")).status, 202)
        for pid in descendants(self.door.process.pid):
            os.kill(pid, signal.SIGKILL)
        self.door.wait_ready(2)
        self.wait_watching(2)
        self.assertEqual(self.door.ask("/to/hooks", make_run(2, "x")).status, 202)
        self.wait_metric('runpost_door_runs_total{result="queued"}', 2)
        self.wait_metric("runpost_door_worker_starts_total", 2)
        self.wait_metric('runpost_door_workers{state="accepting"}', 1)
        self.assertEqual(self.door.process.stop(), 0, self.door.process.err)
        door = self.stats()["door"]
        self.assertEqual((door["queued"], door["workers"], door["connections_open"]), (2, 0, 0))

    def test_the_watch_dies_and_the_door_does_not_notice(self):
        self.open()
        with self.door.client() as client:
            self.assertEqual(client.ask("/to/hooks", make_run(1, "x")).status, 202)
            watch, = [pid for pid in descendants(self.door.process.pid)
                      if f"pid={pid} " in re.search(r"role=watch .*ev=watching",
                                                    self.door.process.err)[0]]
            os.kill(watch, signal.SIGKILL)
            wait_until(lambda: not is_alive(watch), "its end")
            self.wait_watching(2)
            self.assertEqual(client.ask("/to/hooks", make_run(2, "x")).status, 202)
        self.assertEqual(self.get("/healthz").status, 200)
        self.assertEqual(len(re.findall("ev=ready ", self.door.process.err)), 1)

    def test_without_a_place_for_the_file_the_door_takes_runs(self):
        self.ingest([])
        (self.outbox / "door").write_text("somebody's notes")
        self.open()
        self.assertEqual(self.door.ask("/to/hooks", make_run(1, "x")).status, 202)
        self.assertIn("ev=counts_unseen", self.door.process.err)
        self.assertEqual((self.outbox / "door").read_text(), "somebody's notes")
        self.assertNotIn("runpost_door_", self.get("/metrics").body.decode())
