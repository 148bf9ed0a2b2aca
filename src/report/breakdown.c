/* breakdown.c - counts what a selection is made of. It is apart from the verbs because a dry run
 * and a question show the same counts. */

#include "report/breakdown.h"

#include <inttypes.h>
#include <search.h>
#include <stdlib.h>

#include "base/units.h"
#include "report/shown.h"
#include "text/escape.h"

static int by_id(const void *a, const void *b)
{
	const struct rp_breakdown_endpoint *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static struct rp_breakdown_endpoint *
add_endpoint(struct rp_breakdown *t, const struct rp_config *config, const struct rp_entry *e)
{
	struct rp_breakdown_endpoint *one;
	struct rp_buf room = {0};
	struct rp_span name;

	if (t->n_endpoints == t->cap_endpoints) {
		size_t cap = t->cap_endpoints > 0 ? t->cap_endpoints * 2 : 64;
		struct rp_breakdown_endpoint **more = realloc(t->endpoints, cap * sizeof more[0]);

		if (more == NULL)
			return NULL;
		t->endpoints = more;
		t->cap_endpoints = cap;
	}
	one = calloc(1, sizeof *one);
	if (one == NULL)
		return NULL;
	one->id = e->delivery.endpoint;
	name = rp_shown_name(config, e->endpoint, &room);
	one->name = strndup(name.len > 0 ? name.ptr : "", name.len);
	rp_buf_release(&room);
	if (one->name == NULL || tsearch(one, &t->tree, by_id) == NULL) {
		free(one->name);
		free(one);
		return NULL;
	}
	t->endpoints[t->n_endpoints++] = one;
	return one;
}

/* There are few: the list of causes is fixed, and servers answer with a handful of statuses. */
static bool count_cause(struct rp_breakdown *t, const struct rp_entry *e)
{
	const struct rp_delivery *d = &e->delivery;
	enum rp_cause cause = d->state == RP_STATE_DEAD ? d->cause : d->last_cause;
	unsigned status = cause == RP_CAUSE_HTTP ? d->http_status : 0;
	struct rp_breakdown_cause *more;
	size_t i;

	if (cause == RP_CAUSE_NONE)
		return true;
	for (i = 0; i < t->n_causes; i++) {
		if (t->causes[i].cause == cause && t->causes[i].http_status == status) {
			t->causes[i].count++;
			t->causes[i].bytes += e->facts.payload_bytes;
			return true;
		}
	}
	more = realloc(t->causes, (t->n_causes + 1) * sizeof more[0]);
	if (more == NULL)
		return false;
	t->causes = more;
	t->causes[t->n_causes++] =
	    (struct rp_breakdown_cause){cause, status, 1, e->facts.payload_bytes};
	return true;
}

bool rp_breakdown_add(struct rp_breakdown *t, const struct rp_config *config,
		      const struct rp_entry *e)
{
	struct rp_breakdown_endpoint key = {.id = e->delivery.endpoint},
				     **found = tfind(&key, &t->tree, by_id);
	struct rp_breakdown_endpoint *one = found != NULL ? *found : add_endpoint(t, config, e);
	struct rp_breakdown_state *state = &t->states[e->delivery.state];

	if (one == NULL || !count_cause(t, e))
		return false;
	one->count++;
	one->bytes += e->facts.payload_bytes;
	state->count++;
	state->bytes += e->facts.payload_bytes;
	t->n++;
	t->bytes += e->facts.payload_bytes;
	return true;
}

void rp_breakdown_release(struct rp_breakdown *t)
{
	size_t i;

	for (i = 0; i < t->n_endpoints; i++) {
		tdelete(t->endpoints[i], &t->tree, by_id);
		free(t->endpoints[i]->name);
		free(t->endpoints[i]);
	}
	free(t->endpoints);
	free(t->causes);
	memset(t, 0, sizeof *t);
}

static int most_first(const void *a, const void *b)
{
	const struct rp_breakdown_endpoint *x = *(struct rp_breakdown_endpoint *const *)a,
					   *y = *(struct rp_breakdown_endpoint *const *)b;

	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return by_id(x, y);
}

static int most_common_first(const void *a, const void *b)
{
	const struct rp_breakdown_cause *x = a, *y = b;

	return x->count > y->count ? -1 : x->count < y->count;
}

static void sort(const struct rp_breakdown *t)
{
	if (t->n_endpoints > 0)
		qsort(t->endpoints, t->n_endpoints, sizeof t->endpoints[0], most_first);
	if (t->n_causes > 0)
		qsort(t->causes, t->n_causes, sizeof t->causes[0], most_common_first);
}

static const char *state_word(int state)
{
	return state == 0 ? "damaged" : rp_state_name((enum rp_state)state);
}

static bool add_states(const struct rp_breakdown *t, struct rp_buf *out)
{
	const char *before = " (";
	char size[32];
	bool ok = true;
	int s;

	for (s = 0; s < RP_STATE_COUNT && ok; s++) {
		const struct rp_breakdown_state *one = &t->states[s];

		if (one->count == 0)
			continue;
		ok = rp_buf_printf(out, "%s%" PRIu64 " %s", before, one->count, state_word(s)) &&
		     (one->count == t->n ||
		      rp_buf_printf(out, ", %s", rp_size_text(one->bytes, size)));
		before = "; ";
	}
	return ok && rp_buf_add_text(out, t->n > 0 ? ")\n" : "\n");
}

/* Counts and sizes of one part, in columns; a name of others follows, escaped. */
static bool add_part(struct rp_buf *out, uint64_t count, uint64_t bytes, const char *name)
{
	char size[32];

	return rp_buf_printf(out, "  %" PRIu64 "  %s  ", count, rp_size_text(bytes, size)) &&
	       rp_text_escape(rp_span_of(name), out) && rp_buf_add_char(out, '\n');
}

bool rp_breakdown_text(const struct rp_breakdown *t, size_t max_lines, struct rp_buf *out)
{
	char text[RP_CAUSE_TEXT_MAX], size[32];
	bool ok = rp_buf_printf(out, "%" PRIu64 " entr%s", t->n, t->n == 1 ? "y" : "ies") &&
		  (t->n == 0 || rp_buf_printf(out, ", %s", rp_size_text(t->bytes, size))) &&
		  add_states(t, out);
	size_t i;

	sort(t);
	for (i = 0; ok && i < t->n_causes && i < max_lines; i++)
		ok = add_part(out, t->causes[i].count, t->causes[i].bytes,
			      rp_cause_format(t->causes[i].cause, t->causes[i].http_status, text));
	if (t->n_causes > max_lines)
		ok = ok && rp_buf_printf(out, "  and %zu more causes\n", t->n_causes - max_lines);
	for (i = 0; ok && i < t->n_endpoints && i < max_lines; i++)
		ok = add_part(out, t->endpoints[i]->count, t->endpoints[i]->bytes,
			      t->endpoints[i]->name);
	if (t->n_endpoints > max_lines)
		ok = ok &&
		     rp_buf_printf(out, "  and %zu more endpoints\n", t->n_endpoints - max_lines);
	return ok;
}

static void push_counted(struct rp_json_out *o, const char *array, const char *name,
			 const char *value, uint64_t count, uint64_t bytes)
{
	struct rp_json_out *one = rp_json_out_new();

	rp_json_out_text(one, name, value);
	rp_json_out_int(one, "count", (int64_t)count);
	rp_json_out_int(one, "bytes", (int64_t)bytes);
	rp_json_out_push(o, array, one);
}

void rp_breakdown_json(const struct rp_breakdown *t, struct rp_json_out *o)
{
	struct rp_json_out *states = rp_json_out_new(), *state_bytes = rp_json_out_new();
	char text[RP_CAUSE_TEXT_MAX];
	size_t i;
	int s;

	sort(t);
	for (s = 0; s < RP_STATE_COUNT; s++) {
		if (t->states[s].count == 0)
			continue;
		rp_json_out_int(states, state_word(s), (int64_t)t->states[s].count);
		rp_json_out_int(state_bytes, state_word(s), (int64_t)t->states[s].bytes);
	}
	rp_json_out_int(o, "bytes", (int64_t)t->bytes);
	rp_json_out_object(o, "states", states);
	rp_json_out_object(o, "state_bytes", state_bytes);
	rp_json_out_array(o, "causes");
	for (i = 0; i < t->n_causes; i++)
		push_counted(o, "causes", "cause",
			     rp_cause_format(t->causes[i].cause, t->causes[i].http_status, text),
			     t->causes[i].count, t->causes[i].bytes);
	rp_json_out_array(o, "endpoints");
	for (i = 0; i < t->n_endpoints; i++)
		push_counted(o, "endpoints", "endpoint", t->endpoints[i]->name,
			     t->endpoints[i]->count, t->endpoints[i]->bytes);
}
