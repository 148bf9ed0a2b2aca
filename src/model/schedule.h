/* schedule.h - when an endpoint is looked at again, what may be taken from it then, and what
 * pauses, parks, disables or ends it. Pure: the endpoint's values, the time its first entry is
 * due and the time now go in.
 *
 * A store keeps endpoints in a ready queue, each under the time at which a claim could take
 * something from it, so that a claim never looks at an endpoint in vain: a full window or a pause
 * takes it off, and whatever frees a place (settle, resume, a dead sender's claims) works that time
 * out anew; a rate or an open breaker puts it where the next token or the probe is. A disabled one
 * stays: its entries die there. So does an unused one until its rate lets it go. */
#ifndef RP_MODEL_SCHEDULE_H
#define RP_MODEL_SCHEDULE_H

#include "model/record.h"

#define RP_PARK_MAX_MS INT64_C(600000) /* no endpoint is parked for longer */

/* --- its place in the ready queue ------------------------------------------------------------- */

/* The earliest time at which an entry of it, if one is due, may be claimed or die; RP_NEVER:
 * not as it stands. */
int64_t rp_schedule_open_at_ms(const struct rp_endpoint *r);

/* When a claim is to look at it; RP_NEVER: it is not in the ready queue. first_due_at_ms: when the
 * first of its entries that wait in front is due; RP_NEVER: there is none. Among those that
 * are due, the one served longest ago comes first. */
int64_t rp_schedule_ready_at_ms(const struct rp_endpoint *r, int64_t first_due_at_ms,
				int64_t now_at_ms);
/* Whether that depends on first_due_at_ms; else RP_NEVER will do. */
bool rp_schedule_asks_first_due(const struct rp_endpoint *r);

/* Whether it is removed: nothing names it any more, nobody decided anything about it, and its rate
 * remembers nothing. */
bool rp_schedule_is_over(const struct rp_endpoint *r, int64_t now_at_ms);

/* Times from before the clock was set back hold nobody up. */
void rp_schedule_fix_clock(struct rp_endpoint *r, int64_t now_at_ms);

/* --- what an exchange takes from it ----------------------------------------------------------- */

/* What an exchange has room for. A claim without an attempt, a death, needs no place of a sender.
 */
struct rp_schedule_room {
	size_t deaths, claims;
	size_t metered; /* of the claims, those from endpoints that have a rate */
};
enum rp_schedule_take {
	RP_TAKE_NEXT,    /* the next entry that is due */
	RP_TAKE_NOTHING, /* no more in this exchange */
	/* the same, though something may be due: other senders may have room */
	RP_TAKE_PASSED_OVER,
};
enum rp_schedule_take rp_schedule_take(const struct rp_endpoint *r,
				       const struct rp_schedule_room *room, int64_t now_at_ms);
/* Whether what is taken costs a token. */
bool rp_schedule_is_metered(const struct rp_endpoint *r);
/* Whether an exchange that wants so many from endpoints that have a rate leaves it as it is, so
 * that looking at it again and again writes nothing. It is then passed over. */
bool rp_schedule_is_left(const struct rp_endpoint *r, size_t want_metered);
/* Whether others may wait for the end of an attempt that was just claimed: it took its endpoint's
 * last place, or others come after it in order. */
bool rp_schedule_is_blocking(const struct rp_endpoint *r, const struct rp_delivery *claimed);

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
