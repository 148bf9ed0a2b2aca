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
#include "http_server/request.h"

struct rp_http_connection;

/* What a program is called for. Static. */
struct rp_http_handler {
	size_t own_bytes; /* for the program, kept with each connection (connection.h) */
	/* A whole request has come. Its bytes are there until this returns; the rest of *request
	 * until it is answered, which may be at once (connection.h) or on a later wake. */
	void (*take)(void *context, struct rp_http_connection *c,
		     const struct rp_http_request *request);
	/* What came is no request: bad_status and bad_text of *request say why. The connection
	 * ends after the answer to it. */
	void (*refuse)(void *context, struct rp_http_connection *c,
		       const struct rp_http_request *request);
	/* The time asked for by rp_http_connection_wake_at has come, and no answer before it. */
	void (*wake)(void *context, struct rp_http_connection *c);
	/* The requests at hand on a connection are taken: last chance before their answers go. */
	void (*flush)(void *context);
};

struct rp_http_service {
	const struct rp_http_handler *handler;
	void *context;          /* for the handler's functions */
	size_t max_body;        /* bytes of a request's body; beyond it refuse is called */
	size_t max_connections; /* others wait in the listener's queue until one ends */

	/* The server's, read once a turn of its loop. */
	int64_t wall_ms, boot_ms;

	/* The program's, at any time. */
	bool stopping;      /* no further request is to be taken; it ends with the last answer */
	enum rp_err failed; /* not RP_OK: it ends at once and sends nothing; `err` says why */
	struct rp_error err;
};

#endif
