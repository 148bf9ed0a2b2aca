/* connection.c - drives one connection as bytes and events come. It never waits, so one slow sender
 * holds up no other. */

#include "http_server/connection_int.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"

#define READ_BYTES 16383   /* with the buffer's NUL a power of two */
#define READ_ROOM_MIN 4096 /* less free room than this makes the buffer grow */
/* a buffer that grew beyond this is given back once it is empty */
#define KEPT_IN_BYTES (256 << 10)
/* pipelined requests are answered in batches of about this size */
#define OUT_BATCH_BYTES (64 << 10)
#define DRAIN_MS 2000

struct rp_http_connection *rp_http_connection_new(int fd, struct rp_http_service *service)
{
	struct rp_http_connection *c = calloc(1, sizeof *c + service->handler->own_bytes);

	if (c == NULL)
		return NULL;
	c->fd = fd;
	c->service = service;
	c->hungry = true;
	/* a whole request and as much read ahead */
	c->in.max = 2 * (service->max_body + RP_HTTP_REQUEST_HEAD_MAX + READ_BYTES);
	return c;
}

void rp_http_connection_free(struct rp_http_connection *c)
{
	close(c->fd);
	rp_buf_release(&c->in);
	rp_buf_release(&c->out);
	free(c);
}

void *rp_http_connection_own(struct rp_http_connection *c)
{
	return c->own;
}

void rp_http_connection_wake_at(struct rp_http_connection *c, int64_t at_ms)
{
	assert(at_ms > 0);
	c->wake_at_ms = at_ms;
}

static bool is_sending(const struct rp_http_connection *c)
{
	return c->sent < c->out.len || (c->state == RP_HTTP_CONNECTION_RAW && !c->source_waits);
}

/* The answer to the request at hand is complete. */
static void finish_request(struct rp_http_connection *c)
{
	c->state = RP_HTTP_CONNECTION_READING;
	if (!c->request.keep_alive)
		c->ending = RP_HTTP_THEN_DRAIN;
}

void rp_http_connection_answer(struct rp_http_connection *c,
			       const struct rp_http_response *response)
{
	assert(c->state == RP_HTTP_CONNECTION_HELD);
	finish_request(c);
	c->wake_at_ms = 0;
	if (!rp_http_response_add(response, &c->request, &c->out))
		c->ending = RP_HTTP_THEN_RESET;
}

void rp_http_raw_begin(struct rp_http_connection *c, rp_http_raw_source *source)
{
	assert(c->state == RP_HTTP_CONNECTION_HELD);
	c->state = RP_HTTP_CONNECTION_RAW;
	c->source = source;
	c->source_waits = false;
	c->wake_at_ms = 0;
}

static void drop_taken(struct rp_http_connection *c, size_t taken)
{
	c->in.len -= taken;
	memmove(c->in.data, c->in.data + taken, c->in.len);
	if (c->in.len == 0 && c->in.cap > KEPT_IN_BYTES)
		rp_buf_release(&c->in);
}

static bool may_take(const struct rp_http_connection *c)
{
	return c->state == RP_HTTP_CONNECTION_READING && c->ending == RP_HTTP_GO_ON &&
	       c->out.len < OUT_BATCH_BYTES && !c->service->stopping && c->service->failed == RP_OK;
}

