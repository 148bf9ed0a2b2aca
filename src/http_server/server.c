/* server.c - runs the event loop: listeners, connections, timers, and the program's descriptors. A
 * connection's own state is in connection.c, the way in is in server_accept.c. */

#include "http_server/server.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "http_server/server_int.h"

#define EVENTS_MAX 256
#define SLEEP_MAX_MS 60000

static bool add_entrances(struct rp_http_server *s, const struct rp_http_listener *listeners,
			  size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		struct rp_http_entrance *e = &s->entrances[i];
		struct epoll_event ev = {.events = EPOLLIN, .data.ptr = e};

		*e = (struct rp_http_entrance){.subject = RP_HTTP_A_LISTENER,
					       .fd = listeners[i].fd,
					       .index = i,
					       .is_unix = listeners[i].is_unix,
					       .armed = true};
		if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, e->fd, &ev) != 0)
			return false;
		s->n_entrances++;
	}
	return true;
}

enum rp_err rp_http_server_new(struct rp_http_service *service,
			       const struct rp_http_listener *listeners, size_t n,
			       struct rp_http_server **out, struct rp_error *err)
{
	struct rp_http_server *s = calloc(1, sizeof *s);
	enum rp_err code = RP_OK;

	*out = NULL;
	if (s == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	s->service = service;
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	s->entrances = calloc(n, sizeof *s->entrances);
	if (s->epoll_fd < 0)
		code = rp_fail_sys(err, RP_ERR_IO, errno, "epoll_create1");
	else if (s->entrances == NULL)
		code = rp_fail(err, RP_ERR_NOMEM, "out of memory");
	else if (!add_entrances(s, listeners, n))
		code = rp_fail_sys(err, RP_ERR_IO, errno, "epoll_ctl");
	if (code != RP_OK) {
		rp_http_server_free(s);
		return code;
	}
	*out = s;
	return RP_OK;
}

enum rp_err rp_http_server_watch(struct rp_http_server *s, int fd, void (*ready)(void *context),
				 struct rp_error *err)
{
	struct rp_http_watched *w = calloc(1, sizeof *w);
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = w};

	if (w == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	w->subject = RP_HTTP_A_WATCHED;
	w->ready = ready;
	w->next = s->watched;
	s->watched = w;
	if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &ev) != 0)
		return rp_fail_sys(err, RP_ERR_IO, errno, "epoll_ctl");
	return RP_OK;
}

void rp_http_server_tick_at(struct rp_http_server *s, int64_t at_ms)
{
	s->tick_at_ms = at_ms;
}

/* The sooner of two times, of which 0 is never. */
static int64_t sooner(int64_t a_ms, int64_t b_ms)
{
	return a_ms == 0 || (b_ms != 0 && b_ms < a_ms) ? b_ms : a_ms;
}

static int wait_ms(const struct rp_http_server *s, int most_ms)
{
	const struct rp_http_timer *first = rp_http_timers_first(&s->timers);
	int64_t at_ms = sooner(s->tick_at_ms, s->accept_at_ms), ms;

	if (s->service->peeks || s->service->pending.first != NULL)
		return 0;
	if (first != NULL)
		at_ms = sooner(at_ms, first->at_ms);
	if (s->draining)
		at_ms = sooner(at_ms, s->service->drain_until_ms);
	if (at_ms == 0)
		return most_ms;
	ms = at_ms - s->service->boot_ms;
	ms = ms <= 0 ? 0 : ms > SLEEP_MAX_MS ? SLEEP_MAX_MS : ms;
	return most_ms >= 0 && most_ms < ms ? most_ms : (int)ms;
}

static struct rp_http_connection *timed(struct rp_http_timer *timer)
{
	return (void *)((char *)timer - offsetof(struct rp_http_connection, timer));
}

static bool wake_due(struct rp_http_server *s)
{
	struct rp_http_service *service = s->service;
	struct rp_http_timer *first;
	bool ok = true;

	while (ok && (first = rp_http_timers_first(&s->timers)) != NULL &&
	       first->at_ms <= service->boot_ms) {
		struct rp_http_connection *c = timed(first);
		int64_t due_ms = rp_http_connection_due(c);

		rp_http_timers_set(&s->timers, first, 0);
		ok = rp_http_server_settle(
		    s, c, due_ms == 0 || due_ms > service->boot_ms || rp_http_connection_wake(c));
	}
	if (s->accept_at_ms != 0 && s->accept_at_ms <= service->boot_ms)
		ok = ok && rp_http_server_arm(s, true);
	if (s->tick_at_ms != 0 && s->tick_at_ms <= service->boot_ms) {
		s->tick_at_ms = 0;
		if (service->handler->tick != NULL)
			service->handler->tick(service->context);
	}
	return ok;
}

