"""Stories of runpostctl: what an operator sees and changes in an outbox that
`runpost ingest` filled.

No sender runs here. The programs are taken from the directory RUNPOST_BIN names (default: build/ of
this project). Run with: python3 -m unittest tests/stories/test_ctl.py
"""

import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import tempfile
import termios
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
BIN = os.path.abspath(os.environ.get("RUNPOST_BIN", os.path.join(HERE, "..", "..", "build")))
SECRET = "s3cret-token"


def run(program, *args, stdin=""):
    return subprocess.run([os.path.join(BIN, program), *args], input=stdin, capture_output=True,
                          text=True, timeout=60)


def a_run(number, host="a.example", **more):
    webhook = f"https://{host}/hook?token={SECRET}&op={number}"
    return json.dumps({"run_id": f"run-{number}", "status": "success", "webhook": webhook, **more})


class Story(unittest.TestCase):
    """An outbox with six entries: runs 0 to 3 to a.example, 4 and 5 to b.example."""

    def setUp(self):
        self.dir = tempfile.TemporaryDirectory(prefix="runpost-ctl-")
        self.addCleanup(self.dir.cleanup)
        self.outbox = os.path.join(self.dir.name, "outbox")
        self.lines = [a_run(n, "a.example" if n < 4 else "b.example") for n in range(6)]
        self.receipts = self.ingest(self.lines)
        self.ids = [receipt["id"] for receipt in self.receipts]

    def tearDown(self):
        if os.path.isdir(self.outbox):
            self.assertEqual(0, run("runpostctl", "verify", "--outbox", self.outbox).returncode,
                             "the outbox is damaged")

    def ingest(self, lines):
        done = run("runpost", "ingest", "--quiet", "--outbox", self.outbox,
                   stdin="".join(f"{line}\n" for line in lines))
        self.assertEqual(0, done.returncode, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def ctl(self, *args, expect=0, stdin=""):
        done = run("runpostctl", *args, "--outbox", self.outbox, stdin=stdin)
        self.assertEqual(expect, done.returncode, f"{args}: {done.stdout}{done.stderr}")
        self.assertNotIn(SECRET, done.stderr)
        if args[0] != "body":
            self.assertNotIn(SECRET, done.stdout)
        return done

    def json(self, *args, **more):
        return [json.loads(line) for line in self.ctl(*args, "--json", **more).stdout.splitlines()]

    def counts(self):
        return {name: n for name, n in self.json("stats")[0]["entries"].items() if n}

    def listed(self, *args):
        return [entry["run_id"] for entry in self.json("list", *args)]


class Looking(Story):
    def test_stats_balance(self):
        stats = self.json("stats")[0]
        self.assertEqual(6, stats["accepted"])
        self.assertEqual({"waiting": 6, "in_flight": 0, "held": 0, "delivered": 0, "dead": 0,
                          "purged": 0}, stats["entries"])
        self.assertEqual((True, 2, []), (stats["balanced"], stats["endpoints"], stats["senders"]))

    def test_stats_in_a_pipe_are_names_and_numbers(self):
        rows = dict(line.split("\t") for line in self.ctl("stats").stdout.splitlines())
        self.assertEqual(("6", "6", "0"), (rows["accepted"], rows["waiting"], rows["dead"]))

    def test_a_listed_entry_has_the_promised_members(self):
        entry = self.json("list", "--run", "run-4")[0]
        self.assertEqual((self.ids[4], 5, "waiting", 0),
                         (entry["id"], entry["seq"], entry["state"], entry["attempts"]))
        self.assertEqual("https://b.example/hook", entry["endpoint"])
        self.assertEqual("https://b.example/hook?token=REDACTED&op=REDACTED", entry["url"])
        self.assertRegex(entry["accepted_at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertEqual(entry["accepted_at"], entry["next_attempt_at"])
        self.assertIsNone(entry["cause"])
        self.assertEqual(len(self.lines[4]), entry["payload_bytes"])

    def test_a_pipe_gets_columns_without_a_header(self):
        rows = [line.split("\t") for line in self.ctl("list").stdout.splitlines()]
        self.assertEqual(self.ids, [row[0] for row in rows])
        self.assertEqual({8}, {len(row) for row in rows})

    def test_filters_select(self):
        everything = [f"run-{n}" for n in range(6)]
        table = [
            (["--endpoint", "b.example"], everything[4:]),
            (["--endpoint", "https://a.example/hook?token=other"], everything[:4]),
            (["--endpoint", "*.example", "--limit", "2"], everything[:2]),
            (["--limit", "0"], everything),
            (["--state", "waiting,dead"], everything),
            (["--state", "retrying"], []),
            (["--state", "dead", "--state", "held"], []),
            (["--since", "1h"], everything),
            (["--since", "2999-01-01T00:00:00Z"], []),
            (["--until", "1h"], []),
            (["--older-than", "1h"], []),
            (["--older-than", "0"], everything),
            (["--cause", "timeout"], []),
            ([self.ids[2], self.ids[0]], ["run-2", "run-0"]),
            ([self.ids[2], "--endpoint", "b.example"], []),
        ]
        for args, want in table:
            with self.subTest(args=args):
                self.assertEqual(want, self.listed(*args))

    def test_a_thread_and_an_event_select(self):
        self.ingest([a_run(6, thread_id="t-1"), a_run(7, thread_id="t-1", status="error"),
                     a_run(8, thread_id=["odd"])])
        self.assertEqual(["run-6", "run-7"], self.listed("--thread", "t-1"))
        self.assertEqual(["run-7"],
                         self.listed("--thread", "t-1", "--event", "error", "--attempts", "<1"))
        self.assertEqual([], self.listed("--event", "timeout"))
        entry = self.json("show", "--run", "run-7")[0]
        self.assertEqual(("t-1", "error"), (entry["thread_id"], entry["event"]))
        self.assertIsNone(self.json("list", "--run", "run-8")[0]["thread_id"])

    def test_options_may_stand_anywhere_after_the_verb(self):
        done = run("runpostctl", "list", "--outbox", self.outbox, self.ids[1], "--json")
        self.assertEqual("run-1", json.loads(done.stdout)["run_id"])

    def test_show_has_an_attempt_log(self):
        entry = self.json("show", self.ids[0])[0]
        self.assertEqual((self.ids[0], []), (entry["id"], entry["attempt_log"]))
        self.assertIn("token=REDACTED", self.ctl("show", self.ids[0]).stdout)

    def test_a_body_is_the_payload_byte_for_byte(self):
        odd = ('{ "run_id":"odd",  "status":"success", "webhook":"https://c.example/", "n":1e400, '
               '"s":"\\ud800\\u0000" }')
        receipt = self.ingest([odd])[0]
        self.assertEqual(odd, self.ctl("body", receipt["id"]).stdout)
        self.assertEqual(self.lines[0] + self.lines[1],
                         self.ctl("body", self.ids[0], self.ids[1]).stdout)

    def test_foreign_bytes_do_not_reach_the_terminal(self):
        self.ingest([json.dumps({"run_id": "x\u202ey", "status": "success",
                                 "webhook": "https://c.example/"})])
        done = self.ctl("list", "--endpoint", "c.example")
        self.assertIn("x\\xe2\\x80\\xaey", done.stdout)
        self.assertNotIn("\u202e", done.stdout)

    def test_verify_says_sound(self):
        self.assertIn("0 problems: sound", self.ctl("verify").stdout)
        result = self.json("verify")[-1]
        self.assertEqual((6, 0, True), (result["entries"], result["problems"], result["sound"]))

    def test_no_dead_letters_is_no_output(self):
        self.assertEqual("", self.ctl("dead").stdout)


class Changing(Story):
    def test_hold_and_release(self):
        self.assertEqual("held 2\n", self.ctl("hold", "--endpoint", "b.example", "--yes").stdout)
        self.assertEqual({"waiting": 4, "held": 2}, self.counts())
        self.assertEqual(["run-4", "run-5"], self.listed("--state", "held"))
        self.assertIsNone(self.json("list", "--state", "held")[0]["next_attempt_at"])
        self.assertEqual("released 2\n", self.ctl("release", "--state", "held", "--yes").stdout)
        self.assertEqual({"waiting": 6}, self.counts())

    def test_purge_removes_for_good(self):
        result = self.json("purge", self.ids[0], self.ids[1])[0]
        self.assertEqual(("purge", 2, 0), (result["verb"], result["done"], result["not_found"]))
        self.assertEqual({"in_flight": 0, "state": 0, "moved_on": 0, "gone": 0}, result["skipped"])
        self.assertEqual({"waiting": 4, "purged": 2}, self.counts())
        self.assertIn(self.ids[0], self.ctl("show", self.ids[0], expect=1).stderr)

    def test_a_list_is_swapped_for_a_verb(self):
        listing = self.ctl("list", "--endpoint", "b.example", "--json").stdout
        self.assertEqual(2, self.json("purge", "-", stdin=listing)[0]["done"])
        listing = self.ctl("list", "--limit", "1").stdout
        self.assertEqual(1, self.json("hold", "-", stdin=listing)[0]["done"])
        self.assertEqual({"waiting": 3, "held": 1, "purged": 2}, self.counts())

    def test_a_bad_line_on_stdin_changes_nothing(self):
        done = self.ctl("purge", "-", stdin=f"{self.ids[0]}\nnonsense\n", expect=64)
        self.assertIn("line 2", done.stderr)
        self.assertEqual({"waiting": 6}, self.counts())

    def test_no_ids_on_stdin_means_none_not_all(self):
        self.assertEqual("purged 0\n", self.ctl("purge", "-", stdin="").stdout)
        self.assertEqual({"waiting": 6}, self.counts())

    def test_a_dry_run_tells_and_changes_nothing(self):
        plan = self.json("purge", "--state", "waiting", "--dry-run")[0]
        self.assertEqual((True, 6, {"waiting": 6}),
                         (plan["dry_run"], plan["would"], plan["states"]))
        self.assertEqual({("https://a.example/hook", 4), ("https://b.example/hook", 2)},
                         {(e["endpoint"], e["count"]) for e in plan["endpoints"]})
        self.assertRegex(
            self.ctl("purge", "--state", "waiting", "--dry-run").stdout,
            r"^would purge 6 entries, \d+ B \(6 waiting\)\n  4  \d+ B  https://a.example/hook\n")
        self.assertEqual({"waiting": 6}, self.counts())

    def test_every_verb_that_changes_tells_how_much_it_is(self):
        self.ctl("hold", "--endpoint", "b.example", "--yes")
        sizes = {e["id"]: len(self.ctl("body", e["id"]).stdout) for e in self.json("list")}
        for verb, states in (("replay", "waiting,held"), ("purge", "waiting,held"),
                             ("hold", "waiting"), ("release", "held")):
            plan = self.json(verb, "--state", states, "--dry-run")[0]
            meant = [(e["state"], e["endpoint"], sizes[e["id"]])
                     for e in self.json("list", "--state", states)]
            self.assertEqual(sum(size for _, _, size in meant), plan["bytes"], verb)
            for state, count in plan["states"].items():
                self.assertEqual(sum(s == state for s, _, _ in meant), count)
                self.assertEqual(sum(size for s, _, size in meant if s == state),
                                 plan["state_bytes"][state])
            for one in plan["endpoints"]:
                self.assertEqual(sum(size for _, e, size in meant if e == one["endpoint"]),
                                 one["bytes"])
        self.assertRegex(self.ctl("replay", "--state", "waiting,held", "--dry-run").stdout,
                         r"^would replay 6 entries, \d+ B \(4 waiting, \d+ B; 2 held, \d+ B\)\n")

    def test_a_mass_change_is_refused_without_a_terminal_or_yes(self):
        done = self.ctl("purge", "--state", "waiting", expect=64)
        self.assertIn("--yes", done.stderr)
        self.assertEqual({"waiting": 6}, self.counts())

    def test_a_change_without_selector_is_refused(self):
        for verb in ("replay", "purge", "hold", "release"):
            with self.subTest(verb=verb):
                self.assertIn("--state", self.ctl(verb, "--yes", expect=64).stderr)
                self.ctl(verb, "--yes", "--limit", "1", expect=64)
        self.assertEqual({"waiting": 6}, self.counts())

    def test_replay_with_filters_is_about_the_dead_only(self):
        self.assertEqual("replayed 0\n", self.ctl("replay", "--endpoint", "*", "--yes").stdout)
        self.ctl("hold", self.ids[0])
        self.assertEqual("replayed 1\n", self.ctl("replay", self.ids[0]).stdout)
        self.assertEqual({"waiting": 6}, self.counts())
        self.assertEqual(1, self.json("list", self.ids[0])[0]["replays"])

    def test_what_a_verb_does_not_apply_to_is_skipped(self):
        result = self.json("release", self.ids[0])[0]
        self.assertEqual((0, 1), (result["done"], result["skipped"]["state"]))

    def test_many_entries_are_changed_in_several_transactions(self):
        self.ingest([a_run(n, "many.example") for n in range(100, 1101)])
        before = self.json("stats")[0]["commits"]
        self.assertEqual("purged 1001\n",
                         self.ctl("purge", "--endpoint", "many.example", "--yes").stdout)
        stats = self.json("stats")[0]
        self.assertEqual({"waiting": 6, "purged": 1001}, self.counts())
        self.assertGreaterEqual(stats["commits"] - before, 6)

    def test_pause_and_resume(self):
        self.ctl("pause", f"https://b.example/hook?token={SECRET}")
        states = {e["endpoint"]: e["state"] for e in self.json("endpoints")}
        self.assertEqual({"https://a.example/hook": "ok", "https://b.example/hook": "paused"},
                         states)
        done = self.ctl("replay", self.ids[5])
        self.assertIn(f"runpostctl resume https://b.example/hook --outbox {self.outbox}\n",
                      done.stderr)
        self.assertNotIn("resume", self.ctl("replay", self.ids[0]).stderr)
        self.ctl("resume", "*.example")
        self.assertEqual({"ok"}, {e["state"] for e in self.json("endpoints")})

    def test_an_unknown_endpoint_is_told(self):
        self.ctl("pause", f"https://z.example/?token={SECRET}", expect=1)
        self.ctl("pause", expect=64)


class Refusals(Story):
    def test_an_unknown_id_is_told_and_the_others_are_done(self):
        unknown = "msg_000000000G1CY55NDPRXZQ0S4M"
        done = self.ctl("purge", unknown, self.ids[0], "--json", expect=1)
        self.assertIn(unknown, done.stderr)
        self.assertEqual((1, 1),
                         (json.loads(done.stdout)["done"], json.loads(done.stdout)["not_found"]))
        for verb in ("show", "body", "list"):
            self.assertIn(unknown, self.ctl(verb, unknown, expect=1).stderr)

    def test_bad_values_are_told_with_the_nearest_right_one(self):
        table = [
            (["lst"], "did you mean list?"),
            (["--config", "x", "list"], "a verb comes first"),
            (["list", "--state", "ded"], "did you mean dead?"),
            (["list", "--lmit", "5"], "did you mean --limit?"),
            (["list", "--cause", "timeot"], "did you mean timeout?"),
            (["list", "--since", "yesterday"], "2h"),
            (["list", "--older-than", "7"], "7d"),
            (["list", "--limit", "many"], "whole number"),
            (["list", "--attempts", "=>3"], "'>=5'"),
            (["list", "--limit"], "--outbox"),
            (["stats", "extra"], "no words"),
            (["stats", "--state", "dead"], "unknown option --state"),
            (["replay", "run-1"], "--run"),
            (["replay", "--state", "dead", "--rate", "fast"], "50/s"),
            (["replay", "--plan", "seven"], "--dry-run"),
            (["replay", "--plan", "7", "--state", "dead"], "beside --plan"),
            (["purge", "--state", "dead", "--rate", "5/s"], "--plan"),
            (["purge", "--state", "dead", "--no-backup", "--backup", "x"], "contradict"),
            (["jobs", "shw", "1"], "did you mean show?"),
            (["jobs", "pause"], "number of one job"),
            (["jobs", "pause", "x"], "number of one job"),
            (["show"], "which entries"),
            (["dead", "--state", "held"], "dead entries only"),
        ]
        for args, says in table:
            with self.subTest(args=args):
                if args[-1] == "--limit":
                    done = run("runpostctl", *args)
                    self.assertEqual(64, done.returncode)
                    self.assertIn("needs a value", done.stderr)
                else:
                    self.assertIn(says, self.ctl(*args, expect=64).stderr)

    def test_no_outbox_there_is_66_and_nothing_is_made(self):
        nowhere = os.path.join(self.dir.name, "nowhere")
        done = run("runpostctl", "stats", "--outbox", nowhere)
        self.assertEqual((66, ""), (done.returncode, done.stdout))
        self.assertIn(nowhere, done.stderr)
        self.assertFalse(os.path.exists(nowhere))

    def test_a_broken_configuration_is_78(self):
        config = os.path.join(self.dir.name, "bad.conf")
        with open(config, "w", encoding="utf-8") as f:
            f.write("[outbox]\ndirr = /tmp\n")
        self.assertIn("bad.conf:2", self.ctl("stats", "--config", config, expect=78).stderr)

    def test_the_configuration_names_the_outbox(self):
        config = os.path.join(self.dir.name, "good.conf")
        with open(config, "w", encoding="utf-8") as f:
            f.write(f"[outbox]\ndir = {self.outbox}\nquota = 1G\n")
        done = run("runpostctl", "stats", "--json", "--config", config)
        stats = json.loads(done.stdout)
        self.assertEqual((6, 1 << 30), (stats["accepted"], stats["quota_bytes"]))

    def test_a_full_device_is_74(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([os.path.join(BIN, "runpostctl"), "list", "--outbox",
                                   self.outbox], stdout=full,
                                  stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        self.assertEqual(74, done.returncode)
        self.assertIn("standard output", done.stderr)

    def test_help_needs_no_outbox(self):
        top = run("runpostctl", "--help")
        self.assertEqual(0, top.returncode)
        for verb in ("stats shape list show explain doctor metrics body replay purge hold release "
                     "dead endpoints pause resume verify").split():
            with self.subTest(verb=verb):
                self.assertIn(f"  {verb}", top.stdout)
                done = run("runpostctl", verb, "--help")
                self.assertEqual(0, done.returncode)
                self.assertIn(f"usage: runpostctl {verb}", done.stdout)
                self.assertIn("examples:", done.stdout)


class OnATerminal(Story):
    def on_terminal(self, *args, answer=None, columns=120, env=None):
        """Runs runpostctl on a pseudo terminal. Returns (exit status, what the terminal shows)."""
        pid, fd = pty.fork()
        if pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
            os.environ.pop("NO_COLOR", None)
            os.environ.update({"TERM": "xterm", **(env or {})})
            os.execv(os.path.join(BIN, "runpostctl"),
                     ["runpostctl", *args, "--outbox", self.outbox])
        shown = b""
        while select.select([fd], [], [], 30)[0]:
            try:
                data = os.read(fd, 65536)
            except OSError:  # Linux: the other side is closed
                data = b""
            if not data:
                break
            shown += data
            if answer is not None and (b"[y/N] " in shown or b"to go on: " in shown):
                os.write(fd, answer)
                answer = None
        os.close(fd)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return status, shown.decode().replace("\r\n", "\n")

    def test_a_terminal_gets_a_table_with_a_header(self):
        status, shown = self.on_terminal("list", env={"NO_COLOR": "1"})
        self.assertEqual(0, status)
        self.assertRegex(shown, r"^ID +STATE +TRY")
        self.assertIn(self.ids[5], shown)

    def test_a_terminal_is_shown_fifty_and_told_of_the_others(self):
        self.ingest([a_run(n) for n in range(100, 160)])
        shown = self.on_terminal("list")[1]
        self.assertEqual(50, shown.count("msg_"))
        self.assertIn("(50 shown; 16 more match; --limit 0 shows all)", shown)
        self.assertEqual(66, self.on_terminal("list", "--limit", "0")[1].count("msg_"))

    def test_colours_can_be_switched_off(self):
        self.ctl("hold", self.ids[0])
        self.assertIn("\033[", self.on_terminal("list")[1])
        self.assertNotIn("\033[", self.on_terminal("list", "--no-color")[1])
        self.assertNotIn("\033[", self.on_terminal("list", env={"NO_COLOR": "1"})[1])
        self.assertNotIn("\033[", self.on_terminal("list", env={"TERM": "dumb"})[1])

    def test_a_mass_change_asks(self):
        status, shown = self.on_terminal("hold", "--state", "waiting", answer=b"n\n")
        self.assertEqual(1, status)
        self.assertIn("Nothing was changed", shown)
        self.assertEqual({"waiting": 6}, self.counts())
        status, shown = self.on_terminal("hold", "--state", "waiting", answer=b"y\n")
        self.assertEqual(0, status, shown)
        self.assertEqual({"held": 6}, self.counts())

    def test_a_mass_purge_wants_the_count(self):
        status, shown = self.on_terminal("purge", "--state", "waiting", answer=b"y\n")
        self.assertEqual(1, status)
        self.assertIn("would purge 6 entries", shown)
        self.assertEqual({"waiting": 6}, self.counts())
        self.assertEqual(0, self.on_terminal("purge", "--state", "waiting", answer=b"6\n")[0])
        self.assertEqual({"purged": 6}, self.counts())

    def test_an_interrupt_at_the_question_changes_nothing(self):
        status, _ = self.on_terminal("purge", "--state", "waiting", answer=b"\x03")
        self.assertEqual(130, status)
        self.assertEqual({"waiting": 6}, self.counts())

    def test_the_screens_fit_and_name_what_is_wrong(self):
        self.ctl("pause", "b.example")
        shown = self.on_terminal("stats", "--no-color")[1]
        self.assertIn("no sender is alive, 6 entries want one", shown)
        self.assertIn(f"runpostctl resume https://b.example/hook --outbox {self.outbox}\n", shown)
        for line in self.on_terminal("list", "--no-color", columns=100)[1].splitlines():
            self.assertLessEqual(len(line), 100)
        self.assertIn("TIMELINE", self.on_terminal("show", self.ids[0])[1])


if __name__ == "__main__":
    unittest.main()
