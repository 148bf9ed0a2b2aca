"""Stories about runpost ingest: what is taken, what is refused,
what the receipts say, how it ends."""

import json
import ctypes
import os
import signal
import struct

from harness import BIN, FIXTURES, Story, envelope, make_run, run_id, sha256, secret_text

HOOK = "http://127.0.0.1:1/hook"
OPERATIONS = ["POST /threads/{thread_id}/runs", "POST /threads/{thread_id}/runs/stream",
              "POST /threads/{thread_id}/runs/wait", "POST /runs/stream", "POST /runs/wait",
              "POST /threads/{thread_id}/runs/crons", "POST /runs/crons", "POST /runs"]


def retarget(lines, sink):
    return [line.replace(b"http://127.0.0.1:9911", sink.url.encode()) for line in lines]


class Fixtures(Story):
    def test_all_operations_that_start_runs_are_taken_delivered_and_shown(self):
        sink = self.sink("--token", "s3cret")
        lines = retarget((FIXTURES / "operations.ndjson").read_bytes().splitlines(), sink)
        receipts = self.ingest(lines)
        self.assert_statuses(receipts, *["queued"] * len(OPERATIONS))
        self.drain()
        shown = [self.show(r["id"]) for r in receipts]
        self.assertEqual([s["operation"] for s in shown], OPERATIONS)
        for line, receipt, entry in zip(lines, receipts, shown):
            run = json.loads(line)["run"]
            self.assertEqual((entry["run_id"], entry["state"]), (run["run_id"], "delivered"))
            self.assertIn("token=REDACTED", entry["url"])
            got, = sink.by_id()[receipt["id"]]
            payload = line[line.index(b',"run":') + 7:-1]
            self.assertEqual((got["sha256"], got["run_id"], got["token"]),
                             (sha256(payload), run["run_id"], "ok"))
        self.assert_sound(accepted=8, delivered=8)

    def test_runs_as_an_engine_posts_them_arrive_unchanged(self):
        sink = self.sink("--token", "s3cret")
        lines = retarget((FIXTURES / "langgraph-runs.ndjson").read_bytes().splitlines(), sink)
        receipts = self.ingest(lines)
        self.assert_statuses(receipts, *["queued"] * 8)
        self.assertEqual([r["run_id"] for r in receipts],
                         [json.loads(line)["run_id"] for line in lines])
        self.drain()
        for line, receipt in zip(lines, receipts):
            got, = sink.by_id()[receipt["id"]]
            self.assertEqual((got["sha256"], got["bytes"]), (sha256(line), len(line)))
        self.assert_sound(delivered=8)


