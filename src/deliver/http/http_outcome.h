/* http_outcome.h - private to src/deliver/http: what libcurl said and the callbacks noted -> struct
 * rp_outcome, and whether that decides the attempt. */
#ifndef RP_DELIVER_HTTP_HTTP_OUTCOME_H
#define RP_DELIVER_HTTP_HTTP_OUTCOME_H

#include "deliver/http/http_transfer.h"

/* Fills t->outcome from libcurl's verdict. */
void rp_transfer_judge(struct rp_transfer *t, CURLcode rc);
/* Of a judged one: whether what came on a kept connection decides nothing, so that the request is
 * to be made again. */
bool rp_transfer_is_undecided(const struct rp_transfer *t);
/* Of a judged one: an answer that would end the entry or the endpoint. */
bool rp_transfer_is_final_refusal(const struct rp_transfer *t);

#endif
