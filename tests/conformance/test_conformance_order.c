/* Entries with the same order_by go one by one. */

#include <stdio.h>
#include <stdlib.h>

#include "conformance/fixture.h"

static uint64_t append(unsigned k, const char *order_by)
{
	struct rp_new_entry n = fx_new(k);

	n.order_by = rp_span_of(order_by);
	return fx_append_one(&n, NULL);
}

/* Three of one order, the numbers following each other. */
static uint64_t append_three(void)
{
	uint64_t seq = append(1, "a");

	append(1, "a");
	append(1, "a");
	return seq;
}

static struct rp_claim claim_only(uint64_t seq)
{
	fx_exchange(10, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 1);
	ck_assert_uint_eq(fx.claims[0].seq, seq);
	return fx.claims[0];
}

static void nothing_to_claim(void)
{
	fx_exchange(10, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 0);
}

static bool is_behind(uint64_t seq)
{
	return fx_delivery(seq).behind;
}

static void deliver(const struct rp_claim *c)
{
	ck_assert(!fx_settle(c, RP_SETTLE_DELIVERED));
}

/* --- the rule ---------------------------------------------------------------------------- */

START_TEST(only_the_first_of_an_order_can_be_claimed)
{
	uint64_t seq = append_three();

	ck_assert_uint_eq(fx_ledger().waiting, 3);
	ck_assert_uint_eq(fx_endpoint_record(1).count[RP_STATE_WAITING], 3);
	ck_assert(!is_behind(seq) && is_behind(seq + 1) && is_behind(seq + 2));
	claim_only(seq);
	nothing_to_claim();
	ck_assert_int_eq(fx.next_ready_ms, RP_NEVER);
}
END_TEST

START_TEST(what_is_settled_lets_the_next_go_in_the_same_turn)
{
	uint64_t seq = append_three();
	struct rp_claim c = claim_only(seq);
	struct rp_settlement s = fx_settlement(&c, RP_SETTLE_DELIVERED);

	fx_exchange(10, &s, 1);
	ck_assert_uint_eq(fx.n_claims, 1);
	ck_assert_uint_eq(fx.claims[0].seq, seq + 1);
}
END_TEST

START_TEST(a_retry_keeps_its_place)
{
	uint64_t seq = append_three();
	struct rp_claim c = claim_only(seq);
	int i;

	for (i = 0; i < 3; i++) {
		fx_settle(&c, RP_SETTLE_RETRY);
		nothing_to_claim();
		fx.now_ms += 5000;
		c = claim_only(seq);
	}
	deliver(&c);
	c = claim_only(seq + 1);
	deliver(&c);
	c = claim_only(seq + 2);
	deliver(&c);
}
END_TEST

START_TEST(the_order_is_kept_within_one_batch)
{
	struct rp_new_entry n[3] = {fx_new(1), fx_new(1), fx_new(1)};
	struct rp_appended out[3];
	int i;

	for (i = 0; i < 3; i++) {
		n[i].order_by = rp_span_of("a");
		n[i].not_before_at_ms = fx.now_ms + 3000 - 1000 * i;
	}
	ck_assert_int_eq(rp_outbox_append(fx.ob, fx.now_ms, n, 3, out, &fx.err), RP_OK);
	fx.now_ms += 2000;
	nothing_to_claim();
	fx.now_ms += 1000;
	claim_only(out[0].seq);
}
END_TEST

START_TEST(other_orders_other_endpoints_and_entries_without_one_go_their_way)
{
	uint64_t a = append(1, "a"), a2 = append(1, "a"), b = append(1, "b"),
		 elsewhere = append(2, "a");
	uint64_t plain = append(1, ""), plain2 = append(1, "");

	fx_exchange(10, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 5);
	ck_assert_int_eq(fx_state(a), RP_STATE_IN_FLIGHT);
	ck_assert_int_eq(fx_state(a2), RP_STATE_WAITING);
	ck_assert_int_eq(fx_state(b), RP_STATE_IN_FLIGHT);
	ck_assert_int_eq(fx_state(elsewhere), RP_STATE_IN_FLIGHT);
	ck_assert_int_eq(fx_state(plain), RP_STATE_IN_FLIGHT);
	ck_assert_int_eq(fx_state(plain2), RP_STATE_IN_FLIGHT);
}
END_TEST

