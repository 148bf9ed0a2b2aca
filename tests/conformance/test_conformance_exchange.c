/* Exchanges of a sender: what is claimed, what settling does. */

#include <poll.h>
#include <stdlib.h>

#include "conformance/fixture.h"

#define N(table) ((int)(sizeof(table) / sizeof((table)[0])))

static size_t claims_of(unsigned k)
{
	uint64_t endpoint = fx_endpoint(k);
	size_t i, n = 0;

	for (i = 0; i < fx.n_claims; i++)
		n += fx.claims[i].endpoint == endpoint;
	return n;
}

/* --- claims ------------------------------------------------------------------------------ */

START_TEST(a_claim_tells_what_the_attempt_needs)
{
	struct rp_new_entry n = fx_new(1);
	struct rp_claim c;
	uint64_t seq;

	n.expires_at_ms = fx.now_ms + 60000;
	seq = fx_append_one(&n, NULL);
	fx.now_ms += 10;
	c = fx_claim();
	ck_assert_uint_eq(c.seq, seq);
	ck_assert_uint_eq(c.endpoint, fx_endpoint(1));
	ck_assert_uint_eq(c.claim_no, 1);
	ck_assert_uint_eq(c.attempt, 1);
	ck_assert_uint_eq(c.failures, 0);
	ck_assert_int_eq(c.budget_at_ms, fx.now_ms - 10);
	ck_assert_int_eq(c.expires_at_ms, n.expires_at_ms);
	ck_assert_int_eq(fx_state(seq), RP_STATE_IN_FLIGHT);
	ck_assert(fx.committed);
	ck_assert_int_eq(fx.next_ready_ms, RP_NEVER);
}
END_TEST

START_TEST(nothing_is_claimed_twice)
{
	fx_append(1, 5);
	fx_exchange(10, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 5);
	fx_exchange(10, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 0);
	ck_assert(!fx.committed);
}
END_TEST

START_TEST(a_claim_tells_when_others_wait_for_its_end)
{
	struct rp_new_entry ordered = fx_new(3);
	size_t i;

	ordered.order_by = rp_span_of("thread");
	fx.limit = 3;
	fx_append(1, 5);
	fx_append(2, 3);
	fx_append_one(&ordered, NULL);
	fx_exchange(10, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 7);
	for (i = 0; i < fx.n_claims; i++) {
		bool last_place = fx.claims[i].endpoint == fx_endpoint(1) && fx.claims[i].seq == 3;
		bool in_order = fx.claims[i].endpoint == fx_endpoint(3);

		ck_assert_int_eq(fx.claims[i].blocking, last_place || in_order);
	}
}
END_TEST

START_TEST(a_retry_is_never_claimed_before_it_is_due)
{
	struct rp_claim c;
	uint64_t seq = fx_append(1, 1);

	c = fx_claim();
	fx_settle(&c, RP_SETTLE_RETRY);
	ck_assert_int_eq(fx.next_ready_ms, fx.now_ms + 5000);
	fx.now_ms += 4999;
	fx_exchange(1, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 0);
	ck_assert(!fx.committed);
	fx.now_ms++;
	c = fx_claim();
	ck_assert_uint_eq(c.seq, seq);
	ck_assert_uint_eq(c.attempt, 2);
	ck_assert_uint_eq(c.failures, 1);
}
END_TEST

START_TEST(an_entry_that_is_due_does_not_pull_one_along_that_is_not)
{
	struct rp_new_entry later = fx_new(1);
	uint64_t seq = fx_append(1, 1);

	later.not_before_at_ms = fx.now_ms + 1;
	fx_append_one(&later, NULL);
	fx_exchange(5, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 1);
	ck_assert_uint_eq(fx.claims[0].seq, seq);
	ck_assert_int_eq(fx.next_ready_ms, fx.now_ms + 1);
}
END_TEST

