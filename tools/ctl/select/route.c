/* route.c - chooses the cheapest way through the outbox for a selector, and pages along it. The
 * selector has the last word on every entry. */

#include "ctl/select/route.h"

#include <stdlib.h>

#include "run/run.h"

/* An index that leaves many entries to be looked up, here and there, against all records one after
 * the other. */
enum { LOOKUP_COSTS = 8 };

enum {
	ALL_STATES = RP_STATE_BIT(RP_STATE_WAITING) | RP_STATE_BIT(RP_STATE_IN_FLIGHT) |
		     RP_STATE_BIT(RP_STATE_HELD) | RP_STATE_BIT(RP_STATE_DELIVERED) |
		     RP_STATE_BIT(RP_STATE_DEAD)
};

/* The one state asked for; 0 when it is none or several. */
static enum rp_state only_state(unsigned states)
{
	int s;

	for (s = RP_STATE_WAITING; s <= RP_STATE_DEAD; s++) {
		if (states == RP_STATE_BIT(s))
			return (enum rp_state)s;
	}
	return 0;
}

/* --- what is left out on the way ---------------------------------------------------- */

static int by_id(const void *key, const void *member)
{
	uint64_t id = *(const uint64_t *)key,
		 other = ((const struct rp_route_endpoint *)member)->id;

	return id < other ? -1 : id > other;
}

static bool endpoint_wanted(struct rp_route *r, uint64_t id)
{
	if (!r->ctl->selector.has_endpoint)
		return true;
	if (r->latest != id) {
		r->latest = id;
		r->latest_wanted =
		    r->n_endpoints > 0 && bsearch(&id, r->endpoints, r->n_endpoints,
						  sizeof r->endpoints[0], by_id) != NULL;
	}
	return r->latest_wanted;
}

static bool time_wanted(const struct rp_route *r, uint64_t seq)
{
	const struct rp_selector *s = &r->ctl->selector;

	return !(s->has_since && rp_mark_side(&r->since, seq) == RP_SIDE_EARLIER) &&
	       !(s->has_until && rp_mark_side(&r->until, seq) == RP_SIDE_LATER);
}

static bool wants_row(void *arg, const struct rp_index_row *row)
{
	struct rp_route *r = arg;

	return (row->endpoint == 0 || endpoint_wanted(r, row->endpoint)) &&
	       rp_selector_may_match_row(&r->ctl->selector, r->browse.state, row,
					 r->ctl->now_at_ms) &&
	       time_wanted(r, row->seq);
}

/* What the small record tells already; it spares a look at the large one. */
static bool wants(void *arg, const struct rp_delivery *d)
{
	struct rp_route *r = arg;

	return rp_selector_may_match(&r->ctl->selector, d, r->ctl->now_at_ms) &&
	       endpoint_wanted(r, d->endpoint);
}

static bool see(void *arg, const struct rp_entry *e)
{
	struct rp_route *r = arg;

	return r->eyes.see(r->eyes.arg, e);
}

/* --- what there can be -------------------------------------------------------------- */

struct gather {
	struct rp_route *route;
	struct rp_counts *counts; /* of the endpoints that are wanted */
	bool unknown;             /* not all of them could be read */
	bool no_memory;
};

static bool gather_endpoint(void *arg, uint64_t id, struct rp_span name,
			    const struct rp_endpoint *e)
{
	struct gather *g = arg;
	struct rp_route *r = g->route;
	int s;

	if (!rp_endpoint_glob_match(&r->ctl->selector.endpoint, name))
		return true;
	if (r->n_endpoints == r->cap_endpoints) {
		size_t cap = r->cap_endpoints > 0 ? r->cap_endpoints * 2 : 64;
		void *more = realloc(r->endpoints, cap * sizeof r->endpoints[0]);

		g->no_memory = more == NULL;
		if (g->no_memory)
			return false;
		r->endpoints = more;
		r->cap_endpoints = cap;
	}
	/* A damaged record comes as zeroes; a sound one is on the agenda at some time, or never. */
	g->unknown = g->unknown || e->ready_at_ms == 0;
	r->endpoints[r->n_endpoints++] =
	    (struct rp_route_endpoint){id, e->count[RP_STATE_WAITING] > 0 || e->ready_at_ms == 0};
	for (s = 0; s < RP_STATE_COUNT; s++)
		g->counts->of[s] += e->count[s];
	return true;
}