START_TEST(the_time_behind_spends_no_retry_budget)
{
	uint64_t seq = append_three();
	struct rp_claim c = claim_only(seq);

	fx.now_ms += 86400000;
	deliver(&c);
	c = claim_only(seq + 1);
	ck_assert_int_eq(c.budget_at_ms, fx.now_ms);
	fx_settle(&c, RP_SETTLE_RETRY);
	fx.now_ms += 5000;
	c = claim_only(seq + 1);
	ck_assert_int_eq(c.budget_at_ms, fx.now_ms - 5000);
}
END_TEST

START_TEST(a_not_before_of_the_next_is_kept)
{
	struct rp_new_entry n = fx_new(1);
	uint64_t seq = append(1, "a"), late;
	struct rp_claim c;

	n.order_by = rp_span_of("a");
	n.not_before_at_ms = fx.now_ms + 7000;
	late = fx_append_one(&n, NULL);
	c = claim_only(seq);
	deliver(&c);
	nothing_to_claim();
	ck_assert_int_eq(fx.next_ready_ms, fx.now_ms + 7000);
	fx.now_ms += 7000;
	claim_only(late);
}
END_TEST

/* --- how a front leaves ------------------------------------------------------------------ */

START_TEST(a_dead_front_lets_the_next_go)
{
	uint64_t seq = append_three();
	struct rp_claim c = claim_only(seq);

	ck_assert(!fx_settle(&c, RP_SETTLE_DEAD));
	claim_only(seq + 1);
}
END_TEST

START_TEST(purging_lets_the_next_go_whatever_the_front_was_doing)
{
	uint64_t seq = append_three();
	struct rp_claim c;

	ck_assert_int_eq(fx_change(RP_CHANGE_PURGE, seq), RP_CHANGED_DONE);
	c = claim_only(seq + 1);
	ck_assert_int_eq(fx_change(RP_CHANGE_PURGE, seq + 1), RP_CHANGED_DONE_IN_FLIGHT);
	claim_only(seq + 2);
	ck_assert(fx_settle(&c, RP_SETTLE_DELIVERED));
}
END_TEST

START_TEST(purging_from_the_middle_changes_nothing_else)
{
	uint64_t seq = append_three();
	struct rp_claim c;

	ck_assert_int_eq(fx_change(RP_CHANGE_PURGE, seq + 1), RP_CHANGED_DONE);
	c = claim_only(seq);
	nothing_to_claim();
	deliver(&c);
	claim_only(seq + 2);
}
END_TEST

START_TEST(an_expired_front_dies_and_the_next_goes_in_the_same_turn)
{
	struct rp_new_entry n = fx_new(1);
	uint64_t seq, next;

	n.order_by = rp_span_of("a");
	n.expires_at_ms = fx.now_ms + 1000;
	seq = fx_append_one(&n, NULL);
	next = append(1, "a");
	fx.now_ms += 1000;
	claim_only(next);
	ck_assert_uint_eq(fx.n_dead, 1);
	ck_assert_int_eq(fx_delivery(seq).cause, RP_CAUSE_EXPIRED);
}
END_TEST

START_TEST(the_entries_of_a_disabled_endpoint_all_die_in_bounded_turns)
{
	uint64_t seq = append_three(), i;
	struct rp_claim c = claim_only(seq);
	struct rp_settlement s = fx_settlement(&c, RP_SETTLE_DEAD);
	int turns = 0;

	for (i = 0; i < 997; i++)
		append(1, "a");
	s.disable_endpoint = true;
	fx_exchange(10, &s, 1);
	while (fx_ledger().waiting > 0) {
		ck_assert_int_lt(turns++, 8);
		ck_assert_int_le(fx.next_ready_ms, fx.now_ms);
		fx_exchange(10, NULL, 0);
		ck_assert_uint_le(fx.n_dead, 256);
	}
	ck_assert_uint_eq(fx_ledger().dead, 1000);
}
END_TEST

START_TEST(a_late_2xx_of_the_front_lets_the_next_go)
{
	uint64_t seq = append_three();
	struct rp_claim c = claim_only(seq);

	ck_assert_int_eq(rp_outbox_leave(fx.ob, fx.now_ms, &fx.err), RP_OK);
	ck_assert(!is_behind(seq) && is_behind(seq + 1));
	fx_join();
	ck_assert(fx_settle(&c, RP_SETTLE_DELIVERED));
	ck_assert_int_eq(fx_state(seq), RP_STATE_DELIVERED);
	claim_only(seq + 1);
}
END_TEST

