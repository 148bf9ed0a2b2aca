/* memory_exchange.c - one exchange of a sender, and what it needs for an attempt. */

#include "base/assert.h"
#include "conformance/memory/memory_int.h"
#include "model/schedule.h"
#include "model/turns.h"

static struct rp_limits ask_limits(struct mem_txn *t, const struct rp_exchange *x,
				   struct mem_endpoint *ep)
{
	ep->dirty = t->dirty = true;
	return x->limits(x->limits_arg, ep->id, ep->name);
}

/* --- settle ------------------------------------------------------------------------------ */

/* Those that come when there are so many share one. */
static void add_to_series(struct mem_txn *t, const char *name, const struct rp_outcome *outcome)
{
	struct mem_series *at = NULL;
	size_t i;

	for (i = 0; i < t->s->series.n; i++) {
		at = mem_at(&t->s->series, i);
		if (strcmp(at->name, name) >= 0)
			break;
	}
	if (i == t->s->series.n || strcmp(at->name, name) != 0) {
		if (t->s->series.n >= RP_SERIES_MAX - 1 && strcmp(name, RP_SERIES_OTHER) != 0) {
			add_to_series(t, RP_SERIES_OTHER, outcome);
			return;
		}
		at = mem_insert(&t->s->series, i);
	}
	memcpy(at->name, name, strlen(name) + 1);
	at->s.attempts[rp_outcome_class(outcome->cause, outcome->http_status)]++;
}

static void note_result(struct mem_txn *t, const struct rp_exchange *x, struct rp_settlement *s,
			struct mem_endpoint *ep)
{
	struct rp_limits limits;

	rp_ledger_count_attempt(&t->s->counters, s->outcome, t->now_at_ms);
	add_to_series(t, s->series[0] != '\0' ? s->series : RP_SERIES_OTHER, s->outcome);
	rp_ledger_count_result(&ep->rec, s->outcome, s->kind == RP_SETTLE_DELIVERED, t->now_at_ms);
	s->change = rp_control_settled(&ep->rec.control, s->outcome->cause, s->outcome->http_status,
				       ep->was_in_flight, t->now_at_ms);
	if (rp_control_asks_again(s->change)) {
		limits = ask_limits(t, x, ep);
		s->change = rp_control_answered(&ep->rec.control, &limits);
	}
	s->bad_streak = ep->rec.control.bad_streak;
	s->probe_at_ms = ep->rec.control.probe_at_ms;
	if (s->disable_endpoint)
		rp_schedule_disable(&ep->rec, t->now_at_ms);
}

static void follow_up(struct mem_txn *t, const struct rp_exchange *x, struct rp_settlement *s)
{
	struct mem_endpoint *ep = mem_endpoint(t->s, s->endpoint);

	ep->dirty = true;
	if (!s->stale)
		rp_control_token_return(&ep->rec.control, &s->token, ep->rec.served_at_ms);
	if (s->kind == RP_SETTLE_PARK)
		s->parked = rp_schedule_park(&ep->rec, s->cause, s->due_at_ms, t->now_at_ms);
	if (rp_settle_is_attempt(s->kind)) {
		const struct rp_attempt a = {.outcome = *s->outcome,
					     .late = s->stale,
					     .slot = t->by->me.slot,
					     .pid = t->by->world->senders[t->by->me.slot].pid,
					     .started_at_ms = s->started_at_ms};

		mem_log_attempt(t, s->seq, s->endpoint, s->attempt, &a);
		note_result(t, x, s, ep);
	}
}

static void settle_one(struct mem_txn *t, const struct rp_exchange *x, struct rp_settlement *s)
{
	const struct rp_settle_try how = {s->kind, s->cause, s->claim_no, s->due_at_ms, s->outcome};
	const struct mem_entry *e = mem_entry(t->s, s->seq);
	struct rp_delivery from, to;
	enum rp_settle_verdict verdict;

	s->stale = true;
	s->parked = false;
	s->change = RP_CONTROL_SAME;
	if (e == NULL)
		return;
	from = e->d;
	verdict = rp_transition_settle(&from, &how, &to);
	s->stale = verdict != RP_SETTLED;
	if (verdict == RP_SETTLED_STALE)
		return;
	mem_move(t, s->seq, &from, &to);
	follow_up(t, x, s);
}

/* --- claim ------------------------------------------------------------------------------- */

