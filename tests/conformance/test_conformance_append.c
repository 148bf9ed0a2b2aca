/* Appends: ids, numbers, dedupe keys, texts, times. */

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conformance/fixture.h"
#include "net/url.h"

#define N(table) ((int)(sizeof(table) / sizeof((table)[0])))

/* --- ids and duplicates ------------------------------------------------------------------ */

static int by_id(const void *a, const void *b)
{
	return memcmp(a, b, RP_ID_BYTES);
}

START_TEST(ids_are_unique_and_lead_to_their_entries)
{
	struct rp_new_entry entries[300];
	struct rp_appended out[300];
	struct rp_entry found = {0};
	unsigned char ids[300][RP_ID_BYTES];
	size_t i;

	for (i = 0; i < 300; i++)
		entries[i] = fx_new((unsigned)i % 7);
	ck_assert_int_eq(rp_outbox_append(fx.ob, fx.now_ms, entries, 300, out, &fx.err), RP_OK);
	for (i = 0; i < 300; i++) {
		memcpy(ids[i], out[i].id, RP_ID_BYTES);
		ck_assert(!out[i].duplicate);
		ck_assert_uint_eq(rp_id_seq(out[i].id), out[i].seq);
		ck_assert_int_eq(rp_outbox_find(fx.ob, out[i].id, &found, &fx.err), RP_OK);
		ck_assert_uint_eq(found.seq, out[i].seq);
		ck_assert_int_eq(found.delivery.state, RP_STATE_WAITING);
		ck_assert(!found.damaged);
		ck_assert_uint_eq(found.facts.url.len, entries[i].url.len);
		ck_assert_mem_eq(found.facts.url.ptr, entries[i].url.ptr, entries[i].url.len);
		ck_assert_uint_eq(found.endpoint.len, entries[i].endpoint.len);
		ck_assert_mem_eq(found.endpoint.ptr, entries[i].endpoint.ptr,
				 entries[i].endpoint.len);
		ck_assert_int_eq(found.facts.accepted_at_ms, fx.now_ms);
	}
	rp_entry_release(&found);
	qsort(ids, 300, RP_ID_BYTES, by_id);
	for (i = 1; i < 300; i++)
		ck_assert_int_ne(memcmp(ids[i - 1], ids[i], RP_ID_BYTES), 0);
}
END_TEST

/* Paths of one host and of several, new ones between known ones; each comes back when many others
 * have been named since. */
START_TEST(each_name_of_a_batch_is_one_endpoint_however_often_it_comes)
{
	struct rp_new_entry entries[900];
	struct rp_appended out[900];
	struct rp_endpoint rec;
	unsigned round, i, k;

	for (round = 1; round <= 2; round++) {
		for (i = 0; i < 900; i++) {
			k = i * 7 % (150 * round);
			entries[i] = fx_new(k < 200 ? FX_PATHS + k : k);
		}
		ck_assert_int_eq(rp_outbox_append(fx.ob, fx.now_ms, entries, 900, out, &fx.err),
				 RP_OK);
		ck_assert_uint_eq(fx_n_endpoints(), 150 * round);
		fx_verify_sound();
	}
	for (k = 0; k < 300; k++) {
		rec = fx_endpoint_record(k < 200 ? FX_PATHS + k : k);
		ck_assert_uint_eq(rec.count[RP_STATE_WAITING], k < 150 ? 9 : 3);
	}
}
END_TEST

START_TEST(an_id_with_another_random_part_is_not_found)
{
	struct rp_new_entry n = fx_new(1);
	struct rp_entry found = {0};
	struct rp_appended out;

	ck_assert_int_eq(rp_outbox_append(fx.ob, fx.now_ms, &n, 1, &out, &fx.err), RP_OK);
	out.id[RP_ID_BYTES - 1] ^= 1;
	ck_assert_int_eq(rp_outbox_find(fx.ob, out.id, &found, &fx.err), RP_ERR_NOTFOUND);
	ck_assert_ptr_nonnull(strstr(fx.err.text, "no such entry"));
	rp_entry_release(&found);
}
END_TEST

