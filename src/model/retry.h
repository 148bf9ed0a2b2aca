/* retry.h - after an outcome: delivered, again at a time, or dead. A pure function of values; it
 * asks no clock.
 *
 * Exponential: delay(n) = min(cap, base * factor^(n-1)), n = failures so far, plus 0..20 % jitter,
 * never minus, so that nothing is sent earlier than promised. Retry-After is a floor that jitter
 * does not undercut. Defaults 5 s, 4, 24 h, 11 attempts: 5 s 20 s 80 s 5 m 21 m 85 m 5.7 h 22.8 h
 * 24 h 24 h, about 3.3 days (Standard Webhooks' example spans 3.1). A schedule gives the delays
 * one by one instead; jitter, Retry-After and limits of time hold for it as well.
 *
 * Dead at once: what the guard refuses and the like, 410, a status of the policy's list, and,
 * where the policy heeds it, what the response's webhook-delivery header asked not to be sent
 * again. A 2xx is a delivery whatever its header says. */
#ifndef RP_MODEL_RETRY_H
#define RP_MODEL_RETRY_H

#include "model/outcome.h"

#define RP_RETRY_SCHEDULE_MAX 64
#define RP_RETRY_STATUSES_MAX 32

struct rp_retry_policy {
	int64_t base_ms;
	int64_t factor_permille; /* 4.0 is 4000 */
	int64_t cap_ms;
	unsigned attempts; /* budget, the first attempt included */
	int64_t schedule_ms[RP_RETRY_SCHEDULE_MAX];
	/* not 0: the delays, and one attempt more than these */
	size_t n_schedule;
	uint16_t permanent_statuses[RP_RETRY_STATUSES_MAX]; /* 410 is permanent anyway */
	size_t n_permanent_statuses;
	bool honour_delivery_header;
	int64_t max_age_ms; /* since acceptance or replay: no retry is planned later; 0: no limit */
};

enum rp_verdict_kind { RP_VERDICT_DELIVERED = 1, RP_VERDICT_RETRY, RP_VERDICT_DEAD };

struct rp_verdict {
	enum rp_verdict_kind kind;
	enum rp_cause cause; /* of a DEAD: why it is given up */
	int64_t due_at_ms;   /* of a RETRY */
	/* 410 or a heeded "disable": the receiver wants no more; may come with DELIVERED */
	bool disable_endpoint;
};

/* failures: failed attempts of this budget including this one. expires_at_ms 0: never. random:
 * uniform 64 bits. */
struct rp_verdict rp_retry_decide(const struct rp_retry_policy *policy,
				  const struct rp_outcome *outcome, unsigned failures,
				  int64_t budget_start_at_ms, int64_t expires_at_ms,
				  int64_t now_at_ms, uint64_t random);

/* The delay without jitter after the n-th failure, n >= 1. Saturates at the cap, never overflows.
 * Past the end of a schedule its last delay. */
int64_t rp_retry_delay_ms(const struct rp_retry_policy *policy, unsigned n);

/* Whether a cause can change without anybody's doing; a permanent one goes to the dead letters at
 * once. */
bool rp_cause_is_permanent(enum rp_cause cause, unsigned http_status);

#endif
