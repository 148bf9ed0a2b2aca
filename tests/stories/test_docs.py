"""Stories of the documents: what they list is all there is,
and what they tell people to type works."""

import base64
import http.server
import ipaddress
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import threading

from door import Client
from harness import BIN, Story, free_port, make_run, wait_until

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DOCS = ROOT / "docs"


def program(*argv):
    return subprocess.run([str(BIN / argv[0]), *argv[1:]], capture_output=True, text=True,
                          timeout=30, check=True).stdout


def settings():
    """(section, key, default) of every setting the program has."""
    found, section = [], None
    for line in program("runpost", "settings").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line.strip():
            default = line[36:55].strip()
            found.append((section, line.split()[0], default))
    return found


def options_of(help_text):
    """Options that stand at the beginning of a line of help."""
    return set(re.findall(r"^\s+--([a-z][a-z-]*)", help_text, re.M))


def verbs_of(help_text):
    return re.findall(r"^  ([a-z-]+) +\S", help_text, re.M)


def man_options(page):
    return set(re.findall(r"Fl -([a-z][a-z-]*)", (DOCS / "man" / page).read_text()))


def files_in(document):
    """The blocks of a document that are files: name -> text."""
    text = (DOCS / document).read_text()
    return dict(re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```\n", text, re.S))


class Lists(Story):
    def test_the_man_page_of_the_configuration_has_every_setting_and_no_other(self):
        text = (DOCS / "man" / "runpost.conf.5").read_text()
        documented, section = set(), None
        for line in text.splitlines():
            head = re.match(r"\.Ss \[([a-z]+)", line)
            item = re.match(r"\.It Cm ([a-z0-9_]+)", line)
            section = head[1] if head else section
            if item:
                documented.add((section, item[1]))
        self.assertEqual(documented, {(s, key) for s, key, _ in settings()})

    def test_the_man_page_of_the_configuration_has_the_true_defaults(self):
        text = (DOCS / "man" / "runpost.conf.5").read_text()
        for section, key, default in settings():
            part = text.partition(f".Ss [{section}")[2].partition(f".It Cm {key}\n")[2]
            part = part.partition("\n.It ")[0]
            if default:
                self.assertIn(default, re.sub(r"^\.Pa ", "", part.partition("Default:")[2],
                                              flags=re.M), f"{section} {key}")

    def test_the_example_configuration_shows_every_setting_with_its_default(self):
        lines = (DOCS / "examples" / "runpost.conf").read_text().splitlines()
        defaults = {(section, key): default for section, key, default in settings()}
        shown, section = set(), None
        for line in lines:
            head = re.match(r"(#*)\[([a-z]+)", line)
            section = head[2] if head else section
            item = re.match(r"(#*)([a-z0-9_]+) *=(.*)", line)
            if item is None:
                continue
            of = (section, item[2]) if (section, item[2]) in defaults else ("defaults", item[2])
            self.assertIn(of, defaults, line)
            shown.add(of)
            # one '#': the default; two: an example, where the default is
            # empty or the section is one
            self.assertEqual(len(item[1]), 2 if section == "endpoint" else 1
                             if item[3].strip() == defaults[of] else 2, line)
            if len(item[1]) == 2 and section != "endpoint":
                self.assertEqual(defaults[of], "", f"{line}: has a default to show")
        self.assertEqual(shown, set(defaults))

    def test_the_example_configuration_is_accepted_as_it_is_and_with_everything_switched_on(self):
        example = DOCS / "examples" / "runpost.conf"
        every = re.sub(r"^##?(?=[a-z]|\[)", "", example.read_text(), flags=re.M)
        # one of the ways each, as the file says
        every = re.sub(r"^(secret_env|secret_credential|retry_schedule).*\n", "", every, flags=re.M)
        for path in (example, self.file("every.conf", every)):
            done = self.run_program(BIN / "runpost", "init", "--config", path, "--outbox",
                                    self.outbox)
            self.assertEqual(done.poll(), 0, done.err)

    def test_the_man_pages_have_every_verb_and_option_of_the_programs_and_no_other(self):
        for name in ("runpost", "runpostctl"):
            top = program(name, "--help")
            page = (DOCS / "man" / f"{name}.1").read_text()
            options = {"help", "version"}
            for verb in verbs_of(top):
                self.assertRegex(page, rf"(?m)^(\.Ss|\.Cm|\.It Ic) {verb}\b",
                                 f"{name}.1 says nothing of {verb}")
                options |= options_of(program(name, verb, "--help"))
            documented = man_options(f"{name}.1") | {"version"}
            self.assertEqual(documented, options, f"{name}.1 and `{name} --help` differ")
        sink = options_of(program("runpost-sink", "--help"))
        self.assertEqual(man_options("runpost-sink.1") | {"version"}, sink,
                         "runpost-sink.1 and `runpost-sink --help` differ")

    def test_the_help_of_every_verb_of_the_inspector_has_examples_of_that_verb(self):
        for verb in verbs_of(program("runpostctl", "--help")):
            examples = program("runpostctl", verb, "--help").partition("\nexamples:\n")[2]
            self.assertRegex(examples, rf"(?m)^  .*\brunpostctl {verb}\b",
                             f"runpostctl {verb} --help has no example")

    def test_every_event_of_the_logs_is_explained(self):
        source = "".join(p.read_text() for p in (ROOT / "src").rglob("*.c"))
        events = (set(re.findall(r'rp_log\([^"]*?"([a-z_]+)"', source))
                  | set(re.findall(r'report\("([a-z_]+)"', source)))
        self.assertGreater(len(events), 10)
        text = (DOCS / "operating.md").read_text()
        self.assertEqual([e for e in sorted(events) if f"`{e}`" not in text], [],
                         "not in docs/operating.md")

    def test_the_tour_of_the_source_names_every_folder_and_no_other(self):
        text = (ROOT / "README.md").read_text()
        there = {p.parent.relative_to(ROOT).as_posix() + "/"
                 for folder in ("include", "src", "tools")
                 for p in (ROOT / folder).rglob("*") if p.is_file()}
        named = set(re.findall(r"^\| `((?:include|src|tools)/[\w/]*)` \|", text, re.M))
        self.assertGreater(len(there), 20)
        self.assertEqual(named, there)

    def test_the_units_are_hardened_and_name_servers_can_be_reached(self):
        units = sorted((DOCS / "examples").glob("*.service"))
        self.assertEqual([u.name for u in units],
                         ["runpost-ingest@.service", "runpost-sender.service",
                          "runpost-serve.service"])
        for unit in units:
            if shutil.which("systemd-analyze") is not None:
                done = subprocess.run(["systemd-analyze", "security", "--offline=yes",
                                       "--threshold=20", unit],
                                      capture_output=True, text=True, timeout=30, check=False)
                self.assertEqual(done.returncode, 0, done.stdout[-300:] + done.stderr)
        denied = re.findall(r"^IPAddressDeny=(.*)",
                            (DOCS / "examples" / "runpost-sender.service").read_text(), re.M)
        networks = [ipaddress.ip_network(n) for line in denied for n in line.split()]
        self.assertTrue(any(ipaddress.ip_address("169.254.169.254") in n for n in networks))
        for name_server in ("169.254.169.253", "168.63.129.16", "100.100.2.136", "100.100.2.138",
                            "127.0.0.53"):
            self.assertFalse(any(ipaddress.ip_address(name_server) in n for n in networks),
                             name_server)

    def test_cron_lines_name_a_program_by_its_path(self):
        lines = re.findall(r"^ +\* \* \* \* \* +(.*)$",
                           "".join(p.read_text() for p in DOCS.glob("*.md")), re.M)
        self.assertTrue(lines)
        for line in lines:  # a crontab of the system: a user, then the command
            self.assertTrue(line.split()[1].startswith("/"), line)

    def test_links_between_the_documents_lead_somewhere(self):
        for document in [ROOT / "README.md", *DOCS.glob("*.md")]:
            for target in re.findall(r"\]\(([^)#]+)", document.read_text()):
                if "://" not in target:
                    self.assertTrue((document.parent / target).exists(),
                                    f"{document.name}: {target}")


class Commands(Story):
    def test_the_five_minutes_of_the_readme_work(self):
        text = (ROOT / "README.md").read_text()
        part = text.partition("<!-- start:five -->")[2].partition("<!-- end:five -->")[0]
        blocks = re.findall(r"^```sh\n(.*?)^```$", part, re.S | re.M)
        self.assertGreater(len(blocks), 4)
        script = self.file("five.sh",
                           "set -e\n" + "\n".join(blocks).replace("8787", str(free_port())))
        folder = self.folder / "five"
        folder.mkdir()
        # bash -c cd, since a shell that is told its directory would find the programs of this one's
        done = self.run_program("bash", "-c", f"cd '{folder}' && exec bash '{script}'",
                                env={"PATH": f"{BIN}:{os.environ['PATH']}"}, limit_s=50)
        output = done.out.decode()
        self.assertEqual(done.poll(), 0, output + done.err)
        self.assertEqual(output.count('"status":"queued"'), 2, output)
        self.assertIn("signature ok", output)
        self.assertIn("problems: sound", output)
        self.assertNotIn("s3cret", output + done.err)
        stats = json.loads(program("runpostctl", "stats", "--json", "--config",
                                   str(folder / "runpost.conf")))
        self.assertEqual((stats["accepted"], stats["entries"]["delivered"]), (2, 2))


    def test_the_front_door_of_the_readme_takes_runs_and_delivers_them_signed(self):
        files = files_in("../README.md")
        url = json.loads(files["langgraph.json"])["webhooks"]["url"]
        self.assertEqual(url["allowed_domains"], ["127.0.0.1"])
        text = (ROOT / "README.md").read_text()
        block = next(b for b in re.findall(r"^```sh\n(.*?)^```$", text, re.S | re.M)
                     if "runpost serve" in b)
        path, query = re.search(r"http://127\.0\.0\.1:8484(/to/\w+)\?(\S+)\"", text).groups()
        self.assertIn(f":{url['allowed_ports'][0]}{path}", text)
        receiver = Receiver()
        self.addCleanup(receiver.close)
        port, home = free_port(), receiver.url.partition("/in")[0]
        self.file("runpost.conf", files["runpost.conf"].replace(
            "https://hooks.example.com/orders",
            f"{home}/orders\nallow_http = yes\nallow = 127.0.0.1\n"
            f"allow_ports = {home.rpartition(':')[2]}")
            + f"[door]\nlisten = 127.0.0.1:{port}\n")
        script = self.file("serve.sh", f"cd '{self.folder}'\n{block}\nwait\n")
        shell = self.spawn("bash", script, env={"PATH": f"{BIN}:{os.environ['PATH']}"},
                           preexec=os.setsid)
        self.addCleanup(os.killpg, shell.pid, signal.SIGTERM)
        wait_until(lambda: "ev=ready" in shell.err, "the door")
        run = make_run(1, f"http://127.0.0.1:{port}{path}?{query}")
        with Client(("127.0.0.1", port)) as client:
            self.assertEqual(client.ask(f"{path}?{query}", run).status, 202)
        (headers, body), = wait_until(lambda: receiver.received, "the delivery")
        self.assertEqual(body, run)
        self.assertIn("webhook-signature", headers)
        self.assertEqual(receiver.paths, [f"/orders?{query}"])


    def test_the_configurations_of_the_documents_are_accepted_and_their_urls_signed(self):
        (self.folder / "keys").write_text("an-example-of-a-key\n")
        (self.folder / "keys").chmod(0o600)
        for name, document in (("door.conf", "langgraph.md"), ("javascript.conf", "langgraph.md"),
                               ("runpost.conf", "../README.md")):
            path = self.file(name, files_in(document)[name])
            for secret, text in (("secret", "whsec_" + "A" * 32 + "\n"),
                                 ("door-tokens", "an-example-of-a-token\n")):
                self.file(secret, text).chmod(0o600)
            done = self.run_program(BIN / "runpost", "check-config", "--config", path)
            self.assertEqual((done.poll(), done.err), (0, ""), name)
            self.assertIn(b"http://127.0.0.1:8484/to/orders ", done.out)
        line = re.search(r"^runpost (sign-url --config runpost.conf (\S+))$",
                         (DOCS / "langgraph.md").read_text(), re.M)
        path.write_text(path.read_text() + "[door]\ndoor_key_file = keys\n")
        done = self.run_program("sh", "-c", f"cd '{self.folder}' && '{BIN}/runpost' {line[1]}")
        self.assertRegex(done.out.decode(),
                         rf"^http://127\.0\.0\.1:8484/to\?url={line[2]}&sig=[0-9a-f]{{64}}\n$")
        for document in ("langgraph.md", "../README.md"):
            url = json.loads(files_in(document)["langgraph.json"])["webhooks"]["url"]
            self.assertEqual(url, {"allowed_domains": ["127.0.0.1"], "allowed_ports": [8484],
                                   "disable_loopback": False, "require_https": False})


class Receiver:
    """Keeps the headers and the body of every request."""

    def __init__(self):
        received, paths = self.received, self.paths = [], []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                paths.append(self.path)
                received.append(({k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/in?token=t"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Engines(Story):
    """The examples of docs/langgraph.md, as they stand there."""

    def setUp(self):
        super().setUp()
        for name, text in files_in("langgraph.md").items():
            self.file(name, text)
        self.path = {"PATH": f"{BIN}:{os.environ['PATH']}"}
        self.node = shutil.which("node")

    def run_engine(self, *argv):
        process = self.spawn(*argv, self.outbox, self.config, env=self.path)
        child = f"/proc/{process.pid}/task/{process.pid}/children"
        wait_until(lambda: process.out.count(b"\n") > 100, "the first receipts")
        for pid in map(int, pathlib.Path(child).read_text().split()):
            os.kill(pid, signal.SIGKILL)  # the ingest the engine started, in the middle of its work
        self.assertEqual(process.wait(50), 0, process.err)
        receipts = [json.loads(line) for line in process.out.splitlines()]
        self.assertEqual(len(receipts), 2000)
        self.assertEqual(len({r["id"] for r in receipts}), 2000)
        self.assertEqual(self.entries()["waiting"], 2000)
        self.assertNotIn("Error", process.err)
        self.assert_sound()

    def test_the_engine_in_python_loses_nothing_when_ingest_is_killed(self):
        self.file("main.py", """
import json, sys, time
from engine import Outbox
outbox = Outbox("--outbox", sys.argv[1], "--config", sys.argv[2],
                on_receipt=lambda line, receipt: print(json.dumps(receipt), flush=True))
for n in range(2000):
    outbox.put({"webhook": "https://hooks.example.com/in",
                "run": {"run_id": f"r-{n}", "status": "success"}})
    time.sleep(0.0002)
sys.exit(outbox.close())
""")
        self.run_engine(sys.executable, self.folder / "main.py")

    def test_the_engine_in_python_recovers_and_survives_nan_and_a_mistake_in_on_receipt(self):
        self.file("main.py", """
import json, os, signal, sys, time
from engine import Outbox
told = []
def on_receipt(line, receipt):
    told.append(receipt)
    if len(told) == 1:
        raise ValueError("a mistake of the engine's")
    if len(told) == 3:
        sys.exit("it wanted to end")
    print(json.dumps(receipt), flush=True)
outbox = Outbox("--outbox", sys.argv[1], "--config", sys.argv[2], on_receipt=on_receipt)
def put(n, **more):
    outbox.put({"webhook": "https://hooks.example.com/in",
                "run": {"run_id": f"r-{n}", "status": "success", **more}})
def wait(n):
    deadline = time.monotonic() + 30
    while len(told) < n and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(told) == n, told
put(0)
put(1, values={"loss": float("nan"), "bounds": [float("-inf"), float("inf")]})
wait(2)
first = outbox.process.pid
os.kill(first, signal.SIGSTOP)
put(2)
os.kill(first, signal.SIGKILL)
wait(3)  # there is no other put
assert outbox.process.pid != first
for n in range(3, 300):
    put(n)
sys.exit(outbox.close())
""")
        process = self.spawn(sys.executable, self.folder / "main.py", self.outbox, self.config,
                             env=self.path)
        self.assertEqual(process.wait(50), 0, process.err)
        receipts = [json.loads(line) for line in process.out.splitlines()]
        self.assertEqual({r["status"] for r in receipts}, {"queued"}, receipts)
        self.assertEqual((len(receipts), self.entries()["waiting"]), (298, 300))
        self.assertIn("ValueError: a mistake of the engine's", process.err)
        self.assertIn("SystemExit: it wanted to end", process.err)
        self.assertEqual(json.loads(self.ctl("body", receipts[0]["id"]).out)["values"],
                         {"loss": None, "bounds": [None, None]})

    def test_the_engine_in_python_ends_when_ingest_cannot_be_started_again(self):
        self.file("main.py", """
import signal, sys, threading
from engine import Outbox
stored = threading.Event()
outbox = Outbox("--outbox", sys.argv[1], "--config", sys.argv[2],
                on_receipt=lambda line, receipt: stored.set())
outbox.put({"webhook": "https://hooks.example.com/in",
            "run": {"run_id": "r-1", "status": "success"}})
assert stored.wait(30)
outbox.argv = ["/nowhere/runpost"]
outbox.process.send_signal(signal.SIGKILL)
assert outbox.ended.wait(30), "it hangs"
try:
    outbox.put({"webhook": "https://hooks.example.com/in",
                "run": {"run_id": "r-2", "status": "success"}})
except RuntimeError as error:
    print(error)
try:
    outbox.close()
except RuntimeError as error:
    print(error)
""")
        engine = self.spawn(sys.executable, self.folder / "main.py", self.outbox, self.config,
                            env=self.path)
        self.assertEqual(engine.wait(50), 0, engine.err)
        self.assertRegex(engine.out.decode(), "(.*cannot be started.*\n){2}")

    def test_the_engines_say_so_when_there_is_no_use_in_trying_again(self):
        self.config.write_text("[nonsense]\n")
        self.file("main.py", """
import sys
from engine import Outbox
outbox = Outbox("--config", sys.argv[2])
try:
    outbox.close()
except RuntimeError as error:
    print(error)
try:
    outbox.put({})
except RuntimeError as error:
    print(error)
""")
        self.file("main.mjs", """
import { Outbox } from "./engine.mjs";
const outbox = new Outbox("--config", process.argv[3]);
const put = outbox.put({}).catch((error) => console.log(error.message));
await outbox.close().catch((error) => console.log(error.message));
await put;
""")
        for argv in ([sys.executable, self.folder / "main.py"],
                     [self.node, self.folder / "main.mjs"]):
            if argv[0] is None:
                continue
            process = self.spawn(*argv, self.outbox, self.config, env=self.path)
            self.assertEqual(process.wait(50), 0, process.err)
            self.assertEqual(process.out.decode().count("runpost ingest ended with 78"), 2,
                             process.out)

    def test_the_engine_in_node_loses_nothing_when_ingest_is_killed(self):
        if self.node is None:
            self.skipTest("there is no node")
        self.file("main.mjs", """
import { writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Outbox } from "./engine.mjs";
const outbox = new Outbox("--outbox", process.argv[2], "--config", process.argv[3]);
const receipts = [];
for (let n = 0; n < 2000; n++) {
  const run = { run_id: `r-${n}`, status: "success" };
  receipts.push(outbox.put({ webhook: "https://hooks.example.com/in", run })
    .then((receipt) => writeSync(1, JSON.stringify(receipt) + "\\n")));
  if (n % 10 === 0) await sleep(2);
}
await Promise.all(receipts);
await outbox.close();
""")
        self.run_engine(self.node, self.folder / "main.mjs")

    def deliver_signed(self):
        secret = "whsec_" + base64.b64encode(bytes(range(32))).decode()
        self.configure(defaults={"secret_file": self.file("secret", secret + "\n")})
        receiver = Receiver()
        self.addCleanup(receiver.close)
        self.ingest([make_run(1, receiver.url)])
        self.drain()
        (headers, body), = receiver.received
        self.assertEqual(headers["webhook-id"], self.list()[0]["id"])
        return secret, headers, body

    def check_answers(self, answer):
        secret, headers, body = self.deliver_signed()
        self.assertIs(answer(secret, headers, body), True)
        self.assertIs(answer(secret, headers, body + b" "), False)
        self.assertIs(answer(secret, {**headers, "webhook-id": "msg_x"}, body), False)
        self.assertIs(answer(secret, {**headers, "webhook-timestamp": "1700000000"}, body), False)
        self.assertIs(answer("whsec_" + base64.b64encode(b"k" * 32).decode(), headers, body), False)

    def test_the_receiver_in_python_knows_genuine_deliveries(self):
        names = {}
        exec(files_in("langgraph.md")["receiver.py"], names)  # the text of our own document
        self.check_answers(names["is_genuine"])

    def test_the_receiver_in_node_knows_genuine_deliveries(self):
        if self.node is None:
            self.skipTest("there is no node")
        self.file("ask.mjs", """
import { isGenuine } from "./receiver.mjs";
const [secret, headers, body] = JSON.parse(process.argv[2]);
console.log(isGenuine(secret, headers, Buffer.from(body)));
""")

        def answer(secret, headers, body):
            asked = json.dumps([secret, headers, body.decode()])
            return json.loads(subprocess.run([self.node, self.folder / "ask.mjs", asked],
                                             capture_output=True, text=True,
                                             timeout=30, check=True).stdout)
        self.check_answers(answer)
