/* select_rows.c - goes along an index: of a state, of a run, of an order. A row tells part of what
 * the filter asks for; what is left is looked up, or, where a brief is enough, not at all. */

#include "store/lmdb/select_int.h"

#include <endian.h>
#include <string.h>

#include "store/lmdb/entry_rows.h"
#include "store/lmdb/handle.h"
#include "store/lmdb/index.h"
#include "store/lmdb/order.h"
#include "store/lmdb/time_marks.h"
#include "store/lmdb/tree/rows.h"
#include "store/lmdb/txn.h"

/* What it takes to go to the rows of one endpoint, in looks. */
enum { ENDPOINT_LOOKS = 8 };

/* One table that holds part of what is looked for: rows whose key begins with `prefix`. */
struct source {
	enum rp_table table;
	unsigned char prefix[RP_FIELD_PREFIX_MAX];
	size_t prefix_len;
};

static void put_prefix(struct source *s, const void *bytes, size_t n)
{
	memcpy(s->prefix + s->prefix_len, bytes, n);
	s->prefix_len += n;
}

static void put_number(struct source *s, uint64_t number)
{
	struct rp_key key = rp_key1(number);

	put_prefix(s, key.bytes, key.len);
}

/* --- which rows --------------------------------------------------------------------------- */

static bool source_of_state(const struct rp_select_plan *p, struct source *s)
{
	s->table = rp_index_table(p->state);
	if (p->state != RP_STATE_WAITING)
		return p->at.stage == 0;
	if (p->at.stage == 1) /* those behind another stand among the orders alone */
		s->table = RP_T_ORDER;
	if (p->by_endpoint)
		put_number(s, p->at.endpoint);
	return p->at.stage < 2;
}

/* A run's dedupe keys begin with its id, unless the entry was given a key of its own: those stand
 * in `run`. */
static bool source_of_run(const struct rp_filter *f, unsigned stage, struct source *s)
{
	s->table = stage == 0 ? RP_T_SEEN : RP_T_RUN;
	if (stage == 0)
		put_prefix(s, "r", 1);
	put_prefix(s, f->run_id.ptr, f->run_id.len);
	put_prefix(s, "", 1);
	return stage < 2;
}

static bool source_of_order(const struct rp_filter *f, unsigned stage, struct source *s)
{
	s->table = RP_T_ORDER;
	put_number(s, f->endpoints[0]);
	put_number(s, f->order_key);
	return stage == 0;
}

/* false: there are no more tables. */
static bool source_of(const struct rp_selecting *w, struct source *s)
{
	const struct rp_select_plan *p = w->plan;

	s->prefix_len = 0;
	if (p->at.way == RP_WAY_ORDER)
		return source_of_order(w->s->filter, p->at.stage, s);
	return p->at.way == RP_WAY_RUN ? source_of_run(w->s->filter, p->at.stage, s)
				       : source_of_state(p, s);
}

static void to_first_row(struct rp_select_at *at, uint64_t endpoint)
{
	at->endpoint = endpoint;
	at->stage = 0;
	at->key_len = 0;
}

/* The endpoint whose rows come next, from at.endpoint on; false: there is none. */
static bool to_endpoint(struct rp_select_plan *p)
{
	size_t low = 0, high = p->n_endpoints;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (p->endpoints[middle] < p->at.endpoint)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == p->n_endpoints)
		return false;
	if (p->endpoints[low] != p->at.endpoint)
		to_first_row(&p->at, p->endpoints[low]);
	return true;
}

/* --- what a row tells --------------------------------------------------------------------- */

/* A number of a key. The readers of base/bytes.h check every step; a million rows are felt. */
static uint64_t number(const MDB_val *v, size_t at)
{
	uint64_t n;

	memcpy(&n, (const char *)v->mv_data + at, sizeof n);
	return be64toh(n);
}

