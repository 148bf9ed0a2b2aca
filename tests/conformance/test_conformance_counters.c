/* The counters for metrics. */

#include <stdio.h>

#include "conformance/fixture.h"

static struct rp_counters counters(void)
{
	struct rp_counters t;

	ck_assert_int_eq(rp_outbox_counters(fx.ob, &t, NULL, NULL, &fx.err), RP_OK);
	return t;
}

struct found {
	const char *name;
	size_t n;
	struct rp_series series;
};

static void see(void *arg, struct rp_span name, const struct rp_series *s)
{
	struct found *f = arg;

	f->n++;
	if (rp_span_is(name, f->name))
		f->series = *s;
}

static struct found series(const char *name)
{
	struct found f = {.name = name};

	struct rp_counters c;

	ck_assert_int_eq(rp_outbox_counters(fx.ob, &c, see, &f, &fx.err), RP_OK);
	return f;
}

static void settle_as(const struct rp_claim *c, enum rp_settle_kind kind, const char *section)
{
	struct rp_settlement s = fx_settlement(c, kind);

	snprintf(s.series, sizeof s.series, "%s", section);
	fx_exchange(0, &s, 1);
}

START_TEST(a_life_is_counted)
{
	struct rp_claim c;
	struct rp_counters t;

	ck_assert_uint_eq(counters().last_append_at_ms, 0);
	fx_append(1, 1);
	ck_assert_int_eq((int64_t)counters().last_append_at_ms, fx.now_ms);
	c = fx_claim();
	settle_as(&c, RP_SETTLE_RETRY, "acme");
	t = counters();
	ck_assert_uint_eq(t.retries[RP_CAUSE_HTTP], 1);
	fx.now_ms += 2000000;
	c = fx_claim();
	settle_as(&c, RP_SETTLE_DEAD, "acme");
	c.seq = 1;
	ck_assert_int_eq(fx_change(RP_CHANGE_REPLAY, c.seq), RP_CHANGED_DONE);
	c = fx_claim();
	settle_as(&c, RP_SETTLE_DELIVERED, "acme");
	t = counters();
	ck_assert_uint_eq(t.retries[RP_CAUSE_HTTP], 1);
	ck_assert_uint_eq(t.replayed, 1);
	ck_assert_int_eq((int64_t)t.last_delivery_at_ms, fx.now_ms);
	ck_assert_uint_eq(rp_histogram_count(&t.latency), 1);
	ck_assert_uint_eq(rp_counters_minute(&t, fx.now_ms)->delivered, 1);
	ck_assert_uint_eq(rp_counters_minute(&t, fx.now_ms)->failed, 1);
	ck_assert_uint_eq(series("acme").n, 1);
	ck_assert_uint_eq(series("acme").series.attempts[RP_CLASS_5XX], 2);
	ck_assert_uint_eq(series("acme").series.attempts[RP_CLASS_2XX], 1);
	ck_assert_uint_gt(rp_histogram_count(&t.sender_commits), 3);
}
END_TEST

START_TEST(duplicates_are_counted_at_the_latest_when_their_process_ends)
{
	struct rp_new_entry n = fx_new(1);
	bool duplicate;

	fx_append_one(&n, &duplicate);
	fx_append_one(&n, &duplicate);
	ck_assert(duplicate);
	fx_append_one(&n, &duplicate);
	fx_close();
	fx_open();
	ck_assert_uint_eq(counters().duplicates, 2);
	fx_append(1, 1);
	fx_close();
	fx_open();
	ck_assert_uint_eq(counters().duplicates, 2);
}
END_TEST

START_TEST(those_retrying_are_known_without_counting)
{
	struct rp_outbox_info info;
	struct rp_claim c;

	fx_append(1, 2);
	c = fx_claim();
	fx_settle(&c, RP_SETTLE_RETRY);
	ck_assert_int_eq(rp_outbox_info(fx.ob, &info, &fx.err), RP_OK);
	ck_assert_uint_eq(info.retrying, 1);
	fx_change(RP_CHANGE_HOLD, c.seq);
	ck_assert_int_eq(rp_outbox_info(fx.ob, &info, &fx.err), RP_OK);
	ck_assert_uint_eq(info.retrying, 0);
}
END_TEST

START_TEST(sections_without_end_share_one_series)
{
	struct rp_claim c;
	char name[16];
	int i;

	for (i = 0; i < 100; i++) {
		fx_append(1, 1);
		c = fx_claim();
		snprintf(name, sizeof name, "s%03d", i);
		settle_as(&c, RP_SETTLE_DELIVERED, name);
	}
	ck_assert_uint_le(series("").n, RP_SERIES_MAX);
	ck_assert_uint_gt(series(RP_SERIES_OTHER).series.attempts[RP_CLASS_2XX], 30);
	ck_assert_uint_eq(series("s000").series.attempts[RP_CLASS_2XX], 1);
}
END_TEST

START_TEST(the_oldest_are_known)
{
	struct rp_outbox_info info;
	int64_t t0 = fx.now_ms;

	ck_assert_int_eq(rp_outbox_info(fx.ob, &info, &fx.err), RP_OK);
	ck_assert(info.oldest.waiting_due_at_ms == RP_NEVER);
	ck_assert(info.oldest.dead_at_ms == RP_NEVER);
	fx_append(1, 1);
	fx.now_ms += 1000;
	fx_append(2, 1);
	fx_pause(1, true); /* off the ready queue, and oldest all the same */
	ck_assert_int_eq(rp_outbox_info(fx.ob, &info, &fx.err), RP_OK);
	ck_assert_int_eq(info.oldest.waiting_due_at_ms, t0);
	fx_pause(1, false);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("counters");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, fx_setup, fx_teardown);
	tcase_add_test(tc, a_life_is_counted);
	tcase_add_test(tc, duplicates_are_counted_at_the_latest_when_their_process_ends);
	tcase_add_test(tc, those_retrying_are_known_without_counting);
	tcase_add_test(tc, sections_without_end_share_one_series);
	tcase_add_test(tc, the_oldest_are_known);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return fx_main(suite);
}
