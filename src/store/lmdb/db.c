/* db.c - begins and ends transactions, and reads and writes rows. Every row that is written
 * passes the page guard here (tree/page_guard.c). Opening the file is in db_open.c. */

#include "store/lmdb/tree/page.h"
#include "store/lmdb/store_int.h"

#include <errno.h>
#include <sys/statvfs.h>
#include <unistd.h>

static const char *const table_names[RP_T_COUNT] = {
    [RP_T_META] = "meta",
    [RP_T_ENTRY] = "entry",
    [RP_T_BODY] = "body",
    [RP_T_DELIVERY] = "delivery",
    [RP_T_QUEUE] = "queue",
    [RP_T_ORDER] = "order",
    [RP_T_READY] = "agenda",
    [RP_T_CLAIM] = "claim",
    [RP_T_ATTEMPT] = "attempt",
    [RP_T_DEAD] = "dead",
    [RP_T_DONE] = "done",
    [RP_T_HELD] = "held",
    [RP_T_RUN] = "run",
    [RP_T_ENDPOINT] = "endpoint",
    [RP_T_ENDPOINT_NAME] = "endpoint_name",
    [RP_T_ENDPOINT_ID] = "endpoint_id",
    [RP_T_SEEN] = "seen",
    [RP_T_ALIAS] = "alias",
    [RP_T_SENDER] = "sender",
    [RP_T_JOB] = "job",
    [RP_T_JOB_ENTRY] = "job_entry",
    [RP_T_AUDIT] = "audit",
    [RP_T_RECENT] = "recent",
};

const char *rp_table_name(enum rp_table table)
{
	return table_names[table];
}

uint64_t rp_db_disk_free_bytes(struct rp_lmdb *ob)
{
	struct statvfs vfs;

	if (fstatvfs(ob->place.dir_fd, &vfs) != 0)
		return UINT64_MAX;
	return (uint64_t)vfs.f_bavail * vfs.f_frsize;
}

enum rp_err rp_db_fail(struct rp_lmdb *ob, int rc, const char *what, struct rp_error *err)
{
	switch (rc) {
	case 0:
		return RP_OK;
	case MDB_NOTFOUND:
		return rp_fail(err, RP_ERR_NOTFOUND, "%s: %s: not found", ob->dir, what);
	case MDB_MAP_FULL:
		return rp_fail(
		    err, RP_ERR_FULL,
		    "%s: the map is full (%s); raise map_size, or deliver or purge entries",
		    ob->dir, what);
	case MDB_READERS_FULL:
		return rp_fail(err, RP_ERR_BUSY, "%s: all %d reader slots are taken (%s)", ob->dir,
			       RP_DB_READERS_MAX, what);
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
		return rp_fail(err, RP_ERR_FORMAT,
			       "%s: data.mdb is not an outbox of this program (%s)", ob->dir,
			       mdb_strerror(rc));
	case RP_DISTRUSTED:
		return rp_fail(err, RP_ERR_FORMAT,
			       "%s: data.mdb is damaged (%s): see what `runpostctl verify` says, "
			       "and restore a backup",
			       ob->dir, what);
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_BAD_TXN: /* after one of the two, which was taken for one entry's damage */
		return rp_fail(err, RP_ERR_DAMAGED, "%s: the data file is damaged (%s: %s)",
			       ob->dir, what, mdb_strerror(rc));
	case ENOMEM:
		return rp_fail_sys(err, RP_ERR_NOMEM, rc, "%s: %s", ob->dir, what);
	case ENOSPC:
	case EDQUOT:
		return rp_fail_sys(err, RP_ERR_FULL, rc, "%s: %s", ob->dir, what);
	case EIO:
		/* A short write on a full disk shows as EIO (measured with 0.9.24): nothing was
		 * published, so it is only full. */
		if (rp_db_disk_free_bytes(ob) < 16 * ob->page_bytes)
			return rp_fail(err, RP_ERR_FULL, "%s: %s: no space left on the device",
				       ob->dir, what);
		return rp_fail_sys(err, RP_ERR_IO, rc, "%s: %s", ob->dir, what);
	default:
		if (rc > 0)
			return rp_fail_sys(err, rp_err_of_errno(rc), rc, "%s: %s", ob->dir, what);
		return rp_fail(err, RP_ERR_IO, "%s: %s: %s", ob->dir, what, mdb_strerror(rc));
	}
}

