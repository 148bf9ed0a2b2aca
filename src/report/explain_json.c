/* explain_json.c - an explanation as JSON. What it says is found in explain.c. */

#include "report/explain.h"

#include "report/entry_json.h"
#include "report/shown.h"

const char *rp_explanation_text(const struct rp_buf *b)
{
	return b->len > 0 ? b->data + (b->data[0] == ' ') : NULL;
}

static void add_blocks_json(struct rp_json_out *o, const struct rp_explanation *x)
{
	size_t i;

	rp_json_out_array(o, "blocking");
	for (i = 0; i < x->n_blocks; i++) {
		struct rp_json_out *b = rp_json_out_new();

		rp_json_out_text(b, "code", x->blocks[i].code);
		rp_json_out_text(b, "level",
				 x->blocks[i].level >= 0
				     ? rp_level_name((enum rp_level)x->blocks[i].level)
				     : NULL);
		rp_json_out_text(b, "text", rp_explanation_text(&x->blocks[i].text));
		rp_json_out_time(b, "until", x->blocks[i].until_at_ms);
		rp_json_out_text(b, "command", rp_explanation_text(&x->blocks[i].command));
		rp_json_out_push(o, "blocking", b);
	}
}

static void add_schedule_json(struct rp_json_out *o, const struct rp_explanation *x,
			      uint32_t attempts)
{
	struct rp_forecast f = x->forecast;
	struct rp_forecast_step step;
	struct rp_json_out *end;

	rp_json_out_array(o, "schedule");
	if (!x->has_future) {
		rp_json_out_null(o, "ends");
		return;
	}
	while (rp_forecast_next(&f, &step)) {
		struct rp_json_out *one = rp_json_out_new();

		rp_json_out_int(one, "attempt", ++attempts);
		rp_json_out_time(one, "earliest_at", step.earliest_at_ms);
		rp_json_out_time(one, "latest_at", step.latest_at_ms);
		rp_json_out_bool(one, "certain", step.certain);
		rp_json_out_push(o, "schedule", one);
	}
	end = rp_json_out_new();
	rp_json_out_text(end, "state", "dead");
	rp_json_out_text(end, "cause",
			 rp_cause_format(f.end_cause, 0, (char[RP_CAUSE_TEXT_MAX]){0}));
	rp_json_out_time(end, "earliest_at", f.earliest_at_ms);
	rp_json_out_time(end, "latest_at", f.latest_at_ms);
	rp_json_out_object(o, "ends", end);
}

struct rp_json_out *rp_explanation_json(const struct rp_explain_input *in,
					const struct rp_explanation *x)
{
	struct rp_json_out *o = rp_json_out_new();
	char id[RP_ID_TEXT_MAX];
	struct rp_buf room = {0};
	size_t i;

	rp_json_out_text(o, "id", rp_id_format(in->entry->facts.id, id));
	rp_json_out_text(o, "state", rp_entry_state(in->entry));
	rp_json_out_span(o, "endpoint", rp_shown_name(in->config, in->entry->endpoint, &room));
	rp_buf_release(&room);
	rp_json_out_text(o, "policy", in->policy->name);
	rp_json_out_text(o, "why", rp_explanation_text(&x->why));
	rp_json_out_text(o, "happened", rp_explanation_text(&x->happened));
	rp_json_out_text(o, "next", rp_explanation_text(&x->next));
	add_blocks_json(o, x);
	add_schedule_json(o, x, in->entry->delivery.attempts);
	rp_json_out_array(o, "commands");
	for (i = 0; i < x->n_commands; i++) {
		struct rp_json_out *one = rp_json_out_new();

		rp_json_out_text(one, "command", rp_explanation_text(&x->commands[i].command));
		rp_json_out_text(one, "what", x->commands[i].what);
		rp_json_out_push(o, "commands", one);
	}
	return o;
}