/* false: it is not what it must be; verify says so, and the entry decides. */
static bool read_brief(const struct source *s, const MDB_val *k, const MDB_val *v,
		       struct rp_brief *b)
{
	switch (s->table) {
	case RP_T_QUEUE:
	case RP_T_ORDER:
		if (k->mv_size != 24)
			return false;
		b->at_ms = s->table == RP_T_QUEUE ? (int64_t)number(k, 8) : 0;
		b->endpoint = number(k, 0);
		return true;
	case RP_T_DEAD:
		if (k->mv_size != 16 || !rp_entry_read_why(v, b))
			return false;
		break;
	case RP_T_HELD:
	case RP_T_DONE:
		if (k->mv_size != 16)
			return false;
		break;
	default:
		return true;
	}
	b->at_ms = (int64_t)number(k, 0);
	return true;
}

/* Of the rows of orders: whether it is one that is looked for. The others of a state have a row in
 * its own table. */
static bool wants_member(const struct rp_selecting *w, const MDB_val *v)
{
	bool behind, held;

	if (w->plan->at.way != RP_WAY_ORDER)
		return rp_order_row_waits(v);
	rp_order_read_row(v, &behind, &held);
	return !w->s->filter->front_only || !behind;
}

/* Whether the row is about an entry that may be meant; then *b has its number. */
static bool wants_row(const struct rp_selecting *w, const struct source *s, const MDB_val *k,
		      const MDB_val *v, bool *told, struct rp_brief *b)
{
	*b = (struct rp_brief){0};
	if (s->table == RP_T_SEEN)
		return v->mv_size == RP_ID_BYTES &&
		       rp_entry_seq(w->t, v->mv_data, &b->seq, NULL) == RP_OK;
	if (k->mv_size < 8 || (s->table == RP_T_ORDER && !wants_member(w, v)))
		return false;
	b->seq = number(k, k->mv_size - 8);
	*told = read_brief(s, k, v, b);
	if (w->s->see_brief != NULL)
		return *told &&
		       rp_filter_matches_brief(w->s->filter, w->plan->state, b, w->s->now_at_ms);
	return w->plan->at.way != RP_WAY_STATE || !*told ||
	       ((b->endpoint == 0 || rp_filter_wants_endpoint(w->s->filter, b->endpoint)) &&
		rp_filter_may_match_brief(w->s->filter, w->plan->state, b, w->s->now_at_ms) &&
		rp_selecting_wants_time(w, b->seq));
}

/* --- what is shown ------------------------------------------------------------------------ */

static enum rp_err count_bounds(struct rp_selecting *w, struct rp_brief *b, struct rp_error *err)
{
	enum rp_side side = RP_SIDE_LATER;
	struct rp_facts f;
	enum rp_err e;

	for (b->n_bounds_passed = 0; b->n_bounds_passed < w->s->n_bounds; b->n_bounds_passed++) {
		side = rp_mark_side(&w->plan->bounds[b->n_bounds_passed], b->seq);
		if (side != RP_SIDE_LATER)
			break;
	}
	if (side != RP_SIDE_EITHER)
		return RP_OK;
	e = rp_entry_facts(w->t, b->seq, &f, err); /* all zero, if that cannot be read */
	for (b->n_bounds_passed = 0; b->n_bounds_passed < w->s->n_bounds &&
				     w->s->bounds_at_ms[b->n_bounds_passed] <= f.accepted_at_ms;
	     b->n_bounds_passed++)
		;
	return e == RP_ERR_NOTFOUND || e == RP_ERR_DAMAGED ? RP_OK : e;
}

/* A row may lie about its entry; verify says so. Here the entry itself decides. */
static enum rp_err look_up(struct rp_selecting *w, uint64_t seq, struct rp_error *err)
{
	MDB_val v;
	enum rp_err e = rp_tree_rows_get(&w->deliveries, rp_key1(seq), &v, err);

	if (e != RP_OK)
		return e == RP_ERR_NOTFOUND ? RP_OK : e;
	return rp_selecting_look(w, seq, &v, err);
}

