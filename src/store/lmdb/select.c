/* select.c - chooses the way through the outbox for a filter: by the index, or the part of the
 * numbers, that leaves the fewest rows to look at. */

#include "store/lmdb/lmdb_ops.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "run/run.h"
#include "store/lmdb/entry_rows.h"
#include "store/lmdb/handle.h"
#include "store/lmdb/row.h"
#include "store/lmdb/select_int.h"
#include "store/lmdb/time_marks.h"
#include "store/lmdb/tree/rows.h"
#include "store/lmdb/txn.h"
#include "store/lmdb/viewer.h"

/* An index that leaves many entries to be looked up, here and there, against all records one after
 * the other. */
enum { LOOKUP_COSTS = 8 };
/* To go to the rows of one endpoint, against rows of others that are passed over. */
enum { ENDPOINT_COSTS = 300 };

/* --- what there can be -------------------------------------------------------------------- */

struct counts {
	uint64_t all[RP_STATE_COUNT];    /* of the outbox */
	uint64_t wanted[RP_STATE_COUNT]; /* of the endpoints that are wanted */
	uint64_t records;
};

/* The counters of the endpoints that are wanted, and which of them have something waiting. A
 * damaged record may have any. */
static enum rp_err count_endpoints(struct rp_txn *t, const struct rp_filter *f,
				   struct rp_select_plan *p, struct counts *c, struct rp_error *err)
{
	bool unknown = false;
	size_t i;
	int s;

	memset(c->wanted, 0, sizeof c->wanted);
	p->endpoints = calloc(f->n_endpoints + 1, sizeof p->endpoints[0]);
	if (p->endpoints == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	for (i = 0; i < f->n_endpoints; i++) {
		struct rp_endpoint ep;
		MDB_val v;
		bool sound;
		enum rp_err e = rp_row_get(t, RP_T_ENDPOINT, rp_key1(f->endpoints[i]), &v, err);

		if (e == RP_ERR_NOTFOUND)
			continue;
		if (e != RP_OK)
			return e;
		sound = rp_endpoint_unpack(&ep, f->endpoints[i], v.mv_data, v.mv_size);
		unknown = unknown || !sound;
		if (!sound || ep.count[RP_STATE_WAITING] > 0)
			p->endpoints[p->n_endpoints++] = f->endpoints[i];
		for (s = 0; s < RP_STATE_COUNT; s++)
			c->wanted[s] += ep.count[s];
	}
	if (unknown)
		memcpy(c->wanted, c->all, sizeof c->wanted);
	return RP_OK;
}

static enum rp_err count(struct rp_txn *t, const struct rp_filter *f, struct rp_select_plan *p,
			 struct counts *c, struct rp_error *err)
{
	int s;

	memcpy(c->all, t->head.count, sizeof c->all);
	memcpy(c->wanted, c->all, sizeof c->wanted);
	c->records = 0;
	for (s = RP_STATE_WAITING; s <= RP_STATE_DEAD; s++)
		c->records += c->all[s];
	return f->has_endpoints ? count_endpoints(t, f, p, c, err) : RP_OK;
}

/* The states that may hold what is wanted, without those that are known to be empty. */
static unsigned states_left(const struct rp_filter *f, const struct counts *c, uint64_t retrying)
{
	unsigned states = rp_filter_states(f), state;

	if ((f->retrying_only || (f->has_attempts && f->attempts_min > 0)) && retrying == 0)
		states &= ~RP_STATE_BIT(RP_STATE_WAITING);
	for (state = RP_STATE_WAITING; state <= RP_STATE_DEAD; state++)
		if (c->wanted[state] == 0)
			states &= ~RP_STATE_BIT(state);
	return states;
}

/* --- the way ------------------------------------------------------------------------------ */

/* Rows of waiting entries tell their endpoint and are not in the order of the records. When
 * another condition leaves most of them out, all records in their order cost less, unless the
 * waiting ones are few. */
static bool index_pays(const struct rp_filter *f, enum rp_state state, const struct counts *c)
{
	if (state != RP_STATE_WAITING ||
	    !(f->retrying_only || f->has_cause || f->has_attempts || f->has_older ||
	      f->thread_id.ptr != NULL || f->event.ptr != NULL))
		return true;
	return c->wanted[state] < c->records / LOOKUP_COSTS;
}

static enum rp_err mark_times(struct rp_txn *t, const struct rp_select *s, struct rp_select_plan *p,
			      struct rp_error *err)
{
	const struct rp_filter *f = s->filter;
	int64_t at_ms[2] = {f->has_since ? f->since_at_ms : 0, f->has_until ? f->until_at_ms : 0};
	struct rp_mark marks[2];
	enum rp_err e;

