/* Damage: what cannot be read is set aside and shown, never sent, never a crash, and the others go
 * on. Tests whose damage heals in the course of the work end with a sound outbox; the others can
 * only be purged. */
#include "unit/outbox_fixture.h"

#include <check.h>
#include <stdlib.h>

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

static void edit_record(uint64_t id, void (*edit)(struct rp_endpoint *r))
{
	unsigned char buf[RP_ENDPOINT_BYTES];
	struct rp_endpoint r = fx_record(id);

	edit(&r);
	fx_put(RP_T_ENDPOINT, rp_key1(id), buf, rp_endpoint_pack(&r, id, buf, sizeof buf));
}

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
		edit_record(host, look_now);
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
	tcase_add_test(tc, a_damaged_head_stops_everything_and_says_so);
	tcase_add_test(tc, a_damaged_attempt_is_shown_as_damaged_and_harms_nothing);
	suite_add_tcase(s, tc);
	tc = tcase_create("lasting");
	tcase_add_checked_fixture(tc, fx_setup, fx_teardown_damaged);
	tcase_add_loop_test(tc, an_entry_without_readable_records_can_be_purged_but_not_replayed, 0,
			    N(states));
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
