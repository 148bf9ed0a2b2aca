/* db_open.h - private to src/store/lmdb: opens and closes the data file. */
#ifndef RP_STORE_LMDB_DB_OPEN_H
#define RP_STORE_LMDB_DB_OPEN_H

#include "base/err.h"

struct rp_lmdb;
struct rp_outbox_options;

#define RP_FORMAT_VERSION 1

enum rp_err rp_db_open(struct rp_lmdb *ob, const struct rp_outbox_options *options,
		       struct rp_error *err);
void rp_db_close(struct rp_lmdb *ob);

/* Makes the names in a directory last, and its own in its parent (made_dir: for certain; else
 * where that may be read). */
enum rp_err rp_sync_names(const char *dir, bool made_dir, struct rp_error *err);

#endif
