/* A sender's turn: what may be claimed, in which order, and what a result does to its entry. */
#include "unit/outbox_fixture.h"

#include <check.h>
#include <stdlib.h>

/* --- late results
 * ------------------------------------------------------------------------------------------ */

START_TEST(a_fetch_that_finds_damage_leaves_nothing_of_the_entry_before)
{
	uint64_t seq = fx_append(1, 2);
	struct rp_dispatch d = {0};
	struct rp_claim c;

	c = fx_claim();
	ck_assert_int_eq(rp_outbox_fetch(fx.ob, &c, &d, &fx.err), RP_OK);
	fx_settle(&c, RP_SETTLE_DELIVERED);
	c = fx_claim();
	ck_assert_uint_eq(c.seq, seq + 1);
	fx_flip(RP_T_DELIVERY, rp_key1(c.seq), 20);
	ck_assert_int_eq(rp_outbox_fetch(fx.ob, &c, &d, &fx.err), RP_ERR_DAMAGED);
	ck_assert_int_eq(d.facts.accepted_at_ms, 0);
	ck_assert_uint_eq(d.payload.len, 0);
	fx_flip(RP_T_DELIVERY, rp_key1(c.seq), 20);
	rp_dispatch_release(&d);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("outbox_turn");
	TCase *tc = tcase_create("turn");

	tcase_add_checked_fixture(tc, fx_setup, fx_teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, a_fetch_that_finds_damage_leaves_nothing_of_the_entry_before);
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
