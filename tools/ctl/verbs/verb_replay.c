/* verb_replay.c - the verb `replay`: sends entries again, as a job that senders carry. */

#include <inttypes.h>
#include <stdio.h>

#include "ctl/change/audit.h"
#include "ctl/common/stop.h"
#include "ctl/change/watch.h"
#include "ctl/verbs/verbs.h"

/* The path and what counts for it: which of them is stopped; NULL: none. */
static const char *stopped_at(struct rp_known_levels *l, enum rp_level *at)
{
	int level;

	for (level = RP_LEVELS - 1; level >= 0; level--) {
		*at = (enum rp_level)level;
		if (l->has[level] && l->of[level].paused)
			return "paused";
	}
	*at = RP_LEVEL_PATH;
	return l->of[RP_LEVEL_PATH].disabled ? "disabled (it answered 410 Gone)" : NULL;
}

static int warn_of(struct rp_ctl *ctl, const char *name, const char *what)
{
	struct rp_buf word = {0};
	bool ok = rp_command_add_on_endpoint(&word, &ctl->place, "runpostctl resume", name);

	if (ok)
		rp_ctl_say("%s is %s: its entries are not sent before: %s", name, what, word.data);
	rp_buf_release(&word);
	return ok ? RP_EXIT_OK : rp_ctl_no_memory();
}

/* Which of the endpoints nothing is sent to, and how that ends; a host once. Result: exit code. */
static int warn_of_stopped(const struct rp_breakdown *t, struct rp_ctl *ctl)
{
	struct rp_known_levels levels;
	struct rp_error err;
	uint64_t last_host = 0;
	int code = RP_EXIT_OK;
	size_t i;

	for (i = 0; i < t->n_endpoints && code == RP_EXIT_OK; i++) {
		uint64_t host = rp_level_host(t->endpoints[i]->id);
		struct rp_span name = rp_span_of(t->endpoints[i]->name);
		char text[RP_URL_MAX + 1];
		enum rp_level at;
		const char *what;

		if (host == last_host)
			continue;
		if (rp_known_levels_load(ctl->ob, t->endpoints[i]->id, &levels, &err) != RP_OK)
			return rp_ctl_fail(&err);
		what = stopped_at(&levels, &at);
		if (what == NULL)
			continue;
		if (at == RP_LEVEL_HOST) {
			name = rp_level_host_name(name);
			last_host = host;
		}
		snprintf(text, sizeof text, "%.*s", (int)name.len, name.ptr);
		code = warn_of(ctl, text, what);
	}
	return code;
}

static int carry(struct rp_ctl *ctl, uint64_t number, const struct rp_breakdown *breakdown,
		 struct rp_change_result *r)
{
	int code = rp_start_job(ctl, number);

	if (code != RP_EXIT_OK)
		return code;
	if (!ctl->detach) {
		code = rp_watch(ctl, number, r);
	} else {
		r->job = number;
		r->left = breakdown->n;
	}
	code = rp_change_finish(ctl, "replayed", r, code);
	if (code == RP_EXIT_OK && r->done + r->left > 0)
		code = warn_of_stopped(breakdown, ctl);
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
			code = warn_of_stopped(&plan->breakdown, ctl);
		return code == RP_EXIT_OK && plan->missing > 0 ? RP_EXIT_SOME_FAILED : code;
	}
	if (plan->number == 0)
		return rp_change_finish(ctl, "replayed", &r, RP_EXIT_OK);
	rp_stop_catch();
	code = rp_change_confirm(ctl, &plan->breakdown);
	if (code != RP_EXIT_OK) {
		rp_plan_drop(ctl, plan);
		return code;
	}
	return carry(ctl, plan->number, &plan->breakdown, &r);
}

static int replay_plan(struct rp_ctl *ctl)
{
	struct rp_change_result r = {0};
	struct rp_job_copy copy = {0};
	struct rp_breakdown breakdown = {0};
	int code = rp_plan_load(ctl, RP_JOB_REPLAY, &copy);

	breakdown.n = copy.job.planned;
	if (code == RP_EXIT_OK) {
		rp_stop_catch();
		code = rp_change_confirm(ctl, &breakdown);
	}
	if (code == RP_EXIT_OK)
		code = carry(ctl, ctl->plan, &breakdown, &r);
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
