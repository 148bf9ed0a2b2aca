/* timers.c - keeps timers in a binary heap: delays differ from one kind of limit to the next, so a
 * sorted list would be searched, and this one is not. */

#include "http_server/timers.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

bool rp_http_timers_reserve(struct rp_http_timers *timers, size_t n)
{
	size_t room = timers->room > 0 ? timers->room : 64;
	struct rp_http_timer **heap;

	while (room < n + 1)
		room *= 2;
	if (room == timers->room)
		return true;
	heap = realloc(timers->heap, room * sizeof(struct rp_http_timer *));
	if (heap == NULL)
		return false;
	timers->heap = heap;
	timers->room = room;
	return true;
}

void rp_http_timers_release(struct rp_http_timers *timers)
{
	free(timers->heap);
	memset(timers, 0, sizeof *timers);
}

static void put(struct rp_http_timers *t, size_t place, struct rp_http_timer *timer)
{
	t->heap[place] = timer;
	timer->place = place;
}

static void rise(struct rp_http_timers *t, struct rp_http_timer *timer)
{
	size_t at = timer->place;

	for (; at > 1 && t->heap[at / 2]->at_ms > timer->at_ms; at /= 2)
		put(t, at, t->heap[at / 2]);
	put(t, at, timer);
}

static void sink(struct rp_http_timers *t, struct rp_http_timer *timer)
{
	size_t at = timer->place, below;

	while ((below = 2 * at) <= t->n) {
		if (below < t->n && t->heap[below + 1]->at_ms < t->heap[below]->at_ms)
			below++;
		if (t->heap[below]->at_ms >= timer->at_ms)
			break;
		put(t, at, t->heap[below]);
		at = below;
	}
	put(t, at, timer);
}

static void leave(struct rp_http_timers *t, struct rp_http_timer *timer)
{
	struct rp_http_timer *last = t->heap[t->n--];

	if (last != timer) {
		put(t, timer->place, last);
		rise(t, last);
		sink(t, last);
	}
	timer->place = 0;
}

void rp_http_timers_set(struct rp_http_timers *timers, struct rp_http_timer *timer, int64_t at_ms)
{
	timer->at_ms = at_ms;
	if (at_ms == 0) {
		if (timer->place != 0)
			leave(timers, timer);
		return;
	}
	if (timer->place == 0) {
		assert(timers->n + 1 < timers->room);
		put(timers, ++timers->n, timer);
	}
	rise(timers, timer);
	sink(timers, timer);
}
