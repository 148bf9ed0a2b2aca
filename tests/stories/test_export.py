"""Stories of export, import and backup: what leaves an outbox comes back the same,
and secrets leave only when asked."""

import json
import os
import signal

from harness import BIN, Story, envelope, json_lines, make_run, run_id, sha256, wait_until

SECRET = "s3cret-in-the-query"


class TwoOutboxes(Story):
    def setUp(self):
        super().setUp()
        self.configure(defaults={"retry_attempts": "2", "retry_base": "10ms"})

    def other(self):
        """Another outbox, beside the first one."""
        outbox = self.folder / f"other-{self.next_number()}"
        self.run_program(BIN / "runpost", "init", "--outbox", outbox)
        return outbox

    def at(self, outbox, verb, *options, code=0, data=None):
        process = self.run_program(BIN / "runpostctl", verb, "--outbox", outbox, "--config",
                                   self.config, *options, data=data)
        if code is not None:
            self.assertEqual(process.poll(), code,
                             process.err + process.out.decode(errors="replace")[-2000:])
        return process

    def imported(self, outbox, *options, data, code=0):
        return json_lines(self.at(outbox, "import", "-", "--json", *options, data=data,
                                  code=code).out)[0]


class Exported(TwoOutboxes):
    def fill(self):
        """Delivered, dead, held and waiting entries, with and without secrets. The receivers."""
        good, bad = self.sink(), self.sink("--status", "500")
        lines = [make_run(n, good.hook(f"/{n % 3}") + (f"?token={SECRET}{n}" if n % 2 else ""))
                 for n in range(20)]
        lines += [envelope(n, bad.hook(), headers={"x-tenant": f"{SECRET}-h"},
                           operation="POST /runs", order_by="o") for n in range(20, 24)]
        lines += [make_run(n, bad.hook("/plain")) for n in range(24, 28)]
        self.ingest(lines)
        self.drain()
        self.ingest([make_run(n, "https://hooks.example.com/in") for n in range(28, 34)])
        self.ctl("hold", "--run", run_id(28))
        return good, bad

    def same(self, a, b):
        """Two exports hold the same entries; numbers may differ."""
        strip = lambda data: sorted((json.dumps({k: v for k, v in e.items() if k != "seq"})
                                     for e in json_lines(data)))
        self.assertEqual(strip(a), strip(b))

    def test_everything_comes_back_the_same(self):
        self.fill()
        exported = self.ctl("export", "--with-secrets").out
        self.assertEqual(len(json_lines(exported)), 34)
        other = self.other()
        result = self.imported(other, data=exported)
        self.assertEqual((result["imported"], result["refused"], result["present"]), (34, 0, 0))
        self.same(exported, self.at(other, "export", "--with-secrets").out)
        # numbers are kept in an empty outbox
        self.assertEqual([e["seq"] for e in json_lines(exported)],
                         [e["seq"]
                          for e in json_lines(self.at(other, "export", "--with-secrets").out)])
        self.at(other, "verify")
        for entry in self.list():
            there = json_lines(self.at(other, "show", entry["id"], "--json").out)[0]
            self.assertEqual({k: there[k] for k in entry}, entry)
            self.assertEqual(self.at(other, "body", entry["id"]).out,
                             self.ctl("body", entry["id"]).out)
        again = self.imported(other, data=exported)
        self.assertEqual((again["imported"], again["present"]), (0, 34))

    def test_two_outboxes_become_one_and_every_id_leads_to_its_entry(self):
        good, _ = self.fill()
        mine = self.ctl("export", "--with-secrets").out
        other = self.other()
        self.run_program(BIN / "runpost", "ingest", "--outbox", other, "--config", self.config,
                         data=b"".join(make_run(n, good.hook("/b")) + b"\n"
                                       for n in range(500, 520)))
        result = self.imported(other, data=mine)
        self.assertEqual(result["imported"], 34)
        self.at(other, "verify")
        listed = {e["id"]: e for e in json_lines(self.at(other, "list", "--json").out)}
        self.assertEqual(len({e["seq"] for e in listed.values()}), 54)
        for line in json_lines(mine):
            self.assertEqual(listed[line["id"]]["run_id"], line["run_id"])
            shown = json_lines(self.at(other, "show", line["id"], "--json").out)[0]
            self.assertEqual((shown["id"], shown["run_id"]), (line["id"], line["run_id"]))
            by_run = json_lines(self.at(other, "list", "--run", line["run_id"], "--json").out)
            self.assertEqual([e["id"] for e in by_run], [line["id"]])
        # what is replayed goes out under its old id
        delivered = [line for line in json_lines(mine) if line["state"] == "delivered"][:3]
        before = {line["id"]: len(good.by_id()[line["id"]]) for line in delivered}
        self.at(other, "replay", *[line["id"] for line in delivered], "--yes")
        sender = self.spawn(BIN / "runpost", "send", "--outbox", other, "--config", self.config)
        for line in delivered:
            wait_until(lambda: len(good.by_id()[line["id"]]) > before[line["id"]], "the replay")
        sender.stop()
        # a purged one is gone, and its dedupe key with it
        gone = delivered[0]["id"]
        self.at(other, "purge", gone, "--yes")
        self.at(other, "show", gone, code=1)
        self.at(other, "verify")
        self.assertEqual(self.imported(other, data=mine)["imported"], 1)
        self.at(other, "show", gone)
        self.at(other, "verify")

    def test_a_purge_can_be_taken_back(self):
        self.fill()
        before = self.list()
        exported = self.ctl("export", "--state", "dead", "--with-secrets").out
        self.ctl("purge", "--state", "dead", "--yes")
        file = self.file("dead.ndjson", exported)
        dry = self.ctl_json("import", str(file), "--dry-run")[0]
        self.assertEqual((dry["imported"], dry["dry_run"]), (8, True))
        self.assertEqual(len(self.list()), len(before) - 8)
        self.assertEqual(self.ctl_json("import", str(file))[0]["imported"], 8)
        strip = lambda entries: sorted(json.dumps({k: v for k, v in e.items() if k != "seq"})
                                       for e in entries)
        self.assertEqual(strip(self.list()), strip(before))
        self.assert_sound(dead=8)

    def test_no_secret_leaves_unless_asked_and_what_lacks_its_own_is_refused(self):
        self.fill()
        done = self.ctl("export")
        self.assertNotIn(SECRET.encode(), done.out)
        self.assertIn("--with-secrets", done.err)
        lines = json_lines(done.out)
        complete = [line for line in lines if line["complete"]]
        self.assertEqual((len(lines), len(complete)), (34, 20))
        self.assertTrue(all("payload" in line for line in complete))
        self.assertFalse(any("payload" in line or "dedupe_key" in line
                             for line in lines if not line["complete"]))
        done = self.at(self.other(), "import", "-", "--json", data=done.out, code=1)
        result = json_lines(done.out)[0]
        self.assertEqual((result["imported"], result["refused"]), (20, 14))
        self.assertIn("standard input, line 2: it was exported without its secrets", done.err)

    def test_a_token_that_only_the_payload_has_does_not_leave_either(self):
        run = {"run_id": "r-1", "status": "success",
               "kwargs": {"webhook": f"https://old.example.com/in?token={SECRET}"}}
        plain = {"run_id": "r-2", "status": "success",
                 "kwargs": {"webhook": "https://old.example.com/in"}}
        self.ingest([json.dumps({"webhook": "https://hooks.example.com/in", "run": r}).encode()
                     for r in (run, plain)])
        done = self.ctl("export")
        self.assertNotIn(SECRET.encode(), done.out)
        self.assertEqual([line["complete"] for line in json_lines(done.out)], [False, True])
        self.assertIn("1 without secrets", done.err)
        whole = self.ctl("export", "--with-secrets").out
        self.assertEqual([json.loads(line["payload"]) for line in json_lines(whole)], [run, plain])

    def test_a_bad_line_is_named_and_the_others_go_on(self):
        self.fill()
        lines = self.ctl("export", "--with-secrets").out.splitlines()
        lines[3] = b'{"v":1,"id":"nonsense"}'
        lines[5] = lines[5].replace(b'"payload":"{', b'"payload":"{ ')
        lines[7] = b"\xff\xfe"
        lines[9] = lines[9][:200]
        other = self.other()
        done = self.at(other, "import", self.file("lines", b"\n".join(lines)), data=None, code=1)
        self.assertIn(b"imported 30, 4 refused", done.out)
        for line, what in ((4, "id: must be"), (6, "payload_sha256: does not fit"), (8, "byte 1"),
                           (10, "byte 201")):
            self.assertRegex(done.err, rf"lines, line {line}: {what}")
        self.at(other, "verify")
        self.at(other, "import", self.folder / "nowhere", code=66)
        self.at(other, "import", code=64)

    def test_filters_pick_lines_and_hold_keeps_them_back(self):
        self.fill()
        exported = self.ctl("export", "--with-secrets").out
        other = self.other()
        result = self.imported(other, "--state", "waiting,held", "--hold", data=exported)
        self.assertEqual((result["imported"], result["not_selected"]), (6, 28))
        stats = json_lines(self.at(other, "stats", "--json").out)[0]["entries"]
        self.assertEqual((stats["held"], stats["waiting"]), (6, 0))
        self.at(other, "verify")

    def test_what_was_still_to_do_is_done_elsewhere(self):
        sink = self.sink()
        self.ingest([make_run(n, sink.hook() + "?token=t") for n in range(30)])
        exported = self.ctl("export", "--with-secrets").out
        other = self.other()
        self.imported(other, data=exported)
        done = self.spawn(BIN / "runpost", "send", "--drain", "--outbox", other, "--config",
                          self.config)
        self.assertEqual(done.wait(), 0, done.err)
        record = sink.record()
        self.assertEqual({r["webhook_id"] for r in record},
                         {line["id"] for line in json_lines(exported)})
        self.assertEqual({r["sha256"] for r in record},
                         {sha256(line["payload"].encode()) for line in json_lines(exported)})


