/* schedule.h - when a path, a section or a host is looked at again, and what pauses, parks,
 * disables or ends it. Pure: its values, the time its first entry is due and the time now go in.
 *
 * A store keeps ready queues. Hosts are in one of two, the proven ones apart; sections and paths
 * without a section in the queue of their host; the paths of a section in the queue of that. Each
 * stands under the time at which a claim could take something from it, so that a claim never looks
 * at anything in vain: a full window or a pause takes it off, and whatever frees a place (settle,
 * resume, a dead sender's claims) works that time out anew; a rate or an open breaker puts it where
 * the next token or the probe is. So a host that is held back costs one row, however many paths it
 * has. A disabled path stays: its entries die there when its turn comes. So does an unused one
 * until its rate lets it go.
 *
 * What may be taken is receiver.h's to say. */
#ifndef RP_MODEL_SCHEDULE_H
#define RP_MODEL_SCHEDULE_H

#include "model/record.h"

#define RP_PARK_MAX_MS INT64_C(600000) /* no endpoint is parked for longer */

/* --- its place in the ready queue ------------------------------------------------------------- */

/* The earliest time at which an entry of it, if one is due, may be claimed or die as far as this
 * level is concerned; RP_NEVER: not as it stands. */
int64_t rp_schedule_open_at_ms(const struct rp_endpoint *r);

/* When a claim is to look at it; RP_NEVER: it is not in its ready queue. first_due_at_ms: of a
 * path, when the first of its entries that wait in front is due; of a section or host, when the
 * first in its own ready queue is to be looked at; RP_NEVER: there is none. Among those that are
 * due, the one served longest ago comes first. */
int64_t rp_schedule_ready_at_ms(const struct rp_endpoint *r, int64_t first_due_at_ms,
				int64_t now_at_ms);
/* Whether that depends on first_due_at_ms; else RP_NEVER will do. */
bool rp_schedule_asks_first_due(const struct rp_endpoint *r);

/* In which ready queue it stands: the number of its section or host, or for a host one of these.
 * Numbers of endpoints are greater. */
#define RP_QUEUE_UNPROVEN UINT64_C(0)
#define RP_QUEUE_PROVEN UINT64_C(1)
/* One more queue beside these: paths by first_due_at_ms, whatever holds them back. */
#define RP_QUEUE_DUE UINT64_C(2)
uint64_t rp_schedule_queue(const struct rp_endpoint *r, uint64_t id);
/* A host has proven itself when it has delivered lately, and no more than one or two of its several
 * paths have failed since. All others together may take half of a sender's places, one at least. */
#define RP_PROVEN_MS INT64_C(600000)
bool rp_schedule_is_proven(const struct rp_endpoint *host, int64_t now_at_ms);

/* Whether it is removed: nothing names it any more, nobody decided anything about it, and its rate
 * remembers nothing. */
bool rp_schedule_is_over(const struct rp_endpoint *r, int64_t now_at_ms);

/* Times from before the clock was set back hold nobody up. */
void rp_schedule_fix_clock(struct rp_endpoint *r, int64_t now_at_ms);

/* --- what is decided about it ---------------------------------------------------------------- */

/* Its queue may be long and all of it lacks the same (`cause`), so it is the endpoint that waits.
 * Result: it was not parked before. */
bool rp_schedule_park(struct rp_endpoint *r, enum rp_cause cause, int64_t until_ms,
		      int64_t now_at_ms);
void rp_schedule_disable(struct rp_endpoint *r, int64_t now_at_ms); /* by the receiver */
/* By an operator. Whoever resumes it says that it is well again. */
void rp_schedule_pause(struct rp_endpoint *r, bool pause, int64_t now_at_ms);
/* There is another configuration: limits are asked for anew, and it is parked no more. An open
 * breaker stays open. false: it needs no second look, and is as it was. */
bool rp_schedule_renew(struct rp_endpoint *r, int64_t now_at_ms);

#endif
