/* sender_offer.c - lets appends claim for a sender. It is apart from sender_exchange.c because no
 * commit of the sender is needed. */

#include "deliver/sender_offer.h"

#include "base/assert.h"
#include "deliver/claim_lag.h"
#include "deliver/offering.h"
#include "deliver/sender_attempt.h"
#include "deliver/sender_list.h"
#include "deliver/sender_places.h"
#include "deliver/sender_settings.h"

/* An offer keeps for RP_OFFER_KEEPS_MS. */
#define ANEW_MS (HEARTBEAT_MS / 2)
/* An append that has read an offer is over within this time, or a heartbeat finds what it handed
 * over. */
#define LATE_MS (2 * HEARTBEAT_MS)

void rp_sender_offer(struct rp_sender *s)
{
	const size_t limit = s->concurrency.limit;
	const struct rp_offering o = {
	    .stops = s->stop_boot_ms != 0 || s->cannot_begin[0] != '\0',
	    .due = s->ready_at_ms <= s->now_at_ms,
	    .ready = rp_sender_n_ready(s),
	    .begins = rp_sender_has_capacity(s) && s->running < limit ? limit - s->running : 0,
	    .claims = s->n_claims - s->idle.n,
	    .idle = s->idle.n,
	    .offered = s->offered,
	};
	const size_t claims_max = rp_offering_claims_max(&o);

	if (claims_max == s->offered &&
	    (claims_max == 0 || s->now_boot_ms - s->offered_boot_ms < ANEW_MS))
		return;
	rp_outbox_offer(s->o.outbox, s->now_at_ms, claims_max);
	s->offered = claims_max;
	s->offered_boot_ms = s->now_boot_ms;
}

static void add_claim(struct rp_sender *s, const struct rp_claim *claim)
{
	struct rp_sender_claim *c = rp_sender_list_pop(&s->idle);

	assert(c != NULL);
	c->claim = *claim;
	c->id_known = false;
	c->claimed_boot_ms = s->now_boot_ms;
	c->begin_within_ms = rp_claim_lag_begin_within_ms(s->claim_lag_ms);
	if (!rp_sender_places_claimed(s, c)) /* it lacks no place */
		rp_sender_list_push(&s->ready, c);
}

/* The exchange under way may need so many records. */
static size_t room(const struct rp_sender *s)
{
	size_t kept = s->exchange_under_way ? s->exchange.want : 0, i;

	for (i = 0; s->exchange_under_way && i < s->exchange.n_ahead; i++)
		kept += s->exchange.ahead[i].want;
	return s->idle.n > kept ? s->idle.n - kept : 0;
}

enum rp_err rp_sender_take(struct rp_sender *s, struct rp_error *err)
{
	struct rp_claim claims[RP_OFFERING_PLACES];
	struct rp_taking t = {
	    .from = s->taken_to, .claims = claims, .limits = rp_sender_limits_of, .limits_arg = s};
	enum rp_err e = RP_OK;
	size_t i;

	do {
		t.want = room(s) < RP_OFFERING_PLACES ? room(s) : RP_OFFERING_PLACES;
		if (t.want == 0)
			break;
		e = rp_outbox_take(s->o.outbox, &t, err);
		if (e != RP_OK)
			return e;
		for (i = 0; i < t.n_claims; i++)
			add_claim(s, &claims[i]);
		if (t.n_claims > 0)
			s->claimed_boot_ms = s->now_boot_ms;
		s->taken_to = t.from;
	} while (t.n_claims == t.want);
	if (s->stop_boot_ms != 0)
		rp_sender_return_ready(s);
	return RP_OK;
}

bool rp_sender_may_be_handed(const struct rp_sender *s)
{
	return s->offered > 0 || s->now_boot_ms - s->offered_boot_ms < LATE_MS;
}

enum rp_err rp_sender_withdraw(struct rp_sender *s, struct rp_error *err)
{
	enum rp_err e;

	if (s->withdrawn)
		return RP_OK;
	e = rp_outbox_withdraw(s->o.outbox, err);
	if (e == RP_OK)
		e = rp_sender_take(s, err);
	if (e != RP_OK)
		return e;
	s->withdrawn = true;
	s->offered = 0;
	return RP_OK;
}
