"""Stories of jobs: a replay is worked through to its end, each entry once, whoever is killed;
plans, backups, the log."""

import json
import os
import signal
import time

from harness import BIN, Story, envelope, make_run, wait_until


class Jobs(Story):
    deadline_s = 120

    def dead(self, n, hook, first=0):
        """n dead entries, which were never sent: they had expired."""
        ids = [r["id"]
               for r in self.ingest([envelope(first + i, hook(i), expires_at="2020-01-01T00:00:00Z")
                                     for i in range(n)])]
        self.assertEqual(self.send("--drain").wait(), 0)
        self.assertEqual(self.entries()["dead"], n)
        return ids

    def job(self, number):
        return self.ctl_json("jobs", "show", str(number))[0]

    def replays(self):
        return {e["id"]: e["replays"] for e in self.ctl_json("list", "--limit", "0")}


class KilledReplay(Jobs):
    """Promise of the issue: survives the tool, the senders, and a reboot,
    without anybody typing anything."""

    weight = 4
    ENTRIES = 4000

    def test_each_entry_is_replayed_once_though_tool_and_senders_are_killed(self):
        self.configure(sender={"lease": "5s"}, defaults={"in_flight": 20, "timeout": "2s"})
        sink = self.sink("--delay", "2ms")
        ids = self.dead(self.ENTRIES, lambda i: sink.hook(f"/hook-{i % 3}"))
        senders = [self.send() for _ in range(2)]
        tool = self.spawn(BIN / "runpostctl", "replay", "--state", "dead", "--yes", "--reason",
                          "story", "--outbox", self.outbox, "--config", self.config)
        wait_until(lambda: self.ctl_json("jobs") and self.job(1)["done"] > 0,
                   "the job to have begun")
        tool.kill()
        live = [r["id"] for r in self.ingest([make_run(100_000 + i, sink.hook("/hook-0"))
                                              for i in range(50)])]
        kills = 0
        while self.job(1)["state"] == "running" and kills < 30:
            victim = kills % 2
            senders[victim].kill()
            senders[victim] = self.send()
            kills += 1
        wait_until(lambda: self.job(1)["state"] == "done", "the job to be done")
        wait_until(lambda: not (now := self.entries())["waiting"] and not now["in_flight"],
                   "all to be delivered")
        job = self.job(1)
        self.assertEqual((job["planned"], job["done"], job["left"]),
                         (self.ENTRIES, self.ENTRIES, 0))
        replays = self.replays()
        self.assertEqual({replays[i] for i in ids}, {1})
        self.assertEqual({replays[i] for i in live}, {0})
        got = sink.by_id()
        self.assertEqual(set(got), set(ids) | set(live))
        for sender in senders:
            self.assertEqual(sender.stop(), 0)
        self.assert_sound(accepted=self.ENTRIES + 50, delivered=self.ENTRIES + 50)
        log = self.ctl_json("audit")
        self.assertEqual([(r["verb"], r["done"], r["skipped"], r["job"], r["reason"]) for r in log],
                         [("replay", self.ENTRIES, 0, 1, "story")])
        self.note(f"{kills} kills of senders")


