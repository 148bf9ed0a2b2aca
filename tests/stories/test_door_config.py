"""Stories about the configuration of the front door: what check-config says of it, and the URLs
that sign-url makes."""

import hashlib
import hmac
import http.client
import os
import urllib.parse

from harness import BIN, Story, free_port, make_run, wait_until

KEYS = "# newest first\nnewest-key-of-the-door\nolder-key-of-the-door\n"
URL = "https://hooks.example.com/billing?token=abc&to=a+b"


class CheckConfig(Story):
    def check(self, *more, code=0):
        done = self.run_program(BIN / "runpost", "check-config", "--config", self.config, *more)
        self.assertEqual(done.poll(), code, done.err)
        return done

    def test_says_nothing_of_a_door_that_the_file_does_not_speak_of(self):
        self.configure()
        self.assertEqual(self.check().out, b"ok\n")

    def test_shows_where_the_door_is_who_may_come_and_what_an_engine_is_given(self):
        self.configure([("billing", {"url": "https://hooks.example.com/billing", "door": "yes"}),
                        ("closed", {"url": "https://hooks.example.com/closed"})],
                       door={"listen": "127.0.0.1:9484 unix:/run/runpost/door.sock",
                             "token_file": self.file("tokens", "a-token-of-somebody\n"),
                             "door_key_file": self.file("keys", KEYS),
                             "door_users": "root self"},
                       ui={"listen": "[::1]:9485"})
        done = self.check()
        lines = done.out.decode().splitlines()
        self.assertEqual(lines[:3], ["ok", "", "runpost serve"])
        rows = {line[2:20].strip(): line[20:].split() for line in lines[3:]}
        self.assertEqual(rows["listen"][:2], ["127.0.0.1:9484", "unix:/run/runpost/door.sock"])
        self.assertTrue(rows["listen"][2].startswith(f"{self.config}:"))
        self.assertEqual(rows["[ui] listen"][0], "[::1]:9485")
        self.assertEqual(rows["connections"], ["512", "default"])
        self.assertEqual(" ".join(rows["without a token"]), f"uid 0, uid {os.geteuid()}")
        self.assertEqual((rows["tokens"], rows["keys"]), (["1"], ["2"]))
        self.assertEqual([line.split() for line in lines if "published" in line],
                         [["published", "http://127.0.0.1:9484/to/billing",
                           "https://hooks.example.com/billing"]])
        for secret in ("a-token-of-somebody", "newest-key-of-the-door"):
            self.assertNotIn(secret, done.out.decode() + done.err)
        self.assertEqual(done.err, "")

    def test_warns_of_a_door_that_no_section_is_open_at(self):
        self.configure(door={"hold": "1s"})
        done = self.check()
        self.assertIn("warning: no section says door = yes", done.err)
        self.assertIn("-> say door = yes in an [endpoint]", done.err)

    def test_refuses_files_of_the_door_that_cannot_be_used_and_tells_no_secret(self):
        tokens = self.file("tokens", "a-token-of-somebody\nshort\n")
        self.configure(door={"token_file": tokens})
        done = self.check(code=78)
        self.assertRegex(done.err, r":\d+: \[door\] token_file = \S+: line 2: there are 5 ")
        self.assertNotIn("short", done.err)
        self.assertNotIn("somebody", done.err)
        tokens.chmod(0o644)
        self.assertIn("mode 0644 lets others at the secret", self.check(code=78).err)
        self.configure(door={"door_users": "no-such-user-here"})
        self.assertIn("there is no user no-such-user-here", self.check(code=78).err)

    def test_ingest_does_not_need_what_only_the_door_may_read(self):
        self.configure(door={"token_file": "missing", "door_key_file": "missing",
                             "door_users": "no-such-user-here"})
        self.assertEqual(self.ingest([]), [])


