"""Stories about promise P10: a damaged record is set aside and shown, never sent, never a crash."""

from harness import Story, make_run


class FlippedBytes(Story):
    MARK = b"the-payload-to-be-damaged"

    def flip(self, mark, every=True):
        """Changes one byte of each (or the first) copy of `mark` in the data file,
        which nobody has open."""
        path = self.outbox / "data.mdb"
        data = bytearray(path.read_bytes())
        at, n = data.find(mark), 0
        while at >= 0 and (every or n == 0):
            data[at + len(mark) // 2] ^= 0x20
            n += 1
            at = data.find(mark, at + 1)
        self.assertGreater(n, 0, "the data file does not hold the mark")
        path.write_bytes(data)

    def lines(self, sink):
        lines = [make_run(n, sink.hook()) for n in range(9)]
        lines[4] = make_run(4, sink.hook(), note=self.MARK.decode())
        return lines

    def test_a_damaged_payload_is_dead_and_never_sent_while_the_others_are(self):
        sink = self.sink()
        receipts = self.ingest(self.lines(sink))
        bad = receipts[4]["id"]
        self.flip(self.MARK)
        problems = self.ctl("verify", code=65).out.decode()
        self.assertIn("DAMAGED", problems)
        sender = self.drain()
        self.assertEqual(set(sink.by_id()), {r["id"] for r in receipts} - {bad})
        shown = self.show(bad)
        self.assertEqual((shown["state"], shown["cause"]), ("dead", "damaged"))
        self.assertIn("damage", sender.err)
        self.assertIn("damaged", self.ctl("dead").out.decode())
        self.ctl("body", bad, code=None)
        self.ctl("verify", code=65)
        stats = self.stats()
        self.assertEqual((stats["entries"]["delivered"], stats["entries"]["dead"]), (8, 1))
        self.assertEqual(stats["accepted"], sum(stats["entries"].values()))
        self.ctl("replay", bad, code=None)
        self.drain()
        self.assertNotIn(bad, sink.by_id())
        self.ctl("purge", bad, "--yes")
        self.assert_sound(accepted=9, delivered=8, purged=1)

    def test_a_damaged_large_payload_is_noticed_too(self):
        sink = self.sink()
        big = make_run(1, sink.hook(), pad=300000, note=self.MARK.decode())
        receipts = self.ingest([big, make_run(2, sink.hook())])
        self.flip(self.MARK)
        self.drain()
        self.assertEqual(set(sink.by_id()), {receipts[1]["id"]})
        self.assertEqual(self.show(receipts[0]["id"])["cause"], "damaged")

    def test_a_damaged_entry_record_is_set_aside_too(self):
        sink = self.sink()
        lines = [make_run(n, sink.hook()) for n in range(5)]
        lines[2] = make_run(2, sink.hook("/hook?mark=" + self.MARK.decode()))
        receipts = self.ingest(lines)
        self.flip(b"?mark=" + self.MARK)
        self.ctl("verify", code=65)
        self.drain()
        self.assertEqual(set(sink.by_id()), {r["id"] for n, r in enumerate(receipts) if n != 2})
        entries = self.entries()
        self.assertEqual((entries["delivered"], entries["dead"]), (4, 1))
        for verb in ("list", "dead", "stats", "endpoints"):
            for options in ([], ["--json"]):
                self.assertLess(self.ctl(verb, *options, code=None).poll(), 66)

    def test_random_damage_ends_no_program_by_a_signal_and_sends_no_changed_byte(self):
        """Only leaf data is hit: what LMDB itself does with broken page headers
        is not ours to promise."""
        sink = self.sink()
        lines = [make_run(n, sink.hook(), note=f"{self.MARK.decode()}-{n:04d}") for n in range(400)]
        receipts = self.ingest(lines)
        hit = sorted(self.random.sample(range(400), 40))
        for n in hit:
            self.flip(b"%s-%04d" % (self.MARK, n))
        self.drain("--senders", "2")
        whole = {receipts[n]["id"] for n in range(400) if n not in hit}
        self.assertEqual(set(sink.by_id()), whole)
        entries = self.entries()
        self.assertEqual((entries["delivered"], entries["dead"]), (360, 40))


class DamagedFile(Story):
    """What LMDB's own pages hold together is damaged: programs end with 65 and name the file."""

    def test_a_file_that_was_cut_off_is_refused_by_everybody(self):
        sink = self.sink()
        self.ingest([make_run(n, sink.hook(), pad=2000) for n in range(50)])
        path = self.outbox / "data.mdb"
        path.write_bytes(path.read_bytes()[:path.stat().st_size // 2])
        for verb in ("verify", "stats", "list"):
            self.assertIn("cut off", self.ctl(verb, code=65).err)

    def test_zeroed_pages_end_no_program_by_a_signal(self):
        sink = self.sink()
        self.ingest([make_run(n, sink.hook(), pad=300) for n in range(200)])
        path = self.outbox / "data.mdb"
        sound = path.read_bytes()
        for page in self.random.sample(range(2, len(sound) // 4096), 12):
            path.write_bytes(sound[:page * 4096] + bytes(4096) + sound[(page + 1) * 4096:])
            for verb in ("verify", "stats", "list", "dead", "endpoints"):
                done = self.ctl(verb, code=None)
                self.assertIn(done.poll(), (0, 1, 65), f"page {page}: {verb}: {done.err}")
