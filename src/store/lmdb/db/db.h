/* db.h - private to src/store/lmdb: LMDB's environment of one outbox, and what its codes mean.
 *
 * All other files below src/store/lmdb stand on it. It opens nothing: db_open.c fills it in. */
#ifndef RP_STORE_LMDB_DB_DB_H
#define RP_STORE_LMDB_DB_DB_H

#include <lmdb.h>
#include <stdint.h>

#include "base/err.h"
#include "store/lmdb/db/tables.h"

#define RP_DB_READERS_MAX 512 /* fixed by whoever opens first: the same everywhere */

struct rp_db {
	MDB_env *env;
	char *dir;  /* its path, for messages */
	int dir_fd; /* of host/files.h, which closes it; -1: not opened */
	/* of the data file: LMDB keeps to what they were on the machine that made it
	 * (tree/page.h) */
	size_t page_bytes;
	MDB_dbi table[RP_T_COUNT], list_of_tables;
};

/* Beside LMDB's codes: the page guard refuses (tree/page_guard.h). */
#define RP_DISTRUSTED (-30600)

/* Turns an LMDB or errno code into ours, with `what` in the sentence. rc 0 is RP_OK. */
enum rp_err rp_db_fail(const struct rp_db *db, int rc, const char *what, struct rp_error *err);
/* LMDB's row of a table: where its tree begins. As mdb_get. */
int rp_db_table_row(const struct rp_db *db, MDB_txn *txn, enum rp_table table, MDB_val *row);
/* Of the disk that the directory is on; UINT64_MAX: it does not tell. */
uint64_t rp_db_disk_free_bytes(const struct rp_db *db);

#endif
