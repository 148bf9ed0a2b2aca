/* The rules of an endpoint's place in time. They stand beside control.c, which knows its window,
 * its rate and its breaker, and nothing of entries or operators. */
#include "model/schedule.h"

/* --- its place in the ready queue ------------------------------------------------------------- */

int64_t rp_schedule_open_at_ms(const struct rp_endpoint *r)
{
	int64_t at_ms;

	if (r->disabled)
		return 0;
	at_ms = r->paused ? RP_NEVER : rp_control_ready_at_ms(&r->control, rp_endpoint_in_use(r));
	return at_ms > r->parked_until_ms ? at_ms : r->parked_until_ms;
}

/* What an operator or a receiver decided is kept. All else would pile up for ever, since callers
 * choose the URLs: a path of its own for every run is an endpoint of its own for every run. */
static bool is_unused(const struct rp_endpoint *r)
{
	int s;

	for (s = RP_STATE_WAITING; s <= RP_STATE_DEAD; s++)
		if (r->count[s] != 0)
			return false;
	return !r->paused && !r->disabled && r->members == 0;
}

uint64_t rp_schedule_queue(const struct rp_endpoint *r, uint64_t id)
{
	if (r->level == RP_LEVEL_HOST)
		return r->in_proven ? RP_QUEUE_PROVEN : RP_QUEUE_UNPROVEN;
	return r->section != 0 ? r->section : rp_level_host(id);
}

bool rp_schedule_is_proven(const struct rp_endpoint *host, int64_t now_at_ms)
{
	int64_t age_ms = now_at_ms - host->last_success_at_ms;
	uint64_t several = host->members < RP_HOST_SEVERAL ? host->members : RP_HOST_SEVERAL;

	/* What it delivered in the future it delivered before the clock was set back. */
	return host->control.breaker == RP_BREAKER_CLOSED &&
	       (host->control.bad_streak == 0 || host->control.bad_streak < several) &&
	       host->last_success_at_ms > 0 && age_ms < RP_PROVEN_MS && age_ms > -RP_PROVEN_MS;
}

bool rp_schedule_is_over(const struct rp_endpoint *r, int64_t now_at_ms)
{
	/* Not before its rate has nothing to remember: it would come back with a full bucket. */
	return is_unused(r) && rp_control_full_at_ms(&r->control) <= now_at_ms;
}

bool rp_schedule_asks_first_due(const struct rp_endpoint *r)
{
	/* What a host or section has in its queue may also be there to be removed. */
	return (r->count[RP_STATE_WAITING] > 0 || r->members > 0) &&
	       rp_schedule_open_at_ms(r) != RP_NEVER;
}

int64_t rp_schedule_ready_at_ms(const struct rp_endpoint *r, int64_t first_due_at_ms,
				int64_t now_at_ms)
{
	int64_t ready_at_ms = rp_schedule_open_at_ms(r), at_ms;

	if (is_unused(r))
		return rp_schedule_is_over(r, now_at_ms) ? RP_NEVER
							 : rp_control_full_at_ms(&r->control);
	if (!rp_schedule_asks_first_due(r) || first_due_at_ms == RP_NEVER)
		return RP_NEVER;
	/* Served in the future: the clock was set back, and nobody must wait until it has caught
	 * up. */
	at_ms = r->served_at_ms <= now_at_ms ? r->served_at_ms : 0;
	if (first_due_at_ms > at_ms)
		at_ms = first_due_at_ms;
	return ready_at_ms > at_ms ? ready_at_ms : at_ms;
}

void rp_schedule_fix_clock(struct rp_endpoint *r, int64_t now_at_ms)
{
	rp_control_fix_clock(&r->control, now_at_ms);
	if (r->parked_until_ms > now_at_ms + 2 * RP_PARK_MAX_MS)
		r->parked_until_ms = 0;
}

/* --- what is decided about it ---------------------------------------------------------------- */

bool rp_schedule_park(struct rp_endpoint *r, enum rp_cause cause, int64_t until_ms,
		      int64_t now_at_ms)
{
	bool was_free = r->parked_until_ms <= now_at_ms;

	r->last_cause = cause;
	r->last_status = 0;
	r->parked_until_ms = until_ms;
	return was_free;
}

void rp_schedule_disable(struct rp_endpoint *r, int64_t now_at_ms)
{
	if (r->disabled)
		return;
	r->disabled = true;
	r->changed_at_ms = now_at_ms;
}

void rp_schedule_pause(struct rp_endpoint *r, bool pause, int64_t now_at_ms)
{
	r->paused = pause;
	if (!pause) {
		r->disabled = false;
		rp_control_probe_now(&r->control, now_at_ms);
	}
	r->changed_at_ms = now_at_ms;
}

bool rp_schedule_renew(struct rp_endpoint *r, int64_t now_at_ms)
{
	if (rp_schedule_open_at_ms(r) <= now_at_ms)
		return false;
	rp_control_renew(&r->control);
	r->parked_until_ms = 0;
	return true;
}
