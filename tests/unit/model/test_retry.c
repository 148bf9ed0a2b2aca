/* What follows an outcome. Nothing is ever sent earlier than promised, and nothing is retried for
 * ever. */
#include "model/retry.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define N(table) ((int)(sizeof(table) / sizeof((table)[0])))
#define HOUR_MS INT64_C(3600000)
#define NOW INT64_C(1795435200000)

static const struct rp_retry_policy defaults = {
    .base_ms = 5000, .factor_permille = 4000, .cap_ms = 24 * HOUR_MS, .attempts = 11};

static struct rp_verdict decide(const struct rp_retry_policy *policy, enum rp_cause cause,
				unsigned status, unsigned failures)
{
	struct rp_outcome outcome = {.cause = cause, .http_status = status};

	return rp_retry_decide(policy, &outcome, failures, NOW, 0, NOW, 0);
}

START_TEST(the_default_schedule_is_the_documented_one)
{
	static const int64_t seconds[] = {5, 20, 80, 320, 1280, 5120, 20480, 81920, 86400, 86400};
	int64_t total = 0;
	unsigned n;

	for (n = 1; n <= (unsigned)N(seconds); n++) {
		ck_assert_msg(rp_retry_delay_ms(&defaults, n) == seconds[n - 1] * 1000,
			      "after failure %u", n);
		total += seconds[n - 1];
		ck_assert_int_eq(decide(&defaults, RP_CAUSE_TIMEOUT, 0, n).kind, RP_VERDICT_RETRY);
	}
	ck_assert_int_eq(decide(&defaults, RP_CAUSE_TIMEOUT, 0, n).kind, RP_VERDICT_DEAD);
	ck_assert_msg(total > 78 * 3600 && total < 81 * 3600, "%lld s are not about 3.3 days",
		      (long long)total);
}
END_TEST

static const struct {
	int64_t base_ms, factor_permille, cap_ms;
	unsigned n;
	int64_t want_ms;
} delays[] = {
    {1, 1500, 1000, 2, 1},
    {1, 1500, 1000, 3, 2},
    {1, 1500, 1000, 5, 5},
    {100, 1000, 5000, UINT32_MAX, 100},
    {100, 0, 5000, UINT32_MAX, 0},
    {100, 1001, 5000, UINT32_MAX, 5000},
    {0, 4000, 5000, UINT32_MAX, 0},
    {7000, 4000, 5000, 1, 5000},
    {7000, 500, 5000, 2, 3500},
    {INT64_MAX, 4000, 5000, 1, 5000},
    {5000, INT64_MAX, 60000, 1, 5000},
    {5000, INT64_MAX, 60000, 2, 60000},
    {5000, 4000, INT64_MAX, UINT32_MAX, INT64_MAX},
    {5000, 4000, 0, 3, 0},
};

START_TEST(a_delay_saturates_at_the_cap)
{
	struct rp_retry_policy policy = {.base_ms = delays[_i].base_ms,
					 .factor_permille = delays[_i].factor_permille,
					 .cap_ms = delays[_i].cap_ms};

	ck_assert_int_eq(rp_retry_delay_ms(&policy, delays[_i].n), delays[_i].want_ms);
}
END_TEST

