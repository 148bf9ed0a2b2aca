/* hand_over.h - private to src/store/lmdb: an append claims entries for senders that wait for work
 * (model/hand_over.h). */
#ifndef RP_STORE_LMDB_HAND_OVER_H
#define RP_STORE_LMDB_HAND_OVER_H

#include "model/record.h"

struct rp_txn;

/* The senders that a batch of entries may be handed to. */
struct rp_hand_over {
	bool over;     /* nothing more is handed over in this transaction */
	bool found;    /* there is a sender: */
	unsigned slot; /* ... its slot, */
	size_t n_left; /* ... and how many claims it may be given yet */
};

/* For an append of n entries. */
struct rp_hand_over rp_hand_over_begin(size_t n);
/* d: of a new entry that waits, which is not stored yet: it is in flight afterwards, with a sender,
 * or as it was. So an entry that is handed over never stands in a queue, and no page is written for
 * that. */
enum rp_err rp_hand_over(struct rp_txn *t, struct rp_hand_over *h, struct rp_delivery *d,
			 struct rp_error *err);
/* It is stored now. Lets the sender find it, if it was handed over. */
enum rp_err rp_hand_over_mark(struct rp_txn *t, uint64_t seq, const struct rp_delivery *d,
			      struct rp_error *err);

#endif
