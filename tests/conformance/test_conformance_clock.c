/* A wall clock that is set back. */

#include "conformance/fixture.h"

#define DAY_MS INT64_C(86400000)
#define DELAY_MS 60000

static size_t calls;

/* Until the walk is done; how many entries it mended. */
static size_t mind_clock(void)
{
	struct rp_clock_fix walk = {0};
	size_t mended = 0;

	calls = 0;
	do {
		ck_assert_int_eq(rp_outbox_fix_clock(fx.ob, fx.now_ms, &walk, &fx.err), RP_OK);
		mended = walk.n_fixed > mended ? walk.n_fixed : mended;
		ck_assert_uint_lt(++calls, 1000);
	} while (walk.more);
	return mended;
}

static uint64_t commits(void)
{
	struct rp_outbox_info info;

	ck_assert_int_eq(rp_outbox_info(fx.ob, &info, &fx.err), RP_OK);
	return info.commits;
}

static int64_t next_ready_ms(void)
{
	int64_t at_ms;

	ck_assert_int_eq(rp_outbox_next_ready(fx.ob, &at_ms, &fx.err), RP_OK);
	return at_ms;
}

/* An entry whose first attempt failed and whose second is due in DELAY_MS. */
static uint64_t failed_entry(unsigned k)
{
	uint64_t seq = fx_append(k, 1);
	struct rp_settlement s;

	fx_exchange(1, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 1);
	s = fx_settlement(&fx.claims[0], RP_SETTLE_RETRY);
	s.due_at_ms = fx.now_ms + DELAY_MS;
	fx_exchange(0, &s, 1);
	return seq;
}

START_TEST(what_was_due_at_once_is_due_at_once)
{
	fx_append(1, 3);
	fx.now_ms -= 10 * DAY_MS;
	fx_exchange(10, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 0);
	ck_assert_uint_eq(mind_clock(), 3);
	ck_assert_int_le(next_ready_ms(), fx.now_ms);
	fx_exchange(10, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 3);
}
END_TEST

START_TEST(a_retry_waits_as_long_as_it_was_to_wait)
{
	uint64_t seq = failed_entry(1);

	fx.now_ms -= 10 * DAY_MS;
	ck_assert_uint_eq(mind_clock(), 1);
	ck_assert_int_eq(fx_delivery(seq).due_at_ms, fx.now_ms + DELAY_MS);
	ck_assert_int_eq(next_ready_ms(), fx.now_ms + DELAY_MS);
	/* Once is enough, whoever asks again. */
	fx.now_ms += DELAY_MS - 1;
	ck_assert_uint_eq(mind_clock(), 0);
	fx_exchange(10, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 0);
	fx.now_ms++;
	fx_exchange(10, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 1);
}
END_TEST

/* It waited for days before somebody asked for it: it is not to wait for as long again. */
START_TEST(a_replay_is_due_at_once)
{
	uint64_t seq = failed_entry(1);

	fx.now_ms += 3 * DAY_MS;
	ck_assert_int_eq(fx_change(RP_CHANGE_REPLAY, seq), RP_CHANGED_DONE);
	fx.now_ms -= 10 * DAY_MS;
	mind_clock();
	ck_assert_int_eq(fx_delivery(seq).due_at_ms, fx.now_ms);
}
END_TEST

START_TEST(a_time_that_the_caller_named_stays)
{
	struct rp_new_entry n = fx_new(1);
	uint64_t seq;
	bool duplicate;

	n.not_before_at_ms = fx.now_ms + DAY_MS;
	seq = fx_append_one(&n, &duplicate);
	fx.now_ms -= 10 * DAY_MS;
	mind_clock();
	ck_assert_int_eq(fx_delivery(seq).due_at_ms, n.not_before_at_ms);
}
END_TEST

