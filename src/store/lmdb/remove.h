/* remove.h - private to src/store/lmdb: the end of an entry. */
#ifndef RP_STORE_LMDB_REMOVE_H
#define RP_STORE_LMDB_REMOVE_H

#include "model/record.h"

struct rp_txn;

/* Removes every row of the entry. */
enum rp_err rp_entry_remove(struct rp_txn *t, uint64_t seq, const struct rp_delivery *d,
			    struct rp_error *err);

#endif