START_TEST(sequence_numbers_follow_the_order_of_appends)
{
	uint64_t a = fx_append(1, 3), b = fx_append(2, 1), c = fx_append(1, 2);

	ck_assert_uint_eq(b, a + 3);
	ck_assert_uint_eq(c, b + 1);
}
END_TEST

START_TEST(a_key_twice_in_one_batch_is_one_entry)
{
	struct rp_new_entry entries[3] = {fx_new(1), fx_new(1), fx_new(1)};
	struct rp_appended out[3];

	entries[2].dedupe_key = entries[0].dedupe_key;
	ck_assert_int_eq(rp_outbox_append(fx.ob, fx.now_ms, entries, 3, out, &fx.err), RP_OK);
	ck_assert(!out[0].duplicate && !out[1].duplicate && out[2].duplicate);
	ck_assert_uint_eq(out[2].seq, out[0].seq);
	ck_assert_mem_eq(out[2].id, out[0].id, RP_ID_BYTES);
	ck_assert_uint_eq(fx_ledger().accepted, 2);
}
END_TEST

START_TEST(a_key_of_an_earlier_batch_is_a_duplicate_and_commits_nothing)
{
	struct rp_new_entry n = fx_new(1), again = fx_new(2);
	struct rp_outbox_info before, after;
	bool duplicate;
	uint64_t seq = fx_append_one(&n, NULL);

	again.dedupe_key = n.dedupe_key;
	ck_assert_int_eq(rp_outbox_info(fx.ob, &before, &fx.err), RP_OK);
	ck_assert_uint_eq(fx_append_one(&again, &duplicate), seq);
	ck_assert(duplicate);
	ck_assert_int_eq(rp_outbox_info(fx.ob, &after, &fx.err), RP_OK);
	ck_assert_uint_eq(before.commits, after.commits);
	ck_assert_uint_eq(fx_ledger().accepted, 1);
}
END_TEST

START_TEST(a_key_is_a_duplicate_in_every_state_until_the_purge)
{
	static const enum rp_state states[] = {RP_STATE_WAITING, RP_STATE_IN_FLIGHT, RP_STATE_HELD,
					       RP_STATE_DELIVERED, RP_STATE_DEAD};
	struct rp_new_entry n = fx_new(1);
	uint64_t seq = fx_append_one(&n, NULL);
	struct rp_claim c;
	bool duplicate;

	if (states[_i] == RP_STATE_HELD)
		fx_change(RP_CHANGE_HOLD, seq);
	if (states[_i] != RP_STATE_HELD && states[_i] != RP_STATE_WAITING) {
		c = fx_claim();
		if (states[_i] != RP_STATE_IN_FLIGHT)
			fx_settle(&c, states[_i] == RP_STATE_DEAD ? RP_SETTLE_DEAD
								  : RP_SETTLE_DELIVERED);
	}
	ck_assert_int_eq(fx_state(seq), states[_i]);
	ck_assert_uint_eq(fx_append_one(&n, &duplicate), seq);
	ck_assert(duplicate);
	fx_change(RP_CHANGE_PURGE, seq);
	ck_assert_uint_gt(fx_append_one(&n, &duplicate), seq);
	ck_assert(!duplicate);
}
END_TEST

/* --- payloads ---------------------------------------------------------------------------- */

/* Around the bounds of body.c, for pages of 4, 16 and 32 KiB. */
static const size_t sizes[] = {0,           1,
			       2013,        2014,
			       2015,        2016,
			       4079,        4080,
			       4081,        4082,
			       6042,        8055,
			       8056,        8057,
			       8158,        8159,
			       16350,       16351,
			       16368,       16369,
			       32632,       32633,
			       64 << 10,    1 << 20,
			       16 << 20,    (16 << 20) + 4079,
			       32752,       32753,
			       65400,       65401,
			       65536 + 4079};

static char *make_payload(size_t n)
{
	uint64_t x = n + 88172645463325252u;
	char *p = malloc(n + 1);
	size_t i;

	ck_assert_ptr_nonnull(p);
	for (i = 0; i < n; i++)
		p[i] = (char)fx_random(&x);
	return p;
}