START_TEST(what_is_due_first_goes_first_within_an_endpoint)
{
	static const int64_t after_ms[] = {300, 100, 200, 100, 0};
	static const int order[] = {4, 1, 3, 2, 0};
	uint64_t seqs[5];
	size_t i;

	for (i = 0; i < 5; i++) {
		struct rp_new_entry n = fx_new(1);

		n.not_before_at_ms = fx.now_ms + after_ms[i];
		seqs[i] = fx_append_one(&n, NULL);
	}
	fx.now_ms += 1000;
	fx_exchange(10, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 5);
	for (i = 0; i < 5; i++)
		ck_assert_uint_eq(fx.claims[i].seq, seqs[order[i]]);
}
END_TEST

START_TEST(the_limit_counts_what_earlier_turns_have_in_flight)
{
	struct rp_settlement s[2];

	fx.limit = 3;
	fx_append(1, 10);
	fx_exchange(2, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 2);
	s[0] = fx_settlement(&fx.claims[0], RP_SETTLE_DELIVERED);
	s[1] = fx_settlement(&fx.claims[1], RP_SETTLE_RETRY);
	fx_exchange(10, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 1);
	ck_assert_int_eq(fx.next_ready_ms, RP_NEVER);
	fx_exchange(10, s, 2);
	ck_assert_uint_eq(fx.n_claims, 2);
	ck_assert_uint_eq(fx_ledger().in_flight, 3);
}
END_TEST

START_TEST(a_changed_limit_holds_from_the_next_turn_on)
{
	struct rp_settlement s[4];
	size_t i;

	fx.limit = 4;
	fx_append(1, 20);
	fx_exchange(10, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 4);
	for (i = 0; i < 4; i++)
		s[i] = fx_settlement(&fx.claims[i], RP_SETTLE_DELIVERED);
	fx.limit = 2;
	fx_exchange(10, s, 1);
	ck_assert_uint_eq(fx.n_claims, 0);
	fx_exchange(10, s + 1, 2);
	ck_assert_uint_eq(fx.n_claims, 1);
	fx.limit = 7;
	fx_exchange(10, s + 3, 1);
	ck_assert_uint_eq(fx.n_claims, 6);
	ck_assert_uint_eq(fx_ledger().in_flight, 7);
}
END_TEST

START_TEST(a_large_backlog_takes_no_more_than_its_share)
{
	fx_append(1, 1000);
	fx.now_ms++;
	fx_append(2, 50);
	fx.now_ms++;
	fx_exchange(40, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 40);
	ck_assert_uint_eq(claims_of(1), 20);
	ck_assert_uint_eq(claims_of(2), 20);
}
END_TEST

START_TEST(a_clock_set_back_does_not_stop_an_endpoint)
{
	struct rp_claim c;

	fx_append(1, 1);
	c = fx_claim();
	fx.now_ms -= 3600000;
	fx_settle(&c, RP_SETTLE_DELIVERED);
	fx_append(1, 1);
	fx_exchange(1, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 1);
}
END_TEST

START_TEST(small_turns_serve_endpoints_one_after_the_other)
{
	size_t total[4] = {0}, i;
	unsigned k;

	for (k = 1; k <= 3; k++)
		fx_append(k, 500);
	for (i = 0; i < 30; i++) {
		fx.now_ms++;
		fx_exchange(2, NULL, 0);
		ck_assert_uint_eq(fx.n_claims, 2);
		for (k = 1; k <= 3; k++)
			total[k] += claims_of(k);
	}
	for (k = 1; k <= 3; k++)
		ck_assert_msg(total[k] == 20, "endpoint %u got %zu of 60", k, total[k]);
}
END_TEST

