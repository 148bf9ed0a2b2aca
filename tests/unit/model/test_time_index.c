/* Spans: whatever times come in which order, what is kept of them is true, and not more than
 * must be is given up. */
#include "model/time_index.h"

#include <check.h>
#include <stdlib.h>

#define DAY INT64_C(86400000)
#define NOW INT64_C(1795500000000)
#define ENTRIES 400

static uint64_t x;

static uint64_t pick(uint64_t n)
{
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x % n;
}

/* A clock that mostly goes on, trembles, and now and then is set to another day. */
static int64_t next_time(int64_t at_ms)
{
	switch (pick(40)) {
	case 0:
		return NOW - (int64_t)pick(400) * DAY;
	case 1:
		return at_ms - (int64_t)pick(120000);
	default:
		return at_ms + (int64_t)pick(2000) - 200;
	}
}

START_TEST(what_is_kept_holds_for_every_entry)
{
	struct rp_time_index s = {0};
	struct rp_time_index_check c = {0};
	int64_t at_ms[ENTRIES], now = NOW;
	uint64_t seq[ENTRIES], next = 1;
	int i;

	x = (uint64_t)_i * 7919 + 1;
	for (i = 0; i < ENTRIES; i++) {
		now = next_time(now);
		at_ms[i] = now;
		seq[i] = next += 1 + pick(3);
		rp_time_index_add(&s, seq[i], now);
		ck_assert_uint_le(s.n, RP_TIME_SPANS_MAX);
	}
	for (i = 0; i < ENTRIES; i++)
		if (pick(3) != 0) /* some were removed */
			ck_assert(rp_time_index_holds(&s, &c, seq[i], at_ms[i]));
}
END_TEST

START_TEST(a_clock_that_trembles_makes_one_stretch_that_knows_how_much)
{
	struct rp_time_index s = {0};

	rp_time_index_add(&s, 1, NOW);
	rp_time_index_add(&s, 2, NOW + 500);
	rp_time_index_add(&s, 3, NOW + 200);
	rp_time_index_add(&s, 4, NOW + 800);
	ck_assert_uint_eq(s.n, 1);
	ck_assert_int_eq(s.all[0].back_ms, 300);
	ck_assert_int_eq(s.all[0].low_at_ms, NOW);
	ck_assert_int_eq(s.all[0].high_at_ms, NOW + 800);
	rp_time_index_add(&s, 5, NOW + 800 - RP_TIME_BACK_MAX_MS);
	ck_assert_uint_eq(s.n, 1);
}
END_TEST

START_TEST(a_step_back_leaves_both_sides_in_order)
{
	struct rp_time_index s = {0};

	rp_time_index_add(&s, 1, NOW - DAY);
	rp_time_index_add(&s, 2, NOW);
	rp_time_index_add(&s, 3, NOW - 90 * DAY); /* an import */
	rp_time_index_add(&s, 4, NOW - 89 * DAY);
	rp_time_index_add(&s, 5, NOW + 1);
	ck_assert_uint_eq(s.n, 2);
	ck_assert_uint_eq(s.all[1].first_seq, 3);
	ck_assert_int_eq(s.all[0].back_ms, 0);
	ck_assert_int_eq(s.all[1].back_ms, 0);
}
END_TEST

START_TEST(the_neighbours_that_differ_least_are_joined)
{
	struct rp_time_index s = {0};
	uint64_t seq = 1;
	int i;

	/* the third and fourth overlap by an hour, the others by days */
	static const int64_t hours[] = {0, -240, -480, -481, -720};

	for (i = 0; i < 5; i++)
		rp_time_index_add(&s, seq++, NOW + hours[i] * 3600000);
	ck_assert_uint_eq(s.n, RP_TIME_SPANS_MAX);
	ck_assert_uint_eq(s.all[2].first_seq, 3);
	ck_assert_int_eq(s.all[2].back_ms, 3600000);
	ck_assert_uint_eq(s.all[3].first_seq, 5);
}
END_TEST

START_TEST(what_is_false_is_seen)
{
	struct rp_time_index s = {0};
	struct rp_time_index_check c = {0};

	ck_assert(!rp_time_index_holds(&s, &c, 1, NOW));
	rp_time_index_add(&s, 2, NOW);
	rp_time_index_add(&s, 3, NOW + 10);
	rp_time_index_add(&s, 4, NOW + 5);
	ck_assert(!rp_time_index_holds(&s, &c, 1, NOW));
	ck_assert(!rp_time_index_holds(&s, &c, 2, NOW - 1));
	ck_assert(!rp_time_index_holds(&s, &c, 2, NOW + 11));
	ck_assert(rp_time_index_holds(&s, &c, 2, NOW));
	ck_assert(rp_time_index_holds(&s, &c, 3, NOW + 10));
	ck_assert(!rp_time_index_holds(&s, &c, 4, NOW + 4));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("stretch");
	TCase *t = tcase_create("stretch");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, what_is_kept_holds_for_every_entry, 0, 200);
	tcase_add_test(t, a_clock_that_trembles_makes_one_stretch_that_knows_how_much);
	tcase_add_test(t, a_step_back_leaves_both_sides_in_order);
	tcase_add_test(t, the_neighbours_that_differ_least_are_joined);
	tcase_add_test(t, what_is_false_is_seen);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
