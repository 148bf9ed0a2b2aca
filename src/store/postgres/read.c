/* read.c - answers questions about an entry, the outbox and its endpoints. */
#include <stdlib.h>

#include "store/postgres/columns.h"
#include "store/postgres/postgres_ops.h"
#include "store/postgres/txn_int.h"

#define ENDPOINTS_A_PIECE 1000
#define RECENT_A_CALL 256

static const struct rp_pg_statement read_attempts = {
    "read_attempts",
    "SELECT n, response" RP_PG_ATTEMPT(RP_PG_LIST) " FROM attempt"
						   " WHERE seq = $1::bigint ORDER BY n"};
static const struct rp_pg_statement read_body = {
    "read_body", "SELECT payload, payload_hash FROM entry WHERE seq = $1::bigint"};
/* Those that were settled by transactions that all are over: a number below the last one seen may
 * still be on its way. */
static const struct rp_pg_statement read_recent = {
    "read_recent",
    "SELECT number, settled_at_ms, seq, endpoint, attempt, cause, late, http_status, slot,"
    " duration_ms FROM recent WHERE number >= $1::bigint"
    " AND xid < pg_snapshot_xmin(pg_current_snapshot()) ORDER BY number LIMIT $2::bigint"};
static const struct rp_pg_statement last_recent = {"last_recent",
						   "SELECT coalesce(max(number), 0) FROM recent"};
static const struct rp_pg_statement read_sizes = {
    "read_sizes",
    "SELECT (SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c WHERE c.relnamespace ="
    " current_schema()::regnamespace AND c.relkind = 'r')::bigint,"
    " (SELECT first_due_at_ms FROM endpoint WHERE level = 0 AND first_due_at_ms IS NOT NULL"
    " ORDER BY first_due_at_ms LIMIT 1),"
    " (SELECT state_at_ms FROM delivery WHERE state = 4 ORDER BY state_at_ms LIMIT 1),"
    " (SELECT state_at_ms FROM delivery WHERE state = 5 ORDER BY state_at_ms LIMIT 1)"};
static const struct rp_pg_statement first_of_queues = {
    "first_of_queues",
    "SELECT q.id, m.id, m.level, m.first_due_at_ms FROM unnest($1::bigint[]) AS q (id)"
    " CROSS JOIN LATERAL (SELECT id, level, first_due_at_ms, ready_at_ms FROM endpoint"
    " WHERE queue = q.id AND ready_at_ms IS NOT NULL ORDER BY ready_at_ms, id LIMIT 1) m"
    " ORDER BY m.ready_at_ms LIMIT 1"};
static const struct rp_pg_statement list_endpoints = {
    "list_endpoints",
    "SELECT " RP_PG_ENDPOINT_ROW " FROM endpoint e WHERE e.id >= $1::bigint AND e.id < $2::bigint"
    " AND e.level = ANY($3::bigint[]) ORDER BY e.id LIMIT $4::bigint"};
static const struct rp_pg_statement find_endpoint = {
    "find_endpoint", "SELECT id FROM endpoint WHERE level = $1::bigint AND name_hash = $2::bytea"};

/* One statement of which the first parameters are put already. */
static enum rp_err ask(struct rp_pgstore *s, const struct rp_pg_statement *statement,
		       const struct rp_pg_rows **rows, struct rp_error *err)
{
	size_t number = rp_pg_ask(s->pg, statement);
	enum rp_err e = rp_pg_go(s->pg, err);

	if (e == RP_OK)
		*rows = rp_pg_answer(s->pg, number);
	return e;
}

/* --- entries ----------------------------------------------------------------------------- */

