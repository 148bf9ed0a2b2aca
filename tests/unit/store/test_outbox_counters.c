/* Counters for metrics change with the work, in its transaction. */
#include "unit/outbox_fixture.h"

#include <check.h>
#include <stdio.h>

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

START_TEST(what_was_rolled_back_is_not_counted)
{
	struct rp_new_entry n = fx_new(1);
	struct rp_appended out;

	fx_append(1, 1);
	fx_close();
	fx.options.quota_bytes = 1;
	fx_open();
	ck_assert_int_eq(rp_outbox_append(fx.ob, fx.now_ms + 60000, &n, 1, &out, &fx.err),
			 RP_ERR_FULL);
	ck_assert_int_eq((int64_t)counters().last_append_at_ms, fx.now_ms);
	fx.options.quota_bytes = 0;
}
END_TEST

START_TEST(a_damaged_record_begins_anew)
{
	struct rp_claim c;

	fx_append(1, 2);
	c = fx_claim();
	settle_as(&c, RP_SETTLE_RETRY, "acme");
	fx_flip(RP_T_META, fx_text_key("tally"), 30);
	fx_flip(RP_T_META, fx_text_key("series:acme"), 30);
	ck_assert_uint_eq(counters().retries[RP_CAUSE_HTTP], 0);
	ck_assert_uint_gt(fx_problems(), 0);
	c = fx_claim();
	settle_as(&c, RP_SETTLE_RETRY, "acme");
	ck_assert_uint_eq(counters().retries[RP_CAUSE_HTTP], 1);
	ck_assert_uint_eq(series("acme").series.attempts[RP_CLASS_5XX], 1);
	ck_assert_uint_eq(fx_problems(), 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("outbox_tally");
	TCase *tc = tcase_create("tally");

	tcase_add_checked_fixture(tc, fx_setup, fx_teardown);
	tcase_add_test(tc, what_was_rolled_back_is_not_counted);
	tcase_add_test(tc, a_damaged_record_begins_anew);
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
