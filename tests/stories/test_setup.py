"""Stories about a machine that lacks something: another apt at work,
no certificates of authorities."""

import os
import pathlib

from harness import BIN, Story

SETUP = pathlib.Path(__file__).resolve().parent.parent / "setup.sh"


class Setup(Story):
    def setUp(self):
        super().setUp()
        self.tools = self.folder / "tools"
        self.tools.mkdir()
        self.tool("id", "echo 0")
        self.tool("dpkg-query", "exit 1")

    def tool(self, name, script):
        path = self.tools / name
        path.write_text("#!/bin/sh\n" + script + "\n")
        path.chmod(0o755)

    def run_setup(self):
        path = f"{self.tools}:{os.environ['PATH']}"
        return self.run_program(SETUP, "valgrind", env={"PATH": path})

    def test_waits_while_another_apt_has_the_lock(self):
        calls = self.folder / "calls"
        self.tool("apt-get", f'echo "$@" >> {calls}\n' f'[ $(wc -l < {calls}) -ge 3 ] || '
                  '{ echo "E: Could not get lock /var/lib/apt/lists/lock" >&2; exit 100; }')
        done = self.run_setup()
        self.assertEqual(done.poll(), 0, done.err)
        verbs = [next(w for w in line.split() if w in ("update", "install"))
                 for line in calls.read_text().splitlines()]
        self.assertEqual(verbs, ["update", "update", "update", "install"])

    def test_another_failure_of_apt_is_told_at_once(self):
        calls = self.folder / "calls"
        self.tool("apt-get",
                  f'echo "$@" >> {calls}\necho "E: Unable to fetch some archives" >&2; exit 100')
        done = self.run_setup()
        self.assertEqual(done.poll(), 69)
        self.assertIn("Unable to fetch", done.err)
        self.assertEqual(len(calls.read_text().splitlines()), 1)


class NoAuthorities(Story):
    """In a mount namespace in which the place of the system's certificates is empty."""

    def run_without(self, *argv):
        namespaces = "-m" if os.geteuid() == 0 else "-rm"
        return self.run_program("unshare", namespaces, "sh", "-c",
                                'mount -t tmpfs none /etc/ssl && exec "$@"', "sh", *argv)

    def test_only_who_needs_them_is_refused(self):
        self.ingest([])
        self.configure()
        self.assertEqual(self.run_without(BIN / "runpost", "check-config", "--config",
                                          self.config).out, b"ok\n")
        done = self.run_without(BIN / "runpost", "send", "--drain", "--outbox", self.outbox,
                                "--config", self.config)
        self.assertEqual(done.poll(), 0, done.err)
        self.assertIn("ev=no_authorities", done.err)
        done = self.run_without(BIN / "runpostctl", "doctor", "--outbox", self.outbox, "--config",
                                self.config)
        self.assertIn("-> apt-get install ca-certificates", done.out.decode())
        self.configure(endpoints=[("far", {"url": "https://far.example"})])
        done = self.run_without(BIN / "runpost", "check-config", "--config", self.config)
        self.assertEqual(done.poll(), 78)
        self.assertRegex(done.err,
                         r'runpost.conf:\d+: \[endpoint "far"\]: this system has no certificates')
