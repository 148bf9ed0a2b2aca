#include "deliver/batching.h"

#include <check.h>

static const struct {
	const char *what;
	struct rp_pace p;
	int64_t next_ms;
} cases[] = {
    {"nothing to do waits for something to happen", {.room = 10}, -1},
    {"work that is due is claimed at once by an idle sender", {.room = 10, .due = true}, 0},
    {"work that is due waits while there is no room",
     {.running = 10, .due = true, .since_turn_ms = 50},
     -1},
    {"a busy sender claims at most every millisecond",
     {.running = 10, .room = 5, .due = true, .since_turn_ms = 0},
     1},
    {"a busy sender claims again after a millisecond",
     {.running = 10, .room = 5, .due = true, .since_turn_ms = 1},
     0},
    {"enough is claimed ahead already",
     {.running = 10, .ready = 6, .room = 5, .due = true, .since_turn_ms = 9},
     -1},
    {"the last result is settled at once", {.finished = 1, .hold_ms = 5, .room = 10}, 0},
    {"a result waits for company while requests run",
     {.finished = 1, .hold_ms = 5, .running = 3, .fresh = 3, .room = 10},
     5},
    {"... not for that of requests that hang",
     {.finished = 1, .hold_ms = 5, .running = 3, .room = 10},
     0},
    {"... for that of claims that are about to begin",
     {.finished = 1, .hold_ms = 5, .ready = 1},
     5},
    {"... not long when others wait for its place",
     {.finished = 1, .hold_ms = 1, .running = 3, .fresh = 3},
     1},
    {"a result that has waited is settled",
     {.finished = 1, .hold_ms = 5, .running = 3, .fresh = 3, .oldest_finished_ms = 5},
     0},
    {"a clock that jumps does not wait for ever",
     {.finished = 1, .hold_ms = 5, .running = 3, .fresh = 3, .oldest_finished_ms = 5000},
     0},
    {"a full batch is settled at once",
     {.finished = RP_PACE_BATCH, .hold_ms = 5, .running = 3, .fresh = 3},
     0},
    {"claiming comes before the result's time",
     {.finished = 1, .hold_ms = 5, .running = 3, .fresh = 3, .room = 1, .due = true},
     1},
};

START_TEST(a_turn_comes_when_the_table_says)
{
	ck_assert_msg(rp_pace_next_ms(&cases[_i].p) == cases[_i].next_ms,
		      "%s: %lld instead of %lld", cases[_i].what,
		      (long long)rp_pace_next_ms(&cases[_i].p), (long long)cases[_i].next_ms);
}
END_TEST

START_TEST(a_place_that_others_wait_for_is_held_for_a_quarter_of_its_request)
{
	static const struct {
		bool blocking;
		int64_t request_us, hold_ms;
	} hold[] = {{false, 0, 5},       {false, 300, 5},     {true, 0, 1},     {true, 300, 1},
		    {true, 7999, 1},     {true, 8000, 2},     {true, 19999, 4}, {true, 20000, 5},
		    {true, 30000000, 5}, {true, INT64_MAX, 5}};
	size_t i;

	for (i = 0; i < sizeof hold / sizeof hold[0]; i++)
		ck_assert_int_eq(rp_pace_hold_ms(hold[i].blocking, hold[i].request_us),
				 hold[i].hold_ms);
}
END_TEST

