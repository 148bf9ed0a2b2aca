/* remove.c - removes all rows of an entry. What leads to it goes before its facts do, which tell
 * where that is. */

#include "store/lmdb/remove.h"

#include <string.h>

#include "store/lmdb/db/db.h"
#include "store/lmdb/entry_rows.h"
#include "store/lmdb/handle.h"
#include "store/lmdb/move.h"
#include "store/lmdb/row.h"
#include "store/lmdb/txn.h"

/* Deletes every row of `table` whose key starts with seq. */
static enum rp_err remove_prefix(struct rp_txn *t, enum rp_table table, uint64_t seq,
				 struct rp_error *err)
{
	uint64_t key[2] = {seq, 0};
	enum rp_err e;

	while ((e = rp_row_from(t, table, key, 2, 1, NULL, err)) == RP_OK) {
		e = rp_row_del(t, table, rp_key2(key[0], key[1]), err);
		if (e != RP_OK)
			return e;
	}
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

/* The run row of an entry whose facts are unreadable: found by the end of its key. */
static enum rp_err remove_run_by_seq(struct rp_txn *t, uint64_t seq, struct rp_error *err)
{
	struct rp_key want = rp_key1(seq);
	MDB_val k, v;
	MDB_cursor *c;
	int rc = mdb_cursor_open(t->mdb, t->ob->db.table[RP_T_RUN], &c);

	if (rc != 0)
		return rp_db_fail(&t->ob->db, rc, "remove", err);
	while ((rc = rp_row_next(t, RP_T_RUN, c, &k, &v)) == 0)
		if (k.mv_size > 8 &&
		    memcmp((char *)k.mv_data + k.mv_size - 8, want.bytes, 8) == 0) {
			rc = rp_text_del(t, RP_T_RUN, &k);
			break;
		}
	mdb_cursor_close(c);
	return rc == MDB_NOTFOUND ? RP_OK : rp_db_fail(&t->ob->db, rc, "remove", err);
}

static enum rp_err remove_run(struct rp_txn *t, uint64_t seq, const struct rp_facts *f,
			      struct rp_error *err)
{
	unsigned char key[RP_RUN_KEY_MAX];
	MDB_val k = {rp_entry_run_key(seq, f->run_id, f->dedupe_key, key), key};
	int rc = k.mv_size > 0 ? rp_text_del(t, RP_T_RUN, &k) : 0;

	return rc == MDB_NOTFOUND ? RP_OK : rp_db_fail(&t->ob->db, rc, "remove", err);
}

/* The id of an entry whose facts are unreadable, as far as `alias` and `seen` know it. */
static enum rp_err recall_id(struct rp_txn *t, uint64_t seq, unsigned char id[RP_ID_BYTES],
			     struct rp_error *err)
{
	static const enum rp_table tables[] = {RP_T_ALIAS, RP_T_SEEN};
	MDB_val k, v;
	MDB_cursor *c;
	uint64_t there;
	size_t i;
	int rc = 0;

	for (i = 0; i < 2; i++) {
		rc = mdb_cursor_open(t->mdb, t->ob->db.table[tables[i]], &c);
		if (rc != 0)
			break;
		while ((rc = rp_row_next(t, tables[i], c, &k, &v)) == 0) {
			const MDB_val *found = tables[i] == RP_T_ALIAS ? &k : &v;

			if (found->mv_size != RP_ID_BYTES ||
			    rp_entry_seq(t, found->mv_data, &there, NULL) != RP_OK || there != seq)
				continue;
			memcpy(id, found->mv_data, RP_ID_BYTES);
			mdb_cursor_close(c);
			return RP_OK;
		}
		mdb_cursor_close(c);
	}
	return rc == MDB_NOTFOUND ? RP_ERR_NOTFOUND : rp_db_fail(&t->ob->db, rc, "remove", err);
}

static enum rp_err remove_seen_by_value(struct rp_txn *t, const unsigned char id[RP_ID_BYTES],
					struct rp_error *err)
{
	MDB_val k, v;
	MDB_cursor *c;
	int rc = mdb_cursor_open(t->mdb, t->ob->db.table[RP_T_SEEN], &c);

