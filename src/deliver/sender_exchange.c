/* sender_turn.c - takes results and claims to the store and back. It fills a turn and applies
 * what it returns; when to take one is decided in pace.c. */

#include "deliver/sender_exchange.h"

#include "deliver/sender_attempt.h"
#include "deliver/sender_list.h"
#include "deliver/sender_log.h"

#define SURPLUS_MS 1000 /* claims that have not begun for so long are too many */

static struct rp_limits endpoint_limits(void *arg, uint64_t endpoint, struct rp_span name)
{
	const struct rp_sender *s = arg;
	const struct rp_policy *policy = &s->o.settings->config.defaults;
	struct rp_url url;

	(void)endpoint;
	if (rp_url_parse(name, &url, NULL) == RP_OK)
		policy = rp_config_policy(&s->o.settings->config, &url);
	return (struct rp_limits){.in_flight = policy->in_flight,
				  .start = RP_WINDOW_START,
				  .rate = policy->rate,
				  .breaker = policy->breaker};
}

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

static void recycle_settled(struct rp_sender *s, const struct rp_exchange *turn)
{
	size_t i;

	for (i = 0; i < turn->n_settle; i++) {
		struct rp_sender_job *j = rp_sender_list_pop(&s->settling);

		j->settlement = turn->settle[i];
		count_settled(s, &j->settlement);
		rp_sender_log_settled(j);
		rp_sender_log_breaker(s, j, turn->settle[i].change);
		rp_sender_list_push_first(&s->idle, j);
	}
}

/* Half as many again as may run at once, so that the next ones begin before the last ones are
 * settled; and twice as many as have come back since the last turn: a sender whose receivers are
 * fast claims and settles in ever larger steps, and one whose receivers hang does not keep from
 * others what it cannot begin. */
static size_t claim_room(const struct rp_sender *s)
{
	size_t begun = s->running + rp_sender_n_ready(s);
	size_t wanted = s->room.now + rp_sender_ahead(s) + 2 * (s->finished.n - s->given_back);
	size_t room = begun < wanted ? wanted - begun : 0;

	if (s->stop_boot_ms != 0)
		return 0;
	return room < s->idle.n ? room : s->idle.n;
}

/* Many were claimed while all was fast, and now their requests hang: what cannot begin is given
 * back, so that it is claimed anew by what is possible now, in turn with what has come due since,
 * and by others. */
void rp_sender_return_surplus(struct rp_sender *s)
{
	if (s->ready.n > rp_sender_ahead(s) && s->now_boot_ms - s->claimed_boot_ms >= SURPLUS_MS)
		rp_sender_return_ready(s);
}

/* What can begin as soon as it is claimed: these go before all others. */
static size_t metered_room(const struct rp_sender *s)
{
	size_t taken = s->running + s->metered.n;

	return taken < s->room.now ? s->room.now - taken : 0;
}

static void prepare_turn(struct rp_sender *s)
{
	struct rp_sender_job *j;

	s->turn = (struct rp_exchange){.settle = s->settlements,
				       .claims = s->claims,
				       .limits = endpoint_limits,
				       .limits_arg = s,
				       .want = claim_room(s),
				       .want_metered = metered_room(s),
				       .begin_within_ms = rp_lag_begin_within_ms(s->lag_ms)};
	while ((j = rp_sender_list_pop(&s->finished)) != NULL) {
		s->turn.settle[s->turn.n_settle++] = j->settlement;
		rp_sender_list_push(&s->settling, j);
	}
	s->given_back = 0;
	s->turn_boot_ms = s->now_boot_ms;
	s->rung_meanwhile = false;
}

/* What a turn that failed was to settle may be settled yet, when the sender leaves. */
static enum rp_err apply_turn(struct rp_sender *s, enum rp_err result, struct rp_error *err)
{
	const struct rp_exchange *t = &s->turn;
	struct rp_sender_job *j;
	size_t i;