class SignUrl(Story):
    def setUp(self):
        super().setUp()
        self.configure(door={"listen": "127.0.0.1:9484",
                             "door_key_file": self.file("keys", KEYS)})

    def sign(self, *argv, data=None, code=0):
        done = self.run_program(BIN / "runpost", "sign-url", "--config", self.config, *argv,
                                data=data)
        self.assertEqual(done.poll(), code, done.err)
        return done

    def assert_signed(self, made, url, door="http://127.0.0.1:9484"):
        """The way a door reads it, with another library."""
        made = urllib.parse.urlsplit(made)
        self.assertEqual(f"{made.scheme}://{made.netloc}{made.path}", f"{door}/to")
        pairs = dict(part.split("=", 1) for part in made.query.split("&"))
        self.assertEqual(list(pairs), ["url", "sig"])
        self.assertEqual(urllib.parse.unquote(pairs["url"], errors="strict"), url)
        self.assertEqual(pairs["sig"], hmac.new(b"newest-key-of-the-door", url.encode(),
                                                hashlib.sha256).hexdigest())

    def test_signs_each_url_with_the_newest_key(self):
        done = self.sign("https://a.example", "https://b.example/x/%20y;z")
        lines = done.out.decode().splitlines()
        self.assert_signed(lines[0], "https://a.example")
        self.assert_signed(lines[1], "https://b.example/x/%20y;z")
        self.assertEqual(done.err, "")
        self.assertNotIn("newest-key", done.out.decode())

    def test_signs_what_the_door_will_read_of_a_url_that_engines_encode(self):
        self.assert_signed(self.sign("https://a.example/a b/\u00e9").out.decode().strip(),
                           "https://a.example/a%20b/%C3%A9")

    def test_takes_urls_with_a_token_from_standard_input(self):
        done = self.sign("--door", "https://door.example/", "-",
                         data=f"{URL}\r\n\nhttps://b.example".encode())
        lines = done.out.decode().splitlines()
        self.assertEqual(len(lines), 2)
        self.assert_signed(lines[0], URL, "https://door.example")
        self.assert_signed(lines[1], "https://b.example", "https://door.example")
        self.assertEqual(done.err, "")

    def test_warns_of_a_token_on_the_command_line(self):
        done = self.sign(URL)
        self.assert_signed(done.out.decode().strip(), URL)
        self.assertIn("ev=webhook_on_command_line", done.err)
        self.assertNotIn("token=abc", done.err)

    def test_warns_of_what_is_longer_than_engines_take(self):
        base = len(self.sign("https://a.example/").out) - 1
        for length, warned in ((2048, None), (2049, "takes 2048"), (4096, "takes 2048"),
                               (4097, "engines take 4096")):
            done = self.sign("https://a.example/" + "a" * (length - base))
            self.assertEqual(len(done.out) - 1, length)
            self.assertIn(warned or "", done.err)
            self.assertEqual(bool(done.err), warned is not None, done.err)

    def test_refuses_what_is_no_webhook_and_no_door(self):
        for argv, why in (((), "a URL is missing"), (("ftp://a.example",), "http"),
                          (("--door", "http://a.example/to", "https://b.example"), "has a path"),
                          (("--door", "a.example", "https://b.example"), "--door: ")):
            done = self.sign(*argv, code=64)
            self.assertIn(why, done.err)
            self.assertEqual(done.out, b"")

    def test_says_what_to_do_without_a_key(self):
        self.configure(door={"door_key_file": None})
        done = self.sign("https://a.example", code=78)
        self.assertIn("openssl rand -hex 32", done.err)
        self.assertIn("[door] door_key_file", done.err)

    def test_needs_no_other_file_of_the_door(self):
        self.configure(door={"door_key_file": self.file("keys", KEYS), "token_file": "missing"})
        self.assert_signed(self.sign("https://a.example").out.decode().strip(),
                           "https://a.example", "http://127.0.0.1:8484")

    def test_a_door_without_tcp_is_named_by_who_knows_its_users(self):
        self.configure(door={"door_key_file": self.file("keys", KEYS), "listen": "unix:/run/d"})
        self.assertIn("--door http://HOST:PORT", self.sign("https://a.example", code=64).err)

    def test_the_door_takes_runs_by_what_was_signed_and_by_no_other_url(self):
        port = free_port()
        self.configure(door={"door_key_file": self.file("keys", KEYS),
                             "listen": f"127.0.0.1:{port}"})
        url = "https://hooks.example.com/a b/\u00e9?q=1+2%20&x=a;b"
        made = self.sign("-", data=url.encode()).out.decode().strip()
        door = self.spawn(BIN / "runpost", "serve", "--outbox", self.outbox,
                          "--config", self.config)
        wait_until(lambda: "ev=ready" in door.err, "the door is open")
        path = made.removeprefix(f"http://127.0.0.1:{port}")
        other = path[:-1] + ("0" if path[-1] != "0" else "1")
        statuses = []
        for target in (path, other, path.replace("hooks.", "hook.")):
            with_door = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            with_door.request("POST", target, make_run(1, None))
            statuses.append(with_door.getresponse().status)
            with_door.close()
        self.assertEqual(statuses, [202, 403, 403])
        self.assertEqual(door.stop(), 0, door.err)
        self.assertIn("https://hooks.example.com/a%20b/%C3%A9", self.ctl("list").out.decode())
