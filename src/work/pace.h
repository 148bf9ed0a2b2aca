/* pace.h - when a sender takes its next turn at the store. A pure function of values.
 *
 * A turn is a commit, and a commit costs 100 to 300 us and the write lock of everybody; a webhook waiting for its turn costs
 * latency. So: at once when nothing else is going on, else when enough results have gathered, or some have waited long. */
#ifndef RP_WORK_PACE_H
#define RP_WORK_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RP_PACE_BATCH 192  /* results worth a commit of their own */
#define RP_PACE_HOLD_MS 5  /* how long a result waits for company: a settle is late by this much, no receiver is */
#define RP_PACE_CLAIM_MS 1 /* least time between turns that only claim, while requests run */

struct rp_pace {
	size_t ready;               /* claimed, not begun */
	size_t running;             /* requests under way */
	size_t finished;            /* results not settled */
	size_t room;                /* claims that could be taken */
	bool due;                   /* the agenda says that something can be claimed now */
	int64_t oldest_finished_ms; /* age of the oldest unsettled result */
	int64_t since_turn_ms;      /* since the last turn */
};

/* Milliseconds until the next turn: 0 is now, -1 not before something happens. */
int64_t rp_pace_next_ms(const struct rp_pace *p);

#endif
