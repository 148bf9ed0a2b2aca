/* No page goes to LMDB for writing that is not sound: what works on a damaged one ends with
 * RP_ERR_FORMAT, and has changed nothing. */
#include "unit/outbox_fixture.h"
#include "store/lmdb/tree/page.h"
#include "store/lmdb/tree/pages.h"

#include <check.h>
#include <stdlib.h>

enum { N = 400 };

static uint64_t first, purge_seq;

/* Trees of two levels, with entries of several states. */
static void fill(void)
{
	size_t i;

	fx_open();
	fx_join();
	first = fx_append(1, N);
	purge_seq = first + 22;
	fx_exchange(20, NULL, 0);
	for (i = 0; i < 20; i++)
		fx_settle(&fx.claims[i], i % 2 == 0 ? RP_SETTLE_DELIVERED : RP_SETTLE_DEAD);
}

static void limits(void *arg, struct rp_span name, struct rp_level_limits *out)
{
	const struct rp_limits all = {.in_flight = N, .start = N};

	(void)arg;
	(void)name;
	*out = (struct rp_level_limits){{all, all, all}, {"", 0}};
}

static enum rp_err claim_one(void)
{
	struct rp_claim claim;
	struct rp_exchange turn = {
	    .claims = &claim, .want = 1, .want_unproven = 1, .limits = limits};

	return rp_outbox_exchange(fx.ob, fx.now_ms, &turn, &fx.err);
}

static enum rp_err append_one(void)
{
	struct rp_new_entry e = fx_new(1);
	struct rp_appended got;

	return rp_outbox_append(fx.ob, fx.now_ms, &e, 1, &got, &fx.err);
}

static enum rp_err purge_one(void)
{
	enum rp_changed result;

	return rp_outbox_change(fx.ob, fx.now_ms, RP_CHANGE_PURGE, 0, &purge_seq, 1, 0, &result,
				&fx.err);
}

/* Goes through all rows of an endpoint as a turn does, from behind each row. */
static enum rp_err walk_queue(uint64_t endpoint)
{
	uint64_t key[3] = {endpoint, 0, 0};
	struct rp_txn t;
	enum rp_err e = rp_txn_write(fx_db(), fx.now_ms, &t, &fx.err);

