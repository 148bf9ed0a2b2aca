/* http_outcome.h - private to src/deliver/http: makes the outcome of what libcurl said and what the
 * callbacks noted, and says whether it decides the attempt. */
#ifndef RP_DELIVER_HTTP_HTTP_OUTCOME_H
#define RP_DELIVER_HTTP_HTTP_OUTCOME_H

#include "deliver/http/http_transfer.h"

/* Fills t->outcome from libcurl's verdict. */
void rp_transfer_judge(struct rp_transfer *t, CURLcode rc);
/* Of a judged transfer: whether what came on a kept connection decides nothing. Then the request is
 * to be made again. */
bool rp_transfer_is_undecided(const struct rp_transfer *t);
/* Of a judged transfer: whether its answer would end the entry or the endpoint. */
bool rp_transfer_is_final_refusal(const struct rp_transfer *t);

#endif
