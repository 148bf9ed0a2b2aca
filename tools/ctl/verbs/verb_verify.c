/* verb_verify.c - the verb `verify`: runs a verifier of the store and prints each problem. */

#include <inttypes.h>
#include <stdio.h>

#include "ctl/screen/progress.h"
#include "ctl/common/stop.h"
#include "ctl/verbs/verbs.h"

enum { PROBLEMS_BYTES_MAX = 8 << 20, SLICE_ROWS = 1000 };

struct problems {
	struct rp_ctl *ctl;
	uint64_t n_lost; /* more than there was room for */
	struct rp_progress progress;
};

static bool add_problem(struct rp_ctl *ctl, const char *text)
{
	struct rp_json_out *o;
	size_t before = ctl->out.len;

	if (ctl->json) {
		o = rp_json_out_new();
		rp_json_out_text(o, "problem", text);
		return rp_ctl_add_json(ctl, o);
	}
	if (rp_text_escape(rp_span_of(text), &ctl->out) && rp_buf_add_char(&ctl->out, '\n'))
		return true;
	ctl->out.len = before;
	return false;
}

static void see_problem(void *arg, const char *text)
{
	struct problems *p = arg;

	if (p->ctl->out.len > PROBLEMS_BYTES_MAX || !add_problem(p->ctl, text))
		p->n_lost++;
}

static bool add_result(struct rp_ctl *ctl, const struct rp_verify_counts *c)
{
	struct rp_json_out *o;

	if (!ctl->json)
		return rp_buf_printf(&ctl->out,
				     "%" PRIu64 " entries, %" PRIu64 " index rows, %" PRIu64
				     " problem%s: %s\n",
				     c->entries, c->rows, c->problems, c->problems == 1 ? "" : "s",
				     c->problems == 0 ? "sound" : "DAMAGED");
	o = rp_json_out_new();
	rp_json_out_int(o, "entries", (int64_t)c->entries);
	rp_json_out_int(o, "rows", (int64_t)c->rows);
	rp_json_out_int(o, "problems", (int64_t)c->problems);
	rp_json_out_bool(o, "sound", c->problems == 0);
	rp_json_out_bool(o, "full", ctl->full);
	return rp_ctl_add_json(ctl, o);
}

static bool go_on(void *arg, const struct rp_verify_counts *so_far)
{
	struct problems *p = arg;

	p->progress.total = so_far->steps_all;
	rp_progress_at(&p->progress, so_far->steps);
	return !rp_stop_asked();
}

static enum rp_err verify_in_slices(struct problems *p, struct rp_verify *v, struct rp_error *err)
{
	enum rp_err e = RP_OK;

	while (e == RP_OK && !v->done) {
		e = rp_outbox_verify(p->ctl->ob, v, err);
		if (e == RP_OK && !go_on(p, &v->counts) && !v->done)
			e = rp_fail(err, RP_ERR_STALE, "stopped");
	}
	return e;
}

int rp_verb_verify(struct rp_ctl *ctl)
{
	struct problems p = {.ctl = ctl};
	struct rp_verify v = {.problem = see_problem,
			      .arg = &p,
			      .max_rows = ctl->full ? 0 : SLICE_ROWS,
			      .go_on = ctl->full ? go_on : NULL};
	struct rp_error err;
	enum rp_err e;
	int code;

	rp_stop_catch();
	rp_progress_begin(&p.progress, "verify", 0, false);
	e = ctl->full ? rp_outbox_verify(ctl->ob, &v, &err) : verify_in_slices(&p, &v, &err);
	rp_progress_end(&p.progress);
	if (e == RP_OK && !add_result(ctl, &v.counts))
		return rp_ctl_no_memory();
	code = rp_ctl_flush(ctl);
	if (p.n_lost > 0)
		rp_ctl_say("%" PRIu64 " more problems did not fit into memory and are not listed",
			   p.n_lost);
	if (code != RP_EXIT_OK)
		return code;
	if (e == RP_ERR_STALE) {
		rp_ctl_say("verify: stopped; %" PRIu64 " entries were checked, with %" PRIu64
			   " problems",
			   v.counts.entries, v.counts.problems);
		return RP_EXIT_INTERRUPTED;
	}
	if (e != RP_OK)
		return rp_ctl_fail(&err);
	return v.counts.problems > 0 ? RP_EXIT_DATA : RP_EXIT_OK;
}
