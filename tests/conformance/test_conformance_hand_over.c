/* What an append hands to a sender that waits for work. */

#include <poll.h>

#include "conformance/fixture.h"

#define N(table) ((int)(sizeof(table) / sizeof((table)[0])))
#define LEASE_MS 10000
#define TAKE_MAX 16

/* --- working ----------------------------------------------------------------------------- */

static struct taken {
	struct rp_claim claims[TAKE_MAX];
	size_t n;
	uint64_t from;
} taken;

static void setup(void)
{
	fx_setup_with_peers();
	taken.from = 0;
}

static void offer(size_t claims_max)
{
	rp_outbox_offer(fx.ob, fx.now_ms, claims_max);
}

static size_t take_some(size_t want)
{
	struct rp_taking t = {
	    .from = taken.from, .want = want, .claims = taken.claims, .limits = fx_limits};

	fx_must(rp_outbox_take(fx.ob, &t, &fx.err), "take");
	taken.n = t.n_claims;
	taken.from = t.from;
	return t.n_claims;
}

static size_t take(void)
{
	return take_some(TAKE_MAX);
}

/* Its limits are known, and its host has delivered. Nothing is offered afterwards. */
static void know(unsigned k)
{
	struct rp_claim c;

	offer(0);
	fx_append(k, 1);
	c = fx_claim();
	ck_assert(!fx_settle(&c, RP_SETTLE_DELIVERED));
}

static bool is_handed(uint64_t seq)
{
	return fx_state(seq) == RP_STATE_IN_FLIGHT;
}

/* --- the plain case ---------------------------------------------------------------------- */

START_TEST(a_lone_entry_is_claimed_in_the_commit_that_stores_it)
{
	struct rp_dispatch d = {.endpoint_only = false};
	struct rp_delivery is;
	struct rp_claim c;
	uint64_t seq;

	know(1);
	offer(8);
	seq = fx_append(1, 1);
	is = fx_delivery(seq);
	ck_assert_int_eq(is.state, RP_STATE_IN_FLIGHT);
	ck_assert_uint_eq(is.slot, fx.me.slot);
	ck_assert_uint_eq(fx_endpoint_record(1).count[RP_STATE_IN_FLIGHT], 1);
	fx_exchange(8, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 0);
	ck_assert_uint_eq(take(), 1);
	c = taken.claims[0];
	ck_assert_uint_eq(c.seq, seq);
	ck_assert_uint_eq(c.endpoint, fx_endpoint(1));
	ck_assert_uint_eq(c.claim_no, is.claim_no);
	ck_assert_uint_eq(c.attempt, 1);
	ck_assert_uint_eq(c.failures, 0);
	ck_assert_int_eq(c.budget_at_ms, fx.now_ms);
	ck_assert(!c.other_limits && !c.blocking && !c.unproven && !rp_tokens_any(&c.tokens));
	ck_assert_uint_eq(take(), 0);
	fx_must(rp_outbox_fetch(fx.ob, &c, &d, &fx.err), "fetch");
	ck_assert(d.endpoint_known);
	rp_dispatch_release(&d);
	ck_assert(!fx_settle(&c, RP_SETTLE_DELIVERED));
	ck_assert_int_eq(fx_state(seq), RP_STATE_DELIVERED);
	ck_assert_uint_eq(fx_attempts(seq), 1);
}
END_TEST

START_TEST(what_is_handed_over_wakes_its_sender)
{
	struct pollfd fd = {.events = POLLIN};

	know(1);
	fx_peer_join(0);
	fx_must(rp_outbox_watch(fx.ob, RP_WATCH_WORK, &fd.fd, &fx.err), "watch");
	rp_outbox_drain(fx.ob, RP_WATCH_WORK);
	offer(8);
	fx_peer_append(0, 1);
	ck_assert_int_eq(poll(&fd, 1, 5000), 1);
	ck_assert(rp_outbox_drain(fx.ob, RP_WATCH_WORK).work);
	ck_assert_uint_eq(take(), 1);
}
END_TEST