START_TEST(what_a_lost_sender_had_in_front_stays_there)
{
	uint64_t seq = append_three();
	struct rp_claim c = claim_only(seq);

	fx.boot_ms += 100000;
	ck_assert_int_eq(rp_outbox_leave(fx.ob, fx.now_ms, &fx.err), RP_OK);
	fx_join();
	c = claim_only(seq);
	ck_assert_uint_eq(c.attempt, 2);
	ck_assert(is_behind(seq + 1));
}
END_TEST

/* --- hold, release, replay --------------------------------------------------------------- */

START_TEST(a_held_front_holds_up_its_order_and_no_other)
{
	uint64_t seq = append_three(), other = append(1, "b");
	struct rp_claim c;

	ck_assert_int_eq(fx_change(RP_CHANGE_HOLD, seq), RP_CHANGED_DONE);
	c = claim_only(other);
	deliver(&c);
	nothing_to_claim();
	ck_assert_int_eq(fx_change(RP_CHANGE_RELEASE, seq), RP_CHANGED_DONE);
	claim_only(seq);
}
END_TEST

START_TEST(what_is_held_behind_holds_up_those_after_it_once_it_is_in_front)
{
	uint64_t seq = append_three();
	struct rp_claim c;

	ck_assert_int_eq(fx_change(RP_CHANGE_HOLD, seq + 1), RP_CHANGED_DONE);
	c = claim_only(seq);
	deliver(&c);
	nothing_to_claim();
	ck_assert(!is_behind(seq + 1) && is_behind(seq + 2));
	ck_assert_int_eq(fx_change(RP_CHANGE_RELEASE, seq + 1), RP_CHANGED_DONE);
	c = claim_only(seq + 1);
	deliver(&c);
	claim_only(seq + 2);
}
END_TEST

START_TEST(release_behind_the_front_puts_nothing_into_the_queue)
{
	uint64_t seq = append_three();

	fx_change(RP_CHANGE_HOLD, seq + 1);
	ck_assert_int_eq(fx_change(RP_CHANGE_RELEASE, seq + 1), RP_CHANGED_DONE);
	ck_assert(is_behind(seq + 1));
	claim_only(seq);
}
END_TEST

START_TEST(purging_a_held_front_lets_the_next_go)
{
	uint64_t seq = append_three();

	fx_change(RP_CHANGE_HOLD, seq);
	ck_assert_int_eq(fx_change(RP_CHANGE_PURGE, seq), RP_CHANGED_DONE);
	claim_only(seq + 1);
}
END_TEST

START_TEST(replay_of_an_entry_behind_lets_it_stay_there)
{
	uint64_t seq = append_three();

	ck_assert_int_eq(fx_change(RP_CHANGE_REPLAY, seq + 2), RP_CHANGED_DONE);
	ck_assert(is_behind(seq + 2));
	claim_only(seq);
}
END_TEST

START_TEST(a_replayed_entry_goes_before_those_accepted_after_it)
{
	uint64_t seq = append_three();
	struct rp_claim c = claim_only(seq);

	fx_settle(&c, RP_SETTLE_DEAD);
	ck_assert(!is_behind(seq + 1));
	ck_assert_int_eq(fx_change(RP_CHANGE_REPLAY, seq), RP_CHANGED_DONE);
	ck_assert(is_behind(seq + 1));
	c = claim_only(seq);
	deliver(&c);
	claim_only(seq + 1);
}
END_TEST

START_TEST(a_replayed_entry_waits_for_the_one_in_flight_and_goes_before_its_retry)
{
	uint64_t seq = append_three();
	struct rp_claim first = claim_only(seq), second;

	deliver(&first);
	second = claim_only(seq + 1);
	ck_assert_int_eq(fx_change(RP_CHANGE_REPLAY, seq), RP_CHANGED_DONE);
	ck_assert(is_behind(seq));
	nothing_to_claim();
	fx_settle(&second, RP_SETTLE_RETRY);
	ck_assert(!is_behind(seq) && is_behind(seq + 1));
	first = claim_only(seq);
	deliver(&first);
	nothing_to_claim();
	fx.now_ms += 5000;
	claim_only(seq + 1);
}
END_TEST

