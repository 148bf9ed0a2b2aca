/* forecast.c - plays the retry rules forward from where an entry is. It calls retry.c for each
 * step instead of repeating a rule. */

#include "model/forecast.h"

/* When no retry is planned any more; INT64_MAX: never. */
static int64_t limit_at_ms(const struct rp_forecast *f)
{
	int64_t limit = f->expires_at_ms != 0 ? f->expires_at_ms : INT64_MAX, age_limit;

	if (f->policy->max_age_ms != 0 &&
	    !__builtin_add_overflow(f->budget_at_ms, f->policy->max_age_ms, &age_limit) &&
	    age_limit < limit)
		limit = age_limit;
	return limit;
}

/* The verdict on an attempt that fails for a reason that may pass. */
static struct rp_verdict fails(const struct rp_forecast *f, int64_t at_ms, uint64_t jitter_ms)
{
	struct rp_outcome outcome = {.cause = RP_CAUSE_TIMEOUT};

	return rp_retry_decide(f->policy, &outcome, f->failures, f->budget_at_ms, f->expires_at_ms,
			       at_ms, jitter_ms);
}

static void ends(struct rp_forecast *f, enum rp_cause cause)
{
	f->end_cause = cause;
	f->over = true;
}

/* From one step to the next: the earliest fails at once and has no jitter, the latest takes all
 * its time and has most. */
static void go_on(struct rp_forecast *f)
{
	struct rp_verdict soonest, latest;
	int64_t done_at_ms = f->latest_at_ms + f->timeout_ms;

	f->failures++;
	soonest = fails(f, f->earliest_at_ms, 0);
	if (soonest.kind == RP_VERDICT_DEAD) {
		f->latest_at_ms = done_at_ms;
		ends(f, soonest.cause);
		return;
	}
	latest = fails(f, done_at_ms, (uint64_t)rp_retry_delay_ms(f->policy, f->failures) / 5);
	f->earliest_at_ms = soonest.due_at_ms;
	f->latest_at_ms = latest.kind == RP_VERDICT_RETRY ? latest.due_at_ms : limit_at_ms(f);
}

bool rp_forecast_next(struct rp_forecast *f, struct rp_forecast_step *out)
{
	if (f->over)
		return false;
	/* A claim does not take what has expired. */
	if (f->expires_at_ms != 0 && f->earliest_at_ms >= f->expires_at_ms) {
		ends(f, RP_CAUSE_EXPIRED);
		return false;
	}
	*out = (struct rp_forecast_step){.nth = f->failures + 1,
					 .earliest_at_ms = f->earliest_at_ms,
					 .latest_at_ms = f->latest_at_ms,
					 .certain = f->latest_at_ms < limit_at_ms(f)};
	go_on(f);
	return true;
}
