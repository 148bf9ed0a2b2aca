/* hand_over.h - whether an entry that comes in is claimed in the very commit that stores it, for a
 * sender that waits for work. Pure, and the same for every store.
 *
 * A lone entry would cost three commits: one stores it, one claims it, one settles it. A sender
 * that has nothing to do says in public how many claims it can hold (its offer). Whoever stores an
 * entry may then claim it for that sender, by the rules of a claim (transition.h, receiver.h). The
 * sender is woken anyway; it finds what was handed to it by reading, and begins it as any other
 * claim.
 *
 * Only the plain case is handed over: an exchange would claim the entry at once, and for sure, and
 * has nothing to ask. All else waits for an exchange. Nobody is overtaken, since nothing else is
 * due that could be claimed. */
#ifndef RP_MODEL_HAND_OVER_H
#define RP_MODEL_HAND_OVER_H

#include "model/receiver.h"

/* What a sender says. It is a hint: the claims that a sender has are counted in the store. */
struct rp_offer {
	int64_t said_at_ms;  /* by the wall clock */
	uint32_t claims_max; /* so many claims it may have in all; 0: it wants none */
};
/* A sender says it anew with each heartbeat, once a second. */
#define RP_OFFER_KEEPS_MS 1500
/* More are never offered. So counting the claims of a sender stays cheap. */
#define RP_OFFER_CLAIMS_MAX 64
/* Appends of more entries than this hand over nothing: a flood must not pay for it, and a sender
 * that finds many entries claims them in one exchange. */
#define RP_HAND_OVER_ENTRIES_MAX 4

/* Whether a sender that has so many claims may be given one more. A time of saying from before or
 * after the wall clock was set counts for nothing. */
bool rp_offer_has_place(const struct rp_offer *o, size_t claims, int64_t now_at_ms);

/* Whether a new entry, which waits and is counted, may be handed over. The levels of its receiver
 * are as the transaction found them, with what it counted since. Of a batch the first that may not
 * is the last that is asked about: no ready queue knows it yet, and what follows must not overtake
 * it. */
bool rp_hand_over_may(const struct rp_receiver *r, const struct rp_delivery *d, int64_t now_at_ms);

/* An exchange asks for limits, an append cannot. So the sender asks when it takes what was handed
 * to it: whether the limits that the levels have are those of the configuration in force. If not,
 * the claim goes back, and the next exchange applies them. section: the name of the section that
 * counts for the path, as it is stored; empty if there is none. */
bool rp_hand_over_holds(const struct rp_receiver *r, struct rp_span section,
			const struct rp_level_limits *limits);

#endif
