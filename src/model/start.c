/* start.c - judges whether a claim may still begin. It is apart from control.c because it looks
 * at the moment before a request, not at the claim. */

#include "model/start.h"

enum rp_start_verdict rp_start_judge(const struct rp_start *s)
{
	const struct rp_endpoint *ep = s->endpoint;

	if (ep->paused)
		return RP_START_PAUSED;
	if (ep->disabled)
		return RP_START_DISABLED;
	if (ep->parked_until_ms > s->now_at_ms)
		return RP_START_PARKED;
	if (ep->control.breaker == RP_BREAKER_OPEN ||
	    (ep->control.breaker == RP_BREAKER_HALF_OPEN && !s->probe))
		return RP_START_BREAKER;
	if (ep->count[RP_STATE_IN_FLIGHT] > s->in_flight_max)
		return RP_START_FULL;
	return s->metered && s->age_ms > s->begin_within_ms ? RP_START_LATE : RP_START_GO;
}

bool rp_start_may_go_on(const struct rp_endpoint *endpoint)
{
	return !endpoint->paused && !endpoint->disabled;
}