/* --- transactions ------------------------------------------------------------------- */

/* Of t, whose outbox is set. rp_txn_end or rp_txn_commit is its end. */
static int begin(struct rp_txn *t, unsigned flags)
{
	struct rp_lmdb *ob = t->ob;
	int rc;

	rp_damage_enter(ob);
	rc = mdb_txn_begin(ob->env, NULL, flags, &t->mdb);
	if (rc == MDB_MAP_RESIZED) { /* another process works with a larger map_size: follow it */
		rc = mdb_env_set_mapsize(ob->env, 0);
		rp_page_guard_map_moved(ob);
		if (rc == 0)
			rc = mdb_txn_begin(ob->env, NULL, flags, &t->mdb);
		/* slots of killed processes count until somebody looks */
	} else if (rc == MDB_READERS_FULL) {
		mdb_reader_check(ob->env, NULL);
		rc = mdb_txn_begin(ob->env, NULL, flags, &t->mdb);
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
		return rp_db_fail(ob, rc, "begin", err);
	/* Under the write lock and before anything is written: beside a new lock.mdb somebody else
	 * has one, too. */
	if (rp_files_check(ob, (flags & MDB_RDONLY) != 0 ? RP_FILES_ALL : RP_FILES_LOCKS, err) !=
	    RP_OK) {
		rp_txn_end(t);
		return RP_ERR_IO;
	}
	rp_ep_forget(ob);
	rp_recent_forget(ob);
	rc = mdb_get(t->mdb, ob->table[RP_T_META], &key, &value);
	if (rc == 0 && rp_head_unpack(&t->head, value.mv_data, value.mv_size))
		return RP_OK;
	rp_txn_end(t);
	if (rc > 0) /* an errno: nothing was seen of the record */
		return rp_db_fail(ob, rc, "head", err);
	return rp_fail(err, RP_ERR_DAMAGED,
		       "%s: the outbox's head record is damaged; restore a backup", ob->dir);
}

enum rp_err rp_txn_read(struct rp_lmdb *ob, struct rp_txn *t, struct rp_error *err)
{
	return begin_with_head(ob, MDB_RDONLY, t, err);
}

enum rp_err rp_txn_read_rows(struct rp_lmdb *ob, struct rp_txn *t, struct rp_error *err)
{
	memset(t, 0, sizeof *t);
	t->ob = ob;
	return rp_db_fail(ob, begin(t, MDB_RDONLY), "begin", err);
}

enum rp_err rp_txn_write(struct rp_lmdb *ob, int64_t now_at_ms, struct rp_txn *t,
			 struct rp_error *err)
{
	enum rp_err e = ob->guard == NULL ? rp_page_guard_prepare(ob, err) : RP_OK;

	if (e == RP_OK)
		e = begin_with_head(ob, 0, t, err);
	if (e != RP_OK)
		return e;
	t->now_at_ms = now_at_ms;
	t->keeps_cursors = t->writes = true;
	e = rp_page_guard_begin(t, err);
	if (e != RP_OK)
		rp_txn_end(t);
	return e;
}

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
		e = rp_db_fail(t->ob, rp_text_put(t, RP_T_META, &key, &value, 0), "head", err);
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
		       : rp_db_fail(t->ob, rc, "commit", err);
}

void rp_txn_end(struct rp_txn *t)
{
	if (t->mdb == NULL)
		return;
	mdb_txn_abort(t->mdb);
	t->mdb = NULL;
	rp_damage_leave();
}

/* --- rows --------------------------------------------------------------------------- */

/* A transaction that writes, or fetches, looks for most rows next to the last one: of one table it
 * keeps one cursor, whose page is asked first. A search from the root reads a page a level, each
 * after a look in the list of dirty ones. */
