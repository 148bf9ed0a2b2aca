/* claim.h - private to src/store/lmdb: claims, out of the ready queues. */
#ifndef RP_STORE_LMDB_CLAIM_H
#define RP_STORE_LMDB_CLAIM_H

#include "store/outbox.h"

struct rp_ep;
struct rp_txn;

/* Claims for this exchange what may start. The endpoints have been flushed. */
enum rp_err rp_claim(struct rp_txn *t, struct rp_exchange *x, struct rp_error *err);
/* When the first host is to be looked at; RP_NEVER: none is. */
enum rp_err rp_claim_first_ready(struct rp_txn *t, int64_t *at_ms, struct rp_error *err);
/* What the configuration allows an endpoint. */
enum rp_err rp_ep_ask(struct rp_txn *t, const struct rp_exchange *x, const struct rp_ep *ep,
		      struct rp_level_limits *limits, struct rp_error *err);

#endif
