/* job_step.h - how a job goes on: from phase to phase, and from entry to entry. Pure. */
#ifndef RP_MODEL_JOB_STEP_H
#define RP_MODEL_JOB_STEP_H

#include "model/job.h"
#include "model/record.h"
#include "model/transition.h"

/* --- phases ---------------------------------------------------------------------------------- */

/* How long a plan may take to be written: whoever began it is gone. */
#define RP_JOB_PLANNING_MS INT64_C(3600000)

enum rp_order_kind { RP_ORDER_START = 1, RP_ORDER_PAUSE, RP_ORDER_RESUME, RP_ORDER_CANCEL };
struct rp_job_order {
	enum rp_order_kind kind;
	/* START: who, why, how fast (count 0: as fast as it goes); a record of the log is
	 * written */
	uint32_t uid;
	struct rp_span user, reason;
	struct rp_rate rate;
};
/* false: its phase does not allow it, and nothing changes. With START its spans are the order's. */
bool rp_job_obey(struct rp_job *j, const struct rp_job_order *o, int64_t now_at_ms);

/* A plan that nobody used in time, or nobody finished. */
bool rp_job_is_stale_plan(const struct rp_job *j, int64_t now_at_ms);
void rp_job_begin_plan(struct rp_job *j, int64_t now_at_ms);
void rp_job_expire_plan(struct rp_job *j, int64_t now_at_ms);
void rp_job_end(struct rp_job *j, int64_t now_at_ms); /* nothing of its set is left */

/* Whether somebody who came for the job `wanted` (0: none) works on this one. Replays are carried
 * by whoever is there. */
bool rp_job_is_carried(const struct rp_job *j, uint64_t number, uint64_t wanted);
/* Whoever worked on it looks at it again then. worked: entries, done or skipped. */
int64_t rp_job_again_at_ms(const struct rp_job *j, size_t worked, int64_t now_at_ms);
#define RP_JOB_AGAIN_MS 20    /* after a step that did something */
#define RP_JOB_BLOCKED_MS 200 /* after one that could not */

/* --- entries --------------------------------------------------------------------------------- */

enum rp_change rp_job_change(const struct rp_job *j); /* its verb, for one entry */

/* Whether the job works on this entry: d NULL: it is gone; damaged: *d is not to be relied on, and
 * the change finds out. false: it is counted as skipped.
 *
 * A replay counts as the same entry what was tried again on its own meanwhile, but not what was
 * replayed by somebody else; a purge takes nothing that is not exactly as it was when it was
 * shown. */
bool rp_job_admits(struct rp_job *j, const struct rp_plan_row *row, const struct rp_delivery *d,
		   bool damaged);
void rp_job_count(struct rp_job *j, enum rp_changed result); /* what became of one it worked on */

/* Whether so many of an endpoint's entries at most may be due while it works: whoever comes next,
 * live or replayed, waits behind these and no more. Else, nothing it does makes a queue long. */
bool rp_job_minds_queue(const struct rp_job *j, size_t due_max);

#endif
