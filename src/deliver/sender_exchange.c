/* sender_exchange.c - makes a sender's exchanges with the store. It fills an exchange and applies
 * its results. It is apart from batching.c, which decides when an exchange is due. */

#include "deliver/sender_exchange.h"

#include "base/assert.h"
#include "deliver/batching.h"
#include "deliver/claim_lag.h"
#include "deliver/sender_attempt.h"
#include "deliver/sender_list.h"
#include "deliver/sender_log.h"
#include "deliver/sender_offer.h"
#include "deliver/sender_places.h"
#include "deliver/sender_settings.h"

#define SURPLUS_MS 1000 /* when claims have not begun for so long, there are too many */

static void count_settled(struct rp_sender *s, const struct rp_settlement *st)
{
	if (st->stale)
		s->counts.stale++;
	else if (st->kind == RP_SETTLE_DELIVERED)
		s->counts.delivered++;
	else if (st->kind == RP_SETTLE_RETRY)
		s->counts.retried++;
	else if (st->kind == RP_SETTLE_DEAD)
		s->counts.dead++;
}

static void recycle_settled(struct rp_sender *s, const struct rp_exchange *exchange)
{
	size_t i;

	for (i = 0; i < exchange->n_settle; i++) {
		struct rp_sender_claim *c = rp_sender_list_pop(&s->settling);

		c->settlement = exchange->settle[i];
		count_settled(s, &c->settlement);
		rp_sender_log_settled(c);
		rp_sender_log_breakers(s, c);
		rp_sender_places_left(s, c);
		rp_sender_list_push_first(&s->idle, c);
	}
}

/* Half as many again as may run at once: so the next requests begin before the last ones are
 * settled. And twice as many as have finished since the last exchange: so a sender with fast
 * receivers claims and settles in ever larger steps. A sender whose receivers hang leaves to others
 * what it cannot begin. */
static size_t claim_room(const struct rp_sender *s)
{
	size_t begun = s->running + rp_sender_n_ready(s);
	size_t wanted =
	    s->concurrency.limit + rp_sender_prefetch(s) + 2 * (s->finished.n - s->n_returned);
	size_t room = begun < wanted ? wanted - begun : 0;

	if (s->stop_boot_ms != 0)
		return 0;
	return room < s->idle.n ? room : s->idle.n;
}

/* A sender may have claimed many entries while all was fast, and now their requests hang. It gives
 * back the claims that cannot begin. Other senders may claim these entries then, and this sender
 * claims anew, together with the entries that have come due since. */
void rp_sender_return_surplus(struct rp_sender *s)
{
	rp_sender_places_return_old(s);
	rp_sender_return_in_vain(s);
	if (s->ready.n > rp_sender_prefetch(s) && s->now_boot_ms - s->claimed_boot_ms >= SURPLUS_MS)
		rp_sender_return_ready(s);
}

/* As many as can begin as soon as they are claimed. Metered claims begin before all others. */
static size_t metered_room(const struct rp_sender *s)
{
	size_t taken = s->running + s->metered.n;

	return taken < s->concurrency.limit ? s->concurrency.limit - taken : 0;
}

/* Half of what may run at once. */
static size_t unproven_room(const struct rp_sender *s)
{
	size_t half = (s->concurrency.limit + 1) / 2;

	return s->n_unproven < half ? half - s->n_unproven : 0;
}

/* One that is settled in the same exchange frees what it got. */
static void name_successor(struct rp_sender_claim *c)
{
	c->settlement.passes_to_seq = 0; /* of an exchange that failed */
	c->settlement.passes_to_claim_no = 0;
	if (c->to == NULL || c->to->over)
		return;
	c->settlement.passes_to_seq = c->to->claim.seq;
	c->settlement.passes_to_claim_no = c->to->claim.claim_no;
}

static void prepare_exchange(struct rp_sender *s)
{
	struct rp_sender_claim *c;

	assert(!s->exchange_under_way && s->settling.n == 0);
	s->exchange =
	    (struct rp_exchange){.settle = s->exchange_settlements,
				 .claims = s->exchange_claims,
				 .limits = rp_sender_limits_of,
				 .limits_arg = s,
				 .want = claim_room(s),
				 .want_metered = metered_room(s),
				 .begin_within_ms = rp_claim_lag_begin_within_ms(s->claim_lag_ms)};
	if (s->stop_boot_ms == 0)
		rp_sender_places_ask(s, s->idle.n - s->exchange.want);
	while ((c = rp_sender_list_pop(&s->finished)) != NULL) {
		name_successor(c);
		s->exchange.settle[s->exchange.n_settle++] = c->settlement;
		s->n_unproven -= c->claim.unproven;
		rp_sender_list_push(&s->settling, c);
	}
	s->exchange.want_unproven = unproven_room(s); /* what ends makes room for the next */
	s->n_returned = 0;
	s->exchange_boot_ms = s->now_boot_ms;
	s->woken_meanwhile = false;
}

static void take_claim(struct rp_sender *s, const struct rp_claim *claim)
{
	struct rp_sender_claim *c = rp_sender_list_pop(&s->idle);

	c->claim = *claim;
	c->id_known = false;
	c->claimed_boot_ms = s->exchange_boot_ms;
	c->begin_within_ms = s->exchange.begin_within_ms;
	s->n_unproven += c->claim.unproven;
	rp_sender_log_probes(s, c);
	if (!rp_sender_places_claimed(s, c))
		rp_sender_list_push(rp_tokens_any(&c->claim.tokens) ? &s->metered : &s->ready, c);
}