	if (s->n_bounds > 0)
		return rp_marks_find(t, s->bounds_at_ms, s->n_bounds, p->bounds, err);
	if (!f->has_since && !f->has_until)
		return RP_OK;
	e = rp_marks_find(t, at_ms, 2, marks, err);
	p->since = marks[0];
	p->until = marks[1];
	return e;
}

/* Where among the numbers there may be some that are wanted. Result: how many numbers. */
static uint64_t set_ranges(const struct rp_filter *f, uint64_t records, struct rp_select_plan *p)
{
	const struct rp_mark *m = f->has_since ? &p->since : &p->until;
	bool timed = f->has_since || f->has_until;
	uint64_t first = 0, total = 0;
	unsigned i;

	for (i = 0; timed && i < m->n; i++) {
		struct rp_select_range range = {f->has_since ? p->since.part[i].low : first,
						f->has_until ? p->until.part[i].high
							     : m->part[i].end_seq};

		first = m->part[i].end_seq;
		if (range.from_seq < range.to_seq) {
			p->ranges[p->n_ranges++] = range;
			total += range.to_seq - range.from_seq;
		}
	}
	p->ranges[p->n_ranges++] = (struct rp_select_range){first, 0}; /* without times: all */
	return timed ? total : records;
}

/* Of one that the filter names. */
static enum rp_err find_number(struct rp_txn *t, const struct rp_filter *f,
			       struct rp_select_plan *p, struct rp_error *err)
{
	enum rp_err e = RP_OK;

	p->at.way = RP_WAY_NUMBER;
	p->seq = f->seq;
	if (f->id != NULL)
		e = rp_entry_seq(t, f->id, &p->seq, err);
	if (e == RP_ERR_NOTFOUND || (f->seq != 0 && p->seq != f->seq))
		p->at.way = RP_WAY_NOTHING;
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

static bool is_one_order(const struct rp_filter *f)
{
	return f->order_key != 0 && f->has_endpoints && f->n_endpoints == 1;
}

static bool is_one_run(const struct rp_filter *f)
{
	return f->run_id.ptr != NULL && f->run_id.len <= RP_FIELD_MAX;
}

static enum rp_err choose(struct rp_txn *t, struct rp_select *s, struct rp_select_plan *p,
			  struct rp_error *err)
{
	const struct rp_filter *f = s->filter;
	struct counts c;
	enum rp_err e;

	s->n_total = 1;
	if (f->id != NULL || f->seq != 0)
		return find_number(t, f, p, err);
	e = count(t, f, p, &c, err);
	if (e != RP_OK)
		return e;
	s->n_total = 0;
	p->state = rp_filter_only_state(f);
	p->at.from_seq = f->from_seq;
	/* an order has rows of those that live */
	if (!s->by_number && is_one_order(f) && (rp_filter_states(f) & ~RP_STATES_LIVE) == 0) {
		p->at.way = RP_WAY_ORDER;
		return RP_OK;
	}
	/* Briefs cost little: they are seen even where a damaged counter says that there are
	 * none. */
	p->at.way = RP_WAY_NOTHING;
	if (states_left(f, &c, t->head.retrying) == 0 && s->see_brief == NULL)
		return RP_OK;
	if (!s->by_number && is_one_run(f)) {
		p->at.way = RP_WAY_RUN;
		return RP_OK;
	}
	e = mark_times(t, s, p, err);
	if (e != RP_OK)
		return e;
	if (s->by_number || p->state == 0 ||
	    (s->see_brief == NULL && !index_pays(f, p->state, &c))) {
		p->at.way = RP_WAY_RECORDS;
		s->n_total = set_ranges(f, c.records, p);
		return RP_OK;
	}
	p->at.way = RP_WAY_STATE;
	p->by_endpoint = f->has_endpoints && p->state == RP_STATE_WAITING &&
			 p->n_endpoints < c.all[p->state] / ENDPOINT_COSTS + 2;
	s->n_total = p->by_endpoint ? c.wanted[p->state] : c.all[p->state];
	return RP_OK;
}

/* --- the cursor: only what is used of the key --------------------------------------------- */

#define AT_BYTES_BEFORE_KEY offsetof(struct rp_select_at, key)

static void keep_cursor(const struct rp_select_at *at, struct rp_cursor *c)
{
	_Static_assert(sizeof *at <= sizeof c->bytes, "a cursor holds a place");
	c->len = AT_BYTES_BEFORE_KEY + at->key_len;
	memcpy(c->bytes, at, c->len);
}

/* One that was kept under another plan holds: the counts that led to it may have changed since. */
static bool read_cursor(const struct rp_cursor *c, struct rp_select_at *at)
{
	struct rp_select_at read = {0};

	if (c->len < AT_BYTES_BEFORE_KEY || c->len > sizeof read)
		return false;
	memcpy(&read, c->bytes, c->len);
	if (read.key_len != c->len - AT_BYTES_BEFORE_KEY || read.way < RP_WAY_NOTHING ||
	    read.way > RP_WAY_RECORDS)
		return false;
	*at = read;
	return true;
}

/* The bytes of a cursor may come from anywhere. */
static bool is_way_for(const struct rp_select *s, const struct rp_select_at *at)
{
	const struct rp_select_plan *p = s->plan;

	switch (at->way) {
	case RP_WAY_NOTHING:
		return true;
	case RP_WAY_NUMBER:
		return p->at.way == RP_WAY_NUMBER;
	case RP_WAY_ORDER:
		return s->see_brief == NULL && is_one_order(s->filter);
	case RP_WAY_RUN:
		return s->see_brief == NULL && is_one_run(s->filter);
	case RP_WAY_STATE:
		return p->state != 0 && (at->endpoint == 0 || s->filter->has_endpoints);
	case RP_WAY_RECORDS:
		return s->see_brief == NULL && p->at.way != RP_WAY_NUMBER;
	}
	return false;
}

static enum rp_err resume(struct rp_select *s, struct rp_error *err)
{
	struct rp_select_plan *p = s->plan;
	struct rp_select_at at;

