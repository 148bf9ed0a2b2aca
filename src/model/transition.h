/* transition.h - what becomes of an entry: its delivery values, an event and the time go in, its
 * new values come out. Pure.
 *
 * Every legal move of an entry stands here, and a store makes no other:
 *
 *   append -> WAITING -claim-> IN_FLIGHT -settle-> DELIVERED | WAITING | DEAD
 *             WAITING <-hold/release-> HELD       replay: DEAD, HELD, DELIVERED, WAITING -> WAITING
 *             WAITING -> DEAD (expired, endpoint gone, damaged)     purge: any state -> removed
 *             IN_FLIGHT -sender lost-> WAITING | DEAD
 *             a late 2xx: WAITING, HELD, DEAD, IN_FLIGHT (somebody else's) -> DELIVERED
 *
 * The functions do not set `behind`, which follows from the other entries of the same order, nor
 * state_at_ms, except where they say so: rp_transition_enter does that for all of them. Where `to`
 * is not changed it is left as it was, so it may be uninitialized. */
#ifndef RP_MODEL_TRANSITION_H
#define RP_MODEL_TRANSITION_H

#include "model/record.h"

/* An entry that senders die of is given up after so many losses in a row. */
#define RP_LOSSES_MAX 16

#define RP_EP_UNKNOWN 0 /* ids of endpoints start at 1 */

/* --- a new entry -------------------------------------------------------------------- */

/* What is fixed when it is accepted: not_before_at_ms 0: at once; expires_at_ms 0: never. */
struct rp_acceptance {
	uint64_t endpoint, order_key;
	int64_t not_before_at_ms, expires_at_ms;
};
void rp_transition_append(const struct rp_acceptance *a, int64_t now_at_ms, struct rp_delivery *to);

/* One that another outbox had: what it went through there stays, but no claim of there holds. */
void rp_transition_import(const struct rp_delivery *there, uint64_t endpoint, uint64_t order_key,
			  struct rp_delivery *to);

/* Ends every move, from NULL: of a new entry. The time of its state is that of the move, unless it
 * keeps the state, or an import brought the time along. */
void rp_transition_enter(const struct rp_delivery *from, struct rp_delivery *to, int64_t now_at_ms);

/* --- claim -------------------------------------------------------------------------- */

struct rp_claim_try {
	uint64_t endpoint;     /* under this endpoint and this time the store has it as due */
	int64_t due_at_ms;     /* ... */
	bool damaged;          /* its record was, and had to be reconstructed */
	bool endpoint_is_gone; /* the receiver disabled it */
	unsigned slot;         /* of the sender that wants it */
	unsigned lacks;        /* the levels without a place for it (receiver.h) */
	int64_t now_at_ms;
};

enum rp_claim_verdict {
	RP_CLAIM_STRAY, /* it is not waiting there: the store has a row too much. No change */
	RP_CLAIM_DEAD,  /* it dies without an attempt, and no attempt is recorded */
	RP_CLAIM_TAKEN, /* it is in flight; to->claim_no is the fence, to->attempts the number */
};
enum rp_claim_verdict rp_transition_claim(const struct rp_delivery *from,
					  const struct rp_claim_try *by, struct rp_delivery *to);

/* A record that fails its checksum, met where nobody wants to claim: set aside as dead. */
void rp_transition_set_aside(const struct rp_delivery *from, struct rp_delivery *to);

/* Whether the sender that made this claim still has it. */
bool rp_transition_has_claim(const struct rp_delivery *d, uint32_t claim_no);

/* Whether this claim still stands and has its places, so that it may pass them on. */
bool rp_transition_has_places(const struct rp_delivery *d, uint32_t claim_no);
/* The request that had its places has ended, and this claim has them now: it lacks none any more.
 * false: the claim was lost, or lacks none, and nothing changes. */
bool rp_transition_take_places(const struct rp_delivery *from, uint32_t claim_no,
			       struct rp_delivery *to);

/* --- settle ------------------------------------------------------------------------- */

enum rp_settle_kind {
	RP_SETTLE_DELIVERED = 1,
	RP_SETTLE_RETRY,  /* again at due_at_ms */
	RP_SETTLE_DEAD,   /* with `cause` */
	RP_SETTLE_RETURN, /* the attempt never began: back to WAITING, as if never claimed */
	/* the same, for `cause`; nothing is claimed from the endpoint before due_at_ms */
	RP_SETTLE_PARK,
};

