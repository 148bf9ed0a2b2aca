/* change.c - does what operators and the retention ask: hold, release, replay, purge,
 * pause. Each call changes a bounded number of entries, so that others wait for milliseconds
 * only. */

#include "store/lmdb/change.h"

#include <inttypes.h>

#include "base/log.h"
#include "model/schedule.h"
#include "model/transition.h"
#include "store/lmdb/audit.h"
#include "store/lmdb/endpoint.h"
#include "store/lmdb/entry_rows.h"
#include "store/lmdb/handle.h"
#include "store/lmdb/host/wakeup.h"
#include "store/lmdb/lmdb_ops.h"
#include "store/lmdb/move.h"
#include "store/lmdb/reconstruct.h"
#include "store/lmdb/remove.h"
#include "store/lmdb/row.h"
#include "store/lmdb/txn.h"

enum rp_err rp_change_one(struct rp_txn *t, enum rp_change verb, unsigned states, uint64_t seq,
			  enum rp_changed *result, struct rp_error *err)
{
	struct rp_delivery from, to;
	int64_t not_before_at_ms = 0;
	enum rp_err e = rp_entry_delivery(t, seq, &from, err);

	*result = RP_CHANGED_NOT_FOUND;
	if (e == RP_ERR_DAMAGED)
		e = rp_entry_reconstruct(t, seq, &from, err);
	if (e == RP_ERR_NOTFOUND)
		return RP_OK;
	if (e != RP_OK)
		return e;
	if (verb == RP_CHANGE_RELEASE)
		not_before_at_ms = rp_entry_not_before_ms(t, seq, &from);
	*result = rp_transition_change(&from, verb, states, not_before_at_ms, t->now_at_ms, &to);
	if (!rp_changed_is_done(*result))
		return RP_OK;
	return verb == RP_CHANGE_PURGE ? rp_entry_remove(t, seq, &from, err)
				       : rp_entry_move(t, seq, &from, &to, err);
}

static uint64_t count_done(const enum rp_changed *results, size_t n)
{
	uint64_t done = 0;
	size_t i;

	for (i = 0; i < n; i++)
		done += rp_changed_is_done(results[i]);
	return done;
}

enum rp_err rp_lmdb_change(struct rp_outbox *outbox, int64_t now_at_ms, enum rp_change verb,
			   unsigned states, const uint64_t *seqs, size_t n, uint64_t audit,
			   enum rp_changed *results, struct rp_error *err)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);
	struct rp_txn t;
	enum rp_err e = rp_txn_write(ob, now_at_ms, &t, err);
	uint64_t done;
	size_t i;

	if (e != RP_OK)
		return e;
	for (i = 0; i < n && e == RP_OK; i++)
		e = rp_change_one(&t, verb, states, seqs[i], &results[i], err);
	done = e == RP_OK ? count_done(results, n) : 0;
	if (e == RP_OK && audit != 0)
		e = rp_audit_add_counts(&t, audit, done, n - done, err);
	e = rp_txn_finish(&t, e, err);
	if (e == RP_OK && done > 0 && verb != RP_CHANGE_HOLD)
		rp_wakeup_ring(ob);
	return e;
}

enum rp_err rp_lmdb_endpoint_pause(struct rp_outbox *outbox, int64_t now_at_ms, uint64_t endpoint,
				   bool pause, struct rp_error *err)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);
	struct rp_receiver r;
	struct rp_ep *ep;
	struct rp_txn t;
	MDB_val v;
	enum rp_err e = rp_txn_write(ob, now_at_ms, &t, err);

	if (e != RP_OK)
		return e;
	e = rp_row_get(&t, RP_T_ENDPOINT, rp_key1(endpoint), &v, err);
	if (e == RP_ERR_NOTFOUND)
		rp_fail(err, e, "no such endpoint");
	if (e == RP_OK && rp_level_of(endpoint) == RP_LEVEL_SECTION)
		e = rp_fail(err, RP_ERR_INVAL, "a section cannot be paused");
	if (e == RP_OK)
		e = rp_ep_get(&t, endpoint, &ep, err);
	if (e != RP_OK) {
		rp_txn_end(&t);
		return e;
	}
	if (ep->rec.level == RP_LEVEL_PATH) {
		r = rp_ep_receiver(ep);
		rp_receiver_pause(&r, pause, now_at_ms);
	} else {
		rp_schedule_pause(&ep->rec, pause, now_at_ms);
	}
	rp_ep_changed(&t, ep);
	e = rp_txn_commit(&t, err);
	if (e == RP_OK)
		rp_wakeup_ring(ob);
	return e;
}

