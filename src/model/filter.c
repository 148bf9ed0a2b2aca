/* filter.c - decides whether an entry is meant. Each condition has a function of its own, so that
 * a store can ask early with the little that an index row tells. */

#include "model/filter.h"

#include <stdlib.h>
#include <string.h>

#include "model/ledger.h"
#include "model/sequence.h"

unsigned rp_filter_states(const struct rp_filter *f)
{
	unsigned states = f->states != 0 ? f->states : (unsigned)RP_STATES_ALL;

	if (f->has_group)
		states &= RP_STATE_BIT(RP_STATE_DEAD);
	if (f->front_only && f->order_key != 0)
		states &= RP_STATES_LIVE;
	return states;
}

enum rp_state rp_filter_only_state(const struct rp_filter *f)
{
	unsigned states = rp_filter_states(f), state;

	for (state = RP_STATE_WAITING; state <= RP_STATE_DEAD; state++)
		if (states == RP_STATE_BIT(state))
			return (enum rp_state)state;
	return 0;
}

static int by_number(const void *key, const void *member)
{
	uint64_t a = *(const uint64_t *)key, b = *(const uint64_t *)member;

	return a < b ? -1 : a > b;
}

bool rp_filter_wants_endpoint(const struct rp_filter *f, uint64_t endpoint)
{
	return !f->has_endpoints ||
	       (f->n_endpoints > 0 && bsearch(&endpoint, f->endpoints, f->n_endpoints,
					      sizeof f->endpoints[0], by_number) != NULL);
}

static bool state_matches(const struct rp_filter *f, const struct rp_delivery *d)
{
	if (f->states != 0 && (f->states & RP_STATE_BIT(d->state)) == 0)
		return false;
	return !f->retrying_only || d->state != RP_STATE_WAITING || rp_ledger_is_retrying(d);
}

static bool order_matches(const struct rp_filter *f, const struct rp_delivery *d)
{
	return f->order_key == 0 || (d->order_key == f->order_key &&
				     (!f->front_only || (rp_sequence_is_live(d) && !d->behind)));
}

static bool group_matches(const struct rp_filter *f, const struct rp_delivery *d)
{
	struct rp_dead_group g;

	if (!f->has_group)
		return true;
	g = rp_dead_group_of(d->cause, d->last_cause, d->http_status, d->endpoint);
	return d->state == RP_STATE_DEAD && rp_dead_group_has(&f->group, &g);
}

static bool cause_matches(const struct rp_filter *f, const struct rp_delivery *d)
{
	if (!rp_cause_matches(f->cause, d->cause) && !rp_cause_matches(f->cause, d->last_cause))
		return false;
	return f->http_status == 0 || d->http_status == f->http_status;
}

static bool age_matches(const struct rp_filter *f, int64_t state_at_ms, int64_t now_at_ms)
{
	return (!f->has_older || now_at_ms - state_at_ms >= f->older_than_ms) &&
	       (!f->has_entered || state_at_ms >= f->entered_since_ms);
}

bool rp_filter_may_match_brief(const struct rp_filter *f, enum rp_state state,
			       const struct rp_brief *brief, int64_t now_at_ms)
{
	const struct rp_delivery d = {.state = state,
				      .cause = brief->cause,
				      .last_cause = brief->last_cause,
				      .http_status = brief->http_status,
				      .endpoint = brief->endpoint};
	bool has_since =
	    state == RP_STATE_HELD || state == RP_STATE_DELIVERED || state == RP_STATE_DEAD;

	if (has_since && !age_matches(f, brief->at_ms, now_at_ms))
		return false;
	return state != RP_STATE_DEAD ||
	       (group_matches(f, &d) &&
		(!f->has_cause || f->cause == RP_CAUSE_DAMAGED || cause_matches(f, &d)));
}

bool rp_filter_matches_brief(const struct rp_filter *f, enum rp_state state,
			     const struct rp_brief *brief, int64_t now_at_ms)
{
	const struct rp_delivery d = {.cause = brief->cause,
				      .last_cause = brief->last_cause,
				      .http_status = brief->http_status};

	return rp_filter_may_match_brief(f, state, brief, now_at_ms) &&
	       rp_filter_wants_endpoint(f, brief->endpoint) &&
	       (state != RP_STATE_DEAD || !f->has_cause || cause_matches(f, &d));
}

static bool delivery_matches(const struct rp_filter *f, const struct rp_delivery *d,
			     int64_t now_at_ms)
{
	return state_matches(f, d) && order_matches(f, d) && group_matches(f, d) &&
	       age_matches(f, d->state_at_ms, now_at_ms) &&
	       (!f->has_attempts ||
		(d->attempts >= f->attempts_min && d->attempts <= f->attempts_max)) &&
	       /* what is damaged may be the other record */
	       (!f->has_cause || f->cause == RP_CAUSE_DAMAGED || cause_matches(f, d));
}

bool rp_filter_may_match_delivery(const struct rp_filter *f, const struct rp_delivery *d,
				  int64_t now_at_ms)
{
	return rp_filter_wants_endpoint(f, d->endpoint) && delivery_matches(f, d, now_at_ms);
}

static bool text_matches(struct rp_span wanted, struct rp_span text)
{
	return wanted.ptr == NULL ||
	       (wanted.len == text.len && memcmp(wanted.ptr, text.ptr, text.len) == 0);
}

bool rp_filter_matches(const struct rp_filter *f, const struct rp_entry *e, int64_t now_at_ms)
{
	const struct rp_facts *facts = &e->facts;

	/* Both records know the endpoint; the facts have it when the other one is damaged. */
	return rp_filter_wants_endpoint(f, facts->endpoint) &&
	       delivery_matches(f, &e->delivery, now_at_ms) && e->seq >= f->from_seq &&
	       (f->seq == 0 || f->seq == e->seq) &&
	       (f->id == NULL || memcmp(f->id, facts->id, RP_ID_BYTES) == 0 ||
		facts->accepted_at_ms == 0) && /* unreadable facts contradict no id */
	       (!f->has_cause || (f->cause == RP_CAUSE_DAMAGED && e->damaged) ||
		cause_matches(f, &e->delivery)) &&
	       (!f->has_since || facts->accepted_at_ms >= f->since_at_ms) &&
	       (!f->has_until || facts->accepted_at_ms < f->until_at_ms) &&
	       text_matches(f->run_id, facts->run_id) &&
	       text_matches(f->thread_id, facts->thread_id) && text_matches(f->event, facts->event);
}
