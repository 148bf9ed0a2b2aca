/* scripted_server.h - a receiver on 127.0.0.1 that plays one script on every connection, for tests
 * of HTTP clients.
 *
 * It has no thread and never waits: the test's own loop polls scripted_server_fd and calls
 * scripted_server_step, so what happens between client and server is the same in every run. */
#ifndef RP_TEST_SCRIPTED_SERVER_H
#define RP_TEST_SCRIPTED_SERVER_H

#include <stddef.h>

#include "base/bytes.h"

enum script_kind {
	SCRIPT_CLOSE = 0, /* ends a script, also one that does not say so */
	SCRIPT_READ,      /* a request: its head and as much body as content-length says */
	SCRIPT_TASTE,     /* the first bytes of a request, which are left to SCRIPT_READ */
	SCRIPT_HOLD,      /* nothing until scripted_server_let_go */
	SCRIPT_SEND,      /* the bytes */
	SCRIPT_FLOOD,     /* the bytes again and again until the client closes */
	SCRIPT_DRIP,      /* the bytes again and again, one at each scripted_server_step */
	SCRIPT_HANG,      /* nothing until the client closes */
	SCRIPT_RESET,     /* close with RST */
	SCRIPT_AGAIN,     /* from the first step */
};

struct script_step {
	enum script_kind kind;
	struct rp_span bytes;
};
/* clang-format off */
#define SCRIPT_BYTES(literal) {(literal), sizeof(literal) - 1}
/* clang-format on */

struct scripted_server;

/* Aborts when the system gives no socket: without one there is no test. `script` is borrowed; one
 * step at least. */
struct scripted_server *scripted_server_open(const struct script_step *script, size_t n_steps);
/* The same on another address and port; 0: any. */
struct scripted_server *scripted_server_open_at(const char *ip, unsigned port,
						const struct script_step *script, size_t n_steps);
void scripted_server_close(struct scripted_server *s);

unsigned scripted_server_port(const struct scripted_server *s);
int scripted_server_fd(const struct scripted_server *s);
void scripted_server_step(struct scripted_server *s);
/* Connections that hold go on with the next step. */
void scripted_server_let_go(struct scripted_server *s);
/* Accepts no more; after a few connections in the queue the kernel drops what knocks. */
void scripted_server_turn_deaf(struct scripted_server *s);

unsigned scripted_server_accepted(const struct scripted_server *s); /* connections ever */
/* connections the client has not closed */
unsigned scripted_server_open_now(const struct scripted_server *s);
/* requests read completely */
unsigned scripted_server_requests(const struct scripted_server *s);
struct rp_span scripted_server_last_head(const struct scripted_server *s); /* with its empty line */
struct rp_span scripted_server_last_body(const struct scripted_server *s);

#endif
