/* verb_shape.c - the verb `shape`: counts entries by endpoint and age. It reads index rows where
 * those suffice. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "report/endpoints.h"
#include "ctl/select/walk.h"
#include "ctl/verbs/verbs.h"

/* Ages as of Postfix's qshape: a backlog of which most is young is a burst, one that is evenly old
 * is a receiver that is away. The last bucket has no end. */
static const struct {
	const char *title, *json;
	int64_t below_ms;
} buckets[] = {
    {"<1m", "lt_1m", INT64_C(60000)},     {"<5m", "lt_5m", INT64_C(300000)},
    {"<20m", "lt_20m", INT64_C(1200000)}, {"<1h", "lt_1h", INT64_C(3600000)},
    {"<4h", "lt_4h", INT64_C(14400000)},  {"<1d", "lt_1d", INT64_C(86400000)},
    {">=1d", "ge_1d", INT64_MAX},
};
enum {
	N_BUCKETS = sizeof buckets / sizeof buckets[0],
	SHOWN_ON_TERMINAL = 40,
};

struct line {
	uint64_t endpoint;
	const char *name;
	uint64_t total, count[N_BUCKETS];
};

struct shape {
	struct rp_ctl *ctl;
	struct rp_known_endpoints endpoints; /* sorted by id */
	/* one for each of them, in that order, and one for the unknown; a path of a host that has
	 * many is counted for its host */
	struct line *lines;
	size_t latest;
	struct line total;
};

/* --- counting ----------------------------------------------------------------------- */

static struct line *line_of(struct shape *s, uint64_t endpoint)
{
	const struct rp_known_endpoint *k, *host;

	if (s->lines[s->latest].endpoint == endpoint && s->latest < s->endpoints.n)
		return &s->lines[s->latest];
	host = rp_known_endpoint_find(&s->endpoints, rp_level_host(endpoint));
	k = rp_known_endpoint_find(&s->endpoints, endpoint);
	if (host != NULL && !host->few)
		k = host;
	s->latest = k != NULL ? (size_t)(k - s->endpoints.all) : s->endpoints.n;
	return &s->lines[s->latest];
}

static void count(struct shape *s, uint64_t endpoint, size_t bucket)
{
	struct line *l = line_of(s, endpoint);

	l->total++;
	l->count[bucket]++;
}

/* The bounds are the ends of the buckets but the last, the oldest first. */
static void see_row(void *arg, const struct rp_brief *row)
{
	count(arg, row->endpoint, N_BUCKETS - 1 - row->n_bounds_passed);
}

static void count_age(struct shape *s, uint64_t endpoint, int64_t accepted_at_ms)
{
	int64_t age_ms = s->ctl->now_at_ms - accepted_at_ms;
	size_t i;

	for (i = 0; i < N_BUCKETS - 1 && age_ms >= buckets[i].below_ms; i++)
		;
	count(s, endpoint, i);
}

static bool see_entry(void *arg, const struct rp_entry *e)
{
	count_age(arg, e->delivery.endpoint, e->facts.accepted_at_ms);
	return true;
}

/* Whether the index rows of one state tell all that is asked for. */
static bool rows_suffice(const struct rp_selector *s)
{
	unsigned states = RP_STATE_BIT(RP_STATE_WAITING) | RP_STATE_BIT(RP_STATE_DEAD);
	struct rp_selector rest = *s;

	rest.states = 0;
	rest.has_endpoint = false;
	return rp_selector_is_empty(&rest) && s->limit == 0 && !s->retrying_only &&
	       (s->states & ~states) == 0;
}

static int scan_state(struct shape *s, enum rp_state state, const int64_t *bounds_at_ms)
{
	struct rp_select select = {.see_brief = see_row,
				   .arg = s,
				   .bounds_at_ms = bounds_at_ms,
				   .n_bounds = N_BUCKETS - 1};

	if ((s->ctl->selector.states & RP_STATE_BIT(state)) == 0)
		return RP_EXIT_OK;
	return rp_walk_briefs(s->ctl, state, &select);
}

static int scan_rows(struct shape *s)
{
	int64_t at_ms[N_BUCKETS - 1];
	size_t i;
	int code;

	/* An age of exactly the bucket's end belongs to the next one. */
	for (i = 0; i < N_BUCKETS - 1; i++)
		at_ms[N_BUCKETS - 2 - i] = s->ctl->now_at_ms - buckets[i].below_ms + 1;
	code = scan_state(s, RP_STATE_WAITING, at_ms);
	return code == RP_EXIT_OK ? scan_state(s, RP_STATE_DEAD, at_ms) : code;
}