/* Hosts, and paths of one host. */
START_TEST(more_endpoints_than_one_turn_looks_at_all_get_served)
{
	size_t seen[700] = {0}, served = 0, i, turns;
	unsigned k;

	for (k = 0; k < 600; k++)
		fx_append(_i == 0 ? k : FX_PATHS + k, 3);
	for (turns = 0; turns < 20 && served < 600; turns++) {
		fx_exchange(100, NULL, 0);
		for (i = 0; i < fx.n_claims; i++) {
			const uint64_t id = fx.claims[i].endpoint,
				       number = _i == 0 ? rp_level_host(id) >> RP_HOST_SHIFT
							: rp_level_member(id) - RP_MEMBER_PATHS;

			ck_assert_uint_lt(number, 700);
			served += seen[number]++ == 0;
		}
	}
	ck_assert_msg(served == 600, "%zu of 600 endpoints were served in %zu turns", served,
		      turns);
}
END_TEST

START_TEST(entries_behind_a_full_limit_cost_nothing)
{
	struct rp_outbox_info before, after;
	size_t i;

	fx.limit = 1;
	for (i = 0; i < 10; i++)
		fx_append(1, 1000);
	fx_exchange(100, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 1);
	ck_assert_int_eq(fx.next_ready_ms, RP_NEVER);
	ck_assert_int_eq(rp_outbox_info(fx.ob, &before, &fx.err), RP_OK);
	for (i = 0; i < 10; i++) {
		int64_t at_ms = 0;

		fx.now_ms += 100000;
		fx_exchange(100, NULL, 0);
		ck_assert_uint_eq(fx.n_claims, 0);
		ck_assert(!fx.committed);
		ck_assert_int_eq(rp_outbox_next_ready(fx.ob, &at_ms, &fx.err), RP_OK);
		ck_assert_int_eq(at_ms, RP_NEVER);
	}
	ck_assert_int_eq(rp_outbox_info(fx.ob, &after, &fx.err), RP_OK);
	ck_assert_uint_eq(before.commits, after.commits);
}
END_TEST

START_TEST(a_full_endpoint_does_not_hold_up_another)
{
	fx.limit = 2;
	fx_append(1, 100);
	fx_append(2, 2);
	fx_exchange(100, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 4);
	ck_assert_uint_eq(claims_of(2), 2);
}
END_TEST

START_TEST(a_turn_that_wants_nothing_claims_nothing_and_tells_when_to_look)
{
	fx_append(1, 3);
	fx_exchange(0, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 0);
	ck_assert(!fx.committed);
	ck_assert_int_le(fx.next_ready_ms, fx.now_ms);
}
END_TEST

/* --- settling ---------------------------------------------------------------------------- */

START_TEST(a_delivered_entry_is_done_for_good)
{
	uint64_t seq = fx_append(1, 1);
	struct rp_claim c = fx_claim();
	struct rp_delivery d;

	fx.now_ms += 20;
	ck_assert(!fx_settle(&c, RP_SETTLE_DELIVERED));
	d = fx_delivery(seq);
	ck_assert_int_eq(d.state, RP_STATE_DELIVERED);
	ck_assert_int_eq(d.state_at_ms, fx.now_ms);
	ck_assert_uint_eq(d.http_status, 204);
	ck_assert_int_eq(d.cause, RP_CAUSE_NONE);
	fx.now_ms += INT64_C(1) << 40;
	fx_exchange(1, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 0);
}
END_TEST

START_TEST(a_dead_entry_keeps_its_cause_and_its_last_answer)
{
	uint64_t seq = fx_append(1, 1);
	struct rp_claim c = fx_claim();
	struct rp_delivery d;

	ck_assert(!fx_settle(&c, RP_SETTLE_DEAD));
	d = fx_delivery(seq);
	ck_assert_int_eq(d.state, RP_STATE_DEAD);
	ck_assert_int_eq(d.cause, RP_CAUSE_EXHAUSTED);
	ck_assert_int_eq(d.last_cause, RP_CAUSE_HTTP);
	ck_assert_uint_eq(d.http_status, 500);
}
END_TEST

