"""Stories of triage: what is dead of what, and whose backlog it is."""

from harness import Story, envelope, run_id


class Dead(Story):
    def setUp(self):
        super().setUp()
        self.configure(defaults={"retry_attempts": "1"})
        self.failing = self.sink("--status", "503")
        self.gone = self.sink("--status", "410")
        lines = [envelope(n, self.failing.hook(f"/{n % 2}")) for n in range(10)]
        lines += [envelope(10, self.gone.hook())]
        lines += [envelope(n, self.failing.hook("/late"), expires_at="2020-01-01T00:00:00Z")
                  for n in range(11, 14)]
        self.ids = [r["id"] for r in self.ingest(lines)]
        self.drain()
        self.assertEqual(self.entries()["dead"], 14)

    def group(self, endpoint):
        return next(g for g in self.ctl_json("dead") if g["endpoint"] == endpoint)

    def test_dead_letters_are_grouped_by_cause_answer_and_endpoint(self):
        groups = [(g["cause"], g["last_cause"], g["endpoint"], g["count"])
                  for g in self.ctl_json("dead")]
        self.assertEqual(sorted(groups, key=str),
                         sorted([("exhausted", "http_503", self.failing.hook("/0"), 5),
                                 ("exhausted", "http_503", self.failing.hook("/1"), 5),
                                 ("gone", "http_410", self.gone.hook(), 1),
                                 ("expired", None, self.failing.hook("/late"), 3)], key=str))
        for g in self.ctl_json("dead"):
            self.assertIn(g["sample"], self.ids)
            self.assertLessEqual(g["first_at"], g["last_at"])

    def test_the_short_way_over_the_index_and_the_long_way_over_the_entries_agree(self):
        for more in ([], ["--cause", "exhausted"], ["--endpoint", self.failing.hook("/0")],
                     ["--older-than", "0"],
                     ["--older-than", "1h"], ["--group", self.group(self.gone.hook())["group"]]):
            with self.subTest(more=more):
                self.assertEqual(self.ctl_json("dead", *more),
                                 self.ctl_json("dead", "--since", "1h", *more))

    def test_one_command_replays_or_purges_a_group(self):
        key = self.group(self.failing.hook("/1"))["group"]
        self.assertEqual({e["run_id"] for e in self.list("--group", key)},
                         {run_id(n) for n in (1, 3, 5, 7, 9)})
        self.ctl("purge", "--group", key, "--yes")
        self.assert_sound(dead=9, purged=5)
        self.ctl("pause", "*")
        self.ctl("replay", "--group", self.group(self.failing.hook("/late"))["group"], "--yes")
        self.assert_sound(dead=6, waiting=3)
        self.assertEqual(self.ctl_json("dead", "--group", key), [])

    def test_what_is_no_group_is_told(self):
        self.assertIn("runpostctl dead", self.ctl("list", "--group", "2", code=64).err)

    def test_the_shape_of_the_dead(self):
        rows = {line["endpoint"]: line["total"]
                for line in self.ctl_json("shape", "--state", "dead")}
        self.assertEqual(rows, {None: 14, self.failing.hook("/0"): 5, self.failing.hook("/1"): 5,
                                self.failing.hook("/late"): 3, self.gone.hook(): 1})


class Shape(Story):
    def test_a_backlog_by_endpoint_and_age(self):
        self.ingest([envelope(n, f"https://{'a' if n < 4 else 'b'}.example/") for n in range(6)])
        total, first, second = self.ctl_json("shape")
        self.assertEqual((total["endpoint"], total["sum"], total["total"], total["lt_1m"]),
                         (None, True, 6, 6))
        self.assertEqual([(s["endpoint"], s["sum"], s["total"], s["lt_1m"], s["ge_1d"])
                          for s in (first, second)],
                         [("https://a.example/", False, 4, 4, 0),
                          ("https://b.example/", False, 2, 2, 0)])
        self.assertEqual([s["total"] for s in self.ctl_json("shape", "--endpoint", "b.example")],
                         [2, 2])

    def test_entries_behind_another_count_and_held_ones_do_not(self):
        receipts = self.ingest([envelope(n, "https://a.example/", order_by="thread")
                                for n in range(5)])
        self.ctl("hold", receipts[4]["id"])
        self.assertEqual(self.ctl_json("shape")[0]["total"], 4)
        self.assertEqual(self.ctl_json("shape", "--state", "held")[0]["total"], 1)

    def test_the_short_way_and_the_long_way_agree(self):
        self.ingest([envelope(n, f"https://{n % 3}.example/") for n in range(300)])
        self.ingest([envelope(n, f"https://{n % 3}.example/") for n in range(300, 400)])
        self.assertEqual(self.ctl_json("shape"), self.ctl_json("shape", "--since", "1h"))

    def test_in_a_pipe_it_is_columns(self):
        self.ingest([envelope(1, "https://a.example/")])
        rows = [line.split("\t") for line in self.ctl("shape").out.decode().splitlines()]
        self.assertEqual(rows, [["TOTAL", "1", "1", *"000000"],
                                ["https://a.example/", "1", "1", *"000000"]])

    def test_an_empty_outbox_has_a_shape(self):
        self.ingest([])
        self.assertEqual([s["total"] for s in self.ctl_json("shape")], [0])
