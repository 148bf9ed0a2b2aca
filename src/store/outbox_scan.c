#include "store/store_int.h"

#include <sys/mman.h>
#include <unistd.h>

/* Rows in one read transaction: some 4 ms, and some 40 MiB of mapped pages. */
#define SCAN_ROWS_MAX 32768

/* Entries to look at around a damaged one before it counts as old. */
#define DAMAGED_MAX 16

struct walk {
	struct rp_scan *scan;
	MDB_cursor *cursor;
	size_t rows;
	const char *low, *high; /* where in the map the rows stood */
};

/* A number of a key. The readers of base/bytes.h check every step; a million rows are felt. */
static uint64_t number(const MDB_val *v, size_t i)
{
	uint64_t n;

	memcpy(&n, (const char *)v->mv_data + i * 8, sizeof n);
	return __builtin_bswap64(n);
}

static bool read_queue_row(const MDB_val *k, const MDB_val *v, struct rp_index_row *row)
{
	(void)v;
	if (k->mv_size != 24)
		return false;
	*row = (struct rp_index_row){.endpoint = number(k, 0), .at_ms = (int64_t)number(k, 1), .seq = number(k, 2)};
	return true;
}

/* Those behind have no queue row. */
static bool read_order_row(const MDB_val *k, const MDB_val *v, struct rp_index_row *row)
{
	bool behind, held;

	rp_order_read_row(v, &behind, &held);
	if (!behind || held || k->mv_size != 24)
		return false;
	*row = (struct rp_index_row){.endpoint = number(k, 0), .seq = number(k, 2)};
	return true;
}

static bool read_dead_row(const MDB_val *k, const MDB_val *v, struct rp_index_row *row)
{
	if (k->mv_size != 16 || !rp_entry_read_why(v, row))
		return false; /* verify says so */
	row->at_ms = (int64_t)number(k, 0);
	row->seq = number(k, 1);
	return true;
}

/* Goes on behind the row it stopped at last time, which may be gone. */
static int first_row(struct walk *w, MDB_val *k, MDB_val *v)
{
	struct rp_key *from = &w->scan->from;
	int rc;

	*k = (MDB_val){from->len, from->bytes};
	if (from->len == 0)
		return mdb_cursor_get(w->cursor, k, v, MDB_FIRST);
	rc = mdb_cursor_get(w->cursor, k, v, MDB_SET_RANGE);
	if (rc == 0 && k->mv_size == from->len && memcmp(k->mv_data, from->bytes, from->len) == 0)
		rc = mdb_cursor_get(w->cursor, k, v, MDB_NEXT);
	return rc;
}

/* Pages of the map that were looked at count as this process's memory until it ends, and each brings its neighbours
 * along: a million rows would be 400 MiB. Nothing is lost: they stay in the kernel's cache. */
static void forget_pages(const struct walk *w)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), low = (uintptr_t)w->low & ~(page - 1);
	uintptr_t high = ((uintptr_t)w->high | (page - 1)) + 1;

	if (w->low != NULL)
		(void)madvise((void *)low, high - low, MADV_DONTNEED); /* if not, it is only memory */
}

static enum rp_err scan_table(struct rp_txn *t, struct walk *w, enum rp_table table,
			      bool (*read)(const MDB_val *, const MDB_val *, struct rp_index_row *),
			      struct rp_error *err)
{
	struct rp_scan *scan = w->scan;
	struct rp_index_row row;
	MDB_val k, v;
	int rc = mdb_cursor_open(t->mdb, t->ob->table[table], &w->cursor);

