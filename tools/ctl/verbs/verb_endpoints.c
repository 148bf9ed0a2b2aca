/* verb_endpoints.c - the verbs `endpoints`, `pause` and `resume`: they name endpoints in the
 * same way, so they share a file. What is named is found in named.c. */

#include <inttypes.h>
#include <stdio.h>

#include "base/units.h"
#include "report/endpoints.h"
#include "ctl/change/audit.h"
#include "ctl/select/named.h"
#include "ctl/verbs/verbs.h"

static const struct rp_column columns[] = {
    {"ENDPOINT", false, 24},    {"STATE", false, 0},      {"WAITING", true, 0},
    {"IN_FLIGHT", true, 0},     {"HELD", true, 0},        {"DEAD", true, 0},
    {"DELIVERED", true, 0},     {"STREAK", true, 0},      {"LAST_CAUSE", false, 0},
    {"LAST_SUCCESS", false, 0}, {"WINDOW", true, 0},      {"RATE", true, 0},
    {"BREAKER", false, 0},      {"NEXT_PROBE", false, 0}, {"LEVEL", false, 0},
    {"PATHS", true, 0},         {"HELD_BY", false, 0},
};

static void add_time(const struct rp_ctl *ctl, struct rp_table *t, int64_t at_ms)
{
	char text[RP_WHEN_TEXT_MAX];

	if (ctl->out_tty)
		rp_table_cell(t, rp_span_of(rp_when(at_ms, ctl->now_at_ms, text)));
	else
		rp_table_cell(t, rp_span_of(at_ms != 0 ? rp_time_format(at_ms, text) : ""));
}

static void add_control_cells(const struct rp_ctl *ctl, struct rp_table *t,
			      const struct rp_control *c)
{
	char text[RP_CAUSE_TEXT_MAX + 16], cause[RP_CAUSE_TEXT_MAX], rate[RP_RATE_TEXT_MAX];

	snprintf(text, sizeof text, "%u/%u", rp_control_room(c), c->limits.in_flight);
	rp_table_cell(t, rp_span_of(c->limits.in_flight > 0 ? text : ""));
	rp_table_cell(t, rp_span_of(rp_rate_format(c->limits.rate, rate)));
	snprintf(text, sizeof text, "%s %s", rp_breaker_name(c->breaker),
		 rp_cause_format(c->cause, c->http_status, cause));
	rp_table_cell(
	    t, rp_span_of(c->breaker != RP_BREAKER_CLOSED ? text : rp_breaker_name(c->breaker)));
	add_time(ctl, t, c->breaker == RP_BREAKER_OPEN ? c->probe_at_ms : 0);
}

struct listing {
	struct rp_ctl *ctl;
	struct rp_table *table; /* NULL: JSON */
};

static void add_row(const struct listing *l, const struct rp_known_endpoint *k,
		    const enum rp_level *held_by)
{
	const char *state = rp_known_endpoint_state(k);
	struct rp_table *t = l->table;
	char text[RP_CAUSE_TEXT_MAX];

	rp_table_cell(t, rp_span_of(k->name));
	rp_table_styled(t, strcmp(state, "ok") == 0 ? RP_STYLE_GOOD : RP_STYLE_WARN, state);
	rp_table_number(t, k->e.count[RP_STATE_WAITING]);
	rp_table_number(t, rp_endpoint_in_use(&k->e));
	rp_table_number(t, k->e.count[RP_STATE_HELD]);
	rp_table_number(t, k->e.count[RP_STATE_DEAD]);
	rp_table_number(t, k->e.count[RP_STATE_DELIVERED]);
	rp_table_number(t, k->e.streak);
	rp_table_cell(t, rp_span_of(rp_cause_format(k->e.last_cause, k->e.last_status, text)));
	add_time(l->ctl, t, k->e.last_success_at_ms);
	add_control_cells(l->ctl, t, &k->e.control);
	rp_table_cell(t, rp_span_of(rp_level_name(k->e.level)));
	snprintf(text, sizeof text, "%" PRIu64, k->n_paths);
	rp_table_cell(t, rp_span_of(k->e.level != RP_LEVEL_PATH ? text : ""));
	rp_table_cell(t, rp_span_of(held_by != NULL ? rp_level_name(*held_by) : ""));
}

