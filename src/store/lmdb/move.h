/* move.h - private to src/store/lmdb: changes of an entry's state. Nothing is moved without being
 * counted. */
#ifndef RP_STORE_LMDB_MOVE_H
#define RP_STORE_LMDB_MOVE_H

#include "model/record.h"

struct rp_txn;

/* The one function that changes an entry's state: moves its index row, the ledger and its
 * endpoint's counters, and writes its delivery record. from NULL: it is new. to NULL: it is
 * removed (the caller deletes its other rows). to->state_at_ms is set here when the state
 * changes. */
enum rp_err rp_entry_move(struct rp_txn *t, uint64_t seq, const struct rp_delivery *from,
			  struct rp_delivery *to, struct rp_error *err);
/* A claim that has its places from now on (rp_transition_take_places); from, to: in flight. */
enum rp_err rp_entry_take_places(struct rp_txn *t, uint64_t seq, const struct rp_delivery *from,
				 const struct rp_delivery *to, struct rp_error *err);
/* Makes it due by this clock, which was set back, where it waits in front. */
enum rp_err rp_entry_fix_due(struct rp_txn *t, uint64_t seq, struct rp_delivery *d,
			     struct rp_error *err);

#endif