/* How many entries of each state there are that may be wanted. */
static enum rp_err count_states(struct rp_route *r, struct rp_counts *all, struct rp_counts *out,
				struct rp_error *err)
{
	struct gather g = {.route = r, .counts = out};
	enum rp_err e = rp_outbox_counts(r->ctl->ob, all, err);

	*out = *all;
	if (e != RP_OK || !r->ctl->selector.has_endpoint)
		return e;
	memset(out->of, 0, sizeof out->of);
	e = rp_outbox_endpoints(r->ctl->ob, gather_endpoint, &g, err);
	if (g.no_memory)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	if (g.unknown)
		memcpy(out->of, all->of, sizeof out->of);
	return e;
}

/* The states asked for, without those that are known to hold nothing that is wanted. */
static unsigned states_left(const struct rp_selector *s, const struct rp_counts *counts)
{
	unsigned states = s->states != 0 ? s->states : (unsigned)ALL_STATES, state;

	if (s->has_group)
		states &= RP_STATE_BIT(RP_STATE_DEAD);
	if ((s->retrying_only || (s->has_attempts && s->attempts_min > 0)) && counts->retrying == 0)
		states &= ~RP_STATE_BIT(RP_STATE_WAITING);
	for (state = RP_STATE_WAITING; state <= RP_STATE_DEAD; state++)
		if (counts->of[state] == 0)
			states &= ~RP_STATE_BIT(state);
	return states;
}

/* --- the way ------------------------------------------------------------------------ */

/* Rows of waiting entries tell their endpoint and are not in the order of the records. When
 * another filter leaves most of them out, all records in their order cost less, unless the waiting
 * ones are few. */
static bool index_pays(const struct rp_selector *s, enum rp_state state,
		       const struct rp_counts *wanted, const struct rp_counts *all)
{
	uint64_t records = 0;
	int i;

	if (state != RP_STATE_WAITING ||
	    !(s->retrying_only || s->has_cause || s->has_attempts || s->has_older ||
	      s->thread_id != NULL || s->event != NULL))
		return true;
	for (i = RP_STATE_WAITING; i <= RP_STATE_DEAD; i++)
		records += all->of[i];
	return wanted->of[state] < records / LOOKUP_COSTS;
}

static enum rp_err mark_times(struct rp_route *r, struct rp_error *err)
{
	const struct rp_selector *s = &r->ctl->selector;
	int64_t at_ms[2] = {s->has_since ? s->since_at_ms : 0, s->has_until ? s->until_at_ms : 0};
	struct rp_mark marks[2];
	enum rp_err e;

	if (!s->has_since && !s->has_until)
		return RP_OK;
	e = rp_outbox_marks(r->ctl->ob, at_ms, 2, marks, err);
	r->since = marks[0];
	r->until = marks[1];
	return e;
}

/* Where among the numbers there may be some that are wanted. */
static void set_ranges(struct rp_route *r, uint64_t records)
{
	const struct rp_selector *s = &r->ctl->selector;
	const struct rp_mark *m = s->has_since ? &r->since : &r->until;
	uint64_t first = 0;
	unsigned i;

	r->total = 0;
	for (i = 0; (s->has_since || s->has_until) && i < m->n; i++) {
		struct rp_route_range range = {s->has_since ? r->since.part[i].low : first,
					       s->has_until ? r->until.part[i].high
							    : m->part[i].end_seq};

		first = m->part[i].end_seq;
		if (range.from_seq < range.to_seq) {
			r->ranges[r->n_ranges++] = range;
			r->total += range.to_seq - range.from_seq;
		}
	}
	r->ranges[r->n_ranges++] = (struct rp_route_range){first, 0}; /* without times: all */
	if (!s->has_since && !s->has_until)
		r->total = records;
	r->page.from_seq = r->ranges[0].from_seq;
	r->page.to_seq = r->ranges[0].to_seq;
}