int rp_row_cursor(struct rp_txn *t, enum rp_table table, MDB_cursor **c)
{
	int rc =
	    t->at[table] == NULL ? mdb_cursor_open(t->mdb, t->ob->table[table], &t->at[table]) : 0;

	*c = t->at[table];
	if (!t->keeps_cursors)
		t->at[table] = NULL;
	return rc;
}

void rp_row_cursor_end(struct rp_txn *t, MDB_cursor *c)
{
	if (!t->keeps_cursors)
		mdb_cursor_close(c);
}

static int row_find(struct rp_txn *t, enum rp_table table, const struct rp_key *key,
		    enum rp_page_guard_for what_for, MDB_val *value, MDB_cursor **c)
{
	MDB_val k = {key->len, (void *)(uintptr_t)key->bytes};
	int rc = rp_page_guard(t, table, &k, what_for);

	if (rc == 0)
		rc = rp_row_cursor(t, table, c);
	return rc == 0 ? mdb_cursor_get(*c, &k, value, MDB_SET) : rc;
}

int rp_db_table_row(struct rp_lmdb *ob, MDB_txn *txn, enum rp_table table, MDB_val *row)
{
	MDB_val key = {strlen(table_names[table]), (void *)(uintptr_t)table_names[table]};

	return mdb_get(txn, ob->list_of_tables, &key, row);
}

int rp_text_get(struct rp_txn *t, enum rp_table table, MDB_val *key, MDB_val *value)
{
	int rc = rp_page_guard(t, table, key, RP_PAGE_GUARD_FIND);

	return rc == 0 ? mdb_get(t->mdb, t->ob->table[table], key, value) : rc;
}

int rp_text_put(struct rp_txn *t, enum rp_table table, MDB_val *key, MDB_val *value, unsigned flags)
{
	int rc = rp_page_guard(t, table, key, RP_PAGE_GUARD_PUT);

	return rc == 0 ? mdb_put(t->mdb, t->ob->table[table], key, value, flags) : rc;
}

int rp_text_del(struct rp_txn *t, enum rp_table table, MDB_val *key)
{
	int rc = rp_page_guard(t, table, key, RP_PAGE_GUARD_REMOVE);

	return rc == 0 ? mdb_del(t->mdb, t->ob->table[table], key, NULL) : rc;
}

enum rp_err rp_row_get(struct rp_txn *t, enum rp_table table, struct rp_key key, MDB_val *value,
		       struct rp_error *err)
{
	MDB_val k = {key.len, key.bytes};
	MDB_cursor *c;
	int rc = t->keeps_cursors ? row_find(t, table, &key, RP_PAGE_GUARD_FIND, value, &c)
				  : mdb_get(t->mdb, t->ob->table[table], &k, value);

	return rc == MDB_NOTFOUND ? RP_ERR_NOTFOUND
				  : rp_db_fail(t->ob, rc, table_names[table], err);
}

int rp_row_last(struct rp_txn *t, enum rp_table table, MDB_val *k, MDB_val *v)
{
	MDB_cursor *c;
	int rc = rp_page_guard(t, table, NULL, RP_PAGE_GUARD_FIND);

	if (rc == 0)
		rc = mdb_cursor_open(t->mdb, t->ob->table[table], &c);
	if (rc != 0)
		return rc;
	rc = mdb_cursor_get(c, k, v, MDB_LAST);
	mdb_cursor_close(c);
	return rc;
}

int rp_row_next(struct rp_txn *t, enum rp_table table, MDB_cursor *c, MDB_val *k, MDB_val *v)
{
	int rc = mdb_cursor_get(c, k, v, MDB_NEXT);

	return rc == 0 ? rp_page_guard_found(t, table, k) : rc;
}

/* By a cursor that stays where it is: mdb_put would look for the end of the table each time. */
int rp_row_append(struct rp_txn *t, enum rp_table table, const struct rp_key *key, MDB_val *value,
		  unsigned flags)
{
	MDB_val k = {key->len, (void *)(uintptr_t)key->bytes};
	int rc;

	t->dirty = true;
	rc = rp_page_guard(t, table, NULL, RP_PAGE_GUARD_FIND);
	if (rc == 0 && t->at_end[table] == NULL)
		rc = mdb_cursor_open(t->mdb, t->ob->table[table], &t->at_end[table]);
	return rc == 0 ? mdb_cursor_put(t->at_end[table], &k, value, MDB_APPEND | flags) : rc;
}