START_TEST(no_more_is_handed_over_than_was_offered)
{
	uint64_t seq[4];
	int i;

	know(1);
	offer(2);
	for (i = 0; i < 3; i++)
		seq[i] = fx_append(1, 1);
	ck_assert(is_handed(seq[0]) && is_handed(seq[1]) && !is_handed(seq[2]));
	ck_assert_uint_eq(take_some(1), 1);
	ck_assert_uint_eq(taken.claims[0].seq, seq[0]);
	ck_assert(!fx_settle(&taken.claims[0], RP_SETTLE_DELIVERED));
	fx_exchange(8, NULL, 0); /* it counts as well */
	ck_assert_uint_eq(fx.n_claims, 1);
	ck_assert_uint_eq(fx.claims[0].seq, seq[2]);
	seq[3] = fx_append(1, 1);
	ck_assert(!is_handed(seq[3]));
	ck_assert(!fx_settle(&fx.claims[0], RP_SETTLE_DELIVERED));
	fx_exchange(1, NULL, 0);
	ck_assert_uint_eq(fx.claims[0].seq, seq[3]);
	ck_assert_uint_eq(take(), 1);
	ck_assert_uint_eq(taken.claims[0].seq, seq[1]);
}
END_TEST

START_TEST(claims_of_exchanges_are_not_taken)
{
	uint64_t seq;

	know(1);
	fx_append(1, 3);
	fx_exchange(3, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 3);
	offer(8);
	seq = fx_append(1, 1);
	ck_assert_uint_eq(take(), 1);
	ck_assert_uint_eq(taken.claims[0].seq, seq);
}
END_TEST

START_TEST(a_few_entries_are_handed_over_together_and_a_flood_is_not)
{
	uint64_t seq;

	know(1);
	know(2);
	offer(8);
	seq = fx_append(1, RP_HAND_OVER_ENTRIES_MAX);
	ck_assert(is_handed(seq) && is_handed(seq + RP_HAND_OVER_ENTRIES_MAX - 1));
	ck_assert_uint_eq(take(), RP_HAND_OVER_ENTRIES_MAX);
	seq = fx_append(2, RP_HAND_OVER_ENTRIES_MAX + 1);
	ck_assert(!is_handed(seq));
}
END_TEST

/* --- what stands in the way -------------------------------------------------------------- */

static uint64_t append(void)
{
	return fx_append(1, 1);
}

static uint64_t append_later(void)
{
	struct rp_new_entry n = fx_new(1);

	n.not_before_at_ms = fx.now_ms + 1;
	return fx_append_one(&n, NULL);
}

static uint64_t append_in_order(void)
{
	struct rp_new_entry n = fx_new(1);

	n.order_by = rp_span_of("one by one");
	return fx_append_one(&n, NULL);
}

static uint64_t append_expired(void)
{
	struct rp_new_entry n = fx_new(1);

	n.expires_at_ms = fx.now_ms;
	return fx_append_one(&n, NULL);
}

static uint64_t append_new_path(void)
{
	return fx_append(FX_PATHS + 1, 1);
}

static uint64_t append_behind_another(void)
{
	offer(0);
	fx_append(1, 1);
	offer(8);
	return append();
}

static uint64_t append_behind_another_path(void)
{
	offer(0);
	fx_append(FX_PATHS + 1, 1);
	offer(8);
	return append();
}

static uint64_t append_when_full(void)
{
	fx.limit = 2;
	know(1);
	fx_append(1, 2);
	fx_exchange(2, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 2);
	offer(8);
	return append();
}

static uint64_t append_when_paused(void)
{
	fx_pause(1, true);
	return append();
}

static uint64_t append_without_an_offer(void)
{
	offer(0);
	return append();
}

static uint64_t append_to_an_old_offer(void)
{
	fx.now_ms += RP_OFFER_KEEPS_MS + 1;
	return append();
}

static uint64_t append_after_withdrawal(void)
{
	fx_must(rp_outbox_withdraw(fx.ob, &fx.err), "withdraw");
	return append();
}

static uint64_t append_with_a_rate(void)
{
	fx.limits = (struct rp_limits){.in_flight = 9, .start = 9, .rate = {1000, 1000}};
	know(1);
	offer(8);
	return append();
}

static uint64_t append_after_a_reload(void)
{
	fx.limit = 1; /* so that it is looked at again */
	know(1);
	fx_append(1, 1);
	fx_exchange(1, NULL, 0);
	fx_renew();
	ck_assert(!fx_settle(&fx.claims[0], RP_SETTLE_DELIVERED));
	offer(8);
	return append();
}

static uint64_t append_to_an_unproven_host(void)
{
	fx.now_ms += RP_PROVEN_MS;
	offer(8);
	return append();
}

static uint64_t append_after_a_failure(void)
{
	struct rp_claim c;

	offer(0);
	fx_append(1, 1);
	c = fx_claim();
	ck_assert(!fx_settle(&c, RP_SETTLE_RETRY)); /* due in a while */
	offer(8);
	return append();
}

