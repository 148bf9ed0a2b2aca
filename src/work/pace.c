#include "work/pace.h"

int64_t rp_pace_next_ms(const struct rp_pace *p)
{
	int64_t settle_ms = -1, claim_ms = -1;

	if (p->finished > 0) {
		settle_ms = RP_PACE_HOLD_MS - p->oldest_finished_ms;
		if (p->running + p->ready == 0 || p->finished >= RP_PACE_BATCH || settle_ms < 0)
			settle_ms = 0;
	}
	/* Claiming early only helps while there are too few requests to keep the line busy. */
	if (p->due && p->room > 0 && p->ready <= p->running / 2) {
		claim_ms = RP_PACE_CLAIM_MS - p->since_turn_ms;
		if (p->running == 0 || claim_ms < 0)
			claim_ms = 0;
	}
	if (settle_ms < 0)
		return claim_ms;
	return claim_ms < 0 || settle_ms < claim_ms ? settle_ms : claim_ms;
}
