/* server_accept.c - lets connections in, as many as there may be, and decides who gives way to
 * whom. */

#include "http_server/server_int.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS_A_TURN 64
#define EVICT_AFTER_MS 1000 /* nobody gives way who has waited less */
#define LACK_MS 500         /* without descriptors or memory it tries again after this */

static bool is_full(const struct rp_http_server *s)
{
	size_t n = s->n_conns - (s->service->limits.evicts ? s->n_lingering : 0);

	return n >= s->service->max_connections;
}

static bool is_silent(const struct rp_http_connection *c)
{
	return c->stage == RP_HTTP_STAGE_FRESH || c->stage == RP_HTTP_STAGE_IDLE;
}

static bool waits_for_its_peer(const struct rp_http_connection *c)
{
	return is_silent(c) || c->stage == RP_HTTP_STAGE_HEAD || c->stage == RP_HTTP_STAGE_BODY ||
	       c->stage == RP_HTTP_STAGE_SENDING;
}

/* NULL: none waits for its peer. Looked for one by one: only a full server looks. */
static struct rp_http_connection *longest_waiting(const struct rp_http_server *s)
{
	struct rp_http_connection *c, *longest = NULL;

	for (c = s->conns; c != NULL; c = c->next)
		if (waits_for_its_peer(c) && (longest == NULL || c->since_ms < longest->since_ms))
			longest = c;
	return longest;
}

/* NULL: none lingers. */
static struct rp_http_connection *longest_lingering(const struct rp_http_server *s)
{
	struct rp_http_connection *c, *longest = NULL;

	for (c = s->conns; c != NULL; c = c->next)
		if (c->lingers && (longest == NULL || c->wake_at_ms < longest->wake_at_ms))
			longest = c;
	return longest;
}

/* A silent one that has spoken meanwhile is heard instead. */
static bool give_way(struct rp_http_server *s, struct rp_http_connection *c)
{
	bool alive = false;

	if (is_silent(c))
		alive = rp_http_connection_has_unread(c) && rp_http_connection_event(c, EPOLLIN);
	else if (c->stage == RP_HTTP_STAGE_SENDING)
		rp_http_connection_reset_at_close(c); /* it would not take a refusal either */
	else if (s->n_lingering < RP_HTTP_LINGERING_MAX)
		alive = rp_http_connection_turn_away(
		    c, 503, "too many connections; this one has been unfinished for the longest");
	return rp_http_server_settle(s, c, alive);
}

/* NULL: out of memory, or the system refuses; fd is closed. */
static struct rp_http_connection *add_conn(struct rp_http_server *s,
					   const struct rp_http_entrance *e, int fd)
{
	struct rp_http_connection *c = NULL;
	struct epoll_event ev = {.events = EPOLLIN};
	int one = 1;

	if (rp_http_timers_reserve(&s->timers, s->n_conns + 1))
		c = rp_http_connection_new(fd, s->service);
	ev.data.ptr = c;
	if (c == NULL || epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &ev) != 0) {
		free(c);
		close(fd);
		return NULL;
	}
	/* without it answers are late, not wrong */
	if (!e->is_unix)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	c->listener = e->index;
	c->armed = EPOLLIN;
	c->next = s->conns;
	if (c->next != NULL)
		c->next->prev = c;
	s->conns = c;
	s->n_conns++;
	return c;
}

/* Linux hands over errors that the network had for the connection, too (accept(2)). */
static bool is_peer_trouble(int sys)
{
	static const int troubles[] = {EINTR,      ECONNABORTED, EPROTO,     EPERM,
				       ENETDOWN,   ENOPROTOOPT,  EHOSTDOWN,  ENONET,
				       EOPNOTSUPP, EHOSTUNREACH, ENETUNREACH};
	size_t i;

	for (i = 0; i < sizeof troubles / sizeof troubles[0]; i++)
		if (troubles[i] == sys)
			return true;
	return false;
}

static bool is_lack(int sys)
{
	return sys == EMFILE || sys == ENFILE || sys == ENOBUFS || sys == ENOMEM;
}

/* Nobody is let in until a connection ends, or until then (0: until one ends). */
static bool pause_until(struct rp_http_server *s, int64_t at_ms)
{
	bool ok = rp_http_server_arm(s, false);

	s->accept_at_ms = at_ms;
	return ok;
}

/* The place of a newcomer: `gives_way` is who loses his for it, if anybody does. */
static bool let_in(struct rp_http_server *s, const struct rp_http_entrance *e, int fd, bool full,
		   struct rp_http_connection *gives_way)
{
	struct rp_http_connection *c = add_conn(s, e, fd);

	if (c == NULL)
		return pause_until(s, s->service->boot_ms + LACK_MS);
	if (full && gives_way == NULL)
		return rp_http_server_settle(
		    s, c, rp_http_connection_turn_away(c, 503, "too many connections"));
	return rp_http_server_settle(s, c, true) && (gives_way == NULL || give_way(s, gives_way));
}

/* Where not even one more may linger. Many do at once when their limits end together: who lingers
 * has had his answer, so he leaves before a newcomer waits for it. */
static bool make_place(struct rp_http_server *s, struct rp_http_connection *longest_waiting)
{
	struct rp_http_connection *c = longest_lingering(s);

	return c != NULL ? rp_http_server_settle(s, c, false) : give_way(s, longest_waiting);
}

/* Takes one who stands there, if any does and may come in now. false: see below. */
static bool accept_one(struct rp_http_server *s, struct rp_http_entrance *e)
{
	const struct rp_http_service *service = s->service;
	bool full = is_full(s);
	struct rp_http_connection *longest = full ? longest_waiting(s) : NULL;
	bool no_place = s->n_conns >= rp_http_server_places(s);
	int fd;

	if (full && (!service->limits.evicts || (no_place && longest == NULL)))
		return pause_until(s, 0);
	if (longest != NULL && longest->since_ms + EVICT_AFTER_MS > service->boot_ms)
		return pause_until(s, longest->since_ms + EVICT_AFTER_MS);
	if (no_place)
		return make_place(s, longest);
	fd = accept4(e->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0)
		return let_in(s, e, fd, full, longest);
	if (is_peer_trouble(errno))
		return true;
	e->called = false;
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return true;
	return (is_lack(errno) || s->n_conns > 0) && pause_until(s, service->boot_ms + LACK_MS);
}

bool rp_http_server_accept(struct rp_http_server *s)
{
	size_t i;
	int n;

	for (i = 0; i < s->n_entrances; i++) {
		struct rp_http_entrance *e = &s->entrances[i];

		for (n = 0; n < ACCEPTS_A_TURN && e->called; n++)
			if (!accept_one(s, e))
				return false;
		e->called = false;
	}
	return true;
}
