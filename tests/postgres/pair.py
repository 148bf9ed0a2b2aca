"""A primary and its synchronous standby, that can change places: for tests of what a failover does.

The old primary is never started again as it was: its data are removed before it comes back as the
new standby, as an operator's tools would see to."""
import os
import pathlib
import shutil
import signal
import tempfile
import time

from server import START_S, Server


def _wait(condition, what):
    deadline = time.monotonic() + START_S
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited in vain for {what}")
        time.sleep(0.01)


class Pair:
    """`primary` takes writes; `standby` follows it, None while there is none.

    `settings` are those of both. address() names both hosts: whoever asks finds the one that takes
    writes."""

    def __init__(self, settings=(), safe=True):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="rp-pair-"))
        self.folder.chmod(0o711)
        more = {"max_wal_senders": 8, "wal_keep_size": "'256MB'", "hot_standby": "on",
                "wal_receiver_status_interval": "'1s'", "wal_retrieve_retry_interval": "'100ms'",
                **dict(settings)}
        self.both = [Server(self.folder / name, safe=safe, settings=more) for name in "ab"]
        self.primary, self.standby = self.both[0], None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()

    def make(self):
        self.primary.make().start()
        self.follow()
        return self

    def remove(self):
        for server in self.both:
            server.remove()
        shutil.rmtree(self.folder, ignore_errors=True)

    def address(self, database="postgres", **parameters):
        return self.primary.address(database, **{
            "host": ",".join(str(s.folder) for s in self.both),
            "target_session_attrs": "read-write", "connect_timeout": 2, **parameters})

    # --- the standby

    def follow(self):
        """The other one becomes the standby of the primary, from nothing, and synchronous."""
        primary, other = self.primary, next(s for s in self.both if s is not self.primary)
        shutil.rmtree(other.folder, ignore_errors=True)
        other.folder.mkdir()
        if os.getuid() == 0:
            os.chown(other.folder, other.user.pw_uid, other.user.pw_gid)
        other.folder.chmod(0o700)
        primary.run("pg_basebackup", "-h", primary.folder, "-U", "postgres", "-D", other.data,
                    "--checkpoint=fast", "--no-sync", "-X", "stream")
        (other.data / "standby.signal").write_text("")
        other.settings["primary_conninfo"] = (
            f"'host={primary.folder} user=postgres application_name=standby'")
        other.settings["synchronous_standby_names"] = "''"
        other.start()
        self.standby = other
        self.require(True)
        self.wait_synchronous()

    def require(self, wanted):
        """Whether the primary waits for a standby's flush."""
        names = "'FIRST 1 (standby)'" if wanted else "''"
        self.primary.settings["synchronous_standby_names"] = names
        self.primary.write_settings()
        self.primary.process.send_signal(signal.SIGHUP)

    def is_synchronous(self):
        return self.primary.query("SELECT count(*) FROM pg_stat_replication WHERE state = "
                                  "'streaming' AND sync_state = 'sync'", check=False) == "1"

    def wait_synchronous(self):
        _wait(self.is_synchronous, "the synchronous standby")

    def stop_standby(self):
        """As when its machine is switched off."""
        self.standby.kill()

    def start_standby(self):
        self.standby.start()
        self.wait_synchronous()

    # --- the failover

    def fail(self):
        """SIGKILL for all of the primary."""
        self.primary.kill()

    def promote(self):
        """The standby becomes the primary, and there is no standby. Returns when it takes
        writes."""
        self.primary, self.standby = self.standby, None
        self.primary.query("SELECT pg_promote(true)")
        _wait(lambda: self.primary.query("SELECT pg_is_in_recovery()", check=False) == "f",
              "the promotion")
