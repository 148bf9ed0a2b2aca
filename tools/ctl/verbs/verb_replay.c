/* verb_replay.c - the verb `replay`: sends entries again, as a job that senders carry. */

#include <inttypes.h>
#include <stdio.h>

#include "ctl/change/audit.h"
#include "ctl/stop.h"
#include "ctl/change/watch.h"

static int carry(struct rp_ctl *ctl, uint64_t number, const struct rp_breakdown *tally,
		 struct rp_change_result *r)
{
	int code = rp_start_job(ctl, number);

	if (code != RP_EXIT_OK)
		return code;
	if (!ctl->detach) {
		code = rp_watch(ctl, number, r);
	} else {
		r->job = number;
		r->left = tally->n;
	}
	code = rp_change_finish(ctl, "replayed", r, code);
	if (code == RP_EXIT_OK && r->done + r->left > 0)
		code = rp_breakdown_warn_of_stopped(tally, ctl);
	return code;
}

static int replay(struct rp_ctl *ctl, struct rp_plan *plan)
{
	struct rp_change_result r = {0};
	int code = rp_plan_make(ctl, RP_JOB_REPLAY, RP_PLAN_VALID_MS, plan);

	r.missing = plan->missing;
	if (code != RP_EXIT_OK)
		return code;
	if (ctl->dry_run) {
		code = rp_plan_print(ctl, plan, ctl->now_at_ms + RP_PLAN_VALID_MS);
		if (code == RP_EXIT_OK)
			code = rp_breakdown_warn_of_stopped(&plan->tally, ctl);
		return code == RP_EXIT_OK && plan->missing > 0 ? RP_EXIT_SOME_FAILED : code;
	}
	if (plan->number == 0)
		return rp_change_finish(ctl, "replayed", &r, RP_EXIT_OK);
	rp_stop_catch();
	code = rp_change_confirm(ctl, &plan->tally);
	if (code != RP_EXIT_OK) {
		rp_plan_drop(ctl, plan);
		return code;
	}
	return carry(ctl, plan->number, &plan->tally, &r);
}

static int replay_plan(struct rp_ctl *ctl)
{
	struct rp_change_result r = {0};
	struct rp_job_copy copy = {0};
	struct rp_breakdown tally = {0};
	int code = rp_plan_load(ctl, RP_JOB_REPLAY, &copy);

	tally.n = copy.job.planned;
	if (code == RP_EXIT_OK) {
		rp_stop_catch();
		code = rp_change_confirm(ctl, &tally);
	}
	if (code == RP_EXIT_OK)
		code = carry(ctl, ctl->plan, &tally, &r);
	rp_buf_release(&copy.text);
	return code;
}

int rp_verb_replay(struct rp_ctl *ctl)
{
	struct rp_plan plan = {0};
	int code;

	if (ctl->plan != 0)
		return replay_plan(ctl);
	if (ctl->selector.states == 0 && !ctl->selector.by_id)
		ctl->selector.states = RP_STATE_BIT(RP_STATE_DEAD);
	code = replay(ctl, &plan);
	rp_plan_release(&plan);
	return code;
}
