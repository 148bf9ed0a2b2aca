"""Stories on machines whose memory has pages of 16 and 64 KiB, told to the programs by
tests/pages/preload_pages.c."""

import shutil

import test_full
from harness import BIN, Story, make_run


class LargePages(Story):
    def use_pages(self, n):
        self.prefix = (["env", f"LD_PRELOAD={BIN / 'preload_pages.so'}", f"RP_TEST_PAGE_BYTES={n}"]
                       if n else [])

    def file_page_bytes(self):
        """As the first meta page tells it."""
        with open(self.outbox / "data.mdb", "rb") as file:
            return int.from_bytes(file.read(44)[40:], "little")


class Full(LargePages, test_full.Full):
    """Promise P9 again. The quotas hold in both sizes as many pages as the
    one of test_full does."""

    def fill_and_settle(self, pages, file_pages):
        self.use_pages(pages)
        quota = (8 << 20) * file_pages // 4096
        self.configure(outbox={"quota": quota, "map_size": "512M"}, ingest={"full_wait": "0"},
                       defaults={"retry_attempts": "1", "in_flight": "50"})
        bad, good = self.sink("--status", "500"), self.sink()
        self.PAD = 10000 * file_pages // 4096
        n = len(self.fill(bad.hook(), 2000))
        self.assertEqual(self.file_page_bytes(), file_pages)
        stats = self.stats()
        self.assertGreater(stats["used_bytes"], quota * 3 // 4)
        self.assertLess(stats["file_bytes"], quota * 5 // 4)
        self.assertLess(abs((self.outbox / "data.mdb").stat().st_size - stats["file_bytes"]),
                        quota // 8)
        self.drain()
        self.assert_sound(dead=n)
        self.ctl("purge", "--state", "dead", "--yes")
        self.ingest([make_run(i, good.hook(), pad=self.PAD) for i in range(5000, 5100)])
        self.drain()
        self.assert_sound(accepted=n + 100, delivered=100, purged=n)

    def test_a_full_outbox_settles_and_purges_with_pages_of_16k(self):
        self.fill_and_settle(16384, 16384)

    def test_a_full_outbox_settles_and_purges_with_pages_of_64k(self):
        self.fill_and_settle(65536, 32768)


class Moved(LargePages):
    """The directory is copied to a machine with other pages; LMDB keeps to those of the file."""

    def move(self, made, now, file_pages):
        self.use_pages(made)
        sink = self.sink()
        self.ingest([make_run(i, sink.hook(), pad=i * 50) for i in range(200)])
        self.use_pages(now)
        there = self.outbox.with_name("moved")
        shutil.copytree(self.outbox, there)
        shutil.rmtree(self.outbox)
        self.outbox = there
        self.ingest([make_run(i, sink.hook(), pad=i * 50) for i in range(150, 300)])
        self.drain()
        self.assert_sound(accepted=300, delivered=300)
        self.ctl("purge", "--state", "delivered", "--yes")
        self.assert_sound(accepted=300, purged=300)
        self.assertEqual(self.file_page_bytes(), file_pages)
        self.assertEqual(self.stats()["file_bytes"] % file_pages, 0)

    def test_from_pages_of_4k_to_16k(self):
        self.move(None, 16384, 4096)

    def test_from_pages_of_64k_to_4k(self):
        self.move(65536, None, 32768)
