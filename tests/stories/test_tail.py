"""Stories of `runpostctl tail`: attempts as they happen, none missed,
none twice, and a clean end."""

import os
import pathlib
import signal
import subprocess

from harness import BIN, Story, json_lines, make_run, wait_until


class Tail(Story):
    def tail(self, *options, stdout=None):
        return self.spawn(BIN / "runpostctl", "tail", "--outbox", self.outbox, "--config",
                          self.config, *options, stdout=stdout)

    def deliver(self, start, n, *urls):
        self.ingest([make_run(start + i, urls[i % len(urls)]) for i in range(n)])
        self.drain()

    def test_the_last_attempts_are_shown_oldest_first(self):
        sink = self.sink()
        self.deliver(0, 30, sink.hook())
        attempts = json_lines(self.ctl("tail", "--json").out)
        self.assertEqual([a["number"] for a in attempts], list(range(21, 31)))
        by_id = {e["id"]: e for e in self.list()}
        for a in attempts:
            self.assertEqual((a["outcome"], a["http_status"], a["attempt"], a["late"]),
                             ("delivered", 200, 1, False))
            self.assertEqual(a["run_id"], by_id[a["id"]]["run_id"])
            self.assertEqual(a["endpoint"], by_id[a["id"]]["endpoint"])
        self.assertEqual(len(json_lines(self.ctl("tail", "--json", "--limit", "0").out)), 30)
        rows = [line.split("\t")
                for line in self.ctl("tail", "--limit", "3").out.decode().splitlines()]
        self.assertEqual([row[0] for row in rows], [a["id"] for a in attempts[-3:]])
        self.assertEqual({len(row) for row in rows}, {7})

    def test_filters_pick_attempts(self):
        self.configure(defaults={"retry_attempts": "2", "retry_base": "10ms"})
        good, bad = self.sink(), self.sink("--status", "500")
        self.deliver(0, 20, good.hook("/a"), bad.hook("/b"))
        n = lambda *options: len(
            json_lines(self.ctl("tail", "--json", "--limit", "0", *options).out))
        self.assertEqual((n(), n("--cause", "http_500"), n("--cause", "timeout")), (30, 20, 0))
        self.assertEqual((n("--endpoint", good.hook("/a")), n("--state", "dead")), (10, 20))
        dead = self.list("--state", "dead")[3]
        self.assertEqual((n(dead["id"]), n("--run", dead["run_id"])), (2, 2))
        self.assertEqual(len(json_lines(self.ctl("tail", "--json", "--cause", "http_500", "--limit",
                                                 "7").out)), 7)
        # Their attempts stay in the log, without an id.
        self.ctl("purge", "--state", "dead", "--yes")
        gone = [a for a in json_lines(self.ctl("tail", "--json", "--limit", "0").out)
                if a["id"] is None]
        self.assertEqual(len(gone), 20)

    def test_followed_attempts_come_each_once_and_in_order(self):
        sink = self.sink()
        self.ingest([make_run(0, sink.hook())])
        tail = self.tail("-f", "--json")
        sender = self.send("--senders", "2")
        wait_until(lambda: tail.out, "the first attempt")
        for part in range(5):
            self.ingest([make_run(1 + part * 400 + i, sink.hook(f"/hook/{i % 7}"))
                         for i in range(400)])
        self.wait_entries("all delivered", delivered=2001)
        wait_until(lambda: tail.out.count(b"\n") >= 2001, "the last attempt")
        tail.signal(signal.SIGINT)
        self.assertEqual(tail.wait(5), 0, tail.err)
        self.assertEqual(tail.err, "")
        numbers = [a["number"] for a in json_lines(tail.out)]
        self.assertEqual(numbers, list(range(1, 2002)))
        sender.stop()
        self.assert_sound()

    def test_it_sleeps_while_nothing_happens_and_ends_with_its_reader(self):
        sink = self.sink()
        self.deliver(0, 1, sink.hook())
        read, write = os.pipe()
        tail = self.tail("-f", stdout=write)
        os.close(write)
        self.assertIn(b"delivered", os.read(read, 4096))
        status = pathlib.Path(f"/proc/{tail.pid}/status")
        switches = lambda: [line
                            for line in status.read_text().splitlines() if "ctxt_switches" in line]
        wait_until(lambda: "sleeping" in status.read_text(), "its sleep")
        before = wait_until(lambda: self.same_for_a_second(switches), "a second without a wake-up")
        self.assertEqual(before, switches())
        os.close(read)
        self.assertEqual(tail.wait(5), 0, tail.err)

    def same_for_a_second(self, look):
        first = look()
        try:
            wait_until(lambda: look() != first, "a change", limit_s=1)
        except AssertionError:
            return first
        return None

    def test_a_reader_that_goes_away_in_the_middle_ends_it(self):
        sink = self.sink()
        self.deliver(0, 300, sink.hook())
        done = subprocess.run(["bash", "-c", f"'{BIN}/runpostctl' tail -f --limit 0 --outbox "
                               f"'{self.outbox}' | head -n 3"],
                              capture_output=True, text=True, timeout=20)
        self.assertEqual((len(done.stdout.splitlines()), done.stderr), (3, ""))