START_TEST(attempts_are_numbered_and_logged_one_by_one)
{
	uint64_t seq = fx_append(1, 1);
	uint32_t n;

	for (n = 1; n <= 3; n++) {
		struct rp_claim c = fx_claim();
		struct rp_attempt a;

		ck_assert_uint_eq(c.attempt, n);
		ck_assert_uint_eq(c.claim_no, n);
		ck_assert(!fx_settle(&c, n < 3 ? RP_SETTLE_RETRY : RP_SETTLE_DELIVERED));
		ck_assert_uint_eq(fx_attempts(seq), n);
		a = fx_attempt(seq, n, NULL);
		ck_assert(!a.late);
		ck_assert_int_eq(a.outcome.cause, n < 3 ? RP_CAUSE_HTTP : RP_CAUSE_NONE);
		ck_assert_int_eq(a.started_at_ms, fx.now_ms);
		ck_assert_uint_eq(a.slot, fx.me.slot);
		fx.now_ms += 5000;
	}
}
END_TEST

START_TEST(a_returned_claim_leaves_no_trace_but_its_number)
{
	uint64_t seq = fx_append(1, 1);
	struct rp_delivery before = fx_delivery(seq), after;
	struct rp_claim c = fx_claim();

	ck_assert(!fx_settle(&c, RP_SETTLE_RETURN));
	after = fx_delivery(seq);
	ck_assert_int_eq(after.state, RP_STATE_WAITING);
	ck_assert_int_eq(after.due_at_ms, before.due_at_ms);
	ck_assert_uint_eq(after.failures, 0);
	ck_assert_uint_eq(after.attempts, 0);
	ck_assert_uint_eq(fx_attempts(seq), 0);
	c = fx_claim();
	ck_assert_uint_eq(c.attempt, 1);
	ck_assert_uint_eq(c.claim_no, 2);
}
END_TEST

static void park(const struct rp_claim *c, bool parks)
{
	struct rp_settlement s = fx_settlement(c, RP_SETTLE_PARK);

	s.cause = RP_CAUSE_NO_KEY;
	s.due_at_ms = fx.now_ms + 60000;
	s.outcome = NULL;
	fx_exchange(0, &s, 1);
	ck_assert(!s.stale);
	ck_assert(s.parked == parks);
}

START_TEST(a_parked_endpoint_waits_with_its_whole_queue_and_spends_nothing)
{
	uint64_t first = fx_append(1, 50), other = fx_append(2, 1);
	struct rp_claim a, b;

	fx.limit = 2;
	fx_exchange(3, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 3);
	a = fx.claims[0];
	b = fx.claims[1];
	ck_assert_uint_eq(fx.claims[2].seq, other);
	park(&a, true);
	park(&b, false);
	ck_assert_int_eq(fx_state(first), RP_STATE_WAITING);
	ck_assert_uint_eq(fx_delivery(first).attempts, 0);
	ck_assert_uint_eq(fx_delivery(first).failures, 0);
	ck_assert_int_eq(fx_delivery(first).last_cause, RP_CAUSE_NO_KEY);
	ck_assert_uint_eq(fx_attempts(first), 0);
	ck_assert_int_eq(fx_endpoint_record(1).last_cause, RP_CAUSE_NO_KEY);
	ck_assert_uint_eq(fx_endpoint_record(1).streak, 0);
	fx.now_ms += 59999;
	fx_exchange(10, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 0);
	ck_assert(!fx.committed);
	ck_assert_int_eq(fx.next_ready_ms, fx.now_ms + 1);
	fx.now_ms += 1;
	fx_exchange(10, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 2);
	ck_assert_uint_eq(fx.claims[0].attempt, 1);
	park(&fx.claims[0], true);
}
END_TEST

START_TEST(a_second_look_ends_a_parking_at_once)
{
	struct rp_claim c;

	fx_append(1, 5);
	c = fx_claim();
	park(&c, true);
	fx_renew();
	fx_verify_sound();
	fx_exchange(10, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 5);
}
END_TEST

