/* request.h - HTTP/1.1 requests, taken apart as their bytes arrive (RFC 9112). Pure: bytes in,
 * values out. It does not judge what is asked: methods, hosts and targets are the program's.
 *
 * Strict on purpose: what two readers understand differently is how requests are smuggled, and a
 * receiver for tests should show a sender's slips. Refused: lines that end in a bare LF or hold a
 * bare CR, folded fields, white space before a colon, Content-Length beside Transfer-Encoding, a
 * missing Host or one that is no host, a target that names another host, chunk extensions and
 * trailers that are none, trailers that would frame or route.
 * Chunked bodies are decoded in place, so the buffer never holds more than one head, one body and
 * what was read beyond them. The bytes stay the caller's; the struct only points into them. */
#ifndef RP_HTTP_SERVER_REQUEST_H
#define RP_HTTP_SERVER_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

#define RP_HTTP_REQUEST_HEAD_MAX 32768 /* the most that a bound of a head may be */
#define RP_HTTP_REQUEST_FIELDS_MAX 64

/* A request beyond them is refused. */
struct rp_http_bounds {
	size_t head_bytes; /* empty lines, request line and fields together: else 431 */
	size_t body_bytes; /* without the framing of chunks: else 413 */
};

enum rp_http_progress { RP_HTTP_MORE, RP_HTTP_DONE, RP_HTTP_BAD };

enum rp_http_phase {
	RP_HTTP_AT_REQUEST_LINE = 0,
	RP_HTTP_AT_FIELDS,
	RP_HTTP_AT_BODY,
	RP_HTTP_AT_CHUNK_SIZE,
	RP_HTTP_AT_CHUNK,
	RP_HTTP_AT_CHUNK_END,
	RP_HTTP_AT_TRAILER,
	RP_HTTP_AT_END,
};

/* Offsets from the first byte of the request: the buffer may move while bytes are still
 * arriving. */
struct rp_http_part {
	uint32_t at, bytes;
};

struct rp_http_field {
	struct rp_http_part name, value; /* names are lower-cased in the buffer */
};

/* Begin each request with rp_http_request_begin. */
struct rp_http_request {
	enum rp_http_phase phase;
	/* an absolute-form target is cut to its path and query */
	struct rp_http_part method, target;
	size_t n_fields; /* of fields[] */
	bool http_1_0,
	    keep_alive; /* keep_alive: from the head on; after a bad one there is no next */
	bool is_head;   /* from the request line on: the answer has no body, bad or not */
	/* the client waits for "100 Continue"; the caller clears it after answering */
	bool wants_continue;
	size_t used;          /* when done: bytes of this request in the buffer */
	int bad_status;       /* when bad: the status to answer, 4xx or 5xx */
	const char *bad_text; /* when bad: what is wrong, static */

	char *base; /* the request's first byte, as of the last call */
	size_t have, at, scanned;
	size_t body_at, body_bytes;
	uint64_t left;                     /* bytes to come of the body or chunk */
	size_t extra_bytes, trailer_bytes; /* of the chunked framing */
	struct rp_http_part authority;     /* of an absolute-form target */
	unsigned hosts;
	bool has_length, chunked, expect_continue, said_close, said_keep_alive;

	/* last: a kilobyte that need not be cleared */
	struct rp_http_field fields[RP_HTTP_REQUEST_FIELDS_MAX];
};

static inline void rp_http_request_begin(struct rp_http_request *r)
{
	memset(r, 0, offsetof(struct rp_http_request, fields));
}

/* Takes in->data from `start` on, where the request begins; call it again with more bytes after
 * RP_HTTP_MORE (start may then be another one if the bytes were moved). It lower-cases names and,
 * for a chunked body, shortens `in`. RP_HTTP_BAD: see bad_status, among them 431 for a head and
 * 413 for a body over the bounds, the latter before the body has come where its length was said.
 * The bounds are the same in all calls for a request. */
enum rp_http_progress rp_http_request_parse(struct rp_http_request *r, struct rp_buf *in,
					    size_t start, const struct rp_http_bounds *bounds);

/* A byte of it has come. */
static inline bool rp_http_request_has_begun(const struct rp_http_request *r)
{
	return r->have > 0;
}

/* Its head has come: method, target and fields may be read until the buffer changes. True of one
 * that is refused for its body, too, so that who may ask can be judged first. */
static inline bool rp_http_request_has_head(const struct rp_http_request *r)
{
	return r->phase > RP_HTTP_AT_FIELDS;
}

/* Until the buffer changes: parts of a head that has come, and after RP_HTTP_DONE the body. */
static inline struct rp_span rp_http_request_span(const struct rp_http_request *r,
						  struct rp_http_part part)
{
	struct rp_span s = {r->base + part.at, part.bytes};
	return s;
}

static inline struct rp_span rp_http_request_body(const struct rp_http_request *r)
{
	struct rp_span s = {r->base + r->body_at, r->body_bytes};
	return s;
}

/* The first field of this lower-case name; ptr is NULL when there is none. */
struct rp_span rp_http_request_find(const struct rp_http_request *r, const char *name);

#endif
