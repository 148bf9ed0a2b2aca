#include "route.h"

#include <stdlib.h>

#include "core/run.h"

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

static uint64_t count_of(const struct rp_ledger *l, enum rp_state state)
{
	switch (state) {
	case RP_STATE_WAITING:
		return l->waiting;
	case RP_STATE_IN_FLIGHT:
		return l->in_flight;
	case RP_STATE_HELD:
		return l->held;
	case RP_STATE_DELIVERED:
		return l->delivered;
	case RP_STATE_DEAD:
		return l->dead;
	}
	return 0;
}

/* When a filter beside the state leaves most entries out, the one that looks at fewer wins; a step along the numbers
 * costs half of one along an index, which looks every entry up. */
static enum rp_err state_index_pays(struct rp_ctl *ctl, enum rp_state state, bool *pays, struct rp_error *err)
{
	struct rp_ledger l;
	enum rp_err e = rp_outbox_ledger(ctl->ob, &l, err);
	uint64_t all;

	if (e != RP_OK)
		return e;
	all = l.waiting + l.in_flight + l.held + l.delivered + l.dead;
	*pays = !ctl->selector.retrying_only || count_of(&l, state) < all / 2;
	return RP_OK;
}

struct gather {
	struct rp_ctl *ctl;
	struct rp_route *route;
	size_t cap;
	bool no_memory;
};

static bool gather_endpoint(void *arg, uint64_t id, struct rp_span name, const struct rp_endpoint *e)
{
	struct gather *g = arg;
	struct rp_route *r = g->route;

	(void)e;
	if (!rp_endpoint_glob_match(&g->ctl->selector.endpoint, name))
		return true;
	if (r->n_endpoints == g->cap) {
		size_t cap = g->cap > 0 ? g->cap * 2 : 64;
		uint64_t *more = realloc(r->endpoints, cap * sizeof more[0]);

		g->no_memory = more == NULL;
		if (g->no_memory)
			return false;
		r->endpoints = more;
		g->cap = cap;
	}
	r->endpoints[r->n_endpoints++] = id;
	return true;
}

static enum rp_err gather_endpoints(struct rp_ctl *ctl, struct rp_route *r, struct rp_error *err)
{
	struct gather g = {.ctl = ctl, .route = r};
	enum rp_err e = rp_outbox_endpoints(ctl->ob, gather_endpoint, &g, err);

	if (g.no_memory)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	if (e == RP_OK && r->n_endpoints > 0)
		r->browse.endpoint = r->endpoints[0];
	return e;
}

enum rp_err rp_route_plan(struct rp_ctl *ctl, const struct rp_route_eyes *eyes, struct rp_route *r,
			  struct rp_error *err)
{
	const struct rp_selector *s = &ctl->selector;
	enum rp_state state = s->has_group ? RP_STATE_DEAD : only_state(s->states);
	enum rp_err e = RP_OK;

	memset(r, 0, sizeof *r);
	r->page = (struct rp_page){
	    .max_seen = eyes->max_seen, .wants = eyes->wants, .see = eyes->see, .arg = eyes->arg, .state = state};
	r->browse.max_seen = eyes->max_seen;
	r->browse.wants = eyes->wants;
	r->browse.see = eyes->see;
	r->browse.arg = eyes->arg;
	if (s->run_id != NULL && strlen(s->run_id) <= RP_FIELD_MAX) {
		r->browse.run_id = rp_span_of(s->run_id);
		r->indexed = true;
		return RP_OK;
	}
	if (state != 0)
		e = state_index_pays(ctl, state, &r->indexed, err);
	if (e != RP_OK || !r->indexed)
		return e;
	r->browse.state = state;
	r->may_repeat = true;
	return state == RP_STATE_WAITING && s->has_endpoint ? gather_endpoints(ctl, r, err) : RP_OK;
}

enum rp_err rp_route_page(struct rp_ctl *ctl, struct rp_route *r, bool *more, struct rp_error *err)
{
	enum rp_err e;

	if (!r->indexed) {
		e = rp_outbox_page(ctl->ob, &r->page, err);
		*more = r->page.more;
		return e;
	}
	*more = false;
	if (r->browse.state == RP_STATE_WAITING && ctl->selector.has_endpoint && r->n_endpoints == 0)
		return RP_OK; /* no such endpoint */
	e = rp_outbox_browse(ctl->ob, &r->browse, err);
	*more = r->browse.more;
	if (e == RP_OK && !*more && r->at + 1 < r->n_endpoints) {
		r->browse.endpoint = r->endpoints[++r->at];
		r->browse.stage = 0;
		r->browse.key_len = 0;
		*more = true;
	}
	return e;
}

void rp_route_release(struct rp_route *r)
{
	free(r->endpoints);
	memset(r, 0, sizeof *r);
}
