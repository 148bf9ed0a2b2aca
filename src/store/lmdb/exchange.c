/* exchange.c - one exchange of a sender: settles what has ended, claims what may start, in
 * one commit. It is the hottest transaction of delivery. */

#include "store/lmdb/lmdb_ops.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/log.h"
#include "model/ledger.h"
#include "model/schedule.h"
#include "model/transition.h"
#include "model/turns.h"
#include "store/lmdb/counters.h"
#include "store/lmdb/endpoint.h"
#include "store/lmdb/entry_rows.h"
#include "store/lmdb/handle.h"
#include "store/lmdb/host/wakeup.h"
#include "store/lmdb/move.h"
#include "store/lmdb/reconstruct.h"
#include "store/lmdb/row.h"
#include "store/lmdb/txn.h"

static enum rp_err ask_limits(struct rp_txn *t, const struct rp_exchange *x, struct rp_ep *ep,
			      struct rp_limits *limits, struct rp_error *err)
{
	struct rp_span name;
	enum rp_err e = rp_ep_name(t, ep->id, &name, err);

	if (e != RP_OK && e != RP_ERR_NOTFOUND)
		return e;
	*limits = x->limits(x->limits_arg, ep->id, name);
	ep->dirty = true;
	t->dirty = true;
	return RP_OK;
}

/* --- settle ------------------------------------------------------------------------- */

static enum rp_err note_result(struct rp_txn *t, const struct rp_exchange *x,
			       struct rp_settlement *s, struct rp_error *err)
{
	struct rp_limits limits;
	struct rp_ep *ep;
	enum rp_err e = rp_ep_get(t, s->endpoint, &ep, err);

	if (e != RP_OK)
		return e;
	rp_counters_attempted(t, s);
	ep->dirty = true;
	rp_ledger_count_result(&ep->rec, s->outcome, s->kind == RP_SETTLE_DELIVERED, t->now_at_ms);
	s->change = rp_control_settled(&ep->rec.control, s->outcome->cause, s->outcome->http_status,
				       ep->was_in_flight, t->now_at_ms);
	if (rp_control_asks_again(s->change)) {
		e = ask_limits(t, x, ep, &limits, err);
		if (e != RP_OK)
			return e;
		s->change = rp_control_answered(&ep->rec.control, &limits);
	}
	s->bad_streak = ep->rec.control.bad_streak;
	s->probe_at_ms = ep->rec.control.probe_at_ms;
	if (s->disable_endpoint)
		rp_schedule_disable(&ep->rec, t->now_at_ms);
	return e;
}

static enum rp_err log_result(struct rp_txn *t, const struct rp_settlement *s, struct rp_error *err)
{
	struct rp_attempt a = {
	    .outcome = *s->outcome,
	    .late = s->stale,
	    .slot = t->ob->me.slot,
	    .pid = t->ob->me_pid,
	    .started_at_ms = s->started_at_ms,
	};
	return rp_entry_log_attempt(t, s->seq, s->endpoint, s->attempt, &a, err);
}

static enum rp_err park_endpoint(struct rp_txn *t, struct rp_settlement *s, struct rp_error *err)
{
	struct rp_ep *ep;
	enum rp_err e = rp_ep_get(t, s->endpoint, &ep, err);

	if (e != RP_OK)
		return e;
	ep->dirty = true;
	s->parked = rp_schedule_park(&ep->rec, s->cause, s->due_at_ms, t->now_at_ms);
	return RP_OK;
}

static enum rp_err return_token(struct rp_txn *t, const struct rp_settlement *s,
				struct rp_error *err)
{
	struct rp_ep *ep;
	enum rp_err e = rp_ep_get(t, s->endpoint, &ep, err);

	if (e != RP_OK)
		return e;
	rp_control_token_return(&ep->rec.control, &s->token, ep->rec.served_at_ms);
	ep->dirty = true;
	return RP_OK;
}

/* What goes with an entry that was settled: its endpoint, and the log. */
static enum rp_err follow_up(struct rp_txn *t, const struct rp_exchange *x, struct rp_settlement *s,
			     struct rp_error *err)
{
	enum rp_err e = RP_OK;

	if (!s->stale && s->token.rate.count > 0)
		e = return_token(t, s, err);
	if (e == RP_OK && s->kind == RP_SETTLE_PARK)
		return park_endpoint(t, s, err);
	if (e != RP_OK || !rp_settle_is_attempt(s->kind))
		return e;
	e = log_result(t, s, err);
	return e == RP_OK ? note_result(t, x, s, err) : e;
}