static void hand_out(struct mem_txn *t, struct rp_exchange *x, struct mem_endpoint *ep,
		     uint64_t seq, const struct rp_delivery *to)
{
	struct rp_claim *c = &x->claims[x->n_claims++];

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

/* The first of its entries that is due; NULL: there is none. */
static struct mem_entry *first_due(struct mem_txn *t, uint64_t endpoint)
{
	struct mem_entry *first = NULL;

	MEM_EACH (struct mem_entry, e, &t->s->entries)
		if (e->d.endpoint == endpoint && e->d.state == RP_STATE_WAITING && !e->d.behind &&
		    e->d.due_at_ms <= t->now_at_ms &&
		    (first == NULL || e->d.due_at_ms < first->d.due_at_ms))
			first = e;
	return first;
}

/* false: it has no more to give. */
static bool take_one(struct mem_txn *t, struct rp_exchange *x, struct mem_endpoint *ep)
{
	const struct rp_schedule_room room = {
	    .deaths = RP_TURNS_DEATHS_MAX - x->n_dead,
	    .claims = x->want - x->n_claims,
	    .metered = x->n_metered < x->want_metered ? x->want_metered - x->n_metered : 0,
	};
	enum rp_schedule_take take = rp_schedule_take(&ep->rec, &room, t->now_at_ms);
	const struct mem_entry *e = take == RP_TAKE_NEXT ? first_due(t, ep->id) : NULL;
	struct rp_claim_try by = {.endpoint = ep->id,
				  .endpoint_is_gone = ep->rec.disabled,
				  .slot = t->by->me.slot,
				  .now_at_ms = t->now_at_ms};
	struct rp_delivery from, to;
	uint64_t seq;

	x->passed_over = x->passed_over || take == RP_TAKE_PASSED_OVER;
	if (e == NULL)
		return false;
	seq = e->seq;
	from = e->d;
	by.due_at_ms = from.due_at_ms;
	if (rp_transition_claim(&from, &by, &to) == RP_CLAIM_TAKEN) {
		hand_out(t, x, ep, seq, &to);
		mem_move(t, seq, &from, &to);
		x->claims[x->n_claims - 1].blocking = rp_schedule_is_blocking(&ep->rec, &to);
	} else {
		x->n_dead++;
		mem_move(t, seq, &from, &to);
	}
	return true;
}

/* Of those that are looked at in the ready queue from this place on; NULL: nothing is due. */
static struct mem_endpoint *next_ready(struct mem_txn *t, int64_t after_ms, uint64_t after_id)
{
	struct mem_endpoint *next = NULL;

	MEM_EACH (struct mem_endpoint, ep, &t->s->endpoints) {
		int64_t at_ms = ep->rec.ready_at_ms;

		if (at_ms > t->now_at_ms || at_ms < after_ms ||
		    (at_ms == after_ms && ep->id <= after_id))
			continue;
		if (next == NULL || at_ms < next->rec.ready_at_ms)
			next = ep;
	}
	return next;
}

static void claim(struct mem_txn *t, struct rp_exchange *x)
{
	struct mem_endpoint *ready[RP_TURNS_ENDPOINTS_MAX], *ep = next_ready(t, INT64_MIN, 0);
	struct rp_turns turns = {.n = 0};
	struct rp_limits limits;
	size_t i, looked;

	for (looked = 0; looked < RP_TURNS_ENDPOINTS_MAX && ep != NULL; looked++) {
		if (rp_schedule_is_left(&ep->rec, x->want_metered)) {
			x->passed_over = true;
		} else {
			limits = ask_limits(t, x, ep);
			rp_control_apply(&ep->rec.control, &limits);
			ready[turns.n++] = ep;
		}
		ep = next_ready(t, ep->rec.ready_at_ms, ep->id);
	}
	while (x->n_claims < x->want && rp_turns_next(&turns, &i))
		if (!take_one(t, x, ready[i]))
			rp_turns_end_go(&turns);
}

static int64_t first_ready_ms(struct mem_state *s)
{
	int64_t first_ms = RP_NEVER;

	MEM_EACH (struct mem_endpoint, ep, &s->endpoints)
		if (ep->rec.ready_at_ms < first_ms)
			first_ms = ep->rec.ready_at_ms;
	return first_ms;
}

enum rp_err mem_exchange(struct rp_outbox *ob, int64_t now_at_ms, struct rp_exchange *x,
			 struct rp_error *err)
{
	struct mem_txn t = mem_begin(ob, now_at_ms);
	size_t i;

	(void)err;
	assert(x->want == 0 || t.by->joined);
	x->n_claims = x->n_metered = x->n_dead = 0;
	x->passed_over = false;
	for (i = 0; i < x->n_settle; i++)
		settle_one(&t, x, &x->settle[i]);
	if (x->want > 0) {
		mem_flush(&t); /* what was settled made room */
		claim(&t, x);
	}
	x->committed = t.dirty;
	if (t.dirty)
		mem_commit(&t);
	x->next_ready_at_ms = first_ready_ms(t.s);
	if (t.dirty && (x->n_claims == x->want || x->passed_over) &&
	    x->next_ready_at_ms <= now_at_ms)
		mem_ring(&t); /* more is due than this sender can take: others may */
	if (x->passed_over && x->next_ready_at_ms < now_at_ms + RP_PASSED_OVER_MS)
		x->next_ready_at_ms = now_at_ms + RP_PASSED_OVER_MS;
	return RP_OK;
}

/* --- endpoints --------------------------------------------------------------------------- */

enum rp_err mem_renew_limits(struct rp_outbox *ob, int64_t now_at_ms, struct rp_error *err)
{
	struct mem_txn t = mem_begin(ob, now_at_ms);

	(void)err;
	MEM_EACH (struct mem_endpoint, ep, &t.s->endpoints)
		if (rp_schedule_renew(&ep->rec, now_at_ms))
			ep->dirty = t.dirty = true;
	if (t.dirty) {
		mem_commit(&t);
		mem_ring(&t);
	}
	return RP_OK;
}

enum rp_err mem_endpoint_pause(struct rp_outbox *ob, int64_t now_at_ms, uint64_t endpoint,
			       bool pause, struct rp_error *err)
{
	struct mem_txn t = mem_begin(ob, now_at_ms);
	struct mem_endpoint *ep = mem_endpoint(t.s, endpoint);

	if (ep == NULL)
		return rp_fail(err, RP_ERR_NOTFOUND, "no such endpoint");
	rp_schedule_pause(&ep->rec, pause, now_at_ms);
	ep->dirty = true;
	mem_commit(&t);
	mem_ring(&t);
	return RP_OK;
}

#define LOOKS_A_CALL 100

/* walk->seq is the number of the last entry that was looked at. false: there are more. */
static bool fix_some(struct mem_txn *t, struct rp_clock_fix *walk)
{
	size_t looks = 0;

	MEM_EACH (struct mem_entry, e, &t->s->entries) {
		if (e->seq <= walk->seq)
			continue;
		if (looks++ == LOOKS_A_CALL)
			return false;
		walk->seq = e->seq;
		if (e->d.state != RP_STATE_WAITING || e->d.behind ||
		    e->d.due_at_ms <= t->now_at_ms || !rp_transition_is_ahead(&e->d, t->now_at_ms))
			continue;
		rp_transition_fix_clock(&e->d, e->facts.not_before_at_ms, t->now_at_ms);
		walk->n_fixed++;
	}
	return true;
}

enum rp_err mem_fix_clock(struct rp_outbox *ob, int64_t now_at_ms, struct rp_clock_fix *walk,
			  struct rp_error *err)
{
	struct mem_txn t = mem_begin(ob, now_at_ms);
	bool is_set_back = rp_clock_was_set_back(t.s->head.latest_at_ms, now_at_ms);

	(void)err;
	if (!walk->more || !is_set_back)
		*walk = (struct rp_clock_fix){.more = false};
	if (!is_set_back)
		return RP_OK;
	walk->more = !fix_some(&t, walk);
	MEM_EACH (struct mem_endpoint, ep, &t.s->endpoints)
		ep->dirty = true;
	if (!walk->more)
		t.s->head.latest_at_ms = now_at_ms;
	mem_commit(&t);
	if (!walk->more)
		mem_ring(&t);
	return RP_OK;
}

/* --- fetch ------------------------------------------------------------------------------- */

static enum rp_err load(const struct mem_entry *e, struct rp_dispatch *out, struct rp_error *err)
{
	bool is_long = out->short_max != 0 && e->payload.len > out->short_max;
	struct rp_buf *to = is_long ? out->long_payload : &out->text;

	out->facts = e->facts;
	rp_buf_clear(&out->text);
	if (is_long)
		rp_buf_clear(to);
	to->max = SIZE_MAX / 2;
	if (!rp_buf_add(to, e->payload.ptr, e->payload.len))
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	out->payload = (struct rp_span){to->data, to->len};
	return RP_OK;
}

enum rp_err mem_fetch(struct rp_outbox *ob, const struct rp_claim *claim, struct rp_dispatch *out,
		      struct rp_error *err)
{
	struct mem_state *s = &mem_of(ob)->world->state;
	const struct mem_entry *e = mem_entry(s, claim->seq);
	const struct mem_endpoint *ep = mem_endpoint(s, claim->endpoint);

	if (e == NULL || !rp_transition_has_claim(&e->d, claim->claim_no)) {
		if (!out->endpoint_only)
			memset(&out->facts, 0, sizeof out->facts);
		return rp_fail(err, RP_ERR_STALE, "the claim was lost");
	}
	out->endpoint_known = ep != NULL;
	if (ep != NULL)
		out->endpoint = ep->rec;
	return out->endpoint_only ? RP_OK : load(e, out, err);
}

enum rp_err mem_fetch_piece(struct rp_outbox *ob, struct rp_piece *piece, char *out, size_t n,
			    struct rp_error *err)
{
	const struct mem_entry *e = mem_entry(&mem_of(ob)->world->state, piece->seq);

	if (e == NULL || e->payload.len - piece->at < n)
		return rp_fail(err, RP_ERR_STALE, "the payload is gone");
	memcpy(out, e->payload.ptr + piece->at, n);
	piece->at += n;
	return RP_OK;
}
