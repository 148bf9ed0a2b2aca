/* row.c - reads and writes rows. Every row that is written passes the page guard here
 * (tree/page_guard.h). */

#include "store/lmdb/row.h"

#include <string.h>

#include "store/lmdb/db/db.h"
#include "store/lmdb/db/tables.h"
#include "store/lmdb/handle.h"
#include "store/lmdb/tree/page_guard.h"
#include "store/lmdb/txn.h"

/* A transaction that writes, or fetches, looks for most rows next to the last one: of one table it
 * keeps one cursor, whose page is asked first. A search from the root reads a page a level, each
 * after a look in the list of dirty ones. */
int rp_row_cursor(struct rp_txn *t, enum rp_table table, MDB_cursor **c)
{
	int rc = t->at[table] == NULL
		     ? mdb_cursor_open(t->mdb, t->ob->db.table[table], &t->at[table])
		     : 0;

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
	int rc = rp_page_guard(t->guard, table, &k, what_for);

	if (rc == 0)
		rc = rp_row_cursor(t, table, c);
	return rc == 0 ? mdb_cursor_get(*c, &k, value, MDB_SET) : rc;
}

int rp_text_get(struct rp_txn *t, enum rp_table table, MDB_val *key, MDB_val *value)
{
	int rc = rp_page_guard(t->guard, table, key, RP_PAGE_GUARD_FIND);

	return rc == 0 ? mdb_get(t->mdb, t->ob->db.table[table], key, value) : rc;
}

int rp_text_put(struct rp_txn *t, enum rp_table table, MDB_val *key, MDB_val *value, unsigned flags)
{
	int rc = rp_page_guard(t->guard, table, key, RP_PAGE_GUARD_PUT);

	return rc == 0 ? mdb_put(t->mdb, t->ob->db.table[table], key, value, flags) : rc;
}

int rp_text_del(struct rp_txn *t, enum rp_table table, MDB_val *key)
{
	int rc = rp_page_guard(t->guard, table, key, RP_PAGE_GUARD_REMOVE);

	return rc == 0 ? mdb_del(t->mdb, t->ob->db.table[table], key, NULL) : rc;
}

enum rp_err rp_row_get(struct rp_txn *t, enum rp_table table, struct rp_key key, MDB_val *value,
		       struct rp_error *err)
{
	MDB_val k = {key.len, key.bytes};
	MDB_cursor *c;
	int rc = t->keeps_cursors ? row_find(t, table, &key, RP_PAGE_GUARD_FIND, value, &c)
				  : mdb_get(t->mdb, t->ob->db.table[table], &k, value);

	return rc == MDB_NOTFOUND ? RP_ERR_NOTFOUND
				  : rp_db_fail(&t->ob->db, rc, rp_table_name(table), err);
}

int rp_row_last(struct rp_txn *t, enum rp_table table, MDB_val *k, MDB_val *v)
{
	MDB_cursor *c;
	int rc = rp_page_guard(t->guard, table, NULL, RP_PAGE_GUARD_FIND);

	if (rc == 0)
		rc = mdb_cursor_open(t->mdb, t->ob->db.table[table], &c);
	if (rc != 0)
		return rc;
	rc = mdb_cursor_get(c, k, v, MDB_LAST);
	mdb_cursor_close(c);
	return rc;
}

int rp_row_next(struct rp_txn *t, enum rp_table table, MDB_cursor *c, MDB_val *k, MDB_val *v)
{
	int rc = mdb_cursor_get(c, k, v, MDB_NEXT);

	return rc == 0 ? rp_page_guard_found(t->guard, table, k) : rc;
}

/* By a cursor that stays where it is: mdb_put would look for the end of the table each time. */
int rp_row_append(struct rp_txn *t, enum rp_table table, const struct rp_key *key, MDB_val *value,
		  unsigned flags)
{
	MDB_val k = {key->len, (void *)(uintptr_t)key->bytes};
	int rc;

	t->dirty = true;
	rc = rp_page_guard(t->guard, table, NULL, RP_PAGE_GUARD_FIND);
	if (rc == 0 && t->at_end[table] == NULL)
		rc = mdb_cursor_open(t->mdb, t->ob->db.table[table], &t->at_end[table]);
	return rc == 0 ? mdb_cursor_put(t->at_end[table], &k, value, MDB_APPEND | flags) : rc;
}

