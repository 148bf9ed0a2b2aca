/* counters.h - private to src/store/lmdb: counters for metrics, as a transaction changes them. */
#ifndef RP_STORE_LMDB_COUNTERS_H
#define RP_STORE_LMDB_COUNTERS_H

#include "model/counters.h"
#include "model/ledger.h"
#include "store/outbox.h"

struct rp_lmdb;
struct rp_txn;

struct rp_open_series {
	char name[RP_SERIES_NAME_MAX];
	struct rp_series counts;
	bool known; /* it has a record, or will have one */
};

/* The records in `meta`: of the counters, and of a series, whose name follows. */
#define RP_COUNTERS_KEY "tally"
#define RP_SERIES_PREFIX "series:"

/* A state changed (both as for rp_entry_move), an attempt was settled, a commit has ended. */
void rp_counters_moved(struct rp_txn *t, const struct rp_delivery *from,
		       const struct rp_delivery *to);
void rp_counters_attempted(struct rp_txn *t, const struct rp_settlement *s);
void rp_counters_committed(struct rp_txn *t, int64_t took_us);
enum rp_err rp_counters_flush(struct rp_txn *t, struct rp_error *err); /* called by rp_txn_commit */
/* What this process counted beside its transactions goes into this one. */
void rp_counters_take_untold(struct rp_txn *t);
/* RP_ERR_DAMAGED, without filling err: one of its records is. */
enum rp_err rp_counters_verify(struct rp_txn *t, struct rp_error *err);
/* At the end of a process: duplicates it found after its last commit, in one of their own. */
void rp_counters_tell(struct rp_lmdb *ob);

#endif
