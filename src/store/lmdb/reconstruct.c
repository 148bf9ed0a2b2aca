/* reconstruct.c - rebuilds a delivery record from the rows around it. So damage costs an entry its
 * retry budget, and not its life. */

#include "store/lmdb/reconstruct.h"

#include <string.h>

#include "model/sequence.h"
#include "store/lmdb/db/db.h"
#include "store/lmdb/entry_rows.h"
#include "store/lmdb/handle.h"
#include "store/lmdb/order.h"
#include "store/lmdb/row.h"
#include "store/lmdb/txn.h"

/* Looks through an index table for the row of seq. The numbers of its key are left in key, its
 * value in v. */
static enum rp_err find_index_row(struct rp_txn *t, enum rp_table table, uint64_t seq, size_t n,
				  uint64_t key[3], MDB_val *v, struct rp_error *err)
{
	MDB_val k;
	MDB_cursor *c;
	int rc = mdb_cursor_open(t->mdb, t->ob->db.table[table], &c);
	bool found = false;

	if (rc != 0)
		return rp_db_fail(&t->ob->db, rc, "reconstruct", err);
	while (!found && (rc = rp_row_next(t, table, c, &k, v)) == 0)
		found = rp_key_read(k.mv_data, k.mv_size, key, n) && key[n - 1] == seq;
	mdb_cursor_close(c);
	if (found)
		return RP_OK;
	return rc == MDB_NOTFOUND ? RP_ERR_NOTFOUND
				  : rp_db_fail(&t->ob->db, rc, "reconstruct", err);
}

/* What the `order` row tells of an entry that has no index row. */
static enum rp_err recall_order(struct rp_txn *t, uint64_t seq, struct rp_delivery *d, bool *behind,
				bool *waits, struct rp_error *err)
{
	uint64_t key[3];
	bool held;
	MDB_val v;
	enum rp_err e = find_index_row(t, RP_T_ORDER, seq, 3, key, &v, err);

	*behind = *waits = false;
	if (e != RP_OK)
		return e == RP_ERR_NOTFOUND ? RP_OK : e;
	d->endpoint = key[0];
	d->order_key = key[1];
	rp_order_read_row(&v, behind, &held);
	*waits = rp_order_row_waits(&v);
	return RP_OK;
}

/* State, and what the rows of the state tell beside it. HELD is what remains: such an entry has
 * lost its row as well. */
static enum rp_err recall_state(struct rp_txn *t, uint64_t seq, struct rp_delivery *d,
				struct rp_error *err)
{
	uint64_t key[3] = {0, 0, 0};
	struct rp_reader claim;
	bool behind, waits;
	MDB_val v;
	enum rp_err e = recall_order(t, seq, d, &behind, &waits, err);

	if (e != RP_OK)
		return e;
	if ((e = find_index_row(t, RP_T_QUEUE, seq, 3, key, &v, err)) == RP_OK) {
		d->state = RP_STATE_WAITING;
		d->endpoint = key[0];
		d->due_at_ms = (int64_t)key[1];
	} else if (e == RP_ERR_NOTFOUND &&
		   (e = find_index_row(t, RP_T_CLAIM, seq, 2, key, &v, err)) == RP_OK) {
		d->state = RP_STATE_IN_FLIGHT;
		d->slot = (unsigned)key[0];
		claim = rp_reader_of(v.mv_data, v.mv_size);
		d->claim_no = rp_get_u32(&claim);
		d->lacks = rp_get_u8(&claim) % RP_LACKS(RP_LEVELS);
		d->attempts = 1; /* the one under way */
	} else if (e == RP_ERR_NOTFOUND &&
		   (e = find_index_row(t, RP_T_DEAD, seq, 2, key, &v, err)) == RP_OK) {
		d->state = RP_STATE_DEAD;
		d->cause = RP_CAUSE_DAMAGED;
		d->state_at_ms = (int64_t)key[0];
	} else if (e == RP_ERR_NOTFOUND &&
		   (e = find_index_row(t, RP_T_DONE, seq, 2, key, &v, err)) == RP_OK) {
		d->state = RP_STATE_DELIVERED;
		d->state_at_ms = (int64_t)key[0];
	} else if (e == RP_ERR_NOTFOUND &&
		   (e = find_index_row(t, RP_T_HELD, seq, 2, key, &v, err)) == RP_OK) {
		d->state = RP_STATE_HELD;
		d->behind = behind;
		d->state_at_ms = (int64_t)key[0];
	} else if (e == RP_ERR_NOTFOUND) {
		d->state = waits ? RP_STATE_WAITING : RP_STATE_HELD;
		d->behind = behind;
		e = RP_OK;
	}
	return e;
}

/* Later attempts must not write over the log, nor may a claim handed out long ago look like a new
 * one. */
static enum rp_err recall_history(struct rp_txn *t, uint64_t seq, struct rp_delivery *d,
				  struct rp_error *err)
{
	uint64_t key[2] = {seq, 0}, last = 0;
	enum rp_err e;

	while ((e = rp_row_from(t, RP_T_ATTEMPT, key, 2, 1, NULL, err)) == RP_OK)
		last = key[1]++;
	d->attempts += (uint32_t)last;
	/* The seconds since 1970 are above any number of claims an entry can have had, and above
	 * those of an earlier reconstruction. */
	if (d->state != RP_STATE_IN_FLIGHT)
		d->claim_no = (uint32_t)(t->now_at_ms / 1000);
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

enum rp_err rp_entry_reconstruct(struct rp_txn *t, uint64_t seq, struct rp_delivery *d,
				 struct rp_error *err)
{
	struct rp_facts f;
	enum rp_err e;

	memset(d, 0, sizeof *d);
	e = recall_state(t, seq, d, err);
	if (e == RP_OK)
		e = recall_history(t, seq, d, err);
	if (e != RP_OK)
		return e;
	e = rp_entry_facts(t, seq, &f, err);
	if (e == RP_OK) {
		d->endpoint = f.endpoint;
		d->order_key = rp_sequence_key(f.order_by);
		d->expires_at_ms = f.expires_at_ms;
		d->budget_at_ms = f.accepted_at_ms;
	}
	return e == RP_ERR_DAMAGED || e == RP_ERR_NOTFOUND ? RP_OK : e;
}
