/* select.c - shows the entries that a filter lets pass. A call looks at a piece of them, which it
 * finds by an index that fits the filter, and loads those of the piece that may pass. The
 * conditions in SQL are there so that few are loaded, and leave out only what would be refused
 * here: rp_filter_matches has the last word. */
#include <stdlib.h>

#include "store/postgres/columns.h"
#include "store/postgres/postgres_ops.h"
#include "store/postgres/handle.h"

#include "model/filter.h"

/* A piece grows where few of it are meant. */
#define PIECE_MIN 2000
#define PIECE_MAX 32000
#define LOADED_A_CALL 2000
/* Paths whose entries are looked for one path after the other. */
#define PATHS_MAX 256

/* Parameters: $1, behind which number it goes on; $2, how many it looks at; the conditions, of
 * which an array or a text that is NULL asks for nothing; then those that a way has besides. */
#define OF_DELIVERY                                                                                \
	"d.state = ANY ($3::bigint[]) AND ($4::bigint[] IS NULL OR d.endpoint = ANY"               \
	" ($4::bigint[])) AND d.attempts BETWEEN $5::bigint AND $6::bigint AND d.state_at_ms"      \
	" BETWEEN $7::bigint AND $8::bigint AND ($9::bigint[] IS NULL OR d.cause = ANY"            \
	" ($9::bigint[]) OR d.last_cause = ANY ($9::bigint[]))"
#define OF_ENTRY                                                                                   \
	"(NOT $10::boolean OR (SELECT ($11::text IS NULL OR e.thread_id = $11::text) AND"          \
	" ($12::text IS NULL OR e.event = $12::text) AND e.accepted_at_ms >= $13::bigint AND"      \
	" e.accepted_at_ms < $14::bigint FROM entry e WHERE e.seq = d.seq))"
#define LOOKED "SELECT d.seq, d.state_at_ms, " OF_DELIVERY " AND " OF_ENTRY " AS ok FROM "
/* Those that may pass, and the last that was looked at. */
#define PICK(piece, order)                                                                         \
	"SELECT seq, state_at_ms, ok, n FROM (SELECT seq, state_at_ms, ok, row_number() OVER w"    \
	" AS n, lead(seq) OVER w IS NULL AS is_last FROM (" LOOKED piece " ORDER BY " order        \
	" LIMIT $2::bigint) d WINDOW w AS (ORDER BY " order                                        \
	")) d WHERE ok OR is_last ORDER BY " order
#define BY_NUMBER(name, piece)                                                                     \
	{                                                                                          \
		"select_" name, PICK(piece " AND d.seq > $1::bigint", "d.seq")                     \
	}
#define BY_TIME(name, number)                                                                      \
	{                                                                                          \
		"select_" name,                                                                    \
		    PICK("delivery d WHERE d.state = " number " AND (d.state_at_ms, d.seq) >"      \
			 " ($15::bigint, $1::bigint)",                                             \
			 "d.state_at_ms, d.seq")                                                   \
	}

static const struct rp_pg_statement by_number = BY_NUMBER("by_number", "delivery d WHERE true"),
				    by_seq =
					BY_NUMBER("by_seq", "delivery d WHERE d.seq = $15::bigint"),
				    by_id = BY_NUMBER("by_id", "entry i JOIN delivery d USING (seq)"
							       " WHERE i.id = $15::bytea"),
				    held = BY_TIME("held", "3"),
				    delivered = BY_TIME("delivered", "4"),
				    dead = BY_TIME("dead", "5");
static const struct rp_pg_statement by_order =
    BY_NUMBER("by_order", "delivery d WHERE d.endpoint = $15::bigint AND d.order_key ="
			  " $16::bigint AND d.order_key <> 0 AND d.state IN (1, 2, 3)");
/* Of the same run, thread or path the first by number: the row comparison names the index. */
#define OF_TEXT(name, column)                                                                      \
	BY_NUMBER(name, "(SELECT i.seq FROM entry i WHERE i." column " = $15::text AND i." column  \
			" <> '' AND (i." column ", i.seq) > ($15::text, $1::bigint) ORDER BY"      \
			" i." column ", i.seq LIMIT $2::bigint) i JOIN delivery d USING (seq)"     \
			" WHERE true")
static const struct rp_pg_statement by_run = OF_TEXT("by_run", "run_id"),
				    by_thread = OF_TEXT("by_thread", "thread_id");