static uint64_t random_next(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

/* Spread over the magnitudes, so that small and huge values are both common. */
static int64_t random_magnitude(uint64_t *x, unsigned max_bits)
{
	return (int64_t)(random_next(x) >> (64 - 1 - random_next(x) % max_bits));
}

static struct rp_retry_policy random_policy(uint64_t *x)
{
	struct rp_retry_policy policy = {
	    .base_ms = random_magnitude(x, 30),
	    .factor_permille = 1000 + random_magnitude(x, 16),
	    .cap_ms = random_magnitude(x, 36),
	    .attempts = 1 + (unsigned)random_magnitude(x, 10),
	};

	return policy;
}

START_TEST(delays_follow_the_formula_and_never_shrink)
{
	uint64_t x = UINT64_C(0xda942042e4dd58b5);
	int round;

	for (round = 0; round < 5000; round++) {
		struct rp_retry_policy policy = random_policy(&x);
		double want = (double)policy.base_ms, got, slack;
		int64_t last = -1, delay;
		unsigned n;

		for (n = 1; n <= 40; n++) {
			delay = rp_retry_delay_ms(&policy, n);
			got = (double)delay;
			slack = 1.0 + want * 0.001 + n * (double)policy.factor_permille / 1000;
			ck_assert_msg(delay >= last && delay <= policy.cap_ms, "n %u: %lld", n,
				      (long long)delay);
			if (want >= (double)policy.cap_ms + slack)
				ck_assert_int_eq(delay, policy.cap_ms);
			else if (want + slack < (double)policy.cap_ms && policy.base_ms > 1000)
				ck_assert_msg(got <= want + slack && got >= want - slack,
					      "n %u: %f, want %f", n, got, want);
			last = delay;
			want *= (double)policy.factor_permille / 1000;
		}
	}
}
END_TEST

START_TEST(due_is_never_early_and_at_most_a_fifth_late)
{
	uint64_t x = UINT64_C(0x14057b7ef767814f);
	int round, latest = 0, earliest = 0;

	for (round = 0; round < 100000; round++) {
		struct rp_retry_policy policy = random_policy(&x);
		struct rp_outcome outcome = {.cause = RP_CAUSE_HTTP, .http_status = 503};
		unsigned failures = 1 + (unsigned)random_magnitude(&x, 8);
		int64_t now = random_magnitude(&x, 42),
			delay = rp_retry_delay_ms(&policy, failures), floor;
		struct rp_verdict v;

		outcome.retry_after_ms = random_next(&x) % 2 ? random_magnitude(&x, 26) : 0;
		v = rp_retry_decide(&policy, &outcome, failures, now, 0, now, random_next(&x));
		if (failures >= policy.attempts) {
			ck_assert_int_eq(v.kind, RP_VERDICT_DEAD);
			ck_assert_int_eq(v.cause, RP_CAUSE_EXHAUSTED);
			continue;
		}
		floor = now + (delay > outcome.retry_after_ms ? delay : outcome.retry_after_ms);
		ck_assert_int_eq(v.kind, RP_VERDICT_RETRY);
		ck_assert_msg(v.due_at_ms >= floor, "%lld before %lld", (long long)v.due_at_ms,
			      (long long)floor);
		ck_assert_msg(v.due_at_ms <= floor + delay / 5 + 1, "%lld late of %lld",
			      (long long)(v.due_at_ms - floor), (long long)delay);
		earliest += delay > 1000 && v.due_at_ms < floor + delay / 50;
		latest += delay > 1000 && v.due_at_ms > floor + delay / 5 - delay / 50;
	}
	ck_assert_msg(earliest > 1000 && latest > 1000, "jitter does not use its range: %d %d",
		      earliest, latest);
}
END_TEST

START_TEST(retry_after_is_a_floor)
{
	struct rp_outcome outcome = {
	    .cause = RP_CAUSE_HTTP, .http_status = 429, .retry_after_ms = 60000};

	ck_assert_int_eq(rp_retry_decide(&defaults, &outcome, 1, NOW, 0, NOW, 0).due_at_ms,
			 NOW + 60000);
	ck_assert_int_eq(rp_retry_decide(&defaults, &outcome, 1, NOW, 0, NOW, 1000).due_at_ms,
			 NOW + 61000);
	ck_assert_int_eq(rp_retry_decide(&defaults, &outcome, 1, NOW, 0, NOW, 1001).due_at_ms,
			 NOW + 60000);
	ck_assert_int_eq(rp_retry_decide(&defaults, &outcome, 4, NOW, 0, NOW, 0).due_at_ms,
			 NOW + 320000);
	outcome.retry_after_ms = -5;
	ck_assert_int_eq(rp_retry_decide(&defaults, &outcome, 1, NOW, 0, NOW, 0).due_at_ms,
			 NOW + 5000);
}
END_TEST

START_TEST(sums_saturate)
{
	struct rp_retry_policy policy = {
	    .base_ms = INT64_MAX, .factor_permille = 4000, .cap_ms = INT64_MAX, .attempts = 9};
	struct rp_outcome outcome = {.cause = RP_CAUSE_DNS, .retry_after_ms = INT64_MAX};
	struct rp_verdict v = rp_retry_decide(&policy, &outcome, 1, 0, 0, INT64_MAX, UINT64_MAX);

	ck_assert_int_eq(v.kind, RP_VERDICT_RETRY);
	ck_assert_int_eq(v.due_at_ms, INT64_MAX);
	policy.max_age_ms = INT64_MAX;
	v = rp_retry_decide(&policy, &outcome, 1, INT64_MAX, 0, INT64_MIN, UINT64_MAX);
	ck_assert_int_eq(v.kind, RP_VERDICT_RETRY);
	ck_assert_int_le(v.due_at_ms, 0);
}
END_TEST

static const struct {
	enum rp_cause cause;
	unsigned status;
	enum rp_cause dead; /* RP_CAUSE_NONE: tried again */
	bool disables;
} judged[] = {
    {RP_CAUSE_HTTP, 410, RP_CAUSE_GONE, true},
    {RP_CAUSE_GONE, 410, RP_CAUSE_GONE, true},
    {RP_CAUSE_GONE, 0, RP_CAUSE_GONE, false},
    {RP_CAUSE_BLOCKED_ADDRESS, 0, RP_CAUSE_BLOCKED_ADDRESS, false},
    {RP_CAUSE_BLOCKED_SCHEME, 0, RP_CAUSE_BLOCKED_SCHEME, false},
    {RP_CAUSE_BLOCKED_PORT, 0, RP_CAUSE_BLOCKED_PORT, false},
    {RP_CAUSE_EXPIRED, 0, RP_CAUSE_EXPIRED, false},
    {RP_CAUSE_EXHAUSTED, 0, RP_CAUSE_EXHAUSTED, false},
    {RP_CAUSE_DAMAGED, 0, RP_CAUSE_DAMAGED, false},
    {RP_CAUSE_POISON, 0, RP_CAUSE_POISON, false},
    {RP_CAUSE_BAD_URL, 0, RP_CAUSE_BAD_URL, false},
    {RP_CAUSE_OPERATOR, 0, RP_CAUSE_OPERATOR, false},
    {RP_CAUSE_REFUSED, 0, RP_CAUSE_REFUSED, false},
    {RP_CAUSE_PERMANENT, 404, RP_CAUSE_PERMANENT, false},
    {RP_CAUSE_HTTP, 100, RP_CAUSE_NONE, false},
    {RP_CAUSE_HTTP, 301, RP_CAUSE_NONE, false},
    {RP_CAUSE_HTTP, 304, RP_CAUSE_NONE, false},
    {RP_CAUSE_HTTP, 400, RP_CAUSE_NONE, false},
    {RP_CAUSE_HTTP, 401, RP_CAUSE_NONE, false},
    {RP_CAUSE_HTTP, 404, RP_CAUSE_NONE, false},
    {RP_CAUSE_HTTP, 409, RP_CAUSE_NONE, false},
    {RP_CAUSE_HTTP, 411, RP_CAUSE_NONE, false},
    {RP_CAUSE_HTTP, 429, RP_CAUSE_NONE, false},
    {RP_CAUSE_HTTP, 500, RP_CAUSE_NONE, false},
    {RP_CAUSE_HTTP, 999, RP_CAUSE_NONE, false},
    {RP_CAUSE_TIMEOUT, 410, RP_CAUSE_NONE, false},
    {RP_CAUSE_TIMEOUT, 0, RP_CAUSE_NONE, false},
    {RP_CAUSE_DNS, 0, RP_CAUSE_NONE, false},
    {RP_CAUSE_CONNECT, 0, RP_CAUSE_NONE, false},
    {RP_CAUSE_TLS, 0, RP_CAUSE_NONE, false},
    {RP_CAUSE_RESET, 0, RP_CAUSE_NONE, false},
    {RP_CAUSE_PROTOCOL, 0, RP_CAUSE_NONE, false},
    {RP_CAUSE_SENDER_LOST, 0, RP_CAUSE_NONE, false},
    {RP_CAUSE_NO_KEY, 0, RP_CAUSE_NONE, false},
    {RP_CAUSE_LOCAL, 0, RP_CAUSE_NONE, false},
    {RP_CAUSE_TLS_EXPIRED, 0, RP_CAUSE_NONE, false},
    {RP_CAUSE_TLS_NAME, 0, RP_CAUSE_NONE, false},
    {RP_CAUSE_TLS_ISSUER, 0, RP_CAUSE_NONE, false},
    {RP_CAUSE_TLS_VERSION, 0, RP_CAUSE_NONE, false},
    {RP_CAUSE_TLS_PIN, 0, RP_CAUSE_NONE, false},
    {RP_CAUSE_TLS_CLIENT_CERT, 0, RP_CAUSE_NONE, false},
    {RP_CAUSE_TLS_TIMEOUT, 0, RP_CAUSE_NONE, false},
};

START_TEST(permanent_causes_die_at_once_and_others_when_the_budget_is_spent)
{
	struct rp_verdict v = decide(&defaults, judged[_i].cause, judged[_i].status, 1);
	bool permanent = judged[_i].dead != RP_CAUSE_NONE;

	ck_assert(rp_cause_is_permanent(judged[_i].cause, judged[_i].status) == permanent);
	ck_assert_int_eq(v.kind, permanent ? RP_VERDICT_DEAD : RP_VERDICT_RETRY);
	ck_assert_int_eq(v.cause, judged[_i].dead);
	ck_assert(v.disable_endpoint == judged[_i].disables);
	ck_assert_int_eq(v.due_at_ms, permanent ? 0 : NOW + 5000);
	v = decide(&defaults, judged[_i].cause, judged[_i].status, 11);
	ck_assert_int_eq(v.kind, RP_VERDICT_DEAD);
	ck_assert_int_eq(v.cause, permanent ? judged[_i].dead : RP_CAUSE_EXHAUSTED);
	ck_assert(v.disable_endpoint == judged[_i].disables);
	ck_assert_int_eq(v.due_at_ms, 0);
}
END_TEST

START_TEST(a_schedule_is_kept_as_it_is_written)
{
	static const int64_t delays_ms[] = {5000, 30000, 300000, 1000};
	struct rp_retry_policy policy = {
	    .base_ms = 7, .factor_permille = 2000, .cap_ms = 9, .attempts = 1};
	struct rp_outcome outcome = {.cause = RP_CAUSE_TIMEOUT};
	struct rp_verdict v;
	unsigned n;

	memcpy(policy.schedule_ms, delays_ms, sizeof delays_ms);
	policy.n_schedule = (size_t)N(delays_ms);
	for (n = 1; n <= (unsigned)N(delays_ms); n++) {
		v = rp_retry_decide(&policy, &outcome, n, NOW, 0, NOW, 0);
		ck_assert_int_eq(v.kind, RP_VERDICT_RETRY);
		ck_assert_int_eq(v.due_at_ms, NOW + delays_ms[n - 1]);
		v = rp_retry_decide(&policy, &outcome, n, NOW, 0, NOW,
				    (uint64_t)delays_ms[n - 1] / 5);
		ck_assert_int_eq(v.due_at_ms, NOW + delays_ms[n - 1] * 6 / 5);
	}
	v = rp_retry_decide(&policy, &outcome, n, NOW, 0, NOW, 0);
	ck_assert_int_eq(v.kind, RP_VERDICT_DEAD);
	ck_assert_int_eq(v.cause, RP_CAUSE_EXHAUSTED);
	outcome.retry_after_ms = 60000;
	ck_assert_int_eq(rp_retry_decide(&policy, &outcome, 1, NOW, 0, NOW, 0).due_at_ms,
			 NOW + 60000);
	ck_assert_int_eq(rp_retry_delay_ms(&policy, UINT32_MAX), 1000);
}
END_TEST

START_TEST(a_status_of_the_list_is_dead_at_once)
{
	struct rp_retry_policy policy = defaults;
	struct rp_verdict v;

	policy.permanent_statuses[0] = 400;
	policy.permanent_statuses[1] = 404;
	policy.n_permanent_statuses = 2;
	ck_assert_int_eq(decide(&policy, RP_CAUSE_HTTP, 400, 1).cause, RP_CAUSE_PERMANENT);
	v = decide(&policy, RP_CAUSE_HTTP, 404, 1);
	ck_assert_int_eq(v.kind, RP_VERDICT_DEAD);
	ck_assert_int_eq(v.cause, RP_CAUSE_PERMANENT);
	ck_assert(!v.disable_endpoint);
	ck_assert_int_eq(decide(&policy, RP_CAUSE_HTTP, 401, 1).kind, RP_VERDICT_RETRY);
	ck_assert_int_eq(decide(&policy, RP_CAUSE_PROTOCOL, 404, 1).kind, RP_VERDICT_RETRY);
	ck_assert_int_eq(decide(&policy, RP_CAUSE_HTTP, 410, 1).cause, RP_CAUSE_GONE);
}
END_TEST

static const struct {
	bool honour;
	enum rp_cause came;
	unsigned status;
	enum rp_wish wish;
	enum rp_verdict_kind kind;
	enum rp_cause cause;
	bool disables;
} wishes[] = {
    {false, RP_CAUSE_HTTP, 500, RP_WISH_DISABLE, RP_VERDICT_RETRY, RP_CAUSE_NONE, false},
    {false, RP_CAUSE_HTTP, 500, RP_WISH_ABORT, RP_VERDICT_RETRY, RP_CAUSE_NONE, false},
    {false, RP_CAUSE_NONE, 200, RP_WISH_DISABLE, RP_VERDICT_DELIVERED, RP_CAUSE_NONE, false},
    {true, RP_CAUSE_HTTP, 500, RP_WISH_NONE, RP_VERDICT_RETRY, RP_CAUSE_NONE, false},
    {true, RP_CAUSE_HTTP, 500, RP_WISH_DISABLE, RP_VERDICT_DEAD, RP_CAUSE_GONE, true},
    {true, RP_CAUSE_HTTP, 500, RP_WISH_ABORT, RP_VERDICT_DEAD, RP_CAUSE_REFUSED, false},
    {true, RP_CAUSE_HTTP, 410, RP_WISH_ABORT, RP_VERDICT_DEAD, RP_CAUSE_GONE, true},
    {true, RP_CAUSE_NONE, 200, RP_WISH_ABORT, RP_VERDICT_DELIVERED, RP_CAUSE_NONE, false},
    {true, RP_CAUSE_NONE, 200, RP_WISH_DISABLE, RP_VERDICT_DELIVERED, RP_CAUSE_NONE, true},
};

START_TEST(a_delivery_header_is_heeded_where_the_policy_says_so)
{
	struct rp_retry_policy policy = defaults;
	struct rp_outcome outcome = {
	    .cause = wishes[_i].came, .http_status = wishes[_i].status, .wish = wishes[_i].wish};
	struct rp_verdict v;

	policy.honour_delivery_header = wishes[_i].honour;
	v = rp_retry_decide(&policy, &outcome, 1, NOW, 0, NOW, 0);
	ck_assert_int_eq(v.kind, wishes[_i].kind);
	ck_assert_int_eq(v.cause, wishes[_i].cause);
	ck_assert(v.disable_endpoint == wishes[_i].disables);
}
END_TEST

START_TEST(a_delivery_counts_even_when_late)
{
	struct rp_outcome outcome = {
	    .cause = RP_CAUSE_NONE, .http_status = 204, .retry_after_ms = 1000};
	struct rp_verdict v = rp_retry_decide(&defaults, &outcome, 0, NOW - 99, NOW - 9, NOW, 5);

	ck_assert_int_eq(v.kind, RP_VERDICT_DELIVERED);
	ck_assert_int_eq(v.cause, RP_CAUSE_NONE);
	ck_assert_int_eq(v.due_at_ms, 0);
	ck_assert(!v.disable_endpoint);
}
END_TEST

START_TEST(a_budget_of_one_attempt_has_no_retry)
{
	struct rp_retry_policy policy = defaults;

	policy.attempts = 1;
	ck_assert_int_eq(decide(&policy, RP_CAUSE_RESET, 0, 1).cause, RP_CAUSE_EXHAUSTED);
}
END_TEST

static const struct {
	int64_t start, max_age, expires;
	bool expired;
} limits[] = {
    {NOW, 0, 0, false},
    {NOW, 0, NOW + 5001, false},
    {NOW, 0, NOW + 5000, true},
    {NOW, 0, NOW - 1, true},
    {NOW - 10000, 15000, 0, false},
    {NOW - 10001, 15000, 0, true},
    {NOW - 90000, 15000, 0, true},
    {NOW - 10000, 15000, NOW + 5000, true},
    {NOW - 10001, 15000, NOW + 9000, true},
    {NOW + 90000, 1, 0, false},
};

START_TEST(no_retry_is_planned_past_expiry_or_age)
{
	struct rp_retry_policy policy = defaults;
	struct rp_outcome outcome = {.cause = RP_CAUSE_CONNECT};
	struct rp_verdict v;

	policy.max_age_ms = limits[_i].max_age;
	v = rp_retry_decide(&policy, &outcome, 1, limits[_i].start, limits[_i].expires, NOW, 0);
	ck_assert_int_eq(v.kind, limits[_i].expired ? RP_VERDICT_DEAD : RP_VERDICT_RETRY);
	ck_assert_int_eq(v.cause, limits[_i].expired ? RP_CAUSE_EXPIRED : RP_CAUSE_NONE);
	ck_assert_int_eq(v.due_at_ms, limits[_i].expired ? 0 : NOW + 5000);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("retry");
	TCase *tc = tcase_create("retry");

	tcase_add_test(tc, the_default_schedule_is_the_documented_one);
	tcase_add_loop_test(tc, a_delay_saturates_at_the_cap, 0, N(delays));
	tcase_add_test(tc, delays_follow_the_formula_and_never_shrink);
	tcase_add_test(tc, due_is_never_early_and_at_most_a_fifth_late);
	tcase_add_test(tc, retry_after_is_a_floor);
	tcase_add_test(tc, sums_saturate);
	tcase_add_loop_test(tc, permanent_causes_die_at_once_and_others_when_the_budget_is_spent, 0,
			    N(judged));
	tcase_add_test(tc, a_schedule_is_kept_as_it_is_written);
	tcase_add_test(tc, a_status_of_the_list_is_dead_at_once);
	tcase_add_loop_test(tc, a_delivery_header_is_heeded_where_the_policy_says_so, 0, N(wishes));
	tcase_add_test(tc, a_delivery_counts_even_when_late);
	tcase_add_test(tc, a_budget_of_one_attempt_has_no_retry);
	tcase_add_loop_test(tc, no_retry_is_planned_past_expiry_or_age, 0, N(limits));
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
