/* Entries that come from another outbox. */

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conformance/fixture.h"

#define PAYLOAD "{\"from\":\"elsewhere\"}"

/* Texts live as long as the test. */
static struct rp_import entry_with(uint64_t seq, unsigned char random, enum rp_state state)
{
	static char keys[16][40];
	static size_t n;
	char *key = keys[n++ % 16];
	unsigned char rest[10] = {random, 1, 2, 3, 4, 5, 6, 7, 8, 9};
	struct rp_import in = {
	    .facts = {.accepted_at_ms = FX_NOW_MS - 500000,
		      .url = rp_span_of("https://e1.example/in?t=1")},
	    .delivery = {.state = state,
			 .cause = state == RP_STATE_DEAD ? RP_CAUSE_EXHAUSTED : RP_CAUSE_NONE,
			 .attempts = 7,
			 .failures = 3,
			 .replays = 1,
			 .state_at_ms = FX_NOW_MS - 400000,
			 .due_at_ms = FX_NOW_MS - 300000,
			 .budget_at_ms = FX_NOW_MS - 450000},
	    .endpoint = rp_span_of("https://e1.example/in"),
	    .payload = rp_span_of(PAYLOAD),
	};

	snprintf(key, sizeof keys[0], "key-%llu-%u", (unsigned long long)seq, random);
	in.facts.dedupe_key = rp_span_of(key);
	rp_id_make(seq, rest, in.facts.id);
	return in;
}

static struct rp_import_result import_one(const struct rp_import *in, bool dry_run)
{
	struct rp_import_result r = {0};

	ck_assert_msg(rp_outbox_import(fx.ob, fx.now_ms, in, 1, dry_run, 0, &r, &fx.err) == RP_OK,
		      "%s", fx.err.text);
	return r;
}

static uint64_t found(const unsigned char id[RP_ID_BYTES])
{
	struct rp_entry e = {0};
	enum rp_err got = rp_outbox_find(fx.ob, id, &e, &fx.err);
	uint64_t seq = e.seq;

	ck_assert(got == RP_OK || got == RP_ERR_NOTFOUND);
	if (got == RP_OK)
		ck_assert_mem_eq(e.facts.id, id, RP_ID_BYTES);
	rp_entry_release(&e);
	return got == RP_OK ? seq : 0;
}

START_TEST(into_an_empty_outbox_numbers_are_kept)
{
	struct rp_import in = entry_with(40, 1, RP_STATE_DEAD);
	struct rp_import_result r = import_one(&in, false);
	struct rp_delivery d;
	struct rp_buf body = {0};

	ck_assert_int_eq(r.kind, RP_IMPORT_DONE);
	ck_assert_uint_eq(r.seq, 40);
	ck_assert_uint_eq(found(in.facts.id), 40);
	d = fx_delivery(40);
	ck_assert_int_eq(d.state, RP_STATE_DEAD);
	ck_assert_int_eq(d.cause, RP_CAUSE_EXHAUSTED);
	ck_assert_uint_eq(d.attempts, 7);
	ck_assert_uint_eq(d.failures, 3);
	ck_assert_uint_eq(d.replays, 1);
	ck_assert_int_eq(d.state_at_ms, FX_NOW_MS - 400000);
	ck_assert_int_eq(d.budget_at_ms, FX_NOW_MS - 450000);
	ck_assert_int_eq(rp_outbox_body(fx.ob, 40, &body, &fx.err), RP_OK);
	ck_assert_str_eq(body.data, PAYLOAD);
	rp_buf_release(&body);
	ck_assert_uint_eq(fx_append(1, 1), 41); /* nobody else gets that number */
}
END_TEST