static const struct rp_pg_statement by_paths =
    BY_NUMBER("by_paths", "(SELECT i.seq FROM unnest($15::bigint[]) AS n (id) CROSS JOIN LATERAL"
			  " (SELECT i.seq FROM entry i WHERE i.endpoint = n.id AND (i.endpoint,"
			  " i.seq) > (n.id, $1::bigint) ORDER BY i.endpoint, i.seq LIMIT"
			  " $2::bigint) i ORDER BY i.seq LIMIT $2::bigint) i"
			  " JOIN delivery d USING (seq) WHERE true");

/* In the order of the numbers given. */
static const struct rp_pg_statement load_entries = {
    "select_load", "SELECT d.seq, p.name" RP_PG_DELIVERY(RP_PG_LIST_D)
		       RP_PG_FACTS(RP_PG_LIST_E) " FROM unnest($1::bigint[]) WITH ORDINALITY AS n "
						 "(seq, place) JOIN delivery d USING (seq)"
						 " JOIN entry e USING (seq) LEFT JOIN endpoint p "
						 "ON p.id = d.endpoint ORDER BY n.place"};
static const struct rp_pg_statement load_briefs = {
    "select_briefs", "SELECT d.seq, NULL::text" RP_PG_DELIVERY(
			 RP_PG_LIST_D) " FROM unnest($1::bigint[])"
				       " WITH ORDINALITY AS n (seq, place) JOIN delivery d USING "
				       "(seq) ORDER BY n.place"};

enum way { WAY_ID, WAY_SEQ, WAY_RUN, WAY_ORDER, WAY_STATE, WAY_THREAD, WAY_PATHS, WAY_NUMBER };

/* Behind which row it goes on, and how many it looks at next. */
struct place {
	uint64_t seq;
	int64_t at_ms, piece;
};

static bool has_text(struct rp_span text)
{
	return text.ptr != NULL && text.len > 0;
}

static enum way way_of(const struct rp_select *s)
{
	const struct rp_filter *f = s->filter;
	enum rp_state only = rp_filter_only_state(f);

	if (f->id != NULL)
		return WAY_ID;
	if (f->seq != 0)
		return WAY_SEQ;
	if (has_text(f->run_id))
		return WAY_RUN;
	if (f->order_key != 0 && f->has_endpoints && f->n_endpoints == 1 &&
	    (rp_filter_states(f) & ~RP_STATES_LIVE) == 0)
		return WAY_ORDER;
	if (has_text(f->thread_id))
		return WAY_THREAD;
	if (!s->by_number && (only == RP_STATE_HELD || only == RP_STATE_DEAD))
		return WAY_STATE;
	if (f->has_endpoints && f->n_endpoints <= PATHS_MAX)
		return WAY_PATHS;
	if (!s->by_number && only == RP_STATE_DELIVERED)
		return WAY_STATE;
	return WAY_NUMBER;
}

/* --- what is asked ----------------------------------------------------------------------- */

static void put_states(struct rp_pg_params *p, unsigned mask)
{
	uint64_t states[RP_STATE_DEAD + 1];
	size_t n = 0;
	unsigned state;

	for (state = RP_STATE_WAITING; state <= RP_STATE_DEAD; state++)
		if ((mask & RP_STATE_BIT(state)) != 0)
			states[n++] = state;
	rp_pg_put_u64_array(p, states, n);
}

static void put_causes(struct rp_pg_params *p, const struct rp_filter *f)
{
	uint64_t causes[RP_CAUSE_MAX_];
	size_t n = 0;
	unsigned cause;

	if (f->has_group) {
		causes[n++] = f->group.cause;
	} else if (f->has_cause) {
		for (cause = 0; cause < RP_CAUSE_MAX_; cause++)
			if (rp_cause_matches(f->cause, (enum rp_cause)cause))
				causes[n++] = cause;
	}
	if (n > 0)
		rp_pg_put_u64_array(p, causes, n);
	else
		rp_pg_put_null(p);
}

static void put_text(struct rp_pg_params *p, struct rp_span text)
{
	if (text.ptr != NULL)
		rp_pg_put_text(p, text);
	else
		rp_pg_put_null(p);
}

/* Who retries has been tried. */
static int64_t attempts_min(const struct rp_filter *f)
{
	int64_t min = f->has_attempts ? f->attempts_min : 0;

	return min == 0 && f->retrying_only && rp_filter_only_state(f) == RP_STATE_WAITING ? 1
											   : min;
}

