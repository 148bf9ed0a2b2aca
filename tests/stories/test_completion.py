"""Stories of `runpostctl completion`: shells complete verbs, options, values and endpoints, and expand nothing that somebody
else wrote."""

import os
import pathlib
import pty
import select
import shutil
import subprocess

from harness import BIN, Story, make_run, wait_until

ODD = "https://odd.example/$(touch$IFS$@pwned);a&'b'*!"  # whatever RFC 3986 lets stand in a path


class Completion(Story):
    def setUp(self):
        super().setUp()
        self.ingest([make_run(1, "https://hooks.example.com/in?token=t"), make_run(2, "http://127.0.0.1:8080/a"),
                     make_run(3, ODD)])
        self.env = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}

    def script(self, shell):
        done = self.run_program(BIN / "runpostctl", "completion", shell)
        self.assertEqual(done.poll(), 0, done.err)
        return self.file(f"completion.{shell}", done.out)

    def shell(self, *argv):
        done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=30, env=self.env, cwd=self.folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertFalse((self.folder / "pwned").exists(), "a name was expanded")
        return done.stdout.splitlines()

    def bash(self, line):
        """What bash offers behind the line."""
        program = 'source "$1"; COMP_LINE=$2; COMP_POINT=${#2}; _runpostctl; printf "%s\\n" "${COMPREPLY[@]}"'
        return [word for word in self.shell("bash", "--norc", "-c", program, "bash", self.script("bash"), line) if word]

    def verbs(self):
        return [line.split()[0] for line in self.shell(BIN / "runpostctl", "--help") if line.startswith("  ")]

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

    def test_every_option_of_every_verb_is_offered(self):
        for verb in self.verbs():
            shown = {line.split()[0] for line in self.shell(BIN / "runpostctl", verb, "--help") if line.startswith("  --")}
            self.assertEqual(set(self.bash(f"runpostctl {verb} --")), shown, verb)

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
        self.assertEqual(self.bash(f"runpostctl list --outbox {self.outbox} --endpoint https://hooks"),
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
        self.assertEqual(self.bash(f"runpostctl jobs {where} "), ["list", "show", "pause", "resume", "cancel"])
        self.assertEqual(self.bash(f"runpostctl jobs {where} pa"), ["pause"])
        self.assertEqual(self.bash(f"runpostctl jobs show {where} "), ["1", "2"])
        self.assertEqual(self.bash(f"runpostctl jobs {where} pause "), ["1", "2"])
        self.assertEqual(self.bash(f"runpostctl jobs {where} list "), [])
        self.assertEqual(self.bash(f"runpostctl purge {where} --plan "), ["2"])

    def test_a_person_presses_tab(self):
        master, slave = pty.openpty()
        script = self.script("bash")
        process = subprocess.Popen(["bash", "--norc", "--noprofile", "-i"], stdin=slave, stdout=slave, stderr=slave,
                                   start_new_session=True, cwd=self.folder,
                                   env={**self.env, "PS1": "$ ", "TERM": "dumb", "INPUTRC": "/dev/null"})
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
        script = self.script("zsh")
        self.shell("zsh", "-n", script)
        # the parts of zsh that draw the choice are replaced by ones that print it
        program = f"""
            compdef() {{ :; }}
            _describe() {{ [[ $1 == -o ]] && shift; print -l -- "${{(@)${{(@P)2}}%%:*}}" }}
            compadd() {{ if [[ $1 == -a ]]; then print -rl -- "${{(@P)2}}"; else shift; print -rl -- "$@"; fi }}
            _files() {{ print -- files "$@" }}
            source {script}
            words=("${{(@)argv[1,-2]}}" "$argv[-1]"); CURRENT=$#words
            _runpostctl"""
        zsh = lambda *words: self.shell("zsh", "-f", "-c", program, "zsh", *words)
        self.assertEqual(set(zsh("runpostctl", "")), set(self.verbs()))
        self.assertEqual(set(zsh("runpostctl", "list", "--")), set(self.bash("runpostctl list --")))
        self.assertEqual(zsh("runpostctl", "list", "--state", "")[0], "waiting")
        names = zsh("runpostctl", "pause", "--outbox", str(self.outbox), "")
        self.assertEqual(sorted(names), sorted(["https://hooks.example.com/in", "http://127.0.0.1:8080/a", ODD]))
        self.make_jobs()
        where = ("--outbox", str(self.outbox))
        self.assertEqual(zsh("runpostctl", "jobs", *where, ""), ["list", "show", "pause", "resume", "cancel"])
        self.assertEqual(zsh("runpostctl", "jobs", *where, "pause", ""), ["1", "2"])
        self.assertEqual(zsh("runpostctl", "purge", *where, "--plan", ""), ["2"])
        self.assertEqual(zsh("runpostctl", "import", ""), ["files"])
        self.assertEqual(zsh("runpostctl", "backup", ""), ["files -/"])

    def test_fish_completes_the_same(self):
        if shutil.which("fish") is None:
            self.skipTest("there is no fish")
        script = self.script("fish")
        self.env["HOME"] = str(self.folder)
        self.shell("fish", "--no-execute", script)
        fish = lambda line: [row.partition("\t")[0] for row in
                             self.shell("fish", "--private", "-c", "source $argv[1]; complete -C $argv[2]", script, line)]
        self.assertEqual(set(fish("runpostctl ")), set(self.verbs()))
        self.assertEqual(set(fish("runpostctl list --")), set(self.bash("runpostctl list --")))
        self.assertEqual(sorted(fish("runpostctl list --state d")), ["dead", "delivered"])
        names = fish(f"runpostctl pause --outbox {self.outbox} ")
        self.assertIn("https://hooks.example.com/in", names)
        self.assertEqual(len(names), 3)
        self.make_jobs()
        where = f"--outbox {self.outbox}"
        self.assertEqual(sorted(fish(f"runpostctl jobs {where} ")), ["cancel", "list", "pause", "resume", "show"])
        self.assertEqual(sorted(fish(f"runpostctl jobs {where} pause ")), ["1", "2"])
        self.assertEqual(fish(f"runpostctl purge {where} --plan "), ["2"])
