#include "base/background.h"

#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>

static struct {
	sem_t go, resting;
	int runs, rests;
	sigset_t blocked;
} task;

static void run(void *arg)
{
	ck_assert_ptr_eq(arg, &task);
	sem_wait(&task.go);
	pthread_sigmask(SIG_BLOCK, NULL, &task.blocked);
	task.runs++;
}

static void rest(void *arg)
{
	(void)arg;
	sem_wait(&task.resting);
	task.rests++;
}

static struct rp_background *open_task(void (*then)(void *arg))
{
	const struct rp_background_task t = {run, then, &task};
	struct rp_background *b;
	struct rp_error err;

	memset(&task, 0, sizeof task);
	sem_init(&task.go, 0, 0);
	sem_init(&task.resting, 0, 0);
	ck_assert_msg(rp_background_open(&t, &b, &err) == RP_OK, "%s", err.text);
	return b;
}

static bool is_readable(const struct rp_background *b, int timeout_ms)
{
	struct pollfd p = {.fd = rp_background_fd(b), .events = POLLIN};

	return poll(&p, 1, timeout_ms) == 1;
}

START_TEST(each_run_ends_once_and_is_told)
{
	struct rp_background *b = open_task(NULL);
	int i;

	for (i = 1; i <= 100; i++) {
		rp_background_begin(b);
		ck_assert(!rp_background_end(b, false)); /* it waits for us */
		ck_assert(!is_readable(b, 0));
		sem_post(&task.go);
		ck_assert(is_readable(b, 10000));
		ck_assert(rp_background_end(b, false));
		ck_assert(!is_readable(b, 0));
		ck_assert_int_eq(task.runs, i);
	}
	rp_background_close(b);
}
END_TEST

START_TEST(an_end_can_be_waited_for)
{
	struct rp_background *b = open_task(NULL);

	rp_background_begin(b);
	sem_post(&task.go);
	ck_assert(rp_background_end(b, true));
	ck_assert_int_eq(task.runs, 1);
	ck_assert(!is_readable(b, 0));
	rp_background_close(b);
}
END_TEST

START_TEST(the_rest_holds_up_the_next_run_and_not_the_end)
{
	struct rp_background *b = open_task(rest);

	sem_post(&task.go);
	sem_post(&task.go);
	rp_background_begin(b);
	ck_assert(rp_background_end(b, true));
	rp_background_begin(b);
	ck_assert(!is_readable(b, 20));
	ck_assert_int_eq(task.rests, 0);
	sem_post(&task.resting);
	ck_assert(rp_background_end(b, true));
	ck_assert_int_eq(task.runs, 2);
	sem_post(&task.resting);
	rp_background_close(b);
	ck_assert_int_eq(task.rests, 2);
}
END_TEST

START_TEST(closing_waits_for_a_run_under_way)
{
	struct rp_background *b = open_task(NULL);

	sem_post(&task.go);
	rp_background_begin(b);
	rp_background_close(b);
	ck_assert_int_eq(task.runs, 1);
	rp_background_close(NULL);
}
END_TEST

/* Blocked, a fault would end the process before its handler could tell why. */
START_TEST(signals_go_to_the_owner_but_for_those_of_its_own_faults)
{
	struct rp_background *b = open_task(NULL);

	sem_post(&task.go);
	rp_background_begin(b);
	ck_assert(rp_background_end(b, true));
	ck_assert(sigismember(&task.blocked, SIGTERM) && sigismember(&task.blocked, SIGHUP));
	ck_assert(!sigismember(&task.blocked, SIGSEGV) && !sigismember(&task.blocked, SIGBUS));
	ck_assert(!sigismember(&task.blocked, SIGABRT));
	rp_background_close(b);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("background");
	TCase *tc = tcase_create("background");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, each_run_ends_once_and_is_told);
	tcase_add_test(tc, an_end_can_be_waited_for);
	tcase_add_test(tc, the_rest_holds_up_the_next_run_and_not_the_end);
	tcase_add_test(tc, closing_waits_for_a_run_under_way);
	tcase_add_test(tc, signals_go_to_the_owner_but_for_those_of_its_own_faults);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
