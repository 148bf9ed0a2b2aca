/* connection_read.c - reads what a peer says, and takes the requests in it: shows heads, makes room
 * for bodies, hands whole requests to the program. */

#include "http_server/connection_int.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/assert.h"

#define READ_ROOM_MIN 4096 /* less free room than this makes the buffer grow */
/* a buffer that grew beyond this is given back once it is empty; where bodies are bounded it is
 * given back sooner, since nobody counts it then */
#define KEPT_IN_BYTES (256 << 10)
/* pipelined requests are answered in batches of about this size */
#define OUT_BATCH_BYTES (64 << 10)
#define SMALL_BODY_BYTES RP_HTTP_READ_BYTES /* is copied where it could be moved */

static size_t kept_in_bytes(const struct rp_http_connection *c)
{
	return c->service->limits.bodies_bytes > 0 ? RP_HTTP_READ_BYTES + 1 : KEPT_IN_BYTES;
}

/* A buffer that grew for a body is not kept for the little that came behind it. */
static void shrink_in(struct rp_http_connection *c)
{
	struct rp_buf small = {.max = c->in.max};

	if (c->in.cap <= kept_in_bytes(c) || c->in.len > RP_HTTP_READ_BYTES / 2)
		return;
	if (c->in.len > 0 && !rp_buf_add(&small, c->in.data, c->in.len))
		return;
	rp_buf_release(&c->in);
	c->in = small;
}

static void drop_taken(struct rp_http_connection *c)
{
	c->in.len -= c->start;
	memmove(c->in.data, c->in.data + c->start, c->in.len);
	c->start = 0;
	shrink_in(c);
}

static bool may_take(const struct rp_http_connection *c)
{
	return c->state == RP_HTTP_CONNECTION_READING && c->ending == RP_HTTP_GO_ON &&
	       c->out.len < OUT_BATCH_BYTES && !c->service->stopping && c->service->failed == RP_OK;
}

void rp_http_connection_set_bounds(struct rp_http_connection *c)
{
	const struct rp_http_service *service = c->service;
	size_t head_bytes = service->limits.head_bytes, most;

	c->bounds.head_bytes = head_bytes > 0 ? head_bytes : RP_HTTP_REQUEST_HEAD_MAX;
	c->bounds.body_bytes = service->max_body;
	/* a whole request and as much read ahead */
	most = 2 * (c->bounds.body_bytes + RP_HTTP_REQUEST_HEAD_MAX + RP_HTTP_READ_BYTES);
	/* what was read ahead under larger bounds stays */
	c->in.max = most > c->in.cap ? most : c->in.cap;
}

static enum rp_http_progress parse(struct rp_http_connection *c)
{
	if (c->request.phase == RP_HTTP_AT_END) {
		rp_http_request_begin(&c->request);
		c->past_head = false;
	}
	if (!rp_http_request_has_begun(&c->request))
		rp_http_connection_set_bounds(c);
	return rp_http_request_parse(&c->request, &c->in, c->start, &c->bounds);
}

/* Once a request, when its head has come. true: it is answered. */
static bool show_head(struct rp_http_connection *c, enum rp_http_progress progress)
{
	const struct rp_http_handler *handler = c->service->handler;
	struct rp_http_request *r = &c->request;

	if (c->past_head || !rp_http_request_has_head(r) ||
	    (progress == RP_HTTP_BAD && r->bad_status != 413))
		return false;
	c->past_head = true;
	if (handler->head == NULL)
		return false;
	r->is_head = rp_span_is(rp_http_request_span(r, r->method), "HEAD");
	c->cut_short = progress != RP_HTTP_DONE;
	c->state = RP_HTTP_CONNECTION_HELD;
	handler->head(c->service->context, c, r);
	c->cut_short = false;
	if (c->state != RP_HTTP_CONNECTION_HELD)
		return true;
	c->state = RP_HTTP_CONNECTION_READING;
	return false;
}

static void hand_over(struct rp_http_connection *c, enum rp_http_progress progress)
{
	const struct rp_http_service *service = c->service;

	c->state = RP_HTTP_CONNECTION_HELD;
	if (progress == RP_HTTP_DONE)
		service->handler->take(service->context, c, &c->request);
	else
		service->handler->refuse(service->context, c, &c->request);
}

