/* Counters as values: histograms, minutes, classes of outcomes, records. */
#include "model/counters.h"

#include <check.h>

#define T0 INT64_C(1764000000000) /* a whole minute */

START_TEST(a_histogram_puts_each_value_into_one_bucket)
{
	struct rp_histogram h = {0};
	size_t i;

	for (i = 0; i < RP_HISTOGRAM_BUCKETS - 1; i++) {
		rp_histogram_add(&h, rp_bounds_attempt_us, rp_bounds_attempt_us[i]);
		rp_histogram_add(&h, rp_bounds_attempt_us, rp_bounds_attempt_us[i] + 1);
	}
	ck_assert_uint_eq(h.count[0], 1);
	for (i = 1; i < RP_HISTOGRAM_BUCKETS - 1; i++)
		ck_assert_uint_eq(h.count[i], 2);
	ck_assert_uint_eq(h.count[RP_HISTOGRAM_BUCKETS - 1], 1);
	ck_assert_uint_eq(rp_histogram_count(&h), 2 * (RP_HISTOGRAM_BUCKETS - 1));
	h.sum_us = 0;
	rp_histogram_add(&h, rp_bounds_attempt_us, -5); /* a clock that was set back */
	rp_histogram_add(&h, rp_bounds_attempt_us, 7);
	ck_assert_uint_eq(h.count[0], 3);
	ck_assert_uint_eq(h.sum_us, 7);
}
END_TEST

START_TEST(bounds_grow)
{
	const int64_t *const all[] = {rp_bounds_commit_us, rp_bounds_attempt_us,
				      rp_bounds_latency_us};
	size_t k, i;

	for (k = 0; k < 3; k++)
		for (i = 1; i < RP_HISTOGRAM_BUCKETS - 1; i++)
			ck_assert_int_lt(all[k][i - 1], all[k][i]);
}
END_TEST

START_TEST(minutes_are_summed_up_without_the_present_one)
{
	struct rp_counters t = {0};
	struct rp_minute sum;
	int i;

	for (i = 0; i < 40; i++) {
		rp_counters_minute(&t, T0 + i * 60000)->accepted += 10;
		rp_counters_minute(&t, T0 + i * 60000 + 59999)->delivered += 1;
	}
	sum = rp_counters_recent(&t, T0 + 39 * 60000 + 5000, 5);
	ck_assert_uint_eq(sum.accepted, 50);
	ck_assert_uint_eq(sum.delivered, 5);
	ck_assert_uint_eq(rp_counters_recent(&t, T0 + 42 * 60000, 5).accepted, 30);
	ck_assert_uint_eq(rp_counters_recent(&t, T0 + 100 * 60000, 5).accepted, 0);
	ck_assert_msg(rp_counters_recent(&t, T0 - 60000, 5).accepted == 0,
		      "minutes of the future are not the last ones");
}
END_TEST

START_TEST(every_outcome_has_a_class)
{
	static const struct {
		enum rp_cause cause;
		unsigned status;
		const char *name;
	} rows[] = {
	    {RP_CAUSE_NONE, 204, "2xx"},           {RP_CAUSE_HTTP, 302, "3xx"},
	    {RP_CAUSE_HTTP, 404, "4xx"},           {RP_CAUSE_HTTP, 429, "429"},
	    {RP_CAUSE_HTTP, 503, "5xx"},           {RP_CAUSE_HTTP, 101, "other"},
	    {RP_CAUSE_TIMEOUT, 0, "timeout"},      {RP_CAUSE_DNS, 0, "dns"},
	    {RP_CAUSE_CONNECT, 0, "connect"},      {RP_CAUSE_TLS_EXPIRED, 0, "tls"},
	    {RP_CAUSE_RESET, 0, "reset"},          {RP_CAUSE_PROTOCOL, 0, "protocol"},
	    {RP_CAUSE_BLOCKED_PORT, 0, "blocked"}, {RP_CAUSE_LOCAL, 0, "other"},
	};
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++)
		ck_assert_str_eq(
		    rp_outcome_class_name(rp_outcome_class(rows[i].cause, rows[i].status)),
		    rows[i].name);
	ck_assert_int_le(RP_CAUSE_MAX_, RP_COUNTERS_CAUSES);
}
END_TEST

START_TEST(records_come_back_and_notice_every_flipped_bit)
{
	struct rp_counters t, back;
	unsigned char buf[RP_COUNTERS_BYTES];
	struct rp_series s = {.attempts = {[RP_CLASS_5XX] = 7}}, series_back;
	unsigned char small[RP_SERIES_BYTES];
	size_t i;

	memset(&t, 0, sizeof t);
	t.duplicates = 1;
	t.minutes[RP_COUNTERS_MINUTES - 1].failed = UINT64_MAX;
	ck_assert_uint_eq(rp_counters_pack(&t, buf, sizeof buf), RP_COUNTERS_BYTES);
	ck_assert(rp_counters_unpack(&back, buf, sizeof buf) && memcmp(&t, &back, sizeof t) == 0);
	for (i = 0; i < sizeof buf; i++) {
		buf[i] ^= 1;
		ck_assert_msg(!rp_counters_unpack(&back, buf, sizeof buf), "byte %zu", i);
		ck_assert_uint_eq(back.duplicates, 0);
		buf[i] ^= 1;
	}
	ck_assert(!rp_counters_unpack(&back, buf, sizeof buf - 1));
	ck_assert_uint_eq(rp_counters_pack(&t, buf, sizeof buf - 1), 0);
	ck_assert_uint_eq(rp_series_pack(&s, small, sizeof small), RP_SERIES_BYTES);
	ck_assert(rp_series_unpack(&series_back, small, sizeof small) &&
		  series_back.attempts[RP_CLASS_5XX] == 7);
	ck_assert_msg(RP_COUNTERS_BYTES < 1900, "it no longer fits on the page of the head record");
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("tally");
	TCase *tc = tcase_create("tally");

	tcase_add_test(tc, a_histogram_puts_each_value_into_one_bucket);
	tcase_add_test(tc, bounds_grow);
	tcase_add_test(tc, minutes_are_summed_up_without_the_present_one);
	tcase_add_test(tc, every_outcome_has_a_class);
	tcase_add_test(tc, records_come_back_and_notice_every_flipped_bit);
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