	while (e == RP_OK && key[0] == endpoint)
		e = rp_row_first(&t, RP_T_QUEUE, rp_key3(endpoint, key[1], key[2] + 1), key, 3,
				 NULL, &fx.err);
	rp_txn_end(&t);
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

static void reopen(void)
{
	fx_close();
	fx_open();
	fx_join();
}

/* The leaf behind the one with the delivery record of first + i. */
static uint64_t page_behind(unsigned i)
{
	uint64_t here = fx_page_of(RP_T_DELIVERY, rp_key1(first + i)), page = here;

	while (page == here) {
		ck_assert_uint_lt(++i, N);
		page = fx_page_of(RP_T_DELIVERY, rp_key1(first + i));
	}
	return page;
}

/* --- damage ------------------------------------------------------------------------------- */

static unsigned char *node_of(unsigned char *page, unsigned i)
{
	return page + rp_page_u16(page + RP_PAGE_HEADER + 2 * i);
}

static void add_u16(unsigned char *at, int n)
{
	uint16_t v = (uint16_t)(rp_page_u16(at) + n);

	memcpy(at, &v, sizeof v);
}

/* Each leaves a page that LMDB would copy, move or cut rows of, beyond its end or before its
 * beginning. */
static void lower_too_high(unsigned char *page)
{
	add_u16(page + 12, 0x4000);
}

static void upper_too_low(unsigned char *page)
{
	add_u16(page + 14, -2);
}

static void row_too_long(unsigned char *page)
{
	add_u16(node_of(page, 1), 40); /* still within the page, but over the row behind it */
}

static void key_too_long(unsigned char *page)
{
	add_u16(node_of(page, 0) + 6, 0x1000);
}

static void rows_in_one_place(unsigned char *page)
{
	memcpy(page + RP_PAGE_HEADER + 2, page + RP_PAGE_HEADER, 2);
}

/* The last row, which is put at the beginning of the rows, moves into the one before. */
static void row_inside_another(unsigned char *page)
{
	unsigned last = rp_page_count(page) - 1;
	unsigned char *row = node_of(page, last), *before = node_of(page, last - 1);
	unsigned char inner[RP_NODE_HEADER + 8] = {0, 0, 0, 0, 0, 0, 8, 0};

	ck_assert_uint_eq(rp_page_u16(row + 6), 8);
	ck_assert_ptr_eq(row, page + rp_page_u16(page + 14));
	memcpy(inner + RP_NODE_HEADER, row + RP_NODE_HEADER, 8);
	memcpy(before + sizeof inner, inner, sizeof inner);
	add_u16(page + 14, (int)(before - row));
	add_u16(page + RP_PAGE_HEADER + 2 * last, (int)(before - row) + (int)sizeof inner);
}

static void row_said_to_be_a_table(unsigned char *page)
{
	node_of(page, 1)[4] |= RP_NODE_SUBDATA;
}

/* Its 8 bytes are a page's number then, and it takes up as much as before. */
static void row_said_to_have_pages(unsigned char *page)
{
	ck_assert_uint_eq(rp_page_u16(node_of(page, 0)), 8);
	node_of(page, 0)[4] |= RP_NODE_BIGDATA;
}

static void said_to_be_changed_already(unsigned char *page)
{
	page[10] |= 0x10;
}

static void another_kind(unsigned char *page)
{
	page[10] ^= RP_PAGE_BRANCH | RP_PAGE_LEAF;
}

static void another_page(unsigned char *page)
{
	page[1] ^= 1;
}

static void out_of_order(unsigned char *page)
{
	unsigned char *a = page + RP_PAGE_HEADER, *b = page + RP_PAGE_HEADER + 2, keep[2];

	memcpy(keep, a, 2);
	memcpy(a, b, 2);
	memcpy(b, keep, 2);
}

static void (*const damages[])(unsigned char *page) = {lower_too_high,
						       upper_too_low,
						       row_too_long,
						       key_too_long,
						       rows_in_one_place,
						       row_inside_another,
						       row_said_to_be_a_table,
						       said_to_be_changed_already,
						       another_kind,
						       another_page,
						       out_of_order};
#define N_DAMAGES ((int)(sizeof damages / sizeof damages[0]))

/* What stood there is left in `sound`. */
static void damage_page(uint64_t number, void (*damage)(unsigned char *page),
			unsigned char sound[FX_PAGE_MAX])
{
	unsigned char page[FX_PAGE_MAX];

	fx_page_read(number, sound);
	memcpy(page, sound, sizeof page);
	damage(page);
	fx_page_write(number, page);
}

/* The work fails, nothing has changed by it, and it is done as soon as the page is sound again. */
static void expect_refusal(uint64_t number, void (*damage)(unsigned char *page),
			   enum rp_err (*work)(void))
{
	struct rp_ledger before = fx_ledger(), after;
	unsigned char sound[FX_PAGE_MAX];

	damage_page(number, damage, sound);
	ck_assert_int_eq(work(), RP_ERR_FORMAT);
	ck_assert_msg(strstr(fx.err.text, "data.mdb is damaged") != NULL, "%s", fx.err.text);
	ck_assert_uint_gt(fx_full_problems(), 0);
	fx_page_write(number, sound);
	after = fx_ledger();
	ck_assert_mem_eq(&before, &after, sizeof before);
	fx_verify_sound();
	ck_assert_int_eq(work(), RP_OK);
	fx_verify_sound();
}

/* What stood in the page was found sound before. */
static void expect_refusal_again(uint64_t number, void (*damage)(unsigned char *page),
				 enum rp_err (*work)(void))
{
	unsigned char sound[FX_PAGE_MAX];