class Receipts(Story):
    def test_they_come_in_order_with_the_fields_of_their_status(self):
        lines = [make_run(1, HOOK), make_run(1, HOOK), json.dumps({"run_id": "r-2"}).encode(), b"",
                 b"{", make_run(3, "ftp://h/"), envelope(4, HOOK, id="a key"), make_run(1, HOOK)]
        receipts = self.ingest(lines, code=1)
        self.assert_statuses(receipts, "queued", "duplicate", "skipped", "skipped", "rejected",
                             "rejected", "queued", "duplicate")
        self.assertEqual([r["line"] for r in receipts], list(range(1, 9)))
        first = receipts[0]
        self.assertEqual(set(first), {"line", "status", "id", "run_id"})
        self.assertRegex(first["id"], r"^msg_[0-9A-Z]{26}$")
        self.assertEqual(receipts[1], {**first, "line": 2, "status": "duplicate"})
        self.assertEqual(receipts[7], {**first, "line": 8, "status": "duplicate"})
        self.assertEqual((receipts[2]["run_id"], "id" in receipts[2]), ("r-2", False))
        self.assertEqual(set(receipts[4]), {"line", "status", "code", "reason"})
        self.assertNotEqual(receipts[6]["id"], first["id"])
        self.assert_sound(accepted=2, waiting=2)

    def test_a_second_run_knows_what_the_first_one_took(self):
        lines = [make_run(n, HOOK) for n in range(50)]
        first = self.ingest(lines[:30])
        second = self.ingest(lines)
        self.assert_statuses(second, *["duplicate"] * 30, *["queued"] * 20)
        self.assertEqual([r["id"] for r in second[:30]], [r["id"] for r in first])
        self.assert_sound(accepted=50)

    def test_what_makes_a_duplicate(self):
        base = {"run_id": "r", "status": "success", "webhook": HOOK}
        cases = [({}, "queued"), ({"values": 1}, "duplicate"), ({"status": "error"}, "queued"),
                 ({"webhook": HOOK + "2"}, "queued"), ({"run_id": "s"}, "queued")]
        lines = [json.dumps({**base, **change}).encode() for change, _ in cases]
        lines += [envelope(1, HOOK, id="k"), envelope(2, HOOK, id="k"), envelope(2, HOOK, id="l")]
        lines += [b'{"webhook":"%s"}' % HOOK.encode(), b'{"webhook":"%s"}' % HOOK.encode(),
                  b'{"webhook":"%s"} ' % HOOK.encode()]
        receipts = self.ingest(lines)
        self.assert_statuses(receipts, *[status for _, status in cases], "queued", "duplicate",
                             "queued", "queued", "duplicate", "queued")

    def test_the_url_comes_from_the_envelope_then_kwargs_then_the_run_then_the_option(self):
        both = {"kwargs": {"webhook": "http://127.0.0.1:1/kwargs"},
                "webhook": "http://127.0.0.1:1/top"}
        lines = [json.dumps({"run_id": "a", **both}),
                 json.dumps({"run_id": "b", "webhook": both["webhook"]}),
                 json.dumps({"webhook": "http://127.0.0.1:1/envelope",
                             "run": {"run_id": "c", **both}}), json.dumps({"run_id": "d"})]
        receipts = self.ingest([line.encode() for line in lines], "--webhook",
                               "http://127.0.0.1:1/option")
        self.assertEqual([self.show(r["id"])["url"].rpartition("/")[2] for r in receipts],
                         ["kwargs", "top", "envelope", "option"])

    def test_quiet_says_nothing_and_else_a_summary_counts(self):
        done = self.run_program(*self.ingest_argv(), data=make_run(1, HOOK) + b"\n{\n")
        self.assertRegex(done.err,
                         r"lines=2 queued=1 duplicate=0 skipped=0 rejected=1 commits=1\n$")
        self.assertEqual(self.run_program(*self.ingest_argv("--quiet"), data=b"{\n").err, "")


