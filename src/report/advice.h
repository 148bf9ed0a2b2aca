/* advice.h - what to do about attempts that fail, by what they come back with: one table of
 * causes, one of statuses. Pure.
 *
 * What a status means is that of RFC 9110 and RFC 6585; what mostly lies behind it is what
 * frameworks and proxies are known to answer with it. */
#ifndef RP_REPORT_ADVICE_H
#define RP_REPORT_ADVICE_H

#include "model/outcome.h"

enum rp_outlook {
	RP_OUTLOOK_MEND, /* every attempt will fail until somebody mends something */
	RP_OUTLOOK_PASS, /* it may pass by itself */
};

struct rp_advice {
	const char *what; /* what is wrong, and what helps */
	/* and then, about a dead letter: follows `what` as it is, such as ", then replay" */
	const char *then;
	enum rp_outlook outlook; /* about one that waits */
};

/* What the last attempt came back with, and its status; of a dead letter `cause` is what it died
 * of, of any other RP_CAUSE_NONE. No text is NULL. */
struct rp_advice rp_advice(enum rp_cause cause, enum rp_cause last_cause, unsigned http_status);

#endif
