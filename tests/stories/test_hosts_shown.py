"""Stories of receivers with a path for every run: operators see and steer hosts."""

from harness import Story, envelope, free_port, json_lines, wait_until


class HostsShown(Story):
    def setUp(self):
        super().setUp()
        self.configure(defaults={"retry_attempts": "1"})

    def fill(self, sink, n, first=0):
        return [r["id"] for r in self.ingest(
            [envelope(i, sink.hook(f"/run/{i}")) for i in range(first, first + n)])]

    def host(self, sink):
        return sink.hook().removesuffix("/hook")

    def levels(self, *options):
        rows = self.ctl_json("endpoints", *options)
        return [r["level"] for r in rows], rows

    def test_a_host_with_many_paths_is_one_line_and_its_paths_come_when_asked_for(self):
        sink = self.sink()
        self.fill(sink, 20)
        self.assertEqual(self.levels()[0], ["host"] + ["path"] * 20)
        self.fill(sink, 480, first=20)
        levels, (row,) = self.levels()
        self.assertEqual((levels, row["endpoint"], row["paths"], row["waiting"]),
                         (["host"], self.host(sink), 500, 500))
        self.assertEqual(self.levels("--paths")[0], ["path"] * 500)
        levels, rows = self.levels(self.host(sink))
        self.assertEqual(levels, ["host"] + ["path"] * 500)
        self.assertEqual(len({r["endpoint"] for r in rows}), 501)
        self.assertEqual(self.levels("*/run/49*")[0], ["path"] * 11)
        self.assertEqual(self.levels(sink.hook("/run/7"), self.host(sink), "*/run/7")[0],
                         ["path", "host"] + ["path"] * 500)
        self.assertEqual(self.stats()["endpoints"], 500)

    def test_a_path_in_trouble_is_shown_among_many(self):
        sink = self.sink()
        self.fill(sink, 100)
        self.ctl("pause", sink.hook("/run/70"))
        levels, rows = self.levels()
        self.assertEqual((levels, rows[1]["endpoint"]), (["host", "path"], sink.hook("/run/70")))
        self.assertEqual(rows[1]["held_back_by"], "path")
        self.assertEqual(self.stats()["endpoints_in_trouble"], 1)

    def test_a_host_with_one_path_is_shown_as_that_path_until_it_decides_something(self):
        sink = self.sink()
        self.fill(sink, 1)
        self.assertEqual(self.levels()[0], ["path"])
        self.ctl("pause", self.host(sink))
        levels, (host, path) = self.levels()
        self.assertEqual((levels, host["state"], path["state"], path["held_back_by"]),
                         (["host", "path"], "paused", "ok", "host"))

    def test_a_paused_host_holds_paths_that_come_later(self):
        sink = self.sink()
        self.fill(sink, 3)
        self.assertEqual(self.ctl_json("pause", self.host(sink), "--reason", "they move"),
                         [{"verb": "pause", "endpoint": self.host(sink), "level": "host",
                           "changed": True}])
        late, = self.fill(sink, 1, first=3)
        block = self.ctl_json("explain", late)[0]["blocking"][0]
        self.assertEqual((block["code"], block["level"]), ("paused", "host"))
        self.assertIn("(they move)", block["text"])
        self.assertIn(f"runpostctl resume {self.host(sink)} ", block["command"])
        warned = "\n".join(w["text"] for w in self.stats()["warnings"])
        self.assertIn(f"{self.host(sink)}: paused", warned)
        self.ctl("resume", self.host(sink))
        self.drain()
        self.assert_sound(delivered=4)

    def test_what_died_alike_at_many_paths_is_one_row_that_one_command_replays(self):
        sick, well = self.sink("--status", "404"), self.sink("--status", "404")
        self.fill(sick, 25)
        self.fill(well, 3, first=25)
        self.drain()
        groups = sorted(self.ctl_json("dead"), key=lambda g: -g["count"])
        self.assertEqual([(g["endpoint"], g["count"]) for g in groups[:1]],
                         [(self.host(sick), 25)])
        self.assertEqual([g["count"] for g in groups[1:]], [1, 1, 1])
        self.assertEqual(groups, sorted(self.ctl_json("dead", "--since", "1h"),
                                        key=lambda g: -g["count"]))
        self.assertEqual(len(self.list("--group", groups[0]["group"])), 25)
        self.ctl("pause", self.host(sick))
        done = self.ctl("replay", "--group", groups[0]["group"], "--yes")
        self.assertEqual(done.err.count("is paused"), 1, done.err)
        self.assert_sound(waiting=25, dead=3)
        self.assertEqual([s["endpoint"] for s in self.ctl_json("shape")],
                         [None, self.host(sick)])

    def test_metrics_count_the_paths_of_a_host_by_section_however_many_there_are(self):
        port = free_port()
        self.configure(endpoints=[("acme", {"url": f"http://127.0.0.1:{port}/a"})])
        self.ingest([envelope(i, f"http://127.0.0.1:{port}/a/{i}") for i in range(30)])
        self.ingest([envelope(i, f"http://127.0.0.1:{port}/b/{i}") for i in range(30, 70)])
        self.ingest([envelope(i, f"http://localhost:{port}/b/{i}") for i in range(70, 95)])
        self.ctl("pause", f"http://127.0.0.1:{port}/a/7", f"http://localhost:{port}/b/94")
        self.ctl("pause", f"http://localhost:{port}")
        lines = self.ctl("metrics").out.decode().splitlines()
        for line in ('runpost_endpoint_waiting{endpoint="acme"} 30',
                     'runpost_endpoint_waiting{endpoint="other"} 65',
                     'runpost_endpoint_breaker_state{endpoint="acme",state="closed"} 30',
                     'runpost_endpoint_breaker_state{endpoint="other",state="closed"} 65',
                     'runpost_endpoints_paused{endpoint="acme"} 1',
                     'runpost_endpoints_paused{endpoint="other"} 1',
                     'runpost_hosts{state="paused"} 1', 'runpost_hosts{state="ok"} 1',
                     "runpost_hosts_held_back_waiting 25"):
            self.assertIn(line, lines)

    def test_what_waits_only_for_a_place_among_unproven_hosts_is_told(self):
        self.configure(sender={"in_flight": "2"}, defaults={"timeout": "20s"})
        slow, other = self.sink("--delay", "60s"), self.sink()
        first, = self.fill(slow, 1)
        self.send()
        wait_until(lambda: self.entries()["in_flight"] == 1, "the first to be under way")
        second, = self.fill(other, 1, first=1)
        wait_until(lambda: self.ctl_json("explain", second)[0]["blocking"][0]["code"] != "turn",
                   "the second to be due for a while")
        explained, = self.ctl_json("explain", second)
        block, = explained["blocking"]
        self.assertEqual((block["code"], block["level"]), ("unproven", "host"))
        self.assertIn("runpost send ", block["command"])
        self.assertIn("waits for a place among those for hosts", explained["why"])
        shown = {e["endpoint"]: e["held_back_by"] for e in self.ctl_json("endpoints")}
        self.assertIsNone(shown[other.hook("/run/1")])
        self.assertEqual(self.ctl_json("show", first)[0]["state"], "in_flight")
        self.send()
        wait_until(lambda: self.entries()["delivered"] == 1, "another sender to have a place")

    def test_a_host_that_is_down_is_named_once_by_all_who_look(self):
        host = f"http://127.0.0.1:{free_port()}"
        self.configure()
        ids = [r["id"] for r in self.ingest([envelope(i, f"{host}/run/{i}") for i in range(60)])]
        self.send()
        wait_until(lambda: [e["breaker"] for e in self.ctl_json("endpoints", host)
                            if e["level"] == "host"] == ["open"]
                   and self.entries()["in_flight"] == 0, "the host's breaker to open")
        shown = self.ctl_json("endpoints")[0]
        self.assertEqual((shown["level"], shown["state"], shown["breaker_cause"],
                          shown["held_back_by"]), ("host", "parked", "connect", "host"))
        checks = {c["check"]: c for c in json_lines(self.ctl("doctor", "--json", code=None).out)}
        self.assertEqual(checks["hosts"]["level"], "warn")
        self.assertIn(f"{host}: its breaker is not closed, and holds back 60 entries of 60 paths",
                      checks["hosts"]["text"])
        self.assertIn(f"runpostctl resume {host} ", checks["hosts"]["remedy"])
        warnings = [w["text"] for w in self.stats()["warnings"]]
        self.assertIn(f"{host}: the breaker of the host is open, last connect", warnings[0])
        blocks = self.ctl_json("explain", ids[59])[0]["blocking"]
        self.assertIn(("breaker_open", "host"), {(b["code"], b["level"]) for b in blocks})