class Steering(Jobs):
    def test_a_job_is_paused_resumed_and_cancelled(self):
        sink = self.sink()
        self.dead(200, lambda i: sink.hook())
        sender = self.send()
        self.ctl("replay", "--state", "dead", "--yes", "--rate", "20/s", "--detach")
        wait_until(lambda: self.job(1)["done"] > 0, "the first entries to go")
        paused = json.loads(self.ctl("jobs", "pause", "1", "--json").out)
        self.assertEqual(paused["state"], "paused")
        deadline = time.monotonic() + 0.5
        wait_until(lambda: time.monotonic() > deadline, "half a second")
        self.assertEqual(self.job(1)["done"], paused["done"])
        self.ctl("jobs", "resume", "1")
        wait_until(lambda: self.job(1)["done"] > paused["done"], "more entries to go")
        done = json.loads(self.ctl("jobs", "cancel", "1", "--json").out)["done"]
        wait_until(lambda: self.entries()["delivered"] == done, "those to be delivered")
        self.assertEqual(self.entries()["dead"], 200 - done)
        self.assertLess(done, 60)
        self.assertIn("cancelled", self.ctl("jobs", "cancel", "1", code=1).err)
        self.assertEqual(sender.stop(), 0)
        self.assertEqual([r["verb"] for r in self.ctl_json("audit")],
                         ["replay", "jobs pause", "jobs resume", "jobs cancel"])

    def test_an_interrupted_replay_goes_on_with_the_senders(self):
        sink = self.sink()
        self.dead(100, lambda i: sink.hook())
        sender = self.send()
        tool = self.spawn(BIN / "runpostctl", "replay", "--state", "dead", "--yes", "--rate",
                          "50/s", "--outbox", self.outbox, "--config", self.config)
        wait_until(lambda: self.entries()["delivered"] > 0, "the first to be delivered")
        tool.signal(signal.SIGINT)
        self.assertEqual(tool.wait(), 130)
        self.assertIn("jobs show 1", tool.err)
        self.assertRegex(tool.out.decode(), r"^replayed \d+; \d+ to go\n$")
        wait_until(lambda: self.entries()["delivered"] == 100, "the rest to be delivered")
        self.assertEqual(self.job(1)["done"], 100)
        self.assertEqual(sender.stop(), 0)

    def test_without_senders_a_thousand_are_made_due_and_the_rest_waits_for_them(self):
        self.dead(1400, lambda i: "http://127.0.0.1:9/hook")
        done = self.ctl("replay", "--state", "dead", "--yes")
        self.assertEqual(done.out, b"replayed 1000; 400 to go\n")
        self.assertIn("no sender is running", done.err)
        self.assertEqual(self.entries()["waiting"], 1000)
        self.assert_sound(accepted=1400)

    def test_a_rate_is_kept_without_senders_too(self):
        self.dead(30, lambda i: "http://127.0.0.1:9/hook")
        began = time.monotonic()
        self.assertEqual(self.ctl("replay", "--state", "dead", "--yes", "--rate", "20/s").out,
                         b"replayed 30\n")
        self.assertGreater(time.monotonic() - began, 1)

    def test_drain_carries_a_job_to_its_end(self):
        sink = self.sink()
        self.dead(1400, lambda i: sink.hook())
        self.ctl("replay", "--state", "dead", "--yes", "--detach")
        self.assertEqual(self.send("--drain").wait(), 0)
        self.assertEqual(self.entries()["delivered"], 1400)


