"""Stories of docs/examples/containers: the files can be read, fit each other, and the front door
takes runs with this configuration."""

import json
import pathlib
import re

from door import Door
from harness import BIN, Story, make_run

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent.parent / "docs" / "examples"
CONTAINERS = EXAMPLES / "containers"
TOKEN = "an-example-of-a-token"


class Yaml:
    """Reads the plain part of YAML that the examples are written in: maps and lists by indentation,
    lists in brackets, scalars. Whatever else there is fails."""

    def __init__(self, text):
        self.lines = []
        for number, line in enumerate(text.splitlines(), 1):
            line = re.sub(r"(^| )#.*", "", line).rstrip()
            assert "\t" not in line, f"line {number}: a tab"
            if line.strip():
                self.lines.append((len(line) - len(line.lstrip()), line.strip(), number))
        self.at = 0

    def read(self):
        value = self.block(0)
        assert self.at == len(self.lines), f"line {self.lines[self.at][2]}: indentation"
        return value

    def next(self, indent):
        """Whether a line of this indentation comes."""
        return self.at < len(self.lines) and self.lines[self.at][0] == indent

    def block(self, indent):
        assert self.next(indent), f"line {self.lines[self.at][2]}: indentation"
        return self.list(indent) if self.lines[self.at][1].startswith("- ") else self.map(indent)

    def list(self, indent):
        found = []
        while self.next(indent) and self.lines[self.at][1].startswith("- "):
            _, text, number = self.lines[self.at]
            if re.match(r"- [\w.-]+:( |$)", text):
                self.lines[self.at] = (indent + 2, text[2:], number)
                found.append(self.map(indent + 2))
            else:
                self.at += 1
                found.append(self.scalar(text[2:], number))
        return found

    def map(self, indent):
        found = {}
        while self.next(indent):
            _, text, number = self.lines[self.at]
            entry = re.fullmatch(r"([\w.-]+):(?: (.+))?", text)
            assert entry, f"line {number}: no `key: value`"
            key, value = entry.groups()
            assert key not in found, f"line {number}: {key} is there twice"
            self.at += 1
            if value is not None:
                found[key] = self.scalar(value, number)
            elif self.at < len(self.lines) and self.lines[self.at][0] > indent:
                found[key] = self.block(indent + 2)
            else:
                found[key] = None
        return found

    @staticmethod
    def scalar(text, number):
        if text.startswith(("[", '"')):
            return json.loads(text)
        assert not re.match(r"[&*!|>{'%@`?]", text), f"line {number}: {text}"
        assert ": " not in text, f"line {number}: a colon in {text}"
        if text in ("true", "false"):
            return text == "true"
        if re.fullmatch(r"0[0-7]+", text):
            return int(text, 8)
        return int(text) if re.fullmatch(r"\d+", text) else text


def read_yaml(name):
    text = (CONTAINERS / name).read_text()
    found = Yaml(text).read()
    try:
        import yaml
    except ImportError:
        return found
    assert yaml.safe_load(text) == found, name
    return found


def seconds(text):
    return int(re.fullmatch(r"(\d+)s", text)[1])


