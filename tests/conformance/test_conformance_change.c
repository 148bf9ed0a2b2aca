/* What operators do: replay, hold, release, purge; and what expires by itself. */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conformance/fixture.h"

#define N(table) ((int)(sizeof(table) / sizeof((table)[0])))

/* --- verbs ------------------------------------------------------------------------------- */

static const struct {
	enum rp_state from;
	enum rp_change verb;
	enum rp_changed result;
	enum rp_state to; /* 0: gone */
} verbs[] = {
    {RP_STATE_WAITING, RP_CHANGE_REPLAY, RP_CHANGED_DONE, RP_STATE_WAITING},
    {RP_STATE_IN_FLIGHT, RP_CHANGE_REPLAY, RP_CHANGED_SKIPPED_IN_FLIGHT, RP_STATE_IN_FLIGHT},
    {RP_STATE_HELD, RP_CHANGE_REPLAY, RP_CHANGED_DONE, RP_STATE_WAITING},
    {RP_STATE_DELIVERED, RP_CHANGE_REPLAY, RP_CHANGED_DONE, RP_STATE_WAITING},
    {RP_STATE_DEAD, RP_CHANGE_REPLAY, RP_CHANGED_DONE, RP_STATE_WAITING},
    {RP_STATE_WAITING, RP_CHANGE_HOLD, RP_CHANGED_DONE, RP_STATE_HELD},
    {RP_STATE_IN_FLIGHT, RP_CHANGE_HOLD, RP_CHANGED_SKIPPED_IN_FLIGHT, RP_STATE_IN_FLIGHT},
    {RP_STATE_HELD, RP_CHANGE_HOLD, RP_CHANGED_SKIPPED_STATE, RP_STATE_HELD},
    {RP_STATE_DELIVERED, RP_CHANGE_HOLD, RP_CHANGED_SKIPPED_STATE, RP_STATE_DELIVERED},
    {RP_STATE_DEAD, RP_CHANGE_HOLD, RP_CHANGED_SKIPPED_STATE, RP_STATE_DEAD},
    {RP_STATE_WAITING, RP_CHANGE_RELEASE, RP_CHANGED_SKIPPED_STATE, RP_STATE_WAITING},
    {RP_STATE_IN_FLIGHT, RP_CHANGE_RELEASE, RP_CHANGED_SKIPPED_IN_FLIGHT, RP_STATE_IN_FLIGHT},
    {RP_STATE_HELD, RP_CHANGE_RELEASE, RP_CHANGED_DONE, RP_STATE_WAITING},
    {RP_STATE_DELIVERED, RP_CHANGE_RELEASE, RP_CHANGED_SKIPPED_STATE, RP_STATE_DELIVERED},
    {RP_STATE_DEAD, RP_CHANGE_RELEASE, RP_CHANGED_SKIPPED_STATE, RP_STATE_DEAD},
    {RP_STATE_WAITING, RP_CHANGE_PURGE, RP_CHANGED_DONE, 0},
    {RP_STATE_IN_FLIGHT, RP_CHANGE_PURGE, RP_CHANGED_DONE_IN_FLIGHT, 0},
    {RP_STATE_HELD, RP_CHANGE_PURGE, RP_CHANGED_DONE, 0},
    {RP_STATE_DELIVERED, RP_CHANGE_PURGE, RP_CHANGED_DONE, 0},
    {RP_STATE_DEAD, RP_CHANGE_PURGE, RP_CHANGED_DONE, 0},
};

START_TEST(each_verb_does_its_work_in_each_state)
{
	uint64_t seq = fx_entry_in(1, verbs[_i].from);

	ck_assert_int_eq(fx_state(seq), verbs[_i].from);
	ck_assert_int_eq(fx_change(verbs[_i].verb, seq), verbs[_i].result);
	ck_assert_int_eq(fx_state(seq), verbs[_i].to);
}
END_TEST

START_TEST(an_entry_that_is_not_there_is_not_found)
{
	ck_assert_int_eq(fx_change(1 + (enum rp_change)_i, 4711), RP_CHANGED_NOT_FOUND);
}
END_TEST