enum rp_err rp_pgop_attempts(struct rp_outbox *outbox, uint64_t seq,
			     void (*see)(void *arg, uint32_t n, const struct rp_attempt *a,
					 bool damaged),
			     void *arg, struct rp_error *err)
{
	struct rp_pgstore *s = rp_pgstore_of(outbox);
	struct rp_buf scratch = {.max = (size_t)1 << 20};
	const struct rp_pg_rows *rows;
	enum rp_err e = rp_pg_reach(s, err);
	size_t i;

	if (e != RP_OK)
		return e;
	rp_pg_put_i64(rp_pg_params(s->pg), (int64_t)seq);
	e = ask(s, &read_attempts, &rows, err);
	for (i = 0; e == RP_OK && i < rp_pg_n_rows(rows); i++) {
		struct rp_attempt a = {.late = false};
		struct rp_span response = rp_pg_bytes(rows, i, 1);

		rp_buf_clear(&scratch);
		rp_pg_read_columns(rows, i, 2, &rp_pg_attempt, &a, &scratch);
		a.outcome.response_bytes = response.len < sizeof a.outcome.response
					       ? response.len
					       : sizeof a.outcome.response;
		memcpy(a.outcome.response, response.ptr, a.outcome.response_bytes);
		see(arg, (uint32_t)rp_pg_i64(rows, i, 0), &a, false);
	}
	rp_buf_release(&scratch);
	return e;
}

enum rp_err rp_pgop_body(struct rp_outbox *outbox, uint64_t seq, struct rp_buf *out,
			 struct rp_error *err)
{
	struct rp_pgstore *s = rp_pgstore_of(outbox);
	const struct rp_pg_rows *rows;
	struct rp_span payload;
	enum rp_err e = rp_pg_reach(s, err);

	if (e != RP_OK)
		return e;
	rp_pg_put_i64(rp_pg_params(s->pg), (int64_t)seq);
	e = ask(s, &read_body, &rows, err);
	if (e != RP_OK)
		return e;
	if (rp_pg_n_rows(rows) == 0)
		return rp_fail(err, RP_ERR_NOTFOUND, "no such entry");
	payload = rp_pg_bytes(rows, 0, 0);
	if (!rp_buf_add(out, payload.ptr, payload.len))
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	if (rp_payload_hash(payload.ptr, payload.len) != (uint64_t)rp_pg_i64(rows, 0, 1))
		return rp_fail(err, RP_ERR_DAMAGED, "the payload does not match its hash");
	return RP_OK;
}

static void see_recent(struct rp_recent_page *page, const struct rp_pg_rows *rows)
{
	size_t n = rp_pg_n_rows(rows), i;

	for (i = 0; i < n && i < RECENT_A_CALL; i++) {
		const struct rp_recent r = {.number = (uint64_t)rp_pg_i64(rows, i, 0),
					    .settled_at_ms = rp_pg_i64(rows, i, 1),
					    .seq = (uint64_t)rp_pg_i64(rows, i, 2),
					    .endpoint = (uint64_t)rp_pg_i64(rows, i, 3),
					    .attempt = (uint32_t)rp_pg_i64(rows, i, 4),
					    .cause = (enum rp_cause)rp_pg_i64(rows, i, 5),
					    .late = rp_pg_bool(rows, i, 6),
					    .http_status = (unsigned)rp_pg_i64(rows, i, 7),
					    .slot = (unsigned)rp_pg_i64(rows, i, 8),
					    .duration_ms = (uint32_t)rp_pg_i64(rows, i, 9)};

		if (page->from > 0 && i == 0)
			page->n_missed = r.number - page->from;
		page->from = r.number + 1;
		page->see(page->arg, &r);
	}
	page->more = n > RECENT_A_CALL;
}

enum rp_err rp_pgop_recent(struct rp_outbox *outbox, struct rp_recent_page *page,
			   struct rp_error *err)
{
	struct rp_pgstore *s = rp_pgstore_of(outbox);
	const struct rp_pg_rows *rows;
	struct rp_pg_params *p;
	enum rp_err e = rp_pg_reach(s, err);

	page->more = false;
	page->n_missed = 0;
	if (e != RP_OK)
		return e;
	p = rp_pg_params(s->pg);
	if (page->from == RP_RECENT_END) {
		e = ask(s, &last_recent, &rows, err);
		if (e == RP_OK)
			page->from = (uint64_t)rp_pg_i64(rows, 0, 0) + 1;
		return e;
	}
	rp_pg_put_i64(p, (int64_t)page->from);
	rp_pg_put_i64(p, RECENT_A_CALL + 1);
	e = ask(s, &read_recent, &rows, err);
	if (e == RP_OK)
		see_recent(page, rows);
	return e;
}

/* --- counts ------------------------------------------------------------------------------ */

