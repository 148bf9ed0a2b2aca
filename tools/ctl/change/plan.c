/* plan.c - stores a selection in the outbox as a job's set, and shows it. watch.c sees it
 * through. */

#include "ctl/change/plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/units.h"
#include "ctl/change/audit.h"
#include "report/selector_text.h"
#include "ctl/select/walk.h"

enum { ROWS_MAX = 1000 }; /* of a transaction */

struct planning {
	struct rp_ctl *ctl;
	struct rp_plan *plan;
	struct rp_job spec;
	struct rp_plan_row rows[ROWS_MAX + 512]; /* and those of one more page */
	size_t n;
};

static bool see(void *arg, const struct rp_entry *e)
{
	struct planning *p = arg;
	const struct rp_delivery *d = &e->delivery;

	p->rows[p->n++] = (struct rp_plan_row){.endpoint = d->endpoint,
					       .seq = e->seq,
					       .state = (unsigned)d->state,
					       .claim_no = d->claim_no,
					       .replays = d->replays};
	return rp_breakdown_add(&p->plan->breakdown, &p->ctl->settings->config, e);
}

static int store(struct planning *p, bool last)
{
	int64_t now_at_ms = rp_sys_wall_ms(&rp_sys_real);
	struct rp_error err;

	if (p->plan->number == 0 && p->n == 0)
		return RP_EXIT_OK;
	if (p->plan->number == 0 &&
	    rp_outbox_plan_begin(p->ctl->ob, now_at_ms, &p->spec, &p->plan->number, &err) != RP_OK)
		return rp_ctl_fail(&err);
	if (rp_outbox_plan_add(p->ctl->ob, now_at_ms, p->plan->number, p->rows, p->n, last, &err) !=
	    RP_OK)
		return rp_ctl_fail(&err);
	p->n = 0;
	return RP_EXIT_OK;
}

static int between(void *arg)
{
	struct planning *p = arg;

	return p->n >= ROWS_MAX ? store(p, false) : RP_EXIT_OK;
}

int rp_plan_make(struct rp_ctl *ctl, enum rp_job_verb verb, int64_t valid_ms, struct rp_plan *out)
{
	struct planning *p = calloc(1, sizeof *p);
	struct rp_walk w = {
	    .ctl = ctl, .see = see, .between = between, .arg = p, .limit = ctl->selector.limit};
	struct rp_buf selector = {0};
	char who[RP_WHO_TEXT_MAX];
	int code;

	memset(out, 0, sizeof *out);
	if (p == NULL || !rp_selector_text(&ctl->selector, &selector)) {
		free(p);
		rp_buf_release(&selector);
		return rp_ctl_no_memory();
	}
	p->ctl = ctl;
	p->plan = out;
	p->spec.verb = verb;
	p->spec.expires_at_ms = rp_sys_wall_ms(&rp_sys_real) + valid_ms;
	p->spec.user = rp_span_of(rp_who(&p->spec.uid, who));
	p->spec.selector = (struct rp_span){selector.data, selector.len};
	code = rp_walk_run(&w);
	out->missing = w.n_missing;
	if (code == RP_EXIT_OK)
		code = store(p, true);
	if (code != RP_EXIT_OK)
		rp_plan_drop(ctl, out);
	free(p);
	rp_buf_release(&selector);
	return code;
}

void rp_plan_drop(struct rp_ctl *ctl, const struct rp_plan *p)
{
	struct rp_job_order cancel = {.kind = RP_ORDER_CANCEL};
	struct rp_error err;

	/* if it cannot be, it expires by itself */
	if (p->number != 0)
		(void)rp_outbox_job_order(ctl->ob, rp_sys_wall_ms(&rp_sys_real), p->number, &cancel,
					  &err);
}

void rp_plan_release(struct rp_plan *p)
{
	rp_breakdown_release(&p->breakdown);
}

