"""Stories of what is printed for people: commands do what their line says wherever they
are pasted, a name means one endpoint, a question promises what is true, and what fails
comes with what helps."""

import json
import os
import pty
import re
import select
import subprocess

from harness import BIN, Story, envelope, json_lines, make_run, secret_text, wait_until

# Whatever may stand in a path, and names that fit the others as patterns.
PATHS = ["/x*", "/xy", "/x**", "/*", "/", "/x*y", "/it's", "/'*'", "/$(touch$IFS$@pwned)*",
         "/;a&'b'*!", "/~*", "/(a*)", "/[x]y"]


class Words(Story):
    def setUp(self):
        super().setUp()
        self.env = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "TERM": "dumb"}

    def paste(self, command, cwd="/"):
        """What a person does with a printed command."""
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=30,
                              env=self.env, cwd=cwd)
        self.assertFalse(os.path.exists(os.path.join(cwd, "pwned")), "a name was expanded")
        return done

    def on_terminal(self, *argv, cwd=None, answer=None):
        """What a terminal shows, wide enough for one line each; answer:
        what is typed at a question."""
        master, slave = pty.openpty()
        process = subprocess.Popen([BIN / "runpostctl", *map(str, argv)], stdin=slave, stdout=slave,
                                   stderr=slave, env=self.env, cwd=cwd)
        os.close(slave)
        shown = b""
        try:
            while select.select([master], [], [], 30)[0]:
                try:
                    data = os.read(master, 65536)
                except OSError:  # Linux: the other side is closed
                    break
                shown += data
                if answer is not None and (b"[y/N] " in shown or b"to go on: " in shown):
                    os.write(master, answer)
                    answer = None
        finally:
            process.wait(30)
            os.close(master)
        return shown.decode(errors="replace").replace("\r\n", "\n")

    def where(self):
        return "--outbox", self.outbox, "--config", self.config

    def paused(self):
        return {e["endpoint"] for e in self.ctl_json("endpoints") if e["paused"]}

    def state_of(self, endpoint):
        return next(e["state"] for e in self.ctl_json("endpoints") if e["endpoint"] == endpoint)


