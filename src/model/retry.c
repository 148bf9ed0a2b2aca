/* retry.c - decides what follows an outcome. It is a pure function, so that a table of cases
 * tests every rule. */

#include "model/retry.h"

#include "base/assert.h"

#define STATUS_GONE 410

static int64_t add_saturating(int64_t a, int64_t b)
{
	int64_t sum;

	if (!__builtin_add_overflow(a, b, &sum))
		return sum;
	return b > 0 ? INT64_MAX : INT64_MIN;
}

static int64_t exponential_ms(const struct rp_retry_policy *policy, unsigned n)
{
	int64_t delay_us, product;

	assert(policy->base_ms >= 0 && policy->factor_permille >= 0 && policy->cap_ms >= 0);
	/* In microseconds, so that a small base with a factor like 1.5 still grows. */
	if (__builtin_mul_overflow(policy->base_ms, 1000, &delay_us))
		return policy->cap_ms;
	while (--n > 0) {
		if (__builtin_mul_overflow(delay_us, policy->factor_permille, &product))
			return policy->cap_ms;
		if (product / 1000 == delay_us)
			break;
		delay_us = product / 1000;
	}
	return delay_us / 1000 < policy->cap_ms ? delay_us / 1000 : policy->cap_ms;
}

int64_t rp_retry_delay_ms(const struct rp_retry_policy *policy, unsigned n)
{
	assert(n >= 1);
	if (policy->n_schedule == 0)
		return exponential_ms(policy, n);
	return policy->schedule_ms[n < policy->n_schedule ? n - 1 : policy->n_schedule - 1];
}

static unsigned attempts_of(const struct rp_retry_policy *policy)
{
	return policy->n_schedule > 0 ? (unsigned)policy->n_schedule + 1 : policy->attempts;
}

bool rp_cause_is_permanent(enum rp_cause cause, unsigned http_status)
{
	switch (cause) {
	case RP_CAUSE_HTTP:
		return http_status == STATUS_GONE;
	case RP_CAUSE_BLOCKED_ADDRESS:
	case RP_CAUSE_BLOCKED_SCHEME:
	case RP_CAUSE_BLOCKED_PORT:
	case RP_CAUSE_GONE:
	case RP_CAUSE_EXPIRED:
	case RP_CAUSE_EXHAUSTED:
	case RP_CAUSE_DAMAGED:
	case RP_CAUSE_POISON:
	case RP_CAUSE_BAD_URL:
	case RP_CAUSE_OPERATOR:
	case RP_CAUSE_REFUSED:
	case RP_CAUSE_PERMANENT:
		return true;
	case RP_CAUSE_NONE:
	case RP_CAUSE_TIMEOUT:
	case RP_CAUSE_DNS:
	case RP_CAUSE_CONNECT:
	case RP_CAUSE_TLS:
	case RP_CAUSE_RESET:
	case RP_CAUSE_PROTOCOL:
	case RP_CAUSE_SENDER_LOST:
	case RP_CAUSE_NO_KEY:
	case RP_CAUSE_LOCAL:
	case RP_CAUSE_TLS_EXPIRED:
	case RP_CAUSE_TLS_NAME:
	case RP_CAUSE_TLS_ISSUER:
	case RP_CAUSE_TLS_VERSION:
	case RP_CAUSE_TLS_PIN:
	case RP_CAUSE_TLS_CLIENT_CERT:
	case RP_CAUSE_TLS_TIMEOUT:
	case RP_CAUSE_MAX_:
		break;
	}
	return false;
}

static struct rp_verdict dead(enum rp_cause cause)
{
	struct rp_verdict v = {.kind = RP_VERDICT_DEAD, .cause = cause};
	return v;
}

static struct rp_verdict dead_at_once(const struct rp_outcome *outcome)
{
	struct rp_verdict v =
	    dead(outcome->cause == RP_CAUSE_HTTP ? RP_CAUSE_GONE : outcome->cause);

	v.disable_endpoint = v.cause == RP_CAUSE_GONE && outcome->http_status == STATUS_GONE;
	return v;
}

/* What the response itself settles, beyond its status; RP_CAUSE_NONE: nothing. */
static enum rp_cause cause_of_policy(const struct rp_retry_policy *policy,
				     const struct rp_outcome *outcome)
{
	size_t i;

	if (policy->honour_delivery_header && outcome->wish == RP_WISH_DISABLE)
		return RP_CAUSE_GONE;
	if (policy->honour_delivery_header && outcome->wish == RP_WISH_ABORT)
		return RP_CAUSE_REFUSED;
	if (outcome->cause != RP_CAUSE_HTTP)
		return RP_CAUSE_NONE;
	for (i = 0; i < policy->n_permanent_statuses; i++)
		if (policy->permanent_statuses[i] == outcome->http_status)
			return RP_CAUSE_PERMANENT;
	return RP_CAUSE_NONE;
}

/* Jitter comes on top of the floor: a fleet that got the same Retry-After must not come back in
 * one instant. */
static int64_t due_after(int64_t delay_ms, int64_t retry_after_ms, int64_t now_at_ms,
			 uint64_t random)
{
	int64_t wait_ms = retry_after_ms > delay_ms ? retry_after_ms : delay_ms;
	int64_t jitter_ms = (int64_t)(random % ((uint64_t)(delay_ms / 5) + 1));

	return add_saturating(now_at_ms, add_saturating(wait_ms, jitter_ms));
}

struct rp_verdict rp_retry_decide(const struct rp_retry_policy *policy,
				  const struct rp_outcome *outcome, unsigned failures,
				  int64_t budget_start_at_ms, int64_t expires_at_ms,
				  int64_t now_at_ms, uint64_t random)
{
	bool disable = policy->honour_delivery_header && outcome->wish == RP_WISH_DISABLE;
	struct rp_verdict v = {.kind = RP_VERDICT_DELIVERED, .disable_endpoint = disable};
	enum rp_cause settled;

	if (outcome->cause == RP_CAUSE_NONE)
		return v;
	if (rp_cause_is_permanent(outcome->cause, outcome->http_status))
		return dead_at_once(outcome);
	settled = cause_of_policy(policy, outcome);
	if (settled != RP_CAUSE_NONE) {
		v = dead(settled);
		v.disable_endpoint = disable;
		return v;
	}
	if (failures >= attempts_of(policy))
		return dead(RP_CAUSE_EXHAUSTED);
	v.kind = RP_VERDICT_RETRY;
	v.due_at_ms = due_after(rp_retry_delay_ms(policy, failures), outcome->retry_after_ms,
				now_at_ms, random);
	if (expires_at_ms != 0 && v.due_at_ms >= expires_at_ms)
		return dead(RP_CAUSE_EXPIRED);
	if (policy->max_age_ms != 0 &&
	    v.due_at_ms > add_saturating(budget_start_at_ms, policy->max_age_ms))
		return dead(RP_CAUSE_EXPIRED);
	return v;
}
