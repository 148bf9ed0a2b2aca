"""Stories about the library: an engine's author copies the example, installs,
compiles and links; C++ as well."""

import os
import pathlib
import subprocess

from harness import BIN, Story, make_run

ROOT = pathlib.Path(__file__).resolve().parents[2]
SANITIZED = "asan" in str(BIN)  # its archive needs the sanitizers' runtime too


class Library(Story):
    deadline_s = 120

    def run_tool(self, *argv, env=None):
        done = subprocess.run(
            [str(a) for a in argv], cwd=self.folder, env={**os.environ, **(env or {})}, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=100)
        self.assertEqual(done.returncode, 0, done.stdout.decode(errors="replace"))
        return done.stdout.decode()

    def test_the_example_appends_a_run_that_is_then_delivered(self):
        sink = self.sink()
        line = make_run(1, sink.url + "/hook")
        done = self.run_program(BIN / "examples" / "append_run", self.outbox, data=line)
        self.assertEqual(done.poll(), 0, done.err)
        entry_id = done.out.decode().strip()
        self.assertRegex(entry_id, r"\Amsg_[0-9A-Z]{26}\Z")
        again = self.run_program(BIN / "examples" / "append_run", self.outbox, data=line)
        self.assertEqual(again.out.decode().strip(), entry_id)
        self.drain()
        self.assertEqual([r["webhook_id"] for r in sink.record()], [entry_id])
        self.assert_sound(accepted=1, delivered=1)

    def test_the_example_says_why_it_stores_nothing(self):
        done = self.run_program(BIN / "examples" / "append_run", self.outbox,
                                data=b'{"run_id":"r","status":"success"}')
        self.assertEqual(done.poll(), 1)
        self.assertIn("webhook", done.err)

    def test_a_build_for_32_bits_is_refused_with_the_reason(self):
        """The compiler without the headers of such a system,
        and one that is told so on any machine."""
        for flags in (["-m32"], ["-U__SIZEOF_SIZE_T__", "-D__SIZEOF_SIZE_T__=4"]):
            if flags == ["-m32"] and os.uname().machine != "x86_64":
                continue
            done = subprocess.run(["cc", *flags, "-Isrc", "-fsyntax-only", "-x", "c",
                                   "src/base/bytes.h"],
                                  cwd=ROOT, stderr=subprocess.PIPE, check=False, timeout=100)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(b"runpost needs 64 bits: it maps 64 GiB", done.stderr.split(b"\n")[0])

    def test_an_installed_library_compiles_with_pkg_config_in_c_and_c_plus_plus(self):
        if SANITIZED:
            self.skipTest("the sanitizer build is not what is installed")
        place = self.folder / "installed"
        self.run_tool("make", "-C", ROOT, f"BUILD={BIN}", "install", f"PREFIX={place}")
        env = {"PKG_CONFIG_PATH": str(place / "lib" / "pkgconfig")}
        flags = self.run_tool("pkg-config", "--cflags", "--libs", "runpost", env=env).split()
        self.run_tool("cc", ROOT / "docs" / "examples" / "append_run.c", *flags, "-o", "append_run")
        self.run_tool("g++", "-std=c++11", ROOT / "tests" / "unit" / "api" / "cxx_header.cc",
                      *flags, "-o", "from_cxx")
        self.run_tool(self.folder / "from_cxx")
        for page in ("man1/runpost.1", "man1/runpostctl.1", "man1/runpost-sink.1",
                     "man5/runpost.conf.5"):
            self.assertTrue((place / "share" / "man" / page).exists(), page)
        self.assertIn("usage", self.run_tool(place / "bin" / "runpost", "--help"))
        self.assertIn("usage", self.run_tool(place / "bin" / "runpost", "send", "--help"))
