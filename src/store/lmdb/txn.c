/* txn.c - begins transactions and gives them up. It knows what LMDB wants at a beginning: a map of
 * the right size, a free place among the readers, pages that were looked at. */

#include "store/lmdb/txn.h"

#include <string.h>

#include "store/lmdb/db/damage.h"
#include "store/lmdb/db/db.h"
#include "store/lmdb/endpoint.h"
#include "store/lmdb/handle.h"
#include "store/lmdb/host/files.h"
#include "store/lmdb/host/turn.h"
#include "store/lmdb/recent.h"
#include "store/lmdb/tree/page_guard.h"
#include "store/lmdb/tree/pages.h"

#define LISTS_TRIES 100

/* Of t, whose outbox is set. rp_txn_end or rp_txn_commit is its end. */
static int begin(struct rp_txn *t, unsigned flags)
{
	struct rp_lmdb *ob = t->ob;
	int rc;

	rp_damage_enter(&ob->db);
	rc = mdb_txn_begin(ob->db.env, NULL, flags, &t->mdb);
	if (rc == MDB_MAP_RESIZED) { /* another process works with a larger map_size: follow it */
		rc = mdb_env_set_mapsize(ob->db.env, 0);
		rp_page_guard_map_moved(ob->guard);
		if (rc == 0)
			rc = mdb_txn_begin(ob->db.env, NULL, flags, &t->mdb);
		/* slots of killed processes count until somebody looks */
	} else if (rc == MDB_READERS_FULL) {
		mdb_reader_check(ob->db.env, NULL);
		rc = mdb_txn_begin(ob->db.env, NULL, flags, &t->mdb);
	}
	if (rc != 0)
		rp_damage_leave();
	return rc;
}

static enum rp_err begin_with_head(struct rp_lmdb *ob, unsigned flags, struct rp_txn *t,
				   struct rp_error *err)
{
	MDB_val key = {4, (void *)(uintptr_t) "head"}, value;
	int rc;

	memset(t, 0, sizeof *t);
	t->ob = ob;
	rc = begin(t, flags);
	if (rc != 0)
		return rp_db_fail(&ob->db, rc, "begin", err);
	/* Under the write lock and before anything is written: beside a new lock.mdb somebody else
	 * has one, too. */
	if (rp_files_check(ob, (flags & MDB_RDONLY) != 0 ? RP_FILES_ALL : RP_FILES_LOCKS, err) !=
	    RP_OK) {
		rp_txn_end(t);
		return RP_ERR_IO;
	}
	rp_ep_forget(ob);
	rp_recent_forget(ob);
	rc = mdb_get(t->mdb, ob->db.table[RP_T_META], &key, &value);
	if (rc == 0 && rp_head_unpack(&t->head, value.mv_data, value.mv_size))
		return RP_OK;
	rp_txn_end(t);
	if (rc > 0) /* an errno: nothing was seen of the record */
		return rp_db_fail(&ob->db, rc, "head", err);
	return rp_fail(err, RP_ERR_DAMAGED,
		       "%s: the outbox's head record is damaged; restore a backup", ob->db.dir);
}

enum rp_err rp_txn_read(struct rp_lmdb *ob, struct rp_txn *t, struct rp_error *err)
{
	return begin_with_head(ob, MDB_RDONLY, t, err);
}

enum rp_err rp_txn_read_rows(struct rp_lmdb *ob, struct rp_txn *t, struct rp_error *err)
{
	memset(t, 0, sizeof *t);
	t->ob = ob;
	return rp_db_fail(&ob->db, begin(t, MDB_RDONLY), "begin", err);
}

/* LMDB reads the free list and the list of tables whenever it commits, so they are looked at once,
 * before the write lock is taken. */
static enum rp_err make_guard(struct rp_lmdb *ob, struct rp_error *err)
{
	enum rp_err e = RP_ERR_STALE;
	struct rp_txn t;
	int tries;

	/* Somebody who commits twice between two lines of ours has LMDB read these lists all the
	 * time. */
	for (tries = 0; e == RP_ERR_STALE && tries < LISTS_TRIES; tries++) {
		e = rp_txn_read_rows(ob, &t, err);
		if (e != RP_OK)
			return e;
		e = rp_pages_check_lists(&ob->db, t.mdb, err);
		rp_txn_end(&t);
	}
	if (e != RP_OK && e != RP_ERR_STALE)
		return e;
	ob->guard = rp_page_guard_new();
	return ob->guard != NULL ? RP_OK : rp_fail(err, RP_ERR_NOMEM, "out of memory");
}

enum rp_err rp_txn_write(struct rp_lmdb *ob, int64_t now_at_ms, struct rp_txn *t,
			 struct rp_error *err)
{
	enum rp_err e = ob->guard == NULL ? make_guard(ob, err) : RP_OK;

	if (e != RP_OK)
		return e;
	if (ob->joined)
		rp_turn_ask(ob);
	e = begin_with_head(ob, 0, t, err);
	if (ob->joined)
		rp_turn_take(ob);
	if (e != RP_OK)
		return e;
	t->now_at_ms = now_at_ms;
	t->keeps_cursors = true;
	t->guard = ob->guard;
	e = rp_page_guard_begin(t->guard, &ob->db, t->mdb, err);
	if (e != RP_OK)
		rp_txn_end(t);
	return e;
}

void rp_txn_end(struct rp_txn *t)
{
	if (t->mdb == NULL)
		return;
	mdb_txn_abort(t->mdb);
	t->mdb = NULL;
	rp_damage_leave();
}