void rp_http_connection_refuse(struct rp_http_connection *c, int status, const char *text)
{
	struct rp_http_request *r = &c->request;

	assert(c->state == RP_HTTP_CONNECTION_READING);
	rp_http_bodies_release(c);
	r->keep_alive = r->is_head = false;
	r->bad_status = status;
	r->bad_text = text;
	c->hungry = false;
	c->state = RP_HTTP_CONNECTION_HELD;
	c->service->handler->refuse(c->service->context, c, r);
}

/* The buffer that the rest of a body wants, without its NUL. */
static size_t bytes_wanted(const struct rp_http_connection *c)
{
	const struct rp_http_request *r = &c->request;
	size_t most = r->body_at + c->bounds.body_bytes + 2 * RP_HTTP_READ_BYTES;
	size_t room = c->in.cap - c->in.len - 1;

	if (r->phase == RP_HTTP_AT_BODY)
		return r->body_at + (size_t)r->left;
	if (room >= READ_ROOM_MIN)
		return c->in.cap - 1;
	return 2 * c->in.cap < most ? 2 * c->in.cap - 1 : most;
}

/* Before a body is read or asked for. */
static void make_room(struct rp_http_connection *c)
{
	size_t want = bytes_wanted(c);

	if (want > RP_HTTP_READ_BYTES && !rp_http_bodies_charge(c, want))
		return;
	if (want > c->in.len && !rp_buf_reserve_exactly(&c->in, want - c->in.len)) {
		rp_http_connection_refuse(c, 503, "out of memory");
		return;
	}
	if (c->request.wants_continue) {
		c->request.wants_continue = false;
		if (!rp_buf_add_text(&c->out, "HTTP/1.1 100 Continue\r\n\r\n"))
			c->ending = RP_HTTP_THEN_RESET;
	}
}

void rp_http_connection_take_requests(struct rp_http_connection *c)
{
	const struct rp_http_service *service = c->service;
	enum rp_http_progress progress;
	bool answered;

	c->hungry = false;
	while (may_take(c)) {
		progress = parse(c);
		answered = show_head(c, progress);
		c->hungry = progress == RP_HTTP_MORE && !answered;
		if (progress == RP_HTTP_MORE)
			break;
		c->start += c->request.used;
		if (!answered)
			hand_over(c, progress);
	}
	if (c->start > 0)
		drop_taken(c);
	if (c->hungry && c->past_head)
		make_room(c);
	if (service->handler->flush != NULL)
		service->handler->flush(service->context);
}

bool rp_http_connection_take_body(struct rp_http_connection *c, struct rp_buf *out)
{
	struct rp_http_request *r = &c->request;
	struct rp_span body = rp_http_request_body(r);
	struct rp_buf rest = {.max = c->in.max};

	assert(c->state == RP_HTTP_CONNECTION_HELD && c->start > 0 && out->len == 0);
	if (body.len <= SMALL_BODY_BYTES)
		return rp_buf_add(out, body.ptr, body.len);
	if (!rp_buf_add(&rest, r->base, r->body_at) ||
	    !rp_buf_add(&rest, c->in.data + c->start, c->in.len - c->start)) {
		rp_buf_release(&rest);
		return false;
	}
	memmove(c->in.data, body.ptr, body.len);
	c->in.data[body.len] = '\0';
	rp_buf_release(out);
	out->data = c->in.data;
	out->len = body.len;
	out->cap = c->in.cap;
	c->in = rest;
	c->start = r->body_at;
	r->base = rest.data;
	r->body_bytes = 0;
	return true;
}

int rp_http_connection_read(struct rp_http_connection *c)
{
	struct rp_buf *in = &c->in;
	/* the rest of a body has its room; nothing more is read into it */
	bool in_body = c->past_head && c->state == RP_HTTP_CONNECTION_READING;
	size_t room = in_body ? 1 : READ_ROOM_MIN;
	ssize_t n;

	if (in->cap < in->len + 1 + room && !rp_buf_reserve(in, RP_HTTP_READ_BYTES))
		return -1;
	n = recv(c->fd, in->data + in->len, in->cap - in->len - 1, 0);
	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) ? 0
											    : -1;
	in->len += (size_t)n;
	in->data[in->len] = '\0';
	return 1;
}
