/* rows.h - private to src/store/lmdb: rows in the order of their keys, page by page with read(2).
 *
 * For looking at many rows: an LMDB cursor would fault every page in. Only in read transactions,
 * which must last as long. Keys and values are views that die with the next call. Pages are not
 * trusted: RP_ERR_DAMAGED, with err filled. */
#ifndef RP_STORE_LMDB_TREE_ROWS_H
#define RP_STORE_LMDB_TREE_ROWS_H

#include "model/record.h"
#include "store/lmdb/db/db.h"
#include "store/lmdb/tree/cursor.h"

struct rp_tree_rows {
	const struct rp_db *db;
	enum rp_table table;
	struct rp_datafile file;
	struct rp_way way;        /* to the leaf of the row that is next */
	const unsigned char *key; /* no row that comes has a lower one; in the leaf or in `kept` */
	size_t key_bytes;
	bool met; /* that one has been returned */
	unsigned char kept[512];
};
/* At the first row, as the read transaction sees it. End it also when it fails. */
enum rp_err rp_tree_rows_begin(struct rp_tree_rows *l, const struct rp_db *db, MDB_txn *txn,
			       enum rp_table table, struct rp_error *err);
void rp_tree_rows_end(struct rp_tree_rows *l);
/* What is next has this key or a higher one; behind: a higher one. */
enum rp_err rp_tree_rows_seek(struct rp_tree_rows *l, const MDB_val *key, bool behind,
			      struct rp_error *err);
/* RP_ERR_NOTFOUND without filling err: there is none. */
enum rp_err rp_tree_rows_next(struct rp_tree_rows *l, MDB_val *k, MDB_val *v, struct rp_error *err);
enum rp_err rp_tree_rows_get(struct rp_tree_rows *l, struct rp_key key, MDB_val *v,
			     struct rp_error *err);

#endif
