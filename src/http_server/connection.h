/* connection.h - what a program may do with a connection of its server: answer the request that it
 * took, at once or later.
 *
 * A connection has one request at a time; the next one is taken when that one is answered. The
 * server owns connections. From `take` (or `refuse`) on the program may keep one and answer it
 * whenever it is called by the server, until it has answered or `gone` was called for it. At other
 * times one may end without the program being told: then only a function of the handler may use
 * the one that it was given, and only until it returns. A held request survives a peer that sends
 * more, or that sends no more. */
#ifndef RP_HTTP_SERVER_CONNECTION_H
#define RP_HTTP_SERVER_CONNECTION_H

#include "http_server/response.h"

struct rp_http_connection;

/* Answers the request that was taken or refused, or whose head was shown, once. What the response
 * points to is copied. Out of memory, the connection is reset. */
void rp_http_connection_answer(struct rp_http_connection *c,
			       const struct rp_http_response *response);

/* Within `take`: hands the body over, in place of what *out holds, which must be nothing. A large
 * one is moved, not copied, and counts as one of the server's bodies until it is answered. After
 * it only rp_http_request_body of the request is gone, if the body was moved. false: out of
 * memory; the body is still where it was. */
bool rp_http_connection_take_body(struct rp_http_connection *c, struct rp_buf *out);

/* Asks for a wake at this boot_ms of the service: of the handler, or of the source of raw.h. */
void rp_http_connection_wake_at(struct rp_http_connection *c, int64_t at_ms);

/* The own_bytes that this connection keeps: zero at first, aligned for anything, and gone with
 * it. */
void *rp_http_connection_own(struct rp_http_connection *c);

/* The socket, to ask the system who the peer is; it stays the server's. */
int rp_http_connection_fd(const struct rp_http_connection *c);

/* By which of the server's listeners it came. */
size_t rp_http_connection_listener(const struct rp_http_connection *c);

#endif
