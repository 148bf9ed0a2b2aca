/* Appending: ids, order, duplicates, the quota, payloads byte for byte; and opening, which comes
 * before. */
#include "unit/outbox_fixture.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/url.h"

/* --- payloads
 * ------------------------------------------------------------------------------------------ */

static size_t body_pages(void)
{
	struct rp_txn t;
	MDB_stat st;

	ck_assert_int_eq(rp_txn_read(fx_db(), &t, &fx.err), RP_OK);
	ck_assert_int_eq(mdb_stat(t.mdb, t.ob->db.table[RP_T_BODY], &st), 0);
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
		fx_exchange(512, NULL, 0);
		ck_assert_uint_gt(fx.n_claims, 0);
		for (i = 0; i < fx.n_claims; i++)
			s[i] = fx_settlement(&fx.claims[i],
					     (done + i) % 2 ? RP_SETTLE_DELIVERED : RP_SETTLE_DEAD);
		done += fx.n_claims;
		fx_exchange(0, s, fx.n_claims);
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
	tcase_add_test(tc, payloads_share_pages);
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
