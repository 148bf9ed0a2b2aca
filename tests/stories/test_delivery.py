"""Stories about deliveries: the bytes, the headers, retries and their times, dead letters,
replay, purge, isolation."""

import datetime
import time

from harness import Story, envelope, make_run, secret_text, sha256, wait_until


def at_ms(text):
    return int(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


class Payloads(Story):
    """Promise P5: the bytes POSTed are the bytes that came in."""

    VALUES = [
        b"0.1", b"1e400", b"-0", b"0.10000000000000000000000000001",
        b"123456789012345678901234567890", b"1E+2", rb'"\ud800"', rb'"\udc00\ud800"', rb'"\u0000"',
        rb'"http:\/\/a\/b"', rb'"\u00e9\u0041"', '"é 你好 🗞 \u2028"'.encode(),
        b'{"a":1,"a":2,"a":{}}', b"[ ]", b'{ "b" :  [1 ,2 ] }', b'"</script>&<"', b'"\x7f"',
    ]

    def lines_and_payloads(self, url):
        for n, value in enumerate(self.VALUES):
            whole = b'{"run_id":"w-%d","webhook":"%s","values":%s}' % (n, url, value)
            yield whole, whole
            inner = b'{"run_id":"e-%d", "values":%s}' % (n, value)
            yield b'{"webhook":"%s","run":%s}' % (url, inner), inner
        spaced = b' \t{"run_id":"s-1","webhook":"%s"} \t ' % url
        yield spaced, spaced
        with_cr = b'{"run_id":"s-2","webhook":"%s"}\r' % url
        yield with_cr, with_cr
        inner = b'{ "run_id" : "s-3" }'
        yield b'{ "run" :  %s  , "webhook" : "%s" }  ' % (inner, url), inner
        twice = b'{"run_id":"s-4","webhook":"http://127.0.0.1:1/no","webhook":"%s"}' % url
        yield twice, twice
        empty = b'{"webhook":"%s"}' % url
        yield empty, empty
        big = b'{"run_id":"b-1","webhook":"%s","values":"%s"}' % (url, b"z0.1\\u0000" * (8 << 17))
        yield big, big

    def test_every_byte_arrives_and_can_be_shown(self):
        bodies = self.folder / "bodies"
        sink = self.sink("--record-dir", bodies)
        cases = list(self.lines_and_payloads(sink.hook().encode()))
        receipts = self.ingest([line for line, _ in cases])
        self.assert_statuses(receipts, *["queued"] * len(cases))
        self.drain()
        kept = {path.name.rpartition(".")[0]: path.read_bytes() for path in bodies.iterdir()}
        for receipt, (line, payload) in zip(receipts, cases):
            self.assertEqual(sha256(kept[receipt["id"]]), sha256(payload), line[:200])
            self.assertEqual(sha256(self.ctl("body", receipt["id"]).out), sha256(payload),
                             line[:200])
        self.assertGreater(max(len(p) for _, p in cases), 8 << 20)
        self.assert_sound(delivered=len(cases))

    def test_sizes_around_the_stores_chunks_arrive_whole(self):
        sink = self.sink()
        sizes = [n + d for n in (2014, 4028, 8056, 8160, 12240, 65536) for d in (-1, 0, 1)]
        lines = []
        for size in sizes:
            head = b'{"run_id":"%d","webhook":"%s","v":"' % (size, sink.hook().encode())
            lines.append(head + b"v" * (size - len(head) - 2) + b'"}')
        receipts = self.ingest(lines)
        self.drain()
        got = sink.by_id()
        for receipt, line in zip(receipts, lines):
            first = got[receipt["id"]][0]
            self.assertEqual((first["sha256"], first["bytes"]), (sha256(line), len(line)))
        self.assert_sound(delivered=len(lines))


class Requests(Story):
    def test_the_headers_a_receiver_sees(self):
        self.configure(defaults={"header": ["Authorization: Bearer t", "X-Both: configured"]})
        sink = self.sink()
        receipt, = self.ingest([envelope(1, sink.hook("/h?token=q"),
                                         headers={"X-Trace": "a b", "x-both": "envelope"})])
        self.drain()
        got, = sink.record()
        headers = got["headers"]
        self.assertEqual((got["method"], got["path"]), ("POST", "/h"))
        self.assertEqual(headers["webhook-id"], receipt["id"])
        self.assertEqual(headers["runpost-attempt"], "1")
        self.assertEqual(headers["content-type"], "application/json")
        self.assertRegex(headers["user-agent"], r"^runpost/\d+\.\d+\.\d+$")
        self.assertEqual((headers["x-trace"], headers["x-both"]), ("a b", "configured"))
        self.assertEqual(headers["authorization"], "REDACTED")
        self.assertNotIn("webhook-signature", headers)
        self.assertNotIn("expect", headers)
        self.assert_sound(delivered=1)

    def test_the_trace_of_a_run_goes_along_with_each_attempt(self):
        trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
        context = {"traceparent": f"00-{trace_id}-00f067aa0ba902b7-01",
                   "tracestate": "congo=t61rcWkgMzE, rojo=00f067aa0ba902b7"}
        self.configure(defaults={"retry_base": "10ms"})
        sink = self.sink("--status", "503", "200", "--per-path")
        traced, plain = self.ingest([
            envelope(1, sink.hook("/traced"), headers=context),
            envelope(2, sink.hook("/plain"), headers={"traceparent": "of no use"})])
        sender = self.drain(env={"RUNPOST_DEBUG": "1"})
        attempts = sink.by_id()[traced["id"]]
        self.assertEqual([{name: got["headers"][name] for name in context} for got in attempts],
                         [context] * 2)
        self.assertEqual({got["headers"]["traceparent"] for got in sink.by_id()[plain["id"]]},
                         {"of no use"})
        self.assertEqual([self.show(r["id"])["trace_id"] for r in (traced, plain)],
                         [trace_id, None])
        self.assertRegex(self.ctl("show", traced["id"]).out.decode(),
                         rf"(?m)^trace +{trace_id}$")
        logged = [line for line in sender.err.splitlines()
                  if "ev=failed" in line or "ev=delivered" in line]
        self.assertEqual(len(logged), 4)
        for line in logged:
            self.assertEqual(f" id={traced['id']} trace={trace_id} attempt=" in line,
                             traced["id"] in line, line)
        self.assert_sound(delivered=2)

    def test_the_query_is_sent_as_given(self):
        sink = self.sink("--token", "s3 cret")
        self.ingest([make_run(1, sink.hook("/h?a=%2F&token=s3%20cret"))])
        self.drain()
        self.assertEqual([g["token"] for g in sink.record()], ["ok"])


class Signatures(Story):
    OLD, NEW = secret_text(b"o" * 32), secret_text(b"n" * 32)

    def test_a_signed_delivery_verifies(self):
        sink = self.sink("--secret-file", self.file("sink-secret", self.NEW + "\n"))
        self.configure(defaults={"secret_file": self.file("secret", self.NEW + "\n")})
        self.ingest([make_run(n, sink.hook(), pad=n * 1000) for n in range(20)])
        self.drain()
        self.assertEqual([g["signature"] for g in sink.record()], ["ok"] * 20)
        self.assert_sound(delivered=20)

    def test_while_rotating_receivers_with_either_secret_are_content(self):
        sinks = [self.sink("--secret-file", self.file(f"s{i}", secret + "\n"))
                 for i, secret in enumerate((self.OLD, self.NEW))]
        self.configure(defaults={"secret_file": self.file("secret", f"{self.NEW}\n{self.OLD}\n")})
        self.ingest([make_run(i, sink.hook()) for i, sink in enumerate(sinks)])
        self.drain()
        for sink in sinks:
            got, = sink.record()
            self.assertEqual(got["signature"], "ok")
            self.assertEqual(len(got["headers"]["webhook-signature"].split()), 2)

    def test_a_wrong_secret_is_a_401_that_is_tried_again_and_recovers(self):
        sink = self.sink("--secret-file", self.file("sink-secret", self.NEW + "\n"))
        secret = self.file("secret", self.OLD + "\n")
        self.configure(defaults={"secret_file": secret})
        receipt, = self.ingest([make_run(1, sink.hook())])
        sender = self.send()
        wait_until(lambda: sink.count() >= 2, "two refused attempts")
        self.assertEqual(sender.stop(), 0)
        self.assertEqual(self.show(receipt["id"])["cause"], "http_401")
        secret.write_text(self.NEW + "\n")
        self.drain()
        self.assertEqual(sink.record()[-1]["signature"], "ok")
        self.assert_sound(delivered=1)

    def test_an_unreadable_secret_is_78_before_anything_is_touched(self):
        for name, text in (("none", None), ("bad", "whsec_!!\n"), ("open", self.NEW)):
            path = self.folder / name
            if text is not None:
                self.file(name, text, mode=0o644 if name == "open" else 0o600)
            self.configure(defaults={"secret_file": path})
            for options in ([], ["--senders", "2"]):
                process = self.send("--drain", *options)
                self.assertEqual(process.wait(), 78, process.err)
                self.assertIn(str(path), process.err)
                self.assertNotIn(self.NEW[6:], process.err)
                self.assertFalse(self.outbox_exists())


class Retries(Story):
    """Promise P6: never earlier than due; P5: the same id for every attempt."""

    def assert_times(self, sink, ids, base_ms, factor, cap_ms):
        for entry_id in ids:
            entry, got = self.show(entry_id), sink.by_id()[entry_id]
            log = entry["attempt_log"]
            self.assertEqual([a["n"] for a in log], list(range(1, len(log) + 1)))
            self.assertEqual([g["attempt"] for g in got], [a["n"] for a in log][-len(got):])
            self.assertEqual(len({g["sha256"] for g in got}), 1)
            for g in got:
                self.assertLessEqual(abs(int(g["webhook_timestamp"]) * 1000 - g["at_ms"]), 2500)
            for n, (before, after) in enumerate(zip(log, log[1:])):
                least_ms = min(cap_ms, base_ms * factor ** n)
                waited_ms = at_ms(after["started_at"]) - at_ms(before["started_at"])
                self.assertGreaterEqual(waited_ms, least_ms,
                                        f"attempt {after['n']} of {entry_id} came too early")

    def test_a_receiver_that_is_down_gets_everything_when_it_is_back(self):
        self.configure(defaults={"retry_base": "100ms", "retry_factor": "2", "retry_cap": "400ms",
                                 "breaker": "off"})
        port = self.sink()
        port.stop()
        receipts = self.ingest([make_run(n, port.hook()) for n in range(40)])
        self.send("--senders", "2")
        wait_until(lambda: all(e["attempts"] >= 3 for e in self.list("--limit", "0")),
                   "three attempts at each")
        self.assertEqual({e["cause"] for e in self.list("--limit", "0")}, {"connect"})
        sink = self.sink("--status", "503", "200", "--misbehave-first", "25", port=port.port)
        self.wait_entries("the rest", delivered=40)
        self.assert_times(sink, [r["id"] for r in receipts], 100, 2, 400)
        self.assert_sound(delivered=40)

    def test_no_attempt_comes_before_the_time_that_was_shown(self):
        self.configure(defaults={"retry_base": "300ms", "retry_factor": "1", "breaker": "off"})
        sink = self.sink("--status", "503")
        ids = [r["id"] for r in self.ingest([make_run(n, sink.hook()) for n in range(10)])]
        sender = self.send()
        promised = {}

        def look():
            for e in self.list("--state", "waiting", "--limit", "0"):
                promised[e["id"], e["attempts"] + 1] = at_ms(e["next_attempt_at"])
            return sink.count() >= 50
        wait_until(look, "five attempts at each")
        self.assertEqual(sender.stop(), 0)
        checked = 0
        for entry_id, got in sink.by_id().items():
            self.assertIn(entry_id, ids)
            for g in got:
                due_ms = promised.get((entry_id, g["attempt"]))
                if due_ms is not None and g["attempt"] > 1:
                    self.assertGreaterEqual(g["at_ms"], due_ms)
                    checked += 1
        self.assertGreater(checked, 20)
        self.assert_times(sink, ids, 300, 1, 300)

    def test_not_before_and_expires_at_are_kept(self):
        def stamp(seconds):
            return datetime.datetime.fromtimestamp(time.time() + seconds,
                                                   datetime.timezone.utc).isoformat()
        sink = self.sink()
        later, expired = stamp(1.2), stamp(-60)
        receipts = self.ingest([envelope(1, sink.hook(), not_before=later),
                                envelope(2, sink.hook(), expires_at=expired),
                                envelope(3, sink.hook())])
        self.drain()
        got = sink.by_id()
        self.assertGreaterEqual(got[receipts[0]["id"]][0]["at_ms"], at_ms(later))
        self.assertNotIn(receipts[1]["id"], got)
        dead = self.show(receipts[1]["id"])
        self.assertEqual((dead["state"], dead["cause"]), ("dead", "expired"))
        self.assert_sound(delivered=2, dead=1)

    def test_retry_after_is_a_floor(self):
        sink = self.sink("--status", "503", "--header", "Retry-After: 1", "--misbehave-first", "3")
        self.ingest([make_run(n, sink.hook()) for n in range(3)])
        self.drain()
        for got in sink.by_id().values():
            self.assertEqual([g["status"] for g in got], [503, 200])
            self.assertGreaterEqual(got[1]["at_ms"] - got[0]["at_ms"], 1000)
        self.assert_sound(delivered=3)


class DeadLetters(Story):
    def test_exhausted_then_replayed_with_the_same_id_and_a_fresh_budget(self):
        self.configure(defaults={"retry_attempts": "3", "retry_base": "10ms"})
        sink = self.sink("--status", *[503] * 5, 200)
        receipt, = self.ingest([make_run(1, sink.hook())])
        self.drain()
        dead = self.show(receipt["id"])
        self.assertEqual((dead["state"], dead["cause"], dead["last_cause"], dead["attempts"]),
                         ("dead", "exhausted", "http_503", 3))
        self.assert_sound(dead=1)
        self.ctl("replay", receipt["id"])
        self.assertEqual((self.show(receipt["id"])["state"], self.entries()["dead"]),
                         ("waiting", 0))
        self.drain()
        after = self.show(receipt["id"])
        self.assertEqual((after["state"], after["attempts"], after["replays"]), ("delivered", 6, 1))
        got = sink.record()
        self.assertEqual([g["attempt"] for g in got], [1, 2, 3, 4, 5, 6])
        self.assertEqual({(g["webhook_id"], g["sha256"]) for g in got},
                         {(receipt["id"], got[0]["sha256"])})
        self.assert_sound(delivered=1)

    def test_a_delivered_entry_can_be_replayed_too(self):
        sink = self.sink()
        receipt, = self.ingest([make_run(1, sink.hook())])
        self.drain()
        self.ctl("replay", receipt["id"], "--yes")
        self.drain()
        self.assertEqual([(g["webhook_id"], g["attempt"]) for g in sink.record()],
                         [(receipt["id"], 1), (receipt["id"], 2)])
        self.assert_sound(delivered=1)

    def test_410_ends_the_endpoint_until_it_is_resumed(self):
        self.configure(defaults={"in_flight": "1"})
        gone = self.sink("--status", "410", "--misbehave-first", "1")
        other = self.sink()
        receipts = self.ingest([make_run(n, gone.hook()) for n in range(20)]
                               + [make_run(99, other.hook())])
        self.drain()
        self.assertEqual((gone.count(), other.count()), (1, 1))
        self.assertEqual({self.show(r["id"])["cause"] for r in receipts[:20]}, {"gone"})
        self.assert_sound(dead=20, delivered=1)
        states = {e["endpoint"]: e["state"] for e in self.ctl_json("endpoints")}
        self.assertEqual(sorted(states.values()), ["disabled", "ok"])
        late, = self.ingest([make_run(100, gone.hook())])
        self.drain()
        self.assertEqual((self.show(late["id"])["cause"], gone.count()), ("gone", 1))
        self.ctl("resume", next(name for name, state in states.items() if state == "disabled"))
        self.ctl("replay", "--cause", "gone", "--yes")
        self.drain()
        self.assertEqual(gone.count(), 22)
        self.assert_sound(delivered=22)

    def test_held_and_paused_entries_are_not_sent(self):
        sink = self.sink()
        receipts = self.ingest([make_run(n, sink.hook()) for n in range(10)])
        held = [r["id"] for r in receipts[:4]]
        self.ctl("hold", *held, "--yes")
        self.drain()
        self.assertEqual(set(sink.by_id()), {r["id"] for r in receipts[4:]})
        self.assert_sound(delivered=6, held=4)
        self.ctl("pause", sink.hook())
        self.ctl("release", *held, "--yes")
        sender = self.send()
        other = self.sink()
        self.ingest([make_run(50, other.hook())])
        wait_until(lambda: other.count() == 1, "the other endpoint's delivery")
        self.assertEqual(sink.count(), 6)
        self.ctl("resume", sink.hook())
        self.wait_entries("the resumed", delivered=11)
        self.assertEqual(sender.stop(), 0)
        self.assert_sound(delivered=11)

    def test_what_is_purged_is_not_sent_and_what_was_under_way_is_told(self):
        self.configure(defaults={"in_flight": "3"})
        sink = self.sink("--delay", "1s")
        self.ingest([make_run(n, sink.hook()) for n in range(50)])
        sender = self.send()
        wait_until(lambda: sink.count() == 3, "three requests under way")
        done = self.ctl_json("purge", "--endpoint", sink.hook(), "--yes")[-1]
        self.assertEqual(self.entries()["purged"], 50)
        self.assertIn(3, done.values(), done)
        self.assertEqual(sender.stop(), 0)
        self.assertEqual(sink.count(), 3)
        self.assert_sound(accepted=50, purged=50)


class Isolation(Story):
    """Promise P7: one endpoint's trouble is its own."""

    def test_a_receiver_that_never_answers_holds_its_own_limit_only(self):
        hung, well = self.sink("--never"), self.sink()
        self.ingest([make_run(n, hung.hook()) for n in range(2000)])
        self.ingest([make_run(n, well.hook()) for n in range(5000, 5500)])
        sender = self.send("--senders", "2")
        self.wait_entries("the healthy endpoint's deliveries", delivered=500, limit_s=15)
        self.assertEqual(len(well.by_id()), 500)
        self.assertLessEqual(self.entries()["in_flight"], 10)
        self.assertLessEqual(hung.count(), 20)
        sender.signal(15)
        self.assertEqual(sender.wait(), 0)
        self.assert_sound(accepted=2500, delivered=500, waiting=2000)

    def test_a_receiver_that_fails_fast_does_not_starve_the_others(self):
        self.configure(defaults={"retry_base": "5ms", "retry_factor": "1", "retry_attempts": "200"})
        failing, well = self.sink("--status", "500"), self.sink()
        self.ingest([make_run(n, failing.hook()) for n in range(1000)])
        sender = self.send()
        wait_until(lambda: failing.count() > 50, "failures")
        self.ingest([make_run(n, well.hook()) for n in range(5000, 5200)])
        self.wait_entries("the healthy endpoint's deliveries", delivered=200, limit_s=15)
        self.assertEqual(sender.stop(), 0)
        self.assert_sound(delivered=200)


class Live(Story):
    weight = 6

    def test_runs_arrive_while_they_are_written(self):
        sink = self.sink()
        live = self.live_ingest()
        sender = self.send("--senders", "2")
        began, sent = time.monotonic(), 0
        while sent < 1000:
            wait_until(lambda: time.monotonic() - began > sent / 200, "the next tick",
                       every_s=0.002)
            live.send(make_run(sent, sink.hook(), pad=1500))
            sent += 1
        self.assertEqual(live.close(), 0)
        self.wait_entries("all to be delivered", delivered=1000)
        self.assertEqual(sender.stop(), 0)
        arrived = {entry_id: got[0]["at_ms"] for entry_id, got in sink.by_id().items()}
        waits_ms = sorted(arrived[r["id"]] - at * 1000 for r, at in zip(live.receipts, live.at))
        median_ms = waits_ms[len(waits_ms) // 2]
        self.note(f"median receipt to arrival {median_ms:.1f} ms, worst {waits_ms[-1]:.0f} ms")
        self.assertLess(median_ms, 1000)
        self.assert_sound(delivered=1000)