class Purging(Jobs):
    def backups(self):
        return sorted((self.outbox / "purged").glob("*.ndjson"))

    def test_a_plan_takes_exactly_what_was_shown(self):
        ids = self.dead(6, lambda i: "http://127.0.0.1:9/hook?token=s3cret")
        shown = self.ctl_json("purge", "--state", "dead", "--dry-run")[0]
        self.assertEqual((shown["would"], shown["states"], shown["causes"]),
                         (6, {"dead": 6}, [{"cause": "expired", "count": 6, "bytes": 510}]))
        self.ctl("replay", ids[0])
        self.ctl("purge", ids[1], "--no-backup")
        self.dead_later = self.ingest([envelope(99, "http://127.0.0.1:9/other")])
        self.ctl("purge", "--plan", str(shown["plan"]), code=64)
        done = json.loads(self.ctl("purge", "--plan", str(shown["plan"]), "--yes", "--json").out)
        self.assertEqual((done["done"], done["skipped"]["moved_on"], done["skipped"]["gone"]),
                         (4, 1, 1))
        self.assertIn("done", self.ctl("purge", "--plan", str(shown["plan"]), "--yes", code=1).err)
        self.assertEqual({e["id"] for e in self.ctl_json("list")},
                         {ids[0], self.dead_later[0]["id"]})
        self.assert_sound(accepted=7, purged=5)

    def test_a_backup_is_written_first_with_everything_in_it(self):
        ids = self.dead(3, lambda i: "http://127.0.0.1:9/hook?token=s3cret")
        done = self.ctl("purge", "--state", "dead", "--yes", "--reason", "gone")
        self.assertEqual(done.out, b"purged 3\n")
        path, = self.backups()
        self.assertIn(str(path), done.err)
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        self.assertEqual(path.parent.stat().st_mode & 0o777, 0o700)
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        self.assertEqual([line["id"] for line in lines], ids)
        self.assertTrue(all(line["complete"] and "token=s3cret" in line["url"] for line in lines))
        log = self.ctl_json("audit")[-1]
        self.assertEqual((log["verb"], log["done"], log["what"], log["reason"]),
                         ("purge", 3, "--state dead", "gone"))
        self.assertEqual(log["uid"], os.getuid())
        self.ctl("import", path)
        self.assertEqual({e["id"]: e["state"] for e in self.ctl_json("list")},
                         {i: "dead" for i in ids})
        self.assert_sound(accepted=6, purged=3, dead=3)

    def test_what_was_delivered_needs_no_backup_unless_one_is_asked_for(self):
        sink = self.sink()
        self.ingest([make_run(n, sink.hook()) for n in range(4)])
        self.drain()
        self.ctl("purge", "--state", "delivered", "--limit", "2", "--yes")
        self.assertFalse((self.outbox / "purged").exists())
        self.ctl("purge", "--state", "delivered", "--yes", "--backup", self.folder / "mine.ndjson")
        self.assertEqual((self.folder / "mine.ndjson").read_text().count("\n"), 2)

    def test_a_backup_made_by_root_is_the_outbox_s_owner_s_and_goes_through_no_link(self):
        self.dead(3, lambda i: "http://127.0.0.1:9/hook")
        elsewhere = self.folder / "elsewhere"
        elsewhere.mkdir()
        (self.outbox / "purged").symlink_to(elsewhere)
        self.assertIn("nothing was purged",
                      self.ctl("purge", "--state", "dead", "--yes", code=74).err)
        self.assertEqual(list(elsewhere.iterdir()), [])
        (self.outbox / "purged").unlink()
        if os.geteuid() != 0:
            self.skipTest("only root can give files away")
        self.folder.chmod(0o755)
        for path in self.outbox.iterdir():
            os.chown(path, 12345, 54321)
        os.chown(self.outbox, 0, 54321)  # as a volume of root's that a group may write to
        self.outbox.chmod(0o770)
        self.ctl("purge", "--state", "dead", "--yes")
        for path in (self.outbox / "purged", *(self.outbox / "purged").iterdir()):
            self.assertEqual((path.stat().st_uid, path.stat().st_gid), (12345, 54321), path)

    def test_nothing_is_purged_when_the_backup_cannot_be_written(self):
        self.dead(3, lambda i: "http://127.0.0.1:9/hook")
        there = self.file("there.ndjson", "somebody else's")
        done = self.ctl("purge", "--state", "dead", "--yes", "--backup", there, code=74)
        self.assertIn("nothing was purged", done.err)
        self.assertEqual(there.read_text(), "somebody else's")
        self.assertEqual(self.entries()["dead"], 3)
        self.ctl("purge", "--state", "dead", "--yes", "--backup", self.folder / "mine.ndjson")
        self.assertEqual((self.folder / "mine.ndjson").read_text().count("\n"), 3)

    def test_the_log_keeps_no_secret(self):
        self.dead(2, lambda i: "http://127.0.0.1:9/hook?token=s3cret")
        self.ctl("hold", "--endpoint", "http://127.0.0.1:9/hook?token=s3cret", "--state", "dead",
                 "--yes")
        self.ctl("replay", "--endpoint", "http://127.0.0.1:9/hook?token=s3cret", "--yes")
        for verb in ("audit", "jobs"):
            for options in ((), ("--json",)):
                out = self.ctl(verb, *options).out.decode()
                self.assertNotIn("s3cret", out)
                self.assertIn("http://127.0.0.1:9/hook", out)