static bool resume_pending(struct rp_http_server *s)
{
	struct rp_http_link *first;

	while ((first = s->service->pending.first) != NULL) {
		struct rp_http_connection *c =
		    (void *)((char *)first - offsetof(struct rp_http_connection, pending));

		if (!rp_http_server_settle(s, c, rp_http_connection_resume(c)))
			return false;
	}
	return true;
}

/* What is answered in `turned` goes on in the next turn, which does not wait: else one who asks
 * without end would keep all others from being heard. */
static bool finish_turn(struct rp_http_server *s)
{
	struct rp_http_service *service = s->service;

	if (!resume_pending(s))
		return false;
	if (service->handler->turned != NULL)
		service->handler->turned(service->context);
	return true;
}

/* Nobody comes any more; who is silent is given a moment. */
static bool begin_to_drain(struct rp_http_server *s)
{
	struct rp_http_connection *c;

	s->draining = true;
	if (!rp_http_server_arm(s, false))
		return false;
	for (c = s->conns; c != NULL; c = c->next) {
		rp_http_connection_set_limit(c);
		rp_http_server_settle_timer(s, c);
	}
	return true;
}

static void refresh_clock(struct rp_http_server *s)
{
	const struct rp_sys *sys = s->service->sys != NULL ? s->service->sys : &rp_sys_real;

	s->service->wall_ms = rp_sys_wall_ms(sys);
	s->service->boot_ms = rp_sys_boot_ms(sys);
}

/* Newcomers come last: they may cost others their place, and nobody's event is to be lost. */
static bool take_event(struct rp_http_server *s, const struct epoll_event *ev)
{
	enum rp_http_subject *subject = ev->data.ptr;

	if (*subject == RP_HTTP_A_LISTENER) {
		((struct rp_http_entrance *)ev->data.ptr)->called = true;
	} else if (*subject == RP_HTTP_A_WATCHED) {
		const struct rp_http_watched *w = ev->data.ptr;

		s->stop = s->stop || w->ready == NULL;
		if (w->ready != NULL)
			w->ready(s->service->context);
	} else {
		struct rp_http_connection *c = ev->data.ptr;

		c->untimely = rp_http_connection_interest(c) == 0;
		return rp_http_server_settle(s, c, rp_http_connection_event(c, ev->events));
	}
	return true;
}

bool rp_http_server_turn(struct rp_http_server *s, int most_ms)
{
	struct epoll_event events[EVENTS_MAX];
	int n = epoll_wait(s->epoll_fd, events, EVENTS_MAX, wait_ms(s, most_ms)), i;
	bool ok = n >= 0 || errno == EINTR;

	s->service->peeks = false;
	refresh_clock(s);
	for (i = 0; i < n && ok; i++)
		ok = take_event(s, &events[i]);
	if (s->service->draining && !s->draining)
		ok = ok && begin_to_drain(s);
	return ok && rp_http_server_accept(s) && wake_due(s) && finish_turn(s);
}

static bool is_finished(const struct rp_http_server *s)
{
	const struct rp_http_service *service = s->service;
	const struct rp_http_connection *c;

	if (s->draining && (s->n_conns == 0 || (service->drain_until_ms != 0 &&
						service->drain_until_ms <= service->boot_ms)))
		return true;
	if (!service->stopping)
		return false;
	for (c = s->conns; c != NULL; c = c->next)
		if (rp_http_connection_owes_answer(c))
			return false;
	return true;
}

size_t rp_http_server_connections(const struct rp_http_server *s)
{
	return s->n_conns;
}

enum rp_err rp_http_server_run(struct rp_http_server *s, int stop_fd, struct rp_error *err)
{
	enum rp_err code = RP_OK;

	if (stop_fd >= 0)
		code = rp_http_server_watch(s, stop_fd, NULL, err);
	if (code != RP_OK)
		return code;
	refresh_clock(s);
	while (!s->stop && !is_finished(s)) {
		if (!rp_http_server_turn(s, -1))
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
		rp_http_server_drop(s, s->conns);
	while (s->watched != NULL) {
		struct rp_http_watched *w = s->watched;

		s->watched = w->next;
		free(w);
	}
	if (s->epoll_fd >= 0)
		close(s->epoll_fd);
	rp_http_timers_release(&s->timers);
	free(s->entrances);
	free(s);
}
