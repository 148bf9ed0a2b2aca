"""Stories about an outbox in a database, whatever store the other stories run on: it is made,
filled, delivered from, looked at and purged with the same programs."""
import os
import pathlib
import sys
import unittest

import harness
from harness import BIN, Story, make_run

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "postgres"))
from server import VARIABLE  # noqa: E402


@unittest.skipUnless(os.environ.get(VARIABLE), f"{VARIABLE} names no server")
class Database(Story):
    deadline_s = 120

    def setUp(self):
        super().setUp()
        if harness.STORE == "lmdb":
            self.outbox = self._schema()
        self.assertEqual(self.run_program(BIN / "runpost", "init", "--outbox",
                                          self.outbox).poll(), 0)

    def deliver(self, n):
        """So many runs, from lines to the receiver, each of them once."""
        sink = self.sink()
        receipts = self.ingest([make_run(k, sink.hook()) for k in range(n)])
        self.assert_statuses(receipts, *["queued"] * n)
        sender = self.send("--senders", "2")
        self.wait_entries("all to be delivered", delivered=n)
        self.assertEqual(sender.stop(), 0)
        self.assertEqual(sorted(sink.by_id()), sorted(r["id"] for r in receipts))
        self.assertEqual([len(got) for got in sink.by_id().values()], [1] * n)
        return receipts

    def test_runs_are_delivered_once_each_and_signed_as_ever(self):
        self.deliver(300)
        self.assert_sound(delivered=300)

    def test_the_same_run_is_a_duplicate_with_the_id_of_the_first(self):
        run = make_run(1, "http://127.0.0.1:9/hook")
        first, second = self.ingest([run])[0], self.ingest([run])[0]
        self.assertEqual((first["status"], second["status"]), ("queued", "duplicate"))
        self.assertEqual(first["id"], second["id"])

    def test_a_purge_needs_a_place_for_its_backup(self):
        receipts = self.ingest([make_run(1, "http://127.0.0.1:9/hook")])
        self.ctl("hold", receipts[0]["id"])
        refused = self.ctl("purge", "--state", "held", "--yes", code=64)
        self.assertIn("--backup names a file", refused.err)
        self.assertEqual(self.entries()["held"], 1)
        backup = self.folder / "mine.ndjson"
        self.ctl("purge", "--state", "held", "--yes", "--backup", backup)
        self.assertEqual(self.entries()["held"], 0)
        self.assertIn(receipts[0]["id"], backup.read_text())
