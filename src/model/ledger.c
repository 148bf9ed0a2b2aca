/* What is counted when an entry moves or an attempt ends. It stands beside transition.c, which
 * says how an entry moves: a store needs both for each move. */
#include "model/ledger.h"

#include "base/assert.h"

bool rp_ledger_is_retrying(const struct rp_delivery *d)
{
	return d->state == RP_STATE_WAITING && d->attempts > 0;
}

static unsigned lacks_of(const struct rp_delivery *d)
{
	return d->state == RP_STATE_IN_FLIGHT ? d->lacks : 0;
}

struct rp_ledger_change rp_ledger_change_of(const struct rp_delivery *from,
					    const struct rp_delivery *to)
{
	struct rp_ledger_change c = {0};

	assert(from != NULL || to != NULL);
	if (from != NULL) {
		c.leaves = from->state;
		c.leaves_retrying = rp_ledger_is_retrying(from);
		c.leaves_lacking = lacks_of(from);
	}
	if (to != NULL) {
		c.enters = to->state;
		c.enters_retrying = rp_ledger_is_retrying(to);
		c.enters_lacking = lacks_of(to);
	}
	return c;
}

static bool uncount(uint64_t *count)
{
	if (*count == 0)
		return false;
	(*count)--;
	return true;
}

bool rp_ledger_count(struct rp_head *h, const struct rp_ledger_change *c)
{
	bool sound = true;

	if (c->leaves != 0)
		sound = uncount(&h->count[c->leaves]);
	else
		h->accepted++;
	if (c->leaves_retrying)
		sound = uncount(&h->retrying) && sound;
	if (c->enters != 0)
		h->count[c->enters]++;
	else
		h->purged++;
	h->retrying += c->enters_retrying;
	return sound;
}

bool rp_ledger_count_endpoint(struct rp_endpoint *r, const struct rp_ledger_change *c)
{
	bool sound = c->leaves == 0 || uncount(&r->count[c->leaves]);
	int l;

	if (c->enters != 0)
		r->count[c->enters]++;
	for (l = 0; l < RP_LEVELS; l++) {
		if ((c->leaves_lacking & RP_LACKS(l)) != 0 && r->lacking[l] == 0)
			sound = false;
		else
			r->lacking[l] -= (c->leaves_lacking & RP_LACKS(l)) != 0;
		r->lacking[l] += (c->enters_lacking & RP_LACKS(l)) != 0;
	}
	return sound;
}

void rp_ledger_part_count(struct rp_ledger_part *part, const struct rp_ledger_change *c)
{
	if (c->leaves != 0)
		part->count[c->leaves]--;
	else
		part->accepted++;
	if (c->enters != 0)
		part->count[c->enters]++;
	else
		part->purged++;
	part->retrying += c->enters_retrying - c->leaves_retrying;
}

void rp_ledger_part_add(struct rp_ledger_part *sum, const struct rp_ledger_part *part)
{
	int s;

	sum->accepted += part->accepted;
	sum->purged += part->purged;
	sum->retrying += part->retrying;
	for (s = 0; s < RP_STATE_COUNT; s++)
		sum->count[s] += part->count[s];
}

static uint64_t total(int64_t count, bool *sound)
{
	*sound = *sound && count >= 0;
	return count > 0 ? (uint64_t)count : 0;
}

bool rp_ledger_part_total(const struct rp_ledger_part *sum, struct rp_head *out)
{
	bool sound = true;
	int s;

	out->accepted = total(sum->accepted, &sound);
	out->purged = total(sum->purged, &sound);
	out->retrying = total(sum->retrying, &sound);
	for (s = 0; s < RP_STATE_COUNT; s++)
		out->count[s] = total(sum->count[s], &sound);
	return sound;
}

void rp_ledger_count_move(struct rp_counters *counters, const struct rp_delivery *from,
			  const struct rp_delivery *to, int64_t now_at_ms)
{
	if (from == NULL) {
		rp_counters_minute(counters, now_at_ms)->accepted++;
		counters->last_append_at_ms = (uint64_t)now_at_ms;
		return;
	}
	if (to == NULL)
		return;
	if (to->state == RP_STATE_DELIVERED && from->state != RP_STATE_DELIVERED) {
		rp_counters_minute(counters, now_at_ms)->delivered++;
		counters->last_delivery_at_ms = (uint64_t)now_at_ms;
		rp_histogram_add(&counters->latency, rp_bounds_latency_us,
				 (now_at_ms - to->budget_at_ms) * 1000);
	}
	if (to->state == RP_STATE_DEAD && from->state != RP_STATE_DEAD)
		counters->dead[to->cause % RP_COUNTERS_CAUSES]++;
	if (to->state == RP_STATE_WAITING && to->failures > from->failures)
		counters->retries[to->cause % RP_COUNTERS_CAUSES]++;
	counters->replayed += to->replays > from->replays;
	counters->claims_lost += to->losses > from->losses;
}

void rp_ledger_count_attempt(struct rp_counters *counters, const struct rp_outcome *outcome,
			     int64_t now_at_ms)
{
	if (outcome->duration_us > 0)
		rp_histogram_add(&counters->attempts, rp_bounds_attempt_us, outcome->duration_us);
	if (outcome->cause != RP_CAUSE_NONE)
		rp_counters_minute(counters, now_at_ms)->failed++;
}

void rp_ledger_count_result(struct rp_endpoint *r, const struct rp_outcome *outcome, bool delivered,
			    int64_t now_at_ms)
{
	r->last_cause = outcome->cause;
	r->last_status = outcome->http_status;
	if (delivered) {
		r->streak = 0;
		r->last_success_at_ms = now_at_ms;
	} else {
		r->streak++;
		r->last_failure_at_ms = now_at_ms;
	}
}
