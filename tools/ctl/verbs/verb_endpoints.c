/* verb_endpoints.c - the verbs `endpoints`, `pause` and `resume`: they name endpoints in the
 * same way, so they share a file. */

#include <stdio.h>
#include <stdlib.h>

#include "base/units.h"
#include "ctl/report/endpoints.h"
#include "ctl/change/audit.h"
#include "ctl/report/shown.h"

static const struct rp_column columns[] = {
    {"ENDPOINT", false, 24},    {"STATE", false, 0},      {"WAITING", true, 0},
    {"IN_FLIGHT", true, 0},     {"HELD", true, 0},        {"DEAD", true, 0},
    {"DELIVERED", true, 0},     {"STREAK", true, 0},      {"LAST_CAUSE", false, 0},
    {"LAST_SUCCESS", false, 0}, {"WINDOW", true, 0},      {"RATE", true, 0},
    {"BREAKER", false, 0},      {"NEXT_PROBE", false, 0},
};

static void add_control_json(struct rp_json_out *o, const struct rp_control *c)
{
	char cause[RP_CAUSE_TEXT_MAX], rate[RP_RATE_TEXT_MAX];
	bool known = c->limits.in_flight > 0;

	rp_json_out_int(o, "in_flight_limit", c->limits.in_flight);
	rp_json_out_int(o, "window", known ? rp_control_room(c) : 0);
	rp_rate_format(c->limits.rate, rate);
	rp_json_out_text(o, "rate", rate[0] != '\0' ? rate : NULL);
	rp_json_out_text(o, "breaker", rp_breaker_name(c->breaker));
	rp_cause_format(c->cause, c->http_status, cause);
	rp_json_out_text(o, "breaker_cause", cause[0] != '\0' ? cause : NULL);
	rp_json_out_time(o, "opened_at", c->opened_at_ms);
	rp_json_out_time(o, "next_probe_at", c->breaker == RP_BREAKER_OPEN ? c->probe_at_ms : 0);
}

static struct rp_json_out *endpoint_json(const struct rp_known_endpoint *k)
{
	struct rp_json_out *o = rp_json_out_new();
	char cause[RP_CAUSE_TEXT_MAX];

	rp_json_out_text(o, "endpoint", k->name);
	rp_json_out_text(o, "state", rp_known_endpoint_state(k));
	rp_json_out_int(o, "waiting", (int64_t)k->e.count[RP_STATE_WAITING]);
	rp_json_out_int(o, "in_flight", (int64_t)k->e.count[RP_STATE_IN_FLIGHT]);
	rp_json_out_int(o, "held", (int64_t)k->e.count[RP_STATE_HELD]);
	rp_json_out_int(o, "dead", (int64_t)k->e.count[RP_STATE_DEAD]);
	rp_json_out_int(o, "delivered", (int64_t)k->e.count[RP_STATE_DELIVERED]);
	rp_json_out_int(o, "streak", k->e.streak);
	rp_cause_format(k->e.last_cause, k->e.last_status, cause);
	rp_json_out_text(o, "last_cause", cause[0] != '\0' ? cause : NULL);
	rp_json_out_time(o, "last_success_at", k->e.last_success_at_ms);
	rp_json_out_time(o, "last_failure_at", k->e.last_failure_at_ms);
	rp_json_out_bool(o, "paused", k->e.paused);
	rp_json_out_bool(o, "disabled", k->e.disabled);
	rp_json_out_time(o, "changed_at", k->e.changed_at_ms);
	add_control_json(o, &k->e.control);
	return o;
}

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

static void add_row(const struct rp_ctl *ctl, struct rp_table *t, const struct rp_known_endpoint *k)
{
	const char *state = rp_known_endpoint_state(k);
	char text[RP_CAUSE_TEXT_MAX];

	rp_table_cell(t, rp_span_of(k->name));
	rp_table_styled(t, strcmp(state, "ok") == 0 ? RP_STYLE_GOOD : RP_STYLE_WARN, state);
	rp_table_number(t, k->e.count[RP_STATE_WAITING]);
	rp_table_number(t, k->e.count[RP_STATE_IN_FLIGHT]);
	rp_table_number(t, k->e.count[RP_STATE_HELD]);
	rp_table_number(t, k->e.count[RP_STATE_DEAD]);
	rp_table_number(t, k->e.count[RP_STATE_DELIVERED]);
	rp_table_number(t, k->e.streak);
	rp_table_cell(t, rp_span_of(rp_cause_format(k->e.last_cause, k->e.last_status, text)));
	add_time(ctl, t, k->e.last_success_at_ms);
	add_control_cells(ctl, t, &k->e.control);
}

/* Marks what the words name; all when there are none. Result: exit code; RP_EXIT_SOME_FAILED, and
 * nothing said: *unknown names nothing. */
