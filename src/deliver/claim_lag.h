/* claim_lag.h - how long after its claim a request with a token of a rate may begin. Pure functions
 * of values.
 *
 * The store charges such a request as if it began at the end of this time, so the time should be
 * short. But it must be longer than the time that lately lay between claim and begin, for example
 * because of a slow disk. Else all tokens would be forfeited. */
#ifndef RP_DELIVER_CLAIM_LAG_H
#define RP_DELIVER_CLAIM_LAG_H

#include <stdint.h>

#define RP_CLAIM_LAG_LEAST_MS 20
#define RP_CLAIM_LAG_MOST_MS 10000

/* lag_ms: what lay between claim and begin of late; start with 0. Returns the new value. It
 * follows a longer time at once, and shorter ones slowly. */
int64_t rp_claim_lag_follow(int64_t lag_ms, int64_t latest_ms);
int64_t rp_claim_lag_begin_within_ms(int64_t lag_ms);

#endif