/* The results go back to `finished`: they may be settled yet, by a later exchange or when the
 * sender leaves. Of a store that went away nobody knows whether it claimed: what it may have claimed goes
 * back, and is found stale where it did not. */
static void undo_exchange(struct rp_sender *s, enum rp_err result)
{
	struct rp_sender_claim *c;
	size_t i;

	while ((c = rp_sender_list_pop(&s->settling)) != NULL) {
		s->n_unproven += c->claim.unproven;
		rp_sender_list_push(&s->finished, c);
	}
	if (result != RP_ERR_AWAY)
		return;
	for (i = 0; i < s->exchange.n_claims; i++)
		take_claim(s, &s->exchange.claims[i]);
	rp_sender_return_ready(s);
}

static enum rp_err apply_exchange(struct rp_sender *s, enum rp_err result, struct rp_error *err)
{
	const struct rp_exchange *t = &s->exchange;
	size_t i;

	if (result != RP_OK) {
		undo_exchange(s, result);
		return result;
	}
	assert(t->n_claims <= s->idle.n && t->n_settle == s->settling.n);
	s->counts.commits += t->committed;
	s->counts.dead += t->n_dead;
	s->ready_at_ms = t->next_ready_at_ms;
	if (t->n_claims > 0)
		s->claimed_boot_ms = s->now_boot_ms;
	for (i = 0; i < t->n_claims; i++)
		take_claim(s, &t->claims[i]);
	rp_sender_places_use(s);
	rp_sender_return_in_vain(s);
	recycle_settled(s, t);
	/* The sender was told to stop meanwhile. Or it has stalled, and then others may have taken
	 * these claims. */
	if (s->stop_boot_ms != 0 || rp_sender_is_stalled(s, s->exchange_boot_ms))
		rp_sender_return_ready(s);
	return s->woken_meanwhile ? rp_outbox_next_ready(s->o.outbox, &s->ready_at_ms, err) : RP_OK;
}

enum rp_err rp_sender_begin_exchange(struct rp_sender *s, struct rp_error *err)
{
	enum rp_err e;

	prepare_exchange(s);
	/* When nothing is to begin and nothing is expected soon, there is nothing that could go on
	 * meanwhile: the thread would only add its own latency. */
	if (s->exchange_thread != NULL &&
	    rp_fresh_requests_count(&s->fresh, s->now_boot_ms) + rp_sender_n_ready(s) > 0) {
		s->exchange_under_way = true;
		rp_exchange_thread_begin(s->exchange_thread, s->now_at_ms, &s->exchange);
		return RP_OK;
	}
	e = rp_outbox_exchange(s->o.outbox, s->now_at_ms, &s->exchange, err);
	return apply_exchange(s, e, err);
}

enum rp_err rp_sender_end_exchange(struct rp_sender *s, bool wait, struct rp_error *err)
{
	enum rp_err e;

	if (!s->exchange_under_way || !rp_exchange_thread_end(s->exchange_thread, wait, &e, err))
		return RP_OK;
	s->exchange_under_way = false;
	return apply_exchange(s, e, err);
}

/* Results that are known must be settled, and claims that have not begun must go back. Else other
 * senders would count them all as lost. */
enum rp_err rp_sender_settle_rest(struct rp_sender *s, struct rp_error *err)
{
	enum rp_err e;

	if (s->stop_boot_ms == 0)
		s->stop_boot_ms = s->now_boot_ms + 1;
	e = rp_sender_end_exchange(s, true, err);
	rp_sender_return_ready(s);
	if (e == RP_OK)
		e = rp_sender_withdraw(s, err);
	if (e == RP_OK && s->finished.n > 0)
		e = rp_sender_begin_exchange(s, err);
	return e == RP_OK ? rp_sender_end_exchange(s, true, err) : e;
}

static struct rp_batching batching_of(const struct rp_sender *s)
{
	return (struct rp_batching){
	    .ready = rp_sender_n_ready(s),
	    .running = s->running,
	    .fresh = rp_fresh_requests_count(&s->fresh, s->now_boot_ms),
	    .finished = s->finished.n,
	    .hold_ms = s->hold_ms,
	    .room = claim_room(s),
	    .due = s->ready_at_ms <= s->now_at_ms || rp_sender_places_run_out(s),
	    .oldest_finished_ms = s->now_boot_ms - s->finished_boot_ms,
	    .since_exchange_ms = s->now_boot_ms - s->exchange_boot_ms,
	};
}

int64_t rp_sender_next_exchange_ms(const struct rp_sender *s)
{
	struct rp_batching b;

	if (s->exchange_under_way)
		return -1;
	b = batching_of(s);
	return rp_batching_next_ms(&b);
}

/* A sender that has enough to do need not be woken. With a backlog, each exchange of each sender
 * wakes all others, for those that have nothing to do. The next step sees the new work anyway. */
bool rp_sender_wants_more(const struct rp_sender *s)
{
	struct rp_batching b;

	if (s->exchange_under_way)
		return false;
	b = batching_of(s);
	return rp_batching_wants_claims(&b);
}
