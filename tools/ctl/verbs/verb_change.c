/* verb_change.c - the verbs `hold` and `release`: they differ in one word, so they share a file. */

#include "ctl/change/direct.h"
#include "ctl/common/stop.h"
#include "ctl/verbs/verbs.h"

static int print_dry_run(struct rp_direct *d)
{
	struct rp_ctl *ctl = d->ctl;
	struct rp_json_out *o;
	bool ok;
	int code;

	if (ctl->json) {
		o = rp_json_out_new();
		rp_json_out_text(o, "verb", ctl->verb->name);
		rp_json_out_bool(o, "dry_run", true);
		rp_json_out_int(o, "would", (int64_t)d->breakdown.n);
		rp_breakdown_json(&d->breakdown, o);
		rp_json_out_int(o, "not_found", (int64_t)d->result.missing);
		ok = rp_ctl_add_json(ctl, o);
	} else {
		ok = rp_buf_printf(&ctl->out, "would %s ", ctl->verb->name) &&
		     rp_breakdown_text(&d->breakdown, SIZE_MAX, &ctl->out);
	}
	code = ok ? rp_ctl_flush(ctl) : rp_ctl_no_memory();
	return code == RP_EXIT_OK && d->result.missing > 0 ? RP_EXIT_SOME_FAILED : code;
}

static int change(struct rp_ctl *ctl, enum rp_change verb, const char *done,
		  enum rp_state applies_to)
{
	struct rp_direct d = {.ctl = ctl, .verb = verb};
	int code;

	if (ctl->selector.states == 0 && !ctl->selector.by_id)
		ctl->selector.states = RP_STATE_BIT(applies_to);
	code = rp_direct_pick(&d);
	if (code == RP_EXIT_OK && ctl->dry_run) {
		code = print_dry_run(&d);
	} else if (code == RP_EXIT_OK) {
		rp_stop_catch();
		code = rp_change_confirm(ctl, &d.breakdown);
		if (code == RP_EXIT_OK)
			code = rp_change_finish(ctl, done, &d.result, rp_direct_act(&d));
	}
	rp_direct_release(&d);
	return code;
}

int rp_verb_hold(struct rp_ctl *ctl)
{
	return change(ctl, RP_CHANGE_HOLD, "held", RP_STATE_WAITING);
}

int rp_verb_release(struct rp_ctl *ctl)
{
	return change(ctl, RP_CHANGE_RELEASE, "released", RP_STATE_HELD);
}
