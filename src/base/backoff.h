/* backoff.h - how long to wait before a store that is away is asked again. */
#ifndef RP_BASE_BACKOFF_H
#define RP_BASE_BACKOFF_H

#include <stdint.h>

#define RP_BACKOFF_FIRST_MS 100
/* A store that has come back is found within this time. */
#define RP_BACKOFF_MOST_MS 2000

/* After `last_ms`, which is 0 at first: twice as long, within the bounds above. */
static inline int64_t rp_backoff_next_ms(int64_t last_ms)
{
	if (last_ms == 0)
		return RP_BACKOFF_FIRST_MS;
	return 2 * last_ms < RP_BACKOFF_MOST_MS ? 2 * last_ms : RP_BACKOFF_MOST_MS;
}

#endif
