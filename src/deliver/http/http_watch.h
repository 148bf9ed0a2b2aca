/* http_watch.h - private to src/deliver/http: the sockets of an engine, as its epoll descriptor
 * watches them.
 *
 * libcurl gives up the watch of a connection when a request is done, though it keeps the
 * connection. This goes on watching it: so we hear at once that the receiver has closed it, and
 * the next request on it needs no call of the kernel to be watched. */
#ifndef RP_DELIVER_HTTP_HTTP_WATCH_H
#define RP_DELIVER_HTTP_HTTP_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* By its descriptor. One that is not a connection's belongs to a lookup, and is watched only as
 * long as libcurl says. */
struct rp_http_socket {
	uint32_t events;  /* that epoll reports; 0: none, or not known */
	bool connection;  /* from its making to its closing */
	bool left;        /* libcurl wants to hear nothing of it */
	bool gone;        /* ... and the receiver has closed it */
	bool is_free;     /* counted as such */
	const void *user; /* the transfer that uses it; NULL: it is kept */
	uint64_t receiver;
};

struct rp_http_watch {
	int epoll_fd;
	unsigned connections, gone; /* how many sockets are that */
	size_t n;
	struct rp_http_socket *sockets;
	uint32_t *free_of; /* how many connections wait for a request, by their receiver's hash */
};

/* 0 or an errno. Close it with rp_http_watch_close, also after an errno. */
int rp_http_watch_open(struct rp_http_watch *watch);
void rp_http_watch_close(struct rp_http_watch *watch);

/* A connection's socket is there, for a transfer; it will be closed now. Without memory it is
 * watched like one of a lookup. `receiver` is the hash of rp_http_receiver. */
void rp_http_watch_note_opened(struct rp_http_watch *watch, int fd, const void *user,
			       uint64_t receiver);
void rp_http_watch_note_closing(struct rp_http_watch *watch, int fd);
/* A transfer uses the connection from now on, or no more; -1 is no connection. */
void rp_http_watch_note_used(struct rp_http_watch *watch, int fd, const void *user);
void rp_http_watch_note_unused(struct rp_http_watch *watch, int fd, const void *user);
/* Whether a kept connection to the receiver waits for a request. Seldom, it is another one's. */
bool rp_http_watch_has_free(const struct rp_http_watch *watch, uint64_t receiver);
/* libcurl wants to hear of `events`; `known`: it has the socket watched already. 0 or an errno. */
int rp_http_watch_set(struct rp_http_watch *watch, int fd, uint32_t events, bool known);
/* libcurl wants to hear no more. */
void rp_http_watch_end(struct rp_http_watch *watch, int fd);
/* What epoll reported is of a connection of which libcurl wants to hear nothing: this took it. */
bool rp_http_watch_take(struct rp_http_watch *watch, int fd, uint32_t events);

#endif
