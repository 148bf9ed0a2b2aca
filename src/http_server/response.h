/* response.h - an answer as the bytes of HTTP/1.1. Pure: values in, bytes out. The body's length is
 * always told, so there are no chunks. */
#ifndef RP_HTTP_SERVER_RESPONSE_H
#define RP_HTTP_SERVER_RESPONSE_H

#include "http_server/request.h"

/* Borrowed. */
struct rp_http_response {
	int status; /* 200..599 */
	/* whole lines with CR LF, none about the body or the connection; may be empty */
	struct rp_span headers;
	const char *type; /* the value of Content-Type */
	struct rp_span body;
};

/* Whether a body may follow the head of this answer to this request (RFC 9112 6.3). */
bool rp_http_response_has_body(const struct rp_http_response *response,
			       const struct rp_http_request *request);

/* Appends the head, which announces a body of so many bytes. false: out of memory. */
bool rp_http_response_add_head(const struct rp_http_response *response,
			       const struct rp_http_request *request, uint64_t body_bytes,
			       struct rp_buf *out);

/* Appends the head, and the body where one follows. keep_ms: how long a peer that stays may be
 * silent, told in whole seconds; 0: it is not told. false: out of memory. */
bool rp_http_response_add(const struct rp_http_response *response,
			  const struct rp_http_request *request, int64_t keep_ms,
			  struct rp_buf *out);

#endif
