/* timers.h - private to src/http_server: the timers of a server, of which the soonest is at hand (a
 * binary heap). It keeps no time of its own. */
#ifndef RP_HTTP_SERVER_TIMERS_H
#define RP_HTTP_SERVER_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Kept in what it is for. All zero: not set. */
struct rp_http_timer {
	int64_t at_ms; /* 0: not set */
	size_t place;  /* in the heap; 0: in none */
};

/* All zero: none. Room is made first, so that setting one cannot fail. */
struct rp_http_timers {
	struct rp_http_timer *
	    *heap; /* from 1 on: the one at n is not later than those at 2n, 2n+1 */
	size_t n, room;
};

/* Room for so many; false: out of memory. */
bool rp_http_timers_reserve(struct rp_http_timers *timers, size_t n);
void rp_http_timers_release(struct rp_http_timers *timers);

/* Sets, moves or (at_ms 0) takes away. */
void rp_http_timers_set(struct rp_http_timers *timers, struct rp_http_timer *timer, int64_t at_ms);

/* NULL: none is set. */
static inline struct rp_http_timer *rp_http_timers_first(const struct rp_http_timers *timers)
{
	return timers->n > 0 ? timers->heap[1] : NULL;
}

#endif
