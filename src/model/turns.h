/* turns.h - in which order an exchange takes from the endpoints that are due, and how much. Pure.
 *
 * They are due in the order of the ready queue: those served longest ago come first. Each has a go
 * of a few entries, then the next one, and again from the first, until the exchange has what it
 * wants or no endpoint has more to give. So one with a long queue keeps no other waiting.
 *
 * What may be taken from one of them is schedule.h's to say. */
#ifndef RP_MODEL_TURNS_H
#define RP_MODEL_TURNS_H

#include <stdbool.h>
#include <stddef.h>

/* Bounds of one exchange, which keeps all others from writing: endpoints looked at, entries taken
 * from an endpoint before the next one has its go, and entries that die without an attempt. */
#define RP_TURNS_ENDPOINTS_MAX 256
#define RP_TURNS_GO 4
#define RP_TURNS_DEATHS_MAX 256

/* Begin with {.n = endpoints}. */
struct rp_turns {
	size_t n;     /* at most RP_TURNS_ENDPOINTS_MAX */
	size_t at;    /* whose go it is */
	size_t in_go; /* so many were taken in it */
	size_t n_empty;
	bool is_empty[RP_TURNS_ENDPOINTS_MAX];
};

/* From which endpoint, 0..n-1, the next entry is taken; false: none has any more. */
bool rp_turns_next(struct rp_turns *t, size_t *endpoint);
/* The one whose go it is has no more to give in this exchange. */
void rp_turns_end_go(struct rp_turns *t);

#endif
