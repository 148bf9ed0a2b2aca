/* A fault inside LMDB's pages ends a program with 65, whatever the process did before and whichever thread meets it. Each
 * case runs in a child, which opens the outbox itself. */
#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "outbox_fixture.h"

static bool fault(void *arg, const struct rp_entry *entry)
{
	(void)arg;
	(void)entry;
	raise(SIGSEGV);
	_exit(1); /* the handler let it pass once, taking it for a fault outside of any transaction */
}

static void meet_a_fault(void)
{
	struct rp_page page = {.from_seq = 1, .max_seen = 1, .see = fault};

	rp_outbox_page(fx.ob, &page, &fx.err);
}

/* The child's exit code; a signal is -1. */
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
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void fault_at_once(void)
{
	meet_a_fault();
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
		if (rp_outbox_next_look(fx.ob, &at_ms, &fx.err) != RP_OK)
			_exit(5);
	meet_a_fault();
}

START_TEST(inside_a_transaction_it_ends_with_65)
{
	fx_append(1, 2);
	ck_assert_int_eq(ending_of(fault_at_once), 65);
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

int main(void)
{
	Suite *s = suite_create("outbox_fault");
	TCase *tc = tcase_create("fault");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, fx_setup, fx_teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, inside_a_transaction_it_ends_with_65);
	tcase_add_test(tc, also_after_entries_were_fetched);
	tcase_add_test(tc, also_beside_a_thread_that_fetches);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
