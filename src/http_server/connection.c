/* connection.c - drives one connection as bytes, events and times come. It never waits, so one slow
 * peer holds up no other. */

#include "http_server/connection_int.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"

/* a buffer of answers that grew beyond this is given back once it is empty */
#define KEPT_OUT_BYTES (256 << 10)
#define LINGER_MS 2000

struct rp_http_connection *rp_http_connection_new(int fd, struct rp_http_service *service)
{
	struct rp_http_connection *c = calloc(1, sizeof *c + service->handler->own_bytes);

	if (c == NULL)
		return NULL;
	c->subject = RP_HTTP_A_CONNECTION;
	c->fd = fd;
	c->service = service;
	c->hungry = true;
	c->born_ms = service->boot_ms;
	rp_http_connection_set_bounds(c);
	rp_http_connection_set_limit(c);
	return c;
}

void rp_http_connection_free(struct rp_http_connection *c)
{
	const struct rp_http_service *service = c->service;

	if (c->state == RP_HTTP_CONNECTION_HELD && service->handler->gone != NULL)
		service->handler->gone(service->context, c);
	if (service->handler->closed != NULL)
		service->handler->closed(service->context, c);
	rp_http_list_leave(&c->pending);
	rp_http_bodies_release(c);
	close(c->fd);
	rp_buf_release(&c->in);
	rp_buf_release(&c->out);
	free(c);
}

void *rp_http_connection_own(struct rp_http_connection *c)
{
	return c->own;
}

int rp_http_connection_fd(const struct rp_http_connection *c)
{
	return c->fd;
}

size_t rp_http_connection_listener(const struct rp_http_connection *c)
{
	return c->listener;
}

void rp_http_connection_wake_at(struct rp_http_connection *c, int64_t at_ms)
{
	assert(at_ms > 0);
	c->wake_at_ms = at_ms;
}

/* The answer to the request at hand is complete. */
static void finish_request(struct rp_http_connection *c)
{
	c->state = RP_HTTP_CONNECTION_READING;
	c->has_asked = true;
	c->stage = RP_HTTP_STAGE_NONE;
	rp_http_bodies_release(c);
	if (!c->request.keep_alive)
		c->ending = RP_HTTP_THEN_DRAIN;
}

/* Whether this answer is the last one here. Who drains still answers what has come behind it. */
static bool is_last(const struct rp_http_connection *c)
{
	return c->cut_short || (c->service->draining && c->in.len <= c->start);
}

static int64_t told_ms(const struct rp_http_connection *c)
{
	const struct rp_http_limits *limits = &c->service->limits;

	return limits->told_ms > 0 ? limits->told_ms : limits->idle_ms;
}

void rp_http_connection_answer(struct rp_http_connection *c,
			       const struct rp_http_response *response)
{
	assert(c->state == RP_HTTP_CONNECTION_HELD);
	if (is_last(c))
		c->request.keep_alive = false;
	finish_request(c);
	c->wake_at_ms = 0;
	if (!rp_http_response_add(response, &c->request, told_ms(c), &c->out))
		c->ending = RP_HTTP_THEN_RESET;
	rp_http_list_join(&c->service->pending, &c->pending);
}

void rp_http_raw_begin(struct rp_http_connection *c, rp_http_raw_source *source)
{
	assert(c->state == RP_HTTP_CONNECTION_HELD);
	c->state = RP_HTTP_CONNECTION_RAW;
	c->source = source;
	c->source_waits = false;
	c->wake_at_ms = 0;
	rp_http_list_join(&c->service->pending, &c->pending);
}

/* Asks the source for what goes out next. */
static void refill(struct rp_http_connection *c)
{
	enum rp_http_raw_next next;

	rp_buf_clear(&c->out);
	c->sent = 0;
	next = c->source(c->service->context, c, &c->out);
	c->source_waits = next == RP_HTTP_RAW_WAIT;
	if (next == RP_HTTP_RAW_MORE || next == RP_HTTP_RAW_WAIT)
		return;
	finish_request(c);
	if (next != RP_HTTP_RAW_DONE)
		c->ending = next == RP_HTTP_RAW_CLOSE ? RP_HTTP_THEN_CLOSE : RP_HTTP_THEN_RESET;
}

static void clear_out(struct rp_http_connection *c)
{
	rp_buf_clear(&c->out);
	c->sent = 0;
	if (c->out.cap > KEPT_OUT_BYTES)
		rp_buf_release(&c->out);
	if (c->stage == RP_HTTP_STAGE_SENDING)
		c->stage = RP_HTTP_STAGE_NONE;
}

