/* Rows read without LMDB are the rows LMDB has: all of them, from any key on, and one by one. */
#include "unit/outbox_fixture.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/lmdb/tree/page.h"
#include "store/lmdb/tree/rows.h"

static uint64_t x = 1;

static void fill(size_t n)
{
	static char headers[2000];
	struct rp_new_entry e;
	size_t i;

	memset(headers, 'h', sizeof headers); /* longer than what stays inside a page */
	for (i = 0; i < n; i++) {
		e = fx_new((unsigned)(fx_random(&x) % 7));
		if (fx_random(&x) % 10 == 0)
			e.headers = (struct rp_span){headers, sizeof headers};
		if (fx_random(&x) % 5 == 0)
			e.order_by = rp_span_of("one after the other");
		fx_append_one(&e, NULL);
		if (fx_random(&x) % 6 == 0)
			fx_change(RP_CHANGE_PURGE, 1 + fx_random(&x) % (i + 1));
	}
}

static bool same(const MDB_val *a, const MDB_val *b)
{
	return a->mv_size == b->mv_size && memcmp(a->mv_data, b->mv_data, a->mv_size) == 0;
}

/* From `from` on (NULL: from the first row), both ways at once. Result: rows. */
static uint64_t compare(struct rp_txn *t, struct rp_tree_rows *l, enum rp_table table,
			const MDB_val *from, bool behind)
{
	MDB_val k, v, k2 = from != NULL ? *from : (MDB_val){0, NULL}, v2;
	MDB_cursor *c;
	uint64_t n = 0;
	int rc;

	ck_assert_int_eq(mdb_cursor_open(t->mdb, t->ob->db.table[table], &c), 0);
	rc = mdb_cursor_get(c, &k2, &v2, from != NULL ? MDB_SET_RANGE : MDB_FIRST);
	if (from != NULL && behind && rc == 0 && same(&k2, from))
		rc = mdb_cursor_get(c, &k2, &v2, MDB_NEXT);
	if (from != NULL)
		ck_assert_int_eq(rp_tree_rows_seek(l, from, behind, &fx.err), RP_OK);
	while (rp_tree_rows_next(l, &k, &v, &fx.err) == RP_OK) {
		ck_assert_int_eq(rc, 0);
		ck_assert(same(&k, &k2) && same(&v, &v2));
		rc = mdb_cursor_get(c, &k2, &v2, MDB_NEXT);
		n++;
	}
	ck_assert_int_eq(rc, MDB_NOTFOUND);
	mdb_cursor_close(c);
	return n;
}

START_TEST(every_table_reads_as_lmdb_reads_it)
{
	struct rp_txn t;
	int table;

	fill(_i == 0 ? 0 : 40u << (_i * 2));
	ck_assert_int_eq(rp_txn_read(fx_db(), &t, &fx.err), RP_OK);
	for (table = 0; table < RP_T_COUNT; table++) {
		struct rp_tree_rows l;

		ck_assert_int_eq(
		    rp_tree_rows_begin(&l, &t.ob->db, t.mdb, (enum rp_table)table, &fx.err), RP_OK);
		ck_assert_uint_eq(compare(&t, &l, (enum rp_table)table, NULL, false),
				  fx_rows((enum rp_table)table));
		rp_tree_rows_end(&l);
	}
	rp_txn_end(&t);
}
END_TEST

START_TEST(any_key_is_a_place_to_begin)
{
	struct rp_tree_rows l;
	struct rp_txn t;
	MDB_val v, v2;
	int i;

	fill(1500);
	ck_assert_int_eq(rp_txn_read(fx_db(), &t, &fx.err), RP_OK);
	ck_assert_int_eq(rp_tree_rows_begin(&l, &t.ob->db, t.mdb, RP_T_ENTRY, &fx.err), RP_OK);
	for (i = 0; i < 60; i++) {
		uint64_t seq = fx_random(&x) % 1600;
		struct rp_key key = rp_key1(seq);
		enum rp_err e = rp_row_get(&t, RP_T_ENTRY, key, &v2, &fx.err);

		compare(&t, &l, RP_T_ENTRY, &(MDB_val){key.len, key.bytes}, i % 2 == 0);
		ck_assert_int_eq(rp_tree_rows_get(&l, key, &v, &fx.err), e);
		ck_assert(e != RP_OK || same(&v, &v2));
	}
	rp_tree_rows_end(&l);
	rp_txn_end(&t);
}
END_TEST

