/* time_index.c - keeps the few spans that bound how far numbers and times disagree. It only
 * computes; store/lmdb/time_marks.c searches with the result. */

#include "model/time_index.h"

#include <stddef.h>

static int64_t max_of(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t min_of(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Of two neighbours. */
static struct rp_time_span join(const struct rp_time_span *a, const struct rp_time_span *b)
{
	return (struct rp_time_span){
	    .first_seq = a->first_seq,
	    .low_at_ms = min_of(a->low_at_ms, b->low_at_ms),
	    .high_at_ms = max_of(a->high_at_ms, b->high_at_ms),
	    .back_ms = max_of(max_of(a->back_ms, b->back_ms), a->high_at_ms - b->low_at_ms)};
}

/* Joins the two neighbours that are worth the least apart. */
static void make_room(struct rp_time_index *s)
{
	unsigned i, best = 0;

	for (i = 1; i + 1 < s->n; i++)
		if (join(&s->all[i], &s->all[i + 1]).back_ms <
		    join(&s->all[best], &s->all[best + 1]).back_ms)
			best = i;
	s->all[best] = join(&s->all[best], &s->all[best + 1]);
	s->n--;
	for (i = best + 1; i < s->n; i++)
		s->all[i] = s->all[i + 1];
}

void rp_time_index_add(struct rp_time_index *s, uint64_t seq, int64_t accepted_at_ms)
{
	struct rp_time_span one = {seq, accepted_at_ms, accepted_at_ms, 0},
			    *last = &s->all[s->n > 0 ? s->n - 1 : 0];

	if (s->n > 0 && last->high_at_ms - accepted_at_ms <= RP_TIME_BACK_MAX_MS) {
		*last = join(last, &one);
		return;
	}
	if (s->n == RP_TIME_SPANS_MAX)
		make_room(s);
	s->all[s->n++] = one;
}

bool rp_time_index_holds(const struct rp_time_index *s, struct rp_time_index_check *c, uint64_t seq,
			 int64_t accepted_at_ms)
{
	const struct rp_time_span *one = NULL;
	unsigned i;

	for (i = 0; i < s->n && s->all[i].first_seq <= seq; i++)
		one = &s->all[i];
	if (one == NULL || accepted_at_ms < one->low_at_ms || accepted_at_ms > one->high_at_ms)
		return false;
	if (c->first_seq != one->first_seq)
		*c = (struct rp_time_index_check){one->first_seq, INT64_MIN};
	c->latest_at_ms = max_of(c->latest_at_ms, accepted_at_ms);
	return c->latest_at_ms - accepted_at_ms <= one->back_ms;
}
