/* verb_list.c - the verb `list`: prints selected entries, one a line. */

#include <inttypes.h>
#include <stdio.h>

#include "base/units.h"
#include "report/entry_json.h"
#include "report/shown.h"
#include "ctl/select/walk.h"
#include "ctl/verbs/verbs.h"

enum { TERMINAL_LIMIT = 50, BLOCK_ROWS = 1000 };

static const struct rp_column for_people[] = {
    {"ID", false, 0},  {"STATE", false, 0}, {"TRY", true, 0},        {"AGE", true, 0},
    {"NEXT", true, 0}, {"CAUSE", false, 0}, {"ENDPOINT", false, 20}, {"RUN", false, 11},
};
static const struct rp_column for_pipes[] = {
    {"id", false, 0},       {"state", false, 0},       {"endpoint", false, 0},
    {"attempts", false, 0}, {"accepted_at", false, 0}, {"next_attempt_at", false, 0},
    {"cause", false, 0},    {"run_id", false, 0},
};

struct list {
	struct rp_ctl *ctl;
	struct rp_table *table;
	struct rp_walk walk;
};

static enum rp_style state_style(enum rp_state state)
{
	switch (state) {
	case RP_STATE_DELIVERED:
		return RP_STYLE_GOOD;
	case RP_STATE_HELD:
		return RP_STYLE_WARN;
	case RP_STATE_WAITING:
	case RP_STATE_IN_FLIGHT:
		return RP_STYLE_PLAIN;
	case RP_STATE_DEAD:
		break;
	}
	return RP_STYLE_BAD;
}

static void row_for_people(struct list *l, const struct rp_entry *e)
{
	const struct rp_delivery *d = &e->delivery;
	int64_t now = l->ctl->now_at_ms;
	char id[RP_ID_TEXT_MAX], text[RP_WHEN_TEXT_MAX], cause[RP_CAUSE_TEXT_MAX];
	struct rp_buf room = {0};

	rp_table_cell(l->table, rp_span_of(rp_id_format(e->facts.id, id)));
	rp_table_styled(l->table, state_style(d->state), rp_entry_state(e));
	rp_table_number(l->table, d->attempts);
	rp_table_cell(l->table,
		      rp_span_of(rp_duration_format(now - e->facts.accepted_at_ms, text)));
	rp_table_cell(l->table, rp_span_of(rp_when(rp_entry_due_at_ms(e), now, text)));
	rp_table_cell(l->table, rp_span_of(rp_entry_cause(e, cause)));
	rp_table_cell(l->table, rp_shown_name(&l->ctl->settings->config, e->endpoint, &room));
	rp_table_cell(l->table, e->facts.run_id);
	rp_buf_release(&room);
}

static const char *time_or_nothing(int64_t at_ms, char out[RP_TIME_TEXT_MAX])
{
	return at_ms != 0 ? rp_time_format(at_ms, out) : "";
}

static void row_for_pipes(struct list *l, const struct rp_entry *e)
{
	const struct rp_delivery *d = &e->delivery;
	char id[RP_ID_TEXT_MAX], text[RP_TIME_TEXT_MAX], cause[RP_CAUSE_TEXT_MAX];
	struct rp_buf room = {0};

	rp_table_cell(l->table, rp_span_of(rp_id_format(e->facts.id, id)));
	rp_table_cell(l->table, rp_span_of(rp_entry_state(e)));
	rp_table_cell(l->table, rp_shown_name(&l->ctl->settings->config, e->endpoint, &room));
	rp_table_number(l->table, d->attempts);
	rp_table_cell(l->table, rp_span_of(time_or_nothing(e->facts.accepted_at_ms, text)));
	rp_table_cell(l->table, rp_span_of(time_or_nothing(rp_entry_due_at_ms(e), text)));
	rp_table_cell(l->table, rp_span_of(rp_entry_cause(e, cause)));
	rp_table_cell(l->table, e->facts.run_id);
	rp_buf_release(&room);
}

static bool see(void *arg, const struct rp_entry *e)
{
	struct list *l = arg;

	if (l->ctl->json)
		return rp_ctl_add_json(l->ctl, rp_entry_json(&l->ctl->settings->config, e));
	if (l->ctl->out_tty)
		row_for_people(l, e);
	else
		row_for_pipes(l, e);
	return true;
}

static int print_block(void *arg)
{
	struct list *l = arg;

	/* on a terminal a whole block sets the widths of its columns; a pipe gets its lines at
	 * once */
	if (l->table != NULL && (!l->ctl->out_tty || rp_table_rows(l->table) >= BLOCK_ROWS) &&
	    !rp_table_flush(l->table, &l->ctl->out))
		return rp_ctl_no_memory();
	if (l->ctl->out.len == 0)
		return RP_EXIT_OK;
	rp_progress_hide(&l->walk.progress);
	return rp_ctl_flush(l->ctl);
}

static void say_more(const struct rp_walk *w)
{
	if (w->n_more > 0)
		fprintf(stderr,
			"(%" PRIu64 " shown; %s%" PRIu64 " more match; --limit 0 shows all)\n",
			w->n_seen, w->more_uncounted ? "at least " : "", w->n_more);
}

static int finish(struct list *l)
{
	struct rp_table *table = l->table;
	int code;

	l->table = NULL;
	if (table != NULL && !rp_ctl_add_table(l->ctl, table))
		return rp_ctl_no_memory();
	code = rp_ctl_flush(l->ctl);
	if (code != RP_EXIT_OK)
		return code;
	if (l->ctl->out_tty && !l->ctl->json)
		say_more(&l->walk);
	return l->walk.n_missing > 0 ? RP_EXIT_SOME_FAILED : RP_EXIT_OK;
}

int rp_verb_list(struct rp_ctl *ctl)
{
	bool terminal = ctl->out_tty && !ctl->json;
	struct list l = {.ctl = ctl};
	int code;

	l.walk = (struct rp_walk){.ctl = ctl,
				  .see = see,
				  .between = print_block,
				  .arg = &l,
				  .limit = ctl->selector.limit};
	if (terminal && !ctl->selector.has_limit && !ctl->selector.by_id)
		l.walk.limit = TERMINAL_LIMIT;
	l.walk.count_more = terminal;
	if (!ctl->json) {
		l.table =
		    terminal
			? rp_ctl_table(ctl, for_people, sizeof for_people / sizeof for_people[0])
			: rp_ctl_table(ctl, for_pipes, sizeof for_pipes / sizeof for_pipes[0]);
		if (l.table == NULL)
			return rp_ctl_no_memory();
	}
	code = rp_walk_run(&l.walk);
	if (code == RP_EXIT_OK)
		return finish(&l);
	rp_table_free(l.table);
	return code;
}
