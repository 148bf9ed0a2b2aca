/* server.c - runs the event loop: listener, connections, timers. A connection's own state is in
 * conn.c. */

#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/sys.h"
#include "conn.h"

#define BACKLOG 4096
#define EVENTS_MAX 256
#define ACCEPTS_A_TURN 64
#define SPARE_FDS 32 /* for the record, the bodies and the standard streams */

struct rp_sink_server {
	int epoll_fd, listen_fd;
	char url[RP_SINK_URL_MAX];
	struct rp_sink_desk *desk;
	struct rp_sink_conn *conns;                    /* all of them, through next */
	struct rp_sink_conn *timer_first, *timer_last; /* those with a wake_at_ms, soonest first */
	size_t n_conns, max_conns;
	bool listening; /* the listener is armed */
};

static bool parse_address(const char *addr, uint16_t port, struct sockaddr_storage *out,
			  socklen_t *len)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

	memset(out, 0, sizeof *out);
	if (inet_pton(AF_INET, addr, &v4.sin_addr) == 1) {
		memcpy(out, &v4, *len = sizeof v4);
		return true;
	}
	if (inet_pton(AF_INET6, addr, &v6.sin6_addr) == 1) {
		memcpy(out, &v6, *len = sizeof v6);
		return true;
	}
	return false;
}

static enum rp_err fail_listen(const char *addr, uint16_t port, struct rp_error *err)
{
	if (errno == EADDRINUSE)
		return rp_fail(err, RP_ERR_IO,
			       "port %u of %s is in use by another program; choose another one, or "
			       "--port 0 for any free one",
			       port, addr);
	return rp_fail_sys(err, RP_ERR_IO, errno, "cannot listen on port %u of %s", port, addr);
}

static enum rp_err listen_on(struct rp_sink_server *s, const char *addr, uint16_t port,
			     struct rp_error *err)
{
	struct sockaddr_storage at;
	socklen_t len = 0;
	int one = 1;

	if (!parse_address(addr, port, &at, &len))
		return rp_fail(err, RP_ERR_INVAL,
			       "--bind wants an IPv4 or IPv6 address such as 127.0.0.1, not \"%s\"",
			       addr);
	s->listen_fd = socket(at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->listen_fd < 0 ||
	    setsockopt(s->listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
	    bind(s->listen_fd, (struct sockaddr *)&at, len) != 0 ||
	    listen(s->listen_fd, BACKLOG) != 0)
		return fail_listen(addr, port, err);
	len = sizeof at;
	if (getsockname(s->listen_fd, (struct sockaddr *)&at, &len) != 0)
		return rp_fail_sys(err, RP_ERR_IO, errno, "getsockname");
	if (at.ss_family == AF_INET6)
		snprintf(s->url, sizeof s->url, "http://[%s]:%u", addr,
			 ntohs(((struct sockaddr_in6 *)&at)->sin6_port));
	else
		snprintf(s->url, sizeof s->url, "http://%s:%u", addr,
			 ntohs(((struct sockaddr_in *)&at)->sin_port));
	return RP_OK;
}

static bool arm_listener(struct rp_sink_server *s, bool on)
{
	struct epoll_event ev = {.events = on ? EPOLLIN : 0, .data.ptr = s};

	s->listening = on;
	return epoll_ctl(s->epoll_fd, EPOLL_CTL_MOD, s->listen_fd, &ev) == 0;
}

/* A bench opens thousands of connections; the usual soft limit of 1024 is for select. */
static size_t raise_fd_limit(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) != 0)
		return 1024 - SPARE_FDS;
	if (lim.rlim_cur < lim.rlim_max) {
		lim.rlim_cur = lim.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &lim) != 0)
			getrlimit(RLIMIT_NOFILE, &lim);
	}
	return lim.rlim_cur > 65536           ? 65536
	       : lim.rlim_cur > 2 * SPARE_FDS ? lim.rlim_cur - SPARE_FDS
					      : SPARE_FDS;
}

enum rp_err rp_sink_server_new(const char *addr, uint16_t port, struct rp_sink_desk *desk,
			       struct rp_sink_server **out, struct rp_error *err)
{
	struct rp_sink_server *s = calloc(1, sizeof *s);
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = s};
	enum rp_err code;

	*out = NULL;
	if (s == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	s->desk = desk;
	s->max_conns = raise_fd_limit();
	s->listening = true;
	s->listen_fd = -1;
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	code = s->epoll_fd < 0 ? rp_fail_sys(err, RP_ERR_IO, errno, "epoll_create1")
			       : listen_on(s, addr, port, err);
	if (code == RP_OK && epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->listen_fd, &ev) != 0)
		code = rp_fail_sys(err, RP_ERR_IO, errno, "epoll_ctl");
	if (code != RP_OK) {
		rp_sink_server_free(s);
		return code;
	}
	*out = s;
	return RP_OK;
}

const char *rp_sink_server_url(const struct rp_sink_server *server)
{
	return server->url;
}

