/* A fault inside LMDB's pages ends a program with 65, whatever the process did before and
 * whichever thread meets it; any other end is its own. Each case runs in a child, which opens the
 * outbox itself. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "unit/outbox_fixture.h"

/* A file that is shorter than what is mapped of it, as a data file that was cut off: reading is a
 * SIGBUS. */
static void read_beyond_the_end(void)
{
	int fd = memfd_create("short", 0);
	volatile const char *at = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

	if (at != MAP_FAILED)
		(void)*at;
}

static void read_what_is_not_there(void)
{
	volatile const char *at = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at != MAP_FAILED)
		(void)*at;
}

static void get_a_signal(int number)
{
	const pid_t us = getpid(), sender = fork();

	if (sender == 0) {
		kill(us, number);
		_exit(0);
	}
	while (waitpid(sender, NULL, 0) < 0 && errno == EINTR)
		continue;
}

static void get_sigbus(void)
{
	get_a_signal(SIGBUS);
}

static void get_sigsegv(void)
{
	get_a_signal(SIGSEGV);
}

static void get_sigabrt(void)
{
	get_a_signal(SIGABRT);
}

static void fail_an_assertion(void)
{
	const bool right = false;

	assert(right);
}

static bool no_random;

/* In the place of libc's. */
ssize_t getrandom(void *out, size_t n, unsigned flags)
{
	if (!no_random)
		return syscall(SYS_getrandom, out, n, flags);
	errno = ENOSYS;
	return -1;
}

/* Neither from the call nor from the device. */
static void get_no_random_bytes(void)
{
	const struct rlimit no_file = {0, 0};
	char byte;

	no_random = true;
	setrlimit(RLIMIT_NOFILE, &no_file);
	rp_sys_random(&rp_sys_real, &byte, 1);
}

static bool in_transaction(void *arg, const struct rp_entry *entry)
{
	void (*const *what)(void) = arg;

	(void)entry;
	(*what)();
	_exit(1); /* it did not end here */
}

static void inside(void (*what)(void))
{
	const struct rp_filter every = {0};
	struct rp_select s = {.filter = &every, .see = in_transaction, .arg = &what};

	rp_outbox_select(fx.ob, &s, &fx.err);
}

static void meet_a_fault(void)
{
	inside(read_beyond_the_end);
}

/* The child's exit code; minus the signal it died of. */
static int ending_of(void (*run)(void))
{
	struct rlimit no_core = {0, 0};
	int status;
	pid_t pid;

	fx_close();
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &no_core);
		if (freopen("/dev/null", "w", stderr) == NULL)
			_exit(2);
		rp_outbox_end_on_damage("test");
		fx_open();
		run();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	fx_open();
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void fault_at_once(void)
{
	meet_a_fault();
}

static const struct {
	void (*what)(void);
	bool inside;
	int ending;
} endings[] = {
    {read_beyond_the_end, true, 65},
    {read_beyond_the_end, false, -SIGBUS},
    {read_what_is_not_there, true, 65},
    {read_what_is_not_there, false, -SIGSEGV},
    {abort, true, 65}, /* the C library, of its heap */
    {abort, false, -SIGABRT},
    {fail_an_assertion, true, -SIGABRT},
    {fail_an_assertion, false, -SIGABRT},
    {get_no_random_bytes, true, -SIGABRT},
    {get_sigbus, true, -SIGBUS},
    {get_sigbus, false, -SIGBUS},
    {get_sigsegv, true, -SIGSEGV},
    {get_sigsegv, false, -SIGSEGV},
    {get_sigabrt, true, -SIGABRT},
    {get_sigabrt, false, -SIGABRT},
};
enum { N_ENDINGS = sizeof endings / sizeof endings[0] };
static int ending_no;

static void run_ending(void)
{
	if (endings[ending_no].inside)
		inside(endings[ending_no].what);
	else
		endings[ending_no].what();
}

static void fault_after_fetches(void)
{
	struct rp_dispatch d = {0};
	struct rp_claim c;
	int i;

	fx_join();
	c = fx_claim();
	for (i = 0; i < 3; i++)
		if (rp_outbox_fetch(fx.ob, &c, &d, &fx.err) != RP_OK)
			_exit(3);
	rp_dispatch_release(&d);
	meet_a_fault();
}

