"""Stories about who decides on another attempt: the configured schedule, the listed statuses,
the receiver's header."""

import http.server
import threading
import time

from harness import Story, make_run, secret_text, wait_until


class Policy(Story):
    def after(self, *sink_options, **settings):
        """What `show` says when an entry for such a receiver has come to its end."""
        self.configure(defaults={"retry_base": None, "retry_factor": None, "retry_cap": None,
                                 "retry_attempts": None, **settings})
        sink = self.sink(*sink_options)
        receipt, = self.ingest([make_run(self.next_number(), sink.hook())])
        self.drain()
        return self.show(receipt["id"]), sink

    def test_no_spelling_of_a_url_leads_past_the_section_that_signs(self):
        secret = self.file("secret", secret_text(b"k" * 32) + "\n")
        sink = self.sink("--secret-file", secret)
        self.configure(endpoints=[("signed",
                                   {"url": sink.hook("/billing/in"), "secret_file": "secret"})])
        paths = ["/billing/in", "/billing/%69n", "//billing/in", "/billing//in", "/billing%2Fin",
                 "/x%2F../billing/in", "/billing/%2e%2Fin/x"]
        urls = [sink.hook(path) for path in paths]
        urls += [url.replace("127.0.0.1", host) for url in urls[:2]
                 for host in ("2130706433", "127.1", "0x7f.0.0.1")]
        self.ingest([make_run(n, url) for n, url in enumerate(urls)])
        self.drain()
        got = sink.record()
        self.assertEqual(len(got), len(urls))
        self.assertEqual({line["signature"] for line in got}, {"ok"})
        # the request is the one that was asked for, whatever it was judged as
        self.assertEqual({line["path"] for line in got}, set(paths))
        endpoints = {e["endpoint"]: e["delivered"] for e in self.ctl_json("endpoints")}
        self.assertEqual(endpoints[sink.hook("/billing/in")], 8, endpoints)

    def test_what_the_engines_client_encodes_arrives_encoded_and_the_payload_as_it_was(self):
        asked_for = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["content-length"]))
                asked_for.append(self.path)
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        given = "/a b/{id}/\u00e9/[x]|^?q={id}&r=a b\"<>&s=[1]|`"
        url = f"http://127.0.0.1:{server.server_port}{given}"
        receipt, = self.ingest([make_run(1, url)])
        self.assertEqual(receipt["status"], "queued", receipt)
        self.drain()
        self.assertEqual(asked_for,
                         ["/a%20b/%7Bid%7D/%C3%A9/[x]|^?q={id}&r=a%20b%22%3C%3E&s=[1]|`"])
        self.assertEqual(self.ctl("body", receipt["id"]).out, make_run(1, url))
        again, = self.ingest([make_run(1, url)])
        self.assertEqual((again["status"], again["id"]), ("duplicate", receipt["id"]))
        self.assertEqual([e["id"] for e in self.list("--endpoint", url)], [receipt["id"]])

    def test_a_schedule_gives_each_delay_and_the_number_of_attempts(self):
        shown, sink = self.after("--status", "503", retry_schedule="100ms 400ms 200ms")
        self.assertEqual((shown["cause"], shown["attempts"]), ("exhausted", 4))
        at = [a["started_at"] for a in shown["attempt_log"]]
        seconds = [time.mktime(time.strptime(t[:19], "%Y-%m-%dT%H:%M:%S"))
                   + float("0" + t[19:].rstrip("Z")) for t in at]
        for gap, wanted in zip((b - a for a, b in zip(seconds, seconds[1:])), (0.1, 0.4, 0.2),
                               strict=True):
            self.assertGreaterEqual(gap, wanted - 0.002)
        self.assertEqual(sink.count(), 4)

    def test_a_listed_status_is_final_and_its_entry_can_be_found_by_it(self):
        shown, sink = self.after("--status", "404", retry_schedule="10ms",
                                 permanent_statuses="400 404")
        self.assertEqual((shown["state"], shown["cause"], shown["last_cause"], shown["attempts"]),
                         ("dead", "permanent", "http_404", 1))
        for cause in ("permanent", "http_404", "http"):
            self.assertEqual([e["id"] for e in self.list("--cause", cause)], [shown["id"]], cause)
        group, = self.ctl_json("dead")
        self.assertIn("mend the route", group["suggest"])
        self.assertEqual(self.ctl_json("endpoints")[0]["state"], "failing")
        self.assertEqual(sink.count(), 1)

    def test_a_status_that_is_not_listed_is_tried_again(self):
        shown, _ = self.after("--status", "401", retry_schedule="10ms",
                              permanent_statuses="400 404")
        self.assertEqual((shown["cause"], shown["last_cause"], shown["attempts"]),
                         ("exhausted", "http_401", 2))

    def test_abort_message_ends_this_entry_only(self):
        shown, sink = self.after("--status", "500", "--header", "webhook-delivery: Abort-Message",
                                 retry_schedule="10ms", honour_delivery_header="yes")
        self.assertEqual((shown["cause"], shown["last_cause"], shown["attempts"]),
                         ("refused", "http_500", 1))
        self.assertEqual(self.ctl_json("endpoints")[0]["state"], "failing")
        self.assertIn("asked not to", self.ctl_json("dead")[0]["suggest"])
        self.assertEqual(sink.count(), 1)

    def test_disable_ends_the_endpoint_until_it_is_resumed(self):
        shown, sink = self.after("--status", "500", "--header", "webhook-delivery: disable",
                                 retry_schedule="10ms", honour_delivery_header="yes")
        self.assertEqual((shown["cause"], shown["attempts"]), ("gone", 1))
        self.assertEqual(self.ctl_json("endpoints")[0]["state"], "disabled")
        later, = self.ingest([make_run(900, sink.hook())])
        self.send()
        wait_until(lambda: self.show(later["id"])["state"] == "dead",
                   "the death of what comes after")
        self.assertEqual(self.show(later["id"])["cause"], "gone")
        self.assertEqual(sink.count(), 1)

    def test_a_delivery_with_disable_is_delivered_and_the_last_one(self):
        shown, _ = self.after("--header", "webhook-delivery: disable", honour_delivery_header="yes")
        self.assertEqual(shown["state"], "delivered")
        self.assertEqual(self.ctl_json("endpoints")[0]["state"], "disabled")
        self.assert_sound(delivered=1)

    def test_the_header_means_nothing_unless_it_is_to_be_heeded(self):
        shown, _ = self.after("--status", "500", "--header", "webhook-delivery: disable",
                              retry_schedule="10ms")
        self.assertEqual((shown["cause"], shown["attempts"]), ("exhausted", 2))
        self.assertEqual(self.ctl_json("endpoints")[0]["state"], "failing")
