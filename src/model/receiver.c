/* What is taken from the three levels of a receiver, and what they learn. It stands above
 * control.c and schedule.c, which know one level each. */
#include "model/receiver.h"

/* --- claim ------------------------------------------------------------------------------------ */

static bool is_metered(const struct rp_endpoint *level)
{
	return level->control.limits.rate.count > 0;
}

enum rp_receiver_take rp_receiver_level_take(const struct rp_endpoint *level,
					     const struct rp_receiver_room *room, int64_t now_at_ms)
{
	if (room->deaths == 0)
		return RP_TAKE_NOTHING;
	if (level->disabled)
		return RP_TAKE_NEXT;
	if (room->claims == 0 || rp_schedule_open_at_ms(level) > now_at_ms)
		return RP_TAKE_NOTHING;
	if ((is_metered(level) && room->metered == 0) ||
	    (level->level == RP_LEVEL_HOST && room->unproven == 0 &&
	     !rp_schedule_is_proven(level, now_at_ms)))
		return RP_TAKE_PASSED_OVER;
	return RP_TAKE_NEXT;
}

enum rp_receiver_take rp_receiver_take(const struct rp_receiver *r,
				       const struct rp_receiver_room *room, int64_t now_at_ms)
{
	enum rp_receiver_take take = RP_TAKE_NEXT;
	int l;

	for (l = 0; l < RP_LEVELS && take == RP_TAKE_NEXT; l++) {
		if (r->at[l] != NULL)
			take = rp_receiver_level_take(r->at[l], room, now_at_ms);
		if (r->at[l] != NULL && r->at[l]->disabled)
			break;
	}
	return take;
}

/* As far as this level is concerned. */
static bool is_ahead(const struct rp_endpoint *level, int64_t now_at_ms, bool *lacks)
{
	const struct rp_control *c = &level->control;

	*lacks = rp_endpoint_in_use(level) == rp_control_room(c);
	return !level->paused && !level->disabled && level->parked_until_ms <= now_at_ms &&
	       c->breaker == RP_BREAKER_CLOSED && c->limits.in_flight > 0 && !is_metered(level) &&
	       rp_endpoint_in_use(level) <= rp_control_room(c);
}

bool rp_receiver_is_ahead(const struct rp_receiver *r, enum rp_level from, int64_t now_at_ms,
			  unsigned *lacks)
{
	bool lacks_one;
	int l;

	*lacks = 0;
	for (l = 0; l < RP_LEVELS; l++) {
		if (r->at[l] == NULL)
			continue;
		if (!is_ahead(r->at[l], now_at_ms, &lacks_one) || (lacks_one && l < (int)from))
			return false;
		*lacks |= lacks_one ? RP_LACKS(l) : 0;
	}
	return *lacks != 0 && rp_schedule_is_proven(r->at[RP_LEVEL_HOST], now_at_ms);
}

bool rp_tokens_any(const struct rp_tokens *t)
{
	int l;

	for (l = 0; l < RP_LEVELS; l++)
		if (t->of[l].rate.count > 0)
			return true;
	return false;
}

struct rp_receiver_claim rp_receiver_claimed(const struct rp_receiver *r, int64_t now_at_ms,
					     int64_t begin_within_ms)
{
	struct rp_receiver_claim out = {
	    .tokens = {.section = r->at[RP_LEVEL_PATH]->section},
	    .unproven = !rp_schedule_is_proven(r->at[RP_LEVEL_HOST], now_at_ms)};
	int l;

	for (l = 0; l < RP_LEVELS; l++) {
		struct rp_endpoint *level = r->at[l];

		if (level == NULL)
			continue;
		out.tokens.of[l] = (struct rp_token){level->control.limits.rate, now_at_ms};
		if (rp_control_claimed(&level->control, now_at_ms, begin_within_ms) ==
		    RP_CONTROL_PROBED)
			out.probes[l] = true;
		level->served_at_ms = now_at_ms;
	}
	return out;
}

unsigned rp_receiver_full(const struct rp_receiver *r)
{
	unsigned full = 0;
	int l;

	for (l = 0; l < RP_LEVELS; l++)
		if (r->at[l] != NULL && r->at[l]->count[RP_STATE_WAITING] > 0 &&
		    rp_schedule_open_at_ms(r->at[l]) == RP_NEVER)
			full |= RP_LACKS(l);
	return full;
}

bool rp_receiver_is_blocking(const struct rp_receiver *r, const struct rp_delivery *claimed)
{
	return claimed->order_key != 0 || rp_receiver_full(r) != 0;
}

/* --- settle ----------------------------------------------------------------------------------- */

