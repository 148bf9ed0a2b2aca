"""Stories about senders that die or stand still: nothing is lost,
and every duplicate has a reason."""

import collections
import os
import signal
import time

from harness import Story, descendants, is_alive, make_run, wait_until


class KilledSenders(Story):
    """Promises P1, P4 and P5 under kill -9."""

    deadline_s = 120
    weight = 8
    ENTRIES = 3000
    IN_FLIGHT = 20

    def setUp(self):
        super().setUp()
        # Many paths fail one after the other: a breaker would take that for a sick host.
        self.configure(defaults={"in_flight": self.IN_FLIGHT, "timeout": "2s", "breaker": "off"},
                       sender={"lease": "5s", "in_flight": self.IN_FLIGHT})
        self.receiver = self.sink("--delay", "5ms", "--status", "503", "200", "--per-path")
        paths = [f"/flaky/{n}" if n % 20 == 0 else "/hook" for n in range(self.ENTRIES)]
        self.ids = [r["id"] for r in self.ingest([
            make_run(n, self.receiver.hook(path), pad=self.random.randrange(1500))
            for n, path in enumerate(paths)])]

    def is_done(self):
        now = self.entries()
        return now["waiting"] == now["in_flight"] == 0

    def pause(self, low_s, high_s):
        """A random while, or until all is done."""
        deadline = time.monotonic() + self.random.uniform(low_s, high_s)
        wait_until(lambda: time.monotonic() > deadline, "a random while")

    def assert_delivered(self, kills):
        self.assert_sound(accepted=self.ENTRIES, delivered=self.ENTRIES)
        by_id = self.receiver.by_id()
        self.assertEqual(set(by_id), set(self.ids))
        for entry_id, got in by_id.items():
            self.assertEqual(len({g["sha256"] for g in got}), 1, f"bodies of {entry_id} differ")
        successes = sum(g["status"] == 200 for got in by_id.values() for g in got)
        self.assertLessEqual(successes - self.ENTRIES, kills * self.IN_FLIGHT)
        reasons = collections.Counter()
        for entry in self.ctl_json("show", "--state", "delivered", "--limit", "0"):
            log = entry["attempt_log"]
            self.assertEqual([a["n"] for a in log], list(range(1, entry["attempts"] + 1)))
            self.assertEqual(log[-1]["outcome"], "delivered")
            reasons.update(a["outcome"] for a in log[:-1])
        self.assertLessEqual(set(reasons), {"sender_lost", "http_503"})
        self.note(f"{kills} kills, {successes - self.ENTRIES} repeated deliveries, {dict(reasons)}")

    def test_children_are_killed_and_the_parent_starts_others(self):
        parent = self.send("--senders", "4")
        kills = 0
        while kills < 25 and not self.is_done():
            children = wait_until(lambda: descendants(parent.pid), "children of the parent")
            self.pause(0.0, 0.1)
            try:
                os.kill(self.random.choice(children), signal.SIGKILL)
                kills += 1
            except ProcessLookupError:
                continue
        self.assertGreater(kills, 3)
        wait_until(self.is_done, "all to be delivered after the kills")
        self.assertEqual(len(wait_until(lambda: len(c := descendants(parent.pid)) == 4 and c,
                                        "4 children again")), 4)
        self.assertEqual(parent.stop(), 0, parent.err)
        self.assert_delivered(kills)

    def test_senders_without_a_parent_are_killed_and_started_again(self):
        senders = [self.send() for _ in range(3)]
        kills = 0
        while kills < 40 and not self.is_done():
            victim = self.random.randrange(len(senders))
            self.pause(0.0, 0.08)
            senders[victim].kill()
            kills += 1
            senders[victim] = self.send()
        wait_until(self.is_done, "all to be delivered after the kills")
        # One that was started last may not have got to where it minds a SIGTERM.
        wait_until(lambda: self.stats()["senders_alive"] == len(senders),
                   "all senders to have joined")
        for sender in senders:
            self.assertEqual(sender.stop(), 0, sender.err)
        self.assert_delivered(kills)

    def test_when_the_parent_is_killed_its_children_vanish(self):
        parent = self.send("--senders", "4")
        children = wait_until(lambda: len(c := descendants(parent.pid)) == 4 and c, "4 children")
        wait_until(lambda: self.receiver.count() > 50, "some deliveries")
        parent.kill()
        wait_until(lambda: not any(is_alive(c) for c in children), "the orphans to end")
        self.assertEqual(self.entries()["in_flight"], 0)
        self.drain()
        self.assert_delivered(kills=4)