enum rp_err rp_pgop_ledger(struct rp_outbox *outbox, struct rp_ledger *out, struct rp_error *err)
{
	struct rp_pg_totals totals;
	struct rp_head h = {.accepted = 0};
	enum rp_err e = rp_pg_totals_read(rp_pgstore_of(outbox), &totals, NULL, NULL, err);

	rp_ledger_part_total(&totals.ledger, &h);
	*out = (struct rp_ledger){.accepted = h.accepted,
				  .waiting = h.count[RP_STATE_WAITING],
				  .in_flight = h.count[RP_STATE_IN_FLIGHT],
				  .held = h.count[RP_STATE_HELD],
				  .delivered = h.count[RP_STATE_DELIVERED],
				  .dead = h.count[RP_STATE_DEAD],
				  .purged = h.purged};
	return e;
}

enum rp_err rp_pgop_counters(struct rp_outbox *outbox, struct rp_counters *out,
			     void (*see)(void *arg, struct rp_span name, const struct rp_series *s),
			     void *arg, struct rp_error *err)
{
	struct rp_pg_totals totals;
	enum rp_err e = rp_pg_totals_read(rp_pgstore_of(outbox), &totals, see, arg, err);

	*out = totals.counters;
	return e;
}

/* When the first entry is due of the path that an exchange would look at first. */
static enum rp_err next_due(struct rp_pgstore *s, int64_t *at_ms, struct rp_error *err)
{
	uint64_t queues[2] = {RP_QUEUE_UNPROVEN, RP_QUEUE_PROVEN};
	const struct rp_pg_rows *rows;
	size_t n = 2;
	enum rp_err e;

	*at_ms = RP_NEVER;
	for (;;) {
		rp_pg_put_u64_array(rp_pg_params(s->pg), queues, n);
		e = ask(s, &first_of_queues, &rows, err);
		if (e != RP_OK || rp_pg_n_rows(rows) == 0)
			return e;
		if (rp_pg_i64(rows, 0, 2) == RP_LEVEL_PATH) {
			if (!rp_pg_is_null(rows, 0, 3))
				*at_ms = rp_pg_i64(rows, 0, 3);
			return RP_OK;
		}
		queues[0] = (uint64_t)rp_pg_i64(rows, 0, 1);
		n = 1;
	}
}

static int64_t time_of(const struct rp_pg_rows *rows, int column)
{
	return rp_pg_is_null(rows, 0, column) ? RP_NEVER : rp_pg_i64(rows, 0, column);
}

enum rp_err rp_pgop_info(struct rp_outbox *outbox, struct rp_outbox_info *out, struct rp_error *err)
{
	struct rp_pgstore *s = rp_pgstore_of(outbox);
	const struct rp_pg_rows *rows;
	struct rp_pg_totals totals;
	enum rp_err e = rp_pg_totals_read(s, &totals, NULL, NULL, err);

	*out = (struct rp_outbox_info){.oldest = {RP_NEVER, RP_NEVER, RP_NEVER}};
	if (e != RP_OK)
		return e;
	rp_pg_params(s->pg);
	e = ask(s, &read_sizes, &rows, err);
	if (e != RP_OK)
		return e;
	out->file_bytes = out->used_bytes = (uint64_t)rp_pg_i64(rows, 0, 0);
	out->oldest = (struct rp_oldest){time_of(rows, 1), time_of(rows, 2), time_of(rows, 3)};
	out->retrying = totals.ledger.retrying > 0 ? (uint64_t)totals.ledger.retrying : 0;
	out->commits = (uint64_t)totals.commits;
	out->latest_at_ms = totals.latest_at_ms;
	out->format = RP_LAYOUT;
	return next_due(s, &out->next_due_at_ms, err);
}

/* --- endpoints --------------------------------------------------------------------------- */

struct range {
	uint64_t from, to; /* to: not included */
	uint64_t levels[RP_LEVELS];
	size_t n_levels;
};

static struct range range_of(struct rp_endpoints_which which)
{
	struct range r = {.from = which.id, .to = INT64_MAX};

