/* Was the wall clock set? */
#include "model/clock.h"

#include <check.h>
#include <stdlib.h>

#define WALL_MS INT64_C(1795000000000)
#define HOUR_MS INT64_C(3600000)

static struct rp_clock_watch w;
static int64_t boot_ms, ahead_ms;

static void set_up(void)
{
	w = (struct rp_clock_watch){.known = false};
	boot_ms = 1000;
	ahead_ms = 0;
}

static void see(void)
{
	boot_ms += 1000;
	rp_clock_watch_see(&w, WALL_MS + boot_ms + ahead_ms, boot_ms);
}

static int64_t step_ms(void)
{
	return rp_clock_watch_step_ms(&w, WALL_MS + boot_ms + ahead_ms, boot_ms, HOUR_MS);
}

START_TEST(a_clock_that_is_never_set_has_no_step)
{
	int i;

	ck_assert_int_eq(step_ms(), 0);
	for (i = 0; i < 100; i++) {
		see();
		ck_assert_int_eq(step_ms(), 0);
	}
}
END_TEST

START_TEST(a_step_is_known_at_once_and_remembered_for_as_long_as_asked)
{
	static const int64_t steps_ms[] = {
	    5000, -5000, 90000, -90000, 400 * 24 * HOUR_MS, -400 * 24 * HOUR_MS};

	see();
	ahead_ms = steps_ms[_i];
	ck_assert_int_eq(step_ms(), steps_ms[_i]); /* nobody has looked since */
	see();
	ck_assert_int_eq(step_ms(), steps_ms[_i]);
	see();
	ck_assert_int_eq(step_ms(), steps_ms[_i]);
	boot_ms += HOUR_MS;
	ck_assert_int_eq(step_ms(), steps_ms[_i]);
	boot_ms++;
	ck_assert_int_eq(step_ms(), 0);
}
END_TEST

START_TEST(what_drifts_is_no_step)
{
	int i;

	for (i = 0; i < 100; i++) {
		see();
		ahead_ms += 4999;
		ck_assert_int_eq(step_ms(), 0);
	}
}
END_TEST

START_TEST(a_stop_between_the_two_readings_is_no_step)
{
	see();
	/* the wall clock was read a minute before */
	rp_clock_watch_see(&w, WALL_MS + boot_ms, boot_ms + 60000);
	boot_ms += 60000;
	see();
	see();
	ck_assert_int_eq(step_ms(), 0);
	ck_assert_int_eq(w.step_ms, 0);
}
END_TEST

START_TEST(the_last_of_two_steps_is_the_one_that_is_told)
{
	see();
	ahead_ms = 90000;
	see();
	see();
	ahead_ms = 50000;
	see();
	see();
	ck_assert_int_eq(step_ms(), -40000);
}
END_TEST

START_TEST(a_writer_that_is_a_minute_behind_is_no_clock_that_was_set_back)
{
	ck_assert(!rp_clock_was_set_back(0, 100000));
	ck_assert(!rp_clock_was_set_back(100000, 100000));
	ck_assert(!rp_clock_was_set_back(160000, 100000));
	ck_assert(rp_clock_was_set_back(160001, 100000));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("clock");
	TCase *t = tcase_create("clock");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, set_up, NULL);
	tcase_add_test(t, a_clock_that_is_never_set_has_no_step);
	tcase_add_loop_test(t, a_step_is_known_at_once_and_remembered_for_as_long_as_asked, 0, 6);
	tcase_add_test(t, what_drifts_is_no_step);
	tcase_add_test(t, a_stop_between_the_two_readings_is_no_step);
	tcase_add_test(t, the_last_of_two_steps_is_the_one_that_is_told);
	tcase_add_test(t, a_writer_that_is_a_minute_behind_is_no_clock_that_was_set_back);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