static void put_conditions(struct rp_pg_params *p, const struct rp_select *s)
{
	const struct rp_filter *f = s->filter;

	put_states(p, rp_filter_states(f));
	if (f->has_endpoints)
		rp_pg_put_u64_array(p, f->endpoints, f->n_endpoints);
	else
		rp_pg_put_null(p);
	rp_pg_put_i64(p, attempts_min(f));
	rp_pg_put_i64(p, f->has_attempts ? f->attempts_max : UINT32_MAX);
	rp_pg_put_i64(p, f->has_entered ? f->entered_since_ms : INT64_MIN);
	rp_pg_put_i64(p, f->has_older ? s->now_at_ms - f->older_than_ms : INT64_MAX);
	put_causes(p, f);
	rp_pg_put_bool(p, f->thread_id.ptr != NULL || f->event.ptr != NULL || f->has_since ||
			      f->has_until);
	put_text(p, f->thread_id);
	put_text(p, f->event);
	rp_pg_put_i64(p, f->has_since ? f->since_at_ms : INT64_MIN);
	rp_pg_put_i64(p, f->has_until ? f->until_at_ms : INT64_MAX);
}

static const struct rp_pg_statement *state_statement(const struct rp_select *s)
{
	switch ((int)rp_filter_only_state(s->filter)) {
	case RP_STATE_HELD:
		return &held;
	case RP_STATE_DELIVERED:
		return &delivered;
	default:
		return &dead;
	}
}

/* Puts what the way has besides. */
static const struct rp_pg_statement *put_way(struct rp_pg_params *p, const struct rp_select *s,
					     const struct place *after)
{
	const struct rp_filter *f = s->filter;

	switch (way_of(s)) {
	case WAY_ID:
		rp_pg_put_bytea(p, (struct rp_span){(const char *)f->id, RP_ID_BYTES});
		return &by_id;
	case WAY_SEQ:
		rp_pg_put_i64(p, (int64_t)f->seq);
		return &by_seq;
	case WAY_RUN:
		rp_pg_put_text(p, f->run_id);
		return &by_run;
	case WAY_THREAD:
		rp_pg_put_text(p, f->thread_id);
		return &by_thread;
	case WAY_ORDER:
		rp_pg_put_i64(p, (int64_t)f->endpoints[0]);
		rp_pg_put_i64(p, (int64_t)f->order_key);
		return &by_order;
	case WAY_PATHS:
		rp_pg_put_u64_array(p, f->endpoints, f->n_endpoints);
		return &by_paths;
	case WAY_STATE:
		rp_pg_put_i64(p, after->at_ms);
		return state_statement(s);
	case WAY_NUMBER:
		break;
	}
	return &by_number;
}

/* --- a piece ----------------------------------------------------------------------------- */

struct piece {
	uint64_t *seqs; /* those that may pass */
	size_t n;
	bool cut, ended; /* there are more in it; nothing is behind it */
	struct place end;
};

static enum rp_err note_piece(struct piece *piece, const struct rp_pg_rows *rows, size_t max,
			      struct rp_error *err)
{
	size_t n = rp_pg_n_rows(rows), i;

