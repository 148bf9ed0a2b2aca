/* server.c - runs the event loop: listener, connections, timers. A connection's own state is in
 * connection.c. */

#include "http_server/server.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/sys.h"
#include "http_server/connection_int.h"

#define EVENTS_MAX 256
#define ACCEPTS_A_TURN 64

struct rp_http_server {
	int epoll_fd, listen_fd;
	struct rp_http_service *service;
	struct rp_http_connection *conns; /* all of them, through next */
	/* those with a wake_at_ms, soonest first */
	struct rp_http_connection *timer_first, *timer_last;
	size_t n_conns;
	bool listening; /* the listener is armed */
};

static bool arm_listener(struct rp_http_server *s, bool on)
{
	struct epoll_event ev = {.events = on ? EPOLLIN : 0, .data.ptr = s};

	s->listening = on;
	return epoll_ctl(s->epoll_fd, EPOLL_CTL_MOD, s->listen_fd, &ev) == 0;
}

enum rp_err rp_http_server_new(struct rp_http_service *service, int listen_fd,
			       struct rp_http_server **out, struct rp_error *err)
{
	struct rp_http_server *s = calloc(1, sizeof *s);
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = s};
	enum rp_err code = RP_OK;

	*out = NULL;
	if (s == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	s->service = service;
	s->listening = true;
	s->listen_fd = listen_fd;
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll_fd < 0)
		code = rp_fail_sys(err, RP_ERR_IO, errno, "epoll_create1");
	else if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, listen_fd, &ev) != 0)
		code = rp_fail_sys(err, RP_ERR_IO, errno, "epoll_ctl");
	if (code != RP_OK) {
		rp_http_server_free(s);
		return code;
	}
	*out = s;
	return RP_OK;
}

static void unlink_timer(struct rp_http_server *s, struct rp_http_connection *c)
{
	if (c->timed_at_ms == 0)
		return;
	*(c->timer_prev != NULL ? &c->timer_prev->timer_next : &s->timer_first) = c->timer_next;
	*(c->timer_next != NULL ? &c->timer_next->timer_prev : &s->timer_last) = c->timer_prev;
	c->timer_prev = c->timer_next = NULL;
	c->timed_at_ms = 0;
}

/* Sorted, searched from the end: a delay is the same for all, so that a new timer nearly always
 * goes last. */
static void link_timer(struct rp_http_server *s, struct rp_http_connection *c)
{
	struct rp_http_connection *before = s->timer_last;

	while (before != NULL && before->timed_at_ms > c->wake_at_ms)
		before = before->timer_prev;
	c->timed_at_ms = c->wake_at_ms;
	c->timer_prev = before;
	c->timer_next = before != NULL ? before->timer_next : s->timer_first;
	*(c->timer_prev != NULL ? &c->timer_prev->timer_next : &s->timer_first) = c;
	*(c->timer_next != NULL ? &c->timer_next->timer_prev : &s->timer_last) = c;
}

static void drop_conn(struct rp_http_server *s, struct rp_http_connection *c)
{
	unlink_timer(s, c);
	*(c->prev != NULL ? &c->prev->next : &s->conns) = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	rp_http_connection_free(c);
	s->n_conns--;
}

/* After something happened to a connection: its timer, its epoll interest, or its end. */
static bool settle_conn(struct rp_http_server *s, struct rp_http_connection *c, bool alive)
{
	struct epoll_event ev = {.data.ptr = c};

	if (!alive) {
		drop_conn(s, c);
		return s->listening || s->n_conns >= s->service->max_connections ||
		       arm_listener(s, true);
	}
	if (c->timed_at_ms != c->wake_at_ms) {
		unlink_timer(s, c);
		if (c->wake_at_ms != 0)
			link_timer(s, c);
	}
	ev.events = rp_http_connection_interest(c);
	if (ev.events == c->armed)
		return true;
	c->armed = ev.events;
	return epoll_ctl(s->epoll_fd, EPOLL_CTL_MOD, c->fd, &ev) == 0;
}

