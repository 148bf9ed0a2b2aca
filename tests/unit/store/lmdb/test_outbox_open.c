/* Processes that open an outbox at once, one of which is killed in the midst of it. LMDB 0.9.24
 * empties its lock table when it is the first to open, and only at the end writes into it which
 * commit is the last; whoever waited for it meanwhile takes the table as it is. With the table of
 * one that was killed between the two, a process would see an older outbox, and write its next
 * commit over the last ones. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "unit/outbox_fixture.h"

#define ENTRIES 5

/* Where a child tells that it has the lock table emptied, or a meta page written (and then waits
 * for its death), or that it has to wait for another; -1: it need not. */
static int tell_when_emptied = -1, tell_when_written = -1, tell_when_waiting = -1;

static void tell(int *out)
{
	fx_send(*out, "!", 1);
	*out = -1;
}

static void tell_and_wait_for_death(int *out)
{
	tell(out);
	for (;;)
		pause();
}

/* Stands in the place of libc's, also for LMDB, as do the others: the first opener reads the meta
 * pages with it. */
ssize_t pread(int fd, void *mem, size_t n, off_t at)
{
	if (tell_when_emptied >= 0) {
		tell_and_wait_for_death(&tell_when_emptied);
	}
	return syscall(SYS_pread64, fd, mem, n, at);
}

/* A commit ends with it, and then the lock table is told. */
ssize_t pwrite(int fd, const void *mem, size_t n, off_t at)
{
	ssize_t done = syscall(SYS_pwrite64, fd, mem, n, at);

	if (tell_when_written >= 0 && at < 2 * (off_t)fx_page_bytes()) {
		tell_and_wait_for_death(&tell_when_written);
	}
	return done;
}

int fcntl(int fd, int cmd, ...)
{
	va_list list;
	void *arg;

	va_start(list, cmd);
	arg = va_arg(list, void *);
	va_end(list);
	if (cmd == F_SETLKW && tell_when_waiting >= 0)
		tell(&tell_when_waiting);
	return (int)syscall(SYS_fcntl, fd, cmd, arg);
}

int flock(int fd, int operation)
{
	int rc = (int)syscall(SYS_flock, fd, operation);

	if (rc != 0 && errno == EWOULDBLOCK && tell_when_waiting >= 0)
		tell(&tell_when_waiting);
	return rc;
}

static bool in_a_hurry;

int nanosleep(const struct timespec *time, struct timespec *left)
{
	return in_a_hurry ? 0 : (int)syscall(SYS_nanosleep, time, left);
}

static void open_to_be_killed(int in, int out)
{
	(void)in;
	tell_when_emptied = out;
	fx_open();
}

/* A program that knows nothing of runpost, as mdb_stat. */
static void open_with_lmdb_to_be_killed(int in, int out)
{
	MDB_env *env;

	(void)in;
	ck_assert_int_eq(mdb_env_create(&env), 0);
	tell_when_emptied = out;
	mdb_env_open(env, fx_dir, MDB_RDONLY, 0600);
}

static void open_and_append(int in, int out)
{
	uint64_t seq;

	(void)in;
	tell_when_waiting = out;
	fx_open();
	seq = fx_append(2, 1);
	fx_send(out, &seq, sizeof seq);
	fx_close();
}

/* One begins to open the outbox, another comes and has to wait, the first is killed. */
static void kill_one_and_see_another_go_on(void (*to_be_killed)(int in, int out))
{
	struct fx_child first, second;
	uint64_t last, seq = 0;
	char told;

	last = fx_append(1, ENTRIES) + ENTRIES - 1;
	fx_close();
	first = fx_start(to_be_killed);
	fx_receive(first.out, &told, 1);
	second = fx_start(open_and_append);
	fx_receive(second.out, &told, 1);
	fx_kill(&first);
	fx_receive(second.out, &seq, sizeof seq);
	fx_finish(&second);
	fx_open();
	ck_assert_uint_eq(seq, last + 1);
	ck_assert_uint_eq(fx_ledger().waiting, ENTRIES + 1);
	fx_verify_sound();
}

START_TEST(another_of_ours_killed_while_it_opens_costs_nothing)
{
	kill_one_and_see_another_go_on(open_to_be_killed);
}
END_TEST

START_TEST(a_program_of_lmdb_killed_while_it_opens_costs_nothing)
{
	kill_one_and_see_another_go_on(open_with_lmdb_to_be_killed);
}
END_TEST

static void append_to_be_killed(int in, int out)
{
	(void)in;
	fx_open();
	tell_when_written = out;
	fx_append(1, 1);
}

static void hold_open(int in, int out)
{
	char told;

	fx_open();
	fx_send(out, "!", 1);
	fx_receive(in, &told, 1);
	fx_close();
}

/* Beside one that has the outbox open and writes nothing, so that the lock table stays as it is. */
START_TEST(a_writer_killed_between_its_commit_and_the_lock_table_keeps_nobody_out)
{
	struct fx_child idle, writer;
	char told;

	fx_append(1, ENTRIES);
	fx_close();
	idle = fx_start(hold_open);
	fx_receive(idle.out, &told, 1);
	writer = fx_start(append_to_be_killed);
	fx_receive(writer.out, &told, 1);
	in_a_hurry = true;
	fx_open();
	fx_close();
	fx_kill(&writer);
	fx_open();
	in_a_hurry = false;
	fx_append(2, 1);
	fx_verify_sound();
	ck_assert_uint_ge(fx_ledger().waiting,
			  /* the killed one's entry may count or not: no receipt was given */
			  ENTRIES + 1);
	fx_send(idle.in, "!", 1);
	fx_finish(&idle);
}
END_TEST

/* It may be stopped, or its disk may hang. */
START_TEST(an_opener_that_does_not_get_done_is_told_of_after_a_while)
{
	struct fx_child first;
	char told;

	fx_close();
	first = fx_start(open_to_be_killed);
	fx_receive(first.out, &told, 1);
	in_a_hurry = true;
	ck_assert_int_eq(rp_outbox_open(fx_dir, &fx.options, &fx.ob, &fx.err), RP_ERR_BUSY);
	ck_assert_ptr_nonnull(
	    strstr(fx.err.text, "another process has been opening the outbox for 10 s"));
	in_a_hurry = false;
	fx_kill(&first);
	fx_open();
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("outbox_open");
	TCase *tc = tcase_create("open");

	tcase_add_checked_fixture(tc, fx_setup, fx_teardown);
	tcase_add_test(tc, another_of_ours_killed_while_it_opens_costs_nothing);
	tcase_add_test(tc, a_program_of_lmdb_killed_while_it_opens_costs_nothing);
	tcase_add_test(tc, a_writer_killed_between_its_commit_and_the_lock_table_keeps_nobody_out);
	tcase_add_test(tc, an_opener_that_does_not_get_done_is_told_of_after_a_while);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(suite());
	int failed;

	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