static int mark(struct rp_ctl *ctl, const struct rp_known_endpoints *k, bool *marked,
		const char **unknown)
{
	size_t w, i;

	for (i = 0; i < k->n; i++)
		marked[i] = ctl->n_names == 0;
	for (w = 0; w < ctl->n_names; w++) {
		struct rp_endpoint_glob glob;
		bool any = false;
		int code = rp_endpoint_glob_init(&glob, ctl->names[w])
			       ? rp_endpoint_glob_resolve(ctl, &glob)
			       : rp_ctl_no_memory();

		for (i = 0; i < k->n && code == RP_EXIT_OK; i++) {
			if (rp_endpoint_glob_match(&glob, rp_span_of(k->all[i].stored)))
				any = marked[i] = true;
		}
		rp_endpoint_glob_release(&glob);
		if (code != RP_EXIT_OK)
			return code;
		*unknown = ctl->names[w];
		if (!any)
			return RP_EXIT_SOME_FAILED;
	}
	return RP_EXIT_OK;
}

/* Loads the endpoints and marks the named ones. Result: exit code, after saying what is wrong. */
static int choose(struct rp_ctl *ctl, struct rp_known_endpoints *k, bool **marked)
{
	struct rp_buf shown = {0}, room = {0};
	struct rp_span given;
	const char *unknown = "";
	int code = rp_known_endpoints_load(ctl, k);

	*marked = NULL;
	if (code != RP_EXIT_OK)
		return code;
	*marked = calloc(k->n + 1, sizeof **marked);
	if (*marked == NULL)
		return rp_ctl_no_memory();
	code = mark(ctl, k, *marked, &unknown);
	if (code != RP_EXIT_SOME_FAILED)
		return code;
	/* it may be a URL with its token: only what stands before the query is repeated */
	given = rp_shown_name((struct rp_span){unknown, strcspn(unknown, "?")}, &room);
	rp_text_escape(given, &shown);
	rp_buf_release(&room);
	rp_ctl_say(
	    "%s: no such endpoint in this outbox; `runpostctl endpoints` shows those there are",
	    shown.data != NULL ? shown.data : "");
	rp_buf_release(&shown);
	return RP_EXIT_SOME_FAILED;
}

int rp_verb_endpoints(struct rp_ctl *ctl)
{
	struct rp_known_endpoints known;
	struct rp_table *table = NULL;
	bool *marked;
	int code = choose(ctl, &known, &marked);
	bool ok = true;
	size_t i;

	if (code == RP_EXIT_OK) {
		if (!ctl->json)
			table = rp_ctl_table(ctl, columns, sizeof columns / sizeof columns[0]);
		ok = ctl->json || table != NULL;
		for (i = 0; ok && i < known.n; i++) {
			if (marked[i] && ctl->json)
				ok = rp_ctl_add_json(ctl, endpoint_json(&known.all[i]));
			else if (marked[i])
				add_row(ctl, table, &known.all[i]);
		}
		if (table != NULL)
			ok = rp_ctl_add_table(ctl, table);
		code = ok ? rp_ctl_flush(ctl) : rp_ctl_no_memory();
	}
	free(marked);
	rp_known_endpoints_release(&known);
	return code;
}

static bool report(struct rp_ctl *ctl, const struct rp_known_endpoint *k, bool pause)
{
	const char *done = pause ? "paused" : "resumed";
	struct rp_json_out *o;

	if (!ctl->json)
		return rp_buf_printf(&ctl->out, "%s %s\n", done, k->name);
	o = rp_json_out_new();
	rp_json_out_text(o, "verb", pause ? "pause" : "resume");
	rp_json_out_text(o, "endpoint", k->name);
	rp_json_out_bool(o, "changed",
			 pause ? !k->e.paused
			       : k->e.paused || k->e.disabled ||
				     k->e.control.breaker == RP_BREAKER_OPEN);
	return rp_ctl_add_json(ctl, o);
}

static int switch_endpoints(struct rp_ctl *ctl, bool pause)
{
	struct rp_known_endpoints known;
	struct rp_error err;
	bool *marked, missing = false;
	uint64_t record;
	int code = choose(ctl, &known, &marked);
	size_t i;

	for (i = 0; code == RP_EXIT_OK && i < known.n; i++) {
		enum rp_err e;

		if (!marked[i])
			continue;
		e = rp_outbox_endpoint_pause(ctl->ob, ctl->now_at_ms, known.all[i].id, pause, &err);
		if (e == RP_ERR_NOTFOUND) {
			rp_ctl_say("%s: its last entry was removed this moment, and the endpoint "
				   "with it; nothing to %s",
				   known.all[i].name, ctl->verb->name);
			missing = true;
		} else if (e != RP_OK) {
			code = rp_ctl_fail(&err);
		} else if (!report(ctl, &known.all[i], pause)) {
			code = rp_ctl_no_memory();
		} else {
			code =
			    rp_ctl_audit_add(ctl, NULL, rp_span_of(known.all[i].name), 1, &record);
			if (code == RP_EXIT_OK)
				code = rp_ctl_flush(ctl);
		}
	}
	free(marked);
	rp_known_endpoints_release(&known);
	return code == RP_EXIT_OK && missing ? RP_EXIT_SOME_FAILED : code;
}

int rp_verb_pause(struct rp_ctl *ctl)
{
	return switch_endpoints(ctl, true);
}

int rp_verb_resume(struct rp_ctl *ctl)
{
	return switch_endpoints(ctl, false);
}
