/* audit.c - keeps the log of operators' changes. A record is written in the transaction
 * of its change, so that neither is there without the other. */

#include "store/lmdb/audit.h"

#include "base/assert.h"
#include "model/job_walk.h"
#include "store/lmdb/db/db.h"
#include "store/lmdb/handle.h"
#include "store/lmdb/lmdb_ops.h"
#include "store/lmdb/row.h"
#include "store/lmdb/txn.h"

enum rp_err rp_audit_put_new(struct rp_txn *t, const struct rp_audit *a, uint64_t *number,
			     struct rp_error *err)
{
	unsigned char buf[RP_AUDIT_BYTES_MAX];
	MDB_val k, v;
	size_t n;
	enum rp_err e;
	int rc = rp_row_last(t, RP_T_AUDIT, &k, &v);

	*number = 0;
	if (rc == 0)
		rp_key_read(k.mv_data, k.mv_size, number, 1);
	if (rc != 0 && rc != MDB_NOTFOUND)
		return rp_db_fail(&t->ob->db, rc, "audit", err);
	(*number)++;
	n = rp_audit_pack(a, *number, buf, sizeof buf);
	assert(n > 0);
	e = rp_row_put(t, RP_T_AUDIT, rp_key1(*number), buf, n, 0, err);
	if (e == RP_OK && *number > RP_AUDIT_KEPT)
		e = rp_row_del(t, RP_T_AUDIT, rp_key1(*number - RP_AUDIT_KEPT), err);
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

static enum rp_err change_counts(struct rp_txn *t, uint64_t number, bool add, uint64_t done,
				 uint64_t skipped, struct rp_error *err)
{
	unsigned char buf[RP_AUDIT_BYTES_MAX];
	struct rp_audit a;
	MDB_val v;
	size_t n;
	enum rp_err e = rp_row_get(t, RP_T_AUDIT, rp_key1(number), &v, err);

	/* It may have made room for others by now, or be damaged: what it tells about is done all
	 * the same. */
	if (e != RP_OK || !rp_audit_unpack(&a, number, v.mv_data, v.mv_size))
		return e == RP_ERR_NOTFOUND ? RP_OK : e;
	a.done = (add ? a.done : 0) + done;
	a.skipped = (add ? a.skipped : 0) + skipped;
	n = rp_audit_pack(&a, number, buf, sizeof buf);
	assert(n > 0);
	return rp_row_put(t, RP_T_AUDIT, rp_key1(number), buf, n, 0, err);
}

enum rp_err rp_audit_set_counts(struct rp_txn *t, uint64_t number, uint64_t done, uint64_t skipped,
				struct rp_error *err)
{
	return change_counts(t, number, false, done, skipped, err);
}

enum rp_err rp_audit_add_counts(struct rp_txn *t, uint64_t number, uint64_t done, uint64_t skipped,
				struct rp_error *err)
{
	return change_counts(t, number, true, done, skipped, err);
}

enum rp_err rp_lmdb_audit_add(struct rp_outbox *outbox, const struct rp_audit *a, uint64_t *number,
			      struct rp_error *err)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);
	struct rp_txn t;
	enum rp_err e = rp_txn_write(ob, a->at_ms, &t, err);

	if (e != RP_OK)
		return e;
	return rp_txn_finish(&t, rp_audit_put_new(&t, a, number, err), err);
}

enum rp_err rp_lmdb_audit_count(struct rp_outbox *outbox, int64_t now_at_ms, uint64_t number,
				uint64_t done, struct rp_error *err)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);
	struct rp_txn t;
	enum rp_err e = rp_txn_write(ob, now_at_ms, &t, err);

	if (e != RP_OK)
		return e;
	return rp_txn_finish(&t, rp_audit_set_counts(&t, number, done, 0, err), err);
}

enum rp_err rp_lmdb_audit(struct rp_outbox *outbox,
			  bool (*see)(void *arg, uint64_t number, const struct rp_audit *a),
			  void *arg, struct rp_error *err)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);
	uint64_t number = 0;
	struct rp_txn t;
	bool go_on = true;
	MDB_val v;
	enum rp_err e = rp_txn_read(ob, &t, err);

	if (e != RP_OK)
		return e;
	while (go_on && (e = rp_row_from(&t, RP_T_AUDIT, &number, 1, 0, &v, err)) == RP_OK) {
		struct rp_audit a;

		/* a damaged one shows as zeroes */
		rp_audit_unpack(&a, number, v.mv_data, v.mv_size);
		go_on = see(arg, number, &a);
		number++;
	}
	rp_txn_end(&t);
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}
