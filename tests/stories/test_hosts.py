"""What one receiver gets: trouble stays at its path or host however many paths or hosts it has, and
limits count where the receiver counts."""

from harness import Story, free_port, make_run, wait_until
from receiver import NEVER, Receiver

HOST_IN_FLIGHT = 64   # what a host gets by default
SOON_S = 6            # what is well has arrived by then; what hangs is given up after TIMEOUT_S
TIMEOUT_S = 20
BURST_SLACK_S = 0.5   # between the request that a sender begins and its arrival


class Hosts(Story):
    def configure(self, endpoints=(), **sections):
        sections.setdefault("defaults", {}).setdefault("timeout", f"{TIMEOUT_S}s")
        sections.setdefault("sender", {}).setdefault("stop_grace", "100ms")
        super().configure(endpoints, **sections)

    def receiver(self, behave=lambda path: (200, 0), bind="127.0.0.1", port=0):
        return Receiver(self, behave, bind, port)

    def fill(self, url, paths, each=1, first=0):
        """`each` entries for every one of so many paths under url, path by path in turn."""
        runs = [make_run(first + n, f"{url}/{n % paths}") for n in range(paths * each)]
        self.assertEqual(len(self.ingest(runs)), paths * each)

    def wait_arrivals(self, receiver, n, prefix="", limit_s=SOON_S):
        wait_until(lambda: receiver.count(prefix) >= n, f"{n} requests for {prefix or 'it'}",
                   limit_s)

    def attempts(self):
        return sum(entry["attempts"] for entry in self.list("--limit", "0"))

    def assert_keeps_rate(self, arrivals, count):
        """At most count a second, and one second's worth at once."""
        at_s = sorted(a.at_s for a in arrivals)
        for first, start_s in enumerate(at_s):
            for last in range(first, len(at_s)):
                seconds = at_s[last] - start_s
                self.assertLessEqual(last - first + 1,
                                     count + count * (seconds + BURST_SLACK_S) + 1)


class TroubleStays(Hosts):
    def test_a_hanging_host_with_many_paths_takes_no_more_than_a_host_may(self):
        hanging, well = self.receiver(lambda path: NEVER), self.receiver()
        self.fill(f"{hanging.url}/run", 2_000)
        sender = self.send("--senders", "2")
        self.wait_arrivals(hanging, 5)
        self.fill(f"{well.url}/hook", 3, 100, first=2_000)
        self.wait_arrivals(well, 300)
        self.assertLessEqual(hanging.peak(), HOST_IN_FLIGHT)
        self.wait_entries("all of the one that is well", delivered=300)
        sender.stop()
        self.assert_sound(accepted=2_300, delivered=300)

    def test_many_hanging_hosts_share_half_of_a_sender(self):
        """The other host has proven itself before."""
        hanging = self.receiver(lambda path: NEVER, bind="0.0.0.0")
        well = self.receiver()
        self.configure(sender={"in_flight": "40"})
        self.fill(f"{well.url}/hook", 1)
        self.drain()
        urls = [f"http://127.1.0.{host}:{hanging.port}/hook" for host in range(1, 61)]
        self.ingest([make_run(10 + n, urls[n % len(urls)]) for n in range(600)])
        sender = self.send()
        self.wait_arrivals(hanging, 10)
        self.fill(f"{well.url}/hook", 1, 200, first=1_000)
        self.wait_arrivals(well, 201)
        self.assertLessEqual(hanging.peak(), 20)
        self.wait_entries("all of the one that is well", delivered=201)
        sender.stop()
        self.assert_sound(accepted=801, delivered=201)

    def test_a_sick_path_leaves_the_other_paths_of_its_host_alone(self):
        receiver = self.receiver(lambda path: (503, 0) if path == "/sick/0" else (200, 0))
        self.fill(f"{receiver.url}/sick", 1, 200)
        sender = self.send()
        self.wait_arrivals(receiver, 5, "/sick")
        self.fill(f"{receiver.url}/well", 9, 20, first=200)
        self.wait_arrivals(receiver, 180, "/well")
        self.wait_entries("the other paths", delivered=180)
        self.assertEqual(receiver.count("/well"), 180)
        self.assertEqual(sender.stop(), 0, sender.err)
        self.assert_sound(accepted=380, delivered=180)


