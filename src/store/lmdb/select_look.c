/* select_look.c - looks at one entry that a way led to, and shows it when the filter says so. It
 * also says when a call has done enough. */

#include "store/lmdb/select_int.h"

bool rp_selecting_is_full(const struct rp_selecting *w)
{
	return w->rows == RP_SELECT_ROWS_MAX || w->looks >= RP_SELECT_LOOKS_MAX || w->stopped ||
	       (w->s->max_seen != 0 && w->seen == w->s->max_seen);
}

bool rp_selecting_wants_time(const struct rp_selecting *w, uint64_t seq)
{
	const struct rp_filter *f = w->s->filter;

	return !(f->has_since && rp_mark_side(&w->plan->since, seq) == RP_SIDE_EARLIER) &&
	       !(f->has_until && rp_mark_side(&w->plan->until, seq) == RP_SIDE_LATER);
}

enum rp_err rp_selecting_look(struct rp_selecting *w, uint64_t seq, const MDB_val *delivery,
			      struct rp_error *err)
{
	struct rp_select *s = w->s;
	struct rp_entry entry = {0};
	bool is_named; /* by its row, which is all there is when its record is damaged */
	enum rp_err e;

	entry.damaged =
	    !rp_delivery_unpack(&entry.delivery, seq, delivery->mv_data, delivery->mv_size);
	if (!entry.damaged &&
	    !rp_filter_may_match_delivery(s->filter, &entry.delivery, s->now_at_ms))
		return RP_OK;
	is_named = entry.damaged && w->plan->at.way == RP_WAY_ORDER && s->filter->front_only;
	w->looks++;
	e = rp_viewer_look(&w->viewer, seq, &entry, err);
	if (e != RP_OK || (!is_named && !rp_filter_matches(s->filter, &entry, s->now_at_ms)))
		return e;
	w->seen++;
	w->stopped = !s->see(s->arg, &entry);
	return RP_OK;
}
