/* start.h - whether the request of a claim may begin. Pure.
 *
 * A claim goes ahead of its request, by microseconds or, when hanging receivers have taken all
 * places, by minutes. What held when it was made need not hold any more, and what is promised
 * (nothing begins at a paused endpoint, above a limit or a rate) is promised of requests. So it is
 * asked again right before one begins. */
#ifndef RP_MODEL_START_H
#define RP_MODEL_START_H

#include "model/receiver.h"

struct rp_start {
	/* as it is now, the claim counted among those in flight, or who left it the place */
	struct rp_receiver receiver;
	unsigned in_flight_max[RP_LEVELS]; /* by the configuration that is in force now */
	bool probes[RP_LEVELS];            /* the claim is an open breaker's probe */
	unsigned lacks; /* the levels on which it has the place of a request that has ended */
	bool metered;   /* it took a token, */
	int64_t age_ms, begin_within_ms; /* ... since when, and how long that keeps */
	int64_t now_at_ms;
};

/* All but GO: the claim goes back, as if it had never been made, and the next exchange does what is
 * right now. */
enum rp_start_verdict {
	RP_START_GO,
	RP_START_PAUSED,
	RP_START_DISABLED,
	RP_START_PARKED,
	RP_START_BREAKER, /* it has opened since */
	RP_START_FULL,    /* more are in flight than may be: the limit or window was lowered */
	RP_START_LATE,    /* its token is forfeited */
};

enum rp_start_verdict rp_start_judge(const struct rp_start *s);
/* Of one that has begun, and is only now connected or is to be sent once more: whether it may go
 * on. Limits counted it when it began; what an operator or the receiver forbade since holds. */
bool rp_start_may_go_on(const struct rp_receiver *receiver);

#endif
