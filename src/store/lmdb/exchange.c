/* exchange.c - one exchange of a sender: settles what has ended, claims what may start (claim.c),
 * in one commit. It is the hottest transaction of delivery. */

#include "store/lmdb/lmdb_ops.h"

#include <string.h>

#include "base/assert.h"
#include "model/transition.h"
#include "store/lmdb/claim.h"
#include "store/lmdb/counters.h"
#include "store/lmdb/endpoint.h"
#include "store/lmdb/entry_rows.h"
#include "store/lmdb/handle.h"
#include "store/lmdb/host/wakeup.h"
#include "store/lmdb/move.h"
#include "store/lmdb/reconstruct.h"
#include "store/lmdb/row.h"
#include "store/lmdb/txn.h"

/* --- settle ------------------------------------------------------------------------- */

/* A breaker that is about to hold up a backlog asks whether its limits still hold. */
static enum rp_err ask_again(struct rp_txn *t, const struct rp_exchange *x, struct rp_ep *path,
			     struct rp_settlement *s, struct rp_error *err)
{
	const struct rp_receiver r = rp_ep_receiver(path);
	struct rp_level_limits limits;
	enum rp_err e = RP_OK;
	int l;

	for (l = 0; l < RP_LEVELS && e == RP_OK; l++) {
		if (!rp_control_asks_again(s->change[l]))
			continue;
		e = rp_ep_ask(t, x, path, &limits, err);
		if (e == RP_OK)
			s->change[l] = rp_control_answered(&r.at[l]->control, &limits.at[l]);
	}
	return e;
}

static enum rp_err note_result(struct rp_txn *t, const struct rp_exchange *x,
			       struct rp_settlement *s, struct rp_ep *path, struct rp_error *err)
{
	const struct rp_receiver r = rp_ep_receiver(path);
	const struct rp_receiver_result result = {
	    .outcome = s->outcome,
	    .delivered = s->kind == RP_SETTLE_DELIVERED,
	    .disables = s->disable_endpoint,
	    .in_use = {path->was_in_use, path->section != NULL ? path->section->was_in_use : 0,
		       path->host->was_in_use}};
	enum rp_err e;
	int l;

	rp_counters_attempted(t, s);
	rp_receiver_settled(&r, &result, t->now_at_ms, s->change);
	e = ask_again(t, x, path, s, err);
	for (l = 0; l < RP_LEVELS; l++) {
		s->bad_streak[l] = r.at[l] != NULL ? r.at[l]->control.bad_streak : 0;
		s->probe_at_ms[l] = r.at[l] != NULL ? r.at[l]->control.probe_at_ms : 0;
	}
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

/* What goes with an entry that was settled: its receiver, and the log. */
static enum rp_err follow_up(struct rp_txn *t, const struct rp_exchange *x, struct rp_settlement *s,
			     struct rp_error *err)
{
	struct rp_receiver r;
	struct rp_ep *path;
	enum rp_err e;

	if (rp_level_of(s->endpoint) != RP_LEVEL_PATH) /* as a damaged record may say */
		return RP_OK;
	e = rp_ep_get(t, s->endpoint, &path, err);
	if (e != RP_OK)
		return e;
	rp_ep_changed(t, path);
	r = rp_ep_receiver(path);
	if (!s->stale)
		rp_receiver_token_return(&r, &s->tokens);
	if (s->kind == RP_SETTLE_PARK)
		s->parked = rp_schedule_park(&path->rec, s->cause, s->due_at_ms, t->now_at_ms);
	if (!rp_settle_is_attempt(s->kind))
		return RP_OK;
	e = log_result(t, s, err);
	return e == RP_OK ? note_result(t, x, s, path, err) : e;
}

/* Whatever became of the one that passes them on: the other one may be under way already, and its
 * places must count. */
static enum rp_err pass_places(struct rp_txn *t, const struct rp_settlement *s,
			       struct rp_error *err)
{
	struct rp_delivery from, to;
	enum rp_err e = rp_entry_delivery(t, s->passes_to_seq, &from, err);

	if (e == RP_ERR_DAMAGED)
		e = rp_entry_reconstruct(t, s->passes_to_seq, &from, err);
	if (e == RP_OK && rp_transition_take_places(&from, s->passes_to_claim_no, &to))
		return rp_entry_take_places(t, s->passes_to_seq, &from, &to, err);
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

static enum rp_err settle_one(struct rp_txn *t, const struct rp_exchange *x,
			      struct rp_settlement *s, struct rp_error *err)
{
	const struct rp_settle_try how = {s->kind, s->cause, s->claim_no, s->due_at_ms, s->outcome};
	struct rp_delivery from, to;
	enum rp_settle_verdict verdict;
	enum rp_err e = rp_entry_delivery(t, s->seq, &from, err);

	s->stale = s->parked = false;
	memset(s->change, 0, sizeof s->change);
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
		e = rp_claim_first_ready(&t, &x->next_ready_at_ms, err);
	rp_txn_end(&t);
	return e;
}

static enum rp_err settle_and_claim(struct rp_txn *t, struct rp_exchange *x, struct rp_error *err)
{
	const bool wants = x->want > 0 || x->n_ahead > 0;
	enum rp_err e = RP_OK;
	size_t i;

