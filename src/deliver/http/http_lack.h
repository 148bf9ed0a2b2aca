/* http_lack.h - private to src/deliver/http: whether an attempt failed because this process lacked
 * something. */
#ifndef RP_DELIVER_HTTP_HTTP_LACK_H
#define RP_DELIVER_HTTP_HTTP_LACK_H

#include "deliver/http/http_transfer.h"

/* When this process lacked something before the request began, the outcome becomes RP_CAUSE_LOCAL
 * with a lack. When the owner did not permit the request, the outcome gets RP_LACK_LEAVE. */
void rp_transfer_note_lack(struct rp_transfer *t, CURLcode rc);
/* Ends the transfer because of trouble in this process. */
void rp_transfer_decide_local(struct rp_transfer *t, const char *detail);

#endif
