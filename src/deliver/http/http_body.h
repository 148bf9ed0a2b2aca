/* http_body.h - private to src/deliver/http: the body of a request. */
#ifndef RP_DELIVER_HTTP_HTTP_BODY_H
#define RP_DELIVER_HTTP_HTTP_BODY_H

#include "deliver/http/http_transfer.h"

/* Sets the body of t->request. */
CURLcode rp_http_body_set(struct rp_transfer *t);

#endif
