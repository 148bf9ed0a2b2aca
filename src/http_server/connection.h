/* connection.h - what a program may do with a connection of its server: answer the request that it
 * took, at once or later.
 *
 * A connection has one request at a time; the next one is taken when that one is answered. The
 * server owns connections. One may end whenever the program is not asked, since its peer is free
 * to go: only a function of the handler may use the one that it was given, and only until it
 * returns. */
#ifndef RP_HTTP_SERVER_CONNECTION_H
#define RP_HTTP_SERVER_CONNECTION_H

#include "http_server/response.h"

struct rp_http_connection;

/* Answers the request that was taken or refused, once. What the response points to is copied. Out
 * of memory, the connection is reset. */
void rp_http_connection_answer(struct rp_http_connection *c,
			       const struct rp_http_response *response);

/* Asks for a wake at this boot_ms of the service: of the handler, or of the source of raw.h. */
void rp_http_connection_wake_at(struct rp_http_connection *c, int64_t at_ms);

/* The own_bytes that this connection keeps: zero at first, aligned for anything, and gone with
 * it. */
void *rp_http_connection_own(struct rp_http_connection *c);

#endif
