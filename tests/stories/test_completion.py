"""Stories of `runpostctl completion`: shells complete verbs, options, values and endpoints, and
expand nothing that somebody else wrote."""

import os
import pty
import re
import select
import shutil
import subprocess

from harness import BIN, Story, make_run, wait_until

ODD = "https://odd.example/$(touch$IFS$@pwned);a&'b'*!"  # whatever RFC 3986 lets stand in a path


class Completion(Story):
    def setUp(self):
        super().setUp()
        self.ingest([make_run(1, "https://hooks.example.com/in?token=t"),
                     make_run(2, "http://127.0.0.1:8080/a"), make_run(3, ODD)])
        self.env = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}

    def script(self, shell):
        done = self.run_program(BIN / "runpostctl", "completion", shell)
        self.assertEqual(done.poll(), 0, done.err)
        return self.file(f"completion.{shell}", done.out)

    def shell(self, *argv):
        done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=30,
                              env=self.env, cwd=self.folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertFalse((self.folder / "pwned").exists(), "a name was expanded")
        return done.stdout.splitlines()

    def bash(self, line):
        """What bash offers behind the line."""
        return self.bash_all([line])[0]

    def bash_all(self, lines):
        program = """source "$1"; shift
            for COMP_LINE; do
                COMP_POINT=${#COMP_LINE}; _runpostctl; printf '%s\\n' "${COMPREPLY[@]}" .
            done"""
        return self.replies(self.shell("bash", "--norc", "-c", program, "bash", self.script("bash"),
                                       *lines))

    def zsh_all(self, lines):
        """The same of zsh, the parts of which that draw the choice are replaced
        by ones that print it."""
        program = f"""
            compdef() {{ :; }}
            _describe() {{ [[ $1 == -o ]] && shift; print -rl -- "${{(@P)2}}" }}
            compadd() {{
                if [[ $1 == -a ]]; then print -rl -- "${{(@P)2}}"; else shift; print -rl -- "$@"; fi
            }}
            _files() {{ print -- files "$@" }}
            source {self.script("zsh")}
            for line; do words=("${{(@s: :)line}}"); CURRENT=$#words; _runpostctl; print .; done"""
        return self.replies(self.shell("zsh", "-f", "-c", program, "zsh", *lines))

    def fish_all(self, lines):
        self.env["HOME"] = str(self.folder)
        program = "source $argv[1]; for line in $argv[2..-1]; complete -C $line; echo .; end"
        rows = self.shell("fish", "--private", "-c", program, self.script("fish"), *lines)
        return self.replies(row.replace("\t", ":", 1) for row in rows)

    def replies(self, rows):
        """What was offered behind each line; a row with a dot ends it."""
        replies = [[]]
        for row in rows:
            if row == ".":
                replies.append([])
            elif row:
                replies[-1].append(row)
        return replies[:-1]

    def verbs(self):
        return [line.split()[0]
                for line in self.shell(BIN / "runpostctl", "--help") if line.startswith("  ")]

    def test_bash_completes_verbs_options_and_values(self):
        self.shell("bash", "-n", self.script("bash"))
        self.assertEqual(set(self.bash("runpostctl ")), {*self.verbs(), "--help", "--version"})
        self.assertEqual(self.bash("runpostctl pa"), ["pause"])
        self.assertEqual(self.bash("runpostctl list --st"), ["--state"])
        self.assertEqual(self.bash("runpostctl list --state d"), ["delivered", "dead"])
        self.assertIn("tls_expired", self.bash("runpostctl dead --cause tls"))
        self.assertNotIn("--follow", self.bash("runpostctl list --"))
        self.assertIn("--follow", self.bash("runpostctl tail --"))
        self.assertEqual(self.bash("runpostctl completion z"), ["zsh"])

    def help(self, verb):
        """The options of a verb: name -> (what its value is called or None, its line of help)."""
        rows = (re.match(r"  (--[a-z-]+)(?: (\S+))? +(.+)", line)
                for line in self.shell(BIN / "runpostctl", verb, "--help"))
        return {row[1]: (row[2], row[3]) for row in rows if row}

    def values(self, option):
        """The words that an option takes, of which the program tells when it gets another."""
        verb = "doctor" if option == "--check" else "list"
        told = self.run_program(BIN / "runpostctl", verb, option, "nonsense", "--outbox",
                                self.outbox).err
        words = re.search(r"(?:there are|the others are) ([^;(\n]*)", told)[1]
        return set(re.findall(r"[a-z_]+", words)) - {"and"}

    def hold_to_the_help(self, ask, described):
        """ask: lines -> for each what is offered behind it,
        with a colon and its line of help if `described`."""
        helps = {verb: self.help(verb) for verb in self.verbs()}
        for verb, offered in zip(helps, ask([f"runpostctl {verb} --" for verb in helps]),
                                 strict=True):
            shown = {f"{name}:{line}" if described else name
                     for name, (_, line) in helps[verb].items()}
            self.assertEqual(sorted(offered), sorted(shown), verb)
        offered, = ask(["runpostctl list --event "])
        self.assertEqual(helps["list"]["--event"][1].partition(": ")[2].split(", "), sorted(
            (row.partition(":")[0] for row in offered), key=helps["list"]["--event"][1].index))
        for option in ("--state", "--cause", "--check"):
            verb = "doctor" if option == "--check" else "list"
            offered, = ask([f"runpostctl {verb} {option} "])
            self.assertEqual({row.partition(":")[0] for row in offered}, self.values(option))
        if described:
            lines = [line.split(None, 1)
                     for line in self.shell(BIN / "runpostctl", "--help") if line.startswith("  ")]
            offered, = ask(["runpostctl "])
            self.assertEqual(sorted(offered), sorted(f"{verb}:{line}" for verb, line in lines))

    def hold_to_the_values(self, ask):
        """No option is offered where a value is expected."""
        helps = {verb: self.help(verb) for verb in self.verbs()}
        pairs = [(verb, name) for verb in helps for name in helps[verb]]
        for (verb, name), offered in zip(
                pairs, ask([f"runpostctl {verb} {name} --" for verb, name in pairs]), strict=True):
            options = [row for row in offered if row.startswith("--")]
            self.assertEqual(options == [], helps[verb][name][0] is not None, (verb, name))

    def test_bash_knows_all_that_the_help_shows(self):
        self.hold_to_the_help(self.bash_all, described=False)
        self.hold_to_the_values(self.bash_all)

    def test_zsh_knows_all_that_the_help_shows(self):
        if shutil.which("zsh") is None:
            self.skipTest("there is no zsh")
        self.hold_to_the_help(self.zsh_all, described=True)
        self.hold_to_the_values(self.zsh_all)

    def test_fish_knows_all_that_the_help_shows(self):
        if shutil.which("fish") is None:
            self.skipTest("there is no fish")
        self.hold_to_the_help(self.fish_all, described=True)
        # behind a word that begins with a dash fish offers options in any case:
        # its script says which take a value
        takes = dict(re.findall(r" -l ([a-z-]+)( -[rx])?", self.script("fish").read_text()))
        for verb in self.verbs():
            for name, (value, _) in self.help(verb).items():
                self.assertEqual(takes[name[2:]] != "", value is not None, name)

    def test_bash_completes_endpoints_as_text(self):
        where = f"runpostctl pause --outbox {self.outbox} "
        names = self.bash(where)
        self.assertIn("https://hooks.example.com/in", names)
        self.assertEqual(len(names), 3)
        # bash itself reads the odd one back as one word
        odd, = (name for name in names if "odd" in name)
        self.assertEqual(self.shell("bash", "-c", f"printf '%s\\n' {odd}"), [ODD])
        # what stands before the last colon is not offered again
        self.assertEqual(self.bash(where + "https://hooks.example.com"), ["//hooks.example.com/in"])
        self.assertEqual(self.bash(where + "http://127.0.0.1:8"), ["8080/a"])
        self.assertEqual(
            self.bash(f"runpostctl list --outbox {self.outbox} --endpoint https://hooks"),
            ["//hooks.example.com/in"])
        self.assertEqual(self.bash("runpostctl pause --outbox /nowhere ht"), [])

    def make_jobs(self):
        """Two plans, the first of which is given up."""
        for _ in range(2):
            self.ctl("purge", "--state", "waiting", "--dry-run")
        self.ctl("jobs", "cancel", "1")

    def test_bash_completes_jobs(self):
        self.make_jobs()
        where = f"--outbox {self.outbox}"
        self.assertEqual(self.bash(f"runpostctl jobs {where} "),
                         ["list", "show", "pause", "resume", "cancel"])
        self.assertEqual(self.bash(f"runpostctl jobs {where} pa"), ["pause"])
        self.assertEqual(self.bash(f"runpostctl jobs show {where} "), ["1", "2"])
        self.assertEqual(self.bash(f"runpostctl jobs {where} pause "), ["1", "2"])
        self.assertEqual(self.bash(f"runpostctl jobs {where} list "), [])
        self.assertEqual(self.bash(f"runpostctl purge {where} --plan "), ["2"])

    def test_a_person_presses_tab(self):
        master, slave = pty.openpty()
        script = self.script("bash")
        env = {**self.env, "PS1": "$ ", "TERM": "dumb", "INPUTRC": "/dev/null"}
        process = subprocess.Popen(["bash", "--norc", "--noprofile", "-i"], stdin=slave,
                                   stdout=slave, stderr=slave, start_new_session=True,
                                   cwd=self.folder, env=env)
        seen = ""

        def look(text):
            nonlocal seen
            while select.select([master], [], [], 0.02)[0]:
                seen += os.read(master, 4096).decode(errors="replace")
            return text in seen

        try:
            os.write(master, f"source {script}; echo re''ady\n".encode())
            wait_until(lambda: look("ready\r"), "the prompt")
            os.write(master, f"runpostctl pau\t--outbox {self.outbox} https://hooks\t".encode())
            wait_until(lambda: look("https://hooks.example.com/in"), "the endpoint")
            self.assertIn("runpostctl pause ", seen)
        finally:
            process.kill()
            process.wait()
            os.close(master)
            os.close(slave)

    def test_zsh_completes_the_same(self):
        if shutil.which("zsh") is None:
            self.skipTest("there is no zsh")
        self.shell("zsh", "-n", self.script("zsh"))
        zsh = lambda *words: [row.partition(":")[0] for row in self.zsh_all([" ".join(words)])[0]]
        self.assertEqual(set(zsh("runpostctl", "")), set(self.verbs()))
        self.assertEqual(set(zsh("runpostctl", "list", "--")), set(self.bash("runpostctl list --")))
        self.assertEqual(zsh("runpostctl", "list", "--state", "")[0], "waiting")
        names, = self.zsh_all([f"runpostctl pause --outbox {self.outbox} "])
        self.assertEqual(sorted(names),
                         sorted(["https://hooks.example.com/in", "http://127.0.0.1:8080/a", ODD]))
        self.make_jobs()
        where = ("--outbox", str(self.outbox))
        self.assertEqual(zsh("runpostctl", "jobs", *where, ""),
                         ["list", "show", "pause", "resume", "cancel"])
        self.assertEqual(zsh("runpostctl", "jobs", *where, "pause", ""), ["1", "2"])
        self.assertEqual(zsh("runpostctl", "purge", *where, "--plan", ""), ["2"])
        self.assertEqual(zsh("runpostctl", "import", ""), ["files"])
        self.assertEqual(zsh("runpostctl", "backup", ""), ["files -/"])

    def test_fish_completes_the_same(self):
        if shutil.which("fish") is None:
            self.skipTest("there is no fish")
        self.shell("fish", "--no-execute", self.script("fish"))
        fish = lambda line: [row.partition(":")[0] for row in self.fish_all([line])[0]]
        self.assertEqual(set(fish("runpostctl ")), set(self.verbs()))
        self.assertEqual(set(fish("runpostctl list --")), set(self.bash("runpostctl list --")))
        self.assertEqual(sorted(fish("runpostctl list --state d")), ["dead", "delivered"])
        names, = self.fish_all([f"runpostctl pause --outbox {self.outbox} "])
        self.assertIn("https://hooks.example.com/in", names)
        self.assertEqual(len(names), 3)
        self.make_jobs()
        where = f"--outbox {self.outbox}"
        self.assertEqual(sorted(fish(f"runpostctl jobs {where} ")),
                         ["cancel", "list", "pause", "resume", "show"])
        self.assertEqual(sorted(fish(f"runpostctl jobs {where} pause ")), ["1", "2"])
        self.assertEqual(fish(f"runpostctl purge {where} --plan "), ["2"])
