/* Appending: ids, order, duplicates, the quota, payloads byte for byte; and opening, which comes
 * before. */
#include "unit/outbox_fixture.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/url.h"

#define N(table) ((int)(sizeof(table) / sizeof((table)[0])))

/* --- ids and duplicates
 * ------------------------------------------------------------------------------------------ */

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

/* --- payloads
 * ------------------------------------------------------------------------------------------ */

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
	fx_turn(3, NULL, 0);
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

static size_t body_pages(void)
{
	struct rp_txn t;
	MDB_stat st;

	ck_assert_int_eq(rp_txn_read(fx_db(), &t, &fx.err), RP_OK);
	ck_assert_int_eq(mdb_stat(t.mdb, t.ob->table[RP_T_BODY], &st), 0);
	rp_txn_end(&t);
	return st.ms_leaf_pages + st.ms_overflow_pages;
}

/* What is written is what a commit costs. `mixed`: payloads of all sizes, among them long ones
 * with pages of their own. */
static void fill_pages(size_t commits, size_t batch, size_t bytes, bool mixed)
{
	static char filler[16000];
	struct rp_new_entry entries[100];
	struct rp_appended out[100];
	size_t i, j, sum = 0, pages = body_pages();
	uint64_t x = 7;

	for (i = 0; i < commits; i++) {
		for (j = 0; j < batch; j++) {
			entries[j] = fx_new(1);
			entries[j].payload =
			    (struct rp_span){filler, mixed ? fx_random(&x) % bytes : bytes};
			sum += entries[j].payload.len;
		}
		ck_assert_int_eq(rp_outbox_append(fx.ob, fx.now_ms, entries, batch, out, &fx.err),
				 RP_OK);
	}
	pages = body_pages() - pages;
	ck_assert_msg(pages * fx_page_bytes() < sum + sum / (mixed ? 4 : 10),
		      "%zu bytes lie on %zu pages", sum, pages);
}

START_TEST(payloads_share_pages)
{
	fill_pages(10, 100, 2048, false);
	fill_pages(300, 3, 2048, false);
	fill_pages(10, 100, 700, false);
	fill_pages(10, 100, 5000, false);
	fill_pages(20, 100, 16000, true);
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
	fx_turn(1, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 0);
	ck_assert_int_eq(fx.next_look_ms, n.not_before_at_ms);
	fx.now_ms += 999;
	fx_turn(1, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 0);
	fx.now_ms++;
	ck_assert_uint_eq(fx_claim().seq, seq);
}
END_TEST

/* --- quota
 * ------------------------------------------------------------------------------------------ */

#define QUOTA ((uint64_t)8 << 20)

static void setup_quota(void)
{
	fx_setup_dir();
	fx.options.quota_bytes = QUOTA;
	fx_open();
	fx_join();
}

static char filler[300000];

/* Appends entries of mixed sizes until the outbox is full; their seqs go into seqs. */
static size_t fill(uint64_t *x, uint64_t *seqs, size_t max)
{
	static const size_t mixed[] = {200, 2000, 2015, 5000, 9000, 70000, 300000};
	struct rp_appended out;
	size_t n = 0;

	while (n < max) {
		struct rp_new_entry e = fx_new((unsigned)(fx_random(x) % 3));
		enum rp_err rc;

		e.payload = (struct rp_span){filler, mixed[fx_random(x) % 7]};
		rc = rp_outbox_append(fx.ob, fx.now_ms, &e, 1, &out, &fx.err);
		if (rc == RP_ERR_FULL)
			return n;
		ck_assert_msg(rc == RP_OK, "%s", fx.err.text);
		seqs[n++] = out.seq;
	}
	ck_abort_msg("%zu entries and the quota is still not reached", n);
}

START_TEST(a_full_outbox_takes_nothing_and_loses_nothing)
{
	static uint64_t seqs[20000];
	uint64_t x = 7;
	size_t n = fill(&x, seqs, 20000);
	struct rp_ledger before = fx_ledger(), after;
	struct rp_new_entry two[2] = {fx_new(1), fx_new(1)};
	struct rp_appended out[2];
	uint64_t seq;

	two[1].payload = (struct rp_span){filler, sizeof filler};
	ck_assert_int_eq(rp_outbox_append(fx.ob, fx.now_ms, two, 2, out, &fx.err), RP_ERR_FULL);
	ck_assert_ptr_nonnull(strstr(fx.err.text, "quota"));
	after = fx_ledger();
	ck_assert_mem_eq(&before, &after, sizeof before);
	ck_assert_uint_eq(fx_rows(RP_T_ENTRY), n);
	fx_change(RP_CHANGE_PURGE, seqs[n - 1]);
	for (seq = 0; seq + 1 < n; seq++)
		fx_change(RP_CHANGE_PURGE, seqs[seq]);
	ck_assert_uint_eq(fx_append(1, 1), seqs[n - 1] + 1);
}
END_TEST

START_TEST(a_full_outbox_still_settles_kills_replays_and_purges)
{
	static uint64_t seqs[20000];
	struct rp_settlement s[512];
	uint64_t x = 11;
	size_t n = fill(&x, seqs, 20000), i;
	size_t done = 0;

	while (done < n) {
		fx_turn(512, NULL, 0);
		ck_assert_uint_gt(fx.n_claims, 0);
		for (i = 0; i < fx.n_claims; i++)
			s[i] = fx_settlement(&fx.claims[i],
					     (done + i) % 2 ? RP_SETTLE_DELIVERED : RP_SETTLE_DEAD);
		done += fx.n_claims;
		fx_turn(0, s, fx.n_claims);
	}
	ck_assert_uint_eq(fx_ledger().delivered + fx_ledger().dead, n);
	for (i = 0; i < n; i++)
		ck_assert_int_eq(fx_change(RP_CHANGE_REPLAY, seqs[i]), RP_CHANGED_DONE);
	fx_verify_sound();
	for (i = 0; i < n; i++)
		ck_assert_int_eq(fx_change(RP_CHANGE_PURGE, seqs[i]), RP_CHANGED_DONE);
	ck_assert_uint_gt(fill(&x, seqs, 20000), n / 2);
}
END_TEST

