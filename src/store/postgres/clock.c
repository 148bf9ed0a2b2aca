/* clock.c - what a clock that was set back has left: first the entries, then the endpoints. */
#include "store/postgres/tell.h"
#include "store/postgres/postgres_ops.h"
#include "store/postgres/txn.h"

#define LOOKS_A_CALL 200

static const struct rp_pg_statement find_ahead = {
    "find_ahead", "SELECT seq FROM delivery WHERE seq > $1::bigint AND state = 1 AND NOT behind"
		  " AND due_at_ms > $2::bigint ORDER BY seq LIMIT $3::bigint"};
static const struct rp_pg_statement find_endpoints = {
    "clock_endpoints",
    "SELECT id FROM endpoint WHERE id > $1::bigint ORDER BY id LIMIT $2::bigint"};
static const struct rp_pg_statement forget_latest = {
    "forget_latest", "UPDATE writer SET latest_at_ms = least(latest_at_ms, $1::bigint)"};
static const struct rp_pg_statement read_latest = {"read_latest",
						   "SELECT max(latest_at_ms) FROM writer"};

static enum rp_err read_numbers(struct rp_pg_txn *t, size_t ask, uint64_t **out, size_t *n,
				struct rp_error *err)
{
	const struct rp_pg_rows *rows = rp_pg_answer(t->store->pg, ask);
	size_t i;

	*n = rp_pg_n_rows(rows);
	*out = rp_pg_alloc(t, (*n + 1) * sizeof **out);
	if (*out == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	for (i = 0; i < *n; i++)
		(*out)[i] = (uint64_t)rp_pg_i64(rows, i, 0);
	return RP_OK;
}

static void fix_entry(struct rp_pg_txn *t, struct rp_pg_entry *entry, size_t *n_fixed)
{
	if (entry == NULL || entry->d.state != RP_STATE_WAITING || entry->d.behind ||
	    entry->d.due_at_ms <= t->now_at_ms || !rp_transition_is_ahead(&entry->d, t->now_at_ms))
		return;
	rp_transition_fix_clock(&entry->d, entry->not_before_at_ms, t->now_at_ms);
	rp_pg_set_due(t, entry);
	(*n_fixed)++;
}

static enum rp_err fix_entries(struct rp_pg_txn *t, struct rp_clock_fix *walk, struct rp_error *err)
{
	struct rp_pg_params *p = rp_pg_params(t->store->pg);
	uint64_t *seqs;
	size_t ask, n, i;
	enum rp_err e;

	rp_pg_put_i64(p, (int64_t)walk->seq);
	rp_pg_put_i64(p, t->now_at_ms);
	rp_pg_put_i64(p, LOOKS_A_CALL);
	ask = rp_pg_ask(t->store->pg, &find_ahead);
	e = rp_pg_go(t->store->pg, err);
	if (e == RP_OK)
		e = read_numbers(t, ask, &seqs, &n, err);
	if (e != RP_OK)
		return e;
	if (n > 0)
		e = rp_pg_lock_entries(t, seqs, n, err);
	for (i = 0; e == RP_OK && i < n; i++)
		fix_entry(t, rp_pg_entry_of(t, seqs[i]), &walk->n_fixed);
	if (n > 0)
		walk->seq = seqs[n - 1];
	if (n < LOOKS_A_CALL) {
		walk->in_queue = true;
		walk->endpoint = 0;
	}
	walk->more = true;
	return e;
}

static enum rp_err fix_endpoints(struct rp_pg_txn *t, struct rp_clock_fix *walk,
				 struct rp_error *err)
{
	struct rp_pg_params *p = rp_pg_params(t->store->pg);
	uint64_t *ids;
	size_t ask, n, i;
	enum rp_err e;

	rp_pg_put_i64(p, (int64_t)walk->endpoint);
	rp_pg_put_i64(p, LOOKS_A_CALL);
	ask = rp_pg_ask(t->store->pg, &find_endpoints);
	e = rp_pg_go(t->store->pg, err);
	if (e == RP_OK)
		e = read_numbers(t, ask, &ids, &n, err);
	if (e != RP_OK)
		return e;
	if (n > 0)
		e = rp_pg_lock(t, ids, n, NULL, 0, RP_PG_WAIT, err);
	for (i = 0; e == RP_OK && i < n; i++)
		if (rp_pg_endpoint_of(t, ids[i]) != NULL)
			rp_pg_changed(t, ids[i]);
	if (n > 0)
		walk->endpoint = ids[n - 1];
	walk->more = n == LOOKS_A_CALL;
	if (e == RP_OK && !walk->more) {
		rp_pg_put_i64(rp_pg_params(rp_pg_of(t)), t->now_at_ms);
		rp_pg_ask(t->store->pg, &forget_latest);
		t->dirty = true;
	}
	return e;
}

static enum rp_err was_set_back(struct rp_pgstore *s, int64_t now_at_ms, bool *was,
				struct rp_error *err)
{
	enum rp_err e = rp_pg_reach(s, err);
	size_t ask;

	if (e != RP_OK)
		return e;
	rp_pg_params(s->pg);
	ask = rp_pg_ask(s->pg, &read_latest);
	e = rp_pg_go(s->pg, err);
	if (e == RP_OK)
		*was = rp_clock_was_set_back(rp_pg_i64(rp_pg_answer(s->pg, ask), 0, 0), now_at_ms);
	return e;
}

enum rp_err rp_pgop_fix_clock(struct rp_outbox *outbox, int64_t now_at_ms,
			      struct rp_clock_fix *walk, struct rp_error *err)
{
	struct rp_pgstore *s = rp_pgstore_of(outbox);
	bool was = false;
	struct rp_pg_txn *t;
	enum rp_err e = was_set_back(s, now_at_ms, &was, err);

	if (e != RP_OK)
		return e;
	if (!walk->more || !was)
		*walk = (struct rp_clock_fix){.more = false};
	if (!was)
		return RP_OK;
	e = rp_pg_begin(s, now_at_ms, &t, err);
	if (e != RP_OK)
		return e;
	e = rp_pg_finish(
	    t, walk->in_queue ? fix_endpoints(t, walk, err) : fix_entries(t, walk, err), err);
	if (e == RP_OK && !walk->more)
		rp_pg_tell(s, RP_WATCH_WORK);
	return e;
}
