/* The rule by which an append claims. It stands apart from receiver.c, whose rules are those of an
 * exchange, which can ask for limits, take tokens and probe. */
#include "model/hand_over.h"

bool rp_offer_has_place(const struct rp_offer *o, size_t claims, int64_t now_at_ms)
{
	int64_t age_ms = now_at_ms - o->said_at_ms;

	return claims < o->claims_max && claims < RP_OFFER_CLAIMS_MAX &&
	       age_ms <= RP_OFFER_KEEPS_MS && age_ms >= -RP_OFFER_KEEPS_MS;
}

/* --- may it be handed over -------------------------------------------------------------------- */

/* It would be taken without asking, waiting, paying or probing. */
static bool is_plain(const struct rp_endpoint *level, int64_t now_at_ms)
{
	return level->control.limits.in_flight > 0 && level->control.limits.rate.count == 0 &&
	       level->control.breaker == RP_BREAKER_CLOSED && !level->disabled &&
	       rp_schedule_open_at_ms(level) <= now_at_ms;
}

/* Something else stands there that an exchange could claim now. */
static bool has_others(const struct rp_endpoint *level, int64_t now_at_ms)
{
	return level->ready_at_ms <= now_at_ms;
}

bool rp_hand_over_may(const struct rp_receiver *r, const struct rp_delivery *d, int64_t now_at_ms)
{
	int l;

	if (d->state != RP_STATE_WAITING || d->behind || d->order_key != 0 ||
	    d->due_at_ms > now_at_ms)
		return false;
	for (l = 0; l < RP_LEVELS; l++)
		if (r->at[l] != NULL &&
		    (!is_plain(r->at[l], now_at_ms) || has_others(r->at[l], now_at_ms)))
			return false;
	return rp_schedule_is_proven(r->at[RP_LEVEL_HOST], now_at_ms);
}

/* --- does it hold ----------------------------------------------------------------------------- */

static bool is_same(const struct rp_limits *a, const struct rp_limits *b)
{
	return a->in_flight == b->in_flight && a->start == b->start &&
	       a->rate.count == b->rate.count && a->rate.period_ms == b->rate.period_ms &&
	       a->breaker == b->breaker;
}

bool rp_hand_over_holds(const struct rp_receiver *r, struct rp_span section,
			const struct rp_level_limits *limits)
{
	int l;

	if ((r->at[RP_LEVEL_SECTION] != NULL) != (limits->section.len > 0) ||
	    (limits->section.len > 0 && !rp_level_is_section_named(section, limits->section)))
		return false;
	for (l = 0; l < RP_LEVELS; l++)
		if (r->at[l] != NULL && (!is_same(&r->at[l]->control.limits, &limits->at[l]) ||
					 limits->at[l].rate.count > 0)) /* it has no token */
			return false;
	return true;
}