static bool add_conn(struct rp_http_server *s, int fd)
{
	struct rp_http_connection *c = rp_http_connection_new(fd, s->service);
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
	int one = 1;

	if (c == NULL || epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &ev) != 0) {
		free(c);
		close(fd);
		return false;
	}
	/* without it answers are late, not wrong */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	c->armed = EPOLLIN;
	c->next = s->conns;
	if (c->next != NULL)
		c->next->prev = c;
	s->conns = c;
	s->n_conns++;
	return true;
}

static bool is_peer_trouble(int sys)
{
	return sys == EINTR || sys == ECONNABORTED || sys == EPROTO || sys == EPERM;
}

/* false: accepting is impossible for good. Out of descriptors or memory, it waits until a
 * connection ends. */
static bool accept_some(struct rp_http_server *s)
{
	int i, fd;

	for (i = 0; i < ACCEPTS_A_TURN; i++) {
		if (s->n_conns >= s->service->max_connections)
			return arm_listener(s, false);
		fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0 && add_conn(s, fd))
			continue;
		if (fd < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return true;
		if (fd < 0 && is_peer_trouble(errno))
			continue;
		return s->n_conns > 0 && arm_listener(s, false);
	}
	return true;
}

static int wait_ms(const struct rp_http_server *s)
{
	int64_t ms;

	if (s->timer_first == NULL)
		return -1;
	ms = s->timer_first->timed_at_ms - s->service->boot_ms;
	return ms <= 0 ? 0 : ms > 60000 ? 60000 : (int)ms;
}

static bool wake_due(struct rp_http_server *s)
{
	struct rp_http_connection *c;

	while ((c = s->timer_first) != NULL && c->timed_at_ms <= s->service->boot_ms) {
		unlink_timer(s, c);
		if (!settle_conn(s, c, rp_http_connection_wake(c)))
			return false;
	}
	return true;
}

static bool is_finished(const struct rp_http_server *s)
{
	const struct rp_http_connection *c;

	if (!s->service->stopping)
		return false;
	for (c = s->conns; c != NULL; c = c->next)
		if (rp_http_connection_owes_answer(c))
			return false;
	return true;
}

static void refresh_clock(struct rp_http_server *s)
{
	s->service->wall_ms = rp_sys_wall_ms(&rp_sys_real);
	s->service->boot_ms = rp_sys_boot_ms(&rp_sys_real);
}

/* false: errno tells what the system refused. *stop: the stop descriptor spoke. */
static bool turn(struct rp_http_server *s, bool *stop)
{
	struct epoll_event events[EVENTS_MAX];
	int n = epoll_wait(s->epoll_fd, events, EVENTS_MAX, wait_ms(s)), i;
	bool ok = n >= 0 || errno == EINTR;

	refresh_clock(s);
	for (i = 0; i < n && ok; i++) {
		struct rp_http_connection *c = events[i].data.ptr;

		if (c == NULL)
			*stop = true;
		else if (events[i].data.ptr == (void *)s)
			ok = accept_some(s);
		else
			ok = settle_conn(s, c, rp_http_connection_event(c, events[i].events));
	}
	return ok && wake_due(s);
}

enum rp_err rp_http_server_run(struct rp_http_server *s, int stop_fd, struct rp_error *err)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};
	bool stop = false;

	if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, stop_fd, &ev) != 0)
		return rp_fail_sys(err, RP_ERR_IO, errno, "epoll_ctl");
	refresh_clock(s);
	while (!stop && !is_finished(s)) {
		if (!turn(s, &stop))
			return rp_fail_sys(err, RP_ERR_IO, errno, "the receiver's sockets fail");
		if (s->service->failed != RP_OK) {
			*err = s->service->err;
			return s->service->failed;
		}
	}
	return RP_OK;
}

void rp_http_server_free(struct rp_http_server *s)
{
	if (s == NULL)
		return;
	while (s->conns != NULL)
		drop_conn(s, s->conns);
	if (s->epoll_fd >= 0)
		close(s->epoll_fd);
	free(s);
}
