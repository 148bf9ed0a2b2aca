/* Damage: what cannot be read is set aside and shown, never sent, never a crash, and the others go
 * on. Tests whose damage heals in the course of the work end with a sound outbox; the others can
 * only be purged. */
#include "unit/outbox_fixture.h"

#include <check.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define N(table) ((int)(sizeof(table) / sizeof((table)[0])))

static void break_delivery(uint64_t seq)
{
	fx_flip(RP_T_DELIVERY, rp_key1(seq), 20);
}

static void break_facts(uint64_t seq)
{
	fx_flip(RP_T_ENTRY, rp_key1(seq), 20);
}

/* --- delivery records
 * ------------------------------------------------------------------------------------------ */

START_TEST(a_waiting_entry_with_a_damaged_record_is_set_aside_and_the_others_go_on)
{
	uint64_t seq = fx_append(1, 3);
	struct rp_delivery d;

	break_delivery(seq + 1);
	fx_exchange(10, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 2);
	ck_assert_uint_eq(fx.claims[0].seq, seq);
	ck_assert_uint_eq(fx.claims[1].seq, seq + 2);
	ck_assert_uint_eq(fx.n_dead, 1);
	d = fx_delivery(seq + 1);
	ck_assert_int_eq(d.state, RP_STATE_DEAD);
	ck_assert_int_eq(d.cause, RP_CAUSE_DAMAGED);
}
END_TEST

START_TEST(a_rebuilt_record_continues_the_log_and_never_repeats_a_claim)
{
	uint64_t seq = fx_append(1, 1);
	struct rp_claim c = fx_claim(), again;

	fx_settle(&c, RP_SETTLE_RETRY);
	break_delivery(seq);
	fx.now_ms += 5000;
	fx_exchange(1, NULL, 0);
	ck_assert_int_eq(fx_state(seq), RP_STATE_DEAD);
	fx_change(RP_CHANGE_REPLAY, seq);
	again = fx_claim();
	ck_assert_uint_eq(again.attempt, 2);
	ck_assert_uint_gt(again.claim_no, c.claim_no);
	ck_assert(fx_settle(&c, RP_SETTLE_DEAD));
	ck_assert(!fx_settle(&again, RP_SETTLE_RETRY));
	ck_assert_uint_eq(fx_attempts(seq), 2);
}
END_TEST

static const enum rp_settle_kind kinds[] = {RP_SETTLE_DELIVERED, RP_SETTLE_RETRY, RP_SETTLE_DEAD,
					    RP_SETTLE_RETURN};
static const enum rp_state outcomes[] = {RP_STATE_DELIVERED, RP_STATE_WAITING, RP_STATE_DEAD,
					 RP_STATE_WAITING};

START_TEST(a_claim_whose_record_was_damaged_meanwhile_is_settled)
{
	uint64_t seq = fx_append(1, 1);
	struct rp_claim c = fx_claim();

	break_delivery(seq);
	ck_assert(!fx_settle(&c, kinds[_i]));
	ck_assert_int_eq(fx_state(seq), outcomes[_i]);
	ck_assert_uint_eq(fx_delivery(seq).attempts, kinds[_i] == RP_SETTLE_RETURN ? 0 : 1);
}
END_TEST

START_TEST(a_lost_claim_stays_lost_when_the_record_is_damaged)
{
	uint64_t seq = fx_append(1, 1);
	struct rp_claim lost = fx_claim(), current;

	fx_settle(&lost, RP_SETTLE_RETURN);
	current = fx_claim();
	break_delivery(seq);
	ck_assert(fx_settle(&lost, RP_SETTLE_DEAD));
	break_delivery(seq);
	ck_assert_int_eq(fx_state(seq), RP_STATE_IN_FLIGHT);
	ck_assert(!fx_settle(&current, RP_SETTLE_RETRY));
}
END_TEST

START_TEST(a_claim_of_a_lost_sender_with_a_damaged_record_is_set_aside)
{
	uint64_t seq = fx_append(1, 1);

	fx_claim();
	break_delivery(seq);
	ck_assert_int_eq(rp_outbox_leave(fx.ob, fx.now_ms, &fx.err), RP_OK);
	ck_assert_int_eq(fx_state(seq), RP_STATE_DEAD);
	ck_assert_int_eq(fx_delivery(seq).cause, RP_CAUSE_DAMAGED);
	ck_assert_uint_eq(fx_attempts(seq), 1);
}
END_TEST

/* --- claims ahead of their places */

static struct rp_claim placed[2], ahead;

/* Path 1001 and its section have two places each, which are taken, and one claim lacks both. */
static void claim_ahead(void)
{
	struct rp_claim first;

	fx.limit = 2;
	fx.section_limits = (struct rp_limits){.in_flight = 2, .start = 2};
	fx_append(1001, 1);
	first = fx_claim();
	fx_settle(&first, RP_SETTLE_DELIVERED);
	fx_append(1001, 4);
	fx_exchange(9, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 2);
	memcpy(placed, fx.claims, sizeof placed);
	fx_claim_ahead(fx_endpoint(1001), 1);
	ck_assert_uint_eq(fx.n_claims, 1);
	ahead = fx.claims[0];
	ck_assert_uint_eq(ahead.lacks, RP_LACKS(RP_LEVEL_PATH) | RP_LACKS(RP_LEVEL_SECTION));
}