static enum rp_err settle_one(struct rp_txn *t, const struct rp_exchange *x,
			      struct rp_settlement *s, struct rp_error *err)
{
	const struct rp_settle_try how = {s->kind, s->cause, s->claim_no, s->due_at_ms, s->outcome};
	struct rp_delivery from, to;
	enum rp_settle_verdict verdict;
	enum rp_err e = rp_entry_delivery(t, s->seq, &from, err);

	s->stale = s->parked = false;
	s->change = RP_CONTROL_SAME;
	if (e == RP_ERR_NOTFOUND) { /* purged meanwhile */
		s->stale = true;
		return RP_OK;
	}
	if (e == RP_ERR_DAMAGED) {
		e = rp_entry_reconstruct(t, s->seq, &from, err);
		from.endpoint = s->endpoint;
	}
	if (e != RP_OK)
		return e;
	verdict = rp_transition_settle(&from, &how, &to);
	s->stale = verdict != RP_SETTLED;
	if (verdict == RP_SETTLED_STALE)
		return RP_OK;
	e = rp_entry_move(t, s->seq, &from, &to, err);
	return e == RP_OK ? follow_up(t, x, s, err) : e;
}

/* --- claim -------------------------------------------------------------------------- */

/* A queue row without a waiting entry behind it is damage; left alone it would be met, and its
 * entry sent, again and again. */
static enum rp_err drop_stray(struct rp_txn *t, struct rp_ep *ep, uint64_t seq, int64_t due_at_ms,
			      struct rp_error *err)
{
	rp_log(RP_LOG_ERROR, "damage", "seq=%" PRIu64 " what=stray_queue_row", seq);
	ep->dirty = true;
	return rp_row_del(t, RP_T_QUEUE, rp_key3(ep->id, (uint64_t)due_at_ms, seq), err);
}

/* Hands the claim out: `to` is the entry as it is now. */
static void hand_out(struct rp_txn *t, struct rp_exchange *x, struct rp_ep *ep, uint64_t seq,
		     const struct rp_delivery *to, struct rp_claim *c)
{
	*c = (struct rp_claim){.seq = seq,
			       .endpoint = ep->id,
			       .claim_no = to->claim_no,
			       .attempt = to->attempts,
			       .failures = to->failures,
			       .token = {ep->rec.control.limits.rate, t->now_at_ms},
			       .probe = rp_control_claimed(&ep->rec.control, t->now_at_ms,
							   x->begin_within_ms) == RP_CONTROL_PROBED,
			       .budget_at_ms = to->budget_at_ms,
			       .expires_at_ms = to->expires_at_ms};
	x->n_metered += c->token.rate.count > 0;
	ep->rec.served_at_ms = t->now_at_ms;
}

static enum rp_err claim_one(struct rp_txn *t, struct rp_exchange *x, struct rp_ep *ep,
			     uint64_t seq, int64_t due_at_ms, struct rp_error *err)
{
	struct rp_claim_try by = {.endpoint = ep->id,
				  .due_at_ms = due_at_ms,
				  .endpoint_is_gone = ep->rec.disabled,
				  .slot = t->ob->me.slot,
				  .now_at_ms = t->now_at_ms};
	struct rp_delivery from, to;
	enum rp_claim_verdict verdict;
	struct rp_claim *c;
	enum rp_err e = rp_entry_delivery(t, seq, &from, err);

	if (e == RP_ERR_DAMAGED) {
		rp_log(RP_LOG_ERROR, "damage", "seq=%" PRIu64 " what=delivery_record", seq);
		by.damaged = true;
		e = rp_entry_reconstruct(t, seq, &from, err);
	}
	if (e != RP_OK)
		return e == RP_ERR_NOTFOUND ? drop_stray(t, ep, seq, due_at_ms, err) : e;
	verdict = rp_transition_claim(&from, &by, &to);
	if (verdict == RP_CLAIM_STRAY)
		return drop_stray(t, ep, seq, due_at_ms, err);
	if (verdict == RP_CLAIM_DEAD) {
		x->n_dead++;
		return rp_entry_move(t, seq, &from, &to, err);
	}
	c = &x->claims[x->n_claims++];
	hand_out(t, x, ep, seq, &to, c);
	e = rp_entry_move(t, seq, &from, &to, err);
	c->blocking = rp_schedule_is_blocking(&ep->rec, &to);
	return e;
}

