/* connection_int.h - private to src/http_server: one connection. It reads requests, one at a time,
 * and sends the answers in their order.
 *
 * It never waits: the server tells it of events and of wake_at_ms having come. */
#ifndef RP_HTTP_SERVER_CONNECTION_INT_H
#define RP_HTTP_SERVER_CONNECTION_INT_H

#include <stdalign.h>
#include <stddef.h>

#include "http_server/connection.h"
#include "http_server/raw.h"
#include "http_server/service.h"

enum rp_http_connection_state {
	RP_HTTP_CONNECTION_READING = 0,
	RP_HTTP_CONNECTION_HELD, /* the program has a request and owes the answer */
	RP_HTTP_CONNECTION_RAW,  /* what goes out is up to `source` */
	/* all said; waits for the peer to close, so that the last answer is not lost to a reset */
	RP_HTTP_CONNECTION_DRAINING,
};

enum rp_http_ending {
	RP_HTTP_GO_ON = 0,
	RP_HTTP_THEN_CLOSE,
	RP_HTTP_THEN_RESET,
	RP_HTTP_THEN_DRAIN
};

struct rp_http_connection {
	int fd;
	struct rp_http_service *service;
	enum rp_http_connection_state state;
	enum rp_http_ending ending; /* once everything is sent */
	struct rp_http_request request;
	bool hungry; /* `in` holds no further whole request */
	struct rp_buf in, out;
	size_t sent; /* of out */

	rp_http_raw_source *source; /* while RAW */
	bool source_waits;          /* for wake_at_ms, or for ever */

	int64_t wake_at_ms; /* boot_ms from which rp_http_connection_wake is wanted; 0: never */

	/* The server's: */
	uint32_t armed;
	int64_t timed_at_ms;
	struct rp_http_connection *prev, *next, *timer_prev, *timer_next;

	/* The program's, of handler->own_bytes: */
	alignas(max_align_t) unsigned char own[];
};

/* Takes over fd; NULL: out of memory, fd is still yours. */
struct rp_http_connection *rp_http_connection_new(int fd, struct rp_http_service *service);
void rp_http_connection_free(struct rp_http_connection *c); /* closes */

/* Both return false when the connection is over and to be freed. */
bool rp_http_connection_event(struct rp_http_connection *c, uint32_t events);
bool rp_http_connection_wake(struct rp_http_connection *c);

/* epoll events wanted */
uint32_t rp_http_connection_interest(const struct rp_http_connection *c);
bool rp_http_connection_owes_answer(const struct rp_http_connection *c);

#endif