/* Spoils bytes of leaf pages of the closed file at random. */
static void spoil(int fd, long pages)
{
	unsigned char page[FX_PAGE_MAX];
	const long n = (long)fx_page_bytes();
	long i = 2 + (long)(fx_random(&x) % (uint64_t)(pages - 2));

	ck_assert_int_eq(pread(fd, page, (size_t)n, i * n), n);
	if ((page[10] & 3) == 0) /* neither branch nor leaf */
		return;
	page[fx_random(&x) % 64] ^= (unsigned char)(1u << fx_random(&x) % 8);
	ck_assert_int_eq(pwrite(fd, page, (size_t)n, i * n), n);
}

/* Whatever stands in a page, a walk ends, with all there is or a word about it. */
START_TEST(damaged_pages_are_told_and_no_walk_goes_on_for_ever)
{
	char path[256];
	struct rp_tree_rows l;
	struct rp_txn t;
	MDB_val k, v;
	enum rp_err e;
	uint64_t rows, n;
	int fd, i;

	x = (uint64_t)_i + 1;
	fill(400);
	rows = fx_rows(RP_T_DELIVERY);
	fx_path("data.mdb", path, sizeof path);
	fd = open(path, O_RDWR);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(rp_txn_read(fx_db(), &t, &fx.err), RP_OK);
	/* begun before, since LMDB itself would not survive looking for the table now */
	ck_assert_int_eq(rp_tree_rows_begin(&l, &t.ob->db, t.mdb, RP_T_DELIVERY, &fx.err), RP_OK);
	for (i = 0; i < 40; i++)
		spoil(fd, (long)fx_pages());
	for (i = 0; i < (int)l.way.depth; i++)
		l.way.stop[i].pgno = 0; /* read it again */
	e = rp_tree_rows_seek(&l, &(MDB_val){0, NULL}, false, &fx.err);
	for (n = 0; e == RP_OK && n < 3 * rows; n++) {
		e = rp_tree_rows_next(&l, &k, &v, &fx.err);
		if (e == RP_OK)
			ck_assert_uint_le(k.mv_size, 511);
	}
	ck_assert(e == RP_ERR_NOTFOUND ||
		  (e == RP_ERR_DAMAGED && strstr(fx.err.text, "runpostctl verify") != NULL));
	rp_tree_rows_end(&l);
	rp_txn_end(&t);
	close(fd);
}
END_TEST

START_TEST(a_tree_whose_root_is_page_0_is_damaged)
{
	struct rp_tree_rows l;
	struct rp_txn t;

	fill(_i == 0 ? 4 : 400);
	ck_assert_int_eq(rp_txn_read(fx_db(), &t, &fx.err), RP_OK);
	ck_assert_int_eq(rp_tree_rows_begin(&l, &t.ob->db, t.mdb, RP_T_DELIVERY, &fx.err), RP_OK);
	l.way.root = 0;
	l.way.stop[0].pgno = 0;
	ck_assert_int_eq(rp_tree_rows_seek(&l, &(MDB_val){0, NULL}, false, &fx.err),
			 RP_ERR_DAMAGED);
	rp_tree_rows_end(&l);
	rp_txn_end(&t);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("outbox_leaves");
	TCase *sound = tcase_create("sound"), *damaged = tcase_create("damaged");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(sound, fx_setup, fx_teardown);
	tcase_add_loop_test(sound, every_table_reads_as_lmdb_reads_it, 0, 4);
	tcase_add_test(sound, any_key_is_a_place_to_begin);
	suite_add_tcase(s, sound);
	tcase_add_checked_fixture(damaged, fx_setup, fx_teardown_damaged);
	tcase_add_loop_test(damaged, damaged_pages_are_told_and_no_walk_goes_on_for_ever, 0, 30);
	tcase_add_loop_test(damaged, a_tree_whose_root_is_page_0_is_damaged, 0, 2);
	suite_add_tcase(s, damaged);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