	if (rc != 0)
		return rp_db_fail(t->ob, rc, "scan", err);
	for (rc = first_row(w, &k, &v); rc == 0; rc = mdb_cursor_get(w->cursor, &k, &v, MDB_NEXT)) {
		if (read(&k, &v, &row))
			scan->see(scan->arg, &row);
		if (w->low == NULL || (const char *)k.mv_data < w->low)
			w->low = k.mv_data;
		if ((const char *)k.mv_data > w->high)
			w->high = k.mv_data;
		if (++w->rows == SCAN_ROWS_MAX) {
			scan->more = true;
			scan->from.len = k.mv_size <= sizeof scan->from.bytes ? k.mv_size : sizeof scan->from.bytes;
			memcpy(scan->from.bytes, k.mv_data, scan->from.len);
			break;
		}
	}
	mdb_cursor_close(w->cursor);
	return rc == MDB_NOTFOUND ? RP_OK : rp_db_fail(t->ob, rc, "scan", err);
}

enum rp_err rp_outbox_scan(struct rp_outbox *ob, struct rp_scan *scan, struct rp_error *err)
{
	struct walk w = {.scan = scan};
	struct rp_txn t;
	enum rp_err e = rp_txn_read(ob, &t, err);

	scan->more = false;
	if (e != RP_OK)
		return e;
	if (scan->state == RP_STATE_DEAD) {
		e = scan_table(&t, &w, RP_T_DEAD, read_dead_row, err);
	} else if (!scan->in_orders) {
		e = scan_table(&t, &w, RP_T_QUEUE, read_queue_row, err);
		if (e == RP_OK && !scan->more) {
			scan->in_orders = true;
			scan->from.len = 0;
		}
	}
	if (e == RP_OK && !scan->more && scan->in_orders)
		e = scan_table(&t, &w, RP_T_ORDER, read_order_row, err);
	rp_txn_end(&t);
	forget_pages(&w);
	return e;
}

/* --- from times to numbers -------------------------------------------------------------------------------------------
 */

/* The first readable entry with this number or a higher one; RP_ERR_NOTFOUND: none. */
static enum rp_err next_accepted(struct rp_txn *t, uint64_t *seq, int64_t *accepted_at_ms, struct rp_error *err)
{
	struct rp_facts f;
	enum rp_err e;
	MDB_val v;
	int i;

	*accepted_at_ms = INT64_MIN;
	for (i = 0; i < DAMAGED_MAX; i++) {
		e = rp_row_first(t, RP_T_ENTRY, rp_key1(*seq), seq, 1, &v, err);
		if (e != RP_OK)
			return e;
		if (rp_facts_unpack(&f, *seq, v.mv_data, v.mv_size)) {
			*accepted_at_ms = f.accepted_at_ms;
			return RP_OK;
		}
		(*seq)++;
	}
	return RP_OK;
}

static enum rp_err seq_since(struct rp_txn *t, int64_t at_ms, uint64_t *out, struct rp_error *err)
{
	uint64_t low = 0, high = t->head.next_seq;
	enum rp_err e = rp_row_first(t, RP_T_ENTRY, rp_key1(0), &low, 1, NULL, err);

	if (e != RP_OK) {
		*out = high;
		return e == RP_ERR_NOTFOUND ? RP_OK : e;
	}
	while (low < high) {
		uint64_t middle = low + (high - low) / 2, seq = middle;
		int64_t accepted_at_ms;

		e = next_accepted(t, &seq, &accepted_at_ms, err);
		if (e != RP_OK && e != RP_ERR_NOTFOUND)
			return e;
		if (e == RP_ERR_NOTFOUND || accepted_at_ms >= at_ms)
			high = middle;
		else
			low = seq + 1;
	}
	*out = high;
	return RP_OK;
}

enum rp_err rp_outbox_seqs_since(struct rp_outbox *ob, const int64_t *at_ms, size_t n, uint64_t *seqs,
				 struct rp_error *err)
{
	struct rp_txn t;
	enum rp_err e = rp_txn_read(ob, &t, err);
	size_t i;

	for (i = 0; i < n && e == RP_OK; i++)
		e = seq_since(&t, at_ms[i], &seqs[i], err);
	rp_txn_end(&t);
	return e;
}
