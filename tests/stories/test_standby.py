"""Stories about `durability=standby`: a receipt means that two machines have it, and nothing less
is taken for that. Each has a primary and a standby of its own."""
import os
import pathlib
import signal
import sys
import unittest

from harness import BIN, Story, make_run, wait_until

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "postgres"))
from pair import Pair  # noqa: E402
from server import why_not  # noqa: E402

HOOK = "http://127.0.0.1:1/hook"
SCHEMA = "runpost"


@unittest.skipIf(why_not(), why_not())
class WithAPair(Story):
    deadline_s = 150

    def setUp(self):
        super().setUp()
        self.configure(ingest={"full_wait": "1s"})
        self.pair = Pair()
        self.addCleanup(self.pair.remove)
        self.pair.make()
        self.outbox = self.pair.address(durability="standby")
        self.assertEqual(self.run_program(BIN / "runpost", "init", "--outbox",
                                          self.outbox).poll(), 0)

    def stored(self):
        return int(self.pair.primary.query(f"SELECT count(*) FROM {SCHEMA}.entry"))

    def wait_stored(self, n):
        wait_until(lambda: self.stored() == n, f"{n} entries in the primary")

    def freeze_standby(self):
        """It is still connected, and confirms nothing."""
        self.frozen = int(self.pair.standby.query("SELECT pid FROM pg_stat_wal_receiver"))
        os.kill(self.frozen, signal.SIGSTOP)
        self.addCleanup(self.thaw_standby)

    def thaw_standby(self):
        """Again and again does no harm: its cluster is removed after this."""
        os.kill(self.frozen, signal.SIGCONT)


class Receipts(WithAPair):
    def test_what_has_a_receipt_survives_the_primary(self):
        """kill -9 of the primary right behind the last receipt: the standby has all of them."""
        receipts = self.ingest([make_run(n, HOOK) for n in range(200)])
        self.assert_statuses(receipts, *["queued"] * 200)
        self.pair.fail()
        self.pair.promote()
        self.assertEqual(self.stored(), 200)

    def test_without_a_standby_nothing_is_taken(self):
        """The standby is gone: ingest ends with 75, nothing is stored, and goes on afterwards."""
        self.pair.stop_standby()
        wait_until(lambda: not self.pair.is_synchronous(), "the standby to be missed")
        runs = [make_run(n, HOOK) for n in range(3)]
        self.assertEqual(self.ingest(runs, code=75), [])
        self.assertEqual(self.stored(), 0)
        self.pair.start_standby()
        self.assert_statuses(self.ingest(runs), *["queued"] * 3)

    def test_more_standbys_are_asked_for_than_there_are(self):
        self.pair.primary.settings["synchronous_standby_names"] = "'FIRST 2 (standby, other)'"
        self.pair.primary.write_settings()
        self.pair.primary.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.pair.primary.query("SHOW synchronous_standby_names")
                   .startswith("FIRST 2"), "the new setting")
        self.assertEqual(self.ingest([make_run(1, HOOK)], code=75), [])
        self.assertEqual(self.stored(), 0)

    def test_a_role_that_sees_no_standby_is_told_so(self):
        """Without pg_read_all_stats the standbys' positions are NULL, which looks like a standby
        that never confirms."""
        query = self.pair.primary.query
        query("CREATE ROLE writer LOGIN")
        query(f"GRANT USAGE ON SCHEMA {SCHEMA} TO writer")
        query(f"GRANT ALL ON ALL TABLES IN SCHEMA {SCHEMA} TO writer")
        query(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA {SCHEMA} TO writer")
        self.outbox = self.outbox.replace("postgres@", "writer@")
        process = self.run_program(*self.ingest_argv(), data=make_run(1, HOOK) + b"\n")
        self.assertEqual(process.poll(), 77, process.err)
        self.assertIn("GRANT pg_read_all_stats", process.err)
        self.assertEqual(process.out, b"")
        query("GRANT pg_read_all_stats TO writer")
        self.assert_statuses(self.ingest([make_run(1, HOOK)]), "queued")


class Unconfirmed(WithAPair):
    """It is committed on the primary, and the standby says nothing."""

    def setUp(self):
        super().setUp()
        self.freeze_standby()
        self.live = self.live_ingest()
        self.live.send(make_run(1, HOOK))
        self.wait_stored(1)

    def assert_no_receipt(self):
        self.assertEqual(self.live.receipts, [])

    def test_the_receipt_comes_with_the_confirmation(self):
        """After more than one wait has ended in vain the same id is confirmed, as queued: the entry
        is its own, and no duplicate."""
        wait_until(lambda: "no synchronous standby has confirmed" in self.live.process.err,
                   "a wait that ends")
        self.assert_no_receipt()
        self.thaw_standby()
        receipt, = self.live.wait_receipts(1, limit_s=60)
        self.assertEqual(receipt["status"], "queued")
        self.assertEqual(self.stored(), 1)
        self.assertEqual(self.live.close(), 0)

    def test_a_setting_that_is_emptied_confirms_nothing(self):
        """PostgreSQL's own wait would end as a success, without a word."""
        self.pair.require(False)
        wait_until(lambda: self.pair.primary.query("SHOW synchronous_standby_names") == "",
                   "the setting to be empty")
        wait_until(lambda: "no synchronous standby has confirmed" in self.live.process.err
                   or self.live.process.poll() is not None, "a wait that ends")
        self.assert_no_receipt()
        self.thaw_standby()
        self.assertEqual(self.live.wait(60), 75)
        self.assert_no_receipt()

    def test_a_session_that_is_ended_confirms_nothing(self):
        self.pair.primary.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                                " WHERE application_name = 'runpost'")
        wait_until(lambda: "ev=store_away" in self.live.process.err, "the loss to be seen")
        self.assert_no_receipt()
        self.thaw_standby()
        receipt, = self.live.wait_receipts(1, limit_s=60)
        self.assertEqual(receipt["status"], "queued")
        self.assertEqual(self.stored(), 1)


class Deliveries(WithAPair):
    def test_they_go_on_without_the_standby(self):
        """Nobody waits in a COMMIT for the standby with locks in his hands."""
        sink = self.sink()
        self.assert_statuses(self.ingest([make_run(n, sink.hook()) for n in range(50)]),
                             *["queued"] * 50)
        self.pair.stop_standby()
        self.drain(limit_s=60)
        self.assertEqual(sink.count(), 50)
