/* forecast.h - the attempts that an entry still has if all of them fail, and its end. Asks retry.h
 * at each step, so that it cannot tell another story than the sender. A pure function of values.
 *
 * Each step has an earliest and a latest time: jitter, and how long an attempt may take, add up
 * from step to step. Retry-After, a pause, the endpoint's limits and the lack of a sender are not
 * known in advance and come on top. */
#ifndef RP_MODEL_FORECAST_H
#define RP_MODEL_FORECAST_H

#include "model/retry.h"

struct rp_forecast {
	/* The caller sets these; failures: of the present retry budget, so far. */
	const struct rp_retry_policy *policy;
	int64_t timeout_ms;
	unsigned failures;
	int64_t budget_at_ms, expires_at_ms; /* 0: it does not expire */
	/* of the next step; out: of the end, after the last step */
	int64_t earliest_at_ms, latest_at_ms;
	/* Out, after the last step: what it would die of. */
	enum rp_cause end_cause;
	bool over;
};

struct rp_forecast_step {
	unsigned nth; /* attempt of this retry budget: 1, 2, ... */
	int64_t earliest_at_ms, latest_at_ms;
	bool certain; /* false: its time may run out before */
};

/* false: no attempt is left, and end_cause tells what it dies of between earliest_at and
 * latest_at. */
bool rp_forecast_next(struct rp_forecast *f, struct rp_forecast_step *out);

#endif
