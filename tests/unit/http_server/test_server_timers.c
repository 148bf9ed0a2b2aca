/* Timers of the server against the plainest keeper there is: a table that is searched. */
#include <check.h>
#include <stdlib.h>

#include "http_server/timers.h"

#define N 200

static int64_t soonest(const struct rp_http_timer *timers, size_t n)
{
	int64_t at_ms = 0;
	size_t i;

	for (i = 0; i < n; i++)
		if (timers[i].at_ms != 0 && (at_ms == 0 || timers[i].at_ms < at_ms))
			at_ms = timers[i].at_ms;
	return at_ms;
}

START_TEST(the_soonest_is_at_hand_whatever_was_set_moved_and_taken_away)
{
	struct rp_http_timers timers = {.n = 0};
	struct rp_http_timer all[N] = {{.at_ms = 0}};
	uint32_t dice = (uint32_t)_i + 1;
	size_t step;

	ck_assert(rp_http_timers_reserve(&timers, N));
	for (step = 0; step < 20000; step++) {
		struct rp_http_timer *timer, *first;

		dice = dice * 1103515245u + 12345u;
		timer = &all[(dice >> 8) % N];
		dice = dice * 1103515245u + 12345u;
		rp_http_timers_set(&timers, timer, (dice >> 8) % (step % 3 == 0 ? 1 : 1000));
		first = rp_http_timers_first(&timers);
		ck_assert_int_eq(first != NULL ? first->at_ms : 0, soonest(all, N));
	}
	while (rp_http_timers_first(&timers) != NULL) {
		int64_t at_ms = soonest(all, N);

		ck_assert_int_eq(rp_http_timers_first(&timers)->at_ms, at_ms);
		rp_http_timers_set(&timers, rp_http_timers_first(&timers), 0);
	}
	ck_assert_int_eq(soonest(all, N), 0);
	rp_http_timers_release(&timers);
}
END_TEST

START_TEST(room_grows_and_keeps_what_is_set)
{
	static struct rp_http_timer all[1000];
	struct rp_http_timers timers = {.n = 0};
	size_t i;

	for (i = 0; i < 1000; i++) {
		ck_assert(rp_http_timers_reserve(&timers, i + 1));
		rp_http_timers_set(&timers, &all[i], (int64_t)(1000 - i));
	}
	ck_assert_int_eq(rp_http_timers_first(&timers)->at_ms, 1);
	rp_http_timers_release(&timers);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("server_timers");
	TCase *tc = tcase_create("timers");

	tcase_add_loop_test(tc, the_soonest_is_at_hand_whatever_was_set_moved_and_taken_away, 0, 5);
	tcase_add_test(tc, room_grows_and_keeps_what_is_set);
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
