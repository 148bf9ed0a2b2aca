/* connection_int.h - private to src/http_server: one connection. It reads requests, one at a time,
 * and sends the answers in their order.
 *
 * It never waits: the server tells it of events, and of times that have come. Reading and taking
 * is in connection_read.c, what a peer may cost in connection_limits.c and bodies.c. */
#ifndef RP_HTTP_SERVER_CONNECTION_INT_H
#define RP_HTTP_SERVER_CONNECTION_INT_H

#include <stdalign.h>
#include <stddef.h>

#include "http_server/connection.h"
#include "http_server/raw.h"
#include "http_server/service.h"
#include "http_server/timers.h"

#define RP_HTTP_READ_BYTES 16383 /* at a time; with the buffer's NUL a power of two */

/* What an event of the loop is about; first in each of these. */
enum rp_http_subject { RP_HTTP_A_CONNECTION = 0, RP_HTTP_A_LISTENER, RP_HTTP_A_WATCHED };

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

/* What it waits for, as far as that has a limit. */
enum rp_http_stage {
	RP_HTTP_STAGE_NONE = 0,
	RP_HTTP_STAGE_FRESH, /* the first byte */
	RP_HTTP_STAGE_IDLE,  /* a further request */
	RP_HTTP_STAGE_HEAD,  /* the rest of a head */
	RP_HTTP_STAGE_ROOM,  /* room for a body */
	RP_HTTP_STAGE_BODY,  /* the rest of a body */
	RP_HTTP_STAGE_SENDING,
};

struct rp_http_connection {
	enum rp_http_subject subject;
	int fd;
	struct rp_http_service *service;
	enum rp_http_connection_state state;
	enum rp_http_ending ending; /* once everything is sent */
	struct rp_http_request request;
	struct rp_http_bounds bounds; /* of `request`: those of the service when it began */
	bool past_head; /* the head of `request` has come, and the program has seen it */
	bool cut_short; /* the program sees the head of a request whose body has not come */
	bool hungry;    /* `in` holds no further whole request */
	struct rp_buf in, out;
	size_t start; /* of in: what is taken of it */
	size_t sent;  /* of out */

	rp_http_raw_source *source; /* while RAW */
	bool source_waits;          /* for wake_at_ms, or for ever */

	int64_t wake_at_ms; /* boot_ms from which the program wants to be woken; 0: never */

	/* connection_limits.c */
	enum rp_http_stage stage;
	int64_t born_ms, since_ms; /* since: of the stage */
	int64_t limit_at_ms;       /* 0: none */
	bool has_asked;            /* a request was taken or refused before */

	/* bodies.c */
	size_t charged; /* of service->bodies_used */
	struct rp_http_link waiting;

	struct rp_http_link pending;

	/* The server's: */
	size_t listener;
	uint32_t armed;
	bool untimely; /* its last event came when none was wanted */
	bool lingers;  /* is counted as one that only waits for its peer to close */
	struct rp_http_timer timer;
	struct rp_http_connection *prev, *next;

	/* The program's, of handler->own_bytes: */
	alignas(max_align_t) unsigned char own[];
};

/* Takes over fd; NULL: out of memory, fd is still yours. */
struct rp_http_connection *rp_http_connection_new(int fd, struct rp_http_service *service);
/* Closes; the program is told when it owes an answer. */
void rp_http_connection_free(struct rp_http_connection *c);

/* These return false when the connection is over and to be freed. */
bool rp_http_connection_event(struct rp_http_connection *c, uint32_t events);
bool rp_http_connection_wake(struct rp_http_connection *c);   /* its time has come */
bool rp_http_connection_resume(struct rp_http_connection *c); /* it is in service->pending */
/* Refuses what it has not said or not whole; for one that the program owes nothing. */
bool rp_http_connection_turn_away(struct rp_http_connection *c, int status, const char *text);

/* What is still to be sent is dropped when it is freed, and its peer told by a reset, where there
 * are resets. */
void rp_http_connection_reset_at_close(struct rp_http_connection *c);
/* Sends what it can of the answers that were given, and takes nothing further. What a source has is
 * not sent. true: something is left. */
bool rp_http_connection_flush(struct rp_http_connection *c);

/* epoll events wanted */
uint32_t rp_http_connection_interest(const struct rp_http_connection *c);
/* The boot_ms from which rp_http_connection_wake is wanted; 0: never. */
int64_t rp_http_connection_due(const struct rp_http_connection *c);
bool rp_http_connection_owes_answer(const struct rp_http_connection *c);
/* Whether there is something that it has not read. A system call. */
bool rp_http_connection_has_unread(const struct rp_http_connection *c);

/* Within src/http_server/connection*.c: */

static inline bool rp_http_connection_is_sending(const struct rp_http_connection *c)
{
	return c->sent < c->out.len || (c->state == RP_HTTP_CONNECTION_RAW && !c->source_waits);
}

/* Takes the requests that have arrived, until one has to wait or there is enough to send. */
void rp_http_connection_take_requests(struct rp_http_connection *c);
/* For the request that begins: the service's may change while it comes. */
void rp_http_connection_set_bounds(struct rp_http_connection *c);
/* 1: bytes came, 0: none now, -1: the peer is done. */
int rp_http_connection_read(struct rp_http_connection *c);
/* Refuses in the server's name. */
void rp_http_connection_refuse(struct rp_http_connection *c, int status, const char *text);
/* The limit that holds from now on. */
void rp_http_connection_set_limit(struct rp_http_connection *c);

/* bodies.c: whether there is room for a buffer of so many bytes. If not, it waits for it, and is
 * pending when there is. */
bool rp_http_bodies_charge(struct rp_http_connection *c, size_t bytes);
/* Its body is gone, or it waits no more. */
void rp_http_bodies_release(struct rp_http_connection *c);

#endif