START_TEST(a_claim_ahead_whose_record_was_damaged_gets_its_places)
{
	struct rp_settlement s;

	claim_ahead();
	s = fx_settlement(&placed[0], RP_SETTLE_DELIVERED);
	s.passes_to_seq = ahead.seq;
	s.passes_to_claim_no = ahead.claim_no;
	break_delivery(ahead.seq);
	fx_exchange(0, &s, 1);
	ck_assert_int_eq(fx_state(ahead.seq), RP_STATE_IN_FLIGHT);
	ck_assert_uint_eq(fx_delivery(ahead.seq).lacks, 0);
	ck_assert_uint_eq(fx_endpoint_record(1001).lacking[RP_LEVEL_PATH], 0);
	fx_verify_sound();
	fx_exchange(9, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 0);
}
END_TEST

START_TEST(a_claim_ahead_whose_record_was_damaged_frees_no_place)
{
	claim_ahead();
	break_delivery(ahead.seq);
	if (_i == 0)
		ck_assert(!fx_settle(&ahead, RP_SETTLE_RETURN));
	else
		ck_assert_int_eq(fx_change(RP_CHANGE_PURGE, ahead.seq), RP_CHANGED_DONE_IN_FLIGHT);
	ck_assert_uint_eq(fx_endpoint_record(1001).lacking[RP_LEVEL_PATH], 0);
	fx_verify_sound();
	fx_exchange(9, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 0);
	ck_assert_int_eq(rp_outbox_leave(fx.ob, fx.now_ms, &fx.err), RP_OK);
	fx_verify_sound();
}
END_TEST

static const enum rp_state states[] = {RP_STATE_WAITING, RP_STATE_IN_FLIGHT, RP_STATE_HELD,
				       RP_STATE_DELIVERED, RP_STATE_DEAD};

START_TEST(an_entry_with_a_damaged_record_can_be_purged_in_every_state)
{
	uint64_t seq = fx_entry_in(1, states[_i]);
	enum rp_changed expected =
	    states[_i] == RP_STATE_IN_FLIGHT ? RP_CHANGED_DONE_IN_FLIGHT : RP_CHANGED_DONE;

	break_delivery(seq);
	ck_assert_int_eq(fx_change(RP_CHANGE_PURGE, seq), expected);
	ck_assert_uint_eq(fx_ledger().purged, 1);
	ck_assert_uint_eq(fx_rows(RP_T_SEEN), 0);
}
END_TEST

START_TEST(an_entry_with_a_damaged_record_can_be_replayed)
{
	uint64_t seq = fx_entry_in(1, RP_STATE_DEAD);

	break_delivery(seq);
	ck_assert_int_eq(fx_change(RP_CHANGE_REPLAY, seq), RP_CHANGED_DONE);
	ck_assert_uint_eq(fx_claim().attempt, 2);
}
END_TEST

START_TEST(a_damaged_record_is_shown_as_damaged)
{
	struct rp_new_entry n = fx_new(1);
	struct rp_entry found = {0};
	struct rp_appended out;

	ck_assert_int_eq(rp_outbox_append(fx.ob, fx.now_ms, &n, 1, &out, &fx.err), RP_OK);
	break_delivery(out.seq);
	ck_assert_int_eq(rp_outbox_find(fx.ob, out.id, &found, &fx.err), RP_OK);
	ck_assert(found.damaged);
	ck_assert_uint_eq(found.facts.url.len, n.url.len);
	break_delivery(out.seq);
	break_facts(out.seq);
	ck_assert_int_eq(rp_outbox_find(fx.ob, out.id, &found, &fx.err), RP_OK);
	ck_assert(found.damaged);
	ck_assert_uint_eq(found.seq, out.seq);
	ck_assert_int_eq(found.delivery.state, RP_STATE_WAITING);
	ck_assert_uint_eq(found.endpoint.len, n.endpoint.len);
	break_facts(out.seq);
	rp_entry_release(&found);
}
END_TEST

START_TEST(an_expired_entry_with_a_damaged_record_is_removed)
{
	uint64_t seq = fx_entry_in(1, states[3 + _i]);
	size_t n;

	break_delivery(seq);
	fx.now_ms += 1000;
	ck_assert_int_eq(rp_outbox_expire(fx.ob, fx.now_ms, 10, 10, 10, &n, &fx.err), RP_OK);
	ck_assert_uint_eq(n, 1);
	ck_assert_int_eq(fx_state(seq), 0);
}
END_TEST

/* --- facts and payload
 * ------------------------------------------------------------------------------------------ */

START_TEST(a_damaged_payload_is_not_sent)
{
	uint64_t seq = fx_append(1, 1);
	struct rp_claim c = fx_claim();
	struct rp_dispatch d = {0};
	struct rp_buf body = {0};

	fx_flip(RP_T_BODY, rp_key2(seq, 0), 3);
	ck_assert_int_eq(rp_outbox_fetch(fx.ob, &c, &d, &fx.err), RP_ERR_DAMAGED);
	ck_assert_ptr_nonnull(strstr(fx.err.text, "checksum"));
	ck_assert_ptr_null(d.facts.url.ptr);
	ck_assert_int_eq(rp_outbox_body(fx.ob, seq, &body, &fx.err), RP_ERR_DAMAGED);
	ck_assert_uint_gt(body.len, 0);
	ck_assert_int_eq(fx_change(RP_CHANGE_PURGE, seq), RP_CHANGED_DONE_IN_FLIGHT);
	rp_buf_release(&body);
	rp_dispatch_release(&d);
}
END_TEST

