/* exchange.c - one exchange of a sender: settles what it sent, then claims. */
#include "base/assert.h"
#include "model/schedule.h"
#include "store/postgres/claim.h"
#include "store/postgres/tell.h"
#include "store/postgres/postgres_ops.h"

/* While others have all hosts that are due: so long until this sender looks again. */
#define OTHERS_MS 3

static const struct rp_pg_statement next_ready = {
    "next_ready", "SELECT least((SELECT ready_at_ms FROM endpoint WHERE queue = 0 AND"
		  " ready_at_ms IS NOT NULL ORDER BY ready_at_ms LIMIT 1), (SELECT ready_at_ms"
		  " FROM endpoint WHERE queue = 1 AND ready_at_ms IS NOT NULL"
		  " ORDER BY ready_at_ms LIMIT 1))"};

/* --- settle ------------------------------------------------------------------------------ */

/* A breaker that is about to hold up a backlog asks whether its limits still hold. */
static void ask_again(struct rp_pg_txn *t, const struct rp_exchange *x, struct rp_settlement *s,
		      const struct rp_receiver *r)
{
	int l;

	for (l = 0; l < RP_LEVELS; l++) {
		struct rp_level_limits limits;

		if (!rp_control_asks_again(s->change[l]))
			continue;
		limits = rp_pg_limits(t, x, s->endpoint);
		s->change[l] = rp_control_answered(&r->at[l]->control, &limits.at[l]);
	}
}

static uint64_t was_in_use(const struct rp_pg_txn *t, uint64_t id)
{
	const struct rp_pg_endpoint *ep = rp_pg_endpoint_of(t, id);

	return ep != NULL ? ep->was_in_use : 0;
}

static void note_result(struct rp_pg_txn *t, const struct rp_exchange *x, struct rp_settlement *s,
			const struct rp_receiver *r)
{
	struct rp_pg_writer *w = t->store->writer;
	const struct rp_receiver_result result = {
	    .outcome = s->outcome,
	    .delivered = s->kind == RP_SETTLE_DELIVERED,
	    .disables = s->disable_endpoint,
	    .in_use = {was_in_use(t, s->endpoint), was_in_use(t, r->at[RP_LEVEL_PATH]->section),
		       was_in_use(t, rp_level_host(s->endpoint))}};
	int l;

	rp_ledger_count_attempt(&w->now.counters, s->outcome, t->now_at_ms);
	rp_pg_writer_count_series(w, s->series, s->outcome);
	rp_receiver_settled(r, &result, t->now_at_ms, s->change);
	ask_again(t, x, s, r);
	for (l = 0; l < RP_LEVELS; l++) {
		s->bad_streak[l] = r->at[l] != NULL ? r->at[l]->control.bad_streak : 0;
		s->probe_at_ms[l] = r->at[l] != NULL ? r->at[l]->control.probe_at_ms : 0;
	}
}

static enum rp_err follow_up(struct rp_pg_txn *t, const struct rp_exchange *x,
			     struct rp_settlement *s, struct rp_error *err)
{
	const struct rp_receiver r = rp_pg_receiver(t, s->endpoint);
	enum rp_err e;

	rp_pg_changed(t, s->endpoint);
	if (!s->stale)
		rp_receiver_token_return(&r, &s->tokens);
	if (s->kind == RP_SETTLE_PARK)
		s->parked =
		    rp_schedule_park(r.at[RP_LEVEL_PATH], s->cause, s->due_at_ms, t->now_at_ms);
	if (rp_settle_is_attempt(s->kind)) {
		const struct rp_attempt a = {.outcome = *s->outcome,
					     .late = s->stale,
					     .slot = t->store->me.slot,
					     .pid = t->store->me_pid,
					     .started_at_ms = s->started_at_ms};

		e = rp_pg_log_attempt(t, s->seq, s->endpoint, s->attempt, &a, err);
		if (e != RP_OK)
			return e;
		note_result(t, x, s, &r);
	}
	return RP_OK;
}

static enum rp_err pass_places(struct rp_pg_txn *t, const struct rp_settlement *s,
			       struct rp_error *err)
{
	const struct rp_pg_entry *entry = rp_pg_entry_of(t, s->passes_to_seq);
	struct rp_delivery from, to;

	if (entry == NULL)
		return RP_OK;
	from = entry->d;
	if (from.slot != t->store->me.slot ||
	    !rp_transition_take_places(&from, s->passes_to_claim_no, &to))
		return RP_OK;
	return rp_pg_move(t, s->passes_to_seq, &from, &to, err);
}

static enum rp_err settle_one(struct rp_pg_txn *t, const struct rp_exchange *x,
			      struct rp_settlement *s, struct rp_error *err)
{
	const struct rp_pg_entry *entry = rp_pg_entry_of(t, s->seq);
	struct rp_settle_try how = {s->kind, s->cause, s->claim_no, s->due_at_ms, s->outcome};
	enum rp_settle_verdict verdict;
	struct rp_delivery from, to;
	enum rp_err e;

