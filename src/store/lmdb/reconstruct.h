/* reconstruct.h - private to src/store/lmdb: what the rows around a damaged record still tell. */
#ifndef RP_STORE_LMDB_RECONSTRUCT_H
#define RP_STORE_LMDB_RECONSTRUCT_H

#include "model/record.h"

struct rp_txn;

/* Rebuilds the damaged delivery record of an entry from its index rows, its attempts and its
 * facts, so that it can be set aside: what is lost is its retry budget, not the entry. Without
 * facts its endpoint may be RP_EP_UNKNOWN. */
enum rp_err rp_entry_reconstruct(struct rp_txn *t, uint64_t seq, struct rp_delivery *d,
				 struct rp_error *err);

#endif
