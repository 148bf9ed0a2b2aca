/* job.h - private to src/store/lmdb: jobs of operators, inside a transaction. */
#ifndef RP_STORE_LMDB_JOB_H
#define RP_STORE_LMDB_JOB_H

#include "base/err.h"
#include "model/job.h"
#include "model/job_walk.h"

struct rp_txn;

/* Holds the texts of a job, which must outlive the writes of the transaction. */
struct rp_job_buf {
	unsigned char bytes[RP_JOB_BYTES_MAX];
};
/* RP_ERR_NOTFOUND, RP_ERR_DAMAGED: err says so. */
enum rp_err rp_job_get(struct rp_txn *t, uint64_t number, struct rp_job_buf *copy, struct rp_job *j,
		       struct rp_error *err);
enum rp_err rp_job_put(struct rp_txn *t, uint64_t number, const struct rp_job *j,
		       struct rp_error *err);
/* Works on entries of the set, as far as the walk, its rate and queues allow, and ends the job when
 * none is left. Puts the record if it changed. *worked: entries, done or skipped. */
enum rp_err rp_job_work(struct rp_txn *t, uint64_t number, struct rp_job *j,
			struct rp_job_walk *walk, size_t *worked, struct rp_error *err);
/* Removes up to max rows of the set. */
enum rp_err rp_job_sweep(struct rp_txn *t, uint64_t number, size_t max, size_t *removed,
			 struct rp_error *err);

#endif
