/* The rules of an entry, one function for each event. They stand apart from every store, so that
 * all stores keep the same ones. */
#include "model/transition.h"

/* After so many losses in a row an entry that kills its senders is slowed down: 1 s, 2 s, ... up
 * to 5 min. */
#define LOSSES_FREE 3
#define LOSS_DELAY_MAX_MS 300000

/* --- a new entry -------------------------------------------------------------------- */

void rp_transition_append(const struct rp_acceptance *a, int64_t now_at_ms, struct rp_delivery *to)
{
	*to = (struct rp_delivery){
	    .state = RP_STATE_WAITING,
	    .endpoint = a->endpoint,
	    .order_key = a->order_key,
	    .expires_at_ms = a->expires_at_ms,
	};
	to->due_at_ms = a->not_before_at_ms > now_at_ms ? a->not_before_at_ms : now_at_ms;
	to->budget_at_ms = to->due_at_ms;
}

void rp_transition_import(const struct rp_delivery *there, uint64_t endpoint, uint64_t order_key,
			  struct rp_delivery *to)
{
	*to = *there;
	to->endpoint = endpoint;
	to->order_key = order_key;
	to->behind = false;
	to->slot = to->lacks = 0;
	to->claim_no = 0;
}

void rp_transition_enter(const struct rp_delivery *from, struct rp_delivery *to, int64_t now_at_ms)
{
	if (from == NULL ? to->state_at_ms == 0 : from->state != to->state)
		to->state_at_ms = now_at_ms;
	if (to->state != RP_STATE_IN_FLIGHT)
		to->lacks = 0;
}

/* --- claim -------------------------------------------------------------------------- */

static enum rp_claim_verdict die(const struct rp_delivery *from, enum rp_cause cause,
				 struct rp_delivery *to)
{
	*to = *from;
	to->state = RP_STATE_DEAD;
	to->cause = cause;
	return RP_CLAIM_DEAD;
}

enum rp_claim_verdict rp_transition_claim(const struct rp_delivery *from,
					  const struct rp_claim_try *by, struct rp_delivery *to)
{
	if (by->damaged)
		return die(from, RP_CAUSE_DAMAGED, to);
	if (from->state != RP_STATE_WAITING || from->behind || from->endpoint != by->endpoint ||
	    from->due_at_ms != by->due_at_ms)
		return RP_CLAIM_STRAY;
	if (by->endpoint_is_gone)
		return die(from, RP_CAUSE_GONE, to);
	if (from->expires_at_ms != 0 && from->expires_at_ms <= by->now_at_ms)
		return die(from, RP_CAUSE_EXPIRED, to);
	*to = *from;
	to->state = RP_STATE_IN_FLIGHT;
	to->slot = by->slot;
	to->lacks = by->lacks;
	to->claim_no++;
	to->attempts++;
	return RP_CLAIM_TAKEN;
}

void rp_transition_set_aside(const struct rp_delivery *from, struct rp_delivery *to)
{
	die(from, RP_CAUSE_DAMAGED, to);
}

bool rp_transition_has_claim(const struct rp_delivery *d, uint32_t claim_no)
{
	return d->state == RP_STATE_IN_FLIGHT && d->claim_no == claim_no;
}

bool rp_transition_has_places(const struct rp_delivery *d, uint32_t claim_no)
{
	return rp_transition_has_claim(d, claim_no) && d->lacks == 0;
}

bool rp_transition_take_places(const struct rp_delivery *from, uint32_t claim_no,
			       struct rp_delivery *to)
{
	if (!rp_transition_has_claim(from, claim_no) || from->lacks == 0)
		return false;
	*to = *from;
	to->lacks = 0;
	return true;
}

/* --- settle ------------------------------------------------------------------------- */

bool rp_settle_is_attempt(enum rp_settle_kind kind)
{
	return kind != RP_SETTLE_RETURN && kind != RP_SETTLE_PARK;
}

