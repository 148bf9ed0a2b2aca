/* The rules of a job's way. They stand apart from job.c, which knows the bytes of its record and
 * its rate. */
#include "model/job_step.h"

/* --- phases ---------------------------------------------------------------------------------- */

bool rp_job_is_stale_plan(const struct rp_job *j, int64_t now_at_ms)
{
	return (j->phase == RP_JOB_PLANNED && j->expires_at_ms <= now_at_ms) ||
	       (j->phase == RP_JOB_PLANNING && j->created_at_ms + RP_JOB_PLANNING_MS <= now_at_ms);
}

void rp_job_begin_plan(struct rp_job *j, int64_t now_at_ms)
{
	j->phase = RP_JOB_PLANNING;
	j->created_at_ms = now_at_ms;
}

static void end_as(struct rp_job *j, enum rp_job_phase phase, int64_t now_at_ms)
{
	j->phase = phase;
	j->ended_at_ms = now_at_ms;
}

void rp_job_expire_plan(struct rp_job *j, int64_t now_at_ms)
{
	end_as(j, RP_JOB_EXPIRED, now_at_ms);
}

void rp_job_end(struct rp_job *j, int64_t now_at_ms)
{
	end_as(j, RP_JOB_DONE, now_at_ms);
}

static bool allows(const struct rp_job *j, enum rp_order_kind kind, int64_t now_at_ms)
{
	switch (kind) {
	case RP_ORDER_START:
		return j->phase == RP_JOB_PLANNED && !rp_job_is_stale_plan(j, now_at_ms);
	case RP_ORDER_PAUSE:
		return j->phase == RP_JOB_RUNNING;
	case RP_ORDER_RESUME:
		return j->phase == RP_JOB_PAUSED;
	case RP_ORDER_CANCEL:
		return !rp_job_is_over(j->phase);
	}
	return true;
}

bool rp_job_obey(struct rp_job *j, const struct rp_job_order *o, int64_t now_at_ms)
{
	if (!allows(j, o->kind, now_at_ms))
		return false;
	switch (o->kind) {
	case RP_ORDER_START:
		j->phase = RP_JOB_RUNNING;
		j->started_at_ms = j->moved_at_ms = now_at_ms;
		j->uid = o->uid;
		j->user = o->user;
		j->reason = o->reason;
		j->rate = o->rate;
		break;
	case RP_ORDER_PAUSE:
		j->phase = RP_JOB_PAUSED;
		break;
	case RP_ORDER_RESUME:
		j->phase = RP_JOB_RUNNING;
		j->moved_at_ms = now_at_ms;
		break;
	case RP_ORDER_CANCEL:
		end_as(j, RP_JOB_CANCELLED, now_at_ms);
		break;
	}
	return true;
}

bool rp_job_is_carried(const struct rp_job *j, uint64_t number, uint64_t wanted)
{
	return j->phase == RP_JOB_RUNNING &&
	       (number == wanted || (wanted == 0 && j->verb == RP_JOB_REPLAY));
}

int64_t rp_job_again_at_ms(const struct rp_job *j, size_t worked, int64_t now_at_ms)
{
	int64_t next_at_ms = rp_job_next_at_ms(j);

	if (next_at_ms > now_at_ms)
		return next_at_ms;
	return now_at_ms + (worked > 0 ? RP_JOB_AGAIN_MS : RP_JOB_BLOCKED_MS);
}

/* --- entries --------------------------------------------------------------------------------- */

enum rp_change rp_job_change(const struct rp_job *j)
{
	return j->verb == RP_JOB_PURGE ? RP_CHANGE_PURGE : RP_CHANGE_REPLAY;
}

static bool is_as_planned(const struct rp_job *j, const struct rp_plan_row *row,
			  const struct rp_delivery *d)
{
	if (d->state != row->state || d->replays != row->replays)
		return false;
	return j->verb == RP_JOB_REPLAY || d->claim_no == row->claim_no;
}

bool rp_job_admits(struct rp_job *j, const struct rp_plan_row *row, const struct rp_delivery *d,
		   bool damaged)
{
	if (d == NULL)
		j->skipped.gone++;
	else if (damaged)
		return true;
	else if (d->state == RP_STATE_IN_FLIGHT && row->state != RP_STATE_IN_FLIGHT)
		j->skipped.in_flight++;
	else if (is_as_planned(j, row, d))
		return true;
	else
		j->skipped.changed++;
	return false;
}

void rp_job_count(struct rp_job *j, enum rp_changed result)
{
	switch (result) {
	case RP_CHANGED_DONE_IN_FLIGHT:
		j->done_in_flight++;
		j->done++;
		break;
	case RP_CHANGED_DONE:
		j->done++;
		break;
	case RP_CHANGED_SKIPPED_IN_FLIGHT:
		j->skipped.in_flight++;
		break;
	case RP_CHANGED_SKIPPED_STATE:
		j->skipped.state++;
		break;
	case RP_CHANGED_NOT_FOUND:
		j->skipped.gone++;
		break;
	}
}

bool rp_job_minds_queue(const struct rp_job *j, size_t due_max)
{
	return j->verb == RP_JOB_REPLAY && j->planned > due_max;
}
