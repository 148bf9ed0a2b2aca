/* outbox_recent.c - keeps the ring of attempts that were settled last, over all entries. It is
 * apart from the attempt log because that one is sorted by entry. */

#include "store/lmdb/lmdb_ops.h"
#include "store/lmdb/store_int.h"

#include "base/assert.h"

/* Attempts are kept by entry, so nothing among them tells what happened last. This ring does: each
 * commit that settled attempts adds one row with all of them (one more for every ATTEMPTS_MAX), at
 * the end of a small table, and from time to time removes the oldest. What it costs is a page or
 * two in a commit that writes dozens.
 *
 * Rows are numbered by the attempts before them, so that a reader who was overtaken knows how many
 * it missed. */
#define ATTEMPTS_MAX 64 /* so that a row stays inside a leaf page, like a chunk of a payload */
#define ROWS_MAX 4096   /* at 64 attempts a row, half a minute of 10,000 webhooks a second */
#define TRIM_ROWS 64    /* removed at once, so that most commits touch only the end of the table */
#define READ_ROWS_MAX 256

_Static_assert(ATTEMPTS_MAX == RP_RECENT_ROW_ATTEMPTS, "the record's bound");

void rp_recent_forget(struct rp_lmdb *ob)
{
	ob->n_recent = 0;
}

/* Numbers the attempts ever logged: one more than the last row's last. 1 in an empty table. */
static enum rp_err next_number(struct rp_txn *t, uint64_t *number, struct rp_error *err)
{
	MDB_val k, v;
	int rc = rp_row_last(t, RP_T_RECENT, &k, &v);

	*number = 1;
	/* The count follows from the size, so that a damaged row does not end the log. */
	if (rc == 0 && rp_key_read(k.mv_data, k.mv_size, number, 1))
		*number += rp_recent_count(v.mv_size);
	return rc == MDB_NOTFOUND ? RP_OK : rp_db_fail(t->ob, rc, "recent", err);
}

static enum rp_err trim(struct rp_txn *t, struct rp_error *err)
{
	enum rp_err e = RP_OK;
	uint64_t key;
	MDB_stat st;
	int n, rc = mdb_stat(t->mdb, t->ob->table[RP_T_RECENT], &st);

	if (rc != 0 || st.ms_entries < ROWS_MAX + TRIM_ROWS)
		return rp_db_fail(t->ob, rc, "recent", err);
	for (n = 0; n < TRIM_ROWS && e == RP_OK; n++) {
		e = rp_row_first(t, RP_T_RECENT, rp_key1(0), &key, 1, NULL, err);
		if (e == RP_OK)
			e = rp_row_del(t, RP_T_RECENT, rp_key1(key), err);
	}
	return e;
}

/* Writes the attempts gathered so far as a row. */
static enum rp_err put_row(struct rp_txn *t, struct rp_error *err)
{
	struct rp_lmdb *ob = t->ob;
	unsigned char buf[RP_RECENT_BYTES_MAX];
	uint64_t number;
	size_t len;
	enum rp_err e = next_number(t, &number, err);

	if (e != RP_OK)
		return e;
	len = rp_recent_pack(t->now_at_ms, ob->recent, ob->n_recent, number, buf, sizeof buf);
	assert(len > 0);
	ob->n_recent = 0;
	e = rp_row_put(t, RP_T_RECENT, rp_key1(number), buf, len, MDB_APPEND, err);
	return e == RP_OK ? trim(t, err) : e;
}

enum rp_err rp_recent_note(struct rp_txn *t, uint64_t seq, uint64_t endpoint, uint32_t n,
			   const struct rp_attempt *a, struct rp_error *err)
{
	struct rp_lmdb *ob = t->ob;
	int64_t duration_ms = a->outcome.duration_us / 1000;

	ob->recent[ob->n_recent++] = (struct rp_recent){
	    .seq = seq,
	    .endpoint = endpoint,
	    .attempt = n,
	    .cause = a->outcome.cause,
	    .http_status = a->outcome.http_status,
	    .duration_ms = duration_ms < 0            ? 0
			   : duration_ms > UINT32_MAX ? UINT32_MAX
						      : (uint32_t)duration_ms,
	    .slot = a->slot,
	    .late = a->late,
	};
	return ob->n_recent == ATTEMPTS_MAX ? put_row(t, err) : RP_OK;
}

enum rp_err rp_recent_flush(struct rp_txn *t, struct rp_error *err)
{
	return t->ob->n_recent > 0 ? put_row(t, err) : RP_OK;
}

/* --- reading ------------------------------------------------------------------------ */

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
		e = next_number(&t, &page->from, err);
		rp_txn_end(&t);
		return e;
	}
	if (e != RP_OK)
		return e;
	rc = mdb_cursor_open(t.mdb, ob->table[RP_T_RECENT], &c);
	if (rc == 0) {
		rc = read_rows(c, page);
		mdb_cursor_close(c);
	}
	rp_txn_end(&t);
	return rc == MDB_NOTFOUND ? RP_OK : rp_db_fail(ob, rc, "recent", err);
}
