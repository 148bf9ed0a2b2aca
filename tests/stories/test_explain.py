"""Stories of `runpostctl explain`: what it says of real entries in real trouble,
and that its commands help."""

import datetime
import shlex
import signal

from harness import BIN, Story, envelope, wait_until


class Explain(Story):
    def explain(self, entry_id):
        told, = self.ctl_json("explain", entry_id)
        self.assertEqual(told["id"], entry_id)
        return told

    def codes(self, entry_id):
        return [b["code"] for b in self.explain(entry_id)["blocking"]]

    def wait_blocked(self, entry_id, code):
        return wait_until(lambda: next((b for b in self.explain(entry_id)["blocking"]
                                        if b["code"] == code), None), f"{code} to block")

    def run_command(self, command):
        """Types what was suggested."""
        program, *words = shlex.split(command)
        done = self.run_program(BIN / program, *words)
        self.assertEqual(done.poll(), 0, done.err)
        return done

    def test_without_a_sender_it_says_so_and_foretells_every_attempt(self):
        self.configure(defaults={"retry_base": "5s", "retry_factor": "4", "retry_cap": "1d",
                                 "retry_attempts": "11", "timeout": "20s"})
        receipt, = self.ingest([envelope(1, "http://127.0.0.1:9/")])
        told = self.explain(receipt["id"])
        self.assertEqual([b["code"] for b in told["blocking"]], ["no_sender"])
        self.assertEqual([s["attempt"] for s in told["schedule"]], list(range(1, 12)))
        self.assertEqual((told["ends"]["state"], told["ends"]["cause"]), ("dead", "exhausted"))
        times = [datetime.datetime.fromisoformat(s["earliest_at"].replace("Z", "+00:00"))
                 for s in told["schedule"]]
        gaps = [round((b - a).total_seconds()) for a, b in zip(times, times[1:])]
        self.assertEqual(gaps, [5, 20, 80, 320, 1280, 5120, 20480, 81920, 86400, 86400])

    def test_the_true_attempts_come_when_they_were_foretold(self):
        self.configure(defaults={"retry_base": "100ms", "retry_factor": "2", "retry_attempts": "4",
                                 "breaker": "off"})
        receipt, = self.ingest([envelope(1, "http://127.0.0.1:9/")])
        told = self.explain(receipt["id"])
        self.drain()
        log = self.show(receipt["id"])["attempt_log"]
        self.assertEqual(len(log), len(told["schedule"]))
        began = [datetime.datetime.fromisoformat(a["started_at"].replace("Z", "+00:00"))
                 for a in log]
        first = datetime.datetime.fromisoformat(
            told["schedule"][0]["earliest_at"].replace("Z", "+00:00"))
        for at, step in zip(began, told["schedule"]):
            foretold = (datetime.datetime.fromisoformat(step["earliest_at"].replace("Z", "+00:00"))
                        - first)
            self.assertGreaterEqual(at - began[0], foretold - datetime.timedelta(milliseconds=1))
        dead = self.explain(receipt["id"])
        self.assertEqual((dead["state"], dead["blocking"], dead["schedule"], dead["ends"]),
                         ("dead", [], [], None))
        self.assertIn("exhausted", dead["why"])
        self.assertIn("4 connect", dead["happened"])

    def test_a_paused_endpoint_and_the_command_that_helps(self):
        sink = self.sink()
        receipt, = self.ingest([envelope(1, sink.hook())])
        self.ctl("pause", "*")
        sender = self.send()
        told = wait_until(lambda: (t := self.explain(receipt["id"])) and len(t["blocking"]) == 1
                          and t, "only the pause")
        self.assertEqual(told["blocking"][0]["code"], "paused")
        self.run_command(told["blocking"][0]["command"])
        self.wait_entries("the delivery", delivered=1)
        self.assertIn("answered with 200", self.explain(receipt["id"])["why"])
        sender.stop()

    def test_an_order_and_the_one_in_front_that_is_held(self):
        sink = self.sink()
        front, behind = self.ingest([envelope(n, sink.hook(), order_by="t") for n in (1, 2)])
        self.ctl("hold", front["id"])
        sender = self.send()
        block = self.wait_blocked(behind["id"], "order")
        self.assertIn(front["id"], block["text"])
        self.assertEqual(self.explain(front["id"])["commands"][0]["command"], block["command"])
        self.run_command(block["command"])
        self.wait_entries("both deliveries", delivered=2)
        sender.stop()

    def test_a_breaker_that_is_open(self):
        self.configure(defaults={"retry_base": "10ms", "retry_cap": "20ms"})
        receipts = self.ingest([envelope(n, "http://127.0.0.1:9/") for n in range(20)])
        sender = self.send()
        block = self.wait_blocked(receipts[0]["id"], "breaker_open")
        self.assertIn("the last connect", block["text"])
        self.assertIsNotNone(block["until"])
        self.run_command(block["command"])
        sender.stop()

    def test_a_full_window_a_used_up_rate_and_a_request_under_way(self):
        sink = self.sink("--delay", "20s")
        self.configure(defaults={"in_flight": "1"},
                       endpoints=[("slow", {"url": "http://127.0.0.1:9", "rate": "1/h"})])
        receipts = self.ingest([envelope(n, sink.hook()) for n in range(2)] +
                               [envelope(n, "http://127.0.0.1:9/") for n in (2, 3)])
        sender = self.send()
        self.assertIn("1 requests are under way",
                      self.wait_blocked(receipts[1]["id"], "window")["text"])
        flying = self.explain(receipts[0]["id"])
        self.assertIn("makes attempt #1", flying["why"])
        self.assertIn("settled within", flying["next"])
        self.assertIn("1/h", wait_until(
            lambda: next((b for r in receipts[2:] for b in self.explain(r["id"])["blocking"]
                          if b["code"] == "rate"), None), "a used up rate")["text"])
        sender.signal(signal.SIGSTOP)
        try:
            self.assertIn("sender-0", self.explain(receipts[0]["id"])["why"])
        finally:
            sender.signal(signal.SIGCONT)
        sender.kill()
        self.assertIn("gone", self.explain(receipts[0]["id"])["next"])
        self.assertIn("no_sender", self.codes(receipts[1]["id"]))

    def test_times_that_entries_came_with(self):
        later, late = self.ingest(
            [envelope(1, "http://127.0.0.1:9/", not_before="2099-01-01T00:00:00Z"),
             envelope(2, "http://127.0.0.1:9/", expires_at="2020-01-01T00:00:00Z")])
        self.assertIn("not_before", self.codes(later["id"]))
        told = self.explain(late["id"])
        self.assertEqual((told["schedule"], told["ends"]["cause"]), ([], "expired"))

    def test_the_words_fit_and_hold_no_secret(self):
        self.ingest([envelope(1, "http://127.0.0.1:9/x?token=s3cret", order_by="t"),
                     envelope(2, "http://127.0.0.1:9/x?token=s3cret", order_by="t")])
        text = self.ctl("explain", "--state", "waiting").out.decode()
        self.assertNotIn("s3cret", text)
        self.assertEqual(text.count("\nwhy "), 2)
        for line in text.splitlines():
            if "--outbox" not in line:  # a command is one line
                self.assertLessEqual(len(line), 120, line)

    def test_an_unknown_id_is_told(self):
        self.ingest([])
        done = self.ctl("explain", "msg_000000000G1CY55NDPRXZQ0S4M", code=1)
        self.assertIn("no such entry", done.err)
        self.ctl("explain", code=64)