START_TEST(a_payload_with_a_missing_chunk_is_not_sent)
{
	static char payload[5 * FX_PAGE_MAX];
	struct rp_new_entry n = fx_new(1);
	struct rp_dispatch d = {0};
	struct rp_claim c;
	uint64_t seq;

	n.payload = (struct rp_span){payload, 5 * fx_page_bytes() - 480};
	seq = fx_append_one(&n, NULL);
	c = fx_claim();
	fx_del(RP_T_BODY, rp_key2(seq, (uint64_t)_i));
	ck_assert_int_eq(rp_outbox_fetch(fx.ob, &c, &d, &fx.err), RP_ERR_DAMAGED);
	fx_change(RP_CHANGE_PURGE, seq);
	rp_dispatch_release(&d);
}
END_TEST

START_TEST(damaged_facts_are_not_sent_and_a_purge_takes_the_dedupe_key_along)
{
	struct rp_new_entry n = fx_new(1);
	struct rp_dispatch d = {0};
	struct rp_claim c;
	bool duplicate;
	uint64_t seq;

	fx_append(1, 1);
	fx_claim();
	seq = fx_append_one(&n, NULL);
	fx_append(2, 1);
	c = fx_claim();
	ck_assert_uint_eq(c.seq, seq);
	break_facts(seq);
	ck_assert_int_eq(rp_outbox_fetch(fx.ob, &c, &d, &fx.err), RP_ERR_DAMAGED);
	ck_assert(!fx_settle(&c, RP_SETTLE_DEAD));
	ck_assert_int_eq(fx_change(RP_CHANGE_PURGE, seq), RP_CHANGED_DONE);
	ck_assert_uint_eq(fx_rows(RP_T_SEEN), 2);
	ck_assert_uint_gt(fx_append_one(&n, &duplicate), seq);
	ck_assert(!duplicate);
	rp_dispatch_release(&d);
}
END_TEST

/* With both records gone nobody knows the endpoint: only a purge helps, and it must work. */
START_TEST(an_entry_without_readable_records_can_be_purged_but_not_replayed)
{
	uint64_t seq = fx_entry_in(1, states[_i]);

	fx_append(2, 1);
	break_delivery(seq);
	break_facts(seq);
	if (states[_i] != RP_STATE_WAITING && states[_i] != RP_STATE_IN_FLIGHT)
		ck_assert_int_eq(fx_change(RP_CHANGE_REPLAY, seq), RP_CHANGED_SKIPPED_STATE);
	fx_change(RP_CHANGE_PURGE, seq);
	ck_assert_int_eq(fx_state(seq), 0);
	ck_assert_uint_eq(fx_ledger().purged, 1);
	ck_assert_uint_eq(fx_rows(RP_T_ENTRY), 1);
	ck_assert_uint_eq(fx_rows(RP_T_SEEN), 1);
	/* A queue row names the endpoint, which is empty then and goes with its host. */
	ck_assert_uint_eq(fx_n_endpoints(), states[_i] == RP_STATE_WAITING ? 1 : 2);
	ck_assert_uint_eq(fx_rows(RP_T_ENDPOINT), states[_i] == RP_STATE_WAITING ? 2 : 4);
}
END_TEST

/* --- index rows that lie
 * ------------------------------------------------------------------------------------------ */

START_TEST(a_stray_queue_row_sends_nothing_and_goes_away)
{
	uint64_t seq = fx_entry_in(1, states[1 + _i]), other;

	other = fx_append(1, 1);
	fx_put(RP_T_QUEUE, rp_key3(fx_endpoint(1), 5, seq), "", 0);
	fx_exchange(10, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 1);
	ck_assert_uint_eq(fx.claims[0].seq, other);
	ck_assert_int_eq(fx_state(seq), states[1 + _i]);
	ck_assert_uint_eq(fx_rows(RP_T_QUEUE), 0);
}
END_TEST

START_TEST(a_queue_row_without_any_entry_goes_away)
{
	uint64_t seq = fx_append(1, 1);

	fx_put(RP_T_QUEUE, rp_key3(fx_endpoint(1), 5, 999999), "", 0);
	fx_exchange(10, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 1);
	ck_assert_uint_eq(fx_append(1, 1), seq + 1);
}
END_TEST

START_TEST(a_second_queue_row_does_not_claim_an_entry_twice)
{
	uint64_t seq = fx_append(1, 1);

	fx_put(RP_T_QUEUE, rp_key3(fx_endpoint(1), (uint64_t)fx.now_ms - 1 + 2 * (uint64_t)_i, seq),
	       "", 0);
	fx.now_ms += 10;
	fx_exchange(10, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 1);
	ck_assert_uint_eq(fx_delivery(seq).claim_no, 1);
}
END_TEST

static void look_now(struct rp_endpoint *r)
{
	r->ready_at_ms = fx.now_ms - 5;
}