START_TEST(several_replayed_entries_wait_for_the_one_in_flight_and_go_as_accepted)
{
	uint64_t seq = append_three();
	struct rp_claim c;
	int i;

	for (i = 0; i < 2; i++) {
		c = claim_only(seq + (uint64_t)i);
		deliver(&c);
	}
	c = claim_only(seq + 2);
	fx_change(RP_CHANGE_REPLAY, seq + 1);
	fx_change(RP_CHANGE_REPLAY, seq);
	nothing_to_claim();
	fx_verify_sound();
	deliver(&c);
	c = claim_only(seq);
	deliver(&c);
	claim_only(seq + 1);
}
END_TEST

START_TEST(a_replayed_entry_goes_before_one_that_is_held)
{
	uint64_t seq = append_three();
	struct rp_claim c = claim_only(seq);

	deliver(&c);
	fx_change(RP_CHANGE_HOLD, seq + 1);
	nothing_to_claim();
	fx_change(RP_CHANGE_REPLAY, seq);
	c = claim_only(seq);
	deliver(&c);
	nothing_to_claim();
	ck_assert(!is_behind(seq + 1));
}
END_TEST

START_TEST(the_one_in_front_is_named)
{
	uint64_t seq = append_three();
	struct rp_delivery d = fx_delivery(seq + 2);
	struct rp_entry front = {0};
	struct rp_claim c;

	ck_assert_int_eq(rp_outbox_front(fx.ob, &d, &front, &fx.err), RP_OK);
	ck_assert_uint_eq(front.seq, seq);
	c = claim_only(seq);
	deliver(&c);
	claim_only(seq + 1);
	fx_change(RP_CHANGE_REPLAY, seq);
	ck_assert_int_eq(rp_outbox_front(fx.ob, &d, &front, &fx.err), RP_OK);
	ck_assert_uint_eq(front.seq, seq + 1);
	d.order_key++;
	ck_assert_int_eq(rp_outbox_front(fx.ob, &d, &front, &fx.err), RP_ERR_NOTFOUND);
	rp_entry_release(&front);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("order");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, fx_setup, fx_teardown);
	tcase_add_test(tc, only_the_first_of_an_order_can_be_claimed);
	tcase_add_test(tc, what_is_settled_lets_the_next_go_in_the_same_turn);
	tcase_add_test(tc, a_retry_keeps_its_place);
	tcase_add_test(tc, the_order_is_kept_within_one_batch);
	tcase_add_test(tc, other_orders_other_endpoints_and_entries_without_one_go_their_way);
	tcase_add_test(tc, the_time_behind_spends_no_retry_budget);
	tcase_add_test(tc, a_not_before_of_the_next_is_kept);
	tcase_add_test(tc, a_dead_front_lets_the_next_go);
	tcase_add_test(tc, purging_lets_the_next_go_whatever_the_front_was_doing);
	tcase_add_test(tc, purging_from_the_middle_changes_nothing_else);
	tcase_add_test(tc, an_expired_front_dies_and_the_next_goes_in_the_same_turn);
	tcase_add_test(tc, the_entries_of_a_disabled_endpoint_all_die_in_bounded_turns);
	tcase_add_test(tc, a_late_2xx_of_the_front_lets_the_next_go);
	tcase_add_test(tc, what_a_lost_sender_had_in_front_stays_there);
	tcase_add_test(tc, a_held_front_holds_up_its_order_and_no_other);
	tcase_add_test(tc, what_is_held_behind_holds_up_those_after_it_once_it_is_in_front);
	tcase_add_test(tc, release_behind_the_front_puts_nothing_into_the_queue);
	tcase_add_test(tc, purging_a_held_front_lets_the_next_go);
	tcase_add_test(tc, replay_of_an_entry_behind_lets_it_stay_there);
	tcase_add_test(tc, a_replayed_entry_goes_before_those_accepted_after_it);
	tcase_add_test(tc, a_replayed_entry_waits_for_the_one_in_flight_and_goes_before_its_retry);
	tcase_add_test(tc, several_replayed_entries_wait_for_the_one_in_flight_and_go_as_accepted);
	tcase_add_test(tc, a_replayed_entry_goes_before_one_that_is_held);
	tcase_add_test(tc, the_one_in_front_is_named);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return fx_main(suite);
}
