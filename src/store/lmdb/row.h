/* row.h - private to src/store/lmdb: rows of tables. Every row that is written passes the page
 * guard here. */
#ifndef RP_STORE_LMDB_ROW_H
#define RP_STORE_LMDB_ROW_H

#include "model/record.h"
#include "store/lmdb/db/db.h"

struct rp_txn;

/* Row access. rp_row_get: RP_ERR_NOTFOUND without filling err; the value is a view that dies with
 * the transaction or the next write. */
enum rp_err rp_row_get(struct rp_txn *t, enum rp_table table, struct rp_key key, MDB_val *value,
		       struct rp_error *err);
enum rp_err rp_row_put(struct rp_txn *t, enum rp_table table, struct rp_key key, const void *value,
		       size_t n, unsigned flags, struct rp_error *err);
/* Rows whose key is no number: as mdb_get, mdb_put and mdb_del. */
int rp_text_get(struct rp_txn *t, enum rp_table table, MDB_val *key, MDB_val *value);
int rp_text_put(struct rp_txn *t, enum rp_table table, MDB_val *key, MDB_val *value,
		unsigned flags);
int rp_text_del(struct rp_txn *t, enum rp_table table, MDB_val *key);
/* The row behind the one where the cursor stands; the first, if it is new. As mdb_cursor_get. */
int rp_row_next(struct rp_txn *t, enum rp_table table, MDB_cursor *c, MDB_val *k, MDB_val *v);
int rp_row_last(struct rp_txn *t, enum rp_table table, MDB_val *k, MDB_val *v);
/* The cursor that the transaction keeps, or one of the caller's until its end. */
int rp_row_cursor(struct rp_txn *t, enum rp_table table, MDB_cursor **c);
void rp_row_cursor_end(struct rp_txn *t, MDB_cursor *c);
/* Behind the last row of the table; k and v as for mdb_put, flags beside MDB_APPEND. */
int rp_row_append(struct rp_txn *t, enum rp_table table, const struct rp_key *key, MDB_val *value,
		  unsigned flags);
enum rp_err rp_row_del(struct rp_txn *t, enum rp_table table, struct rp_key key,
		       struct rp_error *err);
/* The first row whose key is >= `from`; RP_ERR_NOTFOUND: none. Keys of n numbers are read into
 * key_out. */
enum rp_err rp_row_first(struct rp_txn *t, enum rp_table table, struct rp_key from,
			 uint64_t *key_out, size_t n, MDB_val *value, struct rp_error *err);
/* The same from `key` on, of n numbers; the first `same` of them must stay. RP_ERR_NOTFOUND: there
 * is none, and `key` says nothing. It becomes that of the row, so that a loop adds 1 to its last
 * number. */
enum rp_err rp_row_from(struct rp_txn *t, enum rp_table table, uint64_t *key, size_t n, size_t same,
			MDB_val *value, struct rp_error *err);

#endif