enum rp_err rp_row_put(struct rp_txn *t, enum rp_table table, struct rp_key key, const void *value,
		       size_t n, unsigned flags, struct rp_error *err)
{
	MDB_val k = {key.len, key.bytes}, v = {n, (void *)(uintptr_t)value};
	MDB_cursor *c;
	int rc;

	if (flags == MDB_APPEND)
		return rp_db_fail(t->ob, rp_row_append(t, table, &key, &v, 0), table_names[table],
				  err);
	t->dirty = true;
	rc = rp_page_guard(t, table, &k, RP_PAGE_GUARD_PUT);
	if (rc == 0)
		rc = rp_row_cursor(t, table, &c);
	if (rc == 0)
		rc = mdb_cursor_put(c, &k, &v, flags);
	return rp_db_fail(t->ob, rc, table_names[table], err);
}

enum rp_err rp_row_del(struct rp_txn *t, enum rp_table table, struct rp_key key,
		       struct rp_error *err)
{
	MDB_val v;
	MDB_cursor *c;
	int rc = row_find(t, table, &key, RP_PAGE_GUARD_REMOVE, &v, &c);

	if (rc == 0)
		rc = mdb_cursor_del(c, 0);
	t->dirty = true;
	return rc == MDB_NOTFOUND ? RP_ERR_NOTFOUND
				  : rp_db_fail(t->ob, rc, table_names[table], err);
}

/* Behind the last row of one leaf LMDB goes to the next it knows of. Where that is not the one in
 * which the key belongs, the cursor must not stay there: what is written next would be written to
 * it. */
static int find_first(struct rp_txn *t, enum rp_table table, MDB_cursor *c, MDB_val *k, MDB_val *v)
{
	int rc = mdb_cursor_get(c, k, v, MDB_SET_RANGE);
	uint64_t leaf = rp_page_guard_leaf(t, table);

	if (rc == 0)
		rc = rp_page_guard_found(t, table, k);
	if (t->writes && rp_page_guard_leaf(t, table) != leaf) {
		mdb_cursor_close(c);
		t->at[table] = NULL;
	}
	return rc;
}

enum rp_err rp_row_first(struct rp_txn *t, enum rp_table table, struct rp_key from,
			 uint64_t *key_out, size_t n, MDB_val *value, struct rp_error *err)
{
	MDB_val k = {from.len, from.bytes}, v;
	MDB_cursor *c;
	enum rp_err e = RP_OK;
	int rc = rp_page_guard(t, table, &k, RP_PAGE_GUARD_FIND);

	if (rc == 0)
		rc = rp_row_cursor(t, table, &c);
	if (rc != 0)
		return rp_db_fail(t->ob, rc, table_names[table], err);
	rc = find_first(t, table, c, &k, &v);
	if (rc == MDB_NOTFOUND)
		e = RP_ERR_NOTFOUND;
	else if (rc != 0)
		e = rp_db_fail(t->ob, rc, table_names[table], err);
	else if (!rp_key_read(k.mv_data, k.mv_size, key_out, n))
		e = rp_fail(err, RP_ERR_DAMAGED, "%s: table %s holds a key of %zu bytes",
			    t->ob->dir, table_names[table], k.mv_size);
	else if (memcmp(k.mv_data, from.bytes, from.len < k.mv_size ? from.len : k.mv_size) < 0 ||
		 /* loops go on behind it, and must end */
		 key_out[0] > INT64_MAX || key_out[n - 1] > INT64_MAX)
		e = rp_fail(err, RP_ERR_DAMAGED,
			    "%s: table %s holds a key where none like it can be", t->ob->dir,
			    table_names[table]);
	else if (value != NULL)
		*value = v;
	rp_row_cursor_end(t, c);
	return e;
}
