/* layout.h - private to src/store/lmdb: whether the outbox has the layout of this program. */
#ifndef RP_STORE_LMDB_LAYOUT_H
#define RP_STORE_LMDB_LAYOUT_H

#include <lmdb.h>
#include "base/err.h"

struct rp_lmdb;

/* Of a file with the right format. RP_ERR_FORMAT: it has another layout. A head that is damaged
 * passes. */
enum rp_err rp_layout_check(struct rp_lmdb *ob, MDB_txn *txn, struct rp_error *err);

#endif