class Names(Words):
    def setUp(self):
        super().setUp()
        self.urls = ([f"https://odd.example{path}" for path in PATHS]
                     + ["http://[::1]:8080/x*", "http://[::1]:8080/xy"])
        self.receipts = self.ingest([envelope(n, url) for n, url in enumerate(self.urls)])
        self.ctl("pause", "*")
        self.assertEqual(self.paused(), set(self.urls))

    def test_the_command_that_explain_prints_resumes_this_endpoint_alone(self):
        for url, receipt in zip(self.urls, self.receipts):
            told, = self.ctl_json("explain", receipt["id"])
            block, = (b for b in told["blocking"] if b["code"] == "paused")
            self.assertIn(f"\n          {block['command']}\n",
                          self.on_terminal("explain", receipt["id"], *self.where()))
            self.assertEqual(self.paste(block["command"]).returncode, 0, block["command"])
            self.assertEqual(self.paused(), set(self.urls) - {url}, block["command"])
            self.ctl("pause", "*")

    def test_the_lines_of_stats_resume_one_endpoint_each(self):
        self.assertIn("no sender is alive", self.on_terminal("stats", *self.where()))
        for url in self.urls:
            self.ctl("resume", "*")
            self.ctl("pause", url)
            self.assertEqual(self.paused(), {url})
            line, = (l for l in self.on_terminal("stats", *self.where()).splitlines()
                     if l.startswith(f"! {url}:"))
            self.ctl("pause", "*")
            self.assertEqual(self.paste(line.partition(" -> ")[2]).returncode, 0, line)
            self.assertEqual(self.paused(), set(self.urls) - {url}, line)

    def test_a_name_as_it_is_listed_or_completed_means_itself(self):
        for url in self.urls:
            self.ctl("resume", url)
            self.assertEqual(self.paused(), set(self.urls) - {url})
            self.assertEqual([e["endpoint"] for e in self.list("--endpoint", url)], [url])
            self.ctl("pause", url)
        script = self.run_program(BIN / "runpostctl", "completion", "bash").out_path
        program = ('source "$1"; COMP_LINE=$2; COMP_POINT=${#2}; _runpostctl; '
                   'printf "%s\\n" "${COMPREPLY[@]}"')
        words = subprocess.run(["bash", "--norc", "-c", program, "bash", script,
                                f"runpostctl resume --outbox {self.outbox} "], capture_output=True,
                               text=True, timeout=30, env=self.env).stdout.splitlines()
        paths = [word for word in words if word.count("/") > 2]
        self.assertEqual(len(paths), len(self.urls))
        self.assertEqual(len(words) - len(paths), 2, "hosts, which are names as well")
        for word in paths:
            before = self.paused()
            done = subprocess.run(["bash", "-c",
                                   f"runpostctl resume --outbox {self.outbox} {word}"],
                                  env=self.env, cwd=self.folder, timeout=30, capture_output=True)
            self.assertEqual((done.returncode, len(before - self.paused())), (0, 1), word)
        self.assertEqual(self.paused(), set())

    def test_the_pattern_can_still_be_meant(self):
        done = self.ctl("resume", "https://odd.example/x*")
        self.assertIn("taken as the name of this one endpoint; the pattern, which fits 4, "
                      "has a backslash in front", done.err)
        self.assertEqual(len(self.paused()), len(self.urls) - 1)
        self.ctl("resume", r"\https://odd.example/x*")
        self.assertEqual(len(self.paused()), len(self.urls) - 4)
        self.assertNotIn("taken as", self.ctl("resume", "https://odd.example/~*").err)
        self.assertEqual(len(self.list("--endpoint", r"\https://odd.example/?*")), len(PATHS) - 1)