static void unlink_timer(struct rp_sink_server *s, struct rp_sink_conn *c)
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
static void link_timer(struct rp_sink_server *s, struct rp_sink_conn *c)
{
	struct rp_sink_conn *before = s->timer_last;

	while (before != NULL && before->timed_at_ms > c->wake_at_ms)
		before = before->timer_prev;
	c->timed_at_ms = c->wake_at_ms;
	c->timer_prev = before;
	c->timer_next = before != NULL ? before->timer_next : s->timer_first;
	*(c->timer_prev != NULL ? &c->timer_prev->timer_next : &s->timer_first) = c;
	*(c->timer_next != NULL ? &c->timer_next->timer_prev : &s->timer_last) = c;
}

static void drop_conn(struct rp_sink_server *s, struct rp_sink_conn *c)
{
	unlink_timer(s, c);
	*(c->prev != NULL ? &c->prev->next : &s->conns) = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	rp_sink_conn_free(c);
	s->n_conns--;
}

/* After something happened to a connection: its timer, its epoll interest, or its end. */
static bool settle_conn(struct rp_sink_server *s, struct rp_sink_conn *c, bool alive)
{
	struct epoll_event ev = {.data.ptr = c};

	if (!alive) {
		drop_conn(s, c);
		return s->listening || s->n_conns >= s->max_conns || arm_listener(s, true);
	}
	if (c->timed_at_ms != c->wake_at_ms) {
		unlink_timer(s, c);
		if (c->wake_at_ms != 0)
			link_timer(s, c);
	}
	ev.events = rp_sink_conn_interest(c, s->desk);
	if (ev.events == c->armed)
		return true;
	c->armed = ev.events;
	return epoll_ctl(s->epoll_fd, EPOLL_CTL_MOD, c->fd, &ev) == 0;
}

static bool add_conn(struct rp_sink_server *s, int fd)
{
	struct rp_sink_conn *c = rp_sink_conn_new(fd, s->desk->max_body);
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
static bool accept_some(struct rp_sink_server *s)
{
	int i, fd;

	for (i = 0; i < ACCEPTS_A_TURN; i++) {
		if (s->n_conns >= s->max_conns)
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

static int wait_ms(const struct rp_sink_server *s)
{
	int64_t ms;

	if (s->timer_first == NULL)
		return -1;
	ms = s->timer_first->timed_at_ms - s->desk->boot_ms;
	return ms <= 0 ? 0 : ms > 60000 ? 60000 : (int)ms;
}

static bool wake_due(struct rp_sink_server *s)
{
	struct rp_sink_conn *c;

	while ((c = s->timer_first) != NULL && c->timed_at_ms <= s->desk->boot_ms) {
		unlink_timer(s, c);
		if (!settle_conn(s, c, rp_sink_conn_wake(c, s->desk)))
			return false;
	}
	return true;
}

static bool is_finished(const struct rp_sink_server *s)
{
	const struct rp_sink_conn *c;

	if (!s->desk->stopping)
		return false;
	for (c = s->conns; c != NULL; c = c->next)
		if (rp_sink_conn_owes_answer(c))
			return false;
	return true;
}

static void refresh_clock(struct rp_sink_server *s)
{
	s->desk->wall_ms = rp_sys_wall_ms(&rp_sys_real);
	s->desk->boot_ms = rp_sys_boot_ms(&rp_sys_real);
}

/* false: errno tells what the system refused. *stop: the stop descriptor spoke. */
static bool turn(struct rp_sink_server *s, bool *stop)
{
	struct epoll_event events[EVENTS_MAX];
	int n = epoll_wait(s->epoll_fd, events, EVENTS_MAX, wait_ms(s)), i;
	bool ok = n >= 0 || errno == EINTR;

	refresh_clock(s);
	for (i = 0; i < n && ok; i++) {
		struct rp_sink_conn *c = events[i].data.ptr;

		if (c == NULL)
			*stop = true;
		else if (events[i].data.ptr == (void *)s)
			ok = accept_some(s);
		else
			ok = settle_conn(s, c, rp_sink_conn_event(c, s->desk, events[i].events));
	}
	return ok && wake_due(s);
}

enum rp_err rp_sink_server_run(struct rp_sink_server *s, int stop_fd, struct rp_error *err)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};
	bool stop = false;

	if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, stop_fd, &ev) != 0)
		return rp_fail_sys(err, RP_ERR_IO, errno, "epoll_ctl");
	refresh_clock(s);
	while (!stop && !is_finished(s)) {
		if (!turn(s, &stop))
			return rp_fail_sys(err, RP_ERR_IO, errno, "the receiver's sockets fail");
		if (s->desk->failed != RP_OK) {
			*err = s->desk->err;
			return s->desk->failed;
		}
	}
	return RP_OK;
}

void rp_sink_server_free(struct rp_sink_server *s)
{
	if (s == NULL)
		return;
	while (s->conns != NULL)
		drop_conn(s, s->conns);
	if (s->listen_fd >= 0)
		close(s->listen_fd);
	if (s->epoll_fd >= 0)
		close(s->epoll_fd);
	free(s);
}
