/* raw.h - the way past HTTP, for a receiver that misbehaves on purpose: what goes out instead of
 * an answer are bytes of the program's choice, at times of its choice, or nothing.
 *
 * No bound of the server holds for a source. A server that others rely on has no use for it;
 * tests/lint/layers.py says who may come in. */
#ifndef RP_HTTP_SERVER_RAW_H
#define RP_HTTP_SERVER_RAW_H

#include "base/bytes.h"

struct rp_http_connection;

enum rp_http_raw_next {
	RP_HTTP_RAW_MORE = 0, /* ask again when that is sent; something was appended */
	/* send that, and ask again at the time of rp_http_connection_wake_at: without one, never */
	RP_HTTP_RAW_WAIT,
	RP_HTTP_RAW_DONE,  /* it was an answer after all: go on as after any */
	RP_HTTP_RAW_CLOSE, /* send that, then close */
	RP_HTTP_RAW_RESET, /* send that, then reset */
};

/* Appends to *out, which is empty and the connection's, what is to be sent next. `context` is the
 * service's. */
typedef enum rp_http_raw_next rp_http_raw_source(void *context, struct rp_http_connection *c,
						 struct rp_buf *out);

/* In place of rp_http_connection_answer: the source is asked once all before it is sent. While it
 * waits, the connection ends when its peer sends no more; nobody who stops waits for it. */
void rp_http_raw_begin(struct rp_http_connection *c, rp_http_raw_source *source);

#endif