static struct rp_json_out *plan_json(const struct rp_ctl *ctl, const struct rp_plan *p,
				     int64_t expires_at_ms)
{
	struct rp_json_out *o = rp_json_out_new();

	rp_json_out_text(o, "verb", ctl->verb->name);
	rp_json_out_bool(o, "dry_run", true);
	rp_json_out_int(o, "would", (int64_t)p->breakdown.n);
	rp_breakdown_json(&p->breakdown, o);
	rp_json_out_int(o, "not_found", (int64_t)p->missing);
	if (p->number != 0) {
		rp_json_out_int(o, "plan", (int64_t)p->number);
		rp_json_out_time(o, "plan_expires_at", expires_at_ms);
	}
	return o;
}

static bool plan_text(const struct rp_ctl *ctl, const struct rp_plan *p, int64_t expires_at_ms,
		      struct rp_buf *out)
{
	char at[RP_TIME_TEXT_MAX], words[80];

	snprintf(words, sizeof words, "runpostctl %s --plan %" PRIu64, ctl->verb->name, p->number);
	return rp_buf_printf(out, "would %s ", ctl->verb->name) &&
	       rp_breakdown_text(&p->breakdown, SIZE_MAX, out) &&
	       (p->number == 0 ||
		(rp_buf_printf(out, "plan %" PRIu64 ", valid until %s: ", p->number,
			       rp_time_format(expires_at_ms, at)) &&
		 rp_command_add(out, &ctl->place, words) && rp_buf_add_char(out, '\n')));
}

int rp_plan_print(struct rp_ctl *ctl, const struct rp_plan *p, int64_t expires_at_ms)
{
	bool ok = ctl->json ? rp_ctl_add_json(ctl, plan_json(ctl, p, expires_at_ms))
			    : plan_text(ctl, p, expires_at_ms, &ctl->out);

	return ok ? rp_ctl_flush(ctl) : rp_ctl_no_memory();
}

static bool copy_text(struct rp_buf *text, struct rp_span *s)
{
	const char *at = text->data + text->len;

	if (!rp_buf_add(text, s->ptr, s->len) || !rp_buf_add_char(text, '\0'))
		return false;
	s->ptr = at;
	return true;
}

static bool copy_job(void *arg, uint64_t number, const struct rp_job *j)
{
	struct rp_job_copy *c = arg;

	if (number != c->number)
		return true;
	rp_buf_clear(&c->text);
	c->job = *j;
	c->found = true;
	c->no_memory =
	    !rp_buf_reserve(&c->text, j->user.len + j->selector.len + j->reason.len + 3) ||
	    !copy_text(&c->text, &c->job.user) || !copy_text(&c->text, &c->job.selector) ||
	    !copy_text(&c->text, &c->job.reason);
	return false;
}

int rp_job_load(struct rp_ctl *ctl, uint64_t number, struct rp_job_copy *out)
{
	struct rp_error err;

	out->number = number;
	out->found = out->no_memory = false;
	if (rp_outbox_jobs(ctl->ob, copy_job, out, &err) != RP_OK)
		return rp_ctl_fail(&err);
	if (out->no_memory)
		return rp_ctl_no_memory();
	if (out->found)
		return RP_EXIT_OK;
	rp_ctl_say("%" PRIu64 ": there is no such job or plan; see `runpostctl jobs`", number);
	return RP_EXIT_SOME_FAILED;
}

int rp_plan_load(struct rp_ctl *ctl, enum rp_job_verb verb, struct rp_job_copy *out)
{
	int code = rp_job_load(ctl, ctl->plan, out);

	if (code != RP_EXIT_OK)
		return code;
	if (out->job.verb != verb) {
		rp_ctl_say("plan %" PRIu64 " is for %s", ctl->plan,
			   rp_job_verb_name(out->job.verb));
		return RP_EXIT_USAGE;
	}
	if (out->job.phase == RP_JOB_PLANNED && out->job.expires_at_ms > ctl->now_at_ms)
		return RP_EXIT_OK;
	rp_ctl_say("plan %" PRIu64 " is %s; make another with --dry-run", ctl->plan,
		   out->job.phase == RP_JOB_PLANNED ? "expired"
						    : rp_job_phase_name(out->job.phase));
	return RP_EXIT_SOME_FAILED;
}
