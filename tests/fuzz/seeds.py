#!/usr/bin/env python3
"""Writes the first inputs of every corpus, from which the fuzzer starts:
seed-NAME files, small and typical.

usage: seeds.py   (run it again after adding one; it is no part of a build)"""
import hashlib
import json
import pathlib
import struct

HERE = pathlib.Path(__file__).resolve().parent
SEEDS = {
    "run": {
        "run": b'\0{"run_id":"0195c1d2-3a00","status":"success",'
               b'"kwargs":{"webhook":"https://h.example/in?t=1"},"values":{"a":[1,2.5e3]}}',
        "envelope": b'\0{"webhook":"http://127.0.0.1:8787/hook?token=s3cret","operation":"POST '
                    b'/runs/wait","id":"i-1","order_by":"th-1",'
                    b'"not_before":"2026-11-23T12:00:00Z","expires_at":"2027-01-01T00:00:00+01:00",'
                    b'"headers":{"X-A":"1","authorization":"Bearer abc"},'
                    b'"run":{"run_id":"r","status":"error"}}',
        "escapes": b'\0{"webhook":"https:\\/\\/h.example\\/\\u0061","run_id":"\\ud83d\\ude00\\n",'
                   b'"a":"\\u0000"}',
        "deep": b"\x01{\"a\":" + b"[" * 60 + b"]" * 60 + b"}",
        "blank": b"\0 \t\r",
        "default": b'\x02{"run_id":"r-1","kwargs":{"webhook":null},"webhook":"https://x.example/"}',
        "given": b'\x1c{"run":{"a":true,"b":null},"webhook":"\xc3\xa4"}',
        "cut": b'\0{"run_id":"abc',
        "numbers": b'\0{"a":[-0,1e400,123456789012345678901234567890,0.1E-5,\xef\xbb\xbf]}',
    },
    "cut": {
        "run": b'kwargs.webhook,kwargs.config.configurable.langgraph_auth_user\n'
               b'{"run_id":"r","kwargs":{"input":[1,{"a":2}],"webhook":"http://h/","config":'
               b'{"configurable":{"langgraph_auth_user":{"id":"u"},"x":null}}},"webhook":null}',
        "nested": b'a,a.b,b.c.d,c\n{ "a" : {"b":1} , "b":{"c":{"d":[{}]},"e":2},"c":"}" }',
        "twice": b'a.b\n{"a":{"b":1},"a":2,"a":{"c":3,"b":4,"b":{"b":"\\\\\\""}}}',
        "escapes": b'k\xc3\xa4,a\\b\n{"k\\u00e4":1,"\\u006b\xc3\xa4":2,"a\\\\b":3,'
                   b'"k":"\\ud83d\\ude00"}',
        "all": b"a,b\n{\r\n\t\"b\": true,\r\n\t\"a\": -1.5e3\r\n}\r\n",
        "nowhere": b'a.b.c,x\n{"a":[{"b":{"c":1}}],"":{},"a.b":{"c":2},"b":{"x":[]}}',
    },
    "config": {
        "door": b"""[door]
listen = 127.0.0.1:8484;[::1]:8484 unix:/run/d.sock
listen = 0.0.0.0:80
token_file = tokens
door_key_file = keys
door_users = self 1000 CANARY
rejects = r
rejects_max = 1M
hosts = door.example:80, other
hold = 20s
connections = 512
bodies = 64M
[ui]
listen = [::1]:8485
[endpoint "a"]
url = https://a.example
door = yes
""",
        "loop": b"""[endpoint "a"]
url = http://localhost:8484
door = yes
""",
        "all": b"""[outbox]
dir = outbox
quota = 1G
map_size = 64G
disk_reserve = 64M
keep_delivered = 7d
[ingest]
max_line = 1M
[sender]
in_flight = 256
lease = 60s
[defaults]
header = X-Team: CANARY
timeout = 15s
allow = 10.0.0.0/8
allow = fd00::/8
rate = 50/s
permanent_statuses = 400 404
retry_schedule = 5s 1m 1h
pin_sha256 = sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
[endpoint "local"]
url = http://127.0.0.1:8787
secret_file = secret
allow_http = yes
allow_ports = 8080 8443
tls_min = 1.3
retry_base = 1s
retry_factor = 2.5
[endpoint "b"]
url = https://b.example/x
secret_env = CANARY
breaker = off
allow =
""",
        "hosts": b"""[defaults]
host_in_flight = 20
host_rate = 100/s
[endpoint "a"]
url = https://a.example/a
in_flight = 30
rate = 90/m
host_in_flight = 30
[endpoint "b"]
url = https://a.example/b
rate = 1/s
shared_limits = no
""",
        "comment": b"# a\n; b\n\n[sender]\nlease=5m\n",
        "unknown": b"[defaults]\nretry_bse = 5s\n",
        "no-equals": b"[defaults]\nheader X-A: CANARY\n",
        "crlf": b"[defaults]\r\ntimeout = 1s\r\n",
    },
    "times": {
        "delta": b"\0HTTP/1.1 503 x\r\nRetry-After: 120\r\n\r\n",
        "lone": b"\0Retry-After: 99999999999999999999",
        "date": b"\0HTTP/1.1 429 x\r\nDate: Mon, 23 Nov 2026 12:00:00 GMT\r\n"
                b"Retry-After: Mon, 23 Nov 2026 12:05:00 GMT\r\n\r\n"
                b"\0abcdefghijklmnopqrstuvwxyz0123456789",
        "interim": b"\0HTTP/1.1 103 x\r\nRetry-After: 5\r\n\r\nHTTP/1.1 200 x\r\n"
                   b"webhook-delivery: disable\r\n\r\nRetry-After: 7\r\n",
        "old-date": b"\0Retry-After: Sunday, 06-Nov-94 08:49:37 GMT",
        "rfc3339": b"\x012026-11-23T12:00:00.123+05:30",
        "leap": b"\x012024-02-29T23:59:60Z",
        "early": b"\x010000-01-01T00:00:00Z",
        "duration": b"\x021h30m5s100ms",
        "size": b"\x0216GiB",
        "rate": b"\x0250/s",
        "number": b"\x021048576",
    },
    "selector": {
        "states": b"1waiting,dead,retrying\n2*.example.com\n3r-1\n4http_503\n52h\n"
                  b"62026-11-23T12:00:00Z\n77d\n8100\n",
        "ids": b"0msg_0000000001JT7MFYGB3SB94BAN\n0{\"id\":\"msg_00000000027B7ZA9VKV0BS1163\"}\n"
               b"9msg_0000000001jt7mfygb3sb94ban\n0\n",
        "url": b"2https://hooks.example.com/a/b?x=1\n2[2001:db8::1]\n4tls\n1deaad\n",
    },
    "url": {
        "plain": b"\0\0https://hooks.example.com/in?token=s3cretvalue&op=a%20b"
                 b"\0an answer with s3cretvalue and a b",
        "port": b"\0\x05http://127.0.0.1:8787/hook", "six": b"\0\1https://[2001:db8::1]:8443/a/b?x",
        "user": b"\0\3https://user:password@h.example/", "dots": b"\0\0https://h.example/a/../b",
        "odd": b"\0\2https://h.example/?a!b=c&=d&e==&&0f3c0f3c0f3c0f3c0f3c0f3c0f3c=1",
        "upper": b"\0\0HTTPS://H.Example:443?q=%41%42+%43",
        "parameters": b"\xff\xffhttps://h.example/hooks;v=1/in/..;/x/%3B/y",
        "twice": b"\x55\x55https://h.example/hooks/in;a%2Fb/%6a/x",
        "base64": b"\0\0https://h.example/x?dG9rZW4tdG9rZW4=\0dG9rZW4tdG9rZW4=",
    },
    "address": {
        "loopback": b"\0\0\x50\x7f\0\0\x01", "public": b"\x02\x1f\x90\x08\x08\x08\x08",
        "mapped": b"\x01\x01\xbb" + bytes(10) + b"\xff\xff\x7f\0\0\x01",
        "nat64": b"\x01\x01\xbb\0\x64\xff\x9b" + bytes(8) + b"\x0a\0\0\x01",
        "teredo": b"\x01\x01\xbb\x20\x01" + bytes(14),
        "documentation": b"\x01\x01\xbb\x20\x01\x0d\xb8" + bytes(12),
        "allow": b"\0\x20\xfb\x0a\x01\x02\x03"
                 b"10.0.0.0/8\nfd00::/8\n127.0.0.1\n10.0.0.1/8\n::ffff:10.0.0.0/104\n",
        "allow6": b"\x05\x20\xfb\xfd\0" + bytes(14) + b"fd00::/8\n::/0\n0.0.0.0/0\n",
        "edges": b"\x01\0\x50\x3f\xff\x0f\xff" + b"\xff" * 12,
        "six-public": b"\x01\0\x50\x26\x06\x47\0" + bytes(12),
    },
    "lines": {
        "plain": b"\x40\x01\x05\x05\x05\x05\x05\x05\x05\x05one\ntwo\n\nthree",
        "long": b"\x04\x00\x02\x03\x07\x01\x02\x03\x04\x05abcdefghijklm\nab\nabcd\nabcde\n",
        "end": b"\x02\x01\0\0\0\0\0\0\0\0abc\n\n\nab",
    },
    "request": {
        "post": b"\x05\x06\x07\x01\x02\x03\x04\x05POST /hook?token=a HTTP/1.1\r\nHost: h\r\n"
                b"Content-Length: 5\r\nWebhook-Id: msg_1\r\n\r\nhello",
        "chunked": b"\x01\x01\x01\x01\x01\x01\x01\x01POST http://h/x HTTP/1.1\r\nHost: h\r\n"
                   b"Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\nGET",
        "expect": b"\x09\x09\x09\x09\x09\x09\x09\x09PUT * HTTP/1.0\r\nExpect: 100-continue\r\n"
                  b"Connection: keep-alive, close\r\n\r\n",
        "both": b"\x20\x20\x20\x20\x20\x20\x20\x20POST / HTTP/1.1\r\nHost: h\r\n"
                b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "bare": b"\x20\x20\x20\x20\x20\x20\x20\x20GET / HTTP/1.1\nHost: h\n\n",
        "absolute": b"\x01\x02\x03\x04\x05\x06\x07\x08POST HTTP://h:80?a=b HTTP/1.1\r\nHost: H\r\n"
                    b"Content-Length: 2\r\n\r\nok\r\nOPTIONS * HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"
                    b"GET http://i/ HTTP/1.1\r\nHost: h\r\n\r\n",
        "extensions": b"\x03\x03\x03\x03\x03\x03\x03\x03POST / HTTP/1.1\r\nHost: h\r\n"
                      b"Transfer-Encoding:\tChunked \r\n\r\n"
                      b"0003 ;\ta = \"b;\\\"\xff\"; c\r\nabc\r\n"
                      b"A\r\n0123456789\r\n00;d=e\r\nX-T:\r\nX-U: 1\r\n\r\n"
                      b"HEAD / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
        "pipelined": b"\x40\x40\x40\x40\x40\x40\x40\x40\r\n\r\nGET /a HTTP/1.1\r\nHost: h\r\n"
                     b"Content-Length: 3\r\n\r\nabcPOST /b HTTP/1.1\r\nHost: h\r\n"
                     b"Content-Length: 03\r\ncontent-length: 3\r\n\r\nabcDELETE /c HTTP/1.1\r\n"
                     b"Host: h\r\nConnection: close\r\n\r\n",
        "trailers": b"\x09\x08\x07\x06\x05\x04\x03\x02POST / HTTP/1.1\r\nHost: h\r\n"
                    b"Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 5\r\n\r\nhello",
        "ext-lf": b"\x02\x02\x02\x02\x02\x02\x02\x02POST / HTTP/1.1\r\nHost: h\r\n"
                  b"Transfer-Encoding: chunked\r\n\r\n5;\nxx;a=\"\r\nhello\r\n0\r\n\r\n",
        "spill": b"\x02\x02\x02\x02\x02\x02\x02\x02POST / HTTP/1.1\r\nHost: h\r\n"
                 b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello!!0\r\n\r\n",
        "huge": b"\x10\x10\x10\x10\x10\x10\x10\x10POST / HTTP/1.1\r\nHost: h\r\n"
                b"Content-Length: 9223372036854775800\r\nContent-Length: 9223372036854775799\r\n"
                b"\r\n",
        "wrap": b"\x10\x10\x10\x10\x10\x10\x10\x10POST / HTTP/1.1\r\nHost: h\r\n"
                b"Content-Length: 18446744073709551621\r\n\r\nhello",
        "two-hosts": b"\x10\x10\x10\x10\x10\x10\x10\x10POST / HTTP/1.1\r\n"
                     b"Host: h\r\nHost: h\r\n\r\n",
        "odd-host": b"\x10\x10\x10\x10\x10\x10\x10\x10POST / HTTP/1.1\r\nHost: a, b\r\n\r\n",
        "fragment": b"\x10\x10\x10\x10\x10\x10\x10\x10POST /a#b HTTP/1.1\r\nHost: h\r\n\r\n",
        "twice": b"\x10\x10\x10\x10\x10\x10\x10\x10POST / HTTP/1.1\r\nHost: h\r\n"
                 b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "teapot": b"\x10\x10\x10\x10\x10\x10\x10\x10POST / HTTP/1.1\r\nHost: h\r\n"
                  b"Expect: y 100-continue\r\n\r\n",
        "fields": b"\x10\x10\x10\x10\x10\x10\x10\x10GET / HTTP/1.1\r\nHost: h\r\n"
                  + b"a:\r\n" * 64 + b"\r\n",
        "large": b"\x10\x10\x10\x10\x10\x10\x10\x10POST / HTTP/1.1\r\nHost: h\r\n"
                 b"Transfer-Encoding: chunked\r\n\r\n12c\r\n" + b"x" * 300
                 + b"\r\n1\r\ny\r\n0\r\n\r\n",
        "head": b"\x10\x10\x10\x10\x10\x10\x10\x10POST / HTTP/1.1\r\nHost: h\r\nX: "
                + b"x" * 989 + b"\r\n\r\n",
    },
    "keys": {
        "v1": b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\0v1,"
              b"K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=\0hello",
        "window": b"# c\nwhsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw not-before=2026-11-01T00:00:00Z "
                  b"not-after=2027-12-01T00:00:00Z\n"
                  b"whsec_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB\0v1,aaaa v1a,bbbb\0",
        "v1a": b"whsk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\0v1a,AAAA\0x",
        "public": b"whpk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\0\0",
        "bad": b"CANARY\n",
        "short": b"whsec_AAAA\n",
    },
    "door_target": {
        "name": b"\x0f/to/a/eu/de?token=s3cret&op=a%2Fb", "plain": b"\x01/to/a",
        "nested": b"\x02/to/b/in/x/y", "dots": b"\x0f/to/d/..;a=b/%2e%2e/x//y",
        "token": b"\x0f/to/d?x=1&runpost%5Ftoken=0123456789abcdef&y",
        "given": b"\x02/to?url=https%3A%2F%2Fa.example%2Fx%3Fa%3D1%26b%3D2",
        "signature": b"\x00/to?url=https://o.example/&sig=" + b"0aF1" * 16,
        "signed": b"\x80https://o.example/x y?a=1&b=\xc3\xa4",
        "parameters": b"\x04/to/c/x;v=2/.well-known/{a}?{b}", "slash": b"\x08/to/d/",
        "else": b"\x0f/v1/entries/msg_1?runpost_token=x",
    },
}