START_TEST(a_number_that_is_taken_or_was_is_replaced_and_the_id_leads_to_it)
{
	uint64_t first = fx_append(1, 3), seq;
	struct rp_import in = entry_with(first + 1, 9, RP_STATE_HELD);
	struct rp_import_result r = import_one(&in, false);

	ck_assert_uint_eq(r.seq, first + 3);
	ck_assert_uint_eq(found(in.facts.id), first + 3);
	ck_assert_int_eq(fx_state(first + 1), RP_STATE_WAITING); /* the one whose number it is */
	fx_change(RP_CHANGE_PURGE, first);
	/* free again, but a request of the old one may be under way */
	in = entry_with(first, 8, RP_STATE_HELD);
	seq = import_one(&in, false).seq;
	ck_assert_uint_eq(seq, first + 4);
	ck_assert_uint_eq(found(in.facts.id), seq);
	fx_verify_sound();
	ck_assert_int_eq(fx_change(RP_CHANGE_PURGE, seq), RP_CHANGED_DONE);
	ck_assert_uint_eq(found(in.facts.id), 0);
}
END_TEST

START_TEST(what_is_there_is_skipped)
{
	struct rp_new_entry n = fx_new(1);
	uint64_t seq = fx_append_one(&n, NULL);
	struct rp_import in = entry_with(70, 1, RP_STATE_HELD),
			 other = entry_with(71, 2, RP_STATE_HELD);
	struct rp_ledger before;

	import_one(&in, false);
	before = fx_ledger();
	ck_assert_int_eq(import_one(&in, false).kind, RP_IMPORT_PRESENT);
	other.facts.dedupe_key = n.dedupe_key;
	ck_assert_int_eq(import_one(&other, false).kind, RP_IMPORT_DUPLICATE);
	ck_assert_uint_eq(import_one(&other, false).seq, seq);
	ck_assert_uint_eq(fx_ledger().accepted, before.accepted);
}
END_TEST

START_TEST(a_dedupe_key_comes_back_with_its_entry)
{
	struct rp_new_entry n = fx_new(1);
	struct rp_import in = entry_with(5, 1, RP_STATE_DELIVERED);
	bool duplicate;
	uint64_t seq;

	fx_append(2, 10); /* so that it gets another number than its id says */
	in.facts.dedupe_key = n.dedupe_key;
	seq = import_one(&in, false).seq;
	ck_assert_uint_eq(fx_append_one(&n, &duplicate), seq);
	ck_assert(duplicate);
	fx_change(RP_CHANGE_PURGE, seq);
	ck_assert_uint_ne(fx_append_one(&n, &duplicate), seq);
	ck_assert(!duplicate);
}
END_TEST

START_TEST(a_dry_run_changes_nothing)
{
	struct rp_import in[2] = {entry_with(5, 1, RP_STATE_HELD), entry_with(5, 1, RP_STATE_HELD)};
	struct rp_import_result r[2];

	ck_assert_int_eq(rp_outbox_import(fx.ob, fx.now_ms, in, 2, true, 0, r, &fx.err), RP_OK);
	ck_assert_int_eq(r[0].kind, RP_IMPORT_DONE);
	ck_assert_int_eq(r[1].kind, RP_IMPORT_PRESENT);
	ck_assert_uint_eq(fx_ledger().accepted, 0);
	ck_assert_uint_eq(found(in[0].facts.id), 0);
}
END_TEST

static bool see_audit(void *arg, uint64_t number, const struct rp_audit *a)
{
	struct rp_audit *out = arg;

	(void)number;
	*out = *a; /* its numbers are what is looked at */
	return true;
}

