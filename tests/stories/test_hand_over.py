"""Stories about lone webhooks: who stores one claims it for a sender that waits for work."""

import signal
import time

from harness import Story, make_run, wait_until


class HandOver(Story):
    def send_one(self, n):
        """Result: its id."""
        return self.ingest([make_run(n, self.receiver.hook())])[0]["id"]

    def setUp(self):
        super().setUp()
        self.receiver = self.sink()
        self.sender = self.send()
        self.send_one(0)  # an exchange asks for the limits, and the host proves itself
        self.wait_entries("the first delivery", delivered=1)

    def test_a_lone_webhook_takes_two_commits(self):
        before, n = self.stats()["commits"], 20
        for i in range(1, n + 1):
            self.send_one(i)
            self.wait_entries("a delivery", delivered=i + 1)
        took = self.stats()["commits"] - before
        self.note(f"{took} commits for {n} webhooks")
        # On a busy machine a sender may not have said for a while that it waits.
        self.assertGreaterEqual(took, 2 * n)
        self.assertLess(took, 2 * n + n // 2)
        self.sender.stop()
        self.assert_sound(delivered=n + 1)

    def hand_one_over(self, n):
        """To a sender that stands still. Result: the id, or None: the offer was too old."""
        self.sender.signal(signal.SIGSTOP)
        got = self.send_one(n)
        if self.show(got)["state"] == "in_flight":
            return got
        self.sender.signal(signal.SIGCONT)
        self.wait_entries("a delivery", delivered=n + 1)
        return None

    def some_handed_over(self):
        n, got = 1, None
        while got is None:
            got = self.hand_one_over(n)
            n += 1
            self.assertLess(n, 30, "nothing is handed over")
        return got, n

    def test_a_sender_killed_before_it_begins_loses_nothing(self):
        got, n = self.some_handed_over()
        self.sender.kill()
        self.sender = self.send()
        self.wait_entries("all are delivered", delivered=n)
        attempts = self.show(got)["attempt_log"]
        self.assertEqual([a["outcome"] for a in attempts], ["sender_lost", "delivered"], attempts)
        self.sender.stop()
        self.assert_sound(delivered=n)

    def test_a_sender_that_goes_on_begins_what_it_was_handed(self):
        got, n = self.some_handed_over()
        self.sender.signal(signal.SIGCONT)
        self.wait_entries("all are delivered", delivered=n)
        self.assertEqual(len(self.show(got)["attempt_log"]), 1)
        self.sender.stop()
        self.assert_sound(delivered=n)

    def test_a_sender_that_stops_gives_back_what_it_was_handed(self):
        got, n = self.some_handed_over()
        self.sender.signal(signal.SIGTERM)
        self.sender.signal(signal.SIGCONT)
        self.assertEqual(self.sender.wait(), 0)
        self.assertEqual(self.show(got)["state"], "waiting")
        self.assertEqual(self.show(got)["attempts"], 0)
        self.drain()
        self.assert_sound(delivered=n)

    def test_an_old_offer_is_not_used(self):
        self.sender.signal(signal.SIGSTOP)
        time.sleep(1.6)
        self.assertEqual(self.show(self.send_one(1))["state"], "waiting")
        self.sender.signal(signal.SIGCONT)
        wait_until(lambda: self.entries()["delivered"] == 2, "a delivery")