START_TEST(a_time_that_the_caller_named_stays_when_the_entry_came_to_the_front_later)
{
	struct rp_new_entry first = fx_new(1), second = fx_new(1);
	struct rp_settlement s;
	uint64_t seq;
	bool duplicate;

	first.order_by = second.order_by = rp_span_of("one");
	second.not_before_at_ms = fx.now_ms + 1000;
	fx_append_one(&first, &duplicate);
	seq = fx_append_one(&second, &duplicate);
	fx_exchange(1, NULL, 0);
	fx.now_ms += 2000;
	s = fx_settlement(&fx.claims[0], RP_SETTLE_DELIVERED);
	fx_exchange(0, &s, 1);
	ck_assert_int_eq(fx_delivery(seq).due_at_ms, fx.now_ms);
	fx.now_ms -= 10 * DAY_MS;
	mind_clock();
	ck_assert_int_eq(fx_delivery(seq).due_at_ms, second.not_before_at_ms);
	fx_change(RP_CHANGE_REPLAY, seq);
	fx.now_ms -= DAY_MS;
	mind_clock();
	ck_assert_int_eq(fx_delivery(seq).due_at_ms, fx.now_ms);
}
END_TEST

START_TEST(what_was_set_before_the_clock_went_ahead_is_left_alone)
{
	uint64_t seq = failed_entry(1);
	int64_t due_at_ms = fx_delivery(seq).due_at_ms;

	fx.now_ms += 10 * DAY_MS;
	fx_append(2, 1);
	fx.now_ms -= 10 * DAY_MS;
	ck_assert_uint_eq(mind_clock(), 1);
	ck_assert_int_eq(fx_delivery(seq).due_at_ms, due_at_ms);
}
END_TEST

START_TEST(many_entries_and_endpoints_are_minded_in_bounded_steps)
{
	unsigned k;

	for (k = 0; k < 300; k++)
		fx_append(k, 10);
	fx.now_ms -= DAY_MS;
	ck_assert_uint_eq(mind_clock(), 3000);
	ck_assert_uint_ge(calls, 6);
	fx_exchange(FX_CLAIMS_MAX, NULL, 0);
	ck_assert_uint_ge(fx.n_claims, 256 * 4);
}
END_TEST

START_TEST(without_a_step_nothing_is_written)
{
	uint64_t before;

	fx_append(1, 3);
	fx.now_ms -= 30000; /* clocks of processes that waited for each other */
	before = commits();
	ck_assert_uint_eq(mind_clock(), 0);
	ck_assert_uint_eq(commits(), before);
	fx.now_ms -= DAY_MS;
	mind_clock();
	ck_assert_uint_gt(commits(), before);
	before = commits();
	mind_clock();
	ck_assert_uint_eq(commits(), before);
}
END_TEST

START_TEST(what_stood_behind_or_was_held_does_not_come_back_days_later)
{
	struct rp_new_entry n = fx_new(1), m = fx_new(1);
	uint64_t first, second, held;
	bool duplicate;

	n.order_by = m.order_by = rp_span_of("one after the other");
	first = fx_append_one(&n, &duplicate);
	second = fx_append_one(&m, &duplicate);
	held = fx_append(2, 1);
	ck_assert_int_eq(fx_change(RP_CHANGE_HOLD, held), RP_CHANGED_DONE);
	ck_assert(fx_delivery(second).behind);
	fx.now_ms -= 10 * DAY_MS;
	mind_clock();
	ck_assert_int_eq(fx_change(RP_CHANGE_PURGE, first), RP_CHANGED_DONE);
	ck_assert_int_eq(fx_delivery(second).due_at_ms, fx.now_ms);
	ck_assert_int_eq(fx_change(RP_CHANGE_RELEASE, held), RP_CHANGED_DONE);
	ck_assert_int_eq(fx_delivery(held).due_at_ms, fx.now_ms);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("clock");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, fx_setup, fx_teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, what_was_due_at_once_is_due_at_once);
	tcase_add_test(tc, a_retry_waits_as_long_as_it_was_to_wait);
	tcase_add_test(tc, a_replay_is_due_at_once);
	tcase_add_test(tc, a_time_that_the_caller_named_stays);
	tcase_add_test(tc,
		       a_time_that_the_caller_named_stays_when_the_entry_came_to_the_front_later);
	tcase_add_test(tc, what_was_set_before_the_clock_went_ahead_is_left_alone);
	tcase_add_test(tc, many_entries_and_endpoints_are_minded_in_bounded_steps);
	tcase_add_test(tc, without_a_step_nothing_is_written);
	tcase_add_test(tc, what_stood_behind_or_was_held_does_not_come_back_days_later);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return fx_main(suite);
}
