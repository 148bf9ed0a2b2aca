/* commit.c - commits a transaction. It stands above the modules that keep something in memory
 * until then. */

#include "base/sys.h"
#include "store/lmdb/counters.h"
#include "store/lmdb/db/damage.h"
#include "store/lmdb/db/db.h"
#include "store/lmdb/endpoint.h"
#include "store/lmdb/handle.h"
#include "store/lmdb/host/files.h"
#include "store/lmdb/recent.h"
#include "store/lmdb/row.h"
#include "store/lmdb/txn.h"

enum rp_err rp_txn_commit(struct rp_txn *t, struct rp_error *err)
{
	unsigned char buf[RP_HEAD_BYTES];
	MDB_val key = {4, (void *)(uintptr_t) "head"}, value;
	enum rp_err e = rp_ep_flush(t, err);
	int64_t began_us;
	int rc;

	if (e == RP_OK)
		e = rp_recent_flush(t, err);
	if (e == RP_OK)
		e = rp_counters_flush(t, err);
	if (e == RP_OK) {
		if (t->now_at_ms > t->head.latest_at_ms)
			t->head.latest_at_ms = t->now_at_ms;
		value = (MDB_val){rp_head_pack(&t->head, buf, sizeof buf), buf};
		/* Fails after a page was distrusted, whatever that was taken for. */
		e = rp_db_fail(&t->ob->db, rp_text_put(t, RP_T_META, &key, &value, 0), "head", err);
	}
	if (e != RP_OK) {
		rp_txn_end(t);
		return e;
	}
	began_us = rp_sys_stopwatch_us();
	rc = mdb_txn_commit(t->mdb);
	t->mdb = NULL;
	if (rc == 0)
		rp_counters_committed(t, rp_sys_stopwatch_us() - began_us);
	rp_damage_leave();
	/* The commit is done, perhaps in a file that nobody finds. Whoever removes one after this
	 * look removes what had its receipt. */
	return rc == 0 ? rp_files_check(t->ob, RP_FILES_DATA, err)
		       : rp_db_fail(&t->ob->db, rc, "commit", err);
}