class Rejects(Story):
    CASES = [
        (b"{", "bad_json"), (b"[1]", "bad_json"), (b'"x"', "bad_json"), (b"{} {}", "bad_json"),
        (b'{"a":01}', "bad_json"), (b'{"a":"\xff\xfe"}', "bad_json"),
        (b'{"a":"x\x00y"}', "bad_json"),
        (b"\x00", "bad_json"), (b'\xef\xbb\xbf{"webhook":"http://127.0.0.1:1/"}', "bad_json"),
        (b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}", "bad_json"),
        (b'{"webhook":"not a url"}', "bad_url"), (b'{"webhook":"ftp://h/"}', "bad_url"),
        (b'{"webhook":"http://h:99999/"}', "bad_url"), (b'{"webhook":"http:///x"}', "bad_url"),
        (b'{"webhook":"http://h/a\\\\b"}', "bad_url"), (b'{"webhook":""}', "bad_url"),
        (b'{"webhook":"http://h/%s"}' % (b"x" * 5000), "bad_url"),
        (b'{"webhook":"http://h/\\u0000"}', "bad_field"), (b'{"webhook":17}', "bad_field"),
        (b'{"webhook":"http://h/","run":[]}', "bad_field"),
        (b'{"webhook":"http://h/","run":{},"id":""}', "bad_field"),
        (b'{"webhook":"http://h/","run":{},"id":7}', "bad_field"),
        (b'{"webhook":"http://h/","run":{},"id":"%s"}' % (b"x" * 300), "bad_field"),
        (b'{"webhook":"http://h/","run":{},"operation":"a\\u001bb"}', "bad_field"),
        (b'{"webhook":"http://h/","run":{},"not_before":"tomorrow"}', "bad_field"),
        (b'{"webhook":"http://h/","run":{},"expires_at":1}', "bad_field"),
        (b'{"webhook":"http://h/","run":{},"headers":["a"]}', "bad_field"),
        (b'{"webhook":"http://h/","run":{},"headers":{"a":1}}', "bad_field"),
        (b'{"webhook":"http://h/","run":{"run_id":"%s"}}' % (b"x" * 300), "bad_field"),
    ]

    def test_a_byte_order_mark_in_front_of_a_text_says_nothing(self):
        mark = b"\xef\xbb\xbf"
        self.config.write_bytes(mark + self.config.read_bytes())
        secret = self.file("secret", mark + secret_text(b"k" * 32).encode() + b"\n")
        with open(self.config, "ab") as config:
            config.write(b'[endpoint "a"]\nurl = http://127.0.0.1:9/a\nsecret_file = %s\n'
                         % str(secret).encode())
        self.assertEqual(self.run_program(BIN / "runpost", "check-config", "--config",
                                          self.config).poll(), 0)
        lines = [make_run(n, "http://127.0.0.1:9/a") for n in range(2)]
        receipts = self.ingest([mark + lines[0], mark + lines[1], lines[1]], code=1)
        self.assert_statuses(receipts, "queued", "rejected", "queued")
        self.assertEqual(self.ctl("body", receipts[0]["id"]).out, lines[0])
        exported = self.file("exported", mark + self.ctl("export", "--with-secrets").out)
        self.ctl("purge", "--state", "waiting", "--yes")
        self.assertEqual(self.ctl_json("import", exported)[0]["imported"], 2)

    def test_each_wrong_line_has_its_code_and_is_kept_verbatim_between_good_ones(self):
        rejects = self.folder / "rejects"
        lines = []
        for n, (line, _) in enumerate(self.CASES):
            lines += [line, make_run(n, HOOK)]
        receipts = self.ingest(lines, "--rejects", rejects, code=1)
        self.assertEqual([(r["status"], r.get("code")) for r in receipts[0::2]],
                         [("rejected", code) for _, code in self.CASES])
        self.assertEqual({r["status"] for r in receipts[1::2]}, {"queued"})
        for receipt in receipts[0::2]:
            self.assertGreater(len(receipt["reason"]), 10)
        self.assertEqual(rejects.read_bytes(), b"".join(line + b"\n" for line, _ in self.CASES))
        self.assertEqual(rejects.stat().st_mode & 0o777, 0o600)
        self.assert_sound(accepted=len(self.CASES))

    def test_a_line_of_17_mib_is_too_large_and_kept_whole(self):
        rejects = self.folder / "rejects"
        long = b'{"webhook":"%s","x":"' % HOOK.encode() + b"y" * (17 << 20) + b'"}'
        receipts = self.ingest([make_run(1, HOOK), long, make_run(2, HOOK)], "--rejects", rejects,
                               code=1)
        self.assert_statuses(receipts, "queued", "rejected", "queued")
        self.assertEqual(receipts[1]["code"], "too_large")
        self.assertEqual(sha256(rejects.read_bytes()), sha256(long + b"\n"))

    def test_a_line_cut_off_by_the_end_is_rejected_and_the_whole_line_is_taken_later(self):
        whole = make_run(1, HOOK)
        for cut in (1, len(whole) // 2, len(whole) - 1):
            receipts = self.ingest(make_run(100 + cut, HOOK) + b"\n" + whole[:cut], code=1)
            self.assert_statuses(receipts, "queued", "rejected")
            self.assertEqual(receipts[1]["code"], "bad_json")
        self.assertIn("cut off", receipts[1]["reason"])
        self.assert_statuses(self.ingest([whole]), "queued")

    def test_a_last_line_without_a_line_feed_is_taken_when_it_is_whole(self):
        self.assert_statuses(self.ingest(make_run(1, HOOK) + b"\n" + make_run(2, HOOK)), "queued",
                             "queued")

    def test_line_ends_of_other_systems_are_taken(self):
        receipts = self.ingest(make_run(1, HOOK) + b"\r\n\r\n" + make_run(2, HOOK) + b"\r\n")
        self.assert_statuses(receipts, "queued", "skipped", "queued")
        self.assertEqual(self.ctl("body", receipts[0]["id"]).out, make_run(1, HOOK) + b"\r")

    def test_headers_that_would_smuggle_are_refused(self):
        smuggled = [{"x-a": "b\r\nwebhook-id: forged"}, {"x-a\r\nb": "c"}, {"x a": "b"}, {"": "b"},
                    {"x-a": "b\u0000"}, {"webhook-signature": "v1,forged"}, {"Webhook-Id": "x"},
                    {"host": "x"}, {"Content-Length": "0"}, {"transfer-encoding": "chunked"},
                    {"connection": "close"}, {"runpost-attempt": "9"},
                    {"x-a": "b\u007f"}, {"x-big": "y" * 3000}]
        receipts = self.ingest([envelope(n, HOOK, headers=h) for n, h in enumerate(smuggled)],
                               code=1)
        self.assertEqual([(r["status"], r.get("code")) for r in receipts],
                         [("rejected", "bad_field")] * len(smuggled))
        self.assertFalse(any("forged" in r["reason"] for r in receipts))
        self.assert_sound(accepted=0)


def without_root_s_way_in():
    """Modes of directories then hold for root as for anybody: the next program starts without the
    capabilities to pass them by. Nothing changes for other users."""
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


class Exits(Story):
    def end_with(self, code, *options, data=b"{}\n", outbox=None, **more):
        self.outbox = outbox or self.outbox
        done = self.run_program(*self.ingest_argv(*options), data=data, **more)
        self.assertEqual(done.poll(), code, done.err)
        return done

    def test_0_all_accepted_and_1_some_rejected(self):
        self.end_with(0, data=make_run(1, HOOK) + b"\n{}\n")
        self.end_with(1, data=b"{\n")

    def test_0_for_nothing_at_all_and_the_outbox_is_there(self):
        self.end_with(0, data=b"")
        self.assert_sound(accepted=0)
        self.assertEqual(self.outbox.stat().st_mode & 0o777, 0o700)

    def test_64_usage(self):
        for options in (["--nonsense"], ["stray"], ["--webhook", "no url"], ["--rejects"]):
            done = self.end_with(64, *options)
            self.assertEqual(done.out, b"")
            self.assertFalse(self.outbox_exists())

    def test_64_rejects_through_a_link_or_into_a_fifo_that_nobody_reads(self):
        target, rejects = self.file("target", "somebody else's"), self.folder / "rejects"
        for make in (lambda: rejects.symlink_to(target), lambda: os.mkfifo(rejects)):
            make()
            done = self.end_with(64, "--rejects", rejects, data=b"{\n")
            self.assertRegex(done.err, "is a symbolic link; name the file|FIFO that nobody reads")
            self.assertEqual(done.out, b"")
            rejects.unlink()
        self.assertEqual(target.read_text(), "somebody else's")
        self.end_with(1, "--rejects", "/dev/stderr", data=b"{\n")

    def test_74_when_nobody_reads_the_receipts_and_the_lines_are_kept(self):
        with open("/dev/full", "wb") as full:
            path = self.file("in", make_run(1, HOOK) + b"\n")
            with open(path, "rb") as source:
                process = self.spawn(*self.ingest_argv(), stdin=source, stdout=full)
        self.assertEqual(process.wait(), 74, process.err)
        reading, writing = os.pipe()
        os.close(reading)
        with open(path, "rb") as source:
            process = self.spawn(*self.ingest_argv(), stdin=source, stdout=writing)
        os.close(writing)
        self.assertEqual(process.wait(), 74, process.err)
        self.assertIn("sending them again is safe", process.err)
        self.assert_statuses(self.ingest([make_run(1, HOOK)]), "duplicate")

    def test_77_where_the_outbox_or_the_rejects_may_not_be(self):
        place = self.folder / "locked"
        place.mkdir()
        place.chmod(0o555)
        done = self.end_with(77, outbox=place / "outbox", preexec=without_root_s_way_in)
        self.assertIn(str(place / "outbox"), done.err)
        done = self.end_with(77, "--rejects", place / "rejects", outbox=self.folder / "outbox",
                             preexec=without_root_s_way_in)
        self.assertIn(str(place / "rejects"), done.err)
        self.assertFalse((self.folder / "outbox").exists())

    def test_78_configuration_with_file_and_line_and_nothing_touched(self):
        self.config.write_text("[defaults]\nretry_base = soon\n")
        done = self.end_with(78)
        self.assertIn(f"{self.config}:2:", done.err)
        self.config.write_text("[defaults]\nallow_htp = yes\n")
        self.assertIn(f"{self.config}:2:", self.end_with(78).err)
        self.assertFalse(self.outbox_exists())
        self.config.unlink()
        self.assertIn(str(self.config), self.end_with(78).err)

    def test_sigterm_ends_the_input_and_what_was_read_has_its_receipts(self):
        live = self.live_ingest()
        live.send(*[make_run(n, HOOK) for n in range(100)])
        live.write(make_run(100, HOOK)[:50])
        live.wait_receipts(100)
        live.process.signal(signal.SIGTERM)
        self.assertEqual(live.wait(), 0, live.process.err)
        self.assertEqual([r["status"] for r in live.receipts], ["queued"] * 100)
        self.assert_sound(accepted=100)

    def test_sigterm_under_load_leaves_no_line_half_done(self):
        live = self.live_ingest()
        lines = [make_run(n, HOOK, pad=500) for n in range(20000)]
        with open(self.file("in", b"\n".join(lines) + b"\n"), "rb") as source:
            feeder = self.spawn("cat", stdin=source, stdout=live.process.popen.stdin)
        live.wait_receipts(500)
        live.process.signal(signal.SIGTERM)
        self.assertEqual(live.wait(), 0, live.process.err)
        feeder.kill()
        n = len(live.receipts)
        self.assertEqual([r["run_id"] for r in live.receipts], [run_id(i) for i in range(n)])
        self.assert_sound(accepted=n)


class WrongPlaces(Story):
    """Directories that are no outbox of ours: the right exit code,
    a message that names the path, nothing touched."""

    def assert_refused(self, path, code, *words):
        before = self.content(path)
        for argv in (["runpost", "ingest"], ["runpost", "send", "--drain"],
                     ["runpostctl", "stats"]):
            done = self.run_program(BIN / argv[0], *argv[1:], "--outbox", path, "--config",
                                    self.config, data=b"{}\n")
            with self.subTest(program=argv):
                self.assertEqual((done.poll(), done.out), (code, b""), done.err)
                for word in (str(path), *words):
                    self.assertIn(word, done.err)
        self.assertEqual(self.content(path), before)

    def content(self, path):
        """What people put there; a lock file beside it does no harm."""
        if path.is_file():
            return sha256(path.read_bytes())
        return {p: sha256(p.read_bytes())
                for p in path.iterdir() if p.name not in ("lock.mdb", "doorbell")}

    def test_a_file(self):
        self.assert_refused(self.file("plain", "text"), 66)

    def test_a_directory_of_other_files(self):
        (self.folder / "photos").mkdir()
        self.file("photos/me.jpg", "jpeg")
        self.outbox = self.folder / "photos"
        for process in (self.run_program(*self.ingest_argv(), data=b"{}\n"), self.send()):
            self.assertEqual(process.wait(), 65, process.err)
            self.assertIn(f"{self.outbox}: the directory holds other files", process.err)
        self.assertEqual([p.name for p in self.outbox.iterdir()], ["me.jpg"])

    def test_a_data_file_of_something_else(self):
        (self.folder / "junk").mkdir()
        self.file("junk/data.mdb", b"not LMDB at all " * 1000)
        self.assert_refused(self.folder / "junk", 65, "data.mdb")

    def with_format(self, new):
        """Changes the mark in the outbox's data file to `new`."""
        self.ingest([make_run(1, HOOK)])
        path = self.outbox / "data.mdb"
        data, old = path.read_bytes(), b"runpost" + struct.pack(">I", 1)
        self.assertIn(old, data)
        path.write_bytes(data.replace(old, new))

    def test_an_lmdb_file_of_another_program(self):
        self.with_format(b"gunpost" + struct.pack(">I", 1))
        self.assert_refused(self.outbox, 65, "not an outbox of runpost")

    def test_an_outbox_of_a_newer_format(self):
        self.with_format(b"runpost" + struct.pack(">I", 2))
        self.assert_refused(self.outbox, 65, "format 2")

    def test_no_outbox_is_made_by_looking(self):
        done = self.ctl("stats", code=66)
        self.assertIn(str(self.outbox), done.err)
        self.assertFalse(self.outbox_exists())
