/* walk.c - calls a verb for each entry of a selection. It reads in short transactions, and
 * what is slow comes between them, so that a slow reader pins nothing. */

#include "ctl/select/walk.h"

#include <stdlib.h>

#include "ctl/select/seqset.h"
#include "ctl/common/stop.h"

/* A list of a terminal answers at once: what is beyond its limit is counted only as far as this
 * takes. */
enum { PAGE_ENTRIES = 500, COUNT_MORE_US = 50 * 1000 };

/* --- what is wanted, for a store ---------------------------------------------------------- */

struct gather {
	struct rp_wanted *wanted;
	const struct rp_endpoint_glob *glob;
	size_t cap;
	bool no_memory;
};

static bool gather_endpoint(void *arg, uint64_t id, struct rp_span name,
			    const struct rp_endpoint *e)
{
	struct gather *g = arg;
	struct rp_wanted *w = g->wanted;

	(void)e;
	if (!rp_endpoint_glob_match(g->glob, name))
		return true;
	if (w->filter.n_endpoints == g->cap) {
		size_t cap = g->cap > 0 ? g->cap * 2 : 64;
		uint64_t *more = realloc(w->endpoints, cap * sizeof more[0]);

		g->no_memory = more == NULL;
		if (g->no_memory)
			return false;
		w->endpoints = more;
		g->cap = cap;
	}
	w->endpoints[w->filter.n_endpoints++] = id;
	return true;
}

int rp_wanted_init(struct rp_wanted *w, struct rp_ctl *ctl)
{
	struct gather g = {.wanted = w, .glob = &ctl->selector.endpoint};
	struct rp_error err;

	w->endpoints = NULL;
	rp_selector_filter(&ctl->selector, &w->filter);
	w->filter.has_endpoints = ctl->selector.has_endpoint;
	if (!w->filter.has_endpoints)
		return RP_EXIT_OK;
	if (rp_outbox_endpoints(ctl->ob, (struct rp_endpoints_which){RP_ENDPOINTS_PATHS, 0},
				gather_endpoint, &g, &err) != RP_OK)
		return rp_ctl_fail(&err);
	w->filter.endpoints = w->endpoints;
	return g.no_memory ? rp_ctl_no_memory() : RP_EXIT_OK;
}

void rp_wanted_release(struct rp_wanted *w)
{
	free(w->endpoints);
	w->endpoints = NULL;
}

/* --- by filters --------------------------------------------------------------------------- */

struct page_state {
	struct rp_walk *w;
	struct rp_select *select;
	struct rp_seqset met; /* where an entry may be met twice */
	bool no_memory, full;
};

static bool see_paged(void *arg, const struct rp_entry *e)
{
	struct page_state *state = arg;
	struct rp_walk *w = state->w;
	bool is_new = true;

	state->no_memory =
	    state->select->may_repeat && !rp_seqset_add(&state->met, e->seq, &is_new);
	if (state->no_memory || !is_new)
		return !state->no_memory;
	if (w->limit != 0 && w->n_seen >= w->limit) {
		w->n_more++;
		return true;
	}
	w->n_seen++;
	state->no_memory = !w->see(w->arg, e);
	state->full = w->n_seen == w->limit && !w->count_more;
	return !state->no_memory && !state->full;
}

/* Between two transactions, when printing is safe. */
static int rest(struct rp_walk *w, const struct rp_select *s)
{
	if (rp_stop_asked())
		return RP_EXIT_INTERRUPTED;
	w->progress.total = s->n_total;
	rp_progress_at(&w->progress, s->n_looked);
	return w->between != NULL ? w->between(w->arg) : RP_EXIT_OK;
}

static int walk_select(struct rp_walk *w, struct page_state *state)
{
	struct rp_select *s = state->select;
	int64_t counting_since_us = 0;
	struct rp_error err;
	int code;

	do {
		if (rp_outbox_select(w->ctl->ob, s, &err) != RP_OK) {
			rp_progress_end(&w->progress);
			return rp_ctl_fail(&err);
		}
		code = state->no_memory ? rp_ctl_no_memory() : rest(w, s);
		if (code != RP_EXIT_OK)
			return code;
		if (w->n_more > 0 && counting_since_us == 0)
			counting_since_us = rp_sys_stopwatch_us();
		if (s->more && counting_since_us != 0 &&
		    rp_sys_stopwatch_us() - counting_since_us > COUNT_MORE_US) {
			w->more_uncounted = true;
			return RP_EXIT_OK;
		}
	} while (s->more);
	return RP_EXIT_OK;
}