START_TEST(a_second_look_finds_the_room_of_a_raised_limit)
{
	fx.limit = 2;
	fx_append(1, 10);
	fx_append(2, 1);
	fx_exchange(20, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 3);
	fx.limit = 5;
	fx_exchange(20, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 0);
	ck_assert_int_eq(fx.next_ready_ms, RP_NEVER);
	fx_renew();
	fx_verify_sound();
	fx_exchange(20, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 3);
}
END_TEST

START_TEST(a_second_look_writes_nothing_when_nobody_was_held_up)
{
	struct rp_outbox_info before, after;

	fx_append(1, 3);
	fx_append(2, 1);
	fx_exchange(20, NULL, 0);
	ck_assert_int_eq(rp_outbox_info(fx.ob, &before, &fx.err), RP_OK);
	fx_renew();
	ck_assert_int_eq(rp_outbox_info(fx.ob, &after, &fx.err), RP_OK);
	ck_assert_uint_eq(before.commits, after.commits);
}
END_TEST

START_TEST(settling_counts_at_the_endpoint)
{
	struct rp_claim c[3];
	struct rp_endpoint e;

	fx_append(1, 3);
	fx_exchange(3, NULL, 0);
	memcpy(c, fx.claims, sizeof c);
	fx_settle(&c[0], RP_SETTLE_RETRY);
	fx_settle(&c[1], RP_SETTLE_DEAD);
	e = fx_endpoint_record(1);
	ck_assert_uint_eq(e.streak, 2);
	ck_assert_uint_eq(e.last_status, 500);
	ck_assert_int_eq(e.last_failure_at_ms, fx.now_ms);
	fx.now_ms++;
	fx_settle(&c[2], RP_SETTLE_DELIVERED);
	e = fx_endpoint_record(1);
	ck_assert_uint_eq(e.streak, 0);
	ck_assert_int_eq(e.last_success_at_ms, fx.now_ms);
	ck_assert_uint_eq(e.count[RP_STATE_WAITING], 1);
	ck_assert_uint_eq(e.count[RP_STATE_DEAD], 1);
	ck_assert_uint_eq(e.count[RP_STATE_DELIVERED], 1);
}
END_TEST

/* --- late results ------------------------------------------------------------------------ */

static const enum rp_settle_kind bad_news[] = {RP_SETTLE_RETRY, RP_SETTLE_DEAD, RP_SETTLE_RETURN};

START_TEST(late_bad_news_changes_nothing)
{
	uint64_t seq = fx_append(1, 1);
	struct rp_claim lost = fx_claim(), current;
	unsigned char before[RP_DELIVERY_BYTES], after[RP_DELIVERY_BYTES];
	struct rp_delivery d;

	fx_settle(&lost, RP_SETTLE_RETRY);
	fx.now_ms += 5000;
	current = fx_claim();
	d = fx_delivery(seq);
	rp_delivery_pack(&d, seq, before, sizeof before);
	ck_assert(fx_settle(&lost, bad_news[_i]));
	ck_assert(!fx.committed);
	d = fx_delivery(seq);
	rp_delivery_pack(&d, seq, after, sizeof after);
	ck_assert_mem_eq(before, after, sizeof before);
	ck_assert_uint_eq(fx_attempts(seq), 1);
	ck_assert(!fx_settle(&current, bad_news[_i]));
}
END_TEST

static const enum rp_state late_states[] = {RP_STATE_WAITING, RP_STATE_HELD, RP_STATE_DEAD,
					    RP_STATE_IN_FLIGHT};