class Hints(Words):
    def test_the_hint_for_a_sender_is_complete_wherever_it_is_pasted(self):
        sink = self.sink()
        self.ingest([envelope(n, sink.hook()) for n in range(20)])
        shown = self.on_terminal("stats", "--outbox", self.outbox.name, "--config",
                                 self.config.name, cwd=self.folder)
        line, = (l for l in shown.splitlines() if l.startswith("! no sender"))
        self.assertEqual(self.paste(line.partition(" -> ")[2] + " --drain").returncode, 0, line)
        self.assert_sound(delivered=20)

    def test_without_its_configuration_no_sender_is_suggested(self):
        receipt, = self.ingest([envelope(1, "http://127.0.0.1:9/")])
        for shown in (self.on_terminal("stats", "--outbox", self.outbox),
                      self.on_terminal("explain", receipt["id"], "--outbox", self.outbox)):
            self.assertNotIn("runpost send --outbox", shown)
            self.assertRegex(re.sub(r"\s+", " ", shown), "start a sender with the --config that "
                             "the senders of this outbox have")
        told = subprocess.run([BIN / "runpostctl", "explain", "--json", "--outbox", self.outbox,
                               receipt["id"]], capture_output=True, timeout=30, check=True).stdout
        self.assertNotIn(b'"command":"runpost send', told)
        warning, = json_lines(self.run_program(BIN / "runpostctl", "stats", "--json", "--outbox",
                                               self.outbox).out)[0]["warnings"]
        self.assertIsNone(warning["command"])
        self.assertIn("with the --config that the senders of this outbox have", warning["text"])

    def test_every_command_that_is_printed_says_where(self):
        self.ingest([envelope(n, "http://127.0.0.1:9/", expires_at="2020-01-01T00:00:00Z")
                     for n in range(2)])
        self.drain()
        live, = self.ingest([envelope(9, "http://127.0.0.1:9/x*",
                                      not_before="2099-01-01T00:00:00Z")])
        self.ctl("pause", "*")
        self.ctl("hold", live["id"])
        printed = [self.on_terminal(verb, *more, *self.where()) for verb, *more in (
            ["stats"], ["dead"], ["explain", live["id"]], ["show", live["id"]],
            ["show", "--state", "dead"], ["replay", "--state", "dead", "--dry-run"],
            ["purge", "--state", "dead", "--dry-run"], ["jobs", "show", "1"],
            ["purge", "--state", "dead", "--yes"])]
        commands = [c for text in printed for c in re.findall(
            r"(?:runpostctl|runpost send)(?! settings) [^\n`]*--outbox.*", text)]
        self.assertGreater(len(commands), 9, printed)
        for text in printed:
            for line in text.splitlines():
                if re.search(r"(-> |next: |undo: |^ +|you can +)runpost(ctl)? ", line):
                    self.assertIn(f"--outbox {self.outbox} --config {self.config}", line)

    def test_a_remedy_of_doctor_is_complete(self):
        self.ingest([envelope(1, "http://127.0.0.1:9/")])
        remedy = lambda *where: {c["check"]: c["remedy"] for c in json_lines(
            self.run_program(BIN / "runpostctl", "doctor", "--json", *where).out)}["senders"]
        self.assertTrue(remedy(*self.where()).startswith(
            f"runpost send --outbox {self.outbox} --config {self.config}   ("))
        self.assertTrue(remedy("--outbox",
                               self.outbox).startswith("start a sender with the --config"))

    def test_a_paused_endpoint_is_what_is_waited_for(self):
        receipt, = self.ingest([envelope(1, "https://a.example/in")])
        self.ctl("pause", "https://a.example/in", "--reason", "new certificate")
        told, = self.ctl_json("explain", receipt["id"])
        self.assertIn("waits for its endpoint to be resumed: it is paused", told["why"])
        self.assertIn("(new certificate)", told["blocking"][0]["text"])
        self.assertRegex(told["blocking"][0]["text"],
                         rf"paused by {self.ctl_json('audit')[-1]['user']}")
        self.assertIn("after its endpoint is resumed", told["next"])

    def test_an_endpoint_whose_key_has_expired_is_told_apart(self):
        secret = self.file("secret", secret_text(b"k" * 32) + " not-after=2020-01-01T00:00:00Z\n")
        sink = self.sink()
        self.configure(defaults={"secret_file": secret})
        receipt, = self.ingest([envelope(1, sink.hook())])
        sender = self.send()
        wait_until(lambda: self.state_of(sink.hook()) == "no_key", "the endpoint to be told so")
        line, = (l for l in self.on_terminal("stats", *self.where()).splitlines()
                 if l.startswith(f"! {sink.hook()}"))
        self.assertIn("no signing key is valid", line)
        done = self.paste(line.partition(" -> ")[2])
        self.assertIn("0 of 1 keys valid now", done.stdout)
        self.assertIn("mend the secret", self.ctl_json("explain", receipt["id"])[0]["why"])
        for shown in (self.on_terminal("stats", "--outbox", self.outbox),
                      self.on_terminal("explain", receipt["id"], "--outbox", self.outbox)):
            self.assertNotIn("runpost check-config", shown)  # it would look at other settings
            self.assertRegex(re.sub(r"\s+", " ", shown),
                             "check-config, and the --config that the senders of this outbox have")
        self.file("secret", secret_text(b"k" * 32) + "\n")
        sender.signal(1)
        self.wait_entries("the delivery", delivered=1)
        self.assertEqual(self.state_of(sink.hook()), "ok")
        sender.stop()


HOSTILE = ["/x';touch$IFS./pwned;'y", "/it's*", "/a'*'b", "/'", "/''$(touch$IFS./pwned)''*",
           "/x*';touch$IFS./pwned;'", "/plain"]
FOLDERS = ["a\\'b\\", "tab\tin", "x';touch$IFS$@pwned;'y", "esc\x1b[31m'\\''", "two\n`:>pwned`",
           "50% \\n %s m\u00fcll \u202e", os.fsdecode(b"bad\xff\x01\"")]


