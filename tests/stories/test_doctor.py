"""Stories of `runpostctl doctor`: silent about what is well, and never silent about what is not."""

import shutil
import signal
import subprocess

from harness import Story, envelope, json_lines, make_run, wait_until


class Doctor(Story):
    deadline_s = 120

    def doctor(self, *options):
        """(exit status, check -> (level, text, remedy))"""
        done = self.ctl("doctor", "--json", *options, code=None)
        return done.poll(), {c["check"]: (c["level"], c["text"], c["remedy"]) for c in json_lines(done.out)}

    def level(self, check):
        return self.doctor()[1][check][0]

    def test_all_is_well(self):
        sink = self.sink()
        self.ingest([envelope(1, sink.hook())])
        sender = self.send()
        self.wait_entries("the delivery", delivered=1)
        code, checks = self.doctor()
        self.assertEqual({c for c, (level, *_) in checks.items() if level != "ok"}, set(), checks)
        self.assertEqual((code, len(checks)), (0, 14))
        self.assertIn("RUNPOST OK - ", self.ctl("doctor", "--check", "nagios").out.decode())
        sender.stop()

    def test_entries_that_nobody_sends(self):
        self.ingest([envelope(1, "http://127.0.0.1:9/")])
        code, checks = self.doctor()
        self.assertEqual((code, checks["senders"][0]), (2, "fail"))
        line = self.ctl("doctor", "--check", "nagios", code=2).out.decode()
        self.assertRegex(line, r"^RUNPOST CRITICAL - senders: .*\| waiting=1 in_flight=0 dead=0 senders=0\n$")
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
        self.configure(defaults={"secret_file": self.file("secret", "whsec_" + "QUJD" * 8 + "\n", mode=0o644)})
        self.assertEqual(self.doctor()[1]["secrets"][0], "fail")
        self.config.write_text("[outbox]\nnonsense = 1\n")
        code, checks = self.doctor()
        self.assertEqual((code, checks["config"][0]), (2, "fail"))
        self.assertIn("runpost.conf:2", checks["config"][1])

    def test_permissions(self):
        self.ingest([])
        self.outbox.chmod(0o755)
        _, checks = self.doctor()
        self.assertEqual(checks["permissions"][0], "warn")
        self.assertEqual(checks["permissions"][2], f"chmod go= {self.outbox}")

    def test_no_outbox_and_a_foreign_one(self):
        code, checks = self.doctor()
        self.assertEqual((code, checks["store"][0]), (2, "fail"))
        self.assertFalse(self.outbox.exists())
        self.outbox.mkdir()
        (self.outbox / "data.mdb").write_bytes(b"x" * 8192)
        code, checks = self.doctor()
        self.assertEqual((code, checks["store"][0]), (2, "fail"))
        self.assertEqual((self.outbox / "data.mdb").read_bytes(), b"x" * 8192)

    def test_a_stopped_sender(self):
        self.configure(sender={"lease": "5s"}, defaults={"timeout": "1s", "connect_timeout": "1s"})
        self.ingest([envelope(1, "http://127.0.0.1:9/", not_before="2099-01-01T00:00:00Z")])
        sender = self.send()
        wait_until(lambda: self.stats()["senders_alive"] == 1, "the sender")
        self.assertEqual(self.level("senders"), "ok")
        sender.signal(signal.SIGSTOP)
        try:
            checks = wait_until(lambda: (c := self.doctor()[1]) and c["senders"][0] == "fail" and c, "the missing beats")
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
        ingest.wait_receipts(1)  # it has opened the outbox: whoever is stopped while it does keeps others from opening it

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
        self.assertIn(f"kill -CONT {ingest.process.pid},", checks["write_lock"][2])
        ingest.process.signal(signal.SIGCONT)
        wait_until(lambda: self.level("write_lock") == "ok", "the lock to be free")
        ingest.kill()

    def test_for_prometheus(self):
        self.ingest([])
        text = self.ctl("doctor", "--check", "prometheus", code=1).out.decode()
        done = subprocess.run([shutil.which("promtool"), "check", "metrics"], input=text, capture_output=True, text=True,
                              timeout=30, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn('runpost_doctor_check{check="store"} 0', text)
        self.assertIn("nagios", self.ctl("doctor", "--check", "xml", code=64).err)