START_TEST(a_late_2xx_delivers_from_every_state)
{
	uint64_t seq = fx_append(1, 1);
	struct rp_claim lost = fx_claim(), other = lost;

	fx_settle(&lost, RP_SETTLE_RETRY);
	fx.now_ms += 5000;
	if (late_states[_i] == RP_STATE_HELD)
		fx_change(RP_CHANGE_HOLD, seq);
	if (late_states[_i] == RP_STATE_DEAD || late_states[_i] == RP_STATE_IN_FLIGHT)
		other = fx_claim();
	if (late_states[_i] == RP_STATE_DEAD)
		fx_settle(&other, RP_SETTLE_DEAD);
	ck_assert_int_eq(fx_state(seq), late_states[_i]);
	ck_assert(fx_settle(&lost, RP_SETTLE_DELIVERED));
	ck_assert_int_eq(fx_state(seq), RP_STATE_DELIVERED);
	ck_assert(fx_attempt(seq, lost.attempt, NULL).late);
	fx_verify_sound();
	if (late_states[_i] == RP_STATE_IN_FLIGHT) {
		ck_assert(fx_settle(&other, RP_SETTLE_RETRY));
		ck_assert_int_eq(fx_state(seq), RP_STATE_DELIVERED);
	}
	fx.now_ms += 100000;
	fx_exchange(1, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 0);
}
END_TEST

START_TEST(a_late_2xx_for_a_delivered_or_purged_entry_changes_nothing)
{
	uint64_t seq = fx_append(1, 1);
	struct rp_claim c = fx_claim();

	fx_settle(&c, RP_SETTLE_DELIVERED);
	ck_assert(fx_settle(&c, RP_SETTLE_DELIVERED));
	ck_assert(!fx.committed);
	ck_assert_int_eq(fx_change(RP_CHANGE_PURGE, seq), RP_CHANGED_DONE);
	ck_assert(fx_settle(&c, RP_SETTLE_DELIVERED));
	ck_assert(!fx.committed);
	ck_assert_int_eq(fx_state(seq), 0);
}
END_TEST

START_TEST(a_claim_that_was_lost_or_purged_is_not_fetched)
{
	uint64_t seq = fx_append(1, 1);
	struct rp_claim lost = fx_claim(), current;
	struct rp_dispatch d = {0};

	fx_settle(&lost, RP_SETTLE_RETURN);
	ck_assert_int_eq(rp_outbox_fetch(fx.ob, &lost, &d, &fx.err), RP_ERR_STALE);
	current = fx_claim();
	ck_assert_int_eq(rp_outbox_fetch(fx.ob, &lost, &d, &fx.err), RP_ERR_STALE);
	ck_assert_int_eq(rp_outbox_fetch(fx.ob, &current, &d, &fx.err), RP_OK);
	fx_change(RP_CHANGE_PURGE, seq);
	ck_assert_int_eq(rp_outbox_fetch(fx.ob, &current, &d, &fx.err), RP_ERR_STALE);
	rp_dispatch_release(&d);
}
END_TEST

/* --- dying without an attempt ------------------------------------------------------------ */

START_TEST(an_expired_entry_dies_instead_of_being_claimed)
{
	struct rp_new_entry n = fx_new(1);
	uint64_t seq, other;
	struct rp_delivery d;

	n.expires_at_ms = fx.now_ms + 100;
	seq = fx_append_one(&n, NULL);
	other = fx_append(1, 1);
	fx.now_ms += 100;
	fx_exchange(5, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 1);
	ck_assert_uint_eq(fx.claims[0].seq, other);
	ck_assert_uint_eq(fx.n_dead, 1);
	d = fx_delivery(seq);
	ck_assert_int_eq(d.state, RP_STATE_DEAD);
	ck_assert_int_eq(d.cause, RP_CAUSE_EXPIRED);
	ck_assert_uint_eq(d.attempts, 0);
}
END_TEST

