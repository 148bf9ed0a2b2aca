/* select.c - shows the entries that a filter lets pass. The filter decides which rows are read, so
 * that few are; rp_filter_matches has the last word about each. */
#include "store/postgres/columns.h"
#include "store/postgres/postgres_ops.h"
#include "store/postgres/handle.h"

#include "model/filter.h"

#define LOOKED_A_CALL 2000

#define ROW "d.seq, p.name" RP_PG_DELIVERY(RP_PG_LIST_D) RP_PG_FACTS(RP_PG_LIST_E)
#define FROM_PIECE(piece)                                                                          \
	" FROM (" piece ") d JOIN entry e ON e.seq = d.seq"                                        \
	" LEFT JOIN endpoint p ON p.id = d.endpoint"

/* By number; each entry of a piece is looked at. */
static const struct rp_pg_statement by_number = {
    "select_by_number",
    "SELECT " ROW FROM_PIECE("SELECT * FROM delivery WHERE seq > $1::bigint ORDER BY seq"
			     " LIMIT $2::bigint") " ORDER BY d.seq"};
static const struct rp_pg_statement by_seq = {
    "select_by_seq", "SELECT " ROW FROM_PIECE("SELECT * FROM delivery WHERE seq = $1::bigint")};
static const struct rp_pg_statement by_id = {
    "select_by_id", "SELECT " ROW FROM_PIECE("SELECT w.* FROM entry i JOIN delivery w USING (seq)"
					     " WHERE i.id = $1::bytea")};
static const struct rp_pg_statement by_run = {
    "select_by_run",
    "SELECT " ROW FROM_PIECE(
	"SELECT w.* FROM entry i JOIN delivery w USING (seq) WHERE i.run_id = $1::text"
	" AND i.run_id <> '' AND i.seq > $2::bigint ORDER BY i.seq LIMIT $3::bigint") " ORDER BY "
										      "d.seq"};
static const struct rp_pg_statement by_order =
    {"select_by_order",
     "SELECT " ROW FROM_PIECE(
	 "SELECT * FROM delivery WHERE endpoint = $1::bigint AND order_key = $2::bigint AND"
	 " order_key <> 0 AND state IN (1, 2, 3) AND seq > $3::bigint ORDER BY seq LIMIT "
	 "$4::bigint") " ORDER BY d.seq"};
/* By the time of their state. */
#define BY_STATE(name, number)                                                                     \
	{                                                                                          \
		"select_" name,                                                                    \
		    "SELECT " ROW FROM_PIECE(                                                      \
			"SELECT * FROM delivery WHERE state = " number                             \
			" AND (state_at_ms, seq) > ($1::bigint, $2::bigint)"                       \
			" ORDER BY state_at_ms, seq LIMIT $3::bigint") " ORDER BY d.state_at_ms, " \
								       "d.seq"                     \
	}
static const struct rp_pg_statement held = BY_STATE("held", "3"),
				    delivered = BY_STATE("delivered", "4"),
				    dead = BY_STATE("dead", "5");

enum way { WAY_ID, WAY_SEQ, WAY_RUN, WAY_ORDER, WAY_STATE, WAY_NUMBER };

/* Behind which row it goes on. */
struct place {
	uint64_t seq;
	int64_t at_ms;
};

static enum way way_of(const struct rp_select *s)
{
	const struct rp_filter *f = s->filter;
	enum rp_state only = rp_filter_only_state(f);

	if (f->id != NULL)
		return WAY_ID;
	if (f->seq != 0)
		return WAY_SEQ;
	if (f->run_id.ptr != NULL && f->run_id.len > 0)
		return WAY_RUN;
	if (f->order_key != 0 && f->has_endpoints && f->n_endpoints == 1 &&
	    (rp_filter_states(f) & ~RP_STATES_LIVE) == 0)
		return WAY_ORDER;
	if (!s->by_number &&
	    (only == RP_STATE_HELD || only == RP_STATE_DELIVERED || only == RP_STATE_DEAD))
		return WAY_STATE;
	return WAY_NUMBER;
}