START_TEST(payloads_of_every_size_come_back_byte_for_byte)
{
	struct rp_new_entry n = fx_new(1);
	struct rp_dispatch d = {0};
	struct rp_buf body = {0};
	char *payload = make_payload(sizes[_i]);
	struct rp_claim c;

	n.payload = (struct rp_span){payload, sizes[_i]};
	fx_append(1, 1);
	fx_append_one(&n, NULL);
	fx_append(1, 1);
	fx_exchange(3, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 3);
	c = fx.claims[1];
	ck_assert_int_eq(rp_outbox_fetch(fx.ob, &c, &d, &fx.err), RP_OK);
	ck_assert_uint_eq(d.payload.len, sizes[_i]);
	ck_assert(memcmp(d.payload.ptr, payload, sizes[_i]) == 0);
	ck_assert(rp_span_is(d.facts.operation, "POST /runs/wait"));
	ck_assert_int_eq(rp_outbox_body(fx.ob, c.seq, &body, &fx.err), RP_OK);
	ck_assert_uint_eq(body.len, sizes[_i]);
	ck_assert(sizes[_i] == 0 || memcmp(body.data, payload, sizes[_i]) == 0);
	ck_assert_int_eq(fx_change(RP_CHANGE_PURGE, c.seq), RP_CHANGED_DONE_IN_FLIGHT);
	rp_buf_release(&body);
	rp_dispatch_release(&d);
	free(payload);
}
END_TEST

START_TEST(texts_of_the_largest_size_come_back)
{
	static char url[RP_URL_MAX], headers[2048], text[200], key[256];
	struct rp_new_entry n = fx_new(1);
	struct rp_dispatch d = {0};
	struct rp_claim c;

	memset(url, 'u', sizeof url);
	memset(headers, 'h', sizeof headers);
	memset(text, 't', sizeof text);
	memset(key, 'k', sizeof key);
	n.url = (struct rp_span){url, sizeof url};
	n.headers = (struct rp_span){headers, sizeof headers};
	n.run_id = n.operation = n.order_by = (struct rp_span){text, sizeof text};
	n.dedupe_key = (struct rp_span){key, sizeof key};
	fx_append_one(&n, NULL);
	c = fx_claim();
	ck_assert_int_eq(rp_outbox_fetch(fx.ob, &c, &d, &fx.err), RP_OK);
	ck_assert_uint_eq(d.facts.url.len, sizeof url);
	ck_assert_mem_eq(d.facts.url.ptr, url, sizeof url);
	ck_assert_mem_eq(d.facts.headers.ptr, headers, sizeof headers);
	ck_assert_uint_eq(d.facts.order_by.len, sizeof text);
	ck_assert_mem_eq(d.facts.dedupe_key.ptr, key, sizeof key);
	rp_dispatch_release(&d);
}
END_TEST

START_TEST(an_entry_is_not_due_before_its_not_before)
{
	struct rp_new_entry n = fx_new(1);
	uint64_t seq;

	n.not_before_at_ms = fx.now_ms + 1000;
	seq = fx_append_one(&n, NULL);
	fx_exchange(1, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 0);
	ck_assert_int_eq(fx.next_ready_ms, n.not_before_at_ms);
	fx.now_ms += 999;
	fx_exchange(1, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 0);
	fx.now_ms++;
	ck_assert_uint_eq(fx_claim().seq, seq);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("append");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, fx_setup, fx_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, ids_are_unique_and_lead_to_their_entries);
	tcase_add_test(tc, each_name_of_a_batch_is_one_endpoint_however_often_it_comes);
	tcase_add_test(tc, an_id_with_another_random_part_is_not_found);
	tcase_add_test(tc, sequence_numbers_follow_the_order_of_appends);
	tcase_add_test(tc, a_key_twice_in_one_batch_is_one_entry);
	tcase_add_test(tc, a_key_of_an_earlier_batch_is_a_duplicate_and_commits_nothing);
	tcase_add_loop_test(tc, a_key_is_a_duplicate_in_every_state_until_the_purge, 0, 5);
	tcase_add_loop_test(tc, payloads_of_every_size_come_back_byte_for_byte, 0, N(sizes));
	tcase_add_test(tc, texts_of_the_largest_size_come_back);
	tcase_add_test(tc, an_entry_is_not_due_before_its_not_before);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return fx_main(suite);
}
