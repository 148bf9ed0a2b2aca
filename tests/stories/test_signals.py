"""Stories about how senders end, stay, and come back: SIGTERM, --drain,
a parent and its children."""

import os
import signal
import time

from harness import Story, descendants, is_alive, make_run, wait_until


class Ending(Story):
    def test_sigterm_lets_requests_finish_and_returns_the_rest(self):
        self.configure(defaults={"in_flight": "5"})
        sink = self.sink("--delay", "700ms")
        self.ingest([make_run(n, sink.hook()) for n in range(100)])
        sender = self.send()
        wait_until(lambda: sink.count() == 5, "five requests under way")
        sender.signal(signal.SIGTERM)
        self.assertEqual(sender.wait(), 0, sender.err)
        self.assertEqual(sink.count(), 5)
        self.assert_sound(delivered=5, waiting=95, in_flight=0)
        self.assertEqual({e["attempts"] for e in self.list("--state", "waiting", "--limit", "0")},
                         {0})

    def test_the_grace_is_bounded_and_a_second_signal_ends_at_once(self):
        self.configure(sender={"stop_grace": "500ms"}, defaults={"timeout": "20s"})
        sink = self.sink("--never")
        self.ingest([make_run(n, sink.hook()) for n in range(3)])
        sender = self.send()
        wait_until(lambda: sink.count() == 3, "requests under way")
        began = time.monotonic()
        self.assertEqual(sender.stop(), 0)
        self.assertLess(time.monotonic() - began, 5)
        self.assert_sound(waiting=3, in_flight=0)
        self.configure(sender={"stop_grace": "1h"})
        sender = self.send()
        wait_until(lambda: sink.count() == 6, "requests under way again")
        sender.signal(signal.SIGTERM)
        wait_until(lambda: "ev=stopping" in sender.err, "the sender to stop claiming")
        self.assertIsNone(sender.poll())
        sender.signal(signal.SIGTERM)
        self.assertEqual(sender.wait(), 0)
        self.assert_sound(waiting=3, in_flight=0)

    def test_a_parent_told_to_stop_stops_its_children(self):
        sink = self.sink("--delay", "100ms")
        self.ingest([make_run(n, sink.hook()) for n in range(50)])
        parent = self.send("--senders", "3")
        children = wait_until(lambda: len(c := descendants(parent.pid)) == 3 and c,
                              "three children")
        wait_until(lambda: sink.count() > 0, "a request")
        self.assertEqual(parent.stop(), 0, parent.err)
        self.assertFalse(any(is_alive(c) for c in children))
        self.assert_sound(in_flight=0)


class Draining(Story):
    def test_of_an_empty_outbox_ends_at_once(self):
        began = time.monotonic()
        self.drain()
        self.drain("--senders", "3")
        self.assertLess(time.monotonic() - began, 5)
        self.assert_sound(accepted=0)

    def test_waits_for_pending_retries(self):
        self.configure(defaults={"retry_base": "700ms", "retry_factor": "1"})
        sink = self.sink("--status", "503", "503", "200")
        self.ingest([make_run(1, sink.hook())])
        self.drain("--senders", "2")
        self.assertEqual([g["status"] for g in sink.record()], [503, 503, 200])
        self.assert_sound(delivered=1)

    def test_does_not_wait_for_held_and_dead_entries(self):
        self.configure(defaults={"retry_attempts": "1"})
        sink = self.sink("--status", "500")
        receipts = self.ingest([make_run(n, sink.hook()) for n in range(4)])
        self.ctl("hold", receipts[0]["id"], receipts[1]["id"], "--yes")
        self.drain()
        self.assert_sound(held=2, dead=2)


class Children(Story):
    def test_a_killed_child_is_replaced_and_what_it_held_is_delivered(self):
        sink = self.sink("--delay", "300ms", "--misbehave-first", "10")
        self.ingest([make_run(n, sink.hook()) for n in range(30)])
        parent = self.send("--senders", "2")
        children = wait_until(lambda: len(c := descendants(parent.pid)) == 2 and c, "two children")
        wait_until(lambda: sink.count() >= 10, "requests under way")
        for child in children:
            os.kill(child, signal.SIGKILL)
        fresh = wait_until(lambda: len(c := set(descendants(parent.pid)) - set(children)) == 2
                           and c, "new children")
        self.wait_entries("all to be delivered", delivered=30)
        self.assertEqual(set(descendants(parent.pid)), fresh)
        self.assertEqual(parent.stop(), 0, parent.err)
        self.assertEqual(parent.err.count("signal=9"), 2, parent.err)
        self.assert_sound(delivered=30)

    def test_a_child_that_crashes_is_replaced_and_the_others_go_on(self):
        """Only a fault in the outbox's pages is damage, which would end the family with 65."""
        crashes = (signal.SIGABRT, signal.SIGBUS, signal.SIGSEGV)
        sink = self.sink("--delay", "20ms")
        parent = self.send("--senders", "2")
        for i, number in enumerate(crashes):
            children = wait_until(lambda: len(c := descendants(parent.pid)) == 2 and c,
                                  "two children")
            self.ingest([make_run(100 * i + n, sink.hook()) for n in range(30)])
            os.kill(children[0], number)
            wait_until(lambda: len(c := descendants(parent.pid)) == 2 and children[0] not in c,
                       "a new child")
            self.assertIn(children[1], descendants(parent.pid))
            self.wait_entries("all to be delivered", delivered=30 * (i + 1))
        self.assertEqual(parent.stop(), 0, parent.err)
        for number in crashes:
            self.assertIn(f"exit=-1 signal={number}", parent.err)
        self.assertNotIn("damaged", parent.err)
        self.assert_sound(delivered=30 * len(crashes))

    def test_a_hopeless_child_ends_the_family(self):
        (self.folder / "photos").mkdir()
        self.file("photos/me.jpg", "jpeg")
        self.outbox = self.folder / "photos"
        parent = self.send("--senders", "3")
        self.assertEqual(parent.wait(), 65, parent.err)