START_TEST(a_state_mask_skips_what_has_moved_on)
{
	uint64_t seqs[3] = {fx_entry_in(1, RP_STATE_DEAD), fx_entry_in(1, RP_STATE_DELIVERED),
			    fx_entry_in(1, RP_STATE_HELD)};
	enum rp_changed results[3];

	ck_assert_int_eq(rp_outbox_change(fx.ob, fx.now_ms, RP_CHANGE_REPLAY,
					  1u << RP_STATE_DEAD | 1u << RP_STATE_HELD, seqs, 3, 0,
					  results, &fx.err),
			 RP_OK);
	ck_assert_int_eq(results[0], RP_CHANGED_DONE);
	ck_assert_int_eq(results[1], RP_CHANGED_SKIPPED_STATE);
	ck_assert_int_eq(results[2], RP_CHANGED_DONE);
	ck_assert_int_eq(fx_state(seqs[1]), RP_STATE_DELIVERED);
	ck_assert_int_eq(rp_outbox_change(fx.ob, fx.now_ms, RP_CHANGE_PURGE, 1u << RP_STATE_DEAD,
					  seqs, 3, 0, results, &fx.err),
			 RP_OK);
	ck_assert_int_eq(results[0], RP_CHANGED_SKIPPED_STATE);
	ck_assert_uint_eq(fx_ledger().purged, 0);
}
END_TEST

START_TEST(an_entry_named_twice_is_changed_once)
{
	uint64_t seq = fx_entry_in(1, RP_STATE_DEAD), seqs[2] = {seq, seq};
	enum rp_changed results[2];

	ck_assert_int_eq(
	    rp_outbox_change(fx.ob, fx.now_ms, RP_CHANGE_PURGE, 0, seqs, 2, 0, results, &fx.err),
	    RP_OK);
	ck_assert_int_eq(results[0], RP_CHANGED_DONE);
	ck_assert_int_eq(results[1], RP_CHANGED_NOT_FOUND);
}
END_TEST

START_TEST(a_replay_starts_a_fresh_budget_under_the_same_id)
{
	struct rp_new_entry n = fx_new(1);
	struct rp_entry found = {0};
	struct rp_appended out;
	struct rp_delivery d;
	struct rp_claim c;
	int i;

	n.expires_at_ms = fx.now_ms + 60000;
	ck_assert_int_eq(rp_outbox_append(fx.ob, fx.now_ms, &n, 1, &out, &fx.err), RP_OK);
	for (i = 0; i < 3; i++) {
		c = fx_claim();
		fx_settle(&c, i < 2 ? RP_SETTLE_RETRY : RP_SETTLE_DEAD);
		fx.now_ms += 5000;
	}
	fx.now_ms += 1000000;
	ck_assert_int_eq(fx_change(RP_CHANGE_REPLAY, out.seq), RP_CHANGED_DONE);
	d = fx_delivery(out.seq);
	ck_assert_uint_eq(d.failures, 0);
	ck_assert_uint_eq(d.replays, 1);
	ck_assert_uint_eq(d.attempts, 3);
	ck_assert_int_eq(d.due_at_ms, fx.now_ms);
	ck_assert_int_eq(d.budget_at_ms, fx.now_ms);
	ck_assert_int_eq(d.cause, RP_CAUSE_NONE);
	c = fx_claim();
	ck_assert_uint_eq(c.attempt, 4);
	ck_assert_uint_eq(c.failures, 0);
	ck_assert_int_eq(c.budget_at_ms, fx.now_ms);
	ck_assert_int_eq(c.expires_at_ms, 0);
	ck_assert_int_eq(rp_outbox_find(fx.ob, out.id, &found, &fx.err), RP_OK);
	ck_assert_uint_eq(found.seq, out.seq);
	ck_assert_uint_eq(fx_attempts(out.seq), 3);
	rp_entry_release(&found);
}
END_TEST

START_TEST(a_held_entry_is_not_claimed_and_keeps_its_due_time)
{
	struct rp_new_entry n = fx_new(1);
	uint64_t seq;

	n.not_before_at_ms = fx.now_ms + 1000;
	seq = fx_append_one(&n, NULL);
	fx_change(RP_CHANGE_HOLD, seq);
	fx.now_ms += 500;
	fx_exchange(1, NULL, 0);
	ck_assert_int_eq(fx.next_ready_ms, RP_NEVER);
	fx_change(RP_CHANGE_RELEASE, seq);
	ck_assert_int_eq(fx_delivery(seq).due_at_ms, n.not_before_at_ms);
	fx_exchange(1, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 0);
	fx.now_ms += 500;
	ck_assert_uint_eq(fx_claim().seq, seq);
}
END_TEST

