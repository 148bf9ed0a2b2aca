/* server_places.c - keeps account of the connections: their timers, their events, their ends, and
 * whether there is a place for another. The loop and the way in both change it. */

#include <sys/epoll.h>

#include "http_server/server_int.h"

size_t rp_http_server_places(const struct rp_http_server *s)
{
	return s->service->max_connections +
	       (s->service->limits.evicts ? RP_HTTP_LINGERING_MAX : 0);
}

bool rp_http_server_arm(struct rp_http_server *s, bool on)
{
	bool ok = true;
	size_t i;

	on = on && !s->draining && s->n_conns < rp_http_server_places(s);
	s->accept_at_ms = 0;
	for (i = 0; i < s->n_entrances; i++) {
		struct rp_http_entrance *e = &s->entrances[i];
		struct epoll_event ev = {.events = on ? EPOLLIN : 0, .data.ptr = e};

		if (e->armed != on)
			ok = epoll_ctl(s->epoll_fd, EPOLL_CTL_MOD, e->fd, &ev) == 0 && ok;
		e->armed = on;
		e->called = e->called && on;
	}
	return ok;
}

void rp_http_server_drop(struct rp_http_server *s, struct rp_http_connection *c)
{
	rp_http_timers_set(&s->timers, &c->timer, 0);
	*(c->prev != NULL ? &c->prev->next : &s->conns) = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	s->n_lingering -= c->lingers;
	s->n_conns--;
	rp_http_connection_free(c);
}

/* A timer that is too early does no harm: it is set again when its time has come. So a connection
 * whose limits only move on costs nothing. */
void rp_http_server_settle_timer(struct rp_http_server *s, struct rp_http_connection *c)
{
	int64_t due_ms = rp_http_connection_due(c);

	if (due_ms != 0 && (c->timer.at_ms == 0 || due_ms < c->timer.at_ms))
		rp_http_timers_set(&s->timers, &c->timer, due_ms);
}

bool rp_http_server_settle(struct rp_http_server *s, struct rp_http_connection *c, bool alive)
{
	struct epoll_event ev = {.data.ptr = c};

	if (!alive) {
		rp_http_server_drop(s, c);
		return rp_http_server_arm(s, true);
	}
	rp_http_server_settle_timer(s, c);
	if (c->state == RP_HTTP_CONNECTION_DRAINING && !c->lingers) {
		c->lingers = true;
		s->n_lingering++;
	}
	ev.events = rp_http_connection_interest(c);
	if (ev.events == c->armed)
		return true;
	/* Few speak while they wait for an answer: only those are told to be silent. */
	if (ev.events == 0 && c->armed == EPOLLIN && !c->untimely)
		return true;
	c->armed = ev.events;
	return epoll_ctl(s->epoll_fd, EPOLL_CTL_MOD, c->fd, &ev) == 0;
}
