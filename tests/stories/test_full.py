"""Stories about promise P9: a full quota, a full disk. Ingest stops taking; senders,
replay and purge go on."""

import os
import resource
import shutil
import signal
import subprocess

from harness import Story, json_lines, make_run, run_id, wait_until


class Full(Story):
    PAD = 10000

    def runs(self, url, numbers):
        return b"".join(make_run(n, url, pad=self.PAD) + b"\n" for n in numbers)

    def feed(self, live, data):
        """Writes data into the ingester's pipe from a process of its own,
        which blocks when the pipe does."""
        with open(self.file("feed", data), "rb") as source:
            self.spawn("cat", stdin=source, stdout=live.process.popen.stdin)
        live.process.popen.stdin.close()

    def fill(self, url, n, limit_s=30):
        """Ingests n runs until no more are taken; what was queued."""
        done = self.run_program(*self.ingest_argv(), data=self.runs(url, range(n)), limit_s=limit_s)
        self.assertEqual(done.poll(), 75, done.err)
        receipts = json_lines(done.out)
        self.assertEqual([r["run_id"] for r in receipts], [run_id(i) for i in range(len(receipts))])
        self.assertEqual({r["status"] for r in receipts}, {"queued"})
        self.assertRegex(done.err, r"ev=full ")
        self.assertIn(f"lines from {len(receipts) + 1} on have no receipt", done.err)
        return receipts


class Quota(Full):
    QUOTA = 8 << 20

    def setUp(self):
        super().setUp()
        self.configure(outbox={"quota": "8M"}, ingest={"full_wait": "200ms"})

    def test_ingest_ends_with_75_and_has_room_again_after_a_purge(self):
        sink = self.sink()
        receipts = self.fill(sink.hook(), 3000)
        self.assertGreater(len(receipts), 300)
        self.assert_sound(accepted=len(receipts), waiting=len(receipts))
        stats = self.stats()
        self.assertGreater(stats["used_bytes"], self.QUOTA * 3 // 4)
        self.assertLess(stats["file_bytes"], self.QUOTA * 5 // 4)
        self.drain()
        self.assert_sound(delivered=len(receipts))
        self.assertEqual(self.ingest([make_run(9999, sink.hook(), pad=300000)], code=75), [])
        self.ctl("purge", "--state", "delivered", "--yes")
        again = self.ingest([make_run(i, sink.hook(), pad=self.PAD) for i in range(5000, 5100)])
        self.assert_statuses(again, *["queued"] * 100)
        self.drain()
        self.assertLess(self.stats()["file_bytes"], self.QUOTA * 5 // 4)
        self.assert_sound(delivered=100, purged=len(receipts))

    def test_replay_hold_and_dead_letters_work_when_it_is_full(self):
        self.configure(outbox={"quota": "8M"}, ingest={"full_wait": "0"},
                       defaults={"retry_attempts": "1", "in_flight": "50"})
        sink = self.sink("--status", "500")
        n = len(self.fill(sink.hook(), 2000))
        self.drain()
        self.assert_sound(dead=n)
        self.ctl("replay", "--state", "dead", "--yes")
        self.ctl("hold", "--state", "waiting", "--yes")
        self.assert_sound(held=n)
        self.ctl("release", "--state", "held", "--yes")
        self.drain()
        self.assert_sound(dead=n)
        self.ctl("purge", "--state", "dead", "--yes")
        self.assert_sound(accepted=n, purged=n)

    def test_what_was_delivered_makes_room_by_itself_in_time(self):
        self.configure(outbox={"quota": "8M", "keep_delivered": "100ms"},
                       ingest={"full_wait": "60s"})
        sink = self.sink()
        live = self.live_ingest()
        self.feed(live, self.runs(sink.hook(), range(1500)))
        wait_until(lambda: "ev=full" in live.process.err, "the outbox to be full")
        taken = len(live.receipts)
        self.assertLess(taken, 1500)
        self.assertIsNone(live.process.poll())
        sender = self.send()
        self.assertEqual(live.wait(), 0, live.process.err)
        self.assertIn("ev=room", live.process.err)
        self.assertEqual([r["run_id"] for r in live.receipts], [run_id(i) for i in range(1500)])
        wait_until(lambda: len(sink.by_id()) == 1500, "all deliveries")
        self.assertEqual(sender.stop(), 0)
        self.assert_sound(accepted=1500, waiting=0, in_flight=0, dead=0)
        self.note(f"{taken} taken before it was full")

    def test_sigterm_ends_the_waiting_for_room(self):
        self.configure(outbox={"quota": "8M"}, ingest={"full_wait": "1h"})
        live = self.live_ingest()
        self.feed(live, self.runs("http://127.0.0.1:1/", range(1500)))
        wait_until(lambda: "ev=full" in live.process.err, "the outbox to be full")
        live.process.signal(signal.SIGTERM)
        self.assertEqual(live.wait(), 75, live.process.err)
        self.assert_sound(accepted=len(live.receipts))


class Disk(Full):
    def small_disk(self, size):
        """Moves our programs into a mount namespace where the outbox lies on a small
        file system of its own."""
        self.outbox.mkdir()
        enter, user = ["-m"], [] if os.geteuid() == 0 else ["-r"]
        if user:
            enter += ["-U", "--preserve-credentials"]
        if shutil.which("unshare") is None or shutil.which("nsenter") is None:
            self.skipTest("unshare and nsenter are not there")
        holder = self.spawn(
            "unshare", *user, "-m", "sh", "-c",
            'mount -t tmpfs -o size="$1",mode=0700 tmpfs "$2" && echo mounted && exec cat',
            "sh", size, self.outbox, stdin=subprocess.PIPE)
        wait_until(lambda: holder.out or holder.poll() is not None, "the mount")
        if not holder.out:
            self.skipTest(f"no file system may be mounted here: {holder.err.strip()}")
        self.prefix = ["nsenter", "-t", str(holder.pid), *enter, f"--wd={os.getcwd()}"]

    def test_a_full_disk_stops_ingest_while_senders_go_on(self):
        self.configure(outbox={"disk_reserve": "4M"}, ingest={"full_wait": "200ms"},
                       defaults={"in_flight": "50"})
        self.small_disk("24m")
        sink = self.sink()
        receipts = self.fill(sink.hook(), 4000)
        self.assertGreater(len(receipts), 800)
        self.assertGreater(self.stats()["disk_free_bytes"], 3 << 20)
        self.drain("--senders", "2")
        self.assert_sound(accepted=len(receipts), delivered=len(receipts))
        self.assertEqual(set(sink.by_id()), {r["id"] for r in receipts})
        self.ctl("purge", "--state", "delivered", "--yes")
        self.ingest([make_run(i, sink.hook(), pad=self.PAD) for i in range(5000, 5100)])
        self.drain()
        self.assert_sound(delivered=100)

    def test_a_file_that_may_not_grow_loses_nothing_that_has_a_receipt(self):
        self.ingest([make_run(n, "http://127.0.0.1:1/") for n in range(10)])

        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (4 << 20, 4 << 20))
        path = self.file("in", self.runs("http://127.0.0.1:1/", range(100, 2000)))
        with open(path, "rb") as source:
            process = self.spawn(*self.ingest_argv(), stdin=source, preexec=limit)
        self.assertIn(process.wait(), (74, 75), process.err)
        receipts = json_lines(process.out)
        self.assertLess(len(receipts), 1900)
        self.assert_sound()
        again = self.ingest(path.read_bytes())
        self.assertEqual([r["id"] for r in again[:len(receipts)]], [r["id"] for r in receipts])
        self.assert_sound(accepted=1910)