/* Whether the request began. Then the attempt is recorded, and it counts for the endpoint. */
bool rp_settle_is_attempt(enum rp_settle_kind kind);

struct rp_settle_try {
	enum rp_settle_kind kind;
	enum rp_cause cause;
	uint32_t claim_no; /* the claim's */
	int64_t due_at_ms;
	const struct rp_outcome *outcome; /* of an attempt; else not looked at */
};

enum rp_settle_verdict {
	RP_SETTLED,       /* and the attempt, if it is one, is recorded */
	RP_SETTLED_LATE,  /* the claim was lost, but it is delivered; recorded as late */
	RP_SETTLED_STALE, /* the claim was lost, and nothing changes. Nothing is recorded */
};
enum rp_settle_verdict rp_transition_settle(const struct rp_delivery *from,
					    const struct rp_settle_try *s, struct rp_delivery *to);

/* --- the sender is lost ------------------------------------------------------------- */

struct rp_lost_sender {
	unsigned slot;
	uint32_t pid;
};
/* Whether the receiver got the request, nobody knows. The attempt is recorded as number
 * to->attempts, and spends no retry; but an entry that keeps killing senders is slowed down, and
 * dies at last. false: that sender does not have it, and nothing changes. */
bool rp_transition_lost(const struct rp_delivery *from, bool damaged,
			const struct rp_lost_sender *sender, int64_t now_at_ms,
			struct rp_delivery *to, struct rp_attempt *attempt);

/* --- what operators want ------------------------------------------------------------ */

enum rp_change { RP_CHANGE_REPLAY = 1, RP_CHANGE_HOLD, RP_CHANGE_RELEASE, RP_CHANGE_PURGE };

enum rp_changed {
	RP_CHANGED_DONE = 1,
	RP_CHANGED_DONE_IN_FLIGHT,    /* purged while an attempt may be under way */
	RP_CHANGED_SKIPPED_IN_FLIGHT, /* replay, hold: a sender has it */
	RP_CHANGED_SKIPPED_STATE,     /* the verb does not apply to its state */
	RP_CHANGED_NOT_FOUND,
};

/* Whether something was done: the entry has the values `to`, or with PURGE is to be removed. */
bool rp_changed_is_done(enum rp_changed changed);

/* states: a bit mask of 1 << rp_state, others are skipped; 0: any. not_before_at_ms: with RELEASE,
 * as for rp_transition_due_at_ms. */
enum rp_changed rp_transition_change(const struct rp_delivery *from, enum rp_change verb,
				     unsigned states, int64_t not_before_at_ms, int64_t now_at_ms,
				     struct rp_delivery *to);

/* One that has been delivered, or dead, since then is removed. keep_ms 0: for ever. */
bool rp_transition_is_expired(int64_t state_at_ms, int64_t keep_ms, int64_t now_at_ms);

/* --- its place in an order, and a clock that was set back --------------------------- */

/* When a live entry is due: due_at_ms, unless its state is from the future. Then a clock that was
 * ahead set it, and it is due as long after now as it was to be after that moment. What the caller
 * asked for (not_before_at_ms) is a time, not a delay, and stays, unless an operator wanted it
 * sent at once. */
int64_t rp_transition_due_at_ms(const struct rp_delivery *d, int64_t not_before_at_ms,
				int64_t now_at_ms);
/* Whether that depends on not_before_at_ms, which stands in another record; else 0 will do. */
bool rp_transition_asks_not_before(const struct rp_delivery *d, int64_t now_at_ms);

/* Of a WAITING or HELD entry: behind another of its order, or in front, where it is due at once at
 * the earliest and, if it has not failed yet, begins its retry budget: the time behind costs it
 * nothing. */
void rp_transition_place(struct rp_delivery *d, bool behind, int64_t not_before_at_ms,
			 int64_t now_at_ms);

/* Makes a WAITING entry in front due by this clock. Sets state_at_ms. */
void rp_transition_fix_clock(struct rp_delivery *d, int64_t not_before_at_ms, int64_t now_at_ms);
bool rp_transition_is_ahead(const struct rp_delivery *d, int64_t now_at_ms); /* it needs that */

#endif