	piece->seqs = malloc((n + 1) * sizeof *piece->seqs);
	if (piece->seqs == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	for (i = 0; i < n && !piece->cut; i++) {
		piece->end.seq = (uint64_t)rp_pg_i64(rows, i, 0);
		piece->end.at_ms = rp_pg_i64(rows, i, 1);
		if (rp_pg_bool(rows, i, 2))
			piece->seqs[piece->n++] = piece->end.seq;
		piece->cut = piece->n == max && i + 1 < n;
	}
	piece->ended = n == 0 || rp_pg_i64(rows, n - 1, 3) < piece->end.piece;
	return RP_OK;
}

static enum rp_err find_piece(struct rp_pgstore *store, struct rp_select *s,
			      const struct place *after, struct piece *out, struct rp_error *err)
{
	struct rp_pg_params *p = rp_pg_params(store->pg);
	size_t max = s->max_seen != 0 && s->max_seen < LOADED_A_CALL ? s->max_seen : LOADED_A_CALL;
	uint64_t from = s->filter->from_seq;
	const struct rp_pg_rows *rows;
	size_t number;
	enum rp_err e;

	*out = (struct piece){.end = *after};
	if (way_of(s) != WAY_STATE && from > 0 && from - 1 > after->seq)
		out->end.seq = from - 1;
	rp_pg_put_i64(p, (int64_t)out->end.seq);
	rp_pg_put_i64(p, after->piece);
	put_conditions(p, s);
	number = rp_pg_ask(store->pg, put_way(p, s, after));
	e = rp_pg_go(store->pg, err);
	if (e != RP_OK)
		return e;
	rows = rp_pg_answer(store->pg, number);
	e = note_piece(out, rows, max, err);
	if (e != RP_OK || rp_pg_n_rows(rows) == 0)
		return e;
	s->n_looked += (uint64_t)rp_pg_i64(rows, rp_pg_n_rows(rows) - 1, 3);
	if (!out->cut && out->n < (size_t)after->piece / 8 && after->piece < PIECE_MAX)
		out->end.piece = after->piece * 4;
	return RP_OK;
}

/* --- what is shown ----------------------------------------------------------------------- */

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

/* false: it has been told to stop. */
static bool show(struct rp_select *s, const struct rp_pg_rows *rows, bool whole)
{
	struct rp_buf scratch = {.max = (size_t)1 << 20};
	size_t n = rp_pg_n_rows(rows), i;
	bool goes_on = true;

	for (i = 0; goes_on && i < n; i++) {
		struct rp_entry e = {.seq = (uint64_t)rp_pg_i64(rows, i, 0)};

		rp_buf_clear(&scratch);
		rp_buf_reserve(&scratch, RP_FACTS_BYTES_MAX);
		rp_pg_read_columns(rows, i, 2, &rp_pg_delivery, &e.delivery, NULL);
		e.facts.endpoint = e.delivery.endpoint;
		if (whole) {
			e.endpoint = rp_pg_text(rows, i, 1, &scratch);
			rp_pg_read_columns(rows, i, 2 + (int)rp_pg_delivery.n, &rp_pg_facts,
					   &e.facts, &scratch);
		}
		if (!rp_filter_matches(s->filter, &e, s->now_at_ms))
			continue;
		if (s->see_brief != NULL)
			show_brief(s, &e);
		else
			goes_on = s->see(s->arg, &e);
	}
	rp_buf_release(&scratch);
	return goes_on;
}

static enum rp_err load_and_show(struct rp_pgstore *store, struct rp_select *s,
				 const struct piece *piece, struct rp_error *err)
{
	bool whole = s->see_brief == NULL || s->n_bounds > 0;
	size_t number;
	enum rp_err e;

	s->more = piece->cut || !piece->ended;
	if (piece->n == 0)
		return RP_OK;
	rp_pg_put_u64_array(rp_pg_params(store->pg), piece->seqs, piece->n);
	number = rp_pg_ask(store->pg, whole ? &load_entries : &load_briefs);
	e = rp_pg_go(store->pg, err);
	if (e == RP_OK && !show(s, rp_pg_answer(store->pg, number), whole))
		s->more = false;
	return e;
}

enum rp_err rp_pgop_select(struct rp_outbox *outbox, struct rp_select *s, struct rp_error *err)
{
	struct rp_pgstore *store = rp_pgstore_of(outbox);
	struct place after = {0, INT64_MIN, PIECE_MIN};
	struct piece piece;
	enum rp_err e;

	if (s->cursor.len != 0 && s->cursor.len != sizeof after)
		return rp_fail(err, RP_ERR_INVAL, "no cursor of this outbox");
	memcpy(&after, s->cursor.bytes, s->cursor.len);
	if (after.piece < PIECE_MIN || after.piece > PIECE_MAX * 4)
		return rp_fail(err, RP_ERR_INVAL, "no cursor of this outbox");
	s->more = false;
	s->may_repeat = way_of(s) == WAY_STATE;
	e = rp_pg_reach(store, err);
	if (e != RP_OK)
		return e;
	e = find_piece(store, s, &after, &piece, err);
	if (e == RP_OK)
		e = load_and_show(store, s, &piece, err);
	free(piece.seqs);
	if (e != RP_OK)
		return e;
	s->cursor.len = sizeof piece.end;
	memcpy(s->cursor.bytes, &piece.end, sizeof piece.end);
	return RP_OK;
}

void rp_pgop_select_end(struct rp_outbox *outbox, struct rp_select *s)
{
	(void)outbox;
	s->plan = NULL;
}