	if (result != RP_OK) {
		while ((j = rp_sender_list_pop(&s->settling)) != NULL)
			rp_sender_list_push(&s->finished, j);
		return result;
	}
	s->counts.commits += t->committed;
	s->counts.dead += t->n_dead;
	s->ready_at_ms = t->next_ready_at_ms;
	if (t->n_claims > 0)
		s->claimed_boot_ms = s->now_boot_ms;
	for (i = 0; i < t->n_claims; i++) {
		j = rp_sender_list_pop(&s->idle);
		j->claim = t->claims[i];
		j->id_known = false;
		j->claimed_boot_ms = s->turn_boot_ms;
		j->begin_within_ms = t->begin_within_ms;
		rp_sender_log_breaker(s, j, j->claim.probe ? RP_CONTROL_PROBED : RP_CONTROL_SAME);
		rp_sender_list_push(j->claim.token.rate.count > 0 ? &s->metered : &s->ready, j);
	}
	recycle_settled(s, t);
	/* Told to stop while it was claiming; or stalled since, and then these claims may have
	 * been taken too. */
	if (s->stop_boot_ms != 0 || rp_sender_is_stalled(s, s->turn_boot_ms))
		rp_sender_return_ready(s);
	return s->rung_meanwhile ? rp_outbox_next_ready(s->o.outbox, &s->ready_at_ms, err) : RP_OK;
}

enum rp_err rp_sender_take_turn(struct rp_sender *s, struct rp_error *err)
{
	enum rp_err e;

	prepare_turn(s);
	/* While nothing is to be begun or expected soon, there is nothing that could go on
	 * meanwhile. */
	if (s->turner != NULL &&
	    rp_fresh_count(&s->fresh, s->now_boot_ms) + rp_sender_n_ready(s) > 0) {
		s->turn_under_way = true;
		rp_turner_begin(s->turner, s->now_at_ms, &s->turn);
		return RP_OK;
	}
	e = rp_outbox_exchange(s->o.outbox, s->now_at_ms, &s->turn, err);
	return apply_turn(s, e, err);
}

/* The turn under way, if there is one and it is over or waited for. */
enum rp_err rp_sender_end_turn(struct rp_sender *s, bool wait, struct rp_error *err)
{
	enum rp_err e;

	if (!s->turn_under_way || !rp_turner_end(s->turner, wait, &e, err))
		return RP_OK;
	s->turn_under_way = false;
	return apply_turn(s, e, err);
}

/* Before claims are given up as lost: what came back is known, and what was not begun is not
 * lost. */
enum rp_err rp_sender_settle_rest(struct rp_sender *s, struct rp_error *err)
{
	enum rp_err e;

	if (s->stop_boot_ms == 0)
		s->stop_boot_ms = s->now_boot_ms + 1;
	e = rp_sender_end_turn(s, true, err);
	rp_sender_return_ready(s);
	if (e == RP_OK && s->finished.n > 0)
		e = rp_sender_take_turn(s, err);
	return e == RP_OK ? rp_sender_end_turn(s, true, err) : e;
}

static struct rp_pace pace_of(const struct rp_sender *s)
{
	return (struct rp_pace){
	    .ready = rp_sender_n_ready(s),
	    .running = s->running,
	    .fresh = rp_fresh_count(&s->fresh, s->now_boot_ms),
	    .finished = s->finished.n,
	    .hold_ms = s->hold_ms,
	    .room = claim_room(s),
	    .due = s->ready_at_ms <= s->now_at_ms,
	    .oldest_finished_ms = s->now_boot_ms - s->finished_boot_ms,
	    .since_turn_ms = s->now_boot_ms - s->turn_boot_ms,
	};
}

int64_t rp_sender_next_turn_ms(const struct rp_sender *s)
{
	struct rp_pace p;

	if (s->turn_under_way)
		return -1;
	p = pace_of(s);
	return rp_pace_next_ms(&p);
}

/* While it has enough to do the doorbell need not wake it: with a backlog every turn of every
 * sender rings, for those that have nothing. What was rung is looked at with the next step. */
bool rp_sender_wants_more(const struct rp_sender *s)
{
	struct rp_pace p;

	if (s->turn_under_way)
		return false;
	p = pace_of(s);
	return rp_pace_wants_claims(&p);
}