class BreakerOfAHost(Hosts):
    PATHS = 200
    SPENT_MAX = 40  # what it takes to be sure, and what was under way then

    def park(self, sender):
        """A host that refuses connections: until the attempts stop; how many were spent. That they
        have stopped shows by another host's entries, which came later and are delivered."""
        wait_until(lambda: "ev=breaker_open" in sender.err or self.attempts() > self.SPENT_MAX,
                   "the breaker to open", 10)
        wait_until(lambda: self.entries()["in_flight"] == 0, "nothing to be under way")
        spent = self.attempts()
        self.assertLessEqual(spent, self.SPENT_MAX)
        other = self.receiver()
        self.fill(f"{other.url}/hook", 1, 100, first=self.PATHS)
        self.wait_arrivals(other, 100)
        self.wait_entries("the other host's", delivered=100)
        self.assertEqual(self.attempts(), spent + 100)
        return spent

    def test_one_that_is_down_costs_a_handful_of_attempts_and_is_probed_once(self):
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        self.fill(f"{url}/run", self.PATHS)
        sender = self.send("--senders", "2")
        spent = self.park(sender)
        delays_s = iter([0.3])  # of the probe; then it answers at once
        back = self.receiver(lambda path: (200, next(delays_s, 0)), port=port)
        self.ctl("resume", f"{url}/*")
        wait_until(lambda: back.ledger.answers, "the answer to a probe", 10)
        probed_s = back.ledger.answers[0][0]
        self.assertEqual(sum(a.at_s < probed_s for a in back.arrivals()), 1)
        self.wait_entries("all of them", delivered=self.PATHS + 100, limit_s=20)
        self.assertEqual(back.count(), self.PATHS)
        self.assertEqual(self.attempts(), self.PATHS + 100 + spent)
        self.assertEqual(sender.stop(), 0, sender.err)
        self.assert_sound(delivered=self.PATHS + 100)


class Limits(Hosts):
    """Counted by the receiver, over two senders."""

    ANSWER_S = 0.1

    def limited(self, endpoint=None, **defaults):
        receiver = self.receiver(lambda path: (200, self.ANSWER_S))
        sections = [("held", {"url": f"{receiver.url}/held", **endpoint})] if endpoint else []
        self.configure(sections, defaults=defaults)
        return receiver

    def test_those_of_a_section_are_shared_by_all_urls_under_it(self):
        held, free = self.limited({"in_flight": "1", "rate": "2/s"}), self.receiver()
        self.fill(f"{held.url}/held", 100)
        self.fill(f"{free.url}/free", 20, first=100)
        sender = self.send("--senders", "2")
        self.wait_arrivals(held, 8, limit_s=15)
        self.wait_arrivals(free, 20)
        self.assert_keeps_rate(held.arrivals(), 2)
        self.assertEqual(held.peak(), 1)
        self.assertEqual(sender.stop(), 0, sender.err)
        self.assert_sound(accepted=120)

    def test_without_shared_limits_each_path_has_them_for_itself(self):
        receiver = self.limited({"in_flight": "1", "rate": "5/s", "shared_limits": "no"})
        self.fill(f"{receiver.url}/held", 20, 8)
        self.drain("--senders", "2")
        self.assertEqual(receiver.count(), 160)
        self.assertEqual(receiver.peak("open_path"), 1)
        self.assertGreater(receiver.peak(), 1)
        for path in {a.path for a in receiver.arrivals()}:
            self.assert_keeps_rate([a for a in receiver.arrivals() if a.path == path], 5)
        self.assert_sound(delivered=160)

    def test_those_of_a_host_hold_over_all_its_paths(self):
        receiver = self.limited(host_in_flight="3")
        self.fill(f"{receiver.url}/hook", 2, 20)
        self.drain("--senders", "2")
        self.assertEqual(receiver.peak(), 3)
        self.assert_sound(delivered=40)

    def test_a_rate_of_a_host_holds_over_all_its_paths(self):
        receiver = self.limited(host_rate="5/s")
        self.fill(f"{receiver.url}/hook", 20)
        self.drain("--senders", "2")
        self.assert_keeps_rate(receiver.arrivals(), 5)
        self.assertEqual(receiver.count(), 20)
        self.assert_sound(delivered=20)


class FirstMinutes(Hosts):
    """Of a receiver that nobody knows yet, with room for 64."""

    def setUp(self):
        super().setUp()
        self.configure(defaults={"in_flight": "64"})

    def test_one_that_is_slow_but_well_has_them_all_after_three_rounds(self):
        round_s = 1
        slow = self.receiver(lambda path: (200, round_s))
        self.fill(f"{slow.url}/hook", 1, 300)
        sender = self.send()
        wait_until(lambda: slow.peak() >= 64, "64 at once", 8)
        first, *_ = slow.arrivals()
        full = next(a for a in slow.arrivals() if a.open_all == 64)
        self.assertLess(full.at_s - first.at_s, 3.5 * round_s)
        self.assertLessEqual(slow.peak(), 64)
        sender.stop()
        self.assert_sound(accepted=300)

    def test_one_that_is_sick_gets_no_flood(self):
        sick = self.receiver(lambda path: (503, 0.2))
        self.fill(f"{sick.url}/hook", 1, 300)
        sender = self.send()
        wait_until(lambda: "ev=breaker_open" in sender.err or sick.count() >= 100,
                   "the breaker to open", 10)
        self.assertLessEqual(sick.peak(), 10)
        self.assertEqual(sender.stop(), 0, sender.err)
        self.assert_sound(accepted=300, delivered=0)