class Pasting(Words):
    """Every command that is printed, as a shell reads it: it runs one program of ours,
    with the words that were meant."""

    deadline_s = 240

    def setUp(self):
        super().setUp()
        self.stubs = self.folder / "stubs"
        self.calls = self.folder / "calls"
        self.stubs.mkdir()
        for name in ("runpost", "runpostctl", "chmod", "kill"):
            stub = self.stubs / name
            stub.write_text(
                f"#!/bin/sh\n{{ printf '%s\\0' {name} \"$@\"; printf '\\0'; }} >>{self.calls}\n")
            stub.chmod(0o755)
        self.nowhere = self.folder / "nowhere"
        self.nowhere.mkdir()

    def meant(self, command):
        """What the command runs, each as its words."""
        self.calls.write_text("")
        done = subprocess.run(
            ["sh", "-c", command], capture_output=True, timeout=30, cwd=self.nowhere,
            env={**os.environ, "PATH": f"{self.stubs}:{os.environ['PATH']}"}, check=False)
        self.assertEqual((done.returncode, list(self.nowhere.iterdir())), (0, []),
                         (command, done.stderr))
        return [[os.fsdecode(word) for word in call.split(b"\0")]
                for call in self.calls.read_bytes().split(b"\0\0")[:-1]]

    def printed(self, text):
        """The commands in a text: behind an arrow or a title, or alone on a line;
        what follows in brackets is no part."""
        found = []
        for line in text.splitlines():
            line = re.sub(r"   \(.*\)$", "", line)
            behind = re.search(
                r"(?:-> |next: |undo: |with: |here[^:]*: |goes on[^:]*: |^you can +|^ +)"
                r"((?:runpostctl|runpost|chmod) .*)", line)
            found += [behind[1]] if behind else []
        return found

    def ask(self, *argv):
        """All that a verb says, in a pipe and on a terminal."""
        done = subprocess.run([BIN / "runpostctl", *map(str, argv)], capture_output=True,
                              timeout=30, check=False)
        return (done.stdout + done.stderr).decode(errors="replace") + "\n" + self.on_terminal(*argv)

    def assert_meant(self, texts, *, where, endpoint=None):
        """endpoint: what a word that is about one must match, and no other of HOSTILE"""
        commands = [c for text in texts for c in self.printed(text)]
        for command in commands:
            self.assertNotRegex(command, r"[\x00-\x1f\x7f\u202e]")
            call, = self.meant(command)
            self.assertIn(call[0], ("runpost", "runpostctl"))
            for option, path in where.items():
                if not (option == "--outbox" and call[1] == "check-config"):
                    self.assertEqual(call[call.index(option) + 1:][:1], [str(path)], command)
            if endpoint and (about := [w for w in call[2:] if "://" in w]):
                plain = (re.sub(r"\\(.)", r"\1", about[0]) if re.search(r"[*?\\]", endpoint)
                         else about[0])
                self.assertEqual((len(about), plain), (1, endpoint), command)
        return commands

    def test_names_that_a_shell_would_run(self):
        urls = [f"http://127.0.0.1:9{path}" for path in HOSTILE]
        receipts = self.ingest([envelope(n, url) for n, url in enumerate(urls)])
        where = {"--outbox": self.outbox, "--config": self.config}
        for url, receipt in zip(urls, receipts):
            self.ctl("pause", url)
            self.ctl("replay", "--endpoint", url, "--state", "waiting", "--dry-run")
            texts = [self.ask(*words, *self.where()) for words in (
                ["explain", receipt["id"]], ["show", receipt["id"]], ["stats"], ["jobs"], ["dead"],
                ["doctor"], ["audit"],
                ["jobs", "show", str(self.ctl_json("jobs")[-1]["job"])], ["replay", receipt["id"]])]
            commands = self.assert_meant(texts, where=where, endpoint=url)
            self.assertGreater(sum("resume" in c for c in commands), 3, texts)
            self.assertGreater(len(commands), 15, texts)
            self.ctl("resume", "\\" + re.sub(r"([*?\[\\])", r"\\\1", url) if "*" in url else url)

    def test_what_a_job_is_about_can_be_pasted_behind_a_verb(self):
        url = "http://127.0.0.1:9" + HOSTILE[0]
        run = "r';touch$IFS$@pwned;'1"
        self.ingest(
            [json.dumps({"webhook": url, "run": {"run_id": run, "status": "success"}}).encode()])
        self.ctl("hold", "--endpoint", url, "--run", run)
        self.ctl("purge", "--endpoint", url, "--run", run, "--dry-run")
        number = str(self.ctl_json("jobs")[-1]["job"])
        shown = (self.ctl("jobs", "show", number).out.decode()
                 + self.on_terminal("jobs", "show", number, *self.where()))
        rows = [self.ctl_json("audit")[-1]["what"], self.ctl_json("jobs")[-1]["what"],
                *re.findall(r"^what +(.*)$", shown, re.M)]
        self.assertEqual(len(rows), 4)
        for row in rows:
            call, = self.meant("runpostctl list " + row)
            self.assertEqual((call[0], call[-4:]),
                             ("runpostctl", ["--endpoint", url, "--run", run]))

    def test_paths_that_a_shell_would_run(self):
        for name in FOLDERS:
            folder = self.folder / name
            folder.mkdir()
            where = {"--outbox": folder / "out", "--config": folder / "c'\\n.conf"}
            where["--config"].write_text(self.config.read_text())
            argv = [str(w) for pair in where.items() for w in pair]
            line = envelope(1, "http://127.0.0.1:9/x*'") + b"\n"
            done = subprocess.run([BIN / "runpost", "ingest", *argv], input=line,
                                  capture_output=True, timeout=30, check=True)
            entry = json_lines(done.stdout)[0]["id"]
            self.run_program(BIN / "runpostctl", "pause", *argv, "http://127.0.0.1:9/x*'")
            self.run_program(BIN / "runpostctl", "purge", *argv, "--state", "waiting", "--dry-run")
            texts = [self.ask(*words, *argv)
                     for words in (["explain", entry], ["show", entry], ["stats"], ["doctor"],
                                   ["jobs", "show", "1"], ["dead"])]
            self.assertGreater(len(self.assert_meant(texts, where=where,
                                                     endpoint="http://127.0.0.1:9/x*'")), 9, texts)
            for told in json_lines(
                    self.run_program(BIN / "runpostctl", "explain", "--json", *argv, entry).out):
                for block in told["blocking"] + told["commands"]:
                    self.assertIn(str(where["--config"]), self.meant(block["command"])[0])
            texts = [self.ask("doctor", "--outbox", folder / "none", "--config", where["--config"])]
            self.assertIn(["runpost", "init", "--outbox", str(folder / "none")],
                          [self.meant(c)[0][:4] for text in texts for c in self.printed(text)],
                          texts)


