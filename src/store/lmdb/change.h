/* change.h - private to src/store/lmdb: one verb on one entry. */
#ifndef RP_STORE_LMDB_CHANGE_H
#define RP_STORE_LMDB_CHANGE_H

#include "store/outbox.h"

struct rp_txn;

/* If its state is in `states` (0: any). */
enum rp_err rp_change_one(struct rp_txn *t, enum rp_change verb, unsigned states, uint64_t seq,
			  enum rp_changed *result, struct rp_error *err);

#endif