class Backup(TwoOutboxes):
    def test_a_backup_under_load_is_restored_elsewhere_and_drains(self):
        sink = self.sink()
        ingest = self.live_ingest()
        sender = self.send()
        sent = 0
        for _ in range(10):
            ingest.send(*[make_run(sent + i, sink.hook(f"/{i % 5}"), pad=2000) for i in range(200)])
            sent += 200
        ingest.wait_receipts(1000)
        copy = self.folder / "copy"
        result = self.ctl_json("backup", str(copy))[0]
        self.assertEqual(result["dir"], str(copy))
        self.assertEqual(os.listdir(copy), ["data.mdb"])
        self.assertEqual((copy / "data.mdb").stat().st_size, result["bytes"])
        self.assertEqual(copy.stat().st_mode & 0o777, 0o700)
        ingest.close()
        self.wait_entries("the rest", delivered=2000)
        sender.stop()
        # the copy as it was at one moment: its ledger balances, and it goes on from there
        self.at(copy, "verify")
        stats = json_lines(self.at(copy, "stats", "--json").out)[0]
        self.assertTrue(stats["balanced"])
        self.assertGreaterEqual(stats["accepted"], 1000)
        done = self.spawn(BIN / "runpost", "send", "--drain", "--outbox", copy, "--config",
                          self.config)
        self.assertEqual(done.wait(), 0, done.err)
        stats = json_lines(self.at(copy, "stats", "--json").out)[0]
        self.assertEqual(stats["entries"]["delivered"], stats["accepted"])
        self.at(copy, "verify")
        self.assert_sound(delivered=2000)

    def test_a_backup_overwrites_nothing(self):
        self.ingest([make_run(1, "https://hooks.example.com/in")])
        self.folder.joinpath("there").mkdir()
        self.assertIn("new directory", self.ctl("backup", str(self.folder / "there"), code=64).err)
        self.ctl("backup", str(self.folder / "no" / "parent"), code=66)
        self.ctl("backup", code=64)

    def test_an_interrupted_backup_leaves_nothing(self):
        self.ingest([make_run(n, "https://hooks.example.com/in", pad=20000) for n in range(2000)])
        copy = self.folder / "copy"
        backup = self.spawn(BIN / "runpostctl", "backup", copy, "--outbox", self.outbox)
        wait_until(lambda: (copy / "data.mdb.part").exists() or backup.poll() is not None,
                   "its beginning", every_s=0.0005)
        backup.signal(signal.SIGINT)
        code = backup.wait()
        if code == 0:
            self.skipTest("it was faster than the interrupt")
        self.assertEqual((code, copy.exists()), (130, False), backup.err)