class DeadSender(Story):
    def test_what_it_held_comes_back_at_once_long_before_its_lease_ends(self):
        self.configure(sender={"lease": "10m"})
        sink = self.sink("--never", "--misbehave-first", "10")
        # Two paths, because a new endpoint gets five requests at first.
        self.ingest([make_run(n, sink.hook(f"/{n % 2}")) for n in range(30)])
        dead = self.send()
        wait_until(lambda: sink.count() >= 10, "ten requests under way")
        other = self.send()
        dead.kill()
        self.wait_entries("the other sender to deliver all", delivered=30, limit_s=10)
        self.assertEqual(other.stop(), 0, other.err)
        self.assertEqual(sink.count(), 40)
        self.assert_sound(delivered=30)


class OneHolder(Story):
    """Promise P4: an entry is claimed by at most one live sender."""

    def test_eight_senders_of_two_parents_deliver_each_entry_once(self):
        self.configure(defaults={"in_flight": "100"})
        sink = self.sink("--delay", "20ms")
        receipts = self.ingest([make_run(n, sink.hook()) for n in range(1000)])
        parents = [self.send("--senders", "4", "--drain") for _ in range(2)]
        for parent in parents:
            self.assertEqual(parent.wait(), 0, parent.err)
        by_id = sink.by_id()
        self.assertEqual({i: len(got) for i, got in by_id.items()}, {r["id"]: 1 for r in receipts})
        self.assertEqual({got[0]["attempt"] for got in by_id.values()}, {1})
        self.assert_sound(delivered=1000)

    def test_the_endpoints_limit_holds_over_all_senders(self):
        self.configure(defaults={"in_flight": "7"})
        well = self.sink("--delay", "20ms")
        self.ingest([make_run(n, well.hook()) for n in range(1000, 1040)])
        self.drain()  # so that its window is as wide as its limit
        well.stop()
        sink = self.sink("--never", port=well.port)
        self.ingest([make_run(n, sink.hook()) for n in range(50)])
        self.send("--senders", "4")
        self.send()
        wait_until(lambda: sink.count() >= 7, "seven requests")
        self.assertEqual(self.entries()["in_flight"], 7)
        self.assertEqual(sink.count(), 7)


class StoppedSender(Story):
    """A sender that stands still loses its claims when its lease has passed;
    what it says later is fenced."""

    deadline_s = 90
    weight = 7

    def test_others_deliver_what_it_held_and_its_late_failures_change_nothing(self):
        self.configure(sender={"lease": "5s"}, defaults={"in_flight": "10", "timeout": "2900ms"})
        sink = self.sink("--status", "503", "--delay", "2s", "--misbehave-first", "10")
        self.ingest([make_run(n, sink.hook()) for n in range(30)])
        stopped = self.send()
        wait_until(lambda: sink.count() >= 10, "ten requests under way")
        stopped.signal(signal.SIGSTOP)
        held = set(sink.by_id())
        began = time.monotonic()
        other = self.send()
        self.wait_entries("the other sender to deliver all", delivered=30)
        self.assertGreater(time.monotonic() - began, 3)
        stopped.signal(signal.SIGCONT)
        self.assertEqual(stopped.stop(), 0, stopped.err)
        self.assertEqual(other.stop(), 0, other.err)
        self.assertRegex(stopped.err, r"ev=stopped .*stale=[1-9]")
        self.assertEqual({i: len(got) for i, got in sink.by_id().items() if len(got) > 1},
                         dict.fromkeys(held, 2))
        for entry_id in held:
            log = self.show(entry_id)["attempt_log"]
            self.assertEqual([a["outcome"] for a in log][1:], ["delivered"])
            self.assertNotEqual(log[0]["outcome"], "delivered")
        self.assert_sound(accepted=30, delivered=30)
