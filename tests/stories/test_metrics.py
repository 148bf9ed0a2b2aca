"""Stories of `runpostctl metrics`: text that Prometheus takes,
numbers that are true, and no secrets."""

import os
import re
import shutil
import stat
import subprocess

from harness import Story, envelope


def parse(text):
    """name{labels} -> value"""
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
            for line in text.splitlines() if line[0] != "#"}


def promtool(story, text):
    """Prometheus takes the text, and has nothing to say about it."""
    program = shutil.which("promtool")
    story.assertIsNotNone(program, "promtool is missing: tests/setup.sh installs it")
    done = subprocess.run([program, "check", "metrics"], input=text, capture_output=True,
                          text=True, timeout=30)
    story.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))


class Metrics(Story):
    def check(self, text):
        promtool(self, text)
        return parse(text)

    def metrics(self):
        return self.check(self.ctl("metrics").out.decode())

    def test_an_empty_outbox_has_metrics(self):
        self.ingest([])
        m = self.metrics()
        self.assertEqual(m['runpost_entries{state="waiting"}'], 0)
        self.assertNotIn('runpost_oldest_entry_timestamp_seconds{state="waiting"}', m)

    def test_the_numbers_are_those_of_what_happened(self):
        good, bad = self.sink(), self.sink("--status", "503")
        self.configure(defaults={"retry_attempts": "2"},
                       endpoints=[("good", {"url": good.url}), ("bad-one", {"url": bad.url})])
        lines = [envelope(n, good.hook("/x?token=s3cret")) for n in range(7)]
        lines += ([envelope(n, bad.hook()) for n in range(7, 10)]
                  + [envelope(10, "http://127.0.0.1:9/")])
        self.ingest(lines)
        self.ingest(lines[:4])
        self.drain()
        self.ctl("replay", "--state", "dead", "--endpoint", bad.hook(), "--yes")
        text = self.ctl("metrics").out.decode()
        m = self.check(text)
        self.assertEqual(m['runpost_ingest_lines_total{result="accepted"}'], 11)
        self.assertEqual(m['runpost_ingest_lines_total{result="duplicate"}'], 4)
        self.assertEqual(m['runpost_attempts_total{endpoint="good",outcome="2xx"}'], 7)
        self.assertEqual(m['runpost_attempts_total{endpoint="bad-one",outcome="5xx"}'], 6)
        self.assertEqual(m['runpost_attempts_total{endpoint="other",outcome="connect"}'], 2)
        self.assertEqual(m['runpost_retries_scheduled_total{cause="http"}'], 3)
        self.assertEqual(m['runpost_dead_lettered_total{cause="exhausted"}'], 4)
        self.assertEqual(m["runpost_replayed_total"], 3)
        self.assertEqual(m["runpost_delivery_latency_seconds_count"], 7)
        self.assertEqual(m["runpost_delivery_duration_seconds_count"], 15)
        self.assertEqual(m['runpost_endpoint_waiting{endpoint="bad-one"}'], 3)
        self.assertEqual({s: m[f'runpost_entries{{state="{s}"}}']
                          for s in ("waiting", "delivered", "dead")},
                         {"waiting": 3, "delivered": 7, "dead": 1})
        self.assertEqual(m["runpost_entries_retrying"], 3)
        self.assertGreater(m['runpost_store_commit_seconds_count{by="sender"}'], 0)
        self.assertNotRegex(text, r"127\.0\.0\.1|msg_|s3cret|run_id")
        names = set(re.findall(r"^# TYPE (\S+)", text, re.M))
        self.assertEqual({n for n in names if not n.startswith("runpost_")}, set())
        self.assert_sound()

    def test_counters_only_grow(self):
        sink = self.sink("--status", "503", "200")
        self.ingest([envelope(n, sink.hook()) for n in range(5)])
        before = self.metrics()
        self.drain()
        self.ctl("purge", "--state", "delivered", "--yes")
        after = self.metrics()
        for name, value in before.items():
            if re.match(r"runpost_\w+_(total|count|bucket|sum)\b", name):
                self.assertGreaterEqual(after[name], value, name)
        self.assertEqual(after["runpost_purged_total"], 5)

    def test_a_textfile_is_replaced_as_a_whole_and_everybody_may_read_it(self):
        self.ingest([envelope(1, "http://127.0.0.1:9/")])
        path = self.folder / "runpost.prom"
        path.write_text("old")
        self.addCleanup(os.umask, os.umask(0o077))
        self.assertEqual(self.ctl("metrics", "--textfile", path).out, b"")
        self.check(path.read_text())
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o644)
        self.assertEqual([p.name for p in self.folder.glob("*.tmp")], [])

    def test_a_textfile_keeps_the_mode_it_has(self):
        self.ingest([])
        path = self.file("runpost.prom", "old", 0o640)
        self.ctl("metrics", "--textfile", path)
        self.check(path.read_text())
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o640)

    def test_what_is_no_file_is_never_replaced_by_a_textfile(self):
        """As root over /dev/full, say: everybody's device would be a file from then on."""
        self.ingest([])
        target = self.file("target", "somebody else's")
        path = self.folder / "runpost.prom"
        for make in (lambda: path.symlink_to(target), lambda: path.symlink_to("/dev/full"),
                     lambda: os.mkfifo(path)):
            make()
            before = path.lstat()
            self.assertRegex(self.ctl("metrics", "--textfile", path, code=64).err,
                             "a symbolic link|a FIFO")
            self.assertEqual((path.lstat().st_ino, path.lstat().st_mode),
                             (before.st_ino, before.st_mode))
            path.unlink()
        self.assertEqual(target.read_text(), "somebody else's")
        self.assertEqual(list(self.folder.glob("*.tmp*")), [])

    def test_a_textfile_that_cannot_be_written_is_told_and_the_old_one_stays(self):
        self.ingest([])
        path = self.folder / "nowhere" / "runpost.prom"
        self.assertIn("nowhere", self.ctl("metrics", "--textfile", path, code=66).err)

    def test_stats_tell_what_was_done_lately(self):
        sink = self.sink()
        self.ingest([envelope(1, sink.hook())])
        due = self.stats()
        self.assertEqual((due["retrying"], due["last_delivery_at"], due["last_minutes"]["minutes"]),
                         (0, None, 5))
        self.assertEqual(due["oldest_due_at"], due["last_append_at"])
        self.drain()
        done = self.stats()
        self.assertIsNone(done["oldest_due_at"])
        self.assertGreaterEqual(done["last_delivery_at"], done["last_append_at"])
