"""Stories of finding entries: whatever is asked for, by whichever way it is found, it is what one
gets by looking at each."""

import itertools
import json
import random

from harness import BIN, Story, make_run

STATES = ("waiting", "held", "dead")


class Finding(Story):
    """An outbox whose entries came by import, with times of all sorts in no
    order, and then live ones."""

    def setUp(self):
        super().setUp()
        chance = random.Random(5)
        self.ingest([make_run(i, f"https://h{i % 4}.example.com/in", thread_id=f"t{i % 7}",
                              status=("success", "error")[i % 3 == 0]) for i in range(1, 61)])
        lines = [json.loads(line) for line in self.ctl("export", "--with-secrets").out.splitlines()]
        first = self.outbox
        self.outbox = self.folder / "second"
        for i, line in enumerate(lines):
            days = chance.choice((0, 1, 2, 30, 31, 90))
            line["accepted_at"] = (f"2026-{11 - days // 30:02}-{20 - days % 30:02}"
                                   f"T{chance.randrange(24):02}:00:00.000Z")
            line["state"] = state = STATES[i % 3]
            line["cause"] = "expired" if state == "dead" else None
            if state == "waiting" and i % 2 == 0:
                line["attempts"], line["last_cause"] = 2, "dns"
        self.assertTrue(first.exists())
        self.run_program(BIN / "runpost", "init", "--outbox", self.outbox)
        text = "".join(json.dumps(line) + "\n" for line in lines).encode()
        done = self.ctl("import", self.file("all.ndjson", text))
        self.assertEqual(done.poll(), 0, done.err)
        self.ingest([make_run(i, f"https://h{i % 4}.example.com/in", thread_id=f"t{i % 7}")
                     for i in range(100, 110)])
        self.all = self.list()
        self.assertEqual(len(self.all), 70)

    def expect(self, wanted, *options):
        found = sorted(e["id"] for e in self.list(*options))
        self.assertEqual(found, sorted(e["id"] for e in self.all if wanted(e)), options)

    def test_times_are_exact_although_the_order_is_none(self):
        times = sorted({e["accepted_at"] for e in self.all})
        for since, until in itertools.product([None, *times[::7], "2027-01-01T00:00:00Z"],
                                              [None, *times[3::9]]):
            options = [*(["--since", since] if since else []),
                       *(["--until", until] if until else [])]
            for state in (None, *STATES):
                self.expect(lambda e: (not since or e["accepted_at"] >= since)
                            and (not until or e["accepted_at"] < until)
                            and state in (None, e["state"]),
                            *options, *(["--state", state] if state else []))

    def test_every_filter_finds_what_each_entry_says(self):
        for state in (None, *STATES, "waiting,dead"):
            also = ["--state", state] if state else []
            held = lambda e: state is None or e["state"] in state.split(",")
            self.expect(lambda e: held(e) and e["endpoint"] == "https://h1.example.com/in",
                        "--endpoint", "h1.example.com", *also)
            self.expect(lambda e: False, "--endpoint", "nowhere.example.com", *also)
            self.expect(lambda e: held(e) and e["thread_id"] == "t3", "--thread", "t3", *also)
            self.expect(lambda e: held(e) and e["event"] == "error", "--event", "error", *also)
            self.expect(lambda e: held(e) and e["attempts"] == 2, "--attempts", "2", *also)
            self.expect(lambda e: held(e) and e["attempts"] == 0, "--attempts", "0", *also)
            self.expect(lambda e: held(e) and "expired" in (e["cause"], e["last_cause"]), "--cause",
                        "expired", *also)
            self.expect(lambda e: held(e) and "dns" in (e["cause"], e["last_cause"]), "--cause",
                        "dns", *also)
            self.expect(lambda e: False, "--cause", "tls", *also)
            self.expect(lambda e: held(e) and e["thread_id"] == "t3"
                        and e["endpoint"] == "https://h1.example.com/in",
                        "--thread", "t3", "--endpoint", "h1.*", *also)
        self.expect(lambda e: e["state"] == "waiting" and e["attempts"] > 0, "--state", "retrying")
        self.expect(lambda e: e["state"] == "waiting" and e["attempts"] > 0
                    and e["endpoint"] == "https://h2.example.com/in",
                    "--state", "retrying", "--endpoint", "h2.*")

    def test_shape_counts_what_the_ages_say(self):
        for state in ("waiting", "dead"):
            total = next(line for line in self.ctl_json("shape", "--state", state) if line["sum"])
            of_it = [e for e in self.all if e["state"] == state]
            self.assertEqual(total["total"], len(of_it))
            # only the live ones are younger than a day
            self.assertEqual(total["lt_1m"] + total["lt_5m"] + total["lt_20m"],
                             10 if state == "waiting" else 0)
