/* The future of an entry: every step is one the sender would take, and nothing it could do lies
 * outside. */
#include "model/forecast.h"

#include <check.h>

#define T0 INT64_C(1764000000000)

static struct rp_retry_policy policy(unsigned attempts)
{
	struct rp_retry_policy p = {
	    .base_ms = 5000, .factor_permille = 4000, .cap_ms = 86400000, .attempts = attempts};
	return p;
}

static struct rp_forecast forecast(const struct rp_retry_policy *p)
{
	struct rp_forecast f = {.policy = p,
				.timeout_ms = 20000,
				.budget_at_ms = T0,
				.earliest_at_ms = T0,
				.latest_at_ms = T0};
	return f;
}

START_TEST(the_defaults_give_eleven_attempts_and_an_end)
{
	static const int64_t delays[] = {5000,    20000,    80000,    320000,   1280000,
					 5120000, 20480000, 81920000, 86400000, 86400000};
	struct rp_retry_policy p = policy(11);
	struct rp_forecast f = forecast(&p);
	struct rp_forecast_step s;
	int64_t soonest = T0, latest = T0;
	unsigned n;

	for (n = 1; rp_forecast_next(&f, &s); n++) {
		ck_assert_uint_eq(s.nth, n);
		ck_assert(s.certain);
		ck_assert_int_eq(s.earliest_at_ms, soonest);
		ck_assert_int_eq(s.latest_at_ms, latest);
		if (n <= 10) {
			soonest += delays[n - 1];
			latest += 20000 + delays[n - 1] + delays[n - 1] / 5;
		}
	}
	ck_assert_uint_eq(n, 12);
	ck_assert_int_eq(f.end_cause, RP_CAUSE_EXHAUSTED);
	ck_assert_int_eq(f.earliest_at_ms, soonest);
	ck_assert_int_eq(f.latest_at_ms, latest + 20000);
	ck_assert(!rp_forecast_next(&f, &s));
}
END_TEST

START_TEST(failures_so_far_are_steps_already_taken)
{
	struct rp_retry_policy p = policy(4);
	struct rp_forecast f = forecast(&p);
	struct rp_forecast_step s;

	f.failures = 3;
	ck_assert(rp_forecast_next(&f, &s));
	ck_assert_uint_eq(s.nth, 4);
	ck_assert(!rp_forecast_next(&f, &s));
	ck_assert_int_eq(f.end_cause, RP_CAUSE_EXHAUSTED);
}
END_TEST

START_TEST(a_listed_schedule_is_followed)
{
	struct rp_retry_policy p = {.schedule_ms = {1000, 60000}, .n_schedule = 2};
	struct rp_forecast f = forecast(&p);
	struct rp_forecast_step s;

	ck_assert(rp_forecast_next(&f, &s) && s.earliest_at_ms == T0);
	ck_assert(rp_forecast_next(&f, &s) && s.earliest_at_ms == T0 + 1000);
	ck_assert(rp_forecast_next(&f, &s) && s.earliest_at_ms == T0 + 61000);
	ck_assert(!rp_forecast_next(&f, &s));
}
END_TEST

START_TEST(what_expires_ends_before_its_attempts_do)
{
	struct rp_retry_policy p = policy(11);
	struct rp_forecast f = forecast(&p);
	struct rp_forecast_step s;
	unsigned n = 0, certain = 0;

	/* the third is due 25 s to 90 s after the first, the fourth 105 s */
	f.expires_at_ms = T0 + 100000;
	while (rp_forecast_next(&f, &s)) {
		n++;
		certain += s.certain;
		ck_assert_int_le(s.earliest_at_ms, s.latest_at_ms);
		ck_assert_int_lt(s.earliest_at_ms, f.expires_at_ms);
	}
	ck_assert_uint_eq(n, 3);
	ck_assert_uint_eq(certain, 3);
	ck_assert_int_eq(f.end_cause, RP_CAUSE_EXPIRED);
	f = forecast(&p);
	f.expires_at_ms = T0 + 60000;
	for (n = certain = 0; rp_forecast_next(&f, &s); n++)
		certain += s.certain;
	ck_assert_uint_eq(n, 3);
	ck_assert_msg(certain == 2, "the third may come too late");
	f = forecast(&p);
	f.expires_at_ms = T0;
	ck_assert(!rp_forecast_next(&f, &s));
	ck_assert_int_eq(f.end_cause, RP_CAUSE_EXPIRED);
}
END_TEST

START_TEST(an_age_limit_ends_it_likewise)
{
	struct rp_retry_policy p = policy(11);
	struct rp_forecast f;
	struct rp_forecast_step s;
	unsigned n = 0;

	p.max_age_ms = 30000;
	f = forecast(&p);
	while (rp_forecast_next(&f, &s)) {
		n++;
		ck_assert_int_le(s.latest_at_ms, T0 + 30000);
	}
	ck_assert_uint_eq(n, 3);
	ck_assert_int_eq(f.end_cause, RP_CAUSE_EXPIRED);
}
END_TEST

/* Whatever a sender decides with any jitter and any duration lies between earliest and latest. */
START_TEST(no_course_of_events_leaves_the_forecast)
{
	struct rp_retry_policy p = policy(9);
	uint64_t x = 88172645463325252u;
	int round;

	for (round = 0; round < 2000; round++) {
		struct rp_forecast f = forecast(&p);
		struct rp_forecast_step s;
		struct rp_outcome o = {.cause = RP_CAUSE_CONNECT};
		int64_t at_ms = T0;
		unsigned failures = 0;

		f.expires_at_ms = round % 3 == 0 ? T0 + 3000000 : 0;
		while (rp_forecast_next(&f, &s)) {
			struct rp_verdict v;

			ck_assert_int_le(s.earliest_at_ms, at_ms);
			ck_assert_int_ge(s.latest_at_ms, at_ms);
			x ^= x << 13, x ^= x >> 7, x ^= x << 17;
			at_ms += (int64_t)(x % 20001);
			v = rp_retry_decide(&p, &o, ++failures, T0, f.expires_at_ms, at_ms, x >> 3);
			if (v.kind == RP_VERDICT_DEAD) {
				ck_assert(v.cause == RP_CAUSE_EXPIRED || v.cause == f.end_cause);
				break;
			}
			at_ms = v.due_at_ms;
		}
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("forecast");
	TCase *tc = tcase_create("forecast");

	tcase_add_test(tc, the_defaults_give_eleven_attempts_and_an_end);
	tcase_add_test(tc, failures_so_far_are_steps_already_taken);
	tcase_add_test(tc, a_listed_schedule_is_followed);
	tcase_add_test(tc, what_expires_ends_before_its_attempts_do);
	tcase_add_test(tc, an_age_limit_ends_it_likewise);
	tcase_add_test(tc, no_course_of_events_leaves_the_forecast);
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
