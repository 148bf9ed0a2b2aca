/* conn.h - one connection to the receiver: reads requests, one at a time, and sends the replies in
 * their order.
 *
 * It never waits: the server tells it of events and of wake_at_ms having come. */
#ifndef RP_SINK_CONN_H
#define RP_SINK_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "desk.h"

enum rp_sink_conn_state {
	RP_SINK_CONN_READING = 0,
	RP_SINK_CONN_DELAYED, /* a reply is due at wake_at_ms */
	RP_SINK_CONN_PARKED,  /* will never be answered */
	/* all said; waits for the peer to close, so that the last answer is not lost to a reset */
	RP_SINK_CONN_DRAINING,
};

enum rp_sink_ending {
	RP_SINK_GO_ON = 0,
	RP_SINK_THEN_CLOSE,
	RP_SINK_THEN_RESET,
	RP_SINK_THEN_DRAIN
};

struct rp_sink_conn {
	int fd;
	enum rp_sink_conn_state state;
	enum rp_sink_ending ending; /* once everything is sent */
	struct rp_http_request request;
	struct rp_sink_reply reply; /* while DELAYED */
	bool without_body;          /* that reply answers a HEAD */
	bool hungry;                /* `in` holds no further whole request */
	struct rp_buf in, out;
	size_t sent; /* of out */

	uint64_t fill_left, fill_at; /* of the body that follows `out`: `fill`, repeated */
	struct rp_span fill;
	bool slow;

	int64_t wake_at_ms; /* desk->boot_ms from which rp_sink_conn_wake is wanted; 0: never */

	/* The server's: */
	uint32_t armed;
	int64_t timed_at_ms;
	struct rp_sink_conn *prev, *next, *timer_prev, *timer_next;
};

struct rp_sink_conn *rp_sink_conn_new(int fd,
				      /* takes over fd; NULL: out of memory, fd is still yours */
				      size_t max_body);
void rp_sink_conn_free(struct rp_sink_conn *c); /* closes */

/* Both return false when the connection is over and to be freed. */
bool rp_sink_conn_event(struct rp_sink_conn *c, struct rp_sink_desk *desk, uint32_t events);
bool rp_sink_conn_wake(struct rp_sink_conn *c, struct rp_sink_desk *desk);

/* epoll events wanted */
uint32_t rp_sink_conn_interest(const struct rp_sink_conn *c, const struct rp_sink_desk *desk);
bool rp_sink_conn_owes_answer(const struct rp_sink_conn *c);

#endif