	damage_page(number, damage, sound);
	ck_assert_int_eq(work(), RP_ERR_FORMAT);
	fx_page_write(number, sound);
	fx_verify_sound();
}

/* --- tests -------------------------------------------------------------------------------- */

START_TEST(a_damaged_page_is_not_written_to)
{
	fill();
	reopen();
	/* the next claim's delivery record */
	expect_refusal(fx_page_of(RP_T_DELIVERY, rp_key1(first + 20)), damages[_i], claim_one);
	fx_close();
}
END_TEST

START_TEST(a_table_of_small_values_has_none_with_pages_of_their_own)
{
	struct rp_txn t;
	uint64_t number;
	MDB_val v;

	fill();
	reopen();
	ck_assert_int_eq(rp_txn_read(fx_db(), &t, &fx.err), RP_OK);
	ck_assert_int_eq(rp_db_table_row(&fx_db()->db, t.mdb, RP_T_ENDPOINT_ID, &v), 0);
	number = rp_page_tree(v.mv_data).root; /* its only leaf */
	rp_txn_end(&t);
	expect_refusal(number, row_said_to_have_pages, append_one);
	fx_close();
}
END_TEST

static size_t root_at; /* in the page that says where a table's tree begins */

static void root_is_page_0(unsigned char *page)
{
	memset(page + root_at, 0, 8);
}

/* Page 0 is LMDB's own; and a way that has not begun is at no page. */
START_TEST(a_table_whose_root_is_page_0_is_not_written_to)
{
	static const struct {
		enum rp_table table;
		enum rp_err (*work)(void);
	} cases[] = {{RP_T_DELIVERY, claim_one}, {RP_T_ENDPOINT_ID, append_one}};
	const unsigned char *row, *page;
	uint64_t number;
	struct rp_txn t;
	MDB_val v;

	fill();
	reopen();
	ck_assert_int_eq(rp_txn_read(fx_db(), &t, &fx.err), RP_OK);
	ck_assert_int_eq(rp_db_table_row(&fx_db()->db, t.mdb, cases[_i].table, &v), 0);
	row = v.mv_data;
	page = row - (uintptr_t)row % fx_db()->db.page_bytes; /* the map begins with a page */
	number = rp_page_u64(page);
	root_at = (size_t)(row - page) + 40; /* the last of its numbers: tree/page.h */
	ck_assert_uint_eq(rp_page_u64(page + root_at), rp_page_tree(row).root);
	rp_txn_end(&t);
	expect_refusal(number, root_is_page_0, cases[_i].work);
	fx_close();
}
END_TEST

START_TEST(a_transaction_that_met_a_damaged_page_cannot_be_committed)
{
	unsigned char sound[FX_PAGE_MAX];
	uint64_t number;
	struct rp_txn t;
	MDB_val v;

	fill();
	reopen();
	number = fx_page_of(RP_T_DELIVERY, rp_key1(first + 20));
	damage_page(number, another_kind, sound);
	ck_assert_int_eq(rp_txn_write(fx_db(), fx.now_ms, &t, &fx.err), RP_OK);
	ck_assert_int_eq(rp_row_get(&t, RP_T_DELIVERY, rp_key1(first + 20), &v, NULL),
			 RP_ERR_FORMAT);
	ck_assert_int_eq(rp_row_get(&t, RP_T_ENTRY, rp_key1(first), &v, NULL), RP_ERR_FORMAT);
	ck_assert_int_eq(rp_txn_commit(&t, &fx.err), RP_ERR_FORMAT);
	fx_page_write(number, sound);
	ck_assert_int_eq(claim_one(), RP_OK);
	fx_verify_sound();
	fx_close();
}
END_TEST

/* LMDB takes rows from beside a page that has grown too empty. */
START_TEST(nothing_is_removed_from_a_page_beside_a_damaged_one)
{
	fill();
	reopen();
	expect_refusal(page_behind(22), damages[_i], purge_one);
	fx_close();
}
END_TEST

START_TEST(nor_from_one_that_is_one_further)
{
	uint64_t near, number;
	unsigned i = 23;

	fill();
	reopen();
	near = page_behind(22);
	while (fx_page_of(RP_T_DELIVERY, rp_key1(first + i)) != near)
		i++;
	number = page_behind(i);
	ck_assert_uint_ne(number, near);
	expect_refusal(number, damages[_i], purge_one);
	fx_close();
}
END_TEST

/* A number is used for other pages as time goes by, so that the header is looked at each time. */
START_TEST(a_page_whose_number_was_found_sound_is_looked_at_again)
{
	static void (*const headers[])(unsigned char *page) = {lower_too_high, another_kind,
							       another_page};
	uint64_t number;
	size_t i;

	fill();
	reopen();
	number = page_behind(22);
	ck_assert_int_eq(purge_one(), RP_OK);
	ck_assert_uint_eq(page_behind(23), number); /* it was looked at and left as it was */
	purge_seq++;
	for (i = 0; i < sizeof headers / sizeof headers[0]; i++)
		expect_refusal_again(number, headers[i], purge_one);
	ck_assert_int_eq(purge_one(), RP_OK);
	fx_close();
}
END_TEST

/* --- values with pages of their own --- */

static void value_has_more_pages(unsigned char *page)
{
	page[14] ^= 0x10; /* 2^20 more */
}

static void value_has_fewer_pages(unsigned char *page)
{
	page[12]--;
}

START_TEST(a_value_whose_pages_are_damaged_is_not_removed)
{
	static void (*const values[])(unsigned char *page) = {
	    value_has_more_pages, value_has_fewer_pages, another_kind, another_page};
	static char payload[100000];
	struct rp_new_entry e = fx_new(1);
	unsigned char page[FX_PAGE_MAX];
	uint64_t number;

	fill();
	memset(payload, 'x', sizeof payload);
	e.payload = (struct rp_span){payload, sizeof payload};
	purge_seq = fx_append_one(&e, NULL);
	reopen();
	number = fx_page_of(RP_T_BODY, rp_key2(purge_seq, 1));
	fx_page_read(number, page);
	ck_assert_uint_eq(rp_page_kind(page), RP_PAGE_OVERFLOW);
	expect_refusal(number, values[_i], purge_one);
	fx_close();
}
END_TEST

/* LMDB gives none of them back within the transaction that took them. Nothing is wrong with
 * that. */
START_TEST(a_value_that_became_shorter_keeps_its_pages)
{
	static char value[10 * FX_PAGE_MAX];
	const size_t bytes = 10 * fx_page_bytes() - 960;
	struct rp_key key = rp_key1(1000000);
	struct rp_txn t;
	uint64_t number, problems = 0;
	uint32_t pages;
	struct rp_pages_watch watch = {.problem = NULL};
	struct rp_verify_cursor at = {0};
	bool all_done;
	unsigned char page[FX_PAGE_MAX];

	fill();
	ck_assert_int_eq(rp_txn_write(fx_db(), fx.now_ms, &t, &fx.err), RP_OK);
	ck_assert_int_eq(rp_row_put(&t, RP_T_ENTRY, key, value, bytes, 0, &fx.err), RP_OK);
	ck_assert_int_eq(
	    rp_row_put(&t, RP_T_ENTRY, key, value, fx_page_bytes() * 3 / 4, 0, &fx.err), RP_OK);
	ck_assert_int_eq(rp_txn_commit(&t, &fx.err), RP_OK);
	number = fx_page_of(RP_T_ENTRY, key);
	fx_page_read(number, page);
	memcpy(&pages, page + 12, sizeof pages);
	ck_assert_uint_eq(pages, 10); /* where one would do */
	ck_assert_int_eq(rp_txn_read(fx_db(), &t, &fx.err), RP_OK);
	ck_assert_int_eq(
	    rp_pages_check(&t.ob->db, t.mdb, &watch, &at, &all_done, &problems, &fx.err), RP_OK);
	ck_assert(all_done);
	rp_txn_end(&t);
	ck_assert_uint_eq(problems, 0);
	reopen();
	ck_assert_int_eq(rp_txn_write(fx_db(), fx.now_ms, &t, &fx.err), RP_OK);
	ck_assert_int_eq(rp_row_del(&t, RP_T_ENTRY, key, &fx.err), RP_OK);
	ck_assert_int_eq(rp_txn_commit(&t, &fx.err), RP_OK);
	fx_verify_sound();
	fx_close();
}
END_TEST

START_TEST(a_damaged_end_of_a_table_is_not_appended_to)
{
	fill();
	reopen();
	expect_refusal(fx_page_of(RP_T_ENTRY, rp_key1(first + N - 1)), damages[_i], append_one);
	fx_close();
}
END_TEST

/* A page is looked at once in a process. It can be damaged later, but then in memory. */
START_TEST(a_page_that_was_sound_stays_trusted)
{
	struct rp_settlement s;

	fill();
	reopen();
	fx_exchange(1, NULL, 0);
	s = fx_settlement(&fx.claims[0], RP_SETTLE_DELIVERED);
	fx_exchange(5, &s, 1);
	fx_append(1, 200);
	fx_exchange(100, NULL, 0);
	fx_verify_sound();
	fx_close();
}
END_TEST

/* As a bit of a branch's row flipped: the page it leads to is sound, and holds other keys. */
START_TEST(a_sound_page_in_the_wrong_place_is_noticed)
{
	unsigned char sound[FX_PAGE_MAX], page[FX_PAGE_MAX];
	uint64_t i, n, here, there, child;
	unsigned k = 0, at = 0;
	uint16_t low;

	fill();
	reopen();
	/* looks at the page beside, and leaves it as it is */
	ck_assert_int_eq(purge_one(), RP_OK);
	here = fx_page_of(RP_T_DELIVERY, rp_key1(first + 20)); /* whose turn is next */
	there = page_behind(23);
	n = fx_pages();
	for (i = 1, child = 0; i + 1 < n && child != here;) {
		fx_page_read(++i, page);
		if (rp_page_u64(page) != i ||
		    rp_page_check(page, fx_page_bytes(), RP_PAGE_BRANCH, &k) != NULL)
			continue;
		for (k = 0; k < rp_page_count(page) && child != here; k++)
			child = rp_page_sound_node(page, at = k, false).child;
	}
	ck_assert_uint_eq(child, here);
	memcpy(sound, page, sizeof page);
	low = (uint16_t)there;
	memcpy(node_of(page, at), &low, sizeof low);
	fx_page_write(i, page);
	ck_assert_int_eq(claim_one(), RP_ERR_FORMAT);
	fx_page_write(i, sound);
	fx_verify_sound();
	ck_assert_int_eq(claim_one(), RP_OK);
	fx_close();
}
END_TEST

/* From behind an endpoint's last row LMDB goes on to the next leaf, which no key led to: a copy of
 * a later one. */
START_TEST(a_leaf_that_was_written_over_by_another_is_noticed_in_a_walk)
{
	struct rp_delivery d;
	unsigned char sound[FX_PAGE_MAX], page[FX_PAGE_MAX];
	uint64_t here, there, k;
	unsigned i;

	fill();
	for (i = 0; i < N; i++) {
		fx_append(2, 1);
		fx_append(3, 1);
	}
	reopen();
	/* the first leaf that begins with a row of endpoint 2 or 3 must be another than where its
	 * keys are looked for */
	d = fx_delivery(first + N);
	here = fx_page_of(RP_T_QUEUE, rp_key3(d.endpoint, (uint64_t)d.due_at_ms, first + N));
	for (i = 0, there = here; there == here && i < N; i++) {
		k = first + N + 2 * i;
		d = fx_delivery(k);
		there = fx_page_of(RP_T_QUEUE, rp_key3(d.endpoint, (uint64_t)d.due_at_ms, k));
	}
	ck_assert_uint_ne(here, there);
	fx_page_read(there, sound);
	fx_page_read(here, page);
	fx_page_write(there, page);
	ck_assert_int_eq(walk_queue(d.endpoint), RP_ERR_FORMAT);
	fx_page_write(there, sound);
	fx_verify_sound();
	ck_assert_int_eq(walk_queue(d.endpoint), RP_OK);
	fx_close();
}
END_TEST

/* Its rows are read by LMDB in any commit. */
static enum rp_err check_lists(void)
{
	struct rp_txn t;
	enum rp_err e;