void rp_receiver_token_return(const struct rp_receiver *r, const struct rp_tokens *t)
{
	int l;

	for (l = 0; l < RP_LEVELS; l++)
		if (r->at[l] != NULL &&
		    (l != RP_LEVEL_SECTION || t->section == r->at[RP_LEVEL_PATH]->section))
			rp_control_token_return(&r->at[l]->control, &t->of[l],
						r->at[l]->served_at_ms);
}

/* A series of bad outcomes of a host ends with an answer of any path that is not bad. When its
 * breaker was switched off it has forgotten its series. */
static void end_series(struct rp_endpoint *host, enum rp_feedback feedback)
{
	const struct rp_control *c = &host->control;

	if (feedback == RP_FEEDBACK_NONE)
		return;
	if ((feedback != RP_FEEDBACK_BAD && c->bad_streak > 0) ||
	    (c->recent == 0 && c->bad_streak == 0))
		host->clears++;
}

/* Whether the host learns from it: a path counts as bad once a series. A probe is the host's,
 * whatever path it went through. */
static bool is_news(const struct rp_endpoint *host, const struct rp_endpoint *path,
		    enum rp_feedback feedback)
{
	return feedback != RP_FEEDBACK_BAD || path->bad_at != host->clears + 1 ||
	       host->control.breaker == RP_BREAKER_HALF_OPEN;
}

static enum rp_control_change host_settled(struct rp_endpoint *host, struct rp_endpoint *path,
					   const struct rp_receiver_result *result,
					   int64_t now_at_ms)
{
	const struct rp_outcome *o = result->outcome;
	const enum rp_feedback feedback = rp_feedback_of(o->cause, o->http_status);

	end_series(host, feedback);
	if (!is_news(host, path, feedback))
		return RP_CONTROL_SAME;
	if (feedback == RP_FEEDBACK_BAD)
		path->bad_at = host->clears + 1;
	return rp_control_host_settled(&host->control, o->cause, o->http_status,
				       result->in_use[RP_LEVEL_HOST], host->last_success_at_ms,
				       now_at_ms);
}

void rp_receiver_settled(const struct rp_receiver *r, const struct rp_receiver_result *result,
			 int64_t now_at_ms, enum rp_control_change change[RP_LEVELS])
{
	const struct rp_outcome *o = result->outcome;
	struct rp_endpoint *path = r->at[RP_LEVEL_PATH];
	int l;

	for (l = 0; l < RP_LEVELS; l++) {
		change[l] = RP_CONTROL_SAME;
		if (r->at[l] != NULL)
			rp_ledger_count_result(r->at[l], o, result->delivered, now_at_ms);
	}
	change[RP_LEVEL_PATH] = rp_control_settled(&path->control, o->cause, o->http_status,
						   result->in_use[RP_LEVEL_PATH], now_at_ms);
	change[RP_LEVEL_HOST] = host_settled(r->at[RP_LEVEL_HOST], path, result, now_at_ms);
	if (result->disables)
		rp_schedule_disable(path, now_at_ms);
}

void rp_receiver_pause(const struct rp_receiver *r, bool pause, int64_t now_at_ms)
{
	rp_schedule_pause(r->at[RP_LEVEL_PATH], pause, now_at_ms);
	if (!pause)
		rp_control_probe_now(&r->at[RP_LEVEL_HOST]->control, now_at_ms);
}

/* --- counters --------------------------------------------------------------------------------- */

bool rp_receiver_count(const struct rp_receiver *r, const struct rp_ledger_change *c)
{
	bool sound = true;
	int l;

	for (l = 0; l < RP_LEVELS; l++)
		if (r->at[l] != NULL)
			sound = rp_ledger_count_endpoint(r->at[l], c) && sound;
	return sound;
}

bool rp_receiver_leave(struct rp_endpoint *section, const struct rp_endpoint *path)
{
	bool sound = section->members > 0;
	int s;

	section->members -= sound;
	for (s = 0; s < RP_LEVELS; s++) {
		sound = section->lacking[s] >= path->lacking[s] && sound;
		section->lacking[s] -= section->lacking[s] >= path->lacking[s]
					   ? path->lacking[s]
					   : section->lacking[s];
	}
	for (s = RP_STATE_WAITING; s <= RP_STATE_DEAD; s++) {
		sound = section->count[s] >= path->count[s] && sound;
		section->count[s] -=
		    section->count[s] >= path->count[s] ? path->count[s] : section->count[s];
	}
	return sound;
}

void rp_receiver_enter(struct rp_endpoint *section, const struct rp_endpoint *path)
{
	int s;

	section->members++;
	for (s = 0; s < RP_LEVELS; s++)
		section->lacking[s] += path->lacking[s];
	for (s = RP_STATE_WAITING; s <= RP_STATE_DEAD; s++)
		section->count[s] += path->count[s];
}