static int walk_filter(struct rp_walk *w)
{
	struct rp_wanted wanted;
	struct rp_select select = {.filter = &wanted.filter,
				   .now_at_ms = w->ctl->now_at_ms,
				   .max_seen = PAGE_ENTRIES,
				   .see = see_paged};
	struct page_state state = {.w = w, .select = &select};
	int code = rp_wanted_init(&wanted, w->ctl);

	if (code == RP_EXIT_OK) {
		select.arg = &state;
		if (!w->quiet)
			rp_progress_begin(&w->progress, w->ctl->verb->name, 0, false);
		code = walk_select(w, &state);
		rp_progress_end(&w->progress);
	}
	rp_outbox_select_end(w->ctl->ob, &select);
	rp_seqset_release(&state.met);
	rp_wanted_release(&wanted);
	return code;
}

/* --- by ids ------------------------------------------------------------------------------- */

static void say_missing(const unsigned char id[RP_ID_BYTES])
{
	char text[RP_ID_TEXT_MAX];

	rp_ctl_say("%s: no such entry: it was purged, has outlived its keeping time, or belongs to "
		   "another outbox",
		   rp_id_format(id, text));
}

static int see_found(struct rp_walk *w, const struct rp_entry *e)
{
	if (!rp_selector_match(&w->ctl->selector, e, w->ctl->now_at_ms))
		return RP_EXIT_OK;
	if (w->limit != 0 && w->n_seen >= w->limit) {
		w->n_more++;
		return RP_EXIT_OK;
	}
	w->n_seen++;
	if (!w->see(w->arg, e))
		return rp_ctl_no_memory();
	return w->between != NULL ? w->between(w->arg) : RP_EXIT_OK;
}

static int walk_ids(struct rp_walk *w)
{
	const struct rp_selector *s = &w->ctl->selector;
	struct rp_entry e = {0};
	struct rp_error err;
	int code = RP_EXIT_OK;
	size_t i;

	for (i = 0; i < s->n_ids && code == RP_EXIT_OK; i++) {
		enum rp_err got = rp_outbox_find(w->ctl->ob, s->ids[i], &e, &err);

		if (got == RP_ERR_NOTFOUND) {
			w->n_missing++;
			say_missing(s->ids[i]);
		} else if (got != RP_OK) {
			code = rp_ctl_fail(&err);
		} else {
			code = see_found(w, &e);
		}
	}
	rp_entry_release(&e);
	return code;
}

int rp_walk_run(struct rp_walk *w)
{
	return w->ctl->selector.by_id ? walk_ids(w) : walk_filter(w);
}

bool rp_picks_add(struct rp_picks *p, uint64_t seq)
{
	if (p->n == p->cap) {
		size_t cap = p->cap > 0 ? p->cap * 2 : 1024;
		uint64_t *more = realloc(p->seqs, cap * sizeof more[0]);

		if (more == NULL)
			return false;
		p->seqs = more;
		p->cap = cap;
	}
	p->seqs[p->n++] = seq;
	return true;
}

void rp_picks_release(struct rp_picks *p)
{
	free(p->seqs);
	memset(p, 0, sizeof *p);
}

static bool pick(void *arg, const struct rp_entry *e)
{
	return rp_picks_add(arg, e->seq);
}

int rp_walk_pick(struct rp_ctl *ctl, struct rp_picks *p, uint64_t *n_missing)
{
	struct rp_walk w = {.ctl = ctl, .see = pick, .arg = p, .limit = ctl->selector.limit};
	int code = rp_walk_run(&w);

	*n_missing = w.n_missing;
	return code;
}

enum rp_err rp_walk_load(struct rp_ctl *ctl, uint64_t seq, struct rp_entry *out,
			 struct rp_error *err)
{
	const struct rp_filter filter = {.seq = seq};
	enum rp_err e = rp_outbox_first(ctl->ob, &filter, out, err);

	return e == RP_ERR_NOTFOUND ? rp_fail(err, e, "the entry was purged in the meantime") : e;
}

int rp_walk_briefs(struct rp_ctl *ctl, enum rp_state state, struct rp_select *s)
{
	struct rp_wanted wanted;
	struct rp_error err;
	int code = rp_wanted_init(&wanted, ctl);

	wanted.filter.states = RP_STATE_BIT(state);
	s->filter = &wanted.filter;
	s->now_at_ms = ctl->now_at_ms;
	s->more = code == RP_EXIT_OK;
	while (s->more)
		if (rp_outbox_select(ctl->ob, s, &err) != RP_OK)
			code = rp_ctl_fail(&err);
	rp_outbox_select_end(ctl->ob, s);
	rp_wanted_release(&wanted);
	return code;
}
