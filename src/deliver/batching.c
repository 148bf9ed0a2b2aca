/* batching.c - decides when the next exchange is due. It is apart from the sender, and pure,
 * because real clocks could not test its timing. */

#include "deliver/batching.h"

#include "base/assert.h"

int64_t rp_batching_hold_ms(bool blocking, int64_t request_us)
{
	int64_t ms = request_us / 1000 / RP_BATCHING_HOLD_PART;

	if (!blocking || ms > RP_BATCHING_HOLD_MS)
		return RP_BATCHING_HOLD_MS;
	return ms > 1 ? ms : 1;
}

/* Claiming early only helps while there are too few requests to keep the line busy. */
bool rp_batching_wants_claims(const struct rp_batching *b)
{
	return b->room > 0 && b->ready <= b->running / 2;
}

static int64_t until_settle_ms(const struct rp_batching *b)
{
	int64_t ms = b->hold_ms - b->oldest_finished_ms;

	if (b->finished == 0)
		return -1;
	if (b->fresh + b->ready == 0 || b->finished >= RP_BATCHING_RESULTS)
		return 0;
	return ms > 0 ? ms : 0;
}

static int64_t until_claim_ms(const struct rp_batching *b)
{
	int64_t ms = RP_BATCHING_CLAIM_MS - b->since_exchange_ms;

	if (!b->due || !rp_batching_wants_claims(b))
		return -1;
	return b->running > 0 && ms > 0 ? ms : 0;
}

int64_t rp_batching_next_ms(const struct rp_batching *b)
{
	int64_t settle_ms = until_settle_ms(b), claim_ms = until_claim_ms(b);

	assert(b->fresh <= b->running);
	if (settle_ms < 0)
		return claim_ms;
	return claim_ms < 0 || settle_ms < claim_ms ? settle_ms : claim_ms;
}