START_TEST(what_is_imported_is_counted_in_its_record_with_it)
{
	struct rp_audit noted = {.at_ms = FX_NOW_MS,
				 .verb = rp_span_of("import"),
				 .user = rp_span_of("alice")},
			got = {0};
	struct rp_import in[3] = {entry_with(5, 1, RP_STATE_HELD), entry_with(5, 1, RP_STATE_HELD),
				  entry_with(6, 1, RP_STATE_HELD)};
	struct rp_import_result r[3];
	uint64_t number;

	ck_assert_int_eq(rp_outbox_audit_add(fx.ob, &noted, &number, &fx.err), RP_OK);
	ck_assert_int_eq(rp_outbox_import(fx.ob, fx.now_ms, in, 3, false, number, r, &fx.err),
			 RP_OK);
	ck_assert_int_eq(rp_outbox_audit(fx.ob, see_audit, &got, &fx.err), RP_OK);
	ck_assert_uint_eq(got.done, 2);
	ck_assert_uint_eq(got.skipped, 1);
	/* nothing new is counted as well, and a record that made room for others is no error */
	ck_assert_int_eq(rp_outbox_import(fx.ob, fx.now_ms, in, 2, false, number, r, &fx.err),
			 RP_OK);
	ck_assert_int_eq(rp_outbox_import(fx.ob, fx.now_ms, in, 2, false, 77, r, &fx.err), RP_OK);
	ck_assert_int_eq(rp_outbox_audit(fx.ob, see_audit, &got, &fx.err), RP_OK);
	ck_assert_uint_eq(got.done, 2);
	ck_assert_uint_eq(got.skipped, 3);
	ck_assert_int_eq(rp_outbox_audit_count(fx.ob, fx.now_ms, number, 9, &fx.err), RP_OK);
	ck_assert_int_eq(rp_outbox_audit_count(fx.ob, fx.now_ms, 77, 9, &fx.err), RP_OK);
	ck_assert_int_eq(rp_outbox_audit(fx.ob, see_audit, &got, &fx.err), RP_OK);
	ck_assert_uint_eq(got.done, 9);
	ck_assert_uint_eq(got.skipped, 0);
	fx_verify_sound();
}
END_TEST

START_TEST(what_waits_is_delivered_under_its_id_with_the_next_attempt)
{
	struct rp_import in = entry_with(3, 1, RP_STATE_WAITING);
	struct rp_dispatch d = {0};
	struct rp_claim c;

	fx_append(2, 5);
	in.facts.order_by = rp_span_of("o");
	import_one(&in, false);
	do
		c = fx_claim();
	while (c.seq != 6);
	ck_assert_uint_eq(c.attempt, 8);
	ck_assert_int_eq(rp_outbox_fetch(fx.ob, &c, &d, &fx.err), RP_OK);
	ck_assert_mem_eq(d.facts.id, in.facts.id, RP_ID_BYTES);
	rp_dispatch_release(&d);
	fx_settle(&c, RP_SETTLE_DELIVERED);
	ck_assert_int_eq(fx_state(6), RP_STATE_DELIVERED);
}
END_TEST

START_TEST(orders_are_kept)
{
	struct rp_import in[3];
	struct rp_import_result r[3];
	size_t i;

	for (i = 0; i < 3; i++) {
		in[i] = entry_with(10 + i, (unsigned char)i, RP_STATE_WAITING);
		in[i].facts.order_by = rp_span_of("thread");
	}
	ck_assert_int_eq(rp_outbox_import(fx.ob, fx.now_ms, in, 3, false, 0, r, &fx.err), RP_OK);
	ck_assert(!fx_delivery(10).behind);
	ck_assert(fx_delivery(11).behind);
	ck_assert(fx_delivery(12).behind);
}
END_TEST

START_TEST(a_forged_number_does_not_use_the_numbers_up)
{
	struct rp_import in = entry_with(RP_SEQ_MAX, 1, RP_STATE_HELD);

	ck_assert_uint_eq(import_one(&in, false).seq, 1);
	ck_assert_uint_eq(found(in.facts.id), 1);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("import");
	TCase *sound = tcase_create("all");

	tcase_add_checked_fixture(sound, fx_setup, fx_teardown);
	tcase_add_test(sound, into_an_empty_outbox_numbers_are_kept);
	tcase_add_test(sound, a_number_that_is_taken_or_was_is_replaced_and_the_id_leads_to_it);
	tcase_add_test(sound, what_is_there_is_skipped);
	tcase_add_test(sound, a_dedupe_key_comes_back_with_its_entry);
	tcase_add_test(sound, a_dry_run_changes_nothing);
	tcase_add_test(sound, what_is_imported_is_counted_in_its_record_with_it);
	tcase_add_test(sound, what_waits_is_delivered_under_its_id_with_the_next_attempt);
	tcase_add_test(sound, orders_are_kept);
	tcase_add_test(sound, a_forged_number_does_not_use_the_numbers_up);
	suite_add_tcase(s, sound);
	return s;
}

int main(void)
{
	return fx_main(suite);
}
