/* recent.h - private to src/store/lmdb: the ring of attempts that were settled last, over all
 * entries. */
#ifndef RP_STORE_LMDB_RECENT_H
#define RP_STORE_LMDB_RECENT_H

#include "model/record.h"

struct rp_lmdb;
struct rp_txn;

/* At the start of a transaction. */
void rp_recent_forget(struct rp_lmdb *ob);
enum rp_err rp_recent_note(struct rp_txn *t, uint64_t seq, uint64_t endpoint, uint32_t n,
			   const struct rp_attempt *a, struct rp_error *err);
enum rp_err rp_recent_flush(struct rp_txn *t, struct rp_error *err); /* called by rp_txn_commit */
/* Of the attempt that comes next: one more than were ever noted. */
enum rp_err rp_recent_next_number(struct rp_txn *t, uint64_t *number, struct rp_error *err);

#endif