static const struct {
	const char *what;
	uint64_t (*append)(void);
	bool handed;
} cases[] = {
    {"nothing is in its way", append, true},
    {"it is due later", append_later, false},
    {"it goes in order", append_in_order, false},
    {"it has expired", append_expired, false},
    {"nobody has asked for the limits of its path", append_new_path, false},
    {"another one of its path is due", append_behind_another, false},
    {"one of another path of its host is due", append_behind_another_path, false},
    {"the path is full", append_when_full, false},
    {"the path is paused", append_when_paused, false},
    {"nothing is offered", append_without_an_offer, false},
    {"the offer is old", append_to_an_old_offer, false},
    {"the offer was taken back", append_after_withdrawal, false},
    {"the path has a rate", append_with_a_rate, false},
    {"limits are to be asked for anew", append_after_a_reload, false},
    {"the host has not delivered for long", append_to_an_unproven_host, false},
    {"one of its path waits for its retry", append_after_a_failure, true},
};

START_TEST(an_entry_is_handed_over_when_the_table_says)
{
	know(1);
	offer(8);
	ck_assert_msg(is_handed(cases[_i].append()) == cases[_i].handed, "%s", cases[_i].what);
}
END_TEST

/* --- other limits ------------------------------------------------------------------------ */

static void another_limit(void)
{
	fx.limits = (struct rp_limits){.in_flight = 7, .start = 1000000};
}

static void a_rate(void)
{
	fx.limits = (struct rp_limits){.in_flight = 1000000, .start = 1000000, .rate = {1, 1000}};
}

static void a_section(void)
{
	fx.section_limits = (struct rp_limits){.in_flight = 1, .start = 1};
}

static void another_limit_of_the_host(void)
{
	fx.host_limits = (struct rp_limits){.in_flight = 5, .start = 5};
}

START_TEST(a_claim_under_other_limits_goes_back_and_is_claimed_under_these)
{
	static void (*const changes[])(void) = {another_limit, a_rate, a_section,
						another_limit_of_the_host};
	uint64_t seq;

	know(1);
	offer(8);
	seq = fx_append(1, 1);
	ck_assert(is_handed(seq));
	changes[_i]();
	ck_assert_uint_eq(take(), 1);
	ck_assert(taken.claims[0].other_limits);
	ck_assert(!fx_settle(&taken.claims[0], RP_SETTLE_RETURN));
	ck_assert_int_eq(fx_state(seq), RP_STATE_WAITING);
	ck_assert_uint_eq(fx_claim().seq, seq);
	ck_assert_uint_eq(fx_delivery(seq).attempts, 1);
}
END_TEST

START_TEST(a_claim_in_a_section_that_shares_its_limits_counts_there)
{
	uint64_t seq[2];

	fx.section_limits = (struct rp_limits){.in_flight = 1, .start = 1};
	know(1);
	offer(8);
	seq[0] = fx_append(1, 1);
	seq[1] = fx_append(1, 1);
	ck_assert(is_handed(seq[0]) && !is_handed(seq[1]));
	ck_assert_uint_eq(take(), 1);
	ck_assert(!taken.claims[0].other_limits);
	ck_assert(taken.claims[0].blocking);
}
END_TEST

/* --- senders that go --------------------------------------------------------------------- */

START_TEST(what_was_handed_to_a_sender_that_ended_comes_back)
{
	uint64_t seq;

	know(1);
	fx_peer_join(0);
	fx_peer_offer(0, 8);
	seq = fx_append(1, 1);
	ck_assert(is_handed(seq));
	ck_assert_uint_ne(fx_delivery(seq).slot, fx.me.slot);
	ck_assert_uint_eq(take(), 0);
	ck_assert_uint_eq(fx_reap(LEASE_MS), 0);
	fx_peer_end(0);
	ck_assert_uint_eq(fx_reap(LEASE_MS), 1);
	ck_assert_uint_eq(fx_claim().seq, seq);
}
END_TEST

/* As one that could not start, or has left. */
START_TEST(one_that_has_not_joined_takes_nothing_of_the_next_with_its_slot)
{
	uint64_t seq;

	know(1);
	fx_must(rp_outbox_leave(fx.ob, fx.now_ms, &fx.err), "leave");
	fx_peer_join(0);
	fx_peer_offer(0, 8);
	seq = fx_append(1, 1);
	ck_assert(is_handed(seq));
	ck_assert_uint_eq(fx_delivery(seq).slot, fx.me.slot);
	taken.from = 0;
	ck_assert_uint_eq(take(), 0);
}
END_TEST

