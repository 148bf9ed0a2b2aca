/* verb_dead.c - the verb `dead`: groups dead letters by what killed them and says what to do. It
 * counts by index rows where those suffice. */

#include <stdio.h>
#include <stdlib.h>

#include "report/advice.h"
#include "base/units.h"
#include "report/endpoints.h"
#include "report/entry_json.h"
#include "ctl/select/walk.h"
#include "ctl/verbs/verbs.h"

enum { SHOWN_ON_TERMINAL = 40, ADVICE_TEXT_MAX = 1024 };

/* What died of the same trouble: one row. */
struct group {
	struct rp_dead_group key;
	const char *name; /* of its endpoint, as it is shown */
	uint64_t count;
	int64_t first_at_ms, last_at_ms;
	uint64_t sample_seq; /* the youngest */
	char sample[RP_ID_TEXT_MAX];
	char *detail; /* of its last attempt, where it was redirected; else NULL */
};

struct triage {
	struct rp_ctl *ctl;
	struct rp_known_endpoints endpoints;
	struct group *all;
	size_t n, cap;
	/* open addressing by key: place in `all` + 1, 0 is free; twice as large as cap */
	uint32_t *index;
	size_t latest; /* rows of one group come in crowds */
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

static size_t place_of(const struct triage *t, const struct rp_dead_group *key)
{
	uint64_t h = key->endpoint * 32 + (uint64_t)key->cause * 7919 +
		     (uint64_t)key->last_cause * 104729 + key->http_status;
	size_t mask = t->cap * 2 - 1, i = (size_t)(h * UINT64_C(0x9e3779b97f4a7c15) >> 20) & mask;

	while (t->index[i] != 0 && rp_dead_group_compare(&t->all[t->index[i] - 1].key, key) != 0)
		i = (i + 1) & mask;
	return i;
}

static bool grow(struct triage *t)
{
	size_t cap = t->cap > 0 ? t->cap * 2 : 64, i;
	struct group *all = realloc(t->all, cap * sizeof all[0]);
	uint32_t *index;

	if (all == NULL)
		return false;
	t->all = all;
	index = calloc(cap * 2, sizeof index[0]);
	if (index == NULL)
		return false;
	free(t->index);
	t->index = index;
	t->cap = cap;
	for (i = 0; i < t->n; i++)
		t->index[place_of(t, &t->all[i].key)] = (uint32_t)i + 1;
	return true;
}

static struct group *group_of(struct triage *t, const struct rp_dead_group *key)
{
	size_t i;

