/* start.c - judges whether a claim may still begin. It is apart from control.c because it looks
 * at the moment before a request, not at the claim. */

#include "model/start.h"

static enum rp_start_verdict judge_level(const struct rp_start *s, enum rp_level l)
{
	const struct rp_endpoint *level = s->receiver.at[l];

	if (level->paused)
		return RP_START_PAUSED;
	if (level->disabled)
		return RP_START_DISABLED;
	if (level->parked_until_ms > s->now_at_ms)
		return RP_START_PARKED;
	if (level->control.breaker == RP_BREAKER_OPEN ||
	    (level->control.breaker == RP_BREAKER_HALF_OPEN && !s->probes[l]))
		return RP_START_BREAKER;
	if (rp_endpoint_in_use(level) > s->in_flight_max[l])
		return RP_START_FULL;
	/* Places are not handed on while a window shrinks. */
	if ((s->lacks & RP_LACKS(l)) != 0 &&
	    rp_endpoint_in_use(level) > rp_control_room(&level->control))
		return RP_START_FULL;
	return RP_START_GO;
}

enum rp_start_verdict rp_start_judge(const struct rp_start *s)
{
	enum rp_start_verdict verdict = RP_START_GO;
	int l;

	for (l = 0; l < RP_LEVELS && verdict == RP_START_GO; l++)
		if (s->receiver.at[l] != NULL)
			verdict = judge_level(s, (enum rp_level)l);
	if (verdict != RP_START_GO)
		return verdict;
	return s->metered && s->age_ms > s->begin_within_ms ? RP_START_LATE : RP_START_GO;
}

bool rp_start_may_go_on(const struct rp_receiver *receiver)
{
	int l;

	for (l = 0; l < RP_LEVELS; l++)
		if (receiver->at[l] != NULL &&
		    (receiver->at[l]->paused || receiver->at[l]->disabled))
			return false;
	return true;
}
