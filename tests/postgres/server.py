#!/usr/bin/env python3
"""A PostgreSQL server for tests: a cluster in a folder of its own, on a unix socket in it and, if
it is asked for, on loopback; never as root; ended by its pid, also when its starter is killed.

usage: server.py COMMAND [ARG ...]     runs the command with RP_POSTGRES set to such a server

Where no server's programs are installed `why_not()` says so, and what needs one is skipped."""
import ctypes
import os
import pathlib
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

VARIABLE = "RP_POSTGRES"
OLDEST = 15
START_S = 60
PR_SET_PDEATHSIG = 1
PORT = 5432  # of the socket's name; on loopback a free one
_libc = ctypes.CDLL(None, use_errno=True)


def _version(folder):
    try:
        said = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True,
                              check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return 0
    return int(re.search(r"(\d+)", said)[1])


def programs():
    """The folder of the newest server's programs, or None."""
    folders = {*pathlib.Path("/usr/lib/postgresql").glob("*/bin"),
               *(pathlib.Path(p) for p in os.get_exec_path())}
    found = [(_version(f), f) for f in folders
             if all((f / name).exists() for name in ("postgres", "initdb", "psql"))]
    return max(found, default=(0, None))


def why_not():
    """Why no server can be started here; None: one can."""
    version, folder = programs()
    if folder is None:
        return "no PostgreSQL server is installed"
    if version < OLDEST:
        return f"the PostgreSQL server installed is {version}, older than {OLDEST}"
    return None


def owner():
    """Who runs the server: PostgreSQL refuses root."""
    return pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())


class Server:
    """One cluster. `settings` are those of postgresql.conf; `safe` flushes as a real one does.

    `folder` has data, socket and log. `address()` is what a program takes."""

    def __init__(self, folder=None, safe=False, loopback=False, settings=()):
        self.made = folder is None
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="rp-pg-"))
        self.data = self.folder / "data"
        self.log = self.folder / "server.log"
        self.bin = programs()[1]
        self.user = owner()
        self.process = None
        self.port = None
        self.loopback = loopback
        self.password = secrets.token_hex(12)
        self.settings = {
            "unix_socket_directories": f"'{self.folder}'", "port": PORT,
            "listen_addresses": "''", "max_connections": 200, "shared_buffers": "'128MB'",
            "fsync": "on" if safe else "off", "synchronous_commit": "on",
            "full_page_writes": "on" if safe else "off", "max_wal_size": "'1GB'",
            "autovacuum_naptime": "'5s'", "log_line_prefix": "'%m [%p] %a '",
            "log_checkpoints": "off", "timezone": "'UTC'", "logging_collector": "off",
            **dict(settings)}

    # --- making it

    def run(self, program, *argv, check=True):
        """One of the server's programs, as the user who runs it."""
        return subprocess.run([self.bin / program, *map(str, argv)], check=check,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              cwd="/", env=self._env(), **self._as())

    def _as(self):
        if os.getuid() != 0:
            return {}
        return {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}

    def _env(self):
        return {"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": str(self.folder)}

    def make(self):
        self.folder.mkdir(exist_ok=True)
        self._give(self.folder)
        words = self.folder / "password"
        words.write_text(self.password)
        self._give(words)
        self.run("initdb", "--no-sync", "--no-instructions", "-U", "postgres", "-E", "UTF8",
                 "--locale=C.UTF-8", "--data-checksums", "--pwfile", words, "-D", self.data)
        self.allow()
        return self

    def _give(self, path):
        if os.getuid() == 0:
            os.chown(path, self.user.pw_uid, self.user.pw_gid)
        path.chmod(0o700)

    def allow(self):
        """Who reaches the socket's folder is trusted; on loopback a password is wanted."""
        (self.data / "pg_hba.conf").write_text(
            "local all all trust\nlocal replication all trust\n"
            "host all all 127.0.0.0/8 scram-sha-256\nhost all all 10.0.0.0/8 scram-sha-256\n")

    def write_settings(self):
        if self.loopback and self.port is None:
            with socket.socket() as s:
                s.bind(("127.0.0.1", 0))
                self.port = s.getsockname()[1]
            self.settings.update({"listen_addresses": "'127.0.0.1'", "port": self.port})
        text = "".join(f"{name} = {value}\n" for name, value in self.settings.items())
        (self.data / "runpost.conf").write_text(text)
        (self.data / "postgresql.conf").write_text("include 'runpost.conf'\n")

    # --- its life

    def start(self, wait=True):
        self.write_settings()
        parent = os.getpid()

        def before_exec():
            os.umask(0o077)
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(self.user.pw_gid)
                os.setuid(self.user.pw_uid)
            # After the change of user, which takes it back. An immediate shutdown of all of it.
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)
            if os.getppid() != parent:
                os._exit(1)

        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [self.bin / "postgres", "-D", self.data], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, cwd="/", env=self._env(), preexec_fn=before_exec,
                start_new_session=True)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self):
        deadline = time.monotonic() + START_S
        while self.query("SELECT 1", check=False) != "1":
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server does not start: {self.log.read_text()[-2000:]}")
            time.sleep(0.02)

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, how=signal.SIGINT):
        """SIGINT: at once, in order; SIGTERM: when its clients have gone; SIGQUIT: as a crash."""
        if self.is_running():
            self.process.send_signal(how)
            self.process.wait()

    def family(self):
        """The pids of the postmaster and all its processes."""
        pids = [self.process.pid]
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/children"):
            pids += [int(pid) for pid in task.read_text().split()]
        return pids

    def kill(self):
        """As when the machine is switched off: SIGKILL for every process of it, and their ends."""
        pids = self.family()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        deadline = time.monotonic() + START_S
        while any(_lives(pid) for pid in pids[1:]) and time.monotonic() < deadline:
            time.sleep(0.005)

    def remove(self):
        if self.process is not None:
            self.stop(signal.SIGQUIT)
        if self.made:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()

    # --- talking to it

    def address(self, database="postgres", **parameters):
        parameters = {"host": self.folder, **parameters}
        if self.settings["port"] != PORT:
            parameters["port"] = self.settings["port"]
        return (f"postgresql://postgres@/{database}?" +
                "&".join(f"{name}={value}" for name, value in parameters.items()))

    def query(self, sql, database="postgres", check=True):
        """The rows as psql shows them bare: a line each, columns parted by |."""
        done = subprocess.run([self.bin / "psql", "-XqAt", "-v", "ON_ERROR_STOP=1",
                               "-d", self.address(database), "-c", sql], capture_output=True,
                              text=True, stdin=subprocess.DEVNULL, env=self._env(), check=False)
        if check and done.returncode != 0:
            raise RuntimeError(f"{sql}: {done.stderr.strip()}")
        return done.stdout.strip()

    def make_database(self, name):
        self.query(f'CREATE DATABASE "{name}"')
        return self.address(name)


def _lives(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def main():
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 64
    reason = why_not()
    if reason is not None:
        print(f"server: {reason}", file=sys.stderr)
        return 69
    with Server() as server:
        server.make().start()
        return subprocess.run(sys.argv[1:], check=False,
                              env={**os.environ, VARIABLE: server.address()}).returncode


if __name__ == "__main__":
    sys.exit(main())