START_TEST(filling_and_purging_in_turn_does_not_let_the_file_grow)
{
	static uint64_t live[20000];
	uint64_t x = 13;
	size_t n = 0, round, i;
	struct stat st;
	char path[300];

	for (round = 0; round < 25; round++) {
		size_t added = fill(&x, live + n, 20000 - n);

		ck_assert_msg(added > 0, "round %zu: nothing can be appended after half was purged",
			      round);
		n += added;
		for (i = 0; i < n; i++)
			if (fx_random(&x) % 2 == 0) {
				ck_assert_int_eq(fx_change(RP_CHANGE_PURGE, live[i]),
						 RP_CHANGED_DONE);
				live[i--] = live[--n];
			}
	}
	fx_path("data.mdb", path, sizeof path);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_msg((uint64_t)st.st_size <= QUOTA + QUOTA / 4, "the file has %ld bytes",
		      (long)st.st_size);
}
END_TEST

static uint64_t file_bytes(void)
{
	struct rp_outbox_info info;

	ck_assert_int_eq(rp_outbox_info(fx.ob, &info, &fx.err), RP_OK);
	return info.file_bytes;
}

/* A reader that stands still keeps every page that was freed since it began; appends must not make
 * up for them. */
START_TEST(a_reader_that_stands_still_does_not_let_the_file_grow)
{
	static uint64_t seqs[20000];
	struct rp_txn reader;
	uint64_t x = 19, bytes;
	size_t n = fill(&x, seqs, 20000), i, round;

	ck_assert_int_eq(rp_txn_read(fx_db(), &reader, &fx.err), RP_OK);
	for (i = 0; i < n; i++)
		ck_assert_int_eq(fx_change(RP_CHANGE_PURGE, seqs[i]), RP_CHANGED_DONE);
	bytes = file_bytes();
	for (round = 0; round < 50; round++)
		ck_assert_uint_eq(fill(&x, seqs, 20000), 0);
	ck_assert_ptr_nonnull(strstr(fx.err.text, "reads a state of long ago"));
	ck_assert_uint_eq(file_bytes(), bytes);
	rp_txn_end(&reader);
	ck_assert_uint_gt(fill(&x, seqs, 20000), n / 2);
	ck_assert_uint_le(file_bytes(), bytes + QUOTA / 4);
}
END_TEST

START_TEST(the_quota_leaves_room_in_a_small_map)
{
	static uint64_t seqs[20000];
	uint64_t x = 17;
	size_t n, i;

	fx_setup_dir();
	fx.options.map_bytes = QUOTA;
	fx_open();
	fx_join();
	n = fill(&x, seqs, 20000);
	for (i = 0; i < n; i++) {
		struct rp_claim c = fx_claim();

		fx_settle(&c, RP_SETTLE_DEAD);
	}
	for (i = 0; i < n; i++)
		fx_change(RP_CHANGE_PURGE, seqs[i]);
	fx_teardown();
}
END_TEST

START_TEST(the_disk_reserve_stops_appends_only)
{
	struct rp_new_entry n = fx_new(1);
	struct rp_appended out;
	struct rp_claim c;

	fx_append(1, 1);
	fx_db()->disk_reserve_bytes = UINT64_MAX / 2;
	ck_assert_int_eq(rp_outbox_append(fx.ob, fx.now_ms, &n, 1, &out, &fx.err), RP_ERR_FULL);
	ck_assert_ptr_nonnull(strstr(fx.err.text, "disk"));
	c = fx_claim();
	ck_assert(!fx_settle(&c, RP_SETTLE_DELIVERED));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("outbox_append");
	TCase *tc = tcase_create("append");

	tcase_add_checked_fixture(tc, fx_setup, fx_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, ids_are_unique_and_lead_to_their_entries);
	tcase_add_test(tc, an_id_with_another_random_part_is_not_found);
	tcase_add_test(tc, sequence_numbers_follow_the_order_of_appends);
	tcase_add_test(tc, a_key_twice_in_one_batch_is_one_entry);
	tcase_add_test(tc, a_key_of_an_earlier_batch_is_a_duplicate_and_commits_nothing);
	tcase_add_loop_test(tc, a_key_is_a_duplicate_in_every_state_until_the_purge, 0, 5);
	tcase_add_loop_test(tc, payloads_of_every_size_come_back_byte_for_byte, 0, N(sizes));
	tcase_add_test(tc, payloads_share_pages);
	tcase_add_test(tc, texts_of_the_largest_size_come_back);
	tcase_add_test(tc, an_entry_is_not_due_before_its_not_before);
	tcase_add_test(tc, the_disk_reserve_stops_appends_only);
	suite_add_tcase(s, tc);
	tc = tcase_create("quota");
	tcase_add_checked_fixture(tc, setup_quota, fx_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, a_full_outbox_takes_nothing_and_loses_nothing);
	tcase_add_test(tc, a_full_outbox_still_settles_kills_replays_and_purges);
	tcase_add_test(tc, filling_and_purging_in_turn_does_not_let_the_file_grow);
	tcase_add_test(tc, a_reader_that_stands_still_does_not_let_the_file_grow);
	suite_add_tcase(s, tc);
	tc = tcase_create("map");
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, the_quota_leaves_room_in_a_small_map);
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
