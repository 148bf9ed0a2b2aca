/* Mutant: what is claimed is settled as delivered at once; the request is made afterwards, if at
 * all. */
#include "store/outbox.h"

enum rp_err __real_rp_outbox_exchange(struct rp_outbox *ob, int64_t now_at_ms,
				      struct rp_exchange *exchange, struct rp_error *err);
enum rp_err __wrap_rp_outbox_exchange(struct rp_outbox *ob, int64_t now_at_ms,
				      struct rp_exchange *exchange, struct rp_error *err);

enum rp_err __wrap_rp_outbox_exchange(struct rp_outbox *ob, int64_t now_at_ms,
				      struct rp_exchange *exchange, struct rp_error *err)
{
	struct rp_outcome good = {.http_status = 200};
	enum rp_err e = __real_rp_outbox_exchange(ob, now_at_ms, exchange, err);
	size_t i;

	for (i = 0; i < exchange->n_claims && e == RP_OK; i++) {
		const struct rp_claim *c = &exchange->claims[i];
		struct rp_settlement s = {.seq = c->seq,
					  .endpoint = c->endpoint,
					  .claim_no = c->claim_no,
					  .attempt = c->attempt,
					  .kind = RP_SETTLE_DELIVERED,
					  .started_at_ms = now_at_ms,
					  .outcome = &good};
		struct rp_exchange early = {.settle = &s,
					    .n_settle = 1,
					    .limits = exchange->limits,
					    .limits_arg = exchange->limits_arg};

		e = __real_rp_outbox_exchange(ob, now_at_ms, &early, err);
	}
	return e;
}