	if (s->cursor.len == 0)
		return RP_OK;
	if (!read_cursor(&s->cursor, &at))
		return rp_fail(err, RP_ERR_INVAL, "no cursor of this outbox");
	if (!is_way_for(s, &at))
		return rp_fail(err, RP_ERR_INVAL, "a cursor of another filter");
	if (at.way == RP_WAY_RECORDS && p->at.way != RP_WAY_RECORDS)
		set_ranges(s->filter, 0, p);
	p->by_endpoint = at.way == RP_WAY_STATE && at.endpoint != 0;
	p->at = at;
	return RP_OK;
}

static enum rp_err make_plan(struct rp_txn *t, struct rp_select *s, struct rp_error *err)
{
	struct rp_select_plan *p = calloc(1, sizeof *p);
	enum rp_err e;

	if (p == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	s->plan = p;
	e = choose(t, s, p, err);
	if (e == RP_OK)
		e = resume(s, err);
	s->may_repeat = p->at.way != RP_WAY_NUMBER && p->at.way != RP_WAY_RECORDS;
	return e;
}

/* --- one call ----------------------------------------------------------------------------- */

static enum rp_err look_at_one(struct rp_selecting *w, struct rp_error *err)
{
	uint64_t seq = w->plan->seq;
	MDB_val v;
	enum rp_err e = rp_tree_rows_get(&w->deliveries, rp_key1(seq), &v, err);

	w->rows++;
	if (e != RP_OK)
		return e == RP_ERR_NOTFOUND ? RP_OK : e;
	return rp_selecting_look(w, seq, &v, err);
}

static enum rp_err go(struct rp_selecting *w, bool *more, struct rp_error *err)
{
	switch (w->plan->at.way) {
	case RP_WAY_NOTHING:
		return RP_OK;
	case RP_WAY_NUMBER:
		return look_at_one(w, err);
	case RP_WAY_ORDER:
	case RP_WAY_RUN:
	case RP_WAY_STATE:
		return rp_select_rows(w, more, err);
	case RP_WAY_RECORDS:
		return rp_select_records(w, more, err);
	}
	return rp_fail(err, RP_ERR_INVAL, "no cursor of this outbox");
}

enum rp_err rp_lmdb_select(struct rp_outbox *outbox, struct rp_select *s, struct rp_error *err)
{
	struct rp_txn t;
	struct rp_selecting w = {.t = &t, .s = s, .viewer.t = &t};
	bool more = false;
	enum rp_err e = rp_txn_read(rp_lmdb_of(outbox), &t, err);

	assert(s->n_bounds <= RP_SELECT_BOUNDS_MAX);
	assert((s->see != NULL) != (s->see_brief != NULL));
	s->more = false;
	if (e != RP_OK)
		return e;
	if (s->plan == NULL && (e = make_plan(&t, s, err)) != RP_OK) {
		rp_txn_end(&t);
		rp_lmdb_select_end(outbox, s); /* so that no call goes on with half a plan */
		return e;
	}
	w.plan = s->plan;
	e = rp_tree_rows_begin(&w.deliveries, &t.ob->db, t.mdb, RP_T_DELIVERY, err);
	if (e == RP_OK) {
		e = go(&w, &more, err);
		keep_cursor(&w.plan->at, &s->cursor);
	}
	s->more = e == RP_OK && more && !w.stopped;
	s->n_looked += w.rows;
	rp_tree_rows_end(&w.deliveries);
	rp_viewer_end(&w.viewer);
	rp_txn_end(&t);
	return e;
}

void rp_lmdb_select_end(struct rp_outbox *outbox, struct rp_select *s)
{
	struct rp_select_plan *p = s->plan;

	(void)outbox;
	if (p != NULL)
		free(p->endpoints);
	free(p);
	s->plan = NULL;
}