class Usage(Words):
    def test_help_that_cannot_be_written_is_no_success(self):
        for argv in (["--help"], ["--version"], ["help", "tail"], ["stats", "--help"]):
            with open("/dev/full", "wb") as full:
                done = subprocess.run([BIN / "runpostctl", *argv], stdout=full,
                                      stderr=subprocess.PIPE, timeout=30, check=False)
            self.assertEqual(done.returncode, 74, argv)
            self.assertIn(b"cannot write to standard output", done.stderr)

    def test_letters_and_empty_names(self):
        self.ingest([])
        told = self.ctl("tail", "-n", "3", code=64).err
        self.assertIn("unknown option -n;", told)
        self.assertNotIn("no-color", told)
        self.assertIn("did you mean --limit?", self.ctl("list", "-n", "3", code=64).err)
        self.assertIn("an empty name: ", self.ctl("metrics", "--textfile", "", code=None).err)

    def test_one_entry_is_one(self):
        self.ingest([envelope(1, "http://127.0.0.1:9/")])
        self.assertIn("1 entry wants one", self.ctl("stats").err)
        self.assertIn("1 entry wants one", self.ctl("doctor", code=2).out.decode())


class Redirects(Words):
    def test_where_to_is_told_of_what_waits_and_of_what_is_dead(self):
        sink = self.sink("--status", "308", "--header", "Location: /hook/?token=s3cret")
        self.configure(defaults={"retry_base": "1h", "retry_cap": "1h", "retry_attempts": "2"})
        waits, = self.ingest([make_run(1, sink.hook() + "?token=s3cret")])
        log = self.send()
        wait_until(lambda: self.show(waits["id"])["attempts"] == 1
                   and self.list("--state", "retrying"), "the attempt")
        log.stop()
        wanted = f"redirects (only a slash is missing) to {sink.hook()}/?token=REDACTED"
        self.assertEqual(self.show(waits["id"])["attempt_log"][0]["detail"], wanted)
        told, = self.ctl_json("explain", waits["id"])
        self.assertIn("What to do: it redirects, which is never followed", told["why"])
        self.assertIn(wanted, told["happened"])
        self.configure(defaults={"permanent_statuses": "308"})
        self.ctl("replay", waits["id"])
        self.drain()
        group, = self.ctl_json("dead")
        self.assertIn(wanted, group["suggest"])
        self.assertEqual(sink.count(), 2)  # nothing was followed
        for text in (log.err, self.on_terminal("show", waits["id"], *self.where()),
                     self.on_terminal("dead", *self.where())):
            self.assertNotIn("s3cret", text)
        self.assertIn("only a slash is missing", log.err)


