/* http_lack.h - private to src/deliver/http: whether an attempt failed for want of something of
 * ours. */
#ifndef RP_DELIVER_HTTP_HTTP_LACK_H
#define RP_DELIVER_HTTP_HTTP_LACK_H

#include "deliver/http/http_transfer.h"

/* Makes the outcome RP_CAUSE_LOCAL with a lack where the failure was for want of something of ours,
 * or of the owner's leave, before the request began. */
void rp_transfer_note_lack(struct rp_transfer *t, CURLcode rc);
/* The transfer is broken off for trouble of ours. */
void rp_transfer_decide_local(struct rp_transfer *t, const char *detail);

#endif