	for (i = 0; i < x->n_settle && e == RP_OK; i++) {
		e = settle_one(t, x, &x->settle[i], err);
		if (e == RP_OK && x->settle[i].passes_to_seq != 0)
			e = pass_places(t, &x->settle[i], err);
	}
	/* Places in the ready queue change with the endpoints, so flush before looking at it: what
	 * was settled made room that this very exchange may use. */
	if (e == RP_OK && wants && t->dirty)
		e = rp_ep_flush(t, err);
	if (e == RP_OK && wants)
		e = rp_claim(t, x, err);
	if (e == RP_OK && t->dirty)
		e = rp_ep_flush(t, err);
	return e == RP_OK ? rp_claim_first_ready(t, &x->next_ready_at_ms, err) : e;
}

enum rp_err rp_lmdb_exchange(struct rp_outbox *outbox, int64_t now_at_ms, struct rp_exchange *x,
			     struct rp_error *err)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);
	struct rp_txn t;
	enum rp_err e;

	assert((x->want == 0 && x->n_ahead == 0) || ob->joined);
	x->n_claims = x->n_metered = x->n_unproven = x->n_dead = 0;
	x->committed = x->passed_over = false;
	x->next_ready_at_ms = RP_NEVER;
	if (x->want == 0 && x->n_ahead == 0 && x->n_settle == 0)
		return only_look(ob, x, err);
	e = rp_txn_write(ob, now_at_ms, &t, err);
	if (e != RP_OK)
		return e;
	e = rp_txn_finish(&t, settle_and_claim(&t, x, err), err);
	x->committed = e == RP_OK && t.dirty;
	if (e != RP_OK)
		x->n_claims = 0;
	else if (x->committed && (x->n_claims >= x->want || x->passed_over) &&
		 x->next_ready_at_ms <= now_at_ms)
		rp_wakeup_ring(ob); /* more is due than this sender can take: others may */
	look_later(x, now_at_ms);
	return e;
}

/* --- another configuration ---------------------------------------------------------- */

/* Of one call: records looked at, which keeps nobody waiting, and those written. */
#define RENEWAL_LOOKS_MAX 5000
#define RENEWAL_WRITES_MAX 500

struct renewing {
	struct rp_renewal *at;
	uint64_t ids[RENEWAL_WRITES_MAX];
	size_t n;
};

/* Endpoints that need no second look are left alone, so that a reload that changes nothing writes
 * nothing. One that is damaged is found when it is used. */
static enum rp_err find_those(struct rp_lmdb *ob, int64_t now_at_ms, struct renewing *r,
			      struct rp_error *err)
{
	struct rp_endpoint rec;
	struct rp_txn t;
	MDB_val v;
	int looks;
	enum rp_err e = rp_txn_read_rows(ob, &t, err);

	for (looks = 0; e == RP_OK && looks < RENEWAL_LOOKS_MAX && r->n < RENEWAL_WRITES_MAX;
	     looks++) {
		e = rp_row_from(&t, RP_T_ENDPOINT, &r->at->endpoint, 1, 0, &v, err);
		if (e != RP_OK)
			break;
		if (rp_endpoint_unpack(&rec, r->at->endpoint, v.mv_data, v.mv_size) &&
		    rp_schedule_renew(&rec, now_at_ms))
			r->ids[r->n++] = r->at->endpoint;
		r->at->endpoint++;
	}
	r->at->more = e == RP_OK;
	rp_txn_end(&t);
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

/* It may be gone by now, or need nothing any more. The next exchange finds it in its ready queue,
 * now or when something comes, and applies the limits of the new configuration. */
static enum rp_err renew(struct rp_txn *t, uint64_t id, struct rp_error *err)
{
	struct rp_ep *ep;
	MDB_val v;
	enum rp_err e = rp_row_get(t, RP_T_ENDPOINT, rp_key1(id), &v, err);

	if (e == RP_OK)
		e = rp_ep_get(t, id, &ep, err);
	if (e == RP_OK && rp_schedule_renew(&ep->rec, t->now_at_ms))
		rp_ep_changed(t, ep);
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

enum rp_err rp_lmdb_renew_limits(struct rp_outbox *outbox, int64_t now_at_ms,
				 struct rp_renewal *renewal, struct rp_error *err)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);
	struct renewing r = {.at = renewal};
	struct rp_txn t;
	size_t i;
	enum rp_err e = find_those(ob, now_at_ms, &r, err);

	if (e != RP_OK || r.n == 0)
		return e;
	e = rp_txn_write(ob, now_at_ms, &t, err);
	if (e != RP_OK)
		return e;
	for (i = 0; i < r.n && e == RP_OK; i++)
		e = renew(&t, r.ids[i], err);
	e = rp_txn_finish(&t, e, err);
	if (e == RP_OK && t.dirty)
		rp_wakeup_ring(ob);
	return e;
}