START_TEST(fresh_requests_are_counted_until_they_end_or_grow_old)
{
	struct rp_fresh r = {0};
	int64_t t;
	size_t begun = 0;

	ck_assert_uint_eq(rp_fresh_count(&r, 0), 0);
	rp_fresh_begin(&r, 1000);
	rp_fresh_begin(&r, 1004);
	rp_fresh_begin(&r, 1049);
	ck_assert_uint_eq(rp_fresh_count(&r, 1049), 3);
	rp_fresh_end(&r, 1004);
	ck_assert_uint_eq(rp_fresh_count(&r, 1050), 2);
	/* the one of 1000 is older than 50 ms and a tenth */
	ck_assert_uint_eq(rp_fresh_count(&r, 1060), 1);
	rp_fresh_end(&r, 1049);
	ck_assert_uint_eq(rp_fresh_count(&r, 1060), 0);
	rp_fresh_end(&r, 1000); /* as old as it is, its end changes nothing */
	ck_assert_uint_eq(rp_fresh_count(&r, 1060), 0);
	/* What was begun in a part of time that is used again since must not be taken from the
	 * newer ones. */
	rp_fresh_begin(&r, 1000 + 5 * RP_FRESH_PARTS);
	rp_fresh_end(&r, 1000);
	ck_assert_uint_eq(rp_fresh_count(&r, 1000 + 5 * RP_FRESH_PARTS), 1);
	r = (struct rp_fresh){0};
	for (t = 5000; t < 6000; t++) { /* one a millisecond, none ends */
		rp_fresh_begin(&r, t);
		begun = rp_fresh_count(&r, t);
	}
	ck_assert_uint_ge(begun, 50);
	ck_assert_uint_le(begun, 55);
	ck_assert_uint_eq(rp_fresh_count(&r, 6100), 0);
}
END_TEST

/* --- credit ------------------------------------------------------------------------------- */

static struct rp_credit spent(int64_t now_boot_ms)
{
	struct rp_credit c = {0};

	rp_credit_look(&c, now_boot_ms);
	while (c.left > 0)
		rp_credit_begin(&c, now_boot_ms);
	return c;
}

START_TEST(each_end_lets_another_request_begin)
{
	struct rp_credit c = spent(1000);

	rp_credit_end(&c);
	rp_credit_end(&c);
	ck_assert_uint_eq(c.left, 2);
	ck_assert_int_eq(rp_credit_next_ms(&c, 1000), 0);
}
END_TEST

START_TEST(more_ends_than_that_are_not_saved_up)
{
	struct rp_credit c = {0};
	int i;

	for (i = 0; i < 2 * RP_CREDIT; i++)
		rp_credit_end(&c);
	ck_assert_uint_eq(c.left, RP_CREDIT);
}
END_TEST

/* Slow receivers get all that the limits allow soon. */
START_TEST(when_none_has_begun_for_a_while_more_may)
{
	struct rp_credit c = spent(1000);

	ck_assert_int_eq(rp_credit_next_ms(&c, 1001), RP_CREDIT_AFTER_MS - 1);
	rp_credit_look(&c, 1000 + RP_CREDIT_AFTER_MS - 1);
	ck_assert_uint_eq(c.left, 0);
	ck_assert_int_eq(rp_credit_next_ms(&c, 1000 + RP_CREDIT_AFTER_MS), 0);
	rp_credit_look(&c, 1000 + RP_CREDIT_AFTER_MS);
	ck_assert_uint_eq(c.left, RP_CREDIT);
}
END_TEST

/* One end every few milliseconds would otherwise keep a sender with hundreds of slow requests at
 * those it has. */
START_TEST(ends_that_trickle_in_do_not_put_it_off_for_ever)
{
	struct rp_credit c = spent(1000);
	int64_t now_ms;

	for (now_ms = 1002; now_ms < 1000 + RP_CREDIT_EVERY_MS; now_ms += 2) {
		rp_credit_end(&c);
		rp_credit_look(&c, now_ms);
		ck_assert_uint_eq(c.left, 1);
		rp_credit_begin(&c, now_ms);
	}
	rp_credit_look(&c, 1000 + RP_CREDIT_EVERY_MS);
	ck_assert_uint_eq(c.left, RP_CREDIT);
}
END_TEST

