/* outbox_scan.c - counts entries by their index rows alone. It reads no records, so a million
 * rows take a fraction of what outbox_browse.c would. */

#include "store/lmdb/store_int.h"

#include <endian.h>

/* A number of a key. The readers of base/bytes.h check every step; a million rows are felt. */
static uint64_t number(const MDB_val *v, size_t i)
{
	uint64_t n;

	memcpy(&n, (const char *)v->mv_data + i * 8, sizeof n);
	return be64toh(n);
}

static bool read_queue_row(const MDB_val *k, const MDB_val *v, struct rp_index_row *row)
{
	(void)v;
	if (k->mv_size != 24)
		return false;
	*row = (struct rp_index_row){
	    .endpoint = number(k, 0), .at_ms = (int64_t)number(k, 1), .seq = number(k, 2)};
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
static enum rp_err scan_table(struct rp_txn *t, struct rp_scan *scan, enum rp_table table,
			      bool (*read)(const MDB_val *, const MDB_val *, struct rp_index_row *),
			      size_t *rows, struct rp_error *err)
{
	struct rp_index_row row;
	struct rp_tree_rows l;
	MDB_val k, v;
	enum rp_err e = rp_tree_rows_begin(&l, t, table, err);

	if (e == RP_OK && scan->from.len > 0)
		e = rp_tree_rows_seek(&l, &(MDB_val){scan->from.len, scan->from.bytes}, true, err);
	while (e == RP_OK && !scan->more && (e = rp_tree_rows_next(&l, &k, &v, err)) == RP_OK) {
		if (read(&k, &v, &row))
			scan->see(scan->arg, &row);
		if (++*rows == RP_SCAN_ROWS_MAX) {
			scan->more = true;
			scan->from.len = k.mv_size <= sizeof scan->from.bytes
					     ? k.mv_size
					     : sizeof scan->from.bytes;
			memcpy(scan->from.bytes, k.mv_data, scan->from.len);
		}
	}
	rp_tree_rows_end(&l);
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

enum rp_err rp_outbox_scan(struct rp_outbox *ob, struct rp_scan *scan, struct rp_error *err)
{
	size_t rows = 0;
	struct rp_txn t;
	enum rp_err e = rp_txn_read(ob, &t, err);

	scan->more = false;
	if (e != RP_OK)
		return e;
	if (scan->state == RP_STATE_DEAD) {
		e = scan_table(&t, scan, RP_T_DEAD, read_dead_row, &rows, err);
	} else if (!scan->in_orders) {
		e = scan_table(&t, scan, RP_T_QUEUE, read_queue_row, &rows, err);
		if (e == RP_OK && !scan->more) {
			scan->in_orders = true;
			scan->from.len = 0;
		}
	}
	if (e == RP_OK && !scan->more && scan->in_orders)
		e = scan_table(&t, scan, RP_T_ORDER, read_order_row, &rows, err);
	rp_txn_end(&t);
	return e;
}