static enum rp_err expire_one(struct rp_txn *t, enum rp_table table, const uint64_t key[2],
			      struct rp_error *err)
{
	enum rp_state state = table == RP_T_DONE ? RP_STATE_DELIVERED : RP_STATE_DEAD;
	struct rp_delivery d;
	enum rp_err e = rp_entry_delivery(t, key[1], &d, err);

	if (e == RP_ERR_DAMAGED)
		e = rp_entry_reconstruct(t, key[1], &d, err);
	if (e == RP_OK && d.state == state && (uint64_t)d.state_at_ms == key[0])
		return rp_entry_remove(t, key[1], &d, err);
	if (e != RP_OK && e != RP_ERR_NOTFOUND)
		return e;
	/* The row lies: whatever entry it names, that one has not expired. */
	rp_log(RP_LOG_ERROR, "damage", "seq=%" PRIu64 " what=stray_index_row state=%s", key[1],
	       rp_state_name(state));
	return rp_row_del(t, table, rp_key2(key[0], key[1]), err);
}

/* Entries of `table` (dead, done) that have been in their state for longer than keep_ms, oldest
 * first. */
static enum rp_err expire_table(struct rp_txn *t, enum rp_table table, int64_t keep_ms, size_t max,
				size_t *n, struct rp_error *err)
{
	uint64_t key[2];
	enum rp_err e = RP_OK;

	while (keep_ms > 0 && *n < max) {
		e = rp_row_first(t, table, rp_key2(0, 0), key, 2, NULL, err);
		if (e != RP_OK || !rp_transition_is_expired((int64_t)key[0], keep_ms, t->now_at_ms))
			break;
		e = expire_one(t, table, key, err);
		if (e != RP_OK)
			return e;
		(*n)++;
	}
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

static bool has_expired(struct rp_txn *t, enum rp_table table, int64_t now_at_ms, int64_t keep_ms)
{
	uint64_t key[2];

	return keep_ms > 0 && rp_row_first(t, table, rp_key2(0, 0), key, 2, NULL, NULL) == RP_OK &&
	       rp_transition_is_expired((int64_t)key[0], keep_ms, now_at_ms);
}

enum rp_err rp_lmdb_expire(struct rp_outbox *outbox, int64_t now_at_ms, int64_t keep_delivered_ms,
			   int64_t keep_dead_ms, size_t max, size_t *n_removed,
			   struct rp_error *err)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);
	struct rp_txn t;
	bool work;
	enum rp_err e = rp_txn_read(ob, &t, err);

	*n_removed = 0;
	if (e != RP_OK)
		return e;
	work = has_expired(&t, RP_T_DONE, now_at_ms, keep_delivered_ms) ||
	       has_expired(&t, RP_T_DEAD, now_at_ms, keep_dead_ms);
	rp_txn_end(&t);
	if (!work)
		return RP_OK;
	e = rp_txn_write(ob, now_at_ms, &t, err);
	if (e != RP_OK)
		return e;
	e = expire_table(&t, RP_T_DONE, keep_delivered_ms, max, n_removed, err);
	if (e == RP_OK)
		e = expire_table(&t, RP_T_DEAD, keep_dead_ms, max, n_removed, err);
	if (e != RP_OK)
		*n_removed = 0;
	return rp_txn_finish(&t, e, err);
}
