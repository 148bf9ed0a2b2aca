/* claim_lag.c - follows the time between claim and begin. It is apart, and pure, because real
 * clocks could not test it. */

#include "deliver/claim_lag.h"

int64_t rp_claim_lag_follow(int64_t lag_ms, int64_t latest_ms)
{
	return latest_ms >= lag_ms ? latest_ms : lag_ms - (lag_ms - latest_ms + 7) / 8;
}

int64_t rp_claim_lag_begin_within_ms(int64_t lag_ms)
{
	int64_t ms = lag_ms < RP_CLAIM_LAG_MOST_MS ? RP_CLAIM_LAG_LEAST_MS + 2 * lag_ms
						   : RP_CLAIM_LAG_MOST_MS;

	return ms < RP_CLAIM_LAG_MOST_MS ? ms : RP_CLAIM_LAG_MOST_MS;
}
