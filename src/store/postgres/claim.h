/* claim.h - private to exchange.c and claim.c. */
#ifndef RP_STORE_POSTGRES_CLAIM_H
#define RP_STORE_POSTGRES_CLAIM_H

#include "store/postgres/txn.h"

/* Claims what the exchange wants. *others: hosts were due that another transaction has. */
enum rp_err rp_pg_claim(struct rp_pg_txn *t, struct rp_exchange *x, bool *others,
			struct rp_error *err);
/* What the configuration says now, by the name of a host or path that is loaded. */
struct rp_level_limits rp_pg_limits(const struct rp_pg_txn *t, const struct rp_exchange *x,
				    uint64_t id);

#endif