static size_t ask(struct rp_pgstore *store, const struct rp_select *s, enum way way,
		  const struct place *after)
{
	struct rp_pg_params *p = rp_pg_params(store->pg);
	const struct rp_filter *f = s->filter;
	enum rp_state only = rp_filter_only_state(f);

	switch (way) {
	case WAY_ID:
		rp_pg_put_bytea(p, (struct rp_span){(const char *)f->id, RP_ID_BYTES});
		return rp_pg_ask(store->pg, &by_id);
	case WAY_SEQ:
		rp_pg_put_i64(p, (int64_t)f->seq);
		return rp_pg_ask(store->pg, &by_seq);
	case WAY_RUN:
		rp_pg_put_text(p, f->run_id);
		rp_pg_put_i64(p, (int64_t)after->seq);
		rp_pg_put_i64(p, LOOKED_A_CALL);
		return rp_pg_ask(store->pg, &by_run);
	case WAY_ORDER:
		rp_pg_put_i64(p, (int64_t)f->endpoints[0]);
		rp_pg_put_i64(p, (int64_t)f->order_key);
		rp_pg_put_i64(p, (int64_t)after->seq);
		rp_pg_put_i64(p, LOOKED_A_CALL);
		return rp_pg_ask(store->pg, &by_order);
	case WAY_STATE:
		rp_pg_put_i64(p, after->at_ms);
		rp_pg_put_i64(p, (int64_t)after->seq);
		rp_pg_put_i64(p, LOOKED_A_CALL);
		return rp_pg_ask(store->pg, only == RP_STATE_HELD        ? &held
					    : only == RP_STATE_DELIVERED ? &delivered
									 : &dead);
	case WAY_NUMBER:
		break;
	}
	rp_pg_put_i64(p,
		      (int64_t)(after->seq > 0 || f->from_seq == 0 ? after->seq : f->from_seq - 1));
	rp_pg_put_i64(p, LOOKED_A_CALL);
	return rp_pg_ask(store->pg, &by_number);
}

static void show_brief(struct rp_select *s, const struct rp_entry *e)
{
	const struct rp_delivery *d = &e->delivery;
	struct rp_brief b = {.seq = e->seq,
			     .endpoint = d->endpoint,
			     .at_ms = d->state == RP_STATE_WAITING ? (d->behind ? 0 : d->due_at_ms)
								   : d->state_at_ms};

	if (d->state == RP_STATE_DEAD) {
		b.cause = d->cause;
		b.last_cause = d->last_cause;
		b.http_status = d->http_status;
	}
	while (b.n_bounds_passed < s->n_bounds &&
	       s->bounds_at_ms[b.n_bounds_passed] <= e->facts.accepted_at_ms)
		b.n_bounds_passed++;
	s->see_brief(s->arg, &b);
}

/* The rows from `after` on, until enough were seen. */
static void show_rows(struct rp_select *s, const struct rp_pg_rows *rows, struct place *after)
{
	struct rp_buf scratch = {.max = (size_t)1 << 20};
	size_t n = rp_pg_n_rows(rows), seen = 0, i;
	bool goes_on = true;

	for (i = 0; goes_on && i < n; i++) {
		struct rp_entry e = {.seq = (uint64_t)rp_pg_i64(rows, i, 0)};

		if (s->max_seen != 0 && seen == s->max_seen)
			break;
		rp_buf_clear(&scratch);
		rp_buf_reserve(&scratch, RP_FACTS_BYTES_MAX);
		e.endpoint = rp_pg_text(rows, i, 1, &scratch);
		rp_pg_read_columns(rows, i, 2, &rp_pg_delivery, &e.delivery, NULL);
		rp_pg_read_columns(rows, i, 2 + (int)rp_pg_delivery.n, &rp_pg_facts, &e.facts,
				   &scratch);
		*after = (struct place){e.seq, e.delivery.state_at_ms};
		s->n_looked++;
		if (!rp_filter_matches(s->filter, &e, s->now_at_ms))
			continue;
		seen++;
		if (s->see_brief != NULL)
			show_brief(s, &e);
		else
			goes_on = s->see(s->arg, &e);
	}
	s->more = goes_on && (i < n || n == LOOKED_A_CALL);
	rp_buf_release(&scratch);
}

enum rp_err rp_pgop_select(struct rp_outbox *outbox, struct rp_select *s, struct rp_error *err)
{
	struct rp_pgstore *store = rp_pgstore_of(outbox);
	struct place after = {0, INT64_MIN};
	const struct rp_pg_rows *rows;
	size_t number;
	enum rp_err e;

	if (s->cursor.len != 0 && s->cursor.len != sizeof after)
		return rp_fail(err, RP_ERR_INVAL, "no cursor of this outbox");
	memcpy(&after, s->cursor.bytes, s->cursor.len);
	s->more = false;
	e = rp_pg_reach(store, err);
	if (e != RP_OK)
		return e;
	number = ask(store, s, way_of(s), &after);
	e = rp_pg_go(store->pg, err);
	if (e != RP_OK)
		return e;
	rows = rp_pg_answer(store->pg, number);
	show_rows(s, rows, &after);
	s->may_repeat = way_of(s) == WAY_STATE;
	s->cursor.len = sizeof after;
	memcpy(s->cursor.bytes, &after, sizeof after);
	return RP_OK;
}

void rp_pgop_select_end(struct rp_outbox *outbox, struct rp_select *s)
{
	(void)outbox;
	s->plan = NULL;
}
