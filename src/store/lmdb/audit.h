/* audit.h - private to src/store/lmdb: the log of operators' changes. */
#ifndef RP_STORE_LMDB_AUDIT_H
#define RP_STORE_LMDB_AUDIT_H

#include "base/err.h"
#include "model/job.h"

struct rp_txn;

/* Writes a new record of the log and removes the oldest beyond what is kept. */
enum rp_err rp_audit_put_new(struct rp_txn *t, const struct rp_audit *a, uint64_t *number,
			     struct rp_error *err);
/* A record that is gone or damaged is passed over. */
enum rp_err rp_audit_set_counts(struct rp_txn *t, uint64_t number, uint64_t done, uint64_t skipped,
				struct rp_error *err);
enum rp_err rp_audit_add_counts(struct rp_txn *t, uint64_t number, uint64_t done, uint64_t skipped,
				struct rp_error *err);

#endif
