/* plan.h - a selection, stored in the outbox as the set of a job. */
#ifndef RP_CTL_CHANGE_PLAN_H
#define RP_CTL_CHANGE_PLAN_H

#include "ctl/common/ctl.h"
#include "report/breakdown.h"

/* A dry run's plan is for whoever reads it first and then says yes. */
#define RP_PLAN_VALID_MS INT64_C(3600000)

struct rp_plan {
	uint64_t number; /* 0: nothing was selected, and nothing stored */
	struct rp_breakdown breakdown;
	uint64_t missing; /* ids without an entry */
};

/* Stores what the selector selects, to be used within valid_ms. Result: exit code. Release either
 * way. */
int rp_plan_make(struct rp_ctl *ctl, enum rp_job_verb verb, int64_t valid_ms, struct rp_plan *out);
/* Gives an unused plan up. */
void rp_plan_drop(struct rp_ctl *ctl, const struct rp_plan *p);
void rp_plan_release(struct rp_plan *p);

/* Prints what a dry run found, with the number of the plan. Result: exit code. */
int rp_plan_print(struct rp_ctl *ctl, const struct rp_plan *p, int64_t expires_at_ms);

/* The job's record; texts are copied into `text`. Result: exit code, after saying what is wrong. */
struct rp_job_copy {
	struct rp_job job;
	struct rp_buf text;
	bool found, no_memory;
	uint64_t number;
};
int rp_job_load(struct rp_ctl *ctl, uint64_t number, struct rp_job_copy *out);

/* The command's --plan as a number, its job loaded and found to be a plan for this verb. */
int rp_plan_load(struct rp_ctl *ctl, enum rp_job_verb verb, struct rp_job_copy *out);

#endif