START_TEST(a_stray_ready_queue_row_is_looked_at_once)
{
	uint64_t path, host, rows;

	fx_append(1, 1);
	path = fx_endpoint(1);
	host = rp_level_host(path);
	fx_pause(1, true);
	rows = fx_rows(RP_T_READY);
	fx_put(RP_T_READY,
	       _i == 0 ? rp_key3(host, (uint64_t)fx.now_ms - 5, path)
		       : rp_key3(_i == 1 ? RP_QUEUE_UNPROVEN : RP_QUEUE_PROVEN,
				 (uint64_t)fx.now_ms - 5, host),
	       "", 0);
	if (_i == 0) { /* and so is the host, as it would be with its path's row */
		fx_edit_record(host, look_now);
		fx_put(RP_T_READY, rp_key3(RP_QUEUE_UNPROVEN, (uint64_t)fx.now_ms - 5, host), "",
		       0);
	}
	fx_exchange(10, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 0);
	ck_assert_uint_eq(fx_rows(RP_T_READY), rows);
	fx_exchange(10, NULL, 0);
	ck_assert(!fx.committed);
	fx_pause(1, false);
	fx_claim();
	fx_verify_sound();
}
END_TEST

START_TEST(a_stray_claim_row_is_not_returned)
{
	uint64_t seq = fx_entry_in(1, RP_STATE_DELIVERED);

	fx_put(RP_T_CLAIM, rp_key2(fx.me.slot, seq), "\0\0\0\1", 4);
	fx_put(RP_T_CLAIM, rp_key2(fx.me.slot, 999999), "\0\0\0\1", 4);
	ck_assert_int_eq(rp_outbox_leave(fx.ob, fx.now_ms, &fx.err), RP_OK);
	ck_assert_int_eq(fx_state(seq), RP_STATE_DELIVERED);
	ck_assert_uint_eq(fx_rows(RP_T_CLAIM), 0);
}
END_TEST

START_TEST(a_stray_done_row_removes_no_live_entry)
{
	uint64_t seq = fx_append(1, 1);
	size_t n;

	fx_put(RP_T_DONE, rp_key2(5, seq), "", 0);
	fx_put(RP_T_DEAD, rp_key2(5, 999999), "", 0);
	ck_assert_int_eq(rp_outbox_expire(fx.ob, fx.now_ms, 10, 10, 10, &n, &fx.err), RP_OK);
	ck_assert_int_eq(fx_state(seq), RP_STATE_WAITING);
	ck_assert_uint_eq(fx_rows(RP_T_DONE) + fx_rows(RP_T_DEAD), 0);
}
END_TEST

/* --- endpoints and head
 * ------------------------------------------------------------------------------------------ */

START_TEST(a_damaged_endpoint_record_is_rebuilt_by_counting)
{
	struct rp_endpoint before, after;
	uint64_t seq;
	int i;

	for (i = 0; i < N(states); i++)
		fx_entry_in(1, states[(i + 1) % N(states)]);
	fx_append(2, 3);
	before = fx_endpoint_record(1);
	fx_flip(RP_T_ENDPOINT, rp_key1(fx_endpoint(1)), 50);
	seq = fx_append(1, 1);
	after = fx_endpoint_record(1);
	before.count[RP_STATE_WAITING]++;
	ck_assert_mem_eq(before.count, after.count, sizeof before.count);
	fx_verify_sound();
	fx_exchange(10, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 5);
	ck_assert_int_eq(fx_state(seq), RP_STATE_IN_FLIGHT);
}
END_TEST

START_TEST(a_damaged_endpoint_record_does_not_stop_a_turn)
{
	fx_append(1, 2);
	fx_flip(RP_T_ENDPOINT, rp_key1(fx_endpoint(1)), 50);
	fx_exchange(10, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 2);
}
END_TEST

START_TEST(endpoint_and_delivery_damaged_together_are_mended_together)
{
	uint64_t seq = fx_append(1, 3);

	break_delivery(seq);
	fx_flip(RP_T_ENDPOINT, rp_key1(fx_endpoint(1)), 50);
	fx_exchange(10, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 2);
	ck_assert_uint_eq(fx.n_dead, 1);
	ck_assert_uint_eq(fx_endpoint_record(1).count[RP_STATE_DEAD], 1);
}
END_TEST

/* Two paths in a section, a third one of the same host beside it, and another host. */
static void make_levels(void)
{
	fx.section_limits = (struct rp_limits){.in_flight = 1000, .start = 1000};
	fx_append(1001, 2);
	fx_append(1002, 2);
	fx_exchange(4, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 4);
	fx_settle(&fx.claims[0], RP_SETTLE_DELIVERED);
	fx_settle(&fx.claims[1], RP_SETTLE_DEAD);
	fx.section_limits.in_flight = 0;
	fx_append(1001, 1);
	fx_append(1002, 1);
	fx_append(1, 2);
	fx_append(2, 1);
}

static uint64_t level_id(int which)
{
	const uint64_t host = rp_level_host(fx_endpoint(1001));

	switch (which) {
	case 0:
		return fx_endpoint(1001); /* in the section */
	case 1:
		return fx_endpoint(1); /* in none */
	case 2:
		return host + RP_MEMBER_SECTIONS;
	default:
		return host;
	}
}

