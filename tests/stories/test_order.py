"""Stories about order: entries with the same order_by arrive one after the other,
and hold up nobody else."""

import collections

from harness import Story, envelope, wait_until


class InOrder(Story):
    ORDERS, EACH, PATHS = 20, 50, 5

    def lines(self, sink):
        """The entries of all orders shuffled together, each order's own in their sequence."""
        left = [order for order in range(self.ORDERS) for _ in range(self.EACH)]
        self.random.shuffle(left)
        taken = collections.Counter()
        for n, order in enumerate(left):
            yield (order, taken[order]), envelope(n, sink.hook(f"/{order % self.PATHS}"),
                                                      order_by=f"thread {order}")
            taken[order] += 1

    def first_arrivals(self, sink, places):
        """order -> the places within it, as they first came; refused requests are no arrivals."""
        came, seen = collections.defaultdict(list), set()
        for request in sink.record():
            if request["status"] // 100 == 2 and request["webhook_id"] not in seen:
                seen.add(request["webhook_id"])
                order, place = places[request["webhook_id"]]
                came[order].append(place)
        return came

    def test_four_senders_and_random_failures_keep_every_order(self):
        self.configure(defaults={"retry_base": "10ms", "retry_cap": "50ms"})
        answers = [self.random.choice(["200", "503"]) for _ in range(63)]
        sink = self.sink("--per-path", "--status", ",".join(answers + ["200"]))
        cases = list(self.lines(sink))
        receipts = self.ingest([line for _, line in cases])
        places = {receipt["id"]: place for receipt, (place, _) in zip(receipts, cases)}
        self.drain("--senders", "4")
        came = self.first_arrivals(sink, places)
        self.assertEqual(len(came), self.ORDERS)
        for order, arrived in came.items():
            self.assertEqual(arrived, list(range(self.EACH)), f"order {order}")
        self.assertEqual(sink.count(), self.ORDERS * self.EACH + self.PATHS * answers.count("503"))
        self.assert_sound(delivered=self.ORDERS * self.EACH)

    def test_a_front_that_fails_holds_up_its_own_order_only(self):
        self.configure(defaults={"retry_base": "1h", "retry_cap": "2h"})
        down = self.sink("--status", "503,200")
        hook = down.hook()
        first, = self.ingest([envelope(0, hook, order_by="a")])
        sender = self.send()
        wait_until(lambda: down.count() == 1, "the refusal")
        behind, *others = self.ingest([envelope(1, hook, order_by="a"),
                                       envelope(2, hook, order_by="b"),
                                       envelope(3, hook), envelope(4, hook, order_by="b")])
        self.wait_entries("the others to arrive", delivered=3, waiting=2)
        self.assertEqual({r["id"] for r in others}, {g["webhook_id"] for g in down.record()[1:]})
        shown = self.show(behind["id"])
        self.assertEqual((shown["state"], shown["behind"], shown["next_attempt_at"]),
                         ("waiting", True, None))
        self.assertIn(f"behind {first['id']} (same order_by)",
                      self.ctl("show", behind["id"]).out.decode())
        self.assertEqual([e["behind"] for e in self.list("--state", "waiting")], [False, True])
        self.ctl("replay", first["id"])
        self.wait_entries("both to arrive", delivered=5)
        self.assertEqual([g["webhook_id"] for g in down.record()[-2:]], [first["id"], behind["id"]])
        self.assertEqual(sender.stop(), 0)
        self.assert_sound(delivered=5)

    def test_a_held_front_is_released_or_purged_before_its_order_goes_on(self):
        sink = self.sink()
        receipts = self.ingest([envelope(n, sink.hook(), order_by="a") for n in range(3)])
        ids = [r["id"] for r in receipts]
        self.ctl("hold", ids[0])
        sender = self.send()
        lone, = self.ingest([envelope(9, sink.hook())])
        self.wait_entries("the one without order", delivered=1, held=1, waiting=2)
        self.ctl("release", ids[0])
        self.wait_entries("all of them", delivered=4)
        self.assertEqual([g["webhook_id"] for g in sink.record()], [lone["id"], *ids])
        self.assertEqual(sender.stop(), 0)
        self.assert_sound(delivered=4)