START_TEST(a_paused_or_gone_endpoint_is_remembered_without_entries)
{
	uint64_t seq = fx_append(1, 1), gone = fx_append(2, 1);
	struct rp_settlement s;
	struct rp_claim c;

	fx_pause(1, true);
	c = fx_claim();
	ck_assert_uint_eq(c.seq, gone);
	s = fx_settlement(&c, RP_SETTLE_DEAD);
	s.disable_endpoint = true;
	fx_exchange(0, &s, 1);
	fx_change(RP_CHANGE_PURGE, seq);
	fx_change(RP_CHANGE_PURGE, gone);
	ck_assert(fx_endpoint_record(1).paused);
	ck_assert(fx_endpoint_record(2).disabled);
	fx_pause(1, false);
	ck_assert_uint_eq(fx_n_endpoints(), 1);
}
END_TEST

START_TEST(a_purge_in_flight_makes_room_under_the_limit)
{
	uint64_t seq = fx_append(1, 2);

	fx.limit = 1;
	fx_claim();
	ck_assert_int_eq(fx.next_ready_ms, RP_NEVER);
	ck_assert_int_eq(fx_change(RP_CHANGE_PURGE, seq), RP_CHANGED_DONE_IN_FLIGHT);
	ck_assert_uint_eq(fx_claim().seq, seq + 1);
}
END_TEST

/* --- expiry ------------------------------------------------------------------------------ */

static size_t expire(int64_t keep_delivered_ms, int64_t keep_dead_ms, size_t max)
{
	size_t n;

	ck_assert_int_eq(
	    rp_outbox_expire(fx.ob, fx.now_ms, keep_delivered_ms, keep_dead_ms, max, &n, &fx.err),
	    RP_OK);
	return n;
}

START_TEST(old_entries_expire_and_young_or_live_ones_stay)
{
	uint64_t done = fx_entry_in(1, RP_STATE_DELIVERED), dead = fx_entry_in(1, RP_STATE_DEAD);
	uint64_t held = fx_entry_in(1, RP_STATE_HELD), young;

	fx.now_ms += 1000;
	young = fx_entry_in(1, RP_STATE_DELIVERED);
	ck_assert_uint_eq(expire(0, 0, 10), 0);
	ck_assert_uint_eq(expire(1001, 1001, 10), 0);
	ck_assert_uint_eq(expire(1000, 1001, 10), 1);
	ck_assert_int_eq(fx_state(done), 0);
	ck_assert_int_eq(fx_state(dead), RP_STATE_DEAD);
	ck_assert_uint_eq(expire(1000, 1000, 10), 1);
	ck_assert_int_eq(fx_state(dead), 0);
	ck_assert_int_eq(fx_state(held), RP_STATE_HELD);
	ck_assert_int_eq(fx_state(young), RP_STATE_DELIVERED);
	ck_assert_uint_eq(fx_ledger().purged, 2);
}
END_TEST

START_TEST(expiry_removes_no_more_than_it_may)
{
	int i;

	for (i = 0; i < 5; i++)
		fx_entry_in(1, i % 2 ? RP_STATE_DELIVERED : RP_STATE_DEAD);
	fx.now_ms += 1000;
	ck_assert_uint_eq(expire(10, 10, 3), 3);
	ck_assert_uint_eq(expire(10, 10, 3), 2);
	ck_assert_uint_eq(expire(10, 10, 3), 0);
}
END_TEST

/* --- paging ------------------------------------------------------------------------------ */

struct seen {
	size_t n, stop_at;
	uint64_t last;
	enum rp_state state;
};

static bool see(void *arg, const struct rp_entry *entry)
{
	struct seen *s = arg;

	ck_assert_uint_gt(entry->seq, s->last);
	ck_assert(s->state == 0 || entry->delivery.state == s->state);
	s->last = entry->seq;
	return ++s->n != s->stop_at;
}

