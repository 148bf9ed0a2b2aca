/* service.h - what a server and its connections know of the program that they serve: who takes
 * the requests, the bounds, the time, and whether to go on.
 *
 * The program owns it, fills it before rp_http_server_new and keeps it until rp_http_server_free.
 * Its functions are called within rp_http_server_run, one at a time. None may wait: while one
 * does, nobody is served. */
#ifndef RP_HTTP_SERVER_SERVICE_H
#define RP_HTTP_SERVER_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/sys.h"
#include "http_server/list.h"
#include "http_server/request.h"

struct rp_http_connection;

/* What a program is called for. Static. All but take and refuse may be NULL. */
struct rp_http_handler {
	size_t own_bytes; /* for the program, kept with each connection (connection.h) */
	/* The head of a request has come. No byte of its body has been asked for or is needed;
	 * *request has its method, target and fields. It may be answered here, and only here: then
	 * it is not taken, and the connection ends after the answer if there is a body to come. A
	 * body that is larger than max_body is refused after this, if it was not answered. */
	void (*head)(void *context, struct rp_http_connection *c,
		     const struct rp_http_request *request);
	/* A whole request has come. Its bytes are there until this returns; the rest of *request
	 * until it is answered, which may be at once or whenever the program is called
	 * (connection.h). */
	void (*take)(void *context, struct rp_http_connection *c,
		     const struct rp_http_request *request);
	/* What came is no request, or a limit does not let it come: bad_status and bad_text of
	 * *request say why. The connection ends after the answer to it. */
	void (*refuse)(void *context, struct rp_http_connection *c,
		       const struct rp_http_request *request);
	/* The time asked for by rp_http_connection_wake_at has come, and no answer before it. */
	void (*wake)(void *context, struct rp_http_connection *c);
	/* The requests at hand on a connection are taken: last chance before their answers go. */
	void (*flush)(void *context);
	/* The connection ends while the program owes it an answer: forget it. */
	void (*gone)(void *context, struct rp_http_connection *c);
	/* The connection ends, owed an answer or not: what the program keeps for it goes. */
	void (*closed)(void *context, struct rp_http_connection *c);
	/* All that is at hand is taken: once or more in each turn of the loop, before it waits. */
	void (*turned)(void *context);
	/* The time asked for by rp_http_server_tick_at has come. */
	void (*tick)(void *context);
};

/* What a peer may cost. 0: no limit, which only a receiver for tests can afford. A request that
 * goes beyond one is refused (handler->refuse) with the status that stands here. */
struct rp_http_limits {
	size_t head_bytes; /* of a head: 431; never more than RP_HTTP_REQUEST_HEAD_MAX */
	/* For a whole head, from the connection's start or the head's first byte: 408. A
	 * connection that has said nothing is closed. */
	int64_t head_ms;
	/* A body comes within this and a second for each body_bytes_per_s of it: 408. */
	int64_t body_grace_ms;
	uint64_t body_bytes_per_s;
	int64_t idle_ms; /* between requests, then it is closed */
	/* What Keep-Alive tells of that (0: idle_ms). Who heeds it has gone by then of himself: a
	 * server that drains waits as long, since a close could meet a request on its way. */
	int64_t told_ms;
	int64_t answer_ms; /* for the peer to take what is to be sent; else it is reset */
	/* Of all bodies at a time, from their head to their answer. Those that fit into what is
	 * read at once do not count. Others wait for room, unread and unasked for, in their order,
	 * and so long: 503. A single body always has room. */
	size_t bodies_bytes;
	int64_t bodies_wait_ms;
	/* At max_connections the one that has waited longest for its peer gives way to a new one:
	 * 503 for a request that is not whole, a close for one between requests, a reset for one
	 * that does not take its answers. When none waits for its peer, the new one gets 503.
	 * Without it new ones wait in the listener's queue. */
	bool evicts;
};

struct rp_http_service {
	const struct rp_http_handler *handler;
	void *context;            /* for the handler's functions */
	const struct rp_sys *sys; /* the clocks; NULL: the real ones */
	/* Bytes of a request's body; beyond it refuse is called: 413. What holds for a request is
	 * what this and limits.head_bytes are when its first byte is looked at. */
	size_t max_body;
	size_t max_connections; /* see limits.evicts */
	struct rp_http_limits limits;

	/* The server's, read once a turn of its loop. */
	int64_t wall_ms, boot_ms;

	/* The program's, at any time. */
	bool stopping; /* no further request is to be taken; it ends with the last answer */
	/* No connection is accepted any more. What is asked on those that there are is answered
	 * with `Connection: close`; silent ones are closed. It ends with the last one, or at
	 * drain_until_ms (boot; 0: never), when `gone` is called for what is still owed. */
	bool draining;
	int64_t drain_until_ms;
	/* The next turn takes what is at hand and does not wait for more. Cleared by the server. */
	bool peeks;
	enum rp_err failed; /* not RP_OK: it ends at once and sends nothing; `err` says why */
	struct rp_error err;

	/* Private to src/http_server: all zero at first. */
	size_t bodies_used;                 /* of limits.bodies_bytes */
	struct rp_http_list bodies_waiting; /* connections, first come first */
	struct rp_http_list pending;        /* connections to go on with in this turn */
};

#endif
