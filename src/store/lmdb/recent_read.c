/* recent_read.c - reads the ring of attempts that were settled last. It is apart from recent.c
 * because a commit writes to the ring, and this begins transactions. */

#include "store/lmdb/lmdb_ops.h"

#include "store/lmdb/db/db.h"
#include "store/lmdb/handle.h"
#include "store/lmdb/recent.h"
#include "store/lmdb/txn.h"

#define READ_ROWS_MAX 256

/* The attempts of one row, from number `from` on. */
static void see_row(struct rp_recent_page *page, uint64_t number, const MDB_val *v)
{
	struct rp_recent row[RP_RECENT_ROW_ATTEMPTS];
	int64_t settled_at_ms;
	size_t n = rp_recent_unpack(&settled_at_ms, row, number, v->mv_data, v->mv_size), i;

	if (n == 0) { /* damaged: `verify` names it */
		page->n_missed += number + rp_recent_count(v->mv_size) - page->from;
		page->from = number + rp_recent_count(v->mv_size);
		return;
	}
	for (i = 0; i < n; i++) {
		if (number + i < page->from)
			continue;
		row[i].number = number + i;
		row[i].settled_at_ms = settled_at_ms;
		page->see(page->arg, &row[i]);
	}
	page->from = number + n;
}

/* Puts the cursor on the row that holds `from`, or the first after it. */
static int find_row(MDB_cursor *c, uint64_t from, MDB_val *k, MDB_val *v)
{
	struct rp_key key = rp_key1(from);
	uint64_t number;
	int rc;

	*k = (MDB_val){key.len, key.bytes};
	rc = mdb_cursor_get(c, k, v, MDB_SET_RANGE);
	if (rc == 0 && rp_key_read(k->mv_data, k->mv_size, &number, 1) && number == from)
		return 0;
	/* The row before may reach as far as `from`. */
	rc = mdb_cursor_get(c, k, v, rc == 0 ? MDB_PREV : MDB_LAST);
	if (rc == MDB_NOTFOUND)
		return mdb_cursor_get(c, k, v, MDB_FIRST);
	if (rc == 0 && rp_key_read(k->mv_data, k->mv_size, &number, 1) &&
	    number + rp_recent_count(v->mv_size) <= from)
		rc = mdb_cursor_get(c, k, v, MDB_NEXT);
	return rc;
}

static int read_rows(MDB_cursor *c, struct rp_recent_page *page)
{
	uint64_t number;
	MDB_val k, v;
	int rc = find_row(c, page->from, &k, &v), rows;

	for (rows = 0; rc == 0; rows++) {
		if (rows == READ_ROWS_MAX) {
			page->more = true;
			return 0;
		}
		if (rp_key_read(k.mv_data, k.mv_size, &number, 1)) {
			if (number > page->from) {
				page->n_missed += page->from > 0 ? number - page->from : 0;
				page->from = number;
			}
			see_row(page, number, &v);
		}
		rc = mdb_cursor_get(c, &k, &v, MDB_NEXT);
	}
	return rc;
}

enum rp_err rp_lmdb_recent(struct rp_outbox *outbox, struct rp_recent_page *page,
			   struct rp_error *err)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);
	MDB_cursor *c;
	struct rp_txn t;
	enum rp_err e = rp_txn_read(ob, &t, err);
	int rc;

	page->more = false;
	page->n_missed = 0;
	if (e == RP_OK && page->from == RP_RECENT_END) {
		e = rp_recent_next_number(&t, &page->from, err);
		rp_txn_end(&t);
		return e;
	}
	if (e != RP_OK)
		return e;
	rc = mdb_cursor_open(t.mdb, ob->db.table[RP_T_RECENT], &c);
	if (rc == 0) {
		rc = read_rows(c, page);
		mdb_cursor_close(c);
	}
	rp_txn_end(&t);
	return rc == MDB_NOTFOUND ? RP_OK : rp_db_fail(&ob->db, rc, "recent", err);
}