START_TEST(all_are_shown_once_and_by_number_in_order)
{
	const struct rp_filter every = {0}, is_dead = {.states = RP_STATE_BIT(RP_STATE_DEAD)};
	struct seen all = {0}, dead = {.state = RP_STATE_DEAD};
	struct rp_select s = {.filter = &every, .by_number = true, .max_seen = 7, .see = see};
	int i, calls = 0;

	for (i = 0; i < 40; i++)
		fx_entry_in((unsigned)i % 3, i % 4 ? RP_STATE_HELD : RP_STATE_DEAD);
	s.arg = &all;
	do {
		ck_assert_int_eq(rp_outbox_select(fx.ob, &s, &fx.err), RP_OK);
		calls++;
	} while (s.more);
	rp_outbox_select_end(fx.ob, &s);
	ck_assert_uint_eq(all.n, 40);
	ck_assert_int_ge(calls, 6);
	s = (struct rp_select){
	    .filter = &is_dead, .by_number = true, .max_seen = 7, .see = see, .arg = &dead};
	do
		ck_assert_int_eq(rp_outbox_select(fx.ob, &s, &fx.err), RP_OK);
	while (s.more);
	rp_outbox_select_end(fx.ob, &s);
	ck_assert_uint_eq(dead.n, 10);
}
END_TEST

START_TEST(it_begins_with_the_number_it_is_given)
{
	uint64_t first = fx_append(1, 5);
	const struct rp_filter f = {.from_seq = first + 2};
	struct seen all = {0};
	struct rp_select s = {
	    .filter = &f, .by_number = true, .max_seen = 2, .see = see, .arg = &all};

	ck_assert_int_eq(rp_outbox_select(fx.ob, &s, &fx.err), RP_OK);
	ck_assert(s.more);
	ck_assert_int_eq(rp_outbox_select(fx.ob, &s, &fx.err), RP_OK);
	ck_assert(!s.more);
	ck_assert_uint_eq(all.n, 3);
	ck_assert_uint_eq(all.last, first + 4);
	rp_outbox_select_end(fx.ob, &s);
}
END_TEST

START_TEST(it_ends_where_its_reader_says_so)
{
	const struct rp_filter every = {0};
	struct seen seen = {.stop_at = 2};
	struct rp_select s = {.filter = &every, .by_number = true, .see = see, .arg = &seen};

	fx_append(1, 5);
	ck_assert_int_eq(rp_outbox_select(fx.ob, &s, &fx.err), RP_OK);
	ck_assert_uint_eq(seen.n, 2);
	ck_assert(!s.more);
	rp_outbox_select_end(fx.ob, &s);
}
END_TEST

/* --- opening ----------------------------------------------------------------------------- */

START_TEST(an_outbox_opened_again_has_kept_everything)
{
	struct rp_ledger before, after;
	uint64_t held, dead, seq;
	struct rp_claim c;

	held = fx_entry_in(1, RP_STATE_HELD);
	dead = fx_entry_in(2, RP_STATE_DEAD);
	seq = fx_append(3, 2);
	c = fx_claim();
	before = fx_ledger();
	fx_close();
	fx_open();
	after = fx_ledger();
	ck_assert_mem_eq(&before, &after, sizeof before);
	ck_assert_int_eq(fx_state(held), RP_STATE_HELD);
	ck_assert_int_eq(fx_state(dead), RP_STATE_DEAD);
	ck_assert_int_eq(fx_state(c.seq), RP_STATE_IN_FLIGHT);
	ck_assert_uint_eq(fx_append(3, 1), seq + 2);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("change");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, fx_setup, fx_teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, each_verb_does_its_work_in_each_state, 0, N(verbs));
	tcase_add_loop_test(tc, an_entry_that_is_not_there_is_not_found, 0, 4);
	tcase_add_test(tc, a_state_mask_skips_what_has_moved_on);
	tcase_add_test(tc, an_entry_named_twice_is_changed_once);
	tcase_add_test(tc, a_replay_starts_a_fresh_budget_under_the_same_id);
	tcase_add_test(tc, a_held_entry_is_not_claimed_and_keeps_its_due_time);
	tcase_add_test(tc, a_paused_or_gone_endpoint_is_remembered_without_entries);
	tcase_add_test(tc, a_purge_in_flight_makes_room_under_the_limit);
	tcase_add_test(tc, old_entries_expire_and_young_or_live_ones_stay);
	tcase_add_test(tc, expiry_removes_no_more_than_it_may);
	tcase_add_test(tc, all_are_shown_once_and_by_number_in_order);
	tcase_add_test(tc, it_begins_with_the_number_it_is_given);
	tcase_add_test(tc, it_ends_where_its_reader_says_so);
	tcase_add_test(tc, an_outbox_opened_again_has_kept_everything);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return fx_main(suite);
}
