/* remedy.h - what an error that kept an outbox from being looked at means, and what to do about
 * it. */
#ifndef RP_REPORT_REMEDY_H
#define RP_REPORT_REMEDY_H

#include "base/err.h"

struct rp_remedy {
	const char *means;  /* in words; NULL: the error's own text says it */
	const char *remedy; /* never NULL */
};

/* By the errno where there is one, else by the code. A backup is spoken of only where damage was
 * seen: every other error leaves what is stored as it was. */
struct rp_remedy rp_remedy_of(enum rp_err code, int sys);

#endif