	if (rc != 0)
		return rp_db_fail(&t->ob->db, rc, "remove", err);
	while ((rc = rp_row_next(t, RP_T_SEEN, c, &k, &v)) == 0)
		if (v.mv_size == RP_ID_BYTES && memcmp(v.mv_data, id, RP_ID_BYTES) == 0) {
			rc = rp_text_del(t, RP_T_SEEN, &k);
			break;
		}
	mdb_cursor_close(c);
	return rc == MDB_NOTFOUND ? RP_OK : rp_db_fail(&t->ob->db, rc, "remove", err);
}

static enum rp_err remove_seen(struct rp_txn *t, const struct rp_facts *f, struct rp_error *err)
{
	unsigned char copy[256]; /* the key lies in the map, in a page the delete may touch */
	MDB_val k = {f->dedupe_key.len, copy}, v;
	int rc;

	if (f->dedupe_key.len > sizeof copy)
		return RP_OK;
	memcpy(copy, f->dedupe_key.ptr, f->dedupe_key.len);
	rc = rp_text_get(t, RP_T_SEEN, &k, &v);
	if (rc == 0 && v.mv_size == RP_ID_BYTES && memcmp(v.mv_data, f->id, RP_ID_BYTES) == 0)
		rc = rp_text_del(t, RP_T_SEEN, &k);
	return rc == MDB_NOTFOUND ? RP_OK : rp_db_fail(&t->ob->db, rc, "remove", err);
}

/* The rows that lead to the entry: by its run, by its dedupe key, and by its id when that says
 * another number. They go before the facts do. */
static enum rp_err remove_ways(struct rp_txn *t, uint64_t seq, struct rp_error *err)
{
	unsigned char id[RP_ID_BYTES];
	struct rp_facts f;
	enum rp_err e = rp_entry_facts(t, seq, &f, err);

	if (e == RP_OK) {
		memcpy(id, f.id, sizeof id);
		e = remove_run(t, seq, &f, err);
		if (e == RP_OK)
			e = rp_entry_facts(t, seq, &f, err); /* views die with a write */
		if (e == RP_OK)
			e = remove_seen(t, &f, err);
	} else if (e == RP_ERR_DAMAGED || e == RP_ERR_NOTFOUND) {
		e = remove_run_by_seq(t, seq, err);
		if (e == RP_OK)
			e = recall_id(t, seq, id, err);
		if (e == RP_ERR_NOTFOUND)
			return RP_OK;
		if (e == RP_OK)
			e = remove_seen_by_value(t, id, err);
	}
	if (e == RP_OK && rp_id_seq(id) != seq)
		e = rp_row_del(t, RP_T_ALIAS, rp_key_id(id), err);
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

/* A damaged outbox may lack the row; what counts is that it is gone. */
static enum rp_err remove_row(struct rp_txn *t, enum rp_table table, struct rp_key key,
			      struct rp_error *err)
{
	enum rp_err e = rp_row_del(t, table, key, err);

	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

enum rp_err rp_entry_remove(struct rp_txn *t, uint64_t seq, const struct rp_delivery *d,
			    struct rp_error *err)
{
	enum rp_err e = rp_entry_move(t, seq, d, NULL, err);

	if (e == RP_OK)
		e = remove_ways(t, seq, err);
	if (e == RP_OK)
		e = remove_row(t, RP_T_DELIVERY, rp_key1(seq), err);
	if (e == RP_OK)
		e = remove_row(t, RP_T_ENTRY, rp_key1(seq), err);
	if (e == RP_OK)
		e = remove_prefix(t, RP_T_BODY, seq, err);
	if (e == RP_OK)
		e = remove_prefix(t, RP_T_ATTEMPT, seq, err);
	return e;
}
