/* Window, rate and breaker where they are kept: in the store, for all senders, over restarts. */
#include "unit/outbox_fixture.h"

#include <check.h>
#include <stdlib.h>

static struct rp_outcome refused = {.cause = RP_CAUSE_CONNECT};

static void limits(unsigned in_flight, const char *rate)
{
	fx.limits =
	    (struct rp_limits){.in_flight = in_flight, .start = RP_WINDOW_START, .breaker = true};
	if (rate != NULL)
		ck_assert(rp_rate_parse(rp_span_of(rate), &fx.limits.rate));
}

static struct rp_control control(unsigned k)
{
	return fx_endpoint_record(k).control;
}

/* Settles the claims of the last turn, and claims again. */
static void answer_all(enum rp_settle_kind kind, size_t want)
{
	struct rp_settlement *s = calloc(fx.n_claims + 1, sizeof *s);
	size_t i, n = fx.n_claims;

	ck_assert_ptr_nonnull(s);
	for (i = 0; i < n; i++) {
		s[i] = fx_settlement(&fx.claims[i], kind);
		if (kind == RP_SETTLE_RETRY) {
			s[i].outcome = &refused;
			s[i].cause = RP_CAUSE_CONNECT;
		}
	}
	fx_exchange(want, s, n);
	free(s);
}

/* Refuses what is claimed until the breaker opens; returns how many attempts that took. */
static size_t break_endpoint(unsigned k)
{
	size_t attempts = 0;

	fx_exchange(100, NULL, 0);
	while (fx.n_claims > 0) {
		attempts += fx.n_claims;
		ck_assert_uint_lt(attempts, 200);
		answer_all(RP_SETTLE_RETRY, 100);
	}
	ck_assert_int_eq(control(k).breaker, RP_BREAKER_OPEN);
	return attempts;
}

static void forget_probe_time(void)
{
	unsigned char buf[RP_ENDPOINT_BYTES];
	struct rp_endpoint r = fx_endpoint_record(1);
	size_t n;

	r.control.probe_at_ms -= 20000;
	n = rp_endpoint_pack(&r, fx_endpoint(1), buf, sizeof buf);
	fx_put(RP_T_ENDPOINT, rp_key1(fx_endpoint(1)), buf, n);
}

START_TEST(verify_sees_a_parked_endpoint_that_would_be_looked_at_too_late)
{
	fx_append(1, 100);
	limits(10, NULL);
	break_endpoint(1);
	fx_verify_sound();
	forget_probe_time();
	ck_assert_uint_eq(fx_problems(), 1);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("outbox_control");
	TCase *tc = tcase_create("control"), *damaged = tcase_create("verify");

	tcase_add_checked_fixture(tc, fx_setup, fx_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(damaged, fx_setup, fx_teardown_damaged);
	tcase_add_test(damaged, verify_sees_a_parked_endpoint_that_would_be_looked_at_too_late);
	suite_add_tcase(s, tc);
	suite_add_tcase(s, damaged);
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
