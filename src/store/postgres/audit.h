/* audit.h - private to src/store/postgres: records in the log of changes, within a transaction. */
#ifndef RP_STORE_POSTGRES_AUDIT_H
#define RP_STORE_POSTGRES_AUDIT_H

#include "model/job.h"
#include "store/postgres/txn.h"

enum rp_err rp_pg_audit_put(struct rp_pg_txn *t, const struct rp_audit *a, uint64_t *number,
			    struct rp_error *err);
/* Queue the change of a record's counts; one that made room for others is no error. */
void rp_pg_audit_ask(struct rp_pg_txn *t, uint64_t number, uint64_t done, uint64_t skipped);
void rp_pg_audit_set(struct rp_pg_txn *t, uint64_t number, uint64_t done, uint64_t skipped);

#endif
