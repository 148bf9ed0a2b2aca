/* batching.h - decides when a sender makes its next exchange with the store. Pure functions of
 * values.
 *
 * An exchange is a commit. A commit takes 100 to 300 us, and it holds the write lock that all
 * processes need. But a result that waits is settled late, and its request counts against the
 * limit of its endpoint until then. So there are two cases:
 * - No other result is expected soon. The exchange comes at once.
 * - Other results are expected soon. The exchange comes when enough results have gathered, or when
 *   one has waited for long enough. That time is shorter when other entries wait for the endpoint.
 *
 * Only fresh requests (fresh_requests.h) are expected to end soon. Requests to an endpoint that
 * hangs do not count. While they counted, an endpoint with a limit of one, or whose entries go in
 * order, got 162 deliveries a second beside a hanging endpoint, instead of 1,776. */
#ifndef RP_DELIVER_BATCHING_H
#define RP_DELIVER_BATCHING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RP_BATCHING_RESULTS 192 /* so many results are worth a commit of their own */
/* A result waits for others for so long. It is settled late by this time; no receiver waits. */
#define RP_BATCHING_HOLD_MS 5
/* When other entries wait for the endpoint, at most this part of the request's own time. */
#define RP_BATCHING_HOLD_PART 4
#define RP_BATCHING_CLAIM_MS 1 /* between exchanges that only claim, while requests run */

/* What the decision needs to know of a sender. */
struct rp_batching {
	size_t ready;               /* claims that have not begun */
	size_t running;             /* requests under way */
	size_t fresh;               /* of these, the fresh ones */
	size_t finished;            /* results that are not settled */
	int64_t hold_ms;            /* the least rp_batching_hold_ms of those results */
	size_t room;                /* claims that could be taken */
	bool due;                   /* the ready queue has something to claim now */
	int64_t oldest_finished_ms; /* age of the oldest result that is not settled */
	int64_t since_exchange_ms;  /* since the last exchange */
};

/* How long a result may wait for others. blocking: other entries wait for its endpoint (struct
 * rp_claim). The result is at least one millisecond, or each of many results would have a commit
 * of its own. */
int64_t rp_batching_hold_ms(bool blocking, int64_t request_us);

/* Whether an exchange would claim something if something were due. */
bool rp_batching_wants_claims(const struct rp_batching *b);

/* Milliseconds until the next exchange. 0: now. -1: not before something happens. */
int64_t rp_batching_next_ms(const struct rp_batching *b);

#endif