START_TEST(what_lies_between_claim_and_begin_is_followed_up_at_once_and_down_slowly)
{
	int64_t lag_ms = 0, i;

	ck_assert_int_eq(rp_lag_begin_within_ms(lag_ms), RP_LAG_LEAST_MS);
	lag_ms = rp_lag_follow(lag_ms, 300);
	ck_assert_int_eq(lag_ms, 300);
	ck_assert_int_gt(rp_lag_begin_within_ms(lag_ms),
			 300); /* or the next would be forfeited, too, and all after it */
	lag_ms = rp_lag_follow(lag_ms, 4);
	ck_assert_int_ge(lag_ms, 250);
	for (i = 0; i < 100; i++)
		lag_ms = rp_lag_follow(lag_ms, 4);
	ck_assert_int_eq(lag_ms, 4);
	ck_assert_int_eq(rp_lag_begin_within_ms(INT64_MAX), RP_LAG_MOST_MS);
	ck_assert_int_eq(rp_lag_begin_within_ms(RP_LAG_MOST_MS - 1), RP_LAG_MOST_MS);
}
END_TEST

START_TEST(what_is_refused_makes_fewer_places_which_grow_again)
{
	struct rp_places p = {.max = 100, .now = 100};
	int64_t now_ms = 5000;
	size_t steps;

	ck_assert_int_eq(rp_places_next_ms(&p, 99, now_ms), 0);
	ck_assert_int_eq(rp_places_next_ms(&p, 100, now_ms), -1);
	ck_assert(rp_places_refused(&p, 40, now_ms));
	ck_assert_uint_eq(p.now, 40);
	ck_assert_int_eq(rp_places_next_ms(&p, 40, now_ms), -1);
	ck_assert_int_eq(rp_places_next_ms(&p, 39, now_ms), 0);
	rp_places_look(&p, now_ms + RP_PLACES_GROW_MS - 1);
	ck_assert_uint_eq(p.now, 40);
	for (steps = 0; p.now < p.max; steps++)
		rp_places_look(&p, now_ms += RP_PLACES_GROW_MS);
	ck_assert_uint_le(steps, 5);
	ck_assert_uint_eq(p.now, 100);
}
END_TEST

START_TEST(with_nothing_under_way_it_waits_longer_each_time_and_gives_up)
{
	struct rp_places p = {.max = 100, .now = 100};
	int64_t now_ms = 5000, waited_ms = 0;
	int i;

	for (i = 0; i < RP_PLACES_REFUSALS_MAX; i++) {
		ck_assert(rp_places_refused(&p, 0, now_ms));
		ck_assert_uint_eq(p.now, 1);
		ck_assert_int_eq(rp_places_next_ms(&p, 0, now_ms), RP_PLACES_WAIT_MS << i);
		waited_ms += rp_places_next_ms(&p, 0, now_ms);
		now_ms += rp_places_next_ms(&p, 0, now_ms);
		rp_places_look(&p, now_ms);
		ck_assert_uint_eq(p.now, 1);
	}
	ck_assert_int_ge(waited_ms, 10000);
	ck_assert(!rp_places_refused(&p, 0, now_ms));
	p.refusals = 0;
	ck_assert(rp_places_refused(&p, 0, now_ms));
	rp_places_granted(&p);
	rp_places_look(&p, now_ms + RP_PLACES_GROW_MS);
	ck_assert_uint_eq(p.now, 2);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("pace");
	TCase *tc = tcase_create("table");

	tcase_add_loop_test(tc, a_turn_comes_when_the_table_says, 0,
			    sizeof cases / sizeof cases[0]);
	tcase_add_test(tc, a_place_that_others_wait_for_is_held_for_a_quarter_of_its_request);
	tcase_add_test(tc,
		       what_lies_between_claim_and_begin_is_followed_up_at_once_and_down_slowly);
	tcase_add_test(tc, what_is_refused_makes_fewer_places_which_grow_again);
	tcase_add_test(tc, with_nothing_under_way_it_waits_longer_each_time_and_gives_up);
	tcase_add_test(tc, fresh_requests_are_counted_until_they_end_or_grow_old);
	suite_add_tcase(s, tc);
	tc = tcase_create("credit");
	tcase_add_test(tc, each_end_lets_another_request_begin);
	tcase_add_test(tc, more_ends_than_that_are_not_saved_up);
	tcase_add_test(tc, when_none_has_begun_for_a_while_more_may);
	tcase_add_test(tc, ends_that_trickle_in_do_not_put_it_off_for_ever);
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