	switch (which.of) {
	case RP_ENDPOINTS_PATHS:
		r.levels[r.n_levels++] = RP_LEVEL_PATH;
		break;
	case RP_ENDPOINTS_HOSTS:
		r.levels[r.n_levels++] = RP_LEVEL_HOST;
		break;
	case RP_ENDPOINTS_SHARED:
		r.levels[r.n_levels++] = RP_LEVEL_HOST;
		r.levels[r.n_levels++] = RP_LEVEL_SECTION;
		break;
	case RP_ENDPOINTS_OF_HOST:
		r.to = which.id + RP_MEMBER_NUMBERS;
		r.levels[r.n_levels++] = RP_LEVEL_SECTION;
		r.levels[r.n_levels++] = RP_LEVEL_PATH;
		break;
	case RP_ENDPOINTS_ONE:
		r.to = which.id + 1;
		r.levels[r.n_levels++] = RP_LEVEL_PATH;
		r.levels[r.n_levels++] = RP_LEVEL_SECTION;
		r.levels[r.n_levels++] = RP_LEVEL_HOST;
		break;
	}
	return r;
}

/* *from moves behind those that were seen; *stops: that was all, or enough. */
static enum rp_err see_piece(struct rp_pgstore *s, struct range *r,
			     bool (*see)(void *arg, uint64_t id, struct rp_span name,
					 const struct rp_endpoint *e),
			     void *arg, bool *stops, struct rp_error *err)
{
	struct rp_buf scratch = {.max = (size_t)1 << 20};
	struct rp_pg_params *p = rp_pg_params(s->pg);
	const struct rp_pg_rows *rows;
	enum rp_err e;
	size_t i;

	rp_pg_put_i64(p, (int64_t)r->from);
	rp_pg_put_i64(p, (int64_t)r->to);
	rp_pg_put_u64_array(p, r->levels, r->n_levels);
	rp_pg_put_i64(p, ENDPOINTS_A_PIECE);
	e = ask(s, &list_endpoints, &rows, err);
	if (e != RP_OK)
		return e;
	*stops = rp_pg_n_rows(rows) < ENDPOINTS_A_PIECE;
	for (i = 0; i < rp_pg_n_rows(rows); i++) {
		uint64_t id = (uint64_t)rp_pg_i64(rows, i, 0);
		struct rp_endpoint rec = {.level = rp_level_of(id)};

		rp_buf_clear(&scratch);
		rp_pg_read_columns(rows, i, 3, &rp_pg_endpoint_row, &rec, NULL);
		r->from = id + 1;
		if (!see(arg, id, rp_pg_text(rows, i, 1, &scratch), &rec)) {
			*stops = true;
			break;
		}
	}
	rp_buf_release(&scratch);
	return RP_OK;
}

enum rp_err rp_pgop_endpoints(struct rp_outbox *outbox, struct rp_endpoints_which which,
			      bool (*see)(void *arg, uint64_t id, struct rp_span name,
					  const struct rp_endpoint *e),
			      void *arg, struct rp_error *err)
{
	struct rp_pgstore *s = rp_pgstore_of(outbox);
	struct range r = range_of(which);
	enum rp_err e = rp_pg_reach(s, err);
	bool stops = false;

	while (e == RP_OK && !stops)
		e = see_piece(s, &r, see, arg, &stops, err);
	return e;
}

enum rp_err rp_pgop_endpoint_find(struct rp_outbox *outbox, enum rp_level level,
				  struct rp_span name, uint64_t *id, struct rp_error *err)
{
	struct rp_pgstore *s = rp_pgstore_of(outbox);
	unsigned char hash[RP_PG_NAME_HASH_BYTES];
	const struct rp_pg_rows *rows;
	struct rp_pg_params *p;
	enum rp_err e = rp_pg_reach(s, err);

	if (e != RP_OK)
		return e;
	rp_pg_name_hash(name, hash);
	p = rp_pg_params(s->pg);
	rp_pg_put_i64(p, level);
	rp_pg_put_bytea(p, (struct rp_span){(const char *)hash, sizeof hash});
	e = ask(s, &find_endpoint, &rows, err);
	if (e != RP_OK)
		return e;
	if (rp_pg_n_rows(rows) == 0)
		return rp_fail(err, RP_ERR_NOTFOUND, "there is no such %s", rp_level_name(level));
	*id = (uint64_t)rp_pg_i64(rows, 0, 0);
	return RP_OK;
}
