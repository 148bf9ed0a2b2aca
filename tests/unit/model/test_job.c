/* Records of jobs and of the log of changes; the rate of a job. */
#include <check.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/job.h"

#define NOW_MS INT64_C(1700000000000)

static struct rp_job some_job(void)
{
	return (struct rp_job){
	    .verb = RP_JOB_PURGE,
	    .phase = RP_JOB_PAUSED,
	    .uid = 1000,
	    .rate = {50, 1000},
	    .created_at_ms = 1,
	    .started_at_ms = 2,
	    .ended_at_ms = 3,
	    .expires_at_ms = 4,
	    .moved_at_ms = 5,
	    .next_at_us = 6,
	    .lane = 7,
	    .audit = 8,
	    .planned = 100,
	    .done = 40,
	    .done_in_flight = 2,
	    .skipped = {3, 4, 5, 6},
	    .user = rp_span_of("alice"),
	    .selector = rp_span_of("--state dead"),
	    .reason = rp_span_of("they are gone"),
	};
}

static bool same(struct rp_span a, struct rp_span b)
{
	return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

START_TEST(every_member_of_a_job_is_kept)
{
	unsigned char buf[RP_JOB_BYTES_MAX];
	struct rp_job in = some_job(), out;
	size_t n = rp_job_pack(&in, 9, buf, sizeof buf);

	ck_assert_uint_gt(n, 0);
	ck_assert(rp_job_unpack(&out, 9, buf, n));
	ck_assert(same(in.user, out.user) && same(in.selector, out.selector) &&
		  same(in.reason, out.reason));
	out.user = in.user;
	out.selector = in.selector;
	out.reason = in.reason;
	ck_assert_mem_eq(&in.created_at_ms, &out.created_at_ms,
			 sizeof in - offsetof(struct rp_job, created_at_ms));
	ck_assert(in.verb == out.verb && in.phase == out.phase && in.uid == out.uid);
	ck_assert(in.rate.count == out.rate.count && in.rate.period_ms == out.rate.period_ms);
	ck_assert_uint_eq(rp_job_n_skipped(&out), 18);
	ck_assert_uint_eq(rp_job_left(&out), 42);
}
END_TEST

START_TEST(every_member_of_an_audit_record_is_kept)
{
	struct rp_audit in = {.uid = 7,
			      .at_ms = NOW_MS,
			      .job = 3,
			      .done = 10,
			      .skipped = 2,
			      .verb = rp_span_of("purge"),
			      .user = rp_span_of("root (alice)"),
			      .what = rp_span_of("--state dead"),
			      .reason = rp_span_of("")};
	unsigned char buf[RP_AUDIT_BYTES_MAX];
	struct rp_audit out;
	size_t n = rp_audit_pack(&in, 5, buf, sizeof buf);

	ck_assert(rp_audit_unpack(&out, 5, buf, n));
	ck_assert(in.uid == out.uid && in.at_ms == out.at_ms && in.job == out.job &&
		  in.done == out.done && in.skipped == out.skipped);
	ck_assert(same(in.verb, out.verb) && same(in.user, out.user) && same(in.what, out.what) &&
		  out.reason.len == 0);
}
END_TEST

START_TEST(every_flipped_bit_and_a_wrong_number_are_noticed)
{
	unsigned char job[RP_JOB_BYTES_MAX], audit[RP_AUDIT_BYTES_MAX];
	struct rp_audit a = {.verb = rp_span_of("hold"), .at_ms = NOW_MS};
	struct rp_job j = some_job();
	size_t n = rp_job_pack(&j, 9, job, sizeof job),
	       m = rp_audit_pack(&a, 9, audit, sizeof audit), i;

	for (i = 0; i < 8 * n; i++) {
		job[i / 8] ^= (unsigned char)(1u << i % 8);
		ck_assert(!rp_job_unpack(&j, 9, job, n));
		job[i / 8] ^= (unsigned char)(1u << i % 8);
	}
	for (i = 0; i < 8 * m; i++) {
		audit[i / 8] ^= (unsigned char)(1u << i % 8);
		ck_assert(!rp_audit_unpack(&a, 9, audit, m));
		audit[i / 8] ^= (unsigned char)(1u << i % 8);
	}
	ck_assert(!rp_job_unpack(&j, 8, job, n) && !rp_audit_unpack(&a, 8, audit, m));
	ck_assert(!rp_job_unpack(&j, 9, job, n - 1) && !rp_audit_unpack(&a, 9, audit, m - 1));
}
END_TEST

START_TEST(texts_that_are_too_long_are_cut)
{
	static char text[3 * RP_JOB_TEXT_MAX];
	unsigned char buf[RP_JOB_BYTES_MAX], audit[RP_AUDIT_BYTES_MAX];
	struct rp_span whole = {text, sizeof text};
	struct rp_job j = some_job();
	struct rp_audit a = {.verb = whole, .user = whole, .what = whole, .reason = whole};
	size_t n;

	memset(text, 'x', sizeof text);
	j.user = j.selector = j.reason = whole;
	n = rp_job_pack(&j, 1, buf, sizeof buf);
	ck_assert(rp_job_unpack(&j, 1, buf, n));
	ck_assert_uint_eq(j.reason.len, RP_JOB_TEXT_MAX);
	n = rp_audit_pack(&a, 1, audit, sizeof audit);
	ck_assert(rp_audit_unpack(&a, 1, audit, n));
	ck_assert_uint_eq(a.what.len, RP_JOB_TEXT_MAX);
}
END_TEST

START_TEST(without_a_rate_all_may_go)
{
	struct rp_job j = {0};

	ck_assert_uint_eq(rp_job_take(&j, NOW_MS, 1000), 1000);
	ck_assert_int_eq(rp_job_next_at_ms(&j), 0);
}
END_TEST

static const struct {
	struct rp_rate rate;
	int64_t ms, look_ms;
	uint64_t least, most;
} rates[] = {
    {{50, 1000}, 10000, 20, 490, 511},   {{1, 1000}, 10000, 100, 10, 11},
    {{1, 3600000}, 7200000, 1000, 2, 3}, {{5000, 1000}, 10000, 100, 49000, 51001},
    {{600, 60000}, 60000, 50, 590, 603},
};

/* However often one looks, what goes is what the rate allows. */
START_TEST(a_rate_is_kept_over_time)
{
	struct rp_job j = {.rate = rates[_i].rate};
	uint64_t gone = 0;
	int64_t at;

	for (at = 0; at <= rates[_i].ms; at += rates[_i].look_ms)
		gone += rp_job_take(&j, NOW_MS + at, 1000000);
	ck_assert_msg(gone >= rates[_i].least && gone <= rates[_i].most, "%lu",
		      (unsigned long)gone);
}
END_TEST

START_TEST(a_rate_saves_nothing_up_and_minds_no_clock)
{
	struct rp_job j = {.rate = {10, 1000}};

	ck_assert_uint_eq(rp_job_take(&j, NOW_MS, 100), 2);
	ck_assert_uint_eq(rp_job_take(&j, NOW_MS, 100), 0);
	ck_assert_uint_le(rp_job_take(&j, NOW_MS + 3600000, 100), 3); /* an hour's pause */
	ck_assert_uint_ge(rp_job_take(&j, NOW_MS, 100), 1);           /* the clock was set back */
	ck_assert_int_le(rp_job_next_at_ms(&j), NOW_MS + 200);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("job");
	TCase *t = tcase_create("job");

	tcase_add_test(t, every_member_of_a_job_is_kept);
	tcase_add_test(t, every_member_of_an_audit_record_is_kept);
	tcase_add_test(t, every_flipped_bit_and_a_wrong_number_are_noticed);
	tcase_add_test(t, texts_that_are_too_long_are_cut);
	tcase_add_test(t, without_a_rate_all_may_go);
	tcase_add_loop_test(t, a_rate_is_kept_over_time, 0, (int)(sizeof rates / sizeof rates[0]));
	tcase_add_test(t, a_rate_saves_nothing_up_and_minds_no_clock);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *r = srunner_create(suite());
	int failed;

	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
