"""How much one endpoint gets: the breaker parks a backlog without spending it, and a rate holds."""

from harness import Story, make_run, wait_until


class Breaker(Story):
    deadline_s = 120

    def endpoint(self):
        return self.ctl_json("endpoints")[0]

    def park(self, receipts):
        """Until the breaker is open and nothing is under way; how many attempts were spent."""
        wait_until(lambda: self.endpoint()["breaker"] == "open"
                   and self.entries()["in_flight"] == 0, "the breaker to open")
        waiting = self.list("--limit", "0")
        self.assertEqual({e["state"] for e in waiting}, {"waiting"})
        spent = sum(e["attempts"] for e in waiting)
        self.assertGreaterEqual(spent, 10)
        self.assertLessEqual(spent, 20)
        return spent

    def setUp(self):
        super().setUp()
        self.well = self.sink()
        self.well.stop()
        self.receipts = self.ingest([make_run(n, self.well.hook()) for n in range(300)])

    def test_a_receiver_that_is_down_costs_no_retries_and_drains_after_a_probe(self):
        sender = self.send("--senders", "2")
        spent = self.park(self.receipts)
        shown = self.endpoint()
        self.assertEqual((shown["state"], shown["breaker_cause"]), ("parked", "connect"))
        self.assertIsNotNone(shown["next_probe_at"])
        self.assertEqual(self.stats()["endpoints_in_trouble"], 1)
        self.assertEqual(sum("ev=breaker_open" in line for line in sender.err.splitlines()), 1,
                         sender.err)
        self.assertRegex(sender.err, r"ev=breaker_open endpoint=\S+/hook cause=connect streak=\d+ "
                         r"probe_at_ms=\d+")
        back = self.sink(port=self.well.port)
        self.wait_entries("the probe and the rest", delivered=300, limit_s=60)
        self.assertEqual(sender.stop(), 0)
        self.assertIn("ev=breaker_probe", sender.err)
        self.assertIn("ev=breaker_closed", sender.err)
        self.assertEqual(len(back.by_id()), 300)
        self.assertEqual(sum(g["attempt"] for g in back.record()), 300 + spent)
        self.assertEqual((self.endpoint()["breaker"], self.endpoint()["next_probe_at"]),
                         ("closed", None))
        self.assert_sound(delivered=300)

    def test_it_stays_open_over_a_restart_and_resume_probes_at_once(self):
        sender = self.send()
        self.park(self.receipts)
        self.assertEqual(sender.stop(), 0)
        probe_at = self.endpoint()["next_probe_at"]
        back = self.sink(port=self.well.port)
        sender = self.send()
        other = self.sink()
        self.ingest([make_run(1000, other.hook())])
        wait_until(lambda: other.count() == 1, "the other endpoint's delivery")
        parked = self.ctl_json("endpoints", self.well.hook())[0]
        self.assertEqual((back.count(), parked["breaker"], parked["next_probe_at"]),
                         (0, "open", probe_at))
        self.ctl("resume", self.well.hook())
        self.wait_entries("all of them", delivered=301, limit_s=10)
        self.assertEqual(sender.stop(), 0)
        self.assert_sound(delivered=301)

    def test_switched_off_it_parks_nothing(self):
        self.configure(defaults={"breaker": "off"})
        sender = self.send()
        wait_until(lambda: all(e["attempts"] >= 2 for e in self.list("--limit", "0")),
                   "two attempts at each")
        self.assertEqual(self.endpoint()["breaker"], "closed")
        self.assertEqual(sender.stop(), 0)


class Rate(Story):
    def test_it_holds_over_all_senders(self):
        self.configure(defaults={"rate": "20/s", "in_flight": "100"})
        sink = self.sink()
        receipts = self.ingest([make_run(n, sink.hook()) for n in range(80)])
        self.drain("--senders", "3")
        at_us = sorted(g["monotonic_us"] for g in sink.record())
        self.assertEqual(len(at_us), 80)
        for first in range(80):
            for last in range(first, 80):
                seconds = (at_us[last] - at_us[first]) / 1e6
                self.assertLessEqual(last - first + 1, 20 + 20 * (seconds + 0.25) + 1)
        self.assertGreater(at_us[-1] - at_us[0], 2.5e6)
        self.assertLess(at_us[-1] - at_us[0], 8e6)
        self.assertEqual({g["attempt"] for g in sink.record()}, {1})
        self.assertEqual(self.ctl_json("endpoints")[0]["rate"], "20/s")
        self.assert_sound(delivered=len(receipts))

    def test_a_wrong_rate_is_refused_and_the_message_says_how_to_mend_it(self):
        self.configure(defaults={"rate": "5 per second"})
        done = self.run_program(*self.ingest_argv(), data=b"")
        self.assertEqual(done.poll(), 78)
        self.assertRegex(done.err, r"rate = 5 per second: not a rate; accepted: 1/h to 10000/s, "
                         r".*\(50/s, 10/m, 3/h\)")