static void *fetch_for_ever(void *arg)
{
	struct rp_claim *c = arg;
	struct rp_dispatch d = {0};

	while (rp_outbox_fetch(fx.ob, c, &d, &fx.err) == RP_OK)
		;
	_exit(4);
}

/* As a sender does while a turn is under way on its other thread. */
static void fault_beside_fetches(void)
{
	struct rp_claim c;
	pthread_t thread;
	int64_t at_ms;
	int i;

	fx_join();
	c = fx_claim();
	if (pthread_create(&thread, NULL, fetch_for_ever, &c) != 0)
		_exit(3);
	for (i = 0; i < 20000; i++)
		if (rp_outbox_next_ready(fx.ob, &at_ms, &fx.err) != RP_OK)
			_exit(5);
	meet_a_fault();
}

START_TEST(inside_a_transaction_it_ends_with_65)
{
	fx_append(1, 2);
	ck_assert_int_eq(ending_of(fault_at_once), 65);
}
END_TEST

START_TEST(only_a_fault_in_a_transaction_is_damage)
{
	fx_append(1, 2);
	ending_no = _i;
	ck_assert_int_eq(ending_of(run_ending), endings[_i].ending);
}
END_TEST

START_TEST(also_after_entries_were_fetched)
{
	fx_append(1, 2);
	ck_assert_int_eq(ending_of(fault_after_fetches), 65);
}
END_TEST

START_TEST(also_beside_a_thread_that_fetches)
{
	fx_append(1, 2);
	ck_assert_int_eq(ending_of(fault_beside_fetches), 65);
}
END_TEST

/* --- what is logged in a transaction, while others wait for its lock ---------------------- */

static struct pollfd log_end = {.events = POLLIN};
static bool was_silent;

static void say_in_transaction(void)
{
	rp_log(RP_LOG_ERROR, "said", "n=1");
	was_silent = poll(&log_end, 1, 0) == 0;
}

static void limits_that_speak(void *arg, struct rp_span name, struct rp_level_limits *out)
{
	(void)arg;
	say_in_transaction();
	fx_limits(NULL, name, out);
}

static bool see_and_speak(void *arg, const struct rp_entry *entry)
{
	(void)arg;
	(void)entry;
	say_in_transaction();
	return true;
}

START_TEST(what_is_logged_in_a_transaction_goes_out_behind_it)
{
	const struct rp_filter every = {0};
	struct rp_select s = {.filter = &every, .max_seen = 1, .see = see_and_speak};
	struct rp_claim claim;
	struct rp_exchange turn = {
	    .claims = &claim, .want = 1, .want_unproven = 1, .limits = limits_that_speak};
	int ends[2], before = dup(STDERR_FILENO), arrived;

	fx_append(1, 2);
	fx_join();
	ck_assert(pipe(ends) == 0 && dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
	close(ends[1]);
	log_end.fd = ends[0];
	if (_i == 0)
		ck_assert_int_eq(rp_outbox_select(fx.ob, &s, &fx.err), RP_OK);
	else
		ck_assert_int_eq(rp_outbox_exchange(fx.ob, fx.now_ms, &turn, &fx.err), RP_OK);
	rp_outbox_select_end(fx.ob, &s);
	arrived = poll(&log_end, 1, 0);
	dup2(before, STDERR_FILENO);
	close(before);
	close(ends[0]);
	ck_assert(was_silent);
	ck_assert_int_eq(arrived, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("outbox_fault");
	TCase *tc = tcase_create("fault");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, fx_setup, fx_teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, inside_a_transaction_it_ends_with_65);
	tcase_add_loop_test(tc, only_a_fault_in_a_transaction_is_damage, 0, N_ENDINGS);
	tcase_add_test(tc, also_after_entries_were_fetched);
	tcase_add_test(tc, also_beside_a_thread_that_fetches);
	tcase_add_loop_test(tc, what_is_logged_in_a_transaction_goes_out_behind_it, 0, 2);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
