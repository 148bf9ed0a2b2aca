/* server_int.h - private to src/http_server: what the loop and the way in share, and a turn of the
 * loop for tests. */
#ifndef RP_HTTP_SERVER_SERVER_INT_H
#define RP_HTTP_SERVER_SERVER_INT_H

#include "http_server/connection_int.h"
#include "http_server/server.h"

/* A listener in the loop. */
struct rp_http_entrance {
	enum rp_http_subject subject;
	int fd;
	size_t index; /* of the program's listeners */
	bool is_unix;
	bool armed;
	bool called; /* in this turn: somebody stands there */
};

/* A descriptor of the program. */
struct rp_http_watched {
	enum rp_http_subject subject;
	void (*ready)(void *context); /* NULL: it stops the server */
	struct rp_http_watched *next;
};

struct rp_http_server {
	int epoll_fd;
	struct rp_http_service *service;
	struct rp_http_entrance *entrances;
	size_t n_entrances;
	struct rp_http_watched *watched;
	struct rp_http_connection *conns; /* all of them, through next */
	size_t n_conns;
	size_t n_lingering; /* of them: all said, they wait for their peer to close */
	struct rp_http_timers timers;
	int64_t accept_at_ms; /* listeners are armed again, at the latest; 0: nobody waits for it */
	int64_t tick_at_ms;
	bool draining; /* service->draining was seen */
	bool stop;     /* the stop descriptor spoke */
};

/* Waits at most so long (-1: for ever) for something to happen, and does all that it asks for.
 * false: errno tells what the system refused. */
bool rp_http_server_turn(struct rp_http_server *s, int most_ms);

/* After something happened to a connection: its timer, its epoll interest, or its end. false: the
 * system refuses. */
bool rp_http_server_settle(struct rp_http_server *s, struct rp_http_connection *c, bool alive);

/* server_accept.c: takes those who stand at a listener that called. false: accepting is impossible
 * for good. */
bool rp_http_server_accept(struct rp_http_server *s);
/* All listeners are heard again, or none. */
bool rp_http_server_arm(struct rp_http_server *s, bool on);

/* beyond max_connections: who was turned away and has not yet closed */
#define RP_HTTP_LINGERING_MAX 64
/* How many connections there may be, those included. */
size_t rp_http_server_places(const struct rp_http_server *s);
/* The connection ends. */
void rp_http_server_drop(struct rp_http_server *s, struct rp_http_connection *c);
void rp_http_server_settle_timer(struct rp_http_server *s, struct rp_http_connection *c);

#endif