def text16(text):
    return struct.pack(">H", len(text)) + text


def records():
    head = struct.pack(">B2Q7Q", 1, 7, 3, 10, 1, 2, 3, 3, 1, 0)
    delivery = struct.pack(">4B4H3IQ4qBQ", 1, 1, 1, 1, 503, 3, 2, 0, 1, 4, 9, 2, 1795439210000,
                           1795439200000, 1795439100000, 0, 1, 77)
    facts = struct.pack(">B16s4q2Q", 1, b"0123456789abcdef", 2, 1795439210000, 0, 0, 20, 99)
    facts += b"".join(map(text16, [b"https://h.example/in?t=1", b"r-1", b"thread", b"success",
                                   b"POST /runs", b"th-1", b"x-a: 1\n", b"rr-1\0abc"]))
    attempt = struct.pack(">4B2HIqQ5I", 1, 1, 1, 11, 503, 2, 4711, 1795439210000, 31000, 10, 20, 30,
                          40, 120)
    attempt += text16(b"127.0.0.1:8787") + text16(b"Service Unavailable") + text16(b"busy\n")
    endpoint = struct.pack(">4BHI6q", 1, 5, 2, 1, 503, 7, 1795439210000, 0, 0, 0, 1, 2)
    endpoint += struct.pack(">8IqIBHqqq5Q", 10, 5, 50, 1000, 3500, 6, 12, 9, 1795439210000, 2, 1,
                            503, 1795439210000, 1795439240000, 1795439210000000, 5, 1, 0, 2, 3)
    recent = struct.pack(">Bq", 1, 1795439210000) + bytes(30) * 2
    return {"recent": b"\5\0" + struct.pack(">Q", 64) + recent,
            "facts": b"\0\0" + struct.pack(">Q", 5) + facts,
            "delivery": b"\1\0" + struct.pack(">Q", 5) + delivery,
            "attempt": b"\2\0" + struct.pack(">Q", 5) + attempt,
            "endpoint": b"\3\0" + struct.pack(">Q", 2) + endpoint,
            "head": b"\4\0" + struct.pack(">Q", 0) + head, "key": b"\4\1" + bytes(32)}