START_TEST(a_gone_endpoint_kills_its_entries_in_bounded_portions)
{
	uint64_t first = fx_append(1, 1000), other = fx_append(2, 1);
	struct rp_settlement s;
	struct rp_claim c = fx_claim();
	size_t dead = 0, turns = 0;

	s = fx_settlement(&c, RP_SETTLE_DEAD);
	s.cause = RP_CAUSE_GONE;
	s.disable_endpoint = true;
	fx_exchange(0, &s, 1);
	ck_assert(fx_endpoint_record(1).disabled);
	while (dead < 999) {
		fx_exchange(5, NULL, 0);
		ck_assert_uint_le(fx.n_dead, 256);
		ck_assert_uint_gt(fx.n_dead, 0);
		ck_assert(turns > 0 || (fx.n_claims == 1 && fx.claims[0].seq == other));
		ck_assert(fx.n_claims == 0 || turns == 0);
		dead += fx.n_dead;
		turns++;
	}
	ck_assert_uint_eq(dead, 999);
	ck_assert_int_eq(fx.next_ready_ms, RP_NEVER);
	ck_assert_int_eq(fx_delivery(first + 500).cause, RP_CAUSE_GONE);
	fx_append(1, 1);
	fx_exchange(5, NULL, 0);
	ck_assert_uint_eq(fx.n_dead, 1);
}
END_TEST

START_TEST(a_gone_endpoint_resumes_and_its_dead_can_be_replayed)
{
	uint64_t seq = fx_append(1, 2);
	struct rp_settlement s;
	struct rp_claim c = fx_claim();

	s = fx_settlement(&c, RP_SETTLE_DEAD);
	s.disable_endpoint = true;
	fx_exchange(5, &s, 1);
	ck_assert_int_eq(fx_state(seq + 1), RP_STATE_DEAD);
	fx_pause(1, false);
	ck_assert(!fx_endpoint_record(1).disabled);
	ck_assert_int_eq(fx_change(RP_CHANGE_REPLAY, seq), RP_CHANGED_DONE);
	ck_assert_int_eq(fx_change(RP_CHANGE_REPLAY, seq + 1), RP_CHANGED_DONE);
	fx_exchange(5, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 2);
}
END_TEST

START_TEST(a_paused_endpoint_keeps_its_entries_waiting)
{
	uint64_t seq = fx_append(1, 3);
	int64_t at_ms;

	fx_pause(1, true);
	ck_assert(fx_endpoint_record(1).paused);
	fx_append(1, 1);
	fx.now_ms += 100000;
	fx_exchange(10, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 0);
	ck_assert(!fx.committed);
	ck_assert_int_eq(fx.next_ready_ms, RP_NEVER);
	fx_pause(1, false);
	ck_assert_int_eq(rp_outbox_next_ready(fx.ob, &at_ms, &fx.err), RP_OK);
	ck_assert_int_le(at_ms, fx.now_ms);
	fx_exchange(10, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 4);
	ck_assert_uint_eq(fx.claims[0].seq, seq);
	ck_assert_uint_eq(fx.claims[0].failures, 0);
}
END_TEST

START_TEST(pausing_an_unknown_endpoint_is_refused)
{
	ck_assert_int_eq(rp_outbox_endpoint_pause(fx.ob, fx.now_ms, 77, true, &fx.err),
			 RP_ERR_NOTFOUND);
	ck_assert_uint_eq(fx_n_endpoints(), 0);
}
END_TEST

/* --- waking ------------------------------------------------------------------------------ */

static bool rung(void)
{
	return rp_outbox_drain(fx.ob, RP_WATCH_WORK).work;
}

/* A store may need a moment to tell. */
static bool rings(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 20000) == 1 && rung();
}

START_TEST(the_bell_rings_when_work_becomes_due)
{
	uint64_t seq;
	struct rp_claim c;
	int fd;

	ck_assert_int_eq(rp_outbox_watch(fx.ob, RP_WATCH_WORK, &fd, &fx.err), RP_OK);
	ck_assert(!rung());
	seq = fx_append(1, 1);
	ck_assert(rings(fd));
	ck_assert(!rung());
	fx_pause(1, true);
	rung();
	fx_pause(1, false);
	ck_assert(rings(fd));
	c = fx_claim();
	fx_settle(&c, RP_SETTLE_DEAD);
	rung();
	fx_change(RP_CHANGE_REPLAY, seq);
	ck_assert(rings(fd));
	fx_change(RP_CHANGE_HOLD, seq);
	ck_assert(!rung());
	fx_change(RP_CHANGE_RELEASE, seq);
	ck_assert(rings(fd));
	c = fx_claim();
	rung();
	fx_settle(&c, RP_SETTLE_RETURN);
	ck_assert(rings(fd));
}
END_TEST

