/* verb_dead.c - the verb `dead`: finds the dead letters that are asked for and prints their groups.
 * It counts by index rows where those suffice. */

#include <stdio.h>

#include "base/units.h"
#include "report/dead.h"
#include "ctl/select/walk.h"
#include "ctl/verbs/verbs.h"

enum { SHOWN_ON_TERMINAL = 40 };

struct triage {
	struct rp_ctl *ctl;
	struct rp_known_endpoints endpoints;
	struct rp_dead_rows rows;
	bool no_memory;
};

/* Suggestions are sentences: on a terminal they stand below the table, by number. */
static const struct rp_column for_people[] = {
    {"#", true, 0},     {"CAUSE", false, 0}, {"LAST", false, 0},  {"ENDPOINT", false, 16},
    {"COUNT", true, 0}, {"FIRST", true, 0},  {"LATEST", true, 0}, {"SAMPLE", false, 0},
};
static const struct rp_column for_pipes[] = {
    {"cause", false, 0},  {"last_cause", false, 0}, {"endpoint", false, 0},
    {"count", false, 0},  {"first_at", false, 0},   {"last_at", false, 0},
    {"sample", false, 0}, {"suggest", false, 0},    {"group", false, 0},
};

/* --- grouping ----------------------------------------------------------------------- */

static void see_row(void *arg, const struct rp_brief *row)
{
	struct triage *t = arg;

	t->no_memory = t->no_memory || !rp_dead_rows_add(&t->rows, row);
}

/* Whether index rows tell all that is asked for. */
static bool rows_suffice(const struct rp_selector *s)
{
	struct rp_selector rest = *s;

	rest.states = 0;
	rest.has_endpoint = rest.has_cause = rest.has_group = rest.has_older = false;
	return rp_selector_is_empty(&rest) && s->limit == 0;
}

static int scan_rows(struct triage *t)
{
	struct rp_select select = {.see_brief = see_row, .arg = t};
	int code = rp_walk_briefs(t->ctl, RP_STATE_DEAD, &select);

	return t->no_memory ? rp_ctl_no_memory() : code;
}

static bool see_entry(void *arg, const struct rp_entry *e)
{
	struct triage *t = arg;
	const struct rp_delivery *d = &e->delivery;

	if (d->state == RP_STATE_DEAD)
		see_row(t, &(struct rp_brief){.seq = e->seq,
					      .endpoint = d->endpoint,
					      .at_ms = d->state_at_ms,
					      .cause = d->cause,
					      .last_cause = d->last_cause,
					      .http_status = d->http_status});
	return !t->no_memory;
}

/* --- showing ------------------------------------------------------------------------ */

static void add_row(const struct rp_ctl *ctl, struct rp_table *table, size_t number,
		    const struct rp_dead_row *g)
{
	char text[RP_TIME_TEXT_MAX], key[RP_DEAD_GROUP_TEXT_MAX], advice[RP_DEAD_ADVICE_MAX];
	int64_t at_ms[2] = {g->first_at_ms, g->last_at_ms};
	int i;

	if (ctl->out_tty)
		rp_table_number(table, number);
	rp_table_styled(table, RP_STYLE_BAD,
			rp_cause_format(g->key.cause, g->key.http_status, text));
	rp_table_cell(table,
		      rp_span_of(rp_cause_format(g->key.last_cause, g->key.http_status, text)));
	rp_table_cell(table, rp_span_of(g->name));
	rp_table_number(table, g->count);
	for (i = 0; i < 2; i++) {
		if (ctl->out_tty)
			rp_table_cell(
			    table, rp_span_of(rp_duration_format(ctl->now_at_ms - at_ms[i], text)));
		else
			rp_table_cell(table, rp_span_of(rp_time_format(at_ms[i], text)));
	}
	rp_table_cell(table, rp_span_of(g->sample[0] != '\0' ? g->sample : "-"));
	if (!ctl->out_tty) {
		rp_table_cell(table, rp_span_of(rp_dead_row_advice(g, advice)));
		rp_table_cell(table, rp_span_of(rp_dead_group_format(&g->key, key)));
	}
}