static enum rp_err see_row(struct rp_selecting *w, const struct source *s, const MDB_val *k,
			   const MDB_val *v, struct rp_error *err)
{
	struct rp_brief b;
	bool told = false;
	enum rp_err e;

	if (!wants_row(w, s, k, v, &told, &b))
		return RP_OK;
	if (w->s->see_brief == NULL)
		return look_up(w, b.seq, err);
	e = count_bounds(w, &b, err);
	if (e == RP_OK)
		w->s->see_brief(w->s->arg, &b);
	return e;
}

/* --- along them --------------------------------------------------------------------------- */

static bool has_prefix(const MDB_val *k, const struct source *s)
{
	return k->mv_size >= s->prefix_len && memcmp(k->mv_data, s->prefix, s->prefix_len) == 0;
}

static void remember(struct rp_select_at *at, const MDB_val *k)
{
	at->key_len = k->mv_size <= sizeof at->key ? k->mv_size : sizeof at->key;
	memcpy(at->key, k->mv_data, at->key_len);
}

/* Goes on behind the row it stopped at, which may be gone by now. *more: there may be more rows in
 * this source. */
static enum rp_err go_rows(struct rp_selecting *w, const struct source *s, struct rp_tree_rows *l,
			   bool *more, struct rp_error *err)
{
	struct rp_select_at *at = &w->plan->at;
	unsigned char start[sizeof at->key];
	MDB_val k = {s->prefix_len, start}, v;
	enum rp_err e;

	memcpy(start, s->prefix, s->prefix_len);
	/* These tables are in the order of time, and what came before is not wanted. */
	if (w->s->filter->has_entered &&
	    (s->table == RP_T_DEAD || s->table == RP_T_DONE || s->table == RP_T_HELD)) {
		struct rp_key from = rp_key1((uint64_t)w->s->filter->entered_since_ms);

		memcpy(start, from.bytes, from.len);
		k.mv_size = from.len;
	}
	if (at->key_len > 0) {
		memcpy(start, at->key, at->key_len);
		k.mv_size = at->key_len;
	}
	e = rp_tree_rows_seek(l, &k, at->key_len > 0, err);
	while (e == RP_OK && (e = rp_tree_rows_next(l, &k, &v, err)) == RP_OK &&
	       has_prefix(&k, s)) {
		*more = rp_selecting_is_full(w);
		if (*more)
			return RP_OK;
		w->rows++;
		remember(at, &k);
		e = see_row(w, s, &k, &v, err);
	}
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

static enum rp_err go_source(struct rp_selecting *w, const struct source *s, bool *more,
			     struct rp_error *err)
{
	struct rp_tree_rows l;
	enum rp_err e = rp_tree_rows_begin(&l, &w->t->ob->db, w->t->mdb, s->table, err);

	if (e == RP_OK)
		e = go_rows(w, s, &l, more, err);
	rp_tree_rows_end(&l);
	return e;
}

static enum rp_err go_stages(struct rp_selecting *w, bool *more, struct rp_error *err)
{
	struct rp_select_at *at = &w->plan->at;
	enum rp_err e = RP_OK;
	struct source s;

	while (e == RP_OK && !*more && source_of(w, &s)) {
		e = go_source(w, &s, more, err);
		if (e == RP_OK && !*more) {
			at->stage++;
			at->key_len = 0;
		}
	}
	return e;
}

enum rp_err rp_select_rows(struct rp_selecting *w, bool *more, struct rp_error *err)
{
	struct rp_select_plan *p = w->plan;
	enum rp_err e = RP_OK;

	if (!p->by_endpoint)
		return go_stages(w, more, err);
	while (e == RP_OK && !*more && to_endpoint(p)) {
		*more = rp_selecting_is_full(w);
		if (*more)
			return RP_OK;
		w->looks += ENDPOINT_LOOKS;
		e = go_stages(w, more, err);
		if (e == RP_OK && !*more)
			to_first_row(&p->at, p->at.endpoint + 1);
	}
	return e;
}