START_TEST(the_oldest_waiting_entry_is_told_by_its_due_time)
{
	struct rp_outbox_info info;
	int64_t due_ms = fx.now_ms;

	fx_append(1, 3);
	fx.now_ms += 60000;
	fx_claim();
	ck_assert_int_eq(rp_outbox_info(fx.ob, &info, &fx.err), RP_OK);
	ck_assert_int_eq(info.next_due_at_ms, due_ms);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("exchange");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, fx_setup, fx_teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, a_claim_tells_what_the_attempt_needs);
	tcase_add_test(tc, nothing_is_claimed_twice);
	tcase_add_test(tc, a_claim_tells_when_others_wait_for_its_end);
	tcase_add_test(tc, a_retry_is_never_claimed_before_it_is_due);
	tcase_add_test(tc, an_entry_that_is_due_does_not_pull_one_along_that_is_not);
	tcase_add_test(tc, what_is_due_first_goes_first_within_an_endpoint);
	tcase_add_test(tc, the_limit_counts_what_earlier_turns_have_in_flight);
	tcase_add_test(tc, a_changed_limit_holds_from_the_next_turn_on);
	tcase_add_test(tc, a_large_backlog_takes_no_more_than_its_share);
	tcase_add_test(tc, a_clock_set_back_does_not_stop_an_endpoint);
	tcase_add_test(tc, small_turns_serve_endpoints_one_after_the_other);
	tcase_add_loop_test(tc, more_endpoints_than_one_turn_looks_at_all_get_served, 0, 2);
	tcase_add_test(tc, entries_behind_a_full_limit_cost_nothing);
	tcase_add_test(tc, a_full_endpoint_does_not_hold_up_another);
	tcase_add_test(tc, a_turn_that_wants_nothing_claims_nothing_and_tells_when_to_look);
	tcase_add_test(tc, a_delivered_entry_is_done_for_good);
	tcase_add_test(tc, a_dead_entry_keeps_its_cause_and_its_last_answer);
	tcase_add_test(tc, attempts_are_numbered_and_logged_one_by_one);
	tcase_add_test(tc, a_returned_claim_leaves_no_trace_but_its_number);
	tcase_add_test(tc, a_parked_endpoint_waits_with_its_whole_queue_and_spends_nothing);
	tcase_add_test(tc, a_second_look_ends_a_parking_at_once);
	tcase_add_test(tc, a_second_look_finds_the_room_of_a_raised_limit);
	tcase_add_test(tc, a_second_look_writes_nothing_when_nobody_was_held_up);
	tcase_add_test(tc, settling_counts_at_the_endpoint);
	tcase_add_loop_test(tc, late_bad_news_changes_nothing, 0, N(bad_news));
	tcase_add_loop_test(tc, a_late_2xx_delivers_from_every_state, 0, N(late_states));
	tcase_add_test(tc, a_late_2xx_for_a_delivered_or_purged_entry_changes_nothing);
	tcase_add_test(tc, a_claim_that_was_lost_or_purged_is_not_fetched);
	tcase_add_test(tc, an_expired_entry_dies_instead_of_being_claimed);
	tcase_add_test(tc, a_gone_endpoint_kills_its_entries_in_bounded_portions);
	tcase_add_test(tc, a_gone_endpoint_resumes_and_its_dead_can_be_replayed);
	tcase_add_test(tc, a_paused_endpoint_keeps_its_entries_waiting);
	tcase_add_test(tc, pausing_an_unknown_endpoint_is_refused);
	tcase_add_test(tc, the_bell_rings_when_work_becomes_due);
	tcase_add_test(tc, the_oldest_waiting_entry_is_told_by_its_due_time);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return fx_main(suite);
}
