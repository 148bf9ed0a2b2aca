/* door_route.h - what a request asks the door for: its method, path and query taken apart. Pure.
 *
 *   POST /to/NAME[/rest][?query]        a run for the receiver of [endpoint "NAME"]
 *   POST /to?url=...[&sig=...]          a run for a receiver that the request names
 *   POST /v1/runs                       a Run or an envelope; lines of them if Content-Type says so
 *   GET, HEAD /v1/entries/ID            what became of an entry
 *   GET, HEAD /healthz, /readyz
 *
 * Paths are compared as they are written: a percent-encoded letter makes another path. A parameter
 * "runpost_token" of any query is the door's own credential, however its name is spelled. It is cut
 * out, and what is left of the query keeps its bytes. */
#ifndef RP_SERVE_DOOR_ROUTE_H
#define RP_SERVE_DOOR_ROUTE_H

#include "http_server/request.h"
#include "serve/door_refusal.h"

#define RP_DOOR_QUERY_TOKEN "runpost_token"
#define RP_DOOR_NAME_MAX 64     /* bytes of NAME, as the configuration has it */
#define RP_DOOR_ENTRY_ID_MAX 64 /* bytes */

enum rp_door_kind {
	RP_DOOR_TO_NAME = 1,
	RP_DOOR_TO_URL,
	RP_DOOR_RUNS,
	RP_DOOR_RUNS_LINES, /* the body is NDJSON */
	RP_DOOR_ENTRY,
	RP_DOOR_HEALTHZ,
	RP_DOOR_READYZ,
};

/* {0} is an empty one. It may be filled any number of times; release it then. Spans point into the
 * request or into `text`; they hold until the request's bytes go, or the next filling. Those that
 * do not belong to the kind are empty. */
struct rp_door_ask {
	enum rp_door_kind kind;
	struct rp_span name; /* TO_NAME: 1 to RP_DOOR_NAME_MAX letters, digits, '.', '_', '-' */
	struct rp_span rest; /* TO_NAME: empty, or from its '/' on, as written: nothing is judged */
	struct rp_span query;    /* TO_NAME: without '?' and without the token, as written */
	struct rp_span url, sig; /* TO_URL: percent-decoded ('+' stays); a NULL ptr: not given */
	struct rp_span entry_id; /* ENTRY: letters, digits, '_', '-' */
	/* TO_URL: what is wrong with the query, a static sentence for 422 bad_url. It is told to
	 * who may come. NULL: nothing. */
	const char *problem;
	/* The query's credential, percent-decoded, of any kind. n_tokens: how often it was there;
	 * `token` is empty unless it is 1. */
	struct rp_span token;
	unsigned n_tokens;
	struct rp_buf text;
};

/* Fills *ask from a request whose head has come. false: *no says why not, which is 404 not_found,
 * 405 method (with Allow), or 503 failed: out of memory. *ask may be used for its token then. */
bool rp_door_route(const struct rp_http_request *request, struct rp_door_ask *ask,
		   struct rp_door_refusal *no);

/* Whether it asks for something that all may see. */
bool rp_door_kind_is_public(enum rp_door_kind kind);

/* Both wipe what may be a secret. */
void rp_door_ask_clear(struct rp_door_ask *ask); /* to an empty one, memory kept */
void rp_door_ask_release(struct rp_door_ask *ask);

#endif
