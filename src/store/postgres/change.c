/* change.c - what operators want of entries and endpoints, and what time takes away. */
#include "store/postgres/audit.h"
#include "store/postgres/tell.h"
#include "store/postgres/postgres_ops.h"
#include "store/postgres/txn_int.h"

#include "model/schedule.h"

#define RENEWED_A_CALL 500

static const struct rp_pg_statement find_delivered = {
    "find_delivered", "SELECT seq FROM delivery WHERE state = 4 AND state_at_ms <= $1::bigint"
		      " ORDER BY state_at_ms, seq LIMIT $2::bigint"};
static const struct rp_pg_statement find_dead = {
    "find_dead", "SELECT seq FROM delivery WHERE state = 5 AND state_at_ms <= $1::bigint"
		 " ORDER BY state_at_ms, seq LIMIT $2::bigint"};
static const struct rp_pg_statement find_next = {
    "renew_find", "SELECT id FROM endpoint WHERE id >= $1::bigint ORDER BY id LIMIT $2::bigint"};

/* --- entries ----------------------------------------------------------------------------- */

static enum rp_err change_all(struct rp_pg_txn *t, enum rp_change verb, unsigned states,
			      const uint64_t *seqs, size_t n, uint64_t audit,
			      enum rp_changed *results, size_t *done, struct rp_error *err)
{
	enum rp_err e = rp_pg_lock_entries(t, seqs, n, err);
	size_t i;

	for (i = 0; e == RP_OK && i < n; i++) {
		e = rp_pg_change_one(t, verb, states, seqs[i], &results[i], err);
		*done += e == RP_OK && rp_changed_is_done(results[i]);
	}
	if (e == RP_OK && audit != 0) {
		rp_pg_audit_ask(t, audit, *done, n - *done);
		t->dirty = true;
	}
	return e;
}

enum rp_err rp_pgop_change(struct rp_outbox *outbox, int64_t now_at_ms, enum rp_change verb,
			   unsigned states, const uint64_t *seqs, size_t n, uint64_t audit,
			   enum rp_changed *results, struct rp_error *err)
{
	struct rp_pgstore *s = rp_pgstore_of(outbox);
	struct rp_pg_txn *t;
	enum rp_err e = rp_pg_begin(s, now_at_ms, &t, err);
	size_t done = 0;

	if (e != RP_OK)
		return e;
	t->synced = true;
	e = change_all(t, verb, states, seqs, n, audit, results, &done, err);
	e = rp_pg_finish(t, e, err);
	if (e == RP_OK && done > 0 && verb != RP_CHANGE_HOLD)
		rp_pg_tell(s, RP_WATCH_WORK);
	return e;
}

