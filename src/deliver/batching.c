/* pace.c - decides when the next turn is due and how many requests may begin. Pure functions,
 * because their timing could not be tested with real clocks. */

#include "deliver/batching.h"

#include "base/assert.h"

int64_t rp_pace_hold_ms(bool blocking, int64_t request_us)
{
	int64_t ms = request_us / 1000 / RP_PACE_HOLD_PART;

	if (!blocking || ms > RP_PACE_HOLD_MS)
		return RP_PACE_HOLD_MS;
	return ms > 1 ? ms : 1;
}

/* Claiming early only helps while there are too few requests to keep the line busy. */
bool rp_pace_wants_claims(const struct rp_pace *p)
{
	return p->room > 0 && p->ready <= p->running / 2;
}

int64_t rp_pace_next_ms(const struct rp_pace *p)
{
	int64_t settle_ms = -1, claim_ms = -1;

	if (p->finished > 0) {
		settle_ms = p->hold_ms - p->oldest_finished_ms;
		if (p->fresh + p->ready == 0 || p->finished >= RP_PACE_BATCH || settle_ms < 0)
			settle_ms = 0;
	}
	if (p->due && rp_pace_wants_claims(p)) {
		claim_ms = RP_PACE_CLAIM_MS - p->since_turn_ms;
		if (p->running == 0 || claim_ms < 0)
			claim_ms = 0;
	}
	if (settle_ms < 0)
		return claim_ms;
	return claim_ms < 0 || settle_ms < claim_ms ? settle_ms : claim_ms;
}

static int64_t part_no(int64_t boot_ms)
{
	return boot_ms / (RP_FRESH_MS / 10);
}

static size_t part_of(int64_t no)
{
	return (size_t)(no % RP_FRESH_PARTS);
}

void rp_fresh_begin(struct rp_fresh *r, int64_t now_boot_ms)
{
	int64_t no = part_no(now_boot_ms);
	size_t i = part_of(no);

	if (r->part[i].no != no) {
		r->part[i].no = no;
		r->part[i].n = 0;
	}
	r->part[i].n++;
}

void rp_fresh_end(struct rp_fresh *r, int64_t begun_boot_ms)
{
	int64_t no = part_no(begun_boot_ms);
	size_t i = part_of(no);

	if (r->part[i].no == no && r->part[i].n > 0)
		r->part[i].n--;
}

size_t rp_fresh_count(const struct rp_fresh *r, int64_t now_boot_ms)
{
	int64_t now = part_no(now_boot_ms);
	size_t i, n = 0;

	for (i = 0; i < RP_FRESH_PARTS; i++)
		if (now - r->part[i].no <= 10)
			n += r->part[i].n;
	return n;
}

bool rp_places_refused(struct rp_places *p, size_t running, int64_t now_boot_ms)
{
	p->now = running > 0 ? running : 1;
	p->changed_boot_ms = now_boot_ms;
	if (running > 0)
		return true;
	p->until_boot_ms = now_boot_ms + ((int64_t)RP_PLACES_WAIT_MS << p->refusals);
	return ++p->refusals <= RP_PLACES_REFUSALS_MAX;
}

void rp_places_granted(struct rp_places *p)
{
	p->refusals = 0;
}

void rp_places_look(struct rp_places *p, int64_t now_boot_ms)
{
	if (p->now >= p->max || now_boot_ms - p->changed_boot_ms < RP_PLACES_GROW_MS ||
	    p->refusals > 0)
		return;
	p->now += p->now / 4 + 1;
	if (p->now > p->max)
		p->now = p->max;
	p->changed_boot_ms = now_boot_ms;
}

int64_t rp_places_next_ms(const struct rp_places *p, size_t running, int64_t now_boot_ms)
{
	if (running >= p->now)
		return -1;
	return p->until_boot_ms > now_boot_ms ? p->until_boot_ms - now_boot_ms : 0;
}

int64_t rp_lag_follow(int64_t lag_ms, int64_t latest_ms)
{
	return latest_ms >= lag_ms ? latest_ms : lag_ms - (lag_ms - latest_ms + 7) / 8;
}

int64_t rp_lag_begin_within_ms(int64_t lag_ms)
{
	int64_t ms = lag_ms < RP_LAG_MOST_MS ? RP_LAG_LEAST_MS + 2 * lag_ms : RP_LAG_MOST_MS;

	return ms < RP_LAG_MOST_MS ? ms : RP_LAG_MOST_MS;
}

static int64_t until_granted_ms(const struct rp_credit *c, int64_t now_boot_ms)
{
	int64_t after = c->begun_boot_ms + RP_CREDIT_AFTER_MS,
		every = c->granted_boot_ms + RP_CREDIT_EVERY_MS;
	int64_t left = (after < every ? after : every) - now_boot_ms;

	return left > 0 ? left : 0;
}

void rp_credit_look(struct rp_credit *c, int64_t now_boot_ms)
{
	if (c->left >= RP_CREDIT || until_granted_ms(c, now_boot_ms) > 0)
		return;
	c->left = RP_CREDIT;
	c->granted_boot_ms = now_boot_ms;
}

void rp_credit_begin(struct rp_credit *c, int64_t now_boot_ms)
{
	assert(c->left > 0);
	c->left--;
	c->begun_boot_ms = now_boot_ms;
}

void rp_credit_end(struct rp_credit *c)
{
	if (c->left < RP_CREDIT)
		c->left++;
}

int64_t rp_credit_next_ms(const struct rp_credit *c, int64_t now_boot_ms)
{
	return c->left > 0 ? 0 : until_granted_ms(c, now_boot_ms);
}