START_TEST(nothing_is_handed_to_a_sender_that_has_gone)
{
	know(1);
	fx_peer_join(0);
	fx_peer_join(1);
	fx_peer_offer(0, 8);
	fx_peer_offer(1, 8);
	fx_peer_end(0);
	fx_peer_leave(1);
	ck_assert(!is_handed(fx_append(1, 1)));
}
END_TEST

START_TEST(what_was_handed_to_a_sender_that_stands_still_comes_back)
{
	uint64_t seq;

	know(1);
	fx_peer_join(0);
	fx_peer_offer(0, 8);
	seq = fx_append(1, 1);
	fx.now_ms += LEASE_MS + 1;
	fx.boot_ms += LEASE_MS + 1;
	ck_assert_uint_eq(fx_reap(LEASE_MS), 1);
	ck_assert_int_eq(fx_state(seq), RP_STATE_WAITING);
}
END_TEST

START_TEST(a_sender_that_leaves_gives_back_what_it_has_not_taken)
{
	uint64_t seq;

	know(1);
	offer(8);
	seq = fx_append(1, 1);
	fx_must(rp_outbox_leave(fx.ob, fx.now_ms, &fx.err), "leave");
	ck_assert_int_eq(fx_state(seq), RP_STATE_WAITING);
	fx_join();
	ck_assert(!is_handed(fx_append(1, 1))); /* an offer is not inherited */
	ck_assert_uint_eq(take(), 0);
}
END_TEST

START_TEST(it_is_the_first_sender_with_a_place_that_gets_it)
{
	unsigned slot[3];
	int i;

	know(1);
	fx_peer_join(0);
	offer(1);
	fx_peer_offer(0, 1);
	for (i = 0; i < 3; i++) {
		uint64_t seq = fx_append(1, 1);

		ck_assert_int_eq(is_handed(seq), i < 2);
		slot[i] = fx_delivery(seq).slot;
	}
	ck_assert_uint_ne(slot[0], slot[1]);
}
END_TEST

/* --- a store that does not hand over ------------------------------------------------------- */

START_TEST(an_offer_to_a_store_that_does_not_hand_over_changes_nothing)
{
	uint64_t seq;

	know(1);
	offer(8);
	seq = fx_append(1, 1);
	ck_assert_int_eq(fx_state(seq), RP_STATE_WAITING);
	ck_assert_uint_eq(take(), 0);
	fx_must(rp_outbox_withdraw(fx.ob, &fx.err), "withdraw");
	ck_assert_uint_eq(fx_claim().seq, seq);
	ck_assert_uint_eq(take(), 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("hand_over");
	TCase *tc = tcase_create("append");

	tcase_add_checked_fixture(tc, setup, fx_teardown);
	if (!fx_at.store->hands_over) {
		tcase_add_test(tc, an_offer_to_a_store_that_does_not_hand_over_changes_nothing);
		suite_add_tcase(s, tc);
		return s;
	}
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_lone_entry_is_claimed_in_the_commit_that_stores_it);
	tcase_add_test(tc, what_is_handed_over_wakes_its_sender);
	tcase_add_test(tc, no_more_is_handed_over_than_was_offered);
	tcase_add_test(tc, claims_of_exchanges_are_not_taken);
	tcase_add_test(tc, a_few_entries_are_handed_over_together_and_a_flood_is_not);
	tcase_add_loop_test(tc, an_entry_is_handed_over_when_the_table_says, 0, N(cases));
	tcase_add_loop_test(tc, a_claim_under_other_limits_goes_back_and_is_claimed_under_these, 0,
			    4);
	tcase_add_test(tc, a_claim_in_a_section_that_shares_its_limits_counts_there);
	tcase_add_test(tc, what_was_handed_to_a_sender_that_ended_comes_back);
	tcase_add_test(tc, one_that_has_not_joined_takes_nothing_of_the_next_with_its_slot);
	tcase_add_test(tc, nothing_is_handed_to_a_sender_that_has_gone);
	tcase_add_test(tc, what_was_handed_to_a_sender_that_stands_still_comes_back);
	tcase_add_test(tc, a_sender_that_leaves_gives_back_what_it_has_not_taken);
	tcase_add_test(tc, it_is_the_first_sender_with_a_place_that_gets_it);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return fx_main(suite);
}