/* Whatever record it was, the next exchange counts it anew, and gives all that is due. */
START_TEST(a_damaged_record_of_any_level_is_rebuilt_by_the_next_exchange)
{
	struct rp_endpoint before[4], after;
	uint64_t id[4];
	uint64_t n_waiting;
	int i;

	make_levels();
	n_waiting = fx_ledger().waiting;
	for (i = 0; i < 4; i++) {
		id[i] = level_id(i);
		before[i] = fx_record(id[i]);
	}
	fx_flip(RP_T_ENDPOINT, rp_key1(id[_i]), 50);
	fx.section_limits.in_flight = 1000;
	fx.limits = (struct rp_limits){.in_flight = 1000, .start = 1000};
	fx_exchange(FX_CLAIMS_MAX, NULL, 0);
	ck_assert_uint_eq(fx_ledger().waiting, 0);
	ck_assert_uint_eq(fx_ledger().in_flight, n_waiting + 2);
	for (i = 0; i < 4; i++) {
		after = fx_record(id[i]);
		ck_assert_uint_eq(after.count[RP_STATE_DELIVERED],
				  before[i].count[RP_STATE_DELIVERED]);
		ck_assert_uint_eq(after.count[RP_STATE_DEAD], before[i].count[RP_STATE_DEAD]);
		ck_assert_uint_eq(after.n_paths, before[i].n_paths);
		if (i == 3)
			ck_assert_uint_eq(after.members, before[i].members);
	}
	fx_verify_sound();
}
END_TEST

START_TEST(a_damaged_record_of_any_level_counts_anew_who_lacks_places)
{
	struct rp_endpoint before, after;
	uint64_t id;

	claim_ahead();
	id = level_id(_i == 0 ? 0 : _i + 1);
	before = fx_record(id);
	ck_assert_uint_eq(before.lacking[RP_LEVEL_PATH], 1);
	ck_assert_uint_eq(before.lacking[RP_LEVEL_SECTION], 1);
	fx_flip(RP_T_ENDPOINT, rp_key1(id), 50);
	fx_settle(&placed[0], RP_SETTLE_DELIVERED);
	after = fx_record(id);
	ck_assert_mem_eq(after.lacking, before.lacking, sizeof after.lacking);
	fx_verify_sound();
}
END_TEST

/* Its paths find their own way out of a section that lost its record and its name. */
START_TEST(paths_of_a_lost_section_go_on_without_it)
{
	uint64_t section;

	make_levels();
	section = level_id(2);
	fx_del(RP_T_ENDPOINT, rp_key1(section));
	fx_del(RP_T_ENDPOINT_NAME, rp_key1(section));
	fx_exchange(FX_CLAIMS_MAX, NULL, 0);
	fx_append(1001, 1);
	fx_exchange(FX_CLAIMS_MAX, NULL, 0);
	ck_assert_uint_eq(fx_endpoint_record(1001).section, 0);
	ck_assert_int_eq(fx_endpoint_record(1001).count[RP_STATE_WAITING], 0);
}
END_TEST

static size_t claim_and_deliver(void)
{
	size_t i, n;

	fx_exchange(FX_CLAIMS_MAX, NULL, 0);
	n = fx.n_claims;
	for (i = 0; i < n; i++)
		ck_assert(!fx_settle(&fx.claims[i], RP_SETTLE_DELIVERED));
	return n;
}

/* All that is due is claimed and delivered, while every path is in the section or, else, in none.
 */
static void deliver_all(bool in_section)
{
	fx.section_limits.in_flight = in_section ? 3 : 0;
	while (claim_and_deliver() > 0)
		;
	ck_assert_uint_eq(fx_ledger().waiting, 0);
}

START_TEST(a_section_that_lost_its_name_gets_it_again_and_counts_right)
{
	uint64_t section;

	make_levels();
	section = level_id(2);
	fx_del(RP_T_ENDPOINT_NAME, rp_key1(section));
	deliver_all(true);
	ck_assert(fx_has(RP_T_ENDPOINT_NAME, rp_key1(section)));
	ck_assert_uint_eq(fx_record(section).members, 3);
	ck_assert_uint_eq(fx_record(section).count[RP_STATE_IN_FLIGHT], 2);
	ck_assert_uint_eq(fx_endpoint_record(1001).section, section);
}
END_TEST

START_TEST(a_section_that_lost_its_name_goes_when_its_paths_have_left_it)
{
	uint64_t section;

	make_levels();
	section = level_id(2);
	fx_del(RP_T_ENDPOINT_NAME, rp_key1(section));
	deliver_all(false);
	ck_assert(!fx_has(RP_T_ENDPOINT, rp_key1(section)));
	ck_assert_uint_eq(fx_endpoint_record(1001).section, 0);
	fx_append(1001, 1); /* and comes again, under the number its name leads to */
	deliver_all(true);
	ck_assert_uint_eq(fx_endpoint_record(1001).section, section);
}
END_TEST

static void other_section(void *arg, struct rp_span name, struct rp_level_limits *out)
{
	fx_limits(arg, name, out);
	out->at[RP_LEVEL_SECTION] = (struct rp_limits){.in_flight = 9, .start = 9};
	out->section = rp_span_of("other");
}

