/* claims.h - for stores: counts and fills in the claims of an exchange, the same for every store.
 * It is not for those who use a store. The functions are inline: a store needs no object file of
 * this folder, which needs the stores. */
#ifndef RP_STORE_CLAIMS_H
#define RP_STORE_CLAIMS_H

#include <string.h>

#include "model/claim_walk.h"
#include "store/outbox.h"

/* What the exchange has room for, now that it has claimed what it has. */
static inline struct rp_receiver_room rp_claims_room(const struct rp_exchange *x)
{
	return (struct rp_receiver_room){
	    .deaths = RP_WALK_DEATHS_MAX - x->n_dead,
	    .claims = x->n_claims < x->want ? x->want - x->n_claims : 0,
	    .metered = x->n_metered < x->want_metered ? x->want_metered - x->n_metered : 0,
	    .unproven = x->n_unproven < x->want_unproven ? x->want_unproven - x->n_unproven : 0,
	};
}

/* Claims an entry of this path for the exchange: takes what it needs from the receiver and adds
 * the claim. rp_claims_moved is to follow when the entry has moved. to: the entry as it is from
 * now on. */
static inline struct rp_claim *rp_claims_hand_out(struct rp_exchange *x,
						  const struct rp_receiver *r, uint64_t path,
						  uint64_t seq, const struct rp_delivery *to,
						  int64_t now_at_ms)
{
	const struct rp_receiver_claim taken =
	    rp_receiver_claimed(r, now_at_ms, x->begin_within_ms);
	struct rp_claim *c = &x->claims[x->n_claims++];

	*c = (struct rp_claim){.seq = seq,
			       .endpoint = path,
			       .claim_no = to->claim_no,
			       .attempt = to->attempts,
			       .failures = to->failures,
			       .tokens = taken.tokens,
			       .unproven = taken.unproven,
			       .lacks = to->lacks,
			       .budget_at_ms = to->budget_at_ms,
			       .expires_at_ms = to->expires_at_ms};
	memcpy(c->probes, taken.probes, sizeof c->probes);
	x->n_metered += rp_tokens_any(&taken.tokens);
	x->n_unproven += taken.unproven;
	return c;
}

static inline void rp_claims_moved(struct rp_claim *c, const struct rp_receiver *r,
				   const struct rp_delivery *to)
{
	c->blocking = rp_receiver_is_blocking(r, to);
	c->full = rp_receiver_full(r);
}

#endif