static enum rp_schedule_take what_to_take(const struct rp_txn *t, const struct rp_exchange *x,
					  const struct rp_ep *ep)
{
	const struct rp_schedule_room room = {
	    .deaths = RP_TURNS_DEATHS_MAX - x->n_dead,
	    .claims = x->want - x->n_claims,
	    .metered = x->n_metered < x->want_metered ? x->want_metered - x->n_metered : 0,
	};

	return rp_schedule_take(&ep->rec, &room, t->now_at_ms);
}

/* Takes the next due entry of an endpoint. *any: false: it has no more to give in this exchange. */
static enum rp_err claim_next(struct rp_txn *t, struct rp_exchange *x, struct rp_ep *ep, bool *any,
			      struct rp_error *err)
{
	enum rp_schedule_take take = what_to_take(t, x, ep);
	uint64_t key[3];
	enum rp_err e;

	*any = false;
	if (take != RP_TAKE_NEXT) {
		x->passed_over = x->passed_over || take == RP_TAKE_PASSED_OVER;
		return RP_OK;
	}
	e = rp_row_first(t, RP_T_QUEUE, rp_key3(ep->id, 0, 0), key, 3, NULL, err);
	if (e == RP_ERR_NOTFOUND ||
	    (e == RP_OK && (key[0] != ep->id || (int64_t)key[1] > t->now_at_ms)))
		return RP_OK;
	*any = true;
	return e == RP_OK ? claim_one(t, x, ep, key[2], (int64_t)key[1], err) : e;
}

/* Endpoints in the ready queue that are due, those that have waited longest first. */
static enum rp_err ready_endpoints(struct rp_txn *t, struct rp_exchange *x, struct rp_ep **ready,
				   size_t *n, struct rp_error *err)
{
	uint64_t key[2] = {0, 0};
	struct rp_limits limits;
	enum rp_err e = RP_OK;
	int looked;

	*n = 0;
	for (looked = 0; looked < RP_TURNS_ENDPOINTS_MAX; looked++) {
		e = rp_row_first(t, RP_T_READY, rp_key2(key[0], key[1]), key, 2, NULL, err);
		if (e == RP_ERR_NOTFOUND)
			return RP_OK;
		if (e != RP_OK || (int64_t)key[0] > t->now_at_ms)
			return e;
		e = rp_ep_get(t, key[1], &ready[*n], err);
		if (e == RP_OK && !ready[*n]->dirty &&
		    (int64_t)key[0] != ready[*n]->rec.ready_at_ms) {
			/* Not the endpoint's own row: left there, it would be looked at in every
			 * exchange for ever. (One that was rebuilt just now is dirty and has no row
			 * yet.) */
			rp_log(RP_LOG_ERROR, "damage", "endpoint=%" PRIu64 " what=agenda_row",
			       key[1]);
			e = rp_row_del(t, RP_T_READY, rp_key2(key[0], key[1]), err);
			key[1]++;
			if (e == RP_OK || e == RP_ERR_NOTFOUND)
				continue;
		}
		if (e == RP_OK && rp_schedule_is_left(&ready[*n]->rec, x->want_metered)) {
			x->passed_over = true;
			key[1]++;
			continue;
		}
		/* It stands in the ready queue with something due: whatever happens, its place
		 * there is worked out anew, so that an endpoint that gives nothing now cannot be
		 * looked at again and again. */
		if (e == RP_OK)
			e = ask_limits(t, x, ready[*n], &limits, err);
		if (e != RP_OK)
			return e;
		rp_control_apply(&ready[*n]->rec.control, &limits);
		(*n)++;
		key[1]++;
	}
	return RP_OK;
}

static enum rp_err claim(struct rp_txn *t, struct rp_exchange *x, struct rp_error *err)
{
	struct rp_ep *ready[RP_TURNS_ENDPOINTS_MAX];
	struct rp_turns turns = {.n = 0};
	bool any;
	size_t i;
	enum rp_err e = ready_endpoints(t, x, ready, &turns.n, err);

	while (e == RP_OK && x->n_claims < x->want && rp_turns_next(&turns, &i)) {
		e = claim_next(t, x, ready[i], &any, err);
		if (!any)
			rp_turns_end_go(&turns);
	}
	return e;
}