static void give_back(const struct rp_settle_try *s, struct rp_delivery *to)
{
	to->state = RP_STATE_WAITING;
	to->attempts--;
	if (s->kind == RP_SETTLE_PARK) {
		to->last_cause = s->cause;
		to->http_status = 0;
	}
}

static void settle_attempt(const struct rp_settle_try *s, struct rp_delivery *to)
{
	to->losses = 0;
	to->last_cause = s->outcome->cause;
	to->http_status = s->outcome->http_status;
	if (s->kind == RP_SETTLE_DELIVERED) {
		to->state = RP_STATE_DELIVERED;
		to->cause = RP_CAUSE_NONE;
		return;
	}
	to->failures++;
	to->cause = s->cause;
	to->state = s->kind == RP_SETTLE_RETRY ? RP_STATE_WAITING : RP_STATE_DEAD;
	if (s->kind == RP_SETTLE_RETRY)
		to->due_at_ms = s->due_at_ms;
}

enum rp_settle_verdict rp_transition_settle(const struct rp_delivery *from,
					    const struct rp_settle_try *s, struct rp_delivery *to)
{
	bool late = !rp_transition_has_claim(from, s->claim_no);

	/* The entry has been given back, perhaps claimed again or replayed. Only the good news
	 * counts: a receiver that said 2xx has it, so nobody needs to send it again. */
	if (late && (s->kind != RP_SETTLE_DELIVERED || from->state == RP_STATE_DELIVERED))
		return RP_SETTLED_STALE;
	*to = *from;
	if (rp_settle_is_attempt(s->kind))
		settle_attempt(s, to);
	else
		give_back(s, to);
	return late ? RP_SETTLED_LATE : RP_SETTLED;
}

/* --- the sender is lost ------------------------------------------------------------- */

static int64_t loss_delay_ms(unsigned losses)
{
	unsigned over = losses > LOSSES_FREE ? losses - LOSSES_FREE : 0;
	int64_t delay_ms = over == 0 ? 0 : INT64_C(500) << (over < 20 ? over : 20);

	return delay_ms < LOSS_DELAY_MAX_MS ? delay_ms : LOSS_DELAY_MAX_MS;
}

bool rp_transition_lost(const struct rp_delivery *from, bool damaged,
			const struct rp_lost_sender *sender, int64_t now_at_ms,
			struct rp_delivery *to, struct rp_attempt *attempt)
{
	if (from->state != RP_STATE_IN_FLIGHT || from->slot != sender->slot)
		return false;
	*to = *from;
	to->losses++;
	to->state = RP_STATE_WAITING;
	to->cause = to->last_cause = RP_CAUSE_SENDER_LOST;
	to->http_status = 0;
	to->due_at_ms = now_at_ms + loss_delay_ms(to->losses);
	if (damaged || to->losses >= RP_LOSSES_MAX) {
		to->state = RP_STATE_DEAD;
		to->cause = damaged ? RP_CAUSE_DAMAGED : RP_CAUSE_POISON;
	}
	*attempt = (struct rp_attempt){
	    .outcome.cause = RP_CAUSE_SENDER_LOST,
	    .slot = sender->slot,
	    .pid = sender->pid,
	    .started_at_ms = from->state_at_ms,
	};
	return true;
}

/* --- what operators want ------------------------------------------------------------ */

bool rp_changed_is_done(enum rp_changed changed)
{
	return changed == RP_CHANGED_DONE || changed == RP_CHANGED_DONE_IN_FLIGHT;
}

static void replay(struct rp_delivery *d, int64_t now_at_ms)
{
	d->state = RP_STATE_WAITING;
	d->cause = RP_CAUSE_NONE;
	d->due_at_ms = now_at_ms;
	d->budget_at_ms = now_at_ms;
	d->expires_at_ms = 0; /* an operator wants it sent, late as it is */
	d->failures = d->losses = 0;
	d->replays++;
}