enum rp_err rp_row_put(struct rp_txn *t, enum rp_table table, struct rp_key key, const void *value,
		       size_t n, unsigned flags, struct rp_error *err)
{
	MDB_val k = {key.len, key.bytes}, v = {n, (void *)(uintptr_t)value};
	MDB_cursor *c;
	int rc;

	if (flags == MDB_APPEND)
		return rp_db_fail(&t->ob->db, rp_row_append(t, table, &key, &v, 0),
				  rp_table_name(table), err);
	t->dirty = true;
	rc = rp_page_guard(t->guard, table, &k, RP_PAGE_GUARD_PUT);
	if (rc == 0)
		rc = rp_row_cursor(t, table, &c);
	if (rc == 0)
		rc = mdb_cursor_put(c, &k, &v, flags);
	return rp_db_fail(&t->ob->db, rc, rp_table_name(table), err);
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
				  : rp_db_fail(&t->ob->db, rc, rp_table_name(table), err);
}

/* Behind the last row of one leaf LMDB goes to the next it knows of. Where that is not the one in
 * which the key belongs, the cursor must not stay there: what is written next would be written to
 * it. */
static int find_first(struct rp_txn *t, enum rp_table table, MDB_cursor *c, MDB_val *k, MDB_val *v)
{
	int rc = mdb_cursor_get(c, k, v, MDB_SET_RANGE);
	uint64_t leaf = rp_page_guard_leaf(t->guard, table);

	if (rc == 0)
		rc = rp_page_guard_found(t->guard, table, k);
	if (t->guard != NULL && rp_page_guard_leaf(t->guard, table) != leaf) {
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
	int rc = rp_page_guard(t->guard, table, &k, RP_PAGE_GUARD_FIND);

	if (rc == 0)
		rc = rp_row_cursor(t, table, &c);
	if (rc != 0)
		return rp_db_fail(&t->ob->db, rc, rp_table_name(table), err);
	rc = find_first(t, table, c, &k, &v);
	if (rc == MDB_NOTFOUND)
		e = RP_ERR_NOTFOUND;
	else if (rc != 0)
		e = rp_db_fail(&t->ob->db, rc, rp_table_name(table), err);
	else if (!rp_key_read(k.mv_data, k.mv_size, key_out, n))
		e = rp_fail(err, RP_ERR_DAMAGED, "%s: table %s holds a key of %zu bytes",
			    t->ob->db.dir, rp_table_name(table), k.mv_size);
	else if (memcmp(k.mv_data, from.bytes, from.len < k.mv_size ? from.len : k.mv_size) < 0 ||
		 /* loops go on behind it, and must end */
		 key_out[0] > INT64_MAX || key_out[n - 1] > INT64_MAX)
		e = rp_fail(err, RP_ERR_DAMAGED,
			    "%s: table %s holds a key where none like it can be", t->ob->db.dir,
			    rp_table_name(table));
	else if (value != NULL)
		*value = v;
	rp_row_cursor_end(t, c);
	return e;
}

enum rp_err rp_row_from(struct rp_txn *t, enum rp_table table, uint64_t *key, size_t n, size_t same,
			MDB_val *value, struct rp_error *err)
{
	const uint64_t from[3] = {key[0], n > 1 ? key[1] : 0, n > 2 ? key[2] : 0};
	enum rp_err e = rp_row_first(t, table,
				     n == 1   ? rp_key1(from[0])
				     : n == 2 ? rp_key2(from[0], from[1])
					      : rp_key3(from[0], from[1], from[2]),
				     key, n, value, err);

	return e == RP_OK && memcmp(from, key, same * sizeof key[0]) != 0 ? RP_ERR_NOTFOUND : e;
}