static enum rp_err first_ready(struct rp_txn *t, int64_t *at_ms, struct rp_error *err)
{
	uint64_t key[2];
	enum rp_err e = rp_row_first(t, RP_T_READY, rp_key2(0, 0), key, 2, NULL, err);

	*at_ms = e == RP_OK ? (int64_t)key[0] : RP_NEVER;
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

/* What was passed over is due all the while. A place that becomes free comes with a result, and
 * that with an exchange. */
static void look_later(struct rp_exchange *x, int64_t now_at_ms)
{
	if (x->passed_over && x->next_ready_at_ms < now_at_ms + RP_PASSED_OVER_MS)
		x->next_ready_at_ms = now_at_ms + RP_PASSED_OVER_MS;
}

/* Touches nothing that an exchange on another thread of this process uses. */
static enum rp_err only_look(struct rp_lmdb *ob, struct rp_exchange *x, struct rp_error *err)
{
	struct rp_txn t;
	enum rp_err e = rp_txn_read_rows(ob, &t, err);

	if (e == RP_OK)
		e = first_ready(&t, &x->next_ready_at_ms, err);
	rp_txn_end(&t);
	return e;
}

static enum rp_err settle_and_claim(struct rp_txn *t, struct rp_exchange *x, struct rp_error *err)
{
	enum rp_err e = RP_OK;
	size_t i;

	for (i = 0; i < x->n_settle && e == RP_OK; i++)
		e = settle_one(t, x, &x->settle[i], err);
	/* Places in the ready queue change with the endpoints, so flush before looking at it: what
	 * was settled made room that this very exchange may use. */
	if (e == RP_OK && x->want > 0 && t->dirty)
		e = rp_ep_flush(t, err);
	if (e == RP_OK && x->want > 0)
		e = claim(t, x, err);
	if (e == RP_OK && t->dirty)
		e = rp_ep_flush(t, err);
	return e == RP_OK ? first_ready(t, &x->next_ready_at_ms, err) : e;
}

enum rp_err rp_lmdb_exchange(struct rp_outbox *outbox, int64_t now_at_ms, struct rp_exchange *x,
			     struct rp_error *err)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);
	struct rp_txn t;
	enum rp_err e;

	assert(x->want == 0 || ob->joined);
	x->n_claims = x->n_metered = x->n_dead = 0;
	x->committed = x->passed_over = false;
	x->next_ready_at_ms = RP_NEVER;
	if (x->want == 0 && x->n_settle == 0)
		return only_look(ob, x, err);
	e = rp_txn_write(ob, now_at_ms, &t, err);
	if (e != RP_OK)
		return e;
	e = rp_txn_finish(&t, settle_and_claim(&t, x, err), err);
	x->committed = e == RP_OK && t.dirty;
	if (e != RP_OK)
		x->n_claims = 0;
	else if (x->committed && (x->n_claims == x->want || x->passed_over) &&
		 x->next_ready_at_ms <= now_at_ms)
		rp_wakeup_ring(ob); /* more is due than this sender can take: others may */
	look_later(x, now_at_ms);
	return e;
}

/* Endpoints that need no second look are left alone, so that a reload that changes nothing writes
 * nothing. */
static enum rp_err renew_endpoint(struct rp_txn *t, uint64_t id, struct rp_error *err)
{
	struct rp_ep *ep;
	enum rp_err e = rp_ep_get(t, id, &ep, err);

	if (e != RP_OK)
		return e;
	/* The next exchange finds it in the ready queue, now or when something comes, and applies
	 * the limits of the new configuration. */
	if (rp_schedule_renew(&ep->rec, t->now_at_ms))
		ep->dirty = t->dirty = true;
	return RP_OK;
}

enum rp_err rp_lmdb_renew_limits(struct rp_outbox *outbox, int64_t now_at_ms, struct rp_error *err)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);
	uint64_t id = 0;
	struct rp_txn t;
	enum rp_err e = rp_txn_write(ob, now_at_ms, &t, err);

	if (e != RP_OK)
		return e;
	while ((e = rp_row_from(&t, RP_T_ENDPOINT, &id, 1, 0, NULL, err)) == RP_OK) {
		e = renew_endpoint(&t, id, err);
		if (e != RP_OK)
			break;
		id++;
	}
	e = rp_txn_finish(&t, e == RP_ERR_NOTFOUND ? RP_OK : e, err);
	if (e == RP_OK && t.dirty)
		rp_wakeup_ring(ob);
	return e;
}