static int gather(struct shape *s, uint64_t *n_missing)
{
	struct rp_walk w = {
	    .ctl = s->ctl, .see = see_entry, .arg = s, .limit = s->ctl->selector.limit};
	int code = rp_ctl_load_endpoints(s->ctl, &s->endpoints);
	size_t i;

	if (code != RP_EXIT_OK)
		return code;
	s->lines = calloc(s->endpoints.n + 1, sizeof s->lines[0]);
	if (s->lines == NULL)
		return rp_ctl_no_memory();
	for (i = 0; i <= s->endpoints.n; i++) {
		s->lines[i].endpoint = i < s->endpoints.n ? s->endpoints.all[i].id : 0;
		s->lines[i].name = i < s->endpoints.n ? s->endpoints.all[i].name : "";
	}
	code = rows_suffice(&s->ctl->selector) ? scan_rows(s) : rp_walk_run(&w);
	*n_missing = w.n_missing;
	return code;
}

/* --- showing ------------------------------------------------------------------------ */

static int most_first(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	if (x->total != y->total)
		return x->total > y->total ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* Keeps what holds something, the longest first. Result: how many. */
static size_t pick_lines(struct shape *s)
{
	size_t i, b, n = 0;

	for (i = 0; i <= s->endpoints.n; i++) {
		struct line *l = &s->lines[i];

		if (l->total == 0)
			continue;
		s->total.total += l->total;
		for (b = 0; b < N_BUCKETS; b++)
			s->total.count[b] += l->count[b];
		s->lines[n++] = *l;
	}
	qsort(s->lines, n, sizeof s->lines[0], most_first);
	return n;
}

static bool add_json(struct rp_ctl *ctl, const struct line *l, bool total)
{
	struct rp_json_out *o = rp_json_out_new();
	size_t b;

	rp_json_out_text(o, "endpoint", l->name[0] != '\0' ? l->name : NULL);
	rp_json_out_bool(o, "sum", total);
	rp_json_out_int(o, "total", (int64_t)l->total);
	for (b = 0; b < N_BUCKETS; b++)
		rp_json_out_int(o, buckets[b].json, (int64_t)l->count[b]);
	return rp_ctl_add_json(ctl, o);
}

static void add_row(struct rp_table *table, const char *name, const struct line *l)
{
	size_t b;

	rp_table_cell(table, rp_span_of(name[0] != '\0' ? name : "(unknown)"));
	rp_table_number(table, l->total);
	for (b = 0; b < N_BUCKETS; b++)
		rp_table_number(table, l->count[b]);
}

static bool add_table(struct shape *s, size_t n)
{
	struct rp_column columns[N_BUCKETS + 2] = {{"ENDPOINT", false, 16}, {"TOTAL", true, 0}};
	struct rp_table *table;
	size_t i;

	for (i = 0; i < N_BUCKETS; i++)
		columns[i + 2] = (struct rp_column){buckets[i].title, true, 0};
	table = rp_ctl_table(s->ctl, columns, N_BUCKETS + 2);
	if (table == NULL)
		return false;
	add_row(table, "TOTAL", &s->total);
	for (i = 0; i < n; i++)
		add_row(table, s->lines[i].name, &s->lines[i]);
	return rp_ctl_add_table(s->ctl, table);
}

static bool add_shape(struct shape *s)
{
	size_t n = pick_lines(s), i, shown = n;
	bool ok = true;

	s->total.name = "";
	if (s->ctl->json) {
		ok = add_json(s->ctl, &s->total, true);
		for (i = 0; i < n && ok; i++)
			ok = add_json(s->ctl, &s->lines[i], false);
		return ok;
	}
	if (s->ctl->out_tty && n > SHOWN_ON_TERMINAL)
		shown = SHOWN_ON_TERMINAL;
	ok = add_table(s, shown);
	if (shown < n)
		ok = ok && rp_buf_printf(&s->ctl->out,
					 "(%zu shorter ones are not shown; in a pipe all are)\n",
					 n - shown);
	return ok;
}

int rp_verb_shape(struct rp_ctl *ctl)
{
	struct shape *s = calloc(1, sizeof *s);
	uint64_t n_missing = 0;
	int code;

	if (s == NULL)
		return rp_ctl_no_memory();
	s->ctl = ctl;
	if (ctl->selector.states == 0 && !ctl->selector.by_id)
		ctl->selector.states =
		    RP_STATE_BIT(ctl->selector.has_group ? RP_STATE_DEAD : RP_STATE_WAITING);
	code = gather(s, &n_missing);
	if (code == RP_EXIT_OK)
		code = add_shape(s) ? rp_ctl_flush(ctl) : rp_ctl_no_memory();
	if (code == RP_EXIT_OK && n_missing > 0)
		code = RP_EXIT_SOME_FAILED;
	rp_known_endpoints_release(&s->endpoints);
	free(s->lines);
	free(s);
	return code;
}