START_TEST(the_number_of_a_section_that_lost_its_name_is_not_given_to_another)
{
	struct rp_exchange x = {.want = 1,
				.want_metered = 1,
				.want_unproven = 1,
				.claims = fx.claims,
				.limits = other_section};
	uint64_t section;

	make_levels();
	section = level_id(2);
	fx_del(RP_T_ENDPOINT_NAME, rp_key1(section));
	while (fx_endpoint_record(1).section == 0) {
		fx_must(rp_outbox_exchange(fx.ob, fx.now_ms, &x, &fx.err), "exchange");
		ck_assert_uint_eq(x.n_claims, 1);
	}
	ck_assert_uint_ne(fx_endpoint_record(1).section, section);
	deliver_all(true);
}
END_TEST

START_TEST(a_host_that_lost_its_name_gets_it_again_with_its_next_path)
{
	uint64_t host;

	make_levels();
	host = level_id(3);
	fx_del(RP_T_ENDPOINT_NAME, rp_key1(host));
	fx_append(1003, 1);
	ck_assert_uint_eq(rp_level_host(fx_endpoint(1003)), host);
	ck_assert(fx_has(RP_T_ENDPOINT_NAME, rp_key1(host)));
}
END_TEST

START_TEST(a_path_whose_host_has_no_name_finds_its_section)
{
	uint64_t section;

	make_levels();
	section = level_id(2);
	fx_del(RP_T_ENDPOINT_NAME, rp_key1(level_id(3)));
	deliver_all(true);
	ck_assert_uint_eq(fx_endpoint_record(1).section, section);
}
END_TEST

static void fewer_in_flight(struct rp_endpoint *r)
{
	r->count[RP_STATE_IN_FLIGHT] = 0;
}

