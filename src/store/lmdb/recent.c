/* recent.c - keeps the ring of attempts that were settled last, over all entries. It is
 * apart from the attempt log because that one is sorted by entry. */

#include "store/lmdb/recent.h"

#include "base/assert.h"
#include "store/lmdb/db/db.h"
#include "store/lmdb/handle.h"
#include "store/lmdb/row.h"
#include "store/lmdb/txn.h"

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

_Static_assert(ATTEMPTS_MAX == RP_RECENT_ROW_ATTEMPTS, "the record's bound");

void rp_recent_forget(struct rp_lmdb *ob)
{
	ob->n_recent = 0;
}

/* Numbers the attempts ever logged: one more than the last row's last. 1 in an empty table. */
enum rp_err rp_recent_next_number(struct rp_txn *t, uint64_t *number, struct rp_error *err)
{
	MDB_val k, v;
	int rc = rp_row_last(t, RP_T_RECENT, &k, &v);

	*number = 1;
	/* The count follows from the size, so that a damaged row does not end the log. */
	if (rc == 0 && rp_key_read(k.mv_data, k.mv_size, number, 1))
		*number += rp_recent_count(v.mv_size);
	return rc == MDB_NOTFOUND ? RP_OK : rp_db_fail(&t->ob->db, rc, "recent", err);
}

static enum rp_err trim(struct rp_txn *t, struct rp_error *err)
{
	enum rp_err e = RP_OK;
	uint64_t key;
	MDB_stat st;
	int n, rc = mdb_stat(t->mdb, t->ob->db.table[RP_T_RECENT], &st);

	if (rc != 0 || st.ms_entries < ROWS_MAX + TRIM_ROWS)
		return rp_db_fail(&t->ob->db, rc, "recent", err);
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
	enum rp_err e = rp_recent_next_number(t, &number, err);

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
