/* watch.h - helps a job along and shows how far it is, until it is over or goes on without us. */
#ifndef RP_CTL_CHANGE_WATCH_H
#define RP_CTL_CHANGE_WATCH_H

#include "ctl/change/change.h"
#include "ctl/change/plan.h"

/* Works on the job beside the senders, with a progress line. Ends when the job is over or paused,
 * when nobody could carry it further for some seconds, or on an interrupt, which leaves a replay
 * to the senders and cancels a purge. Fills *r with what has become of it so far, whatever the
 * result. Result: exit code. */
int rp_watch(struct rp_ctl *ctl, uint64_t number, struct rp_change_result *r);

#endif