/* What is said in an exchange that claims what it can. */
static void log_of_exchange(char *text, size_t size)
{
	int ends[2], before = dup(STDERR_FILENO);
	ssize_t n;

	ck_assert(pipe(ends) == 0 && dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
	fx_exchange(FX_CLAIMS_MAX, NULL, 0);
	dup2(before, STDERR_FILENO);
	close(before);
	close(ends[1]);
	n = read(ends[0], text, size - 1);
	ck_assert_int_ge(n, 0);
	text[n] = '\0';
	close(ends[0]);
}

START_TEST(a_section_that_counts_too_little_is_damage_when_a_path_leaves)
{
	char text[4096];

	make_levels();
	fx_edit_record(level_id(2), fewer_in_flight);
	log_of_exchange(text, sizeof text);
	ck_assert_ptr_nonnull(strstr(text, "ev=damage endpoint="));
	ck_assert_ptr_nonnull(strstr(text, "what=counter"));
	ck_assert(!fx_has(RP_T_ENDPOINT, rp_key1(level_id(2))));
}
END_TEST

/* --- numbers that nobody has --------------------------------------------------------------- */

/* Beside a path that is paused and has no entries, so that nothing but its host's count keeps that
 * host. */
static uint64_t make_paused(void)
{
	uint64_t seq = fx_append(1, 1), host = rp_level_host(fx_endpoint(1));

	fx_pause(1, true);
	ck_assert(rp_changed_is_done(fx_change(RP_CHANGE_PURGE, seq)));
	return host;
}

static void paused_is_kept(uint64_t host, uint64_t seq)
{
	fx_verify_sound();
	ck_assert_uint_eq(fx_record(host).members, 2);
	ck_assert(rp_changed_is_done(fx_change(RP_CHANGE_PURGE, seq)));
	ck_assert_uint_eq(fx_record(host).members, 1);
	fx_verify_sound();
	fx_pause(1, false);
	ck_assert_uint_eq(fx_rows(RP_T_ENDPOINT), 0);
}

START_TEST(a_stray_agenda_row_takes_no_host_from_a_paused_path)
{
	uint64_t host = make_paused(), seq = fx_append(1001, 1);
	struct rp_claim c;

	fx_put(RP_T_READY, rp_key3(host, 5, host + RP_MEMBER_PATHS + 500), "", 0);
	fx_put(RP_T_READY, rp_key3(host, 6, host + RP_MEMBER_SECTIONS + 500), "", 0);
	/* and one of a host that is not */
	fx_put(RP_T_READY, rp_key3(RP_QUEUE_UNPROVEN, 5, host + UINT64_C(7) * RP_MEMBER_NUMBERS),
	       "", 0);
	c = fx_claim();
	ck_assert_uint_eq(c.seq, seq);
	fx_settle(&c, RP_SETTLE_DELIVERED);
	paused_is_kept(host, seq);
}
END_TEST

/* In the host, or in one that is not. */
START_TEST(a_settlement_for_a_path_that_is_not_leaves_nothing)
{
	uint64_t host = make_paused(), seq = fx_append(1001, 1);
	struct rp_claim c = fx_claim();
	struct rp_settlement s = fx_settlement(&c, RP_SETTLE_DELIVERED);

	s.endpoint = host + (_i == 0 ? 0 : UINT64_C(7) * RP_MEMBER_NUMBERS) + RP_MEMBER_PATHS + 500;
	fx_exchange(0, &s, 1);
	ck_assert(!s.stale);
	paused_is_kept(host, seq);
}
END_TEST

/* --- the cost of counting anew -------------------------------------------------------------- */

#define MANY_PATHS 900

static struct rp_claim many[MANY_PATHS];

/* A hundred, by the end of the path's number. */
static void in_many_sections(void *arg, struct rp_span name, struct rp_level_limits *out)
{
	static char section[3];

	fx_limits(arg, name, out);
	if (name.len > 2)
		memcpy(section, name.ptr + name.len - 2, 2);
	out->at[RP_LEVEL_SECTION] = (struct rp_limits){.in_flight = 9000, .start = 9000};
	out->section = rp_span_of(section);
}

/* Of each of these paths of host 1 an entry is in flight, in one of many sections. */
static void make_many(void)
{
	static struct rp_new_entry entries[MANY_PATHS];
	static struct rp_appended out[MANY_PATHS];
	struct rp_exchange x = {.want = FX_CLAIMS_MAX,
				.want_metered = FX_CLAIMS_MAX,
				.want_unproven = FX_CLAIMS_MAX,
				.claims = fx.claims,
				.limits = in_many_sections};
	size_t n = 0;
	unsigned k;

	for (k = 0; k < MANY_PATHS; k++)
		entries[k] = fx_new(FX_PATHS + 100 + k);
	fx_must(rp_outbox_append(fx.ob, fx.now_ms, entries, MANY_PATHS, out, &fx.err), "append");
	while (n < MANY_PATHS) {
		fx_must(rp_outbox_exchange(fx.ob, fx.now_ms, &x, &fx.err), "exchange");
		ck_assert_uint_gt(x.n_claims, 0);
		memcpy(many + n, fx.claims, x.n_claims * sizeof many[0]);
		n += x.n_claims;
	}
}

/* CPU time of an append that meets a damaged path. */
static clock_t cost_of_rebuild(unsigned k)
{
	const uint64_t path = fx_endpoint(k);
	clock_t began;

	fx_flip(RP_T_ENDPOINT, rp_key1(path), 50);
	began = clock();
	fx_append(k, 1);
	return clock() - began;
}

/* As much as for a path of a host without sections, and not as much again for each section. */
START_TEST(a_damaged_path_costs_one_walk_however_many_sections_its_host_has)
{
	clock_t in_sections, beside;

	make_many();
	fx_append(2, 1);
	ck_assert_uint_gt(fx_record(fx_endpoint(FX_PATHS + 100)).section, 0);
	beside = cost_of_rebuild(2);
	in_sections = cost_of_rebuild(FX_PATHS + 107);
	ck_assert_msg(in_sections < 10 * beside, "%ld against %ld", (long)in_sections,
		      (long)beside);
}
END_TEST

/* Lost and damaged ones of several sections in one exchange, with two of the sections, and with
 * their host. */
START_TEST(many_damaged_records_of_one_host_are_counted_right)
{
	static struct rp_settlement s[MANY_PATHS];
	uint64_t host;
	unsigned k;

	make_many();
	host = rp_level_host(many[0].endpoint);
	fx_flip(RP_T_ENDPOINT, rp_key1(host + RP_MEMBER_SECTIONS + 2), 50);
	fx_del(RP_T_ENDPOINT, rp_key1(host + RP_MEMBER_SECTIONS + 5));
	for (k = 0; k < 12; k++) {
		const struct rp_key path = rp_key1(many[70 * k].endpoint);

		if (k % 3 == 0)
			fx_del(RP_T_ENDPOINT, path);
		else
			fx_flip(RP_T_ENDPOINT, path, 50);
	}
	if (_i == 1)
		fx_flip(RP_T_ENDPOINT, rp_key1(host), 50);
	for (k = 0; k < MANY_PATHS; k++)
		s[k] = fx_settlement(&many[k], RP_SETTLE_DELIVERED);
	fx_exchange(0, s, MANY_PATHS);
	ck_assert_uint_eq(fx_record(host).members, MANY_PATHS + 100);
	ck_assert_uint_eq(fx_record(host).count[RP_STATE_DELIVERED], MANY_PATHS);
}
END_TEST

START_TEST(a_new_path_of_a_damaged_host_gets_a_number_that_none_has)
{
	uint64_t path;

	make_levels();
	fx_flip(RP_T_ENDPOINT, rp_key1(level_id(3)), 50);
	fx_append(1003, 1);
	path = fx_endpoint(1003);
	ck_assert_uint_eq(rp_level_host(path), level_id(3));
	ck_assert(path != fx_endpoint(1001) && path != fx_endpoint(1002) && path != fx_endpoint(1));
	ck_assert_uint_eq(fx_record(level_id(3)).members, 5);
	fx_verify_sound();
}
END_TEST

START_TEST(a_damaged_head_stops_everything_and_says_so)
{
	struct rp_new_entry n = fx_new(1);
	struct rp_appended out;
	struct rp_ledger l;

	fx_flip(RP_T_META, fx_text_key("head"), 10);
	ck_assert_int_eq(rp_outbox_ledger(fx.ob, &l, &fx.err), RP_ERR_DAMAGED);
	ck_assert_int_eq(rp_outbox_append(fx.ob, fx.now_ms, &n, 1, &out, &fx.err), RP_ERR_DAMAGED);
	ck_assert_ptr_nonnull(strstr(fx.err.text, "backup"));
	fx_flip(RP_T_META, fx_text_key("head"), 10);
	ck_assert_int_eq(rp_outbox_append(fx.ob, fx.now_ms, &n, 1, &out, &fx.err), RP_OK);
}
END_TEST

START_TEST(a_damaged_attempt_is_shown_as_damaged_and_harms_nothing)
{
	uint64_t seq = fx_entry_in(1, RP_STATE_DELIVERED);

	fx_flip(RP_T_ATTEMPT, rp_key2(seq, 1), 10);
	ck_assert_uint_eq(fx_problems(), 1);
	fx_change(RP_CHANGE_REPLAY, seq);
	ck_assert_uint_eq(fx_claim().attempt, 2);
	fx_change(RP_CHANGE_PURGE, seq);
	ck_assert_uint_eq(fx_problems(), 0);
}
END_TEST

static void add_lost_rows(TCase *tc)
{
	tcase_add_test(tc, a_section_that_lost_its_name_gets_it_again_and_counts_right);
	tcase_add_test(tc, a_section_that_lost_its_name_goes_when_its_paths_have_left_it);
	tcase_add_test(tc, the_number_of_a_section_that_lost_its_name_is_not_given_to_another);
	tcase_add_test(tc, a_host_that_lost_its_name_gets_it_again_with_its_next_path);
	tcase_add_test(tc, a_section_that_counts_too_little_is_damage_when_a_path_leaves);
	tcase_add_test(tc, a_stray_agenda_row_takes_no_host_from_a_paused_path);
	tcase_add_loop_test(tc, a_settlement_for_a_path_that_is_not_leaves_nothing, 0, 2);
	tcase_add_test(tc, a_damaged_path_costs_one_walk_however_many_sections_its_host_has);
	tcase_add_loop_test(tc, many_damaged_records_of_one_host_are_counted_right, 0, 2);
}

static Suite *suite(void)
{
	Suite *s = suite_create("outbox_damage");
	TCase *tc = tcase_create("healing");

	tcase_add_checked_fixture(tc, fx_setup, fx_teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, a_waiting_entry_with_a_damaged_record_is_set_aside_and_the_others_go_on);
	tcase_add_test(tc, a_rebuilt_record_continues_the_log_and_never_repeats_a_claim);
	tcase_add_loop_test(tc, a_claim_whose_record_was_damaged_meanwhile_is_settled, 0, N(kinds));
	tcase_add_test(tc, a_lost_claim_stays_lost_when_the_record_is_damaged);
	tcase_add_test(tc, a_claim_ahead_whose_record_was_damaged_gets_its_places);
	tcase_add_loop_test(tc, a_claim_ahead_whose_record_was_damaged_frees_no_place, 0, 2);
	tcase_add_loop_test(tc, a_damaged_record_of_any_level_counts_anew_who_lacks_places, 0, 3);
	tcase_add_test(tc, a_claim_of_a_lost_sender_with_a_damaged_record_is_set_aside);
	tcase_add_loop_test(tc, an_entry_with_a_damaged_record_can_be_purged_in_every_state, 0,
			    N(states));
	tcase_add_test(tc, an_entry_with_a_damaged_record_can_be_replayed);
	tcase_add_test(tc, a_damaged_record_is_shown_as_damaged);
	tcase_add_loop_test(tc, an_expired_entry_with_a_damaged_record_is_removed, 0, 2);
	tcase_add_test(tc, a_damaged_payload_is_not_sent);
	tcase_add_loop_test(tc, a_payload_with_a_missing_chunk_is_not_sent, 0, 5);
	tcase_add_test(tc, damaged_facts_are_not_sent_and_a_purge_takes_the_dedupe_key_along);
	tcase_add_loop_test(tc, a_stray_queue_row_sends_nothing_and_goes_away, 0, 4);
	tcase_add_test(tc, a_queue_row_without_any_entry_goes_away);
	tcase_add_loop_test(tc, a_second_queue_row_does_not_claim_an_entry_twice, 0, 2);
	tcase_add_loop_test(tc, a_stray_ready_queue_row_is_looked_at_once, 0, 3);
	tcase_add_test(tc, a_stray_claim_row_is_not_returned);
	tcase_add_test(tc, a_stray_done_row_removes_no_live_entry);
	tcase_add_test(tc, a_damaged_endpoint_record_is_rebuilt_by_counting);
	tcase_add_test(tc, a_damaged_endpoint_record_does_not_stop_a_turn);
	tcase_add_test(tc, endpoint_and_delivery_damaged_together_are_mended_together);
	tcase_add_loop_test(tc, a_damaged_record_of_any_level_is_rebuilt_by_the_next_exchange, 0,
			    4);
	tcase_add_test(tc, a_new_path_of_a_damaged_host_gets_a_number_that_none_has);
	add_lost_rows(tc);
	tcase_add_test(tc, a_damaged_head_stops_everything_and_says_so);
	tcase_add_test(tc, a_damaged_attempt_is_shown_as_damaged_and_harms_nothing);
	suite_add_tcase(s, tc);
	tc = tcase_create("lasting");
	tcase_add_checked_fixture(tc, fx_setup, fx_teardown_damaged);
	tcase_add_loop_test(tc, an_entry_without_readable_records_can_be_purged_but_not_replayed, 0,
			    N(states));
	tcase_add_test(tc, paths_of_a_lost_section_go_on_without_it);
	tcase_add_test(tc, a_path_whose_host_has_no_name_finds_its_section);
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
