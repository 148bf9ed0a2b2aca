/* Outboxes that were made on a machine with pages of another size, and came here as copied
 * files. */
#include "unit/outbox_fixture.h"

#include <check.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/lmdb/tree/page.h"

static long machine_page_bytes = 4096;

/* Stand in the place of libc's, also for LMDB. */
long sysconf(int name)
{
	static long (*real)(int);

	if (real == NULL)
		real = (long (*)(int))(uintptr_t)dlsym(RTLD_NEXT, "sysconf");
	return name == _SC_PAGESIZE ? machine_page_bytes : real(name);
}

/* Where the machine's pages begin, and larger ones do not. */
void *mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset)
{
	const uintptr_t large = 1 << 20;
	static void *(*real)(void *, size_t, int, int, int, off_t);
	uintptr_t room;

	if (real == NULL)
		real = (void *(*)(void *, size_t, int, int, int, off_t))(uintptr_t)dlsym(RTLD_NEXT,
											 "mmap");
	if (at != NULL || fd < 0 || n < large)
		return real(at, n, prot, flags, fd, offset);
	room = (uintptr_t)real(NULL, n + 2 * large, PROT_NONE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	room = (room + large - 1) / large * large + (uintptr_t)machine_page_bytes;
	return real((void *)room, n, prot, flags | MAP_FIXED, fd, offset);
}

/* The machine that made the outbox, and the one that has it now. */
static const struct {
	long made_bytes, now_bytes;
	size_t file_page_bytes;
} machines[] = {
    {4096, 16384, 4096},  {4096, 65536, 4096},   {16384, 4096, 16384},
    {65536, 4096, 32768}, {16384, 65536, 16384}, {65536, 16384, 32768},
};

enum { PAYLOAD_BYTES = 40000 };

static void append_long(unsigned n)
{
	static char payload[PAYLOAD_BYTES];
	struct rp_new_entry e;

	memset(payload, 'x', sizeof payload);
	for (; n > 0; n--) {
		e = fx_new(2);
		e.payload = (struct rp_span){payload, sizeof payload};
		fx_append_one(&e, NULL);
	}
}

static void make(int i)
{
	machine_page_bytes = machines[i].made_bytes;
	fx_open();
	fx_join();
	fx_append(1, 200);
	append_long(5);
	fx_close();
	machine_page_bytes = machines[i].now_bytes;
}

START_TEST(all_goes_on)
{
	struct rp_outbox_info info;
	struct rp_dispatch d = {0};
	struct stat st;
	uint64_t seq;
	size_t i;

	make(_i);
	fx_open();
	fx_join();
	ck_assert_uint_eq(fx_db()->db.page_bytes, machines[_i].file_page_bytes);
	fx_verify_sound();
	append_long(5);
	seq = fx_append(3, 100);
	fx_change(RP_CHANGE_PURGE, seq + 50);
	fx_change(RP_CHANGE_HOLD, seq + 51);
	for (i = 0; i < 300; i++) {
		struct rp_claim c = fx_claim();

		ck_assert_int_eq(rp_outbox_fetch(fx.ob, &c, &d, &fx.err), RP_OK);
		ck_assert(d.payload.len < 200 || d.payload.len == PAYLOAD_BYTES);
		rp_dispatch_release(&d);
		ck_assert(!fx_settle(&c, RP_SETTLE_DELIVERED));
	}
	fx_verify_sound();
	ck_assert_int_eq(rp_outbox_info(fx.ob, &info, &fx.err), RP_OK);
	ck_assert_int_eq(stat(fx_data_path(), &st), 0);
	ck_assert_uint_eq(info.file_bytes % machines[_i].file_page_bytes, 0);
	ck_assert_uint_ge(info.file_bytes, (uint64_t)st.st_size);
	ck_assert_uint_le(info.file_bytes,
			  (uint64_t)st.st_size + 64 * machines[_i].file_page_bytes);
	fx_close();
}
END_TEST

/* A byte of each page's header, as in test_outbox_pages. */
START_TEST(its_pages_are_checked)
{
	const size_t n = machines[_i].file_page_bytes;
	struct rp_verify v = {0};
	uint64_t found = 0;
	enum rp_err e;
	struct stat st;
	FILE *f;
	off_t at;
	int byte;

	make(_i);
	ck_assert_int_eq(stat(fx_data_path(), &st), 0);
	f = fopen(fx_data_path(), "r+");
	ck_assert_ptr_nonnull(f);
	for (at = 2 * (off_t)n + 12; at < st.st_size; at += (off_t)n) {
		ck_assert(fseek(f, at, SEEK_SET) == 0 && (byte = fgetc(f)) != EOF);
		ck_assert(fseek(f, at, SEEK_SET) == 0 && fputc(byte ^ 4, f) != EOF &&
			  fflush(f) == 0);
		e = rp_outbox_open(fx_dir, &fx.options, &fx.ob, &fx.err);
		if (e == RP_OK) {
			v = (struct rp_verify){0};
			e = rp_outbox_verify(fx.ob, &v, &fx.err);
			fx_close();
		}
		found += e != RP_OK || v.counts.problems > 0;
		ck_assert(fseek(f, at, SEEK_SET) == 0 && fputc(byte, f) != EOF && fflush(f) == 0);
	}
	fclose(f);
	/* the others are free */
	ck_assert_uint_gt(found, (uint64_t)st.st_size / n / 3);
	fx_open();
	fx_verify_sound();
	fx_close();
}
END_TEST

START_TEST(a_creation_that_was_cut_short_elsewhere_is_begun_anew)
{
	off_t left;

	machine_page_bytes = machines[_i].made_bytes;
	fx_open();
	fx_close();
	machine_page_bytes = machines[_i].now_bytes;
	left = (off_t)machines[_i].file_page_bytes;
	ck_assert_int_eq(truncate(fx_data_path(), left), 0);
	ck_assert_int_eq(truncate(fx_data_path(), 4 * left), 0);
	fx_open();
	fx_append(1, 3);
	fx_verify_sound();
	fx_close();
}
END_TEST

/* How large a page is the first meta page tells alone: so what it says must fit what the other one
 * says, where it is. */
START_TEST(another_size_of_pages_is_no_outbox)
{
	static const uint32_t sizes[] = {4096, 8192, 16384, 32768};
	size_t i;
	int fd;

	make(_i);
	for (i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		fd = open(fx_data_path(), O_WRONLY);
		ck_assert_int_eq(pwrite(fd, &sizes[i], 4, RP_META_PAGE_BYTES_AT), 4);
		close(fd);
		ck_assert_int_eq(rp_outbox_open(fx_dir, &fx.options, &fx.ob, &fx.err),
				 sizes[i] == machines[_i].file_page_bytes ? RP_OK : RP_ERR_FORMAT);
		if (fx.ob != NULL)
			fx_close();
	}
}
END_TEST

static Suite *suite(void)
{
	const int n = (int)(sizeof machines / sizeof machines[0]);
	Suite *s = suite_create("outbox_machine");
	TCase *tc = tcase_create("copied");

	tcase_add_checked_fixture(tc, fx_setup_dir, fx_teardown_dir);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, all_goes_on, 0, n);
	tcase_add_loop_test(tc, its_pages_are_checked, 0, n);
	tcase_add_loop_test(tc, a_creation_that_was_cut_short_elsewhere_is_begun_anew, 0, n);
	tcase_add_loop_test(tc, another_size_of_pages_is_no_outbox, 0, n);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
