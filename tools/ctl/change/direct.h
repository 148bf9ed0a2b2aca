/* direct.h - a change made at once, in transactions of a few hundred entries: hold, release,
 * purge. */
#ifndef RP_CTL_CHANGE_DIRECT_H
#define RP_CTL_CHANGE_DIRECT_H

#include "ctl/change/change.h"
#include "ctl/select/walk.h"

struct rp_direct {
	struct rp_ctl *ctl;
	enum rp_change verb;
	struct rp_picks picks;
	struct rp_breakdown breakdown;
	struct rp_change_result result;
};

/* Fills picks and breakdown with the selection. Result: exit code. */
int rp_direct_pick(struct rp_direct *d);
/* Makes the change, with a progress line and a record in the log of changes. An interrupt ends it
 * between two transactions. Fills result, whatever happens. Result: exit code. */
int rp_direct_act(struct rp_direct *d);
void rp_direct_release(struct rp_direct *d);

#endif