def exported(**other):
    payload = other.pop("payload", "{}")
    line = {"v": 1, "id": "msg_0000000001FQH5XGCBV4T5E42N", "seq": 1, "run_id": "r-1",
            "thread_id": None, "event": "success", "state": "waiting",
            "endpoint": "https://h.example/in", "url": "https://h.example/in?token=s3cret",
            "operation": None, "order_by": None, "headers": {}, "attempts": 0, "failures": 0,
            "losses": 0, "replays": 0, "cause": None, "last_cause": None, "http_status": None,
            "accepted_at": "2026-11-25T05:12:37.125Z",
            "not_before": None, "expires_at": None, "state_at": "2026-11-25T05:12:37.125Z",
            "due_at": "2026-11-25T05:12:37.125Z", "budget_at": "2026-11-25T05:12:37.125Z",
            "dedupe_key": "cnItMQCp0ebq0rSmwscwrW0cLcFp", "payload_bytes": len(payload),
            "payload_sha256": hashlib.sha256(payload.encode()).hexdigest(), "payload": payload,
            "complete": True}
    return json.dumps({**line, **other}, separators=(",", ":")).encode()


SEEDS["record"] = records()
SEEDS["import"] = {
    "plain": exported(),
    "dead": exported(state="dead", cause="exhausted", last_cause="http_503", http_status=503,
                     failures=11, attempts=14, losses=2, replays=3),
    "order": exported(order_by="t", headers={"x-a": "1", "authorization": "Bearer abc"},
                      operation="POST /runs",
                      expires_at="2031-01-01T00:00:00.000Z", not_before="2026-11-25T05:12:38.125Z"),
    "in-flight": exported(state="in_flight", thread_id="th", attempts=1),
    "held": exported(state="held", run_id=None),
    "incomplete": exported(complete=False, url="https://h.example/in?token=REDACTED"),
    "version": exported(v=2), "escapes": exported(payload='{"a":"\\u0000"}', run_id="r-\u00e9"),
}
for target, seeds in SEEDS.items():
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in seeds.items():
        (folder / f"seed-{name}").write_bytes(content)
