/* http_detail.h - private to src/deliver/http: an outcome's words. */
#ifndef RP_DELIVER_HTTP_HTTP_DETAIL_H
#define RP_DELIVER_HTTP_HTTP_DETAIL_H

#include "deliver/http/http_transfer.h"

/* Sets the detail, for logs and tools: without control bytes, and without the query of the URL. */
void rp_transfer_set_detail(struct rp_transfer *t, const char *text);
/* Sets cause and detail of the outcome, whatever libcurl says. */
void rp_transfer_decide(struct rp_transfer *t, enum rp_cause cause, const char *detail);

#endif