enum rp_changed rp_transition_change(const struct rp_delivery *from, enum rp_change verb,
				     unsigned states, int64_t not_before_at_ms, int64_t now_at_ms,
				     struct rp_delivery *to)
{
	bool in_flight = from->state == RP_STATE_IN_FLIGHT;

	if (states != 0 && (states & 1u << from->state) == 0)
		return RP_CHANGED_SKIPPED_STATE;
	if (verb == RP_CHANGE_PURGE)
		return in_flight ? RP_CHANGED_DONE_IN_FLIGHT : RP_CHANGED_DONE;
	/* nobody knows where it was to go: it can only be purged */
	if (from->endpoint == RP_EP_UNKNOWN)
		return RP_CHANGED_SKIPPED_STATE;
	if (in_flight)
		return RP_CHANGED_SKIPPED_IN_FLIGHT;
	if ((verb == RP_CHANGE_HOLD && from->state != RP_STATE_WAITING) ||
	    (verb == RP_CHANGE_RELEASE && from->state != RP_STATE_HELD))
		return RP_CHANGED_SKIPPED_STATE;
	*to = *from;
	if (verb == RP_CHANGE_REPLAY) {
		replay(to, now_at_ms);
	} else if (verb == RP_CHANGE_HOLD) {
		to->state = RP_STATE_HELD;
	} else {
		to->state = RP_STATE_WAITING; /* due when it was due before */
		to->due_at_ms = rp_transition_due_at_ms(from, not_before_at_ms, now_at_ms);
	}
	return RP_CHANGED_DONE;
}

bool rp_transition_is_expired(int64_t state_at_ms, int64_t keep_ms, int64_t now_at_ms)
{
	return keep_ms > 0 && state_at_ms <= now_at_ms - keep_ms;
}

/* --- its place in an order, and a clock that was set back --------------------------- */

bool rp_transition_is_ahead(const struct rp_delivery *d, int64_t now_at_ms)
{
	return d->state_at_ms > now_at_ms;
}

bool rp_transition_asks_not_before(const struct rp_delivery *d, int64_t now_at_ms)
{
	return rp_transition_is_ahead(d, now_at_ms) && d->failures == 0 && d->replays == 0;
}

int64_t rp_transition_due_at_ms(const struct rp_delivery *d, int64_t not_before_at_ms,
				int64_t now_at_ms)
{
	int64_t delay_ms, due_at_ms;

	if (!rp_transition_is_ahead(d, now_at_ms))
		return d->due_at_ms;
	delay_ms = d->failures + d->losses > 0 ? d->due_at_ms - d->state_at_ms : 0;
	due_at_ms = now_at_ms + (delay_ms > 0 ? delay_ms : 0);
	if (rp_transition_asks_not_before(d, now_at_ms) && not_before_at_ms > due_at_ms)
		return not_before_at_ms;
	return due_at_ms;
}

void rp_transition_place(struct rp_delivery *d, bool behind, int64_t not_before_at_ms,
			 int64_t now_at_ms)
{
	d->behind = behind;
	if (behind)
		return;
	d->due_at_ms = rp_transition_due_at_ms(d, not_before_at_ms, now_at_ms);
	if (d->due_at_ms < now_at_ms)
		d->due_at_ms = now_at_ms;
	if (d->failures == 0)
		d->budget_at_ms = d->due_at_ms;
}

void rp_transition_fix_clock(struct rp_delivery *d, int64_t not_before_at_ms, int64_t now_at_ms)
{
	d->due_at_ms = rp_transition_due_at_ms(d, not_before_at_ms, now_at_ms);
	d->state_at_ms = now_at_ms; /* so that it is not put off again */
	if (d->budget_at_ms > now_at_ms)
		d->budget_at_ms = d->failures > 0 ? now_at_ms : d->due_at_ms;
}
