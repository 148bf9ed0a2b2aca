/* walk.c - calls a verb for each entry of a selection. It reads in short transactions and gives
 * the entries out between them, so that a slow reader pins nothing. */

#include "ctl/select/walk.h"

#include <stdlib.h>

#include "ctl/select/route.h"
#include "ctl/select/seqset.h"
#include "ctl/common/stop.h"

/* A list of a terminal answers at once: what is beyond its limit is counted only as far as this
 * takes. */
enum { PAGE_ENTRIES = 500, COUNT_MORE_US = 50 * 1000 };

struct page_state {
	struct rp_walk *w;
	struct rp_seqset *met; /* NULL: none is met twice */
	bool no_memory, full;
};

static bool see_paged(void *arg, const struct rp_entry *e)
{
	struct page_state *state = arg;
	struct rp_walk *w = state->w;
	bool is_new = true;

	if (!rp_selector_match(&w->ctl->selector, e, w->ctl->now_at_ms))
		return true;
	state->no_memory = state->met != NULL && !rp_seqset_add(state->met, e->seq, &is_new);
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

static int walk_route(struct rp_walk *w, struct rp_route *route, struct page_state *state)
{
	int64_t counting_since_us = 0;
	struct rp_error err;
	bool more;

	do {
		int code;

		if (rp_route_page(route, &more, &err) != RP_OK) {
			rp_progress_end(&w->progress);
			return rp_ctl_fail(&err);
		}
		if (state->no_memory)
			return rp_ctl_no_memory();
		if (rp_stop_asked())
			return RP_EXIT_INTERRUPTED;
		rp_progress_at(&w->progress, rp_route_looked(route));
		code = w->between != NULL ? w->between(w->arg) : RP_EXIT_OK;
		if (code != RP_EXIT_OK)
			return code;
		if (w->n_more > 0 && counting_since_us == 0)
			counting_since_us = rp_sys_stopwatch_us();
		if (more && counting_since_us != 0 &&
		    rp_sys_stopwatch_us() - counting_since_us > COUNT_MORE_US) {
			w->more_uncounted = true;
			return RP_EXIT_OK;
		}
	} while (more && !state->full);
	return RP_EXIT_OK;
}

static int walk_pages(struct rp_walk *w)
{
	struct page_state state = {.w = w};
	struct rp_route_eyes eyes = {.max_seen = PAGE_ENTRIES, .see = see_paged, .arg = &state};
	struct rp_seqset met = {0};
	struct rp_route route;
	struct rp_error err;
	int code;

	if (rp_route_plan(w->ctl, &eyes, &route, &err) != RP_OK) {
		code = rp_ctl_fail(&err);
	} else {
		if (route.may_repeat)
			state.met = &met;
		if (!w->quiet)
			rp_progress_begin(&w->progress, w->ctl->verb->name, route.total, false);
		code = walk_route(w, &route, &state);
		rp_progress_end(&w->progress);
	}
	rp_seqset_release(&met);
	rp_route_release(&route);
	return code;
}

static void say_missing(const unsigned char id[RP_ID_BYTES])
{
	char text[RP_ID_TEXT_MAX];

	rp_ctl_say("%s: no such entry: it was purged, has outlived its keeping time, or belongs to "
		   "another outbox",
		   rp_id_format(id, text));
}

static int see_found(struct rp_walk *w, const struct rp_entry *e)
{
	int code;

	if (!rp_selector_match(&w->ctl->selector, e, w->ctl->now_at_ms))
		return RP_EXIT_OK;
	if (w->limit != 0 && w->n_seen >= w->limit) {
		w->n_more++;
		return RP_EXIT_OK;
	}
	w->n_seen++;
	if (!w->see(w->arg, e))
		return rp_ctl_no_memory();
	code = w->between != NULL ? w->between(w->arg) : RP_EXIT_OK;
	return code;
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
	return w->ctl->selector.by_id ? walk_ids(w) : walk_pages(w);
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

struct load {
	uint64_t seq;
	struct rp_entry *out;
	bool found, no_memory;
};

static bool copy_span(struct rp_buf *text, struct rp_span *s)
{
	size_t at = text->len;

	if (!rp_buf_add(text, s->ptr, s->len))
		return false;
	s->ptr = text->data + at;
	return true;
}

static bool copy_entry(const struct rp_entry *from, struct rp_entry *to)
{
	struct rp_buf text = to->text;
	struct rp_facts *f = &to->facts;

	rp_buf_clear(&text);
	*to = *from;
	/* room for everything first: a buffer that moved would leave the earlier spans behind */
	if (!rp_buf_reserve(&text, from->endpoint.len + f->url.len + f->run_id.len +
				       f->operation.len + f->thread_id.len + f->event.len +
				       f->order_by.len + f->headers.len + f->dedupe_key.len)) {
		to->text = text;
		return false;
	}
	copy_span(&text, &to->endpoint);
	copy_span(&text, &f->url);
	copy_span(&text, &f->run_id);
	copy_span(&text, &f->thread_id);
	copy_span(&text, &f->event);
	copy_span(&text, &f->operation);
	copy_span(&text, &f->order_by);
	copy_span(&text, &f->headers);
	copy_span(&text, &f->dedupe_key);
	to->text = text;
	return true;
}

static bool see_one(void *arg, const struct rp_entry *e)
{
	struct load *load = arg;

	if (e->seq == load->seq) {
		load->found = true;
		load->no_memory = !copy_entry(e, load->out);
	}
	return false;
}

enum rp_err rp_walk_load(struct rp_ctl *ctl, uint64_t seq, struct rp_entry *out,
			 struct rp_error *err)
{
	struct load load = {.seq = seq, .out = out};
	struct rp_page page = {.from_seq = seq, .max_seen = 1, .see = see_one, .arg = &load};
	enum rp_err e = rp_outbox_page(ctl->ob, &page, err);

	if (e != RP_OK)
		return e;
	if (load.no_memory)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	return load.found ? RP_OK
			  : rp_fail(err, RP_ERR_NOTFOUND, "the entry was purged in the meantime");
}