static void to_next_endpoint(struct rp_route *r)
{
	while (r->at < r->n_endpoints && !r->endpoints[r->at].waits)
		r->at++;
	r->browse.endpoint = r->at < r->n_endpoints ? r->endpoints[r->at].id : 0;
	r->browse.stage = 0;
	r->browse.key_len = 0;
}

static bool by_endpoint(const struct rp_route *r)
{
	return r->browse.state == RP_STATE_WAITING && r->ctl->selector.has_endpoint;
}

static void choose(struct rp_route *r, const struct rp_counts *wanted, const struct rp_counts *all)
{
	const struct rp_selector *s = &r->ctl->selector;
	enum rp_state state = s->has_group ? RP_STATE_DEAD : only_state(s->states);
	uint64_t records = 0;
	int i;

	for (i = RP_STATE_WAITING; i <= RP_STATE_DEAD; i++)
		records += all->of[i];
	r->indexed = state != 0 && index_pays(s, state, wanted, all);
	if (!r->indexed) {
		r->page.state = state;
		set_ranges(r, records);
		return;
	}
	r->browse.state = state;
	r->may_repeat = true;
	r->total = by_endpoint(r) ? wanted->of[state] : all->of[state];
	if (by_endpoint(r))
		to_next_endpoint(r);
}

enum rp_err rp_route_plan(struct rp_ctl *ctl, const struct rp_route_eyes *eyes, struct rp_route *r,
			  struct rp_error *err)
{
	const struct rp_selector *s = &ctl->selector;
	struct rp_counts all, wanted;
	enum rp_err e;

	memset(r, 0, sizeof *r);
	r->ctl = ctl;
	r->eyes = *eyes;
	r->latest = UINT64_MAX; /* no endpoint */
	r->page =
	    (struct rp_page){.max_seen = eyes->max_seen, .wants = wants, .see = see, .arg = r};
	r->browse.max_seen = eyes->max_seen;
	r->browse.wants = wants;
	r->browse.see = see;
	r->browse.arg = r;
	e = count_states(r, &all, &wanted, err);
	if (e != RP_OK)
		return e;
	r->states = states_left(s, &wanted);
	if (s->run_id != NULL && strlen(s->run_id) <= RP_FIELD_MAX) {
		r->browse.run_id = rp_span_of(s->run_id);
		r->indexed = true;
		return RP_OK;
	}
	r->browse.wants_row = wants_row;
	e = mark_times(r, err);
	if (e == RP_OK)
		choose(r, &wanted, &all);
	return e;
}

static enum rp_err next_page(struct rp_route *r, bool *more, struct rp_error *err)
{
	enum rp_err e = rp_outbox_page(r->ctl->ob, &r->page, err);

	*more = r->page.more;
	if (*more || r->range + 1 >= r->n_ranges)
		return e;
	r->range++;
	r->page.from_seq = r->ranges[r->range].from_seq;
	r->page.to_seq = r->ranges[r->range].to_seq;
	*more = true;
	return e;
}

enum rp_err rp_route_page(struct rp_route *r, bool *more, struct rp_error *err)
{
	enum rp_err e;

	*more = false;
	if (r->states == 0 || (by_endpoint(r) && r->browse.endpoint == 0))
		return RP_OK; /* there are none */
	if (!r->indexed)
		return next_page(r, more, err);
	e = rp_outbox_browse(r->ctl->ob, &r->browse, err);
	*more = r->browse.more;
	if (e == RP_OK && !*more && by_endpoint(r)) {
		r->at++;
		to_next_endpoint(r);
		*more = r->browse.endpoint != 0;
	}
	return e;
}

uint64_t rp_route_looked(const struct rp_route *r)
{
	return r->indexed ? r->browse.n_looked : r->page.n_looked;
}

void rp_route_release(struct rp_route *r)
{
	free(r->endpoints);
	memset(r, 0, sizeof *r);
}