	if (t->n > 0 && rp_dead_group_compare(&t->all[t->latest].key, key) == 0)
		return &t->all[t->latest];
	if (t->n == t->cap && !grow(t))
		return NULL;
	i = place_of(t, key);
	if (t->index[i] == 0) {
		t->all[t->n] = (struct group){.key = *key, .name = "", .first_at_ms = INT64_MAX};
		t->index[i] = (uint32_t)++t->n;
	}
	t->latest = t->index[i] - 1;
	return &t->all[t->latest];
}

static void see_row(void *arg, const struct rp_brief *row)
{
	struct triage *t = arg;
	struct rp_dead_group key =
	    rp_dead_group_of(row->cause, row->last_cause, row->http_status, row->endpoint);
	struct group *g;

	if (t->no_memory)
		return;
	g = group_of(t, &key);
	if (g == NULL) {
		t->no_memory = true;
		return;
	}
	g->count++;
	if (row->at_ms < g->first_at_ms)
		g->first_at_ms = row->at_ms;
	if (row->at_ms >= g->last_at_ms) {
		g->last_at_ms = row->at_ms;
		g->sample_seq = row->seq;
	}
}

/* Whether index rows tell all that is asked for. */
static bool rows_suffice(const struct rp_selector *s)
{
	struct rp_selector rest = *s;

	rest.states = 0;
	/* a damaged record shows in no brief */
	rest.has_cause = s->has_cause && s->cause == RP_CAUSE_DAMAGED;
	rest.has_endpoint = rest.has_group = rest.has_older = false;
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

static void add_names(struct triage *t)
{
	size_t i;

	for (i = 0; i < t->n; i++) {
		struct group *g = &t->all[i];
		const struct rp_known_endpoint *k =
		    rp_known_endpoint_find(&t->endpoints, g->key.endpoint);

		if (k != NULL)
			g->name = k->name;
	}
}

static int most_first(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return rp_dead_group_compare(&x->key, &y->key);
}

static void see_attempt(void *arg, uint32_t n, const struct rp_attempt *a, bool damaged)
{
	char *detail = arg;

	(void)n;
	snprintf(detail, RP_DETAIL_TEXT_MAX, "%s", damaged ? "" : a->outcome.detail);
}

/* Where its last attempt was redirected to: the rest of what is told about it is not for all of
 * its group. */
static int add_detail(struct triage *t, struct group *g, const struct rp_entry *e)
{
	char detail[RP_DETAIL_TEXT_MAX] = "";
	struct rp_buf shown = {0};
	struct rp_error err;

	if (g->key.last_cause != RP_CAUSE_HTTP || g->key.http_status / 100 != 3)
		return RP_EXIT_OK;
	if (rp_outbox_attempts(t->ctl->ob, e->seq, see_attempt, detail, &err) != RP_OK)
		return rp_ctl_fail(&err);
	if (detail[0] == '\0')
		return RP_EXIT_OK;
	if (!rp_entry_foreign(&t->ctl->settings->config, e, rp_span_of(detail), &shown))
		return rp_ctl_no_memory();
	g->detail = shown.data;
	return RP_EXIT_OK;
}

static int add_samples(struct triage *t)
{
	struct rp_entry e = {0};
	struct rp_error err;
	int code = RP_EXIT_OK;
	size_t i;

	for (i = 0; i < t->n && code == RP_EXIT_OK; i++) {
		enum rp_err got = rp_walk_load(t->ctl, t->all[i].sample_seq, &e, &err);

		if (got == RP_OK) {
			rp_id_format(e.facts.id, t->all[i].sample);
			code = add_detail(t, &t->all[i], &e);
		} else if (got != RP_ERR_NOTFOUND) {
			code = rp_ctl_fail(&err);
		}
	}
	rp_entry_release(&e);
	return code;
}

/* --- showing ------------------------------------------------------------------------ */

/* One sentence; with where its sample was redirected to. */
static const char *advice_of(const struct group *g, char out[ADVICE_TEXT_MAX])
{
	struct rp_advice a = rp_advice(g->key.cause, g->key.last_cause, g->key.http_status);

	snprintf(out, ADVICE_TEXT_MAX, "%s%s%s%s%s", a.what, a.then, g->detail != NULL ? " (" : "",
		 g->detail != NULL ? g->detail : "", g->detail != NULL ? ")" : "");
	return out;
}

static struct rp_json_out *group_json(const struct group *g)
{
	struct rp_json_out *o = rp_json_out_new();
	char text[RP_CAUSE_TEXT_MAX], key[RP_DEAD_GROUP_TEXT_MAX], advice[ADVICE_TEXT_MAX];

	rp_json_out_text(o, "cause", rp_cause_format(g->key.cause, g->key.http_status, text));
	rp_cause_format(g->key.last_cause, g->key.http_status, text);
	rp_json_out_text(o, "last_cause", text[0] != '\0' ? text : NULL);
	rp_json_out_text(o, "endpoint", g->name[0] != '\0' ? g->name : NULL);
	rp_json_out_int(o, "count", (int64_t)g->count);
	rp_json_out_time(o, "first_at", g->first_at_ms);
	rp_json_out_time(o, "last_at", g->last_at_ms);
	rp_json_out_text(o, "sample", g->sample[0] != '\0' ? g->sample : NULL);
	rp_json_out_text(o, "suggest", advice_of(g, advice));
	rp_json_out_text(o, "group", rp_dead_group_format(&g->key, key));
	return o;
}

static void add_row(const struct rp_ctl *ctl, struct rp_table *table, size_t number,
		    const struct group *g)
{
	char text[RP_TIME_TEXT_MAX], key[RP_DEAD_GROUP_TEXT_MAX], advice[ADVICE_TEXT_MAX];
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
		rp_table_cell(table, rp_span_of(advice_of(g, advice)));
		rp_table_cell(table, rp_span_of(rp_dead_group_format(&g->key, key)));
	}
}

/* Each group by its number: what to do, and with which words. */
static bool add_advice(struct rp_ctl *ctl, size_t number, const struct group *g)
{
	char key[RP_DEAD_GROUP_TEXT_MAX], advice[ADVICE_TEXT_MAX];

	return rp_buf_printf(&ctl->out, "#%zu: %s\n    ", number, advice_of(g, advice)) &&
	       rp_command_add_on(&ctl->out, &ctl->place, "runpostctl replay --group",
				 rp_dead_group_format(&g->key, key)) &&
	       rp_buf_add_text(&ctl->out, "   (or list, show, purge)\n");
}

static bool add_groups(struct triage *t)
{
	struct rp_ctl *ctl = t->ctl;
	struct rp_table *table = NULL;
	bool tty = ctl->out_tty && !ctl->json, ok = true;
	size_t i, shown = tty && t->n > SHOWN_ON_TERMINAL ? SHOWN_ON_TERMINAL : t->n;

	if (!ctl->json) {
		table =
		    tty ? rp_ctl_table(ctl, for_people, sizeof for_people / sizeof for_people[0])
			: rp_ctl_table(ctl, for_pipes, sizeof for_pipes / sizeof for_pipes[0]);
		if (table == NULL)
			return false;
	}
	for (i = 0; i < shown && ok; i++) {
		if (ctl->json)
			ok = rp_ctl_add_json(ctl, group_json(&t->all[i]));
		else
			add_row(ctl, table, i + 1, &t->all[i]);
	}
	if (table != NULL)
		ok = rp_ctl_add_table(ctl, table) && ok;
	for (i = 0; i < shown && ok && tty; i++)
		ok = add_advice(ctl, i + 1, &t->all[i]);
	if (ok && shown < t->n)
		ok = rp_buf_printf(
		    &ctl->out,
		    "(%zu smaller groups are not shown; in a pipe or with --json all are)\n",
		    t->n - shown);
	return ok;
}

static int triage(struct triage *t, uint64_t *n_missing)
{
	struct rp_ctl *ctl = t->ctl;
	struct rp_walk w = {.ctl = ctl, .see = see_entry, .arg = t, .limit = ctl->selector.limit};
	int code = rp_ctl_load_endpoints(ctl, &t->endpoints);

	if (code == RP_EXIT_OK)
		code = rows_suffice(&ctl->selector) ? scan_rows(t) : rp_walk_run(&w);
	*n_missing = w.n_missing;
	if (code != RP_EXIT_OK)
		return code;
	add_names(t);
	if (t->n > 0)
		qsort(t->all, t->n, sizeof t->all[0], most_first);
	return add_samples(t);
}

int rp_verb_dead(struct rp_ctl *ctl)
{
	struct triage t = {.ctl = ctl};
	uint64_t n_missing;
	size_t i;
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
	for (i = 0; i < t.n; i++)
		free(t.all[i].detail);
	free(t.all);
	free(t.index);
	return code;
}