/* Takes the requests that have arrived, until one has to wait or there is enough to send. */
static void take_requests(struct rp_http_connection *c)
{
	const struct rp_http_service *service = c->service;
	const struct rp_http_bounds bounds = {RP_HTTP_REQUEST_HEAD_MAX, service->max_body};
	enum rp_http_progress progress;
	size_t start = 0;

	c->hungry = false;
	while (may_take(c)) {
		if (c->request.phase == RP_HTTP_AT_END)
			rp_http_request_begin(&c->request);
		progress = rp_http_request_parse(&c->request, &c->in, start, &bounds);
		c->hungry = progress == RP_HTTP_MORE;
		if (c->hungry)
			break;
		c->state = RP_HTTP_CONNECTION_HELD;
		start += c->request.used;
		if (progress == RP_HTTP_DONE)
			service->handler->take(service->context, c, &c->request);
		else
			service->handler->refuse(service->context, c, &c->request);
	}
	if (c->hungry && c->request.wants_continue) {
		c->request.wants_continue = false;
		if (!rp_buf_add_text(&c->out, "HTTP/1.1 100 Continue\r\n\r\n"))
			c->ending = RP_HTTP_THEN_RESET;
	}
	if (start > 0)
		drop_taken(c, start);
	service->handler->flush(service->context);
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

/* false: the connection is gone. */
static bool send_out(struct rp_http_connection *c)
{
	ssize_t n;

	while (is_sending(c)) {
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
	rp_buf_clear(&c->out);
	c->sent = 0;
	return true;
}

static bool end_connection(struct rp_http_connection *c)
{
	struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	if (c->ending == RP_HTTP_THEN_RESET)
		/* else it is closed: as good */
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	if (c->ending != RP_HTTP_THEN_DRAIN || shutdown(c->fd, SHUT_WR) != 0)
		return false;
	c->state = RP_HTTP_CONNECTION_DRAINING;
	c->wake_at_ms = c->service->boot_ms + DRAIN_MS;
	return true;
}

static bool advance(struct rp_http_connection *c)
{
	do {
		take_requests(c);
		if (c->service->failed != RP_OK)
			return true; /* nothing unreported is answered */
		if (!send_out(c))
			return false;
		if (is_sending(c))
			return true;
		if (c->ending != RP_HTTP_GO_ON)
			return end_connection(c);
	} while (c->state == RP_HTTP_CONNECTION_READING && !c->hungry && !c->service->stopping);
	return true;
}

/* 1: bytes came, 0: none now, -1: the peer is done. */
static int read_some(struct rp_http_connection *c)
{
	struct rp_buf *in = &c->in;
	ssize_t n;

	if (in->cap < in->len + 1 + READ_ROOM_MIN && !rp_buf_reserve(in, READ_BYTES))
		return -1;
	n = recv(c->fd, in->data + in->len, in->cap - in->len - 1, 0);
	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) ? 0
											    : -1;
	in->len += (size_t)n;
	in->data[in->len] = '\0';
	return 1;
}

bool rp_http_connection_event(struct rp_http_connection *c, uint32_t events)
{
	int got;

	if ((events & (EPOLLERR | EPOLLHUP)) != 0)
		return false;
	if ((events & EPOLLRDHUP) != 0 && c->state == RP_HTTP_CONNECTION_RAW && c->source_waits)
		return false;
	if (is_sending(c))
		return advance(c);
	if ((events & EPOLLIN) == 0)
		return true;
	got = read_some(c);
	if (got <= 0)
		return got == 0;
	if (c->state != RP_HTTP_CONNECTION_DRAINING)
		return advance(c);
	rp_buf_clear(&c->in);
	return true;
}

bool rp_http_connection_wake(struct rp_http_connection *c)
{
	c->wake_at_ms = 0;
	if (c->state == RP_HTTP_CONNECTION_DRAINING)
		return false;
	if (c->state == RP_HTTP_CONNECTION_HELD)
		c->service->handler->wake(c->service->context, c);
	c->source_waits = false;
	return advance(c);
}

uint32_t rp_http_connection_interest(const struct rp_http_connection *c)
{
	if (is_sending(c))
		return EPOLLOUT;
	if (c->state == RP_HTTP_CONNECTION_RAW)
		return EPOLLRDHUP;
	if (c->state == RP_HTTP_CONNECTION_HELD || c->service->stopping)
		return 0;
	return EPOLLIN;
}

bool rp_http_connection_owes_answer(const struct rp_http_connection *c)
{
	return c->state == RP_HTTP_CONNECTION_HELD || is_sending(c);
}