static enum rp_err expire_state(struct rp_pg_txn *t, enum rp_state state, int64_t keep_ms,
				size_t max, size_t *n_removed, struct rp_error *err)
{
	struct rp_pg *pg = t->begun ? rp_pg_of(t) : t->store->pg;
	struct rp_pg_params *p = rp_pg_params(pg);
	const struct rp_pg_rows *rows;
	size_t ask, n, i;
	uint64_t *seqs;
	enum rp_err e;

	if (keep_ms == 0 || max == 0)
		return RP_OK;
	rp_pg_put_i64(p, t->now_at_ms - keep_ms);
	rp_pg_put_i64(p, (int64_t)max);
	ask = rp_pg_ask(pg, state == RP_STATE_DEAD ? &find_dead : &find_delivered);
	e = rp_pg_go(pg, err);
	if (e != RP_OK)
		return e;
	rows = rp_pg_answer(pg, ask);
	n = rp_pg_n_rows(rows);
	seqs = rp_pg_alloc(t, (n + 1) * sizeof *seqs);
	if (seqs == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	for (i = 0; i < n; i++)
		seqs[i] = (uint64_t)rp_pg_i64(rows, i, 0);
	if (n > 0)
		e = rp_pg_lock_entries(t, seqs, n, err);
	for (i = 0; e == RP_OK && i < n; i++) {
		const struct rp_pg_entry *entry = rp_pg_entry_of(t, seqs[i]);
		struct rp_delivery from;

		if (entry == NULL || entry->d.state != state ||
		    !rp_transition_is_expired(entry->d.state_at_ms, keep_ms, t->now_at_ms))
			continue;
		from = entry->d;
		e = rp_pg_move(t, seqs[i], &from, NULL, err);
		(*n_removed)++;
	}
	return e;
}

enum rp_err rp_pgop_expire(struct rp_outbox *outbox, int64_t now_at_ms, int64_t keep_delivered_ms,
			   int64_t keep_dead_ms, size_t max, size_t *n_removed,
			   struct rp_error *err)
{
	struct rp_pg_txn *t;
	enum rp_err e = rp_pg_begin(rp_pgstore_of(outbox), now_at_ms, &t, err);

	*n_removed = 0;
	if (e != RP_OK)
		return e;
	e = expire_state(t, RP_STATE_DELIVERED, keep_delivered_ms, max, n_removed, err);
	if (e == RP_OK)
		e = expire_state(t, RP_STATE_DEAD, keep_dead_ms, max - *n_removed, n_removed, err);
	return rp_pg_finish(t, e, err);
}

/* --- endpoints --------------------------------------------------------------------------- */

static enum rp_err pause(struct rp_pg_txn *t, uint64_t id, bool pauses, struct rp_error *err)
{
	enum rp_err e = rp_pg_lock(t, &id, 1, NULL, 0, RP_PG_WAIT, err);
	struct rp_pg_endpoint *ep = rp_pg_endpoint_of(t, id);
	struct rp_receiver r;

	if (e != RP_OK)
		return e;
	if (ep == NULL)
		return rp_fail(err, RP_ERR_NOTFOUND, "no such endpoint");
	if (ep->rec.level == RP_LEVEL_SECTION)
		return rp_fail(err, RP_ERR_INVAL, "a section cannot be paused");
	if (ep->rec.level == RP_LEVEL_PATH) {
		r = rp_pg_receiver(t, id);
		rp_receiver_pause(&r, pauses, t->now_at_ms);
	} else {
		rp_schedule_pause(&ep->rec, pauses, t->now_at_ms);
	}
	rp_pg_changed(t, id);
	return RP_OK;
}

enum rp_err rp_pgop_endpoint_pause(struct rp_outbox *outbox, int64_t now_at_ms, uint64_t endpoint,
				   bool pauses, struct rp_error *err)
{
	struct rp_pgstore *s = rp_pgstore_of(outbox);
	struct rp_pg_txn *t;
	enum rp_err e = rp_pg_begin(s, now_at_ms, &t, err);

	if (e != RP_OK)
		return e;
	t->synced = true;
	e = rp_pg_finish(t, pause(t, endpoint, pauses, err), err);
	if (e == RP_OK)
		rp_pg_tell(s, RP_WATCH_WORK);
	return e;
}

static enum rp_err renew(struct rp_pg_txn *t, struct rp_renewal *renewal, struct rp_error *err)
{
	struct rp_pg *pg = t->store->pg;
	struct rp_pg_params *p = rp_pg_params(pg);
	const struct rp_pg_rows *rows;
	uint64_t *ids;
	size_t ask, n, i;
	enum rp_err e;

	rp_pg_put_i64(p, (int64_t)renewal->endpoint);
	rp_pg_put_i64(p, RENEWED_A_CALL + 1);
	ask = rp_pg_ask(pg, &find_next);
	e = rp_pg_go(pg, err);
	if (e != RP_OK)
		return e;
	rows = rp_pg_answer(pg, ask);
	n = rp_pg_n_rows(rows);
	ids = rp_pg_alloc(t, (n + 1) * sizeof *ids);
	if (ids == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	renewal->more = n > RENEWED_A_CALL;
	n -= renewal->more;
	for (i = 0; i < n; i++)
		ids[i] = (uint64_t)rp_pg_i64(rows, i, 0);
	if (n == 0)
		return RP_OK;
	renewal->endpoint = ids[n - 1] + 1;
	e = rp_pg_lock(t, ids, n, NULL, 0, RP_PG_WAIT, err);
	for (i = 0; e == RP_OK && i < n; i++) {
		struct rp_pg_endpoint *ep = rp_pg_endpoint_of(t, ids[i]);

		if (ep != NULL && rp_schedule_renew(&ep->rec, t->now_at_ms))
			rp_pg_changed(t, ids[i]);
	}
	return e;
}

enum rp_err rp_pgop_renew_limits(struct rp_outbox *outbox, int64_t now_at_ms,
				 struct rp_renewal *renewal, struct rp_error *err)
{
	struct rp_pgstore *s = rp_pgstore_of(outbox);
	struct rp_pg_txn *t;
	enum rp_err e = rp_pg_begin(s, now_at_ms, &t, err);
	bool changed;

	if (e != RP_OK)
		return e;
	e = renew(t, renewal, err);
	changed = t->dirty;
	e = rp_pg_finish(t, e, err);
	if (e == RP_OK && changed)
		rp_pg_tell(s, RP_WATCH_WORK);
	return e;
}
