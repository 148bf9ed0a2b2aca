/* sender_maintenance.c - does what is due now and then: heartbeat, claims of dead senders, steps of
 * the clock, operators' jobs, retention. It is apart because none of it is a delivery. */

#include "deliver/sender_maintenance.h"

#include "base/log.h"
#include "deliver/sender_attempt.h"
#include "deliver/sender_exchange.h"
#include "deliver/sender_offer.h"

#define EXPIRE_MS 5000     /* between removals of entries past their keep time */
#define EXPIRE_MAX 250     /* entries removed in a transaction, which takes some 3 ms */
#define EXPIRE_AGAIN_MS 10 /* when there are more: removal is as fast as delivery can be */
#define JOBS_MAX 200       /* entries of operators' jobs moved in a transaction */
#define JOBS_WAKEUP_MS 100 /* at least between two looks at the jobs because of a wakeup */
/* The end of a sender is told just before the kernel drops its lock. So look again, */
#define REAP_AGAIN_MS 10
#define REAP_UNTIL_MS 200 /* ... for so long. */

enum rp_err rp_sender_reap(struct rp_sender *s, struct rp_error *err)
{
	size_t n = 1;
	enum rp_err e = RP_OK;

	while (e == RP_OK && n > 0) {
		e = rp_outbox_reap(s->o.outbox, s->now_at_ms, s->now_boot_ms,
				   s->o.settings->config.lease_ms, &n, err);
		if (e == RP_OK && n > 0)
			s->ready_at_ms = s->now_at_ms;
	}
	return e;
}

static enum rp_err expire(struct rp_sender *s, struct rp_error *err)
{
	const struct rp_config *c = &s->o.settings->config;
	size_t n;
	enum rp_err e = rp_outbox_expire(s->o.outbox, s->now_at_ms, c->keep_delivered_ms,
					 c->keep_dead_ms, EXPIRE_MAX, &n, err);

	/* When there is more, come back soon, but not at once: others need the write lock. */
	s->expire_boot_ms = s->now_boot_ms + (n == EXPIRE_MAX ? EXPIRE_AGAIN_MS : EXPIRE_MS);
	if (e == RP_OK && n > 0)
		rp_log(RP_LOG_INFO, "expired", "removed=%zu", n);
	return e;
}

/* Each sender moves a few entries of an operator's job, until none is left. */
static enum rp_err step_jobs(struct rp_sender *s, struct rp_error *err)
{
	struct rp_job_step step = {.max = JOBS_MAX, .due_max = RP_JOB_DUE_MAX};
	enum rp_err e = rp_sender_end_exchange(s, true, err);

	if (e != RP_OK)
		return e;
	e = rp_outbox_jobs_step(s->o.outbox, s->now_at_ms, &step, err);
	s->jobs_boot_ms = s->now_boot_ms;
	s->jobs_at_ms = step.next_at_ms;
	if (e == RP_OK && step.n_worked > 0)
		s->ready_at_ms = s->now_at_ms;
	return e;
}

static enum rp_err take_wakeups(struct rp_sender *s, struct rp_error *err)
{
	const struct rp_woken woken = rp_outbox_drain(s->o.outbox, RP_WATCH_WORK);
	enum rp_err e = RP_OK;

	s->woken_meanwhile = s->woken_meanwhile || woken.work;
	if (woken.sender_ended)
		s->reap_until_boot_ms = s->now_boot_ms + REAP_UNTIL_MS;
	if (woken.sender_ended ||
	    (s->reap_until_boot_ms > s->now_boot_ms && s->now_boot_ms >= s->reap_boot_ms)) {
		e = rp_sender_end_exchange(s, true, err);
		if (e == RP_OK)
			e = rp_sender_reap(s, err);
		s->reap_boot_ms = s->now_boot_ms + REAP_AGAIN_MS;
	}
	/* Each append is a wakeup, and few of them start a job. A job may start a moment later. */
	if (woken.work && s->jobs_at_ms == RP_NEVER &&
	    s->now_boot_ms - s->jobs_boot_ms >= JOBS_WAKEUP_MS)
		s->jobs_at_ms = s->now_at_ms;
	if (e == RP_OK && woken.work && rp_sender_may_be_handed(s))
		e = rp_sender_take(s, err);
	if (e == RP_OK && (woken.work || woken.sender_ended))
		e = rp_outbox_next_ready(s->o.outbox, &s->ready_at_ms, err);
	return e;
}

enum rp_err rp_sender_fix_clock(struct rp_sender *s, struct rp_error *err)
{
	enum rp_err e = rp_sender_end_exchange(s, true, err);

	if (e == RP_OK)
		e = rp_outbox_fix_clock(s->o.outbox, s->now_at_ms, &s->clock_fix, err);
	return e == RP_OK ? rp_outbox_next_ready(s->o.outbox, &s->ready_at_ms, err) : e;
}

enum rp_err rp_sender_renew_limits(struct rp_sender *s, struct rp_error *err)
{
	enum rp_err e = rp_sender_end_exchange(s, true, err);

	/* A signal may come long after the last step: by that clock a bucket that was used since
	 * is from before the clock was set back. */
	if (e == RP_OK)
		e = rp_outbox_renew_limits(s->o.outbox, rp_sys_wall_ms(s->o.sys), &s->renewal, err);
	if (e == RP_ERR_AWAY)
		s->renewal.more = true; /* when it is back */
	return e == RP_OK ? rp_outbox_next_ready(s->o.outbox, &s->ready_at_ms, err) : e;
}

enum rp_err rp_sender_maintain(struct rp_sender *s, struct rp_error *err)
{
	enum rp_err e = take_wakeups(s, err);

	if (e == RP_OK && s->clock_fix.more)
		e = rp_sender_fix_clock(s, err);
	if (e == RP_OK && s->renewal.more)
		e = rp_sender_renew_limits(s, err);
	if (e == RP_OK && s->now_boot_ms - s->heartbeat_boot_ms >= HEARTBEAT_MS) {
		rp_sender_drop_after_stall(s);
		rp_outbox_beat(s->o.outbox, s->now_at_ms, s->now_boot_ms);
		s->heartbeat_boot_ms = s->now_boot_ms;
		e = rp_sender_end_exchange(s, true, err);
		if (e == RP_OK)
			e = rp_sender_take(s, err); /* as for work, when a wakeup was lost */
		if (e == RP_OK)
			e = rp_sender_reap(s, err);
		s->jobs_at_ms = s->now_at_ms;
		/* Work must not wait for ever when a wakeup was lost, or the clock was set. */
		if (e == RP_OK)
			e = rp_sender_fix_clock(s, err);
	}
	if (e == RP_OK && s->stop_boot_ms == 0 && s->now_at_ms >= s->jobs_at_ms)
		e = step_jobs(s, err);
	if (e == RP_OK && s->stop_boot_ms == 0 && s->now_boot_ms >= s->expire_boot_ms) {
		e = rp_sender_end_exchange(s, true, err);
		if (e == RP_OK)
			e = expire(s, err);
	}
	return e;
}

enum rp_err rp_sender_is_drained(struct rp_sender *s, bool *drained, struct rp_error *err)
{
	struct rp_ledger ledger;
	enum rp_err e = rp_outbox_ledger(s->o.outbox, &ledger, err);

	*drained =
	    e == RP_OK && ledger.waiting == 0 && ledger.in_flight == 0 && s->jobs_at_ms == RP_NEVER;
	return e;
}