/* Each group by its number: what to do, and with which words. */
static bool add_advice(struct rp_ctl *ctl, size_t number, const struct rp_dead_row *g)
{
	char key[RP_DEAD_GROUP_TEXT_MAX], advice[RP_DEAD_ADVICE_MAX];

	return rp_buf_printf(&ctl->out, "#%zu: %s\n    ", number, rp_dead_row_advice(g, advice)) &&
	       rp_command_add_on(&ctl->out, &ctl->place, "runpostctl replay --group",
				 rp_dead_group_format(&g->key, key)) &&
	       rp_buf_add_text(&ctl->out, "   (or list, show, purge)\n");
}

static bool add_groups(struct triage *t)
{
	struct rp_ctl *ctl = t->ctl;
	struct rp_table *table = NULL;
	bool tty = ctl->out_tty && !ctl->json, ok = true;
	size_t i, shown = tty && t->rows.n > SHOWN_ON_TERMINAL ? SHOWN_ON_TERMINAL : t->rows.n;

	if (!ctl->json) {
		table =
		    tty ? rp_ctl_table(ctl, for_people, sizeof for_people / sizeof for_people[0])
			: rp_ctl_table(ctl, for_pipes, sizeof for_pipes / sizeof for_pipes[0]);
		if (table == NULL)
			return false;
	}
	for (i = 0; i < shown && ok; i++) {
		if (ctl->json)
			ok = rp_ctl_add_json(ctl, rp_dead_row_json(&t->rows.all[i]));
		else
			add_row(ctl, table, i + 1, &t->rows.all[i]);
	}
	if (table != NULL)
		ok = rp_ctl_add_table(ctl, table) && ok;
	for (i = 0; i < shown && ok && tty; i++)
		ok = add_advice(ctl, i + 1, &t->rows.all[i]);
	if (ok && shown < t->rows.n)
		ok = rp_buf_printf(
		    &ctl->out,
		    "(%zu smaller groups are not shown; in a pipe or with --json all are)\n",
		    t->rows.n - shown);
	return ok;
}

static int triage(struct triage *t, uint64_t *n_missing)
{
	struct rp_ctl *ctl = t->ctl;
	struct rp_walk w = {.ctl = ctl, .see = see_entry, .arg = t, .limit = ctl->selector.limit};
	int code = rp_ctl_load_endpoints(ctl, &t->endpoints);
	struct rp_error err;

	if (code == RP_EXIT_OK)
		code = rows_suffice(&ctl->selector) ? scan_rows(t) : rp_walk_run(&w);
	*n_missing = w.n_missing;
	if (code != RP_EXIT_OK)
		return code;
	if (rp_dead_rows_finish(&t->rows, ctl->ob, &ctl->settings->config, &t->endpoints, &err) !=
	    RP_OK)
		return rp_ctl_fail(&err);
	return RP_EXIT_OK;
}

int rp_verb_dead(struct rp_ctl *ctl)
{
	struct triage t = {.ctl = ctl};
	uint64_t n_missing;
	int code;

	if (ctl->selector.states != 0 && ctl->selector.states != RP_STATE_BIT(RP_STATE_DEAD)) {
		rp_ctl_say("dead: it is about dead entries only; leave --state out, or use "
			   "`runpostctl list --state ...`");
		return RP_EXIT_USAGE;
	}
	if (!ctl->selector.by_id)
		ctl->selector.states = RP_STATE_BIT(RP_STATE_DEAD);
	code = triage(&t, &n_missing);
	if (code == RP_EXIT_OK)
		code = add_groups(&t) ? rp_ctl_flush(ctl) : rp_ctl_no_memory();
	if (code == RP_EXIT_OK && n_missing > 0)
		code = RP_EXIT_SOME_FAILED;
	rp_known_endpoints_release(&t.endpoints);
	rp_dead_rows_release(&t.rows);
	return code;
}
