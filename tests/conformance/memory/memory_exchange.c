/* memory_exchange.c - one exchange of a sender, and what it needs for an attempt. */

#include "base/assert.h"
#include "conformance/memory/memory_int.h"
#include "model/schedule.h"

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

/* A breaker that is about to hold up a backlog asks whether its limits still hold. */
static void ask_again(struct mem_txn *t, const struct rp_exchange *x, struct rp_settlement *s,
		      const struct rp_receiver *r)
{
	struct rp_level_limits limits;
	int l;

	for (l = 0; l < RP_LEVELS; l++) {
		if (!rp_control_asks_again(s->change[l]))
			continue;
		limits = mem_ask(t, x, s->endpoint);
		s->change[l] = rp_control_answered(&r->at[l]->control, &limits.at[l]);
	}
}

static uint64_t was_in_use(struct mem_txn *t, uint64_t id)
{
	return id != 0 ? mem_endpoint(t->s, id)->was_in_use : 0;
}

static void note_result(struct mem_txn *t, const struct rp_exchange *x, struct rp_settlement *s,
			const struct rp_receiver *r)
{
	const struct rp_receiver_result result = {
	    .outcome = s->outcome,
	    .delivered = s->kind == RP_SETTLE_DELIVERED,
	    .disables = s->disable_endpoint,
	    .in_use = {was_in_use(t, s->endpoint), was_in_use(t, r->at[RP_LEVEL_PATH]->section),
		       was_in_use(t, rp_level_host(s->endpoint))}};
	int l;

	rp_ledger_count_attempt(&t->s->counters, s->outcome, t->now_at_ms);
	add_to_series(t, s->series[0] != '\0' ? s->series : RP_SERIES_OTHER, s->outcome);
	rp_receiver_settled(r, &result, t->now_at_ms, s->change);
	ask_again(t, x, s, r);
	for (l = 0; l < RP_LEVELS; l++) {
		s->bad_streak[l] = r->at[l] != NULL ? r->at[l]->control.bad_streak : 0;
		s->probe_at_ms[l] = r->at[l] != NULL ? r->at[l]->control.probe_at_ms : 0;
	}
}

static void follow_up(struct mem_txn *t, const struct rp_exchange *x, struct rp_settlement *s)
{
	const struct rp_receiver r = mem_receiver(t->s, s->endpoint);

	mem_changed(t, s->endpoint);
	if (!s->stale)
		rp_receiver_token_return(&r, &s->tokens);
	if (s->kind == RP_SETTLE_PARK)
		s->parked =
		    rp_schedule_park(r.at[RP_LEVEL_PATH], s->cause, s->due_at_ms, t->now_at_ms);
	if (rp_settle_is_attempt(s->kind)) {
		const struct rp_attempt a = {.outcome = *s->outcome,
					     .late = s->stale,
					     .slot = t->by->me.slot,
					     .pid = t->by->world->senders[t->by->me.slot].pid,
					     .started_at_ms = s->started_at_ms};

		mem_log_attempt(t, s->seq, s->endpoint, s->attempt, &a);
		note_result(t, x, s, &r);
	}
}

static void pass_places(struct mem_txn *t, const struct rp_settlement *s)
{
	const struct mem_entry *e = mem_entry(t->s, s->passes_to_seq);
	struct rp_delivery from, to;

	if (e == NULL)
		return;
	from = e->d;
	if (rp_transition_take_places(&from, s->passes_to_claim_no, &to))
		mem_move(t, s->passes_to_seq, &from, &to);
}

static void settle_one(struct mem_txn *t, const struct rp_exchange *x, struct rp_settlement *s)
{
	const struct rp_settle_try how = {s->kind, s->cause, s->claim_no, s->due_at_ms, s->outcome};
	const struct mem_entry *e = mem_entry(t->s, s->seq);
	struct rp_delivery from, to;
	enum rp_settle_verdict verdict;

	s->stale = true;
	s->parked = false;
	memset(s->change, 0, sizeof s->change);
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

/* --- the exchange ------------------------------------------------------------------------ */

static int64_t first_ready_ms(struct mem_state *s)
{
	int64_t first_ms = RP_NEVER;

	MEM_EACH (struct mem_endpoint, ep, &s->endpoints)
		if (ep->rec.level == RP_LEVEL_HOST && ep->rec.ready_at_ms < first_ms)
			first_ms = ep->rec.ready_at_ms;
	return first_ms;
}

enum rp_err mem_exchange(struct rp_outbox *ob, int64_t now_at_ms, struct rp_exchange *x,
			 struct rp_error *err)
{
	struct mem_txn t = mem_begin(ob, now_at_ms);
	size_t i;

	(void)err;
	assert((x->want == 0 && x->n_ahead == 0) || t.by->joined);
	x->n_claims = x->n_metered = x->n_unproven = x->n_dead = 0;
	x->passed_over = false;
	for (i = 0; i < x->n_settle; i++) {
		settle_one(&t, x, &x->settle[i]);
		pass_places(&t, &x->settle[i]);
	}
	if (x->want > 0 || x->n_ahead > 0) {
		mem_flush(&t); /* what was settled made room */
		mem_claim(&t, x);
	}
	x->committed = t.dirty;
	if (t.dirty)
		mem_commit(&t);
	x->next_ready_at_ms = first_ready_ms(t.s);
	if (t.dirty && (x->n_claims >= x->want || x->passed_over) &&
	    x->next_ready_at_ms <= now_at_ms)
		mem_ring(&t); /* more is due than this sender can take: others may */
	if (x->passed_over && x->next_ready_at_ms < now_at_ms + RP_PASSED_OVER_MS)
		x->next_ready_at_ms = now_at_ms + RP_PASSED_OVER_MS;
	return RP_OK;
}

/* --- the clock --------------------------------------------------------------------------- */

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

static bool are_places_lost(struct mem_state *s, const struct rp_claim *claim,
			    const struct rp_delivery *own)
{
	size_t i;

	if (claim->lacks == 0 || own->lacks == 0)
		return false;
	for (i = 0; i < 2; i++) {
		const struct mem_entry *e = mem_entry(s, claim->places_of[i].seq);

		if (e != NULL && rp_transition_has_places(&e->d, claim->places_of[i].claim_no))
			return false;
	}
	return true;
}

enum rp_err mem_fetch(struct rp_outbox *ob, const struct rp_claim *claim, struct rp_dispatch *out,
		      struct rp_error *err)
{
	struct mem_state *s = &mem_of(ob)->world->state;
	const struct mem_entry *e = mem_entry(s, claim->seq);
	struct rp_receiver r;
	int l;

	if (e == NULL || !rp_transition_has_claim(&e->d, claim->claim_no)) {
		if (!out->endpoint_only)
			memset(&out->facts, 0, sizeof out->facts);
		return rp_fail(err, RP_ERR_STALE, "the claim was lost");
	}
	out->endpoint_known = true;
	out->places_lost = are_places_lost(s, claim, &e->d);
	r = mem_receiver(s, claim->endpoint);
	for (l = 0; l < RP_LEVELS; l++)
		if (r.at[l] != NULL)
			out->at[l] = *r.at[l];
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
