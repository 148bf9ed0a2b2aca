/* How many requests may begin: by credit, by what the system grants, and in time. */
#include "deliver/claim_lag.h"
#include "deliver/concurrency.h"
#include "deliver/credit.h"

#include <check.h>

/* --- credit ------------------------------------------------------------------------------- */

static struct rp_credit spent(int64_t now_boot_ms)
{
	struct rp_credit c = {0};

	rp_credit_fill(&c, now_boot_ms);
	while (c.left > 0)
		rp_credit_take(&c, now_boot_ms);
	return c;
}

START_TEST(each_end_lets_another_request_begin)
{
	struct rp_credit c = spent(1000);

	rp_credit_give(&c);
	rp_credit_give(&c);
	ck_assert_uint_eq(c.left, 2);
	ck_assert_int_eq(rp_credit_next_ms(&c, 1000), 0);
}
END_TEST

START_TEST(more_ends_than_that_are_not_saved_up)
{
	struct rp_credit c = {0};
	int i;

	for (i = 0; i < 2 * RP_CREDIT_MAX; i++)
		rp_credit_give(&c);
	ck_assert_uint_eq(c.left, RP_CREDIT_MAX);
}
END_TEST

/* Slow receivers get all that the limits allow soon. */
START_TEST(when_none_has_begun_for_a_while_more_may)
{
	struct rp_credit c = spent(1000);

	ck_assert_int_eq(rp_credit_next_ms(&c, 1001), RP_CREDIT_AFTER_MS - 1);
	rp_credit_fill(&c, 1000 + RP_CREDIT_AFTER_MS - 1);
	ck_assert_uint_eq(c.left, 0);
	ck_assert_int_eq(rp_credit_next_ms(&c, 1000 + RP_CREDIT_AFTER_MS), 0);
	rp_credit_fill(&c, 1000 + RP_CREDIT_AFTER_MS);
	ck_assert_uint_eq(c.left, RP_CREDIT_MAX);
}
END_TEST

/* One end every few milliseconds would otherwise keep a sender with hundreds of slow requests at
 * those it has. */
START_TEST(ends_that_trickle_in_do_not_put_it_off_for_ever)
{
	struct rp_credit c = spent(1000);
	int64_t now_ms;

	for (now_ms = 1002; now_ms < 1000 + RP_CREDIT_EVERY_MS; now_ms += 2) {
		rp_credit_give(&c);
		rp_credit_fill(&c, now_ms);
		ck_assert_uint_eq(c.left, 1);
		rp_credit_take(&c, now_ms);
	}
	rp_credit_fill(&c, 1000 + RP_CREDIT_EVERY_MS);
	ck_assert_uint_eq(c.left, RP_CREDIT_MAX);
}
END_TEST

/* --- claim lag -------------------------------------------------------------------------- */

START_TEST(what_lies_between_claim_and_begin_is_followed_up_at_once_and_down_slowly)
{
	int64_t lag_ms = 0, i;

	ck_assert_int_eq(rp_claim_lag_begin_within_ms(lag_ms), RP_CLAIM_LAG_LEAST_MS);
	lag_ms = rp_claim_lag_follow(lag_ms, 300);
	ck_assert_int_eq(lag_ms, 300);
	ck_assert_int_gt(rp_claim_lag_begin_within_ms(lag_ms),
			 300); /* or the next would be forfeited, too, and all after it */
	lag_ms = rp_claim_lag_follow(lag_ms, 4);
	ck_assert_int_ge(lag_ms, 250);
	for (i = 0; i < 100; i++)
		lag_ms = rp_claim_lag_follow(lag_ms, 4);
	ck_assert_int_eq(lag_ms, 4);
	ck_assert_int_eq(rp_claim_lag_begin_within_ms(INT64_MAX), RP_CLAIM_LAG_MOST_MS);
	ck_assert_int_eq(rp_claim_lag_begin_within_ms(RP_CLAIM_LAG_MOST_MS - 1),
			 RP_CLAIM_LAG_MOST_MS);
}
END_TEST

/* --- concurrency ------------------------------------------------------------------------ */

START_TEST(a_refused_request_lowers_the_limit_which_grows_again)
{
	struct rp_concurrency c = {.max = 100, .limit = 100};
	int64_t now_ms = 5000;
	size_t steps;

	ck_assert_int_eq(rp_concurrency_next_ms(&c, 99, now_ms), 0);
	ck_assert_int_eq(rp_concurrency_next_ms(&c, 100, now_ms), -1);
	ck_assert(rp_concurrency_refused(&c, 40, now_ms));
	ck_assert_uint_eq(c.limit, 40);
	ck_assert_int_eq(rp_concurrency_next_ms(&c, 40, now_ms), -1);
	ck_assert_int_eq(rp_concurrency_next_ms(&c, 39, now_ms), 0);
	rp_concurrency_grow(&c, now_ms + RP_CONCURRENCY_GROW_MS - 1);
	ck_assert_uint_eq(c.limit, 40);
	for (steps = 0; c.limit < c.max; steps++)
		rp_concurrency_grow(&c, now_ms += RP_CONCURRENCY_GROW_MS);
	ck_assert_uint_le(steps, 5);
	ck_assert_uint_eq(c.limit, 100);
}
END_TEST

START_TEST(with_nothing_under_way_it_waits_longer_each_time_and_gives_up)
{
	struct rp_concurrency c = {.max = 100, .limit = 100};
	int64_t now_ms = 5000, waited_ms = 0;
	int i;

	for (i = 0; i < RP_CONCURRENCY_REFUSALS_MAX; i++) {
		ck_assert(rp_concurrency_refused(&c, 0, now_ms));
		ck_assert_uint_eq(c.limit, 1);
		ck_assert_int_eq(rp_concurrency_next_ms(&c, 0, now_ms),
				 RP_CONCURRENCY_WAIT_MS << i);
		waited_ms += rp_concurrency_next_ms(&c, 0, now_ms);
		now_ms += rp_concurrency_next_ms(&c, 0, now_ms);
		rp_concurrency_grow(&c, now_ms);
		ck_assert_uint_eq(c.limit, 1);
	}
	ck_assert_int_ge(waited_ms, 10000);
	ck_assert(!rp_concurrency_refused(&c, 0, now_ms));
	c.refusals = 0;
	ck_assert(rp_concurrency_refused(&c, 0, now_ms));
	rp_concurrency_granted(&c);
	rp_concurrency_grow(&c, now_ms + RP_CONCURRENCY_GROW_MS);
	ck_assert_uint_eq(c.limit, 2);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("admission");
	TCase *tc = tcase_create("credit");

	tcase_add_test(tc, each_end_lets_another_request_begin);
	tcase_add_test(tc, more_ends_than_that_are_not_saved_up);
	tcase_add_test(tc, when_none_has_begun_for_a_while_more_may);
	tcase_add_test(tc, ends_that_trickle_in_do_not_put_it_off_for_ever);
	suite_add_tcase(s, tc);
	tc = tcase_create("limits");
	tcase_add_test(tc,
		       what_lies_between_claim_and_begin_is_followed_up_at_once_and_down_slowly);
	tcase_add_test(tc, a_refused_request_lowers_the_limit_which_grows_again);
	tcase_add_test(tc, with_nothing_under_way_it_waits_longer_each_time_and_gives_up);
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