class Log(Words):
    def audit(self):
        return [(r["verb"], r["done"], r["skipped"], r["what"], r["reason"])
                for r in self.ctl_json("audit")]

    def test_what_takes_secrets_out_or_brings_entries_in_leaves_a_record(self):
        self.ingest([make_run(n, "https://a.example/in?token=t") for n in range(3)])
        self.ctl("export")
        self.assertEqual(self.audit(), [])
        lines = self.ctl("export", "--with-secrets", "--limit", "2", "--reason", "move").out
        file = self.file("lines", lines)
        copy = self.folder / "copy"
        self.run_program(BIN / "runpostctl", "backup", copy, *self.where())
        self.ctl("import", "--dry-run", file)
        self.ctl("purge", "--state", "waiting", "--yes", "--no-backup")
        self.ctl("import", file, "--endpoint", "a.example")
        self.ctl("import", file)
        self.assertEqual(self.audit(), [
            ("export", 2, 0, "- --limit 2", "move"), ("backup", 0, 0, str(copy), None),
            ("purge", 3, 0, "--state waiting", None),
            ("import", 2, 0, f"{file} --endpoint a.example", None),
            ("import", 0, 2, str(file), None)])

    def test_the_question_of_a_purge_promises_no_backup_that_is_not_written(self):
        sink = self.sink()
        self.ingest([envelope(n, sink.hook()) for n in range(3)])
        self.drain()
        none, some, all_ = ("There will be no backup of them",
                            "3 of them will not be in the backup", "Only the backup can undo")
        ask = lambda *more: self.on_terminal("purge", *more, *self.where(), answer=b"n\n")
        self.assertIn(none, ask("--state", "delivered"))
        self.assertIn(all_, ask("--state", "delivered", "--backup", self.folder / "b"))
        self.ctl("purge", "--state", "delivered", "--dry-run")
        self.assertIn(none, ask("--plan", "1"))
        self.ingest([envelope(n, sink.hook()) for n in range(5, 7)])
        self.assertIn(some, ask("--state", "delivered,waiting"))
        self.assertIn(all_, ask("--state", "waiting"))
        self.assertIn(none, ask("--state", "waiting", "--no-backup"))
        self.assert_sound(delivered=3, waiting=2)
