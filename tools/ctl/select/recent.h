/* recent.h - attempts of the log of recent ones together with what their entries tell, for tail
 * and top. */
#ifndef RP_CTL_SELECT_RECENT_H
#define RP_CTL_SELECT_RECENT_H

#include "ctl/common/ctl.h"

/* A part of the log, copied out of it. Init with {0}. */
struct rp_recents {
	struct rp_recent *all;
	size_t n, cap;
	bool no_memory;
};
/* false: out of memory. */
bool rp_recents_add(struct rp_recents *r, const struct rp_recent *one);
void rp_recents_release(struct rp_recents *r);

/* Appends the attempts numbered *from up to, but not including, `until`, and moves *from behind
 * the last. *n_missed grows by what had fallen out of the log. Result: exit code, after saying
 * what went wrong. */
int rp_recents_read(struct rp_ctl *ctl, struct rp_recents *out, uint64_t *from, uint64_t until,
		    uint64_t *n_missed);

/* Fills *e with what is known of the attempt's entry: all of it, or its number and endpoint when
 * it was removed since (*gone). Whatever the entry says of its last attempt is replaced by what
 * this attempt came back with, so that a selector's --cause is about the attempt. Result: exit
 * code. */
int rp_recent_entry(struct rp_ctl *ctl, const struct rp_recent *r, struct rp_entry *e, bool *gone);

/* Whether the selector picks the attempt: its ids and filters, applied to the above. */
bool rp_recent_match(const struct rp_ctl *ctl, const struct rp_entry *e);

/* "delivered" or the cause. Returns out. */
const char *rp_recent_outcome(const struct rp_recent *r, char out[RP_CAUSE_TEXT_MAX]);

#endif
