/* time_index.h - how far the order of numbers is the order of acceptance, in a few numbers. Values
 * in, values out.
 *
 * Entries get their numbers in the order in which they are accepted; but a clock is set back, two
 * processes read it before they wait for each other, and what is imported was accepted long ago.
 * So the outbox keeps spans of numbers within which times run forward, but for `back_ms`:
 * enough to find a time by halving and to miss nothing.
 *
 * Entries that are removed change nothing: what is said of all holds for those that are left. */
#ifndef RP_MODEL_TIME_INDEX_H
#define RP_MODEL_TIME_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#define RP_TIME_SPANS_MAX 4                /* with one more, two that are neighbours become one */
#define RP_TIME_BACK_MAX_MS INT64_C(60000) /* a longer step back begins another span */

struct rp_time_span {
	uint64_t first_seq;            /* to the next one's */
	int64_t low_at_ms, high_at_ms; /* all were accepted between these, both included */
	/* no entry was accepted more than this before one with a lower number */
	int64_t back_ms;
};

struct rp_time_index {
	unsigned n;
	struct rp_time_span all[RP_TIME_SPANS_MAX];
};

/* The entry with the highest number so far. */
void rp_time_index_add(struct rp_time_index *s, uint64_t seq, int64_t accepted_at_ms);

/* Whether what is kept is true of an entry, asked for each in the order of their numbers. */
struct rp_time_index_check { /* begin with {0} */
	uint64_t first_seq;
	int64_t latest_at_ms;
};
bool rp_time_index_holds(const struct rp_time_index *s, struct rp_time_index_check *c, uint64_t seq,
			 int64_t accepted_at_ms);

#endif
