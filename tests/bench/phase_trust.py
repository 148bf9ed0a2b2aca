"""Receivers of different trust settings: two, ten and fifty `ca_file`s, pins or client
certificates, beside one; and all kinds at once, with plain http among them."""

import base64
import os
import statistics
import subprocess
import time

import harness
import real
import tls_server

HOSTS, RUNS_EACH = 200, 5
DIFFERENT = (2, 10, 50)
KINDS = ("ca_file", "pin", "client_cert")
HTTP_PORT, CERT_PORT = 8080, 8444

TABLE = [row for kind in KINDS for row in (
    (f"{HOSTS} TLS hosts, one {kind}", f"trust_{kind}_1_per_s", "/s", 0, None),
    *((f"  {many} of them, time relative to one", f"trust_{kind}_{many}_time", "", 2, ("<", 1.2))
      for many in DIFFERENT),
    *((f"  {many} of them, CPU relative to one", f"trust_{kind}_{many}_cpu", "", 2, None)
      for many in DIFFERENT),
    (f"  {DIFFERENT[-1]} of them, start-up", f"trust_{kind}_start_s", " s", 2, None))]
TABLE += [
    ("mixed trust and plain http", "mixed_per_s", "/s", 0, None),
    ("  bare libcurl loop, one ca_file", "mixed_bare_per_s", "/s", 0, None),
    ("  ratio", "mixed_ratio", "", 2, None),
]


def ca_files(bench):
    """Whom a company trusts: the public authorities, its own, and another own one."""
    public = real.SYSTEM_CAS.read_bytes() if real.SYSTEM_CAS.exists() else b""
    paths = [bench.dir / f"trust-{number}.pem" for number in range(max(DIFFERENT))]
    for number, path in enumerate(paths):
        other = tls_server.Authority(bench.dir, f"other-{number}")
        path.write_bytes(public + real.authority(bench).file.read_bytes()
                         + other.file.read_bytes())
    return [{"ca_file": path} for path in paths]


def pins(bench):
    """The receiver's key, and another."""
    right = tls_server.pin_of(real.identity(bench)[0])
    others = (base64.b64encode(os.urandom(32)).decode() for _ in range(max(DIFFERENT)))
    return [{"pin_sha256": f"{right} {other}"} for other in others]


def client_certs(bench):
    made = [real.authority(bench).issue(f"client-{number}") for number in range(max(DIFFERENT))]
    for _, key in made:
        key.chmod(0o600)
    return [{"client_cert": cert, "client_key": key} for cert, key in made]


def settings(bench):
    """Of each kind as many as there are different ones, made once."""
    if not hasattr(bench, "trust"):
        bench.trust = dict(zip(KINDS, (ca_files(bench), pins(bench), client_certs(bench))))
    return bench.trust


def sections(to, different):
    return [(f"h{host}", {"url": url, **different[host % len(different)]})
            for host, url in enumerate(to)]


def relative(bench, place):
    """Time from the first arrival to the last, and CPU, each without what a start takes: beside the
    mean of one setting before and after."""
    result, n, to = {}, HOSTS * RUNS_EACH, real.urls(HOSTS)
    for kind, different in settings(bench).items():
        asks = ("--client-ca", real.authority(bench).file) if kind == "client_cert" else ()
        took_s, cpu_us = {1: []}, {1: []}
        for many in (1, *DIFFERENT, 1):
            conf = real.config(bench, *sections(to, different[:many]))
            start_s, start_cpu_us = real.start_up(bench, conf)
            seen = real.deliver(bench, place, conf, to, n, *asks)
            took_s.setdefault(many, []).append(
                (seen["sink"]["last_us"] - seen["sink"]["first_us"]) / 1e6)
            cpu_us.setdefault(many, []).append(seen["cpu_us"] * n - start_cpu_us)
            if many == DIFFERENT[-1]:
                result |= {f"trust_{kind}_start_s": start_s,
                           f"trust_{kind}_noise_cores": seen["noise_cores"]}
        result[f"trust_{kind}_1_per_s"] = n / statistics.mean(took_s[1])
        for many in DIFFERENT:
            result[f"trust_{kind}_{many}_time"] = took_s[many][0] / statistics.mean(took_s[1])
            result[f"trust_{kind}_{many}_cpu"] = cpu_us[many][0] / statistics.mean(cpu_us[1])
    return result


def mixed(bench, place):
    """A fifth of the hosts each: what holds for all, a ca_file of ten, a pin of ten, a client
    certificate of ten, and plain http. Default limits."""
    to, n, own = real.urls(HOSTS), HOSTS * RUNS_EACH, []
    part = HOSTS // (len(KINDS) + 2)
    for number, (kind, different) in enumerate(settings(bench).items(), start=1):
        mine = range(number * part, (number + 1) * part)
        if kind == "client_cert":
            for host in mine:
                to[host] = to[host].replace(f":{real.PORT}", f":{CERT_PORT}")
        own += [(f"h{host}", {"url": to[host], **different[host % 10]}) for host in mine]
    for host in range(HOSTS - part, HOSTS):
        to[host] = f"http://{real.name_of(host)}:{HTTP_PORT}/hook"
    conf = real.config(bench, *own, allow_http="yes")
    outbox = real.stored(bench, conf, to, n)
    names, share = place.names(), part * RUNS_EACH
    sinks = [place.sink("--exit-after", n - 2 * share),
             place.sink("--exit-after", share, "--client-ca", real.authority(bench).file,
                        port=CERT_PORT),
             place.start(bench.program("runpost-sink"), "--port", HTTP_PORT, "--bind", "0.0.0.0",
                         "--quiet", "--exit-after", share, stdout=subprocess.PIPE)]
    sinks[-1].stdout.readline()
    start_s = time.monotonic()
    sender = harness.send(bench, outbox, conf, senders=1, prefix=place.prefix)
    rate = n / (max(sink.finish() for sink in sinks) - start_s)
    harness.stop(sender)
    real.ask_to_end(names)
    bench.expect(outbox, delivered=n)
    loop = real.bare(bench, place, real.urls(HOSTS), n, real.SENDER_IN_FLIGHT, 2 * HOSTS)
    return {"mixed_per_s": rate, "mixed_bare_per_s": loop["per_s"],
            "mixed_ratio": rate / loop["per_s"]}


def run(bench):
    place = real.Place(bench)
    result = {**relative(bench, place), **mixed(bench, place)}
    place.end()
    return result
