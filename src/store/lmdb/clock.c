/* clock.c - brings times nearer after the wall clock was set back. It is apart because it
 * walks all waiting entries, in steps, and is needed almost never. */

#include "store/lmdb/lmdb_ops.h"

#include <inttypes.h>

#include "base/log.h"
#include "model/transition.h"
#include "store/lmdb/endpoint.h"
#include "store/lmdb/entry_rows.h"
#include "store/lmdb/handle.h"
#include "store/lmdb/host/wakeup.h"
#include "store/lmdb/index.h"
#include "store/lmdb/move.h"
#include "store/lmdb/row.h"
#include "store/lmdb/txn.h"

/* Rows looked at in one transaction, at most. */
#define STEP_MAX 500

/* Of a row of `queue`. */
static enum rp_err mind_entry(struct rp_txn *t, const uint64_t key[3], size_t *n,
			      struct rp_error *err)
{
	struct rp_delivery d;
	enum rp_err e = rp_entry_delivery(t, key[2], &d, err);

	/* Damage is for the claim to find, which sets it aside. */
	if (e == RP_ERR_NOTFOUND || e == RP_ERR_DAMAGED ||
	    (e == RP_OK && !rp_index_is_in_queue(&d, key)))
		return RP_OK;
	if (e != RP_OK || !rp_transition_is_ahead(&d, t->now_at_ms))
		return e;
	++*n;
	return rp_entry_fix_due(t, key[2], &d, err);
}

/* The next row of the walk: an endpoint, or one of its entries that is not due yet.
 * RP_ERR_NOTFOUND: there is none. */
static enum rp_err step(struct rp_txn *t, struct rp_clock_fix *w, struct rp_error *err)
{
	uint64_t key[3];
	struct rp_ep *ep;
	enum rp_err e;

	if (!w->in_queue) {
		e = rp_row_first(t, RP_T_ENDPOINT, rp_key1(w->endpoint), &w->endpoint, 1, NULL,
				 err);
		if (e == RP_OK)
			e = rp_ep_get(t, w->endpoint, &ep, err);
		if (e != RP_OK)
			return e;
		/* its places in time are set right when it is written (endpoint.c) */
		rp_ep_changed(t, ep);
		w->in_queue = true;
		w->due_at_ms = t->now_at_ms + 1;
		w->seq = 0;
	}
	e = rp_row_first(t, RP_T_QUEUE, rp_key3(w->endpoint, (uint64_t)w->due_at_ms, w->seq), key,
			 3, NULL, err);
	if (e == RP_ERR_NOTFOUND || (e == RP_OK && key[0] != w->endpoint)) {
		w->endpoint++;
		w->in_queue = false;
		return RP_OK;
	}
	w->due_at_ms = (int64_t)key[1];
	w->seq = key[2] + 1;
	return e == RP_OK ? mind_entry(t, key, &w->n_fixed, err) : e;
}

static enum rp_err walk_on(struct rp_lmdb *ob, int64_t now_at_ms, struct rp_clock_fix *w,
			   struct rp_error *err)
{
	struct rp_txn t;
	enum rp_err e = rp_txn_write(ob, now_at_ms, &t, err);
	int64_t ahead_ms;
	int i;

	if (e != RP_OK)
		return e;
	ahead_ms = t.head.latest_at_ms - now_at_ms;
	for (i = 0; i < STEP_MAX && e == RP_OK; i++)
		e = step(&t, w, err);
	w->more = e == RP_OK;
	if (e == RP_ERR_NOTFOUND) { /* the walk is done, and need not be made again */
		t.head.latest_at_ms = now_at_ms;
		e = RP_OK;
	}
	if (e != RP_OK) {
		rp_txn_end(&t);
		return e;
	}
	e = rp_txn_commit(&t, err);
	if (e == RP_OK && !w->more) {
		rp_log(RP_LOG_WARN, "clock_set_back", "by_ms=%" PRId64 " mended=%zu", ahead_ms,
		       w->n_fixed);
		rp_wakeup_ring(ob);
	}
	return e;
}

enum rp_err rp_lmdb_fix_clock(struct rp_outbox *outbox, int64_t now_at_ms, struct rp_clock_fix *w,
			      struct rp_error *err)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);
	struct rp_txn t;
	enum rp_err e = rp_txn_read(ob, &t, err);
	int64_t latest_at_ms = t.head.latest_at_ms;

	if (e != RP_OK)
		return e;
	rp_txn_end(&t);
	/* Also when another sender has done the rest meanwhile. */
	if (!rp_clock_was_set_back(latest_at_ms, now_at_ms)) {
		*w = (struct rp_clock_fix){0};
		return RP_OK;
	}
	if (!w->more)
		*w = (struct rp_clock_fix){0};
	return walk_on(ob, now_at_ms, w, err);
}
