/* offering.h - decides how many claims a sender offers to hold (model/hand_over.h). A pure function
 * of values.
 *
 * A sender offers a few places while it waits for work: all that it knows of has begun, nothing is
 * due, and requests may begin at once. A sender that is busy offers none, since its next exchange
 * claims many entries at the price of one. */
#ifndef RP_DELIVER_OFFERING_H
#define RP_DELIVER_OFFERING_H

#include <stdbool.h>
#include <stddef.h>

#define RP_OFFERING_PLACES 8 /* beside the claims that it has */

/* What the decision needs to know of a sender. */
struct rp_offering {
	bool stops;     /* it claims no more */
	bool due;       /* there is something to claim */
	size_t ready;   /* claims that have not begun */
	size_t begins;  /* requests that may begin now */
	size_t claims;  /* all that it has: begun or not, settled or not */
	size_t idle;    /* records for more of them */
	size_t offered; /* what it offers at present */
};

/* How many claims in all. What is offered at present stays as it is as long as it is good: saying
 * something else is a call of the system. */
size_t rp_offering_claims_max(const struct rp_offering *o);

#endif
