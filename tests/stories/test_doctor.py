"""Stories of `runpostctl doctor`: silent about what is well, and never silent about what is not."""

import ctypes
import re
import resource
import shlex
import shutil
import signal
import subprocess

from harness import BIN, Story, envelope, json_lines, make_run, secret_text, wait_until

# linux/prctl.h, linux/capability.h.
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2
libc = ctypes.CDLL(None)


class Doctor(Story):
    deadline_s = 120

    def doctor(self, *options):
        """(exit status, check -> (level, text, remedy))"""
        done = self.ctl("doctor", "--json", *options, code=None)
        return done.poll(), {c["check"]: (c["level"], c["text"], c["remedy"])
                             for c in json_lines(done.out)}

    def level(self, check):
        return self.doctor()[1][check][0]

    def test_all_is_well(self):
        sink = self.sink()
        self.ingest([envelope(1, sink.hook())])
        sender = self.send()
        self.wait_entries("the delivery", delivered=1)
        code, checks = self.doctor()
        self.assertEqual({c for c, (level, *_) in checks.items() if level != "ok"}, set(), checks)
        self.assertEqual((code, len(checks)), (0, 15))
        self.assertIn("RUNPOST OK - ", self.ctl("doctor", "--check", "nagios").out.decode())
        sender.stop()

    def test_entries_that_nobody_sends(self):
        self.ingest([envelope(1, "http://127.0.0.1:9/")])
        code, checks = self.doctor()
        self.assertEqual((code, checks["senders"][0]), (2, "fail"))
        line = self.ctl("doctor", "--check", "nagios", code=2).out.decode()
        self.assertRegex(
            line, r"^RUNPOST CRITICAL - senders: .*\| waiting=1 in_flight=0 dead=0 senders=0\n$")
        self.assertIn("-> runpost send", self.ctl("doctor", code=2).out.decode())

    def test_a_dead_letter_and_a_paused_endpoint_are_warnings(self):
        self.configure(defaults={"retry_attempts": "1"})
        self.ingest([envelope(1, "http://127.0.0.1:9/")])
        self.drain()
        self.ctl("pause", "*")
        _, checks = self.doctor()
        self.assertEqual((checks["dead"][0], checks["endpoints"][0]), ("warn", "warn"))
        self.assertIn("1 paused", checks["endpoints"][1])

    def test_a_wrong_configuration_and_a_secret_that_others_may_read(self):
        self.ingest([])
        open_to_all = self.file("secret", "whsec_" + "QUJD" * 8 + "\n", mode=0o644)
        self.configure(defaults={"secret_file": open_to_all})
        self.assertEqual(self.doctor()[1]["secrets"][0], "fail")
        self.config.write_text("[outbox]\nnonsense = 1\n")
        code, checks = self.doctor()
        self.assertEqual((code, checks["config"][0]), (2, "fail"))
        self.assertIn("runpost.conf:2", checks["config"][1])

    def test_a_configuration_that_others_may_use(self):
        self.ingest([])
        endpoint = ("a", {"url": "http://127.0.0.1:9/a", "header": "Authorization: Bearer x"})
        for mode, endpoints, word in ((0o640, [endpoint], None), (0o644, [], None),
                                      (0o644, [endpoint], "read its headers"),
                                      (0o646, [], "change it")):
            with self.subTest(mode=oct(mode), word=word):
                self.configure(endpoints)
                self.config.chmod(mode)
                level, text, remedy = self.doctor()[1]["config"]
                checked = self.run_program(BIN / "runpost", "check-config", "--config", self.config)
                self.assertEqual((checked.poll(), checked.out), (0, b"ok\n"))
                if word is None:
                    self.assertEqual((level, checked.err), ("ok", ""))
                    continue
                self.assertEqual(level, "warn")
                self.assertIn(f"mode 0{mode:o} lets everybody {word}", text)
                self.assertIn(text, checked.err)
                subprocess.run(remedy, shell=True, check=True)
                self.assertEqual(self.level("config"), "ok")

    def test_keys_of_which_none_is_valid(self):
        self.ingest([])
        old = self.file("old", secret_text(b"k" * 32).strip() + " not-after=2026-01-01T00:00:00Z\n")
        self.configure([("a", {"url": "http://127.0.0.1:9/a", "secret_file": old}),
                        ("b", {"url": "http://127.0.0.1:9/b"})])
        code, checks = self.doctor()
        self.assertEqual((code, checks["secrets"][0]), (2, "fail"))
        self.assertIn('[endpoint "a"] secret_file: none of its keys (1) is valid now',
                      checks["secrets"][1])
        checked = self.run_program(BIN / "runpost", "check-config", "--config", self.config)
        self.assertEqual((checked.poll(), checked.out, checked.err.count("is valid now")),
                         (0, b"ok\n", 1))
        self.configure(defaults={"secret_file": old},
                       endpoints=[("b", {"url": "http://127.0.0.1:9/b"})])
        self.assertEqual(self.ctl("doctor", code=2).out.decode().count("is valid now"), 1)

    def test_permissions(self):
        self.ingest([])
        self.outbox.chmod(0o755)
        _, checks = self.doctor()
        self.assertEqual(checks["permissions"][0], "warn")
        self.assertEqual(checks["permissions"][2], f"chmod go= {self.outbox}")

    def test_what_is_none_of_ours_is_left_alone(self):
        theirs = self.folder / "it's theirs"
        theirs.mkdir(mode=0o755)
        (theirs / "notes").write_text("x")
        (theirs / "link").symlink_to(self.file("passwd", "root\n", mode=0o644))
        for also in (None, "data.mdb"):
            if also:
                (theirs / also).write_bytes(b"x" * 8192)
            for where in (theirs, "it's theirs"):
                done = subprocess.run(
                    [BIN / "runpostctl", "doctor", "--outbox", where, "--config", self.config],
                    cwd=self.folder, capture_output=True, text=True, timeout=60, check=False)
                self.assertEqual(done.returncode, 2, done)
                self.assertNotRegex(done.stdout, "chmod|permissions")
                if not also:
                    self.assertIn("runpost init --outbox", done.stdout)
                    self.assertIn(str(theirs), " ".join(
                        shlex.split(re.search(r"runpost init (.*)", done.stdout)[1])))
                else:
                    self.assertNotIn("wrote it --", done.stdout)
        self.ingest([])
        self.configure(defaults={"secret_file": theirs / "link"})
        text = self.doctor()[1]["secrets"][1]
        self.assertIn("this link leads to", text)
        self.assertNotIn("chmod", text)

    def test_the_mode_of_an_outbox_is_mended_from_anywhere(self):
        outbox = self.folder / "it's"
        self.run_program(BIN / "runpost", "init", "--outbox", outbox)
        outbox.chmod(0o755)
        done = subprocess.run([BIN / "runpostctl", "doctor", "--json", "--outbox", outbox.name],
                              cwd=self.folder, capture_output=True, timeout=60, check=False)
        remedy, = (c["remedy"] for c in json_lines(done.stdout) if c["check"] == "permissions")
        subprocess.run(["sh", "-c", remedy], cwd="/", timeout=30, check=True)
        self.assertEqual(outbox.stat().st_mode & 0o777, 0o700)

    def test_a_full_outbox_that_is_small(self):
        self.configure(outbox={"quota": "1M"}, ingest={"full_wait": "0"})
        self.ingest([])
        for n in range(0, 2000, 100):
            self.ingest([envelope(n + i, "http://127.0.0.1:9/", headers={"x": "y" * 1900})
                         for i in range(100)], code=None)
            if self.processes[-1].poll() == 75:
                break
        _, text, remedy = self.doctor()[1]["quota"]
        self.assertRegex(text, r"holds [1-9]\d* KiB of its quota of 1024 KiB")
        self.assertNotIn("purge --state delivered", remedy)

    def test_an_endpoint_without_a_valid_key(self):
        sink = self.sink()
        past = self.file("secret", secret_text(b"k" * 32) + " not-after=2020-01-01T00:00:00Z\n")
        self.configure(defaults={"secret_file": past})
        self.ingest([envelope(1, sink.hook())])
        sender = self.send()
        wait_until(lambda: [e["state"] for e in self.ctl_json("endpoints")] == ["no_key"],
                   "the endpoint to be told so")
        sender.stop()
        level, text, remedy = self.doctor()[1]["endpoints"]
        self.assertEqual(level, "warn")
        self.assertIn("0 parked, 1 without a valid key", text)
        self.assertEqual(shlex.split(remedy),
                         ["runpost", "check-config", sink.hook(), "--config", str(self.config)])
        done = self.run_program(BIN / "runpostctl", "doctor", "--json", "--outbox", self.outbox)
        remedy, = (c["remedy"] for c in json_lines(done.out) if c["check"] == "endpoints")
        self.assertIn("look with check-config, and the --config that the senders", remedy)

    def test_a_paused_endpoint_is_named_with_what_helps_it(self):
        self.ingest([envelope(1, "http://127.0.0.1:9/")])
        self.ctl("pause", "*")
        self.assertEqual(shlex.split(self.doctor()[1]["endpoints"][2])[:3],
                         ["runpostctl", "resume", "http://127.0.0.1:9/"])

    def test_no_outbox_and_a_foreign_one(self):
        code, checks = self.doctor()
        self.assertEqual((code, checks["store"][0]), (2, "fail"))
        self.assertFalse(self.outbox_exists())
        self.outbox.mkdir()
        (self.outbox / "data.mdb").write_bytes(b"x" * 8192)
        code, checks = self.doctor()
        self.assertEqual((code, checks["store"][0]), (2, "fail"))
        self.assertEqual((self.outbox / "data.mdb").read_bytes(), b"x" * 8192)

    def store_check(self, preexec=None, prefix=()):
        """What the check of the store says to a doctor under such conditions."""
        done = self.run_program(*prefix, BIN / "runpostctl", "doctor", "--json", "--outbox",
                                self.outbox, "--config", self.config, preexec=preexec)
        self.assertEqual(done.poll(), 2, done.err + done.out.decode())
        check, = (c for c in json_lines(done.out) if c["check"] == "store")
        self.assertEqual(check["level"], "fail", check)
        return check

    def test_what_keeps_the_outbox_from_being_opened_is_told_with_its_own_remedy(self):
        self.ingest([envelope(1, "http://127.0.0.1:9/")])

        def limit(which, n):
            return lambda: resource.setrlimit(which, (n, n))

        def without_privileges():
            for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
                libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)

        cases = {"ulimit -n": limit(resource.RLIMIT_NOFILE, 6),
                 "ulimit -v": limit(resource.RLIMIT_AS, 1 << 30)}
        for remedy, preexec in cases.items():
            check = self.store_check(preexec)
            self.assertIn(remedy, check["remedy"], check)
            self.assertNotIn("backup", check["remedy"] + check["text"])
        self.outbox.chmod(0)
        try:
            check = self.store_check(without_privileges)
        finally:
            self.outbox.chmod(0o700)
        self.assertIn("Permission denied", check["text"])
        self.assertIn("as the user", check["remedy"])
        self.assertNotIn("no outbox", check["text"])
        self.assertEqual(self.level("store"), "ok")

    def test_a_file_system_that_is_mounted_read_only(self):
        self.ingest([envelope(1, "http://127.0.0.1:9/")])
        mount = ["unshare", "-m", "sh", "-c", f"mount --bind {self.outbox} {self.outbox} && "
                 f"mount -o remount,ro,bind {self.outbox} && exec \"$@\"", "sh"]
        if subprocess.run([*mount, "true"], capture_output=True, timeout=30,
                          check=False).returncode != 0:
            self.skipTest("mounts cannot be made here")
        check = self.store_check(prefix=mount)
        self.assertIn("Read-only file system", check["text"])
        self.assertIn("remount", check["remedy"])
        self.assertNotIn("backup", check["remedy"] + check["text"])

    def test_endpoints_that_keep_failing_are_named(self):
        self.configure(defaults={"retry_base": "5ms", "retry_factor": "1", "retry_attempts": "500",
                                 "breaker": "off"})
        sink = self.sink("--status", "500")
        first = sink.hook("/0,b;c*")
        self.ingest([envelope(0, first), *(envelope(n, sink.hook(f"/{n}")) for n in range(1, 4)),
                     envelope(9, self.sink().hook("/good"))])
        sender = self.send()
        wait_until(lambda: all(e["streak"] > 20 or e["delivered"]
                               for e in self.ctl_json("endpoints")), "the failures")
        level, text, remedy = self.doctor()[1]["endpoints"]
        self.assertEqual((level, text.partition(":")[0]), (
            "warn", "5, of them 0 parked, 0 without a valid key, 0 paused, 0 disabled, 4 failing"))
        self.assertRegex(text, rf"{re.escape(first)} \(\d+ in a row, last http_500\)")
        self.assertIn(", ...", text)
        self.assertNotIn("/good", text)
        sender.stop()
        self.assertEqual(shlex.split(remedy), ["runpostctl", "list", "--limit", "10", "--endpoint",
                                               first.replace("*", "\\*"), "--outbox",
                                               str(self.outbox), "--config", str(self.config)])
        pasted = self.run_program(BIN / "runpostctl", *shlex.split(remedy)[1:], "--json")
        self.assertEqual([e["endpoint"] for e in json_lines(pasted.out)], [first])

    def trouble(self):
        """What stats says beside its rows, in a pipe: (rows,
        lines on stderr, warnings of --json)"""
        done = self.ctl("stats")
        rows = dict(line.split("\t") for line in done.out.decode().splitlines())
        warnings = self.stats()["warnings"]
        lines = done.err.splitlines()
        self.assertEqual(len(lines), len(warnings))
        for line in lines:
            self.assertRegex(line, "^! .* -> .*")
        return rows, lines, warnings

    def test_stats_in_a_pipe_tells_of_senders_that_stand_still(self):
        self.configure(sender={"lease": "5s"}, defaults={"timeout": "1s", "connect_timeout": "1s"})
        self.ingest([envelope(1, "http://127.0.0.1:9/", not_before="2099-01-01T00:00:00Z")])
        sender = self.send()
        wait_until(lambda: self.stats()["senders_alive"] == 1, "the sender")
        rows, lines, warnings = self.trouble()
        self.assertEqual((rows["senders_alive"], rows["senders_beating"], lines, warnings),
                         ("1", "1", [], []))
        sender.signal(signal.SIGSTOP)
        try:
            wait_until(lambda: self.stats()["senders_beating"] == 0, "the missing beats")
            rows, lines, warnings = self.trouble()
        finally:
            sender.signal(signal.SIGCONT)
        self.assertEqual((rows["senders_alive"], rows["senders_beating"]), ("1", "0"))
        self.assertRegex(lines[0], "^! sender-0 gave no sign of life for ")
        self.assertEqual(warnings[0]["command"], f"kill -CONT {sender.pid}")
        sender.stop()

    def test_stats_tells_of_a_store_that_fills_up_and_of_one_that_refuses(self):
        self.configure(outbox={"quota": "2M"}, ingest={"full_wait": "0"})
        self.ingest([])
        sender = self.send()
        wait_until(lambda: self.stats()["senders_alive"] == 1, "the sender")
        late = {"not_before": "2099-01-01T00:00:00Z", "headers": {"x": "y" * 1900}}
        full, n = False, 0
        seen = []
        while not full:
            lines = [envelope(n + i, "http://127.0.0.1:9/", **late) for i in range(40)]
            n += 40
            self.ingest(lines, code=None)
            full = self.processes[-1].poll() == 75
            seen.append(self.trouble())
        rows, lines, warnings = seen[-1]
        self.assertEqual((rows["taking"], self.stats()["taking"]), ("0", False))
        self.assertRegex(lines[0], "^! nothing is taken any more: .*quota")
        self.assertEqual(self.doctor()[1]["quota"][0], "fail")
        self.assertTrue(
            any("of the quota is used" in line for _, lines, _ in seen for line in lines), seen)
        self.assertEqual(seen[0][1], [])
        sender.stop()

    def test_a_stopped_sender(self):
        self.configure(sender={"lease": "5s"}, defaults={"timeout": "1s", "connect_timeout": "1s"})
        self.ingest([envelope(1, "http://127.0.0.1:9/", not_before="2099-01-01T00:00:00Z")])
        sender = self.send()
        wait_until(lambda: self.stats()["senders_alive"] == 1, "the sender")
        self.assertEqual(self.level("senders"), "ok")
        sender.signal(signal.SIGSTOP)
        try:
            checks = wait_until(lambda: (c := self.doctor()[1]) and c["senders"][0] == "fail" and c,
                                "the missing beats")
            self.assertIn(f"kill -CONT {sender.pid}", checks["senders"][2])
        finally:
            sender.signal(signal.SIGCONT)
        wait_until(lambda: self.level("senders") == "ok", "beats again")
        sender.stop()

    def test_a_stopped_process_that_holds_the_write_lock(self):
        ingest = self.live_ingest("--quiet")
        flood = (make_run(n, "http://127.0.0.1:9/", pad=4000) for n in range(1 << 30))

        def write():
            ingest.write(b"".join(line + b"\n" for _, line in zip(range(200), flood)))

        write()
        # It has opened the outbox: whoever is stopped while it does keeps others from opening it.
        ingest.wait_receipts(1)

        def stopped_inside():
            write()
            ingest.process.signal(signal.SIGSTOP)
            _, checks = self.doctor()
            if checks["write_lock"][0] == "fail":
                return checks
            ingest.process.signal(signal.SIGCONT)
            return None

        checks = wait_until(stopped_inside, "a stop inside of a transaction", 40, 0.001)
        self.assertIn("2000 ms", checks["write_lock"][1])
        self.assertIn(f"kill -CONT {ingest.process.pid}  ", checks["write_lock"][2])
        ingest.process.signal(signal.SIGCONT)
        wait_until(lambda: self.level("write_lock") == "ok", "the lock to be free")
        ingest.kill()

    def test_for_prometheus(self):
        self.ingest([])
        text = self.ctl("doctor", "--check", "prometheus", code=1).out.decode()
        done = subprocess.run([shutil.which("promtool"), "check", "metrics"], input=text,
                              capture_output=True, text=True, timeout=30, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn('runpost_doctor_check{check="store"} 0', text)
        self.assertIn("nagios", self.ctl("doctor", "--check", "xml", code=64).err)