/* false: the connection is gone. */
static bool send_out(struct rp_http_connection *c)
{
	ssize_t n;

	while (rp_http_connection_is_sending(c)) {
		if (c->sent == c->out.len) {
			refill(c);
			continue;
		}
		n = send(c->fd, c->out.data + c->sent, c->out.len - c->sent, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK;
		c->sent += (size_t)n;
	}
	clear_out(c);
	return true;
}

bool rp_http_connection_flush(struct rp_http_connection *c)
{
	ssize_t n;

	if (c->state == RP_HTTP_CONNECTION_RAW)
		return false;
	while (c->sent < c->out.len) {
		n = send(c->fd, c->out.data + c->sent, c->out.len - c->sent, MSG_NOSIGNAL);
		if (n >= 0)
			c->sent += (size_t)n;
		else if (errno == EAGAIN || errno == EWOULDBLOCK)
			return true;
		else if (errno != EINTR)
			break;
	}
	clear_out(c);
	return false;
}

void rp_http_connection_reset_at_close(struct rp_http_connection *c)
{
	struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	/* else it is closed: as good */
	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

static bool end_connection(struct rp_http_connection *c)
{
	if (c->ending == RP_HTTP_THEN_RESET)
		rp_http_connection_reset_at_close(c);
	if (c->ending != RP_HTTP_THEN_DRAIN || shutdown(c->fd, SHUT_WR) != 0)
		return false;
	c->state = RP_HTTP_CONNECTION_DRAINING;
	c->wake_at_ms = c->service->boot_ms + LINGER_MS;
	rp_buf_release(&c->in);
	rp_buf_release(&c->out);
	return true;
}

static bool go_on(struct rp_http_connection *c)
{
	do {
		rp_http_connection_take_requests(c);
		if (c->service->failed != RP_OK)
			return true; /* nothing unreported is answered */
		if (!send_out(c))
			return false;
		if (rp_http_connection_is_sending(c))
			return true;
		if (c->ending != RP_HTTP_GO_ON)
			return end_connection(c);
	} while (c->state == RP_HTTP_CONNECTION_READING && !c->hungry && !c->service->stopping);
	return true;
}

static bool advance(struct rp_http_connection *c)
{
	bool alive = go_on(c);

	rp_http_list_leave(&c->pending);
	rp_http_connection_set_limit(c);
	return alive;
}

static bool hear(struct rp_http_connection *c)
{
	int got = rp_http_connection_read(c);

	if (got <= 0)
		return got == 0;
	if (c->state != RP_HTTP_CONNECTION_DRAINING)
		return advance(c);
	rp_buf_clear(&c->in);
	return true;
}

bool rp_http_connection_event(struct rp_http_connection *c, uint32_t events)
{
	bool reads = (events & EPOLLIN) != 0 && rp_http_connection_interest(c) == EPOLLIN;

	/* What a peer said before it hung up is heard first. */
	if ((events & EPOLLERR) != 0 || ((events & EPOLLHUP) != 0 && !reads))
		return false;
	if ((events & EPOLLRDHUP) != 0 && c->state == RP_HTTP_CONNECTION_RAW && c->source_waits)
		return false;
	if (rp_http_connection_is_sending(c))
		return advance(c);
	/* told before it was answered or had to wait: it is told again when it is to be read */
	return !reads || hear(c);
}

bool rp_http_connection_resume(struct rp_http_connection *c)
{
	rp_http_list_leave(&c->pending);
	return advance(c);
}

bool rp_http_connection_turn_away(struct rp_http_connection *c, int status, const char *text)
{
	rp_http_connection_refuse(c, status, text);
	return advance(c);
}

bool rp_http_connection_has_unread(const struct rp_http_connection *c)
{
	char byte;

	return recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* The peer took longer than it may. */
static bool limit_is_over(struct rp_http_connection *c)
{
	switch (c->stage) {
	case RP_HTTP_STAGE_HEAD:
		return rp_http_connection_turn_away(c, 408, "the head took too long to come");
	case RP_HTTP_STAGE_BODY:
		return rp_http_connection_turn_away(c, 408, "the body came too slowly");
	case RP_HTTP_STAGE_ROOM:
		return rp_http_connection_turn_away(
		    c, 503, "there is no room for this body beside the others at hand");
	case RP_HTTP_STAGE_SENDING:
		rp_http_connection_reset_at_close(c);
		return false;
	case RP_HTTP_STAGE_FRESH:
	case RP_HTTP_STAGE_IDLE:
	case RP_HTTP_STAGE_NONE:
		break;
	}
	/* what has come at the last moment is still answered */
	return rp_http_connection_has_unread(c) && hear(c);
}

bool rp_http_connection_wake(struct rp_http_connection *c)
{
	int64_t now = c->service->boot_ms;

	if (c->limit_at_ms != 0 && c->limit_at_ms <= now)
		return limit_is_over(c);
	if (c->wake_at_ms == 0 || c->wake_at_ms > now)
		return true;
	c->wake_at_ms = 0;
	if (c->state == RP_HTTP_CONNECTION_DRAINING)
		return false;
	if (c->state == RP_HTTP_CONNECTION_HELD && c->service->handler->wake != NULL)
		c->service->handler->wake(c->service->context, c);
	c->source_waits = false;
	return advance(c);
}

uint32_t rp_http_connection_interest(const struct rp_http_connection *c)
{
	if (rp_http_connection_is_sending(c))
		return EPOLLOUT;
	if (c->state == RP_HTTP_CONNECTION_RAW)
		return EPOLLRDHUP;
	if (c->state == RP_HTTP_CONNECTION_HELD || c->service->stopping || c->waiting.in != NULL)
		return 0;
	return EPOLLIN;
}

int64_t rp_http_connection_due(const struct rp_http_connection *c)
{
	if (c->wake_at_ms == 0 || (c->limit_at_ms != 0 && c->limit_at_ms < c->wake_at_ms))
		return c->limit_at_ms;
	return c->wake_at_ms;
}

bool rp_http_connection_owes_answer(const struct rp_http_connection *c)
{
	return c->state == RP_HTTP_CONNECTION_HELD || rp_http_connection_is_sending(c);
}