class Containers(Story):
    def setUp(self):
        super().setUp()
        self.conf = (CONTAINERS / "runpost.conf").read_text()
        self.engine = json.loads((CONTAINERS / "langgraph.json").read_text())["webhooks"]
        self.paths = set(re.findall(r"= (/\S+)", self.conf)) | {"/etc/runpost/runpost.conf"}

    def assert_reaches_its_files(self, mounts):
        for path in self.paths:
            self.assertTrue(any(path == mount or path.startswith(mount + "/") for mount in mounts),
                            f"{path} is in none of {mounts}")

    def assert_commands(self, door, sender):
        for verb, command in (("serve", door), ("send", sender)):
            self.assertEqual(command[:2], ["runpost", verb])
            helped = self.run_program(BIN / "runpost", verb, "--help").out.decode()
            for option in command[2:]:
                if option.startswith("--"):
                    self.assertIn(option + " ", helped)
            self.assertEqual(command[command.index("--config") + 1], "/etc/runpost/runpost.conf")

    def assert_engine_may_go_to(self, host, port):
        policy = self.engine["url"]
        self.assertIn(host, policy["allowed_domains"])
        self.assertIn(port, policy["allowed_ports"])
        self.assertEqual((policy["disable_loopback"], policy["require_https"]), (False, False))

    def webhook(self, name):
        return re.search(r"http://([\w.]+):(\d+)(/to/(\w+))",
                         (CONTAINERS / name).read_text()).groups()

    def test_the_compose_file_fits_the_configuration(self):
        compose = read_yaml("compose.yaml")
        door, sender = compose["services"]["door"], compose["services"]["sender"]
        self.assert_commands(door["command"], sender["command"])
        self.assertEqual(door["user"], sender["user"])
        self.assertEqual(sender["pid"], "service:door")
        self.assertGreater(seconds(door["stop_grace_period"]), 10)
        self.assertGreater(seconds(sender["stop_grace_period"]), 25)
        for service in (door, sender):
            sources, mounts = zip(*(v.split(":")[:2] for v in service["volumes"]))
            self.assert_reaches_its_files(mounts)
            self.assertIn("outbox", sources)
        self.assertEqual(list(compose["volumes"]), ["outbox"])
        host, port, _, _ = self.webhook("compose.yaml")
        self.assertIn(host, compose["services"])
        self.assert_engine_may_go_to(host, int(port))
        self.assertIn(f"hosts = {host}:{port}", self.conf)
        self.assertIn("LG_WEBHOOK_TOKEN", compose["services"]["engine"]["environment"])

    def test_the_pod_fits_the_configuration(self):
        pod = read_yaml("kubernetes.yaml")["spec"]["template"]["spec"]
        door, sender = pod["initContainers"]
        self.assert_commands(door["command"], sender["command"])
        self.assertIs(pod["shareProcessNamespace"], True)
        self.assertGreater(pod["terminationGracePeriodSeconds"], 25 + 10)
        for container in (door, sender):
            self.assertEqual(container["restartPolicy"], "Always")
            self.assertEqual(container["securityContext"]["runAsUser"],
                             pod["securityContext"]["fsGroup"])
            self.assert_reaches_its_files([m["mountPath"] for m in container["volumeMounts"]])
        for probe in ("startupProbe", "livenessProbe"):
            self.assertEqual(door[probe]["httpGet"], {"path": "/healthz", "port": 8484})
        secrets = next(v["secret"] for v in pod["volumes"] if v["name"] == "secrets")
        self.assertEqual(secrets["defaultMode"] & 0o037, 0)
        host, port, _, _ = self.webhook("kubernetes.yaml")
        self.assert_engine_may_go_to(host, int(port))
        variable = re.search(r"env\.(\w+)", self.engine["headers"]["Authorization"])[1]
        self.assertEqual([e["name"] for e in pod["containers"][0]["env"]], [variable])
        self.assertTrue(variable.startswith(self.engine["env_prefix"]))

    def here(self):
        """The configuration with files of this story."""
        files = self.folder / "run"
        files.mkdir()
        for name, text in (("door-tokens", TOKEN), ("signing-key", "whsec_" + "A" * 32)):
            (files / name).write_text(text)
            (files / name).chmod(0o440)
        text = self.conf.replace("/run/runpost", str(files))
        text = text.replace("/var/lib/runpost", str(self.folder / "lib"))
        (self.folder / "lib").mkdir()
        return re.sub(r"^listen = (.*):\d+$", r"listen = \1:0", text, flags=re.M)

    def test_the_configuration_is_accepted_and_the_door_takes_runs_with_a_token(self):
        self.config.write_text(self.here())
        done = self.run_program(BIN / "runpost", "check-config", "--config", self.config)
        self.assertEqual((done.poll(), done.err), (0, ""), done.out)
        self.outbox = self.folder / "lib" / "outbox"
        door = Door(self)
        _, port, path, _ = self.webhook("compose.yaml")
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        for host in (f"door:{port}", f"127.0.0.1:{door.tcp[1]}"):
            answer = door.ask(path, make_run(1, None), {"Host": host, **bearer})
            self.assertIn(answer.status, (200, 202), answer)
        with door.client() as client:
            client.post(path, make_run(1, None),
                        {"Via": "1.1 proxy", "Authorization": "Bearer of-somebody-else"})
            self.assertEqual(client.answer().status, 401)
        self.assertEqual(door.get("/healthz").status, 200)