	ck_assert_int_eq(rp_txn_read_rows(fx_db(), &t, &fx.err), RP_OK);
	e = rp_pages_check_lists(&fx_db()->db, t.mdb, &fx.err);
	rp_txn_end(&t);
	return e;
}

START_TEST(a_damaged_free_list_is_noticed_before_the_first_write)
{
	unsigned char sound[FX_PAGE_MAX], page[FX_PAGE_MAX];
	uint64_t i, n, refused = 0;

	fill();
	n = fx_pages();
	for (i = 2; i < n && refused == 0; i++) {
		unsigned rows;

		fx_page_read(i, sound);
		if (rp_page_u64(sound) != i ||
		    rp_page_check(sound, fx_page_bytes(), RP_PAGE_LEAF, &rows) != NULL)
			continue;
		if (rp_page_sound_node(sound, 0, true).key_bytes != 8 ||
		    rp_page_sound_node(sound, 0, true).data_bytes % 8 != 0)
			continue;
		memcpy(page, sound, sizeof page);
		/* so many pages, if it is of the free list */
		memset(node_of(page, 0) + RP_NODE_HEADER + 8, 0xff, 8);
		fx_page_write(i, page);
		fx_close();
		fx_open();
		if (check_lists() != RP_OK) { /* an append would move the list */
			ck_assert_int_eq(append_one(), RP_ERR_FORMAT);
			ck_assert_msg(strstr(fx.err.text, "free list") != NULL, "%s", fx.err.text);
			refused++;
		}
		fx_page_write(i, sound);
	}
	ck_assert_uint_eq(refused, 1);
	ck_assert_int_eq(append_one(), RP_OK);
	fx_verify_sound();
	fx_close();
}
END_TEST

START_TEST(a_meta_page_with_an_impossible_page_size_is_refused)
{
	static const uint32_t sizes[] = {0, 1, 0xffffffff, 4097, 6144, 512, 2048, 65536, 1U << 31};
	unsigned char sound[2][FX_PAGE_MAX], page[FX_PAGE_MAX];
	uint64_t i, k;

	fill();
	fx_close();
	for (i = 0; i < 2; i++)
		fx_page_read(i, sound[i]);
	for (k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
		for (i = 0; i < 2; i++) {
			memcpy(page, sound[i], sizeof page);
			memcpy(page + RP_META_PAGE_BYTES_AT, &sizes[k], sizeof sizes[k]);
			fx_page_write(i, page);
		}
		ck_assert_int_eq(rp_outbox_open(fx_dir, &fx.options, &fx.ob, &fx.err),
				 RP_ERR_FORMAT);
	}
	for (i = 0; i < 2; i++)
		fx_page_write(i, sound[i]);
	fx_open();
	fx_verify_sound();
	fx_close();
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("outbox_trust");
	TCase *tc = tcase_create("trust");

	tcase_add_checked_fixture(tc, fx_setup_dir, fx_teardown_dir);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, a_damaged_page_is_not_written_to, 0, N_DAMAGES);
	tcase_add_test(tc, a_table_of_small_values_has_none_with_pages_of_their_own);
	tcase_add_loop_test(tc, a_table_whose_root_is_page_0_is_not_written_to, 0, 2);
	tcase_add_test(tc, a_transaction_that_met_a_damaged_page_cannot_be_committed);
	tcase_add_loop_test(tc, nothing_is_removed_from_a_page_beside_a_damaged_one, 0, N_DAMAGES);
	tcase_add_loop_test(tc, nor_from_one_that_is_one_further, 0, N_DAMAGES);
	tcase_add_test(tc, a_page_whose_number_was_found_sound_is_looked_at_again);
	tcase_add_loop_test(tc, a_value_whose_pages_are_damaged_is_not_removed, 0, 4);
	tcase_add_test(tc, a_value_that_became_shorter_keeps_its_pages);
	tcase_add_loop_test(tc, a_damaged_end_of_a_table_is_not_appended_to, 0, N_DAMAGES);
	tcase_add_test(tc, a_page_that_was_sound_stays_trusted);
	tcase_add_test(tc, a_sound_page_in_the_wrong_place_is_noticed);
	tcase_add_test(tc, a_leaf_that_was_written_over_by_another_is_noticed_in_a_walk);
	tcase_add_test(tc, a_damaged_free_list_is_noticed_before_the_first_write);
	tcase_add_test(tc, a_meta_page_with_an_impossible_page_size_is_refused);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