	s->stale = true;
	s->parked = false;
	memset(s->change, 0, sizeof s->change);
	if (entry == NULL)
		return RP_OK;
	from = entry->d;
	/* After a claim of unknown outcome, or a failover, the number may be that of another's. */
	if (from.slot != t->store->me.slot)
		how.claim_no = 0;
	verdict = rp_transition_settle(&from, &how, &to);
	s->stale = verdict != RP_SETTLED;
	if (verdict == RP_SETTLED_STALE)
		return RP_OK;
	e = rp_pg_move(t, s->seq, &from, &to, err);
	return e == RP_OK ? follow_up(t, x, s, err) : e;
}

static enum rp_err settle_all(struct rp_pg_txn *t, struct rp_exchange *x, struct rp_error *err)
{
	uint64_t *seqs = rp_pg_alloc(t, (2 * x->n_settle + 1) * sizeof *seqs),
		 *endpoints = rp_pg_alloc(t, (x->n_settle + 1) * sizeof *endpoints);
	size_t n = 0, i;
	enum rp_err e;

	if (seqs == NULL || endpoints == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	for (i = 0; i < x->n_settle; i++) {
		endpoints[i] = x->settle[i].endpoint;
		seqs[n++] = x->settle[i].seq;
		if (x->settle[i].passes_to_seq != 0)
			seqs[n++] = x->settle[i].passes_to_seq;
	}
	e = rp_pg_lock(t, endpoints, x->n_settle, seqs, n, RP_PG_WAIT, err);
	for (i = 0; e == RP_OK && i < x->n_settle; i++) {
		e = settle_one(t, x, &x->settle[i], err);
		if (e == RP_OK)
			e = pass_places(t, &x->settle[i], err);
	}
	return e;
}

/* --- the exchange ------------------------------------------------------------------------ */

static enum rp_err settle_and_claim(struct rp_pg_txn *t, struct rp_exchange *x, bool *others,
				    struct rp_error *err)
{
	enum rp_err e = RP_OK;

	if (x->n_settle > 0)
		e = settle_all(t, x, err);
	if (e != RP_OK || (x->want == 0 && x->n_ahead == 0))
		return e;
	if (t->dirty)
		e = rp_pg_flush(t, err); /* what was settled made room */
	return e == RP_OK ? rp_pg_claim(t, x, others, err) : e;
}

static enum rp_err see_next(struct rp_pg *pg, struct rp_exchange *x, struct rp_error *err)
{
	size_t ask;
	enum rp_err e;

	rp_pg_params(pg);
	ask = rp_pg_ask(pg, &next_ready);
	e = rp_pg_go(pg, err);
	if (e == RP_OK)
		x->next_ready_at_ms = rp_pg_is_null(rp_pg_answer(pg, ask), 0, 0)
					  ? RP_NEVER
					  : rp_pg_i64(rp_pg_answer(pg, ask), 0, 0);
	return e;
}

/* Touches nothing that an exchange on another thread of this process uses. */
static enum rp_err only_look(struct rp_pgstore *s, struct rp_exchange *x, struct rp_error *err)
{
	enum rp_err e = rp_pg_reach_side(s, err);

	return e == RP_OK ? see_next(s->side, x, err) : e;
}

static void wait_at_least(struct rp_exchange *x, int64_t at_ms)
{
	if (x->next_ready_at_ms < at_ms)
		x->next_ready_at_ms = at_ms;
}

enum rp_err rp_pgop_exchange(struct rp_outbox *outbox, int64_t now_at_ms, struct rp_exchange *x,
			     struct rp_error *err)
{
	struct rp_pgstore *s = rp_pgstore_of(outbox);
	bool others = false;
	struct rp_pg_txn *t;
	enum rp_err e;

	assert((x->want == 0 && x->n_ahead == 0) || s->joined);
	x->n_claims = x->n_metered = x->n_unproven = x->n_dead = 0;
	x->passed_over = x->committed = false;
	x->next_ready_at_ms = RP_NEVER;
	if (x->n_settle == 0 && x->want == 0 && x->n_ahead == 0)
		return only_look(s, x, err);
	e = rp_pg_begin(s, now_at_ms, &t, err);
	if (e != RP_OK)
		return e;
	e = settle_and_claim(t, x, &others, err);
	x->committed = e == RP_OK && t->dirty;
	e = rp_pg_finish(t, e, err);
	if (e == RP_OK)
		e = see_next(s->pg, x, err);
	if (e != RP_OK) {
		if (e != RP_ERR_AWAY)
			x->n_claims = 0;
		return e;
	}
	/* more is due than this sender can take: others may */
	if (x->committed && (x->n_claims >= x->want || x->passed_over) &&
	    x->next_ready_at_ms <= now_at_ms)
		rp_pg_tell(s, RP_WATCH_WORK);
	if (x->passed_over)
		wait_at_least(x, now_at_ms + RP_PASSED_OVER_MS);
	if (others && x->n_claims == 0)
		wait_at_least(x, now_at_ms + OTHERS_MS);
	return RP_OK;
}