static int add_endpoint(void *arg, const struct rp_known_endpoint *k,
			const struct rp_receiver *levels)
{
	const struct listing *l = arg;
	enum rp_level by;
	const enum rp_level *held_by =
	    rp_known_held_by(levels, l->ctl->now_at_ms, &by) ? &by : NULL;

	if (l->table == NULL)
		return rp_ctl_add_json(l->ctl, rp_known_endpoint_json(k, held_by))
			   ? RP_EXIT_OK
			   : rp_ctl_no_memory();
	add_row(l, k, held_by);
	return RP_EXIT_OK;
}

static int print_page(void *arg)
{
	struct listing *l = arg;

	if (l->table != NULL && !rp_table_flush(l->table, &l->ctl->out))
		return rp_ctl_no_memory();
	return rp_ctl_flush(l->ctl);
}

/* Hosts, their sections, and the paths of hosts that have few. */
static int list_hosts(struct listing *l)
{
	struct rp_known_endpoints known;
	struct rp_receiver levels = {{0}};
	int code = rp_ctl_load_endpoints(l->ctl, &known);
	size_t i;

	for (i = 0; i < known.n && code == RP_EXIT_OK; i++) {
		struct rp_known_endpoint *k = &known.all[i];

		levels = rp_known_levels_of(&known, k);
		if (!k->told_by_path)
			code = add_endpoint(l, k, &levels);
	}
	rp_known_endpoints_release(&known);
	return code == RP_EXIT_OK ? print_page(l) : code;
}

int rp_verb_endpoints(struct rp_ctl *ctl)
{
	struct listing l = {.ctl = ctl};
	struct rp_named named = {
	    .ctl = ctl, .with_members = true, .see = add_endpoint, .page = print_page, .arg = &l};
	int code;

	if (!ctl->json) {
		l.table = rp_ctl_table(ctl, columns, sizeof columns / sizeof columns[0]);
		if (l.table == NULL)
			return rp_ctl_no_memory();
	}
	code = ctl->n_names > 0 || ctl->paths ? rp_named_run(&named) : list_hosts(&l);
	rp_table_free(l.table);
	return code;
}

struct switching {
	struct rp_ctl *ctl;
	bool pause, missing;
};

static bool report(struct rp_ctl *ctl, const struct rp_known_endpoint *k, bool pause)
{
	const char *done = pause ? "paused" : "resumed";
	struct rp_json_out *o;

	if (!ctl->json)
		return rp_buf_printf(&ctl->out, "%s %s\n", done, k->name);
	o = rp_json_out_new();
	rp_json_out_text(o, "verb", pause ? "pause" : "resume");
	rp_json_out_text(o, "endpoint", k->name);
	rp_json_out_text(o, "level", rp_level_name(k->e.level));
	rp_json_out_bool(o, "changed",
			 pause ? !k->e.paused
			       : k->e.paused || k->e.disabled ||
				     k->e.control.breaker == RP_BREAKER_OPEN);
	return rp_ctl_add_json(ctl, o);
}

static int switch_one(void *arg, const struct rp_known_endpoint *k,
		      const struct rp_receiver *levels)
{
	struct switching *s = arg;
	struct rp_ctl *ctl = s->ctl;
	struct rp_error err;
	uint64_t record;
	enum rp_err e;
	int code;

	(void)levels;
	e = rp_outbox_endpoint_pause(ctl->ob, ctl->now_at_ms, k->id, s->pause, &err);
	if (e == RP_ERR_NOTFOUND) {
		rp_ctl_say("%s: its last entry was removed this moment, and the endpoint with it; "
			   "nothing to %s",
			   k->name, ctl->verb->name);
		s->missing = true;
		return RP_EXIT_OK;
	}
	if (e != RP_OK)
		return rp_ctl_fail(&err);
	if (!report(ctl, k, s->pause))
		return rp_ctl_no_memory();
	code = rp_ctl_audit_add(ctl, NULL, rp_span_of(k->name), 1, &record);
	return code == RP_EXIT_OK ? rp_ctl_flush(ctl) : code;
}

static int switch_endpoints(struct rp_ctl *ctl, bool pause)
{
	struct switching s = {.ctl = ctl, .pause = pause};
	struct rp_named named = {.ctl = ctl, .see = switch_one, .arg = &s};
	int code = rp_named_run(&named);

	return code == RP_EXIT_OK && s.missing ? RP_EXIT_SOME_FAILED : code;
}

int rp_verb_pause(struct rp_ctl *ctl)
{
	return switch_endpoints(ctl, true);
}

int rp_verb_resume(struct rp_ctl *ctl)
{
	return switch_endpoints(ctl, false);
}
