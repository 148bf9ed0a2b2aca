/* advice.h - what to do about a dead letter, in a sentence. Pure. */
#ifndef RP_CTL_ADVICE_H
#define RP_CTL_ADVICE_H

#include "core/outcome.h"

/* What it died of, what its last attempt came back with, and that one's status. Never NULL. */
const char *rp_advice(enum rp_cause cause, enum rp_cause last_cause, unsigned http_status);

#endif
