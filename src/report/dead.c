/* dead.c - groups dead letters by what killed them, and says of each group what to do. */

#include "report/dead.h"

#include <stdio.h>
#include <stdlib.h>

#include "report/advice.h"
#include "report/entry_json.h"

/* --- grouping ----------------------------------------------------------------------- */

static size_t place_of(const struct rp_dead_rows *t, const struct rp_dead_group *key)
{
	uint64_t h = key->endpoint * 32 + (uint64_t)key->cause * 7919 +
		     (uint64_t)key->last_cause * 104729 + key->http_status;
	size_t mask = t->cap * 2 - 1, i = (size_t)(h * UINT64_C(0x9e3779b97f4a7c15) >> 20) & mask;

	while (t->index[i] != 0 && rp_dead_group_compare(&t->all[t->index[i] - 1].key, key) != 0)
		i = (i + 1) & mask;
	return i;
}

static bool grow(struct rp_dead_rows *t)
{
	size_t cap = t->cap > 0 ? t->cap * 2 : 64, i;
	struct rp_dead_row *all = realloc(t->all, cap * sizeof all[0]);
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

/* Where its row is; t->n: there is none. */
static size_t find(const struct rp_dead_rows *t, const struct rp_dead_group *key)
{
	if (t->n > 0 && rp_dead_group_compare(&t->all[t->latest].key, key) == 0)
		return t->latest;
	return t->cap > 0 && t->index[place_of(t, key)] != 0 ? t->index[place_of(t, key)] - 1
							     : t->n;
}

/* The same, made if need be. false: out of memory. */
static bool find_or_make(struct rp_dead_rows *t, const struct rp_dead_group *key, size_t *at)
{
	*at = find(t, key);
	if (*at < t->n)
		return true;
	if (t->n == t->cap && !grow(t))
		return false;
	t->all[t->n] = (struct rp_dead_row){.key = *key, .first_at_ms = INT64_MAX};
	t->index[place_of(t, key)] = (uint32_t)++t->n;
	return true;
}

static struct rp_dead_group of_host(const struct rp_dead_group *key)
{
	struct rp_dead_group host = *key;

	host.endpoint = rp_level_host(key->endpoint);
	return host;
}

/* The row of its path, or of its host when there are many of those already. */
static bool choose_row(struct rp_dead_rows *t, const struct rp_dead_group *key, size_t *at)
{
	struct rp_dead_group host = of_host(key);

	*at = find(t, key);
	if (*at < t->n)
		return true;
	if (!find_or_make(t, &host, at))
		return false;
	return t->all[*at].n_paths == RP_HOST_PATHS_FEW ||
	       (++t->all[*at].n_paths > 0 && find_or_make(t, key, at));
}

bool rp_dead_rows_add(struct rp_dead_rows *t, const struct rp_brief *b)
{
	struct rp_dead_group key =
	    rp_dead_group_of(b->cause, b->last_cause, b->http_status, b->endpoint);
	struct rp_dead_row *g;

	if (!choose_row(t, &key, &t->latest))
		return false;
	g = &t->all[t->latest];
	g->count++;
	if (b->at_ms < g->first_at_ms)
		g->first_at_ms = b->at_ms;
	if (b->at_ms >= g->last_at_ms) {
		g->last_at_ms = b->at_ms;
		g->sample_seq = b->seq;
	}
	return true;
}

/* What came before its host had a row goes into it. */
static void merge(struct rp_dead_rows *t, struct rp_dead_row *g)
{
	struct rp_dead_group key = of_host(&g->key);
	size_t at = find(t, &key);
	struct rp_dead_row *host = &t->all[at];

	if (at == t->n || host == g || host->count == 0)
		return;
	host->count += g->count;
	if (g->first_at_ms < host->first_at_ms)
		host->first_at_ms = g->first_at_ms;
	if (g->last_at_ms > host->last_at_ms) {
		host->last_at_ms = g->last_at_ms;
		host->sample_seq = g->sample_seq;
	}
	g->count = 0;
}

static void fold(struct rp_dead_rows *t)
{
	size_t i, n = 0;

	for (i = 0; i < t->n; i++)
		merge(t, &t->all[i]);
	for (i = 0; i < t->n; i++)
		if (t->all[i].count > 0)
			t->all[n++] = t->all[i];
	t->n = n;
	t->latest = 0;
	free(t->index);
	t->index = NULL;
}

void rp_dead_rows_release(struct rp_dead_rows *t)
{
	size_t i;

	for (i = 0; i < t->n; i++) {
		free(t->all[i].detail);
		free(t->all[i].name);
	}
	free(t->all);
	free(t->index);
	memset(t, 0, sizeof *t);
}

/* --- samples ------------------------------------------------------------------------ */

static int most_first(const void *a, const void *b)
{
	const struct rp_dead_row *x = a, *y = b;

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
static enum rp_err add_detail(struct rp_dead_row *g, struct rp_outbox *ob,
			      const struct rp_config *config, const struct rp_entry *e,
			      struct rp_error *err)
{
	char detail[RP_DETAIL_TEXT_MAX] = "";
	struct rp_buf shown = {0};

	if (g->key.last_cause != RP_CAUSE_HTTP || g->key.http_status / 100 != 3)
		return RP_OK;
	if (rp_outbox_attempts(ob, e->seq, see_attempt, detail, err) != RP_OK)
		return err->code;
	if (detail[0] == '\0')
		return RP_OK;
	if (!rp_entry_foreign(config, e, rp_span_of(detail), &shown))
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	g->detail = shown.data;
	return RP_OK;
}

enum rp_err rp_dead_rows_finish(struct rp_dead_rows *t, struct rp_outbox *ob,
				const struct rp_config *config,
				const struct rp_known_endpoints *endpoints, struct rp_error *err)
{
	struct rp_entry sample = {0};
	enum rp_err e = RP_OK;
	size_t i;

	fold(t);
	if (t->n > 0)
		qsort(t->all, t->n, sizeof t->all[0], most_first);
	for (i = 0; i < t->n && e == RP_OK; i++) {
		struct rp_dead_row *g = &t->all[i];
		const struct rp_filter filter = {.seq = g->sample_seq};
		struct rp_buf name = {0};

		e = rp_known_endpoint_name(endpoints, ob, config, g->key.endpoint, &name, err);
		g->name = name.data != NULL ? name.data : strdup("");
		if (e == RP_OK && g->name == NULL)
			e = rp_fail(err, RP_ERR_NOMEM, "out of memory");
		if (e == RP_OK)
			e = rp_outbox_first(ob, &filter, &sample, err);
		if (e == RP_OK) {
			rp_id_format(sample.facts.id, g->sample);
			e = add_detail(g, ob, config, &sample, err);
		} else if (e == RP_ERR_NOTFOUND) {
			e = RP_OK; /* it was purged in the meantime */
		}
	}
	rp_entry_release(&sample);
	return e;
}

/* --- showing ------------------------------------------------------------------------ */

const char *rp_dead_row_advice(const struct rp_dead_row *g, char out[RP_DEAD_ADVICE_MAX])
{
	struct rp_advice a = rp_advice(g->key.cause, g->key.last_cause, g->key.http_status);

	snprintf(out, RP_DEAD_ADVICE_MAX, "%s%s%s%s%s", a.what, a.then,
		 g->detail != NULL ? " (" : "", g->detail != NULL ? g->detail : "",
		 g->detail != NULL ? ")" : "");
	return out;
}

struct rp_json_out *rp_dead_row_json(const struct rp_dead_row *g)
{
	struct rp_json_out *o = rp_json_out_new();
	char text[RP_CAUSE_TEXT_MAX], key[RP_DEAD_GROUP_TEXT_MAX], advice[RP_DEAD_ADVICE_MAX];

	rp_json_out_text(o, "cause", rp_cause_format(g->key.cause, g->key.http_status, text));
	rp_cause_format(g->key.last_cause, g->key.http_status, text);
	rp_json_out_given(o, "last_cause", rp_span_of(text));
	rp_json_out_given(o, "endpoint", rp_span_of(g->name));
	rp_json_out_int(o, "count", (int64_t)g->count);
	rp_json_out_time(o, "first_at", g->first_at_ms);
	rp_json_out_time(o, "last_at", g->last_at_ms);
	rp_json_out_given(o, "sample", rp_span_of(g->sample));
	rp_json_out_text(o, "suggest", rp_dead_row_advice(g, advice));
	rp_json_out_text(o, "group", rp_dead_group_format(&g->key, key));
	return o;
}
