/* conn.c - drives one connection as bytes and events come. It never waits, so one slow sender
 * holds up no other. */

#include "conn.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "answer.h"
#include "base/assert.h"

#define READ_BYTES 16383   /* with the buffer's NUL a power of two */
#define READ_ROOM_MIN 4096 /* less free room than this makes the buffer grow */
/* a buffer that grew beyond this is given back once it is empty */
#define KEPT_IN_BYTES (256 << 10)
/* pipelined requests are answered in batches of about this size */
#define OUT_BATCH_BYTES (64 << 10)
#define DRAIN_MS 2000
#define SLOW_STEP_MS 1000

struct rp_sink_conn *rp_sink_conn_new(int fd, size_t max_body)
{
	struct rp_sink_conn *c = calloc(1, sizeof *c);

	if (c == NULL)
		return NULL;
	c->fd = fd;
	c->hungry = true;
	/* a whole request and as much read ahead */
	c->in.max = 2 * (max_body + RP_HTTP_REQUEST_HEAD_MAX + READ_BYTES);
	return c;
}

void rp_sink_conn_free(struct rp_sink_conn *c)
{
	close(c->fd);
	rp_buf_release(&c->in);
	rp_buf_release(&c->out);
	free(c);
}

static bool is_sending(const struct rp_sink_conn *c)
{
	return c->sent < c->out.len || c->fill_left > 0;
}

static void send_garbage(struct rp_sink_conn *c)
{
	static const char bytes[] = "\x16\x03\x01 this is not HTTP \xff\xfe\r\n\r\n";

	if (rp_buf_add(&c->out, bytes, sizeof bytes - 1))
		c->ending = RP_SINK_THEN_CLOSE;
	else
		c->ending = RP_SINK_THEN_RESET;
}

static void perform(struct rp_sink_conn *c, struct rp_sink_desk *desk,
		    const struct rp_sink_reply *reply)
{
	c->state = RP_SINK_CONN_READING;
	switch (reply->deed) {
	case RP_SINK_NEVER:
		c->state = RP_SINK_CONN_PARKED;
		return;
	case RP_SINK_GARBAGE:
		send_garbage(c);
		return;
	case RP_SINK_RESET:
		c->ending = RP_SINK_THEN_RESET;
		return;
	case RP_SINK_CLOSE:
		c->ending = RP_SINK_THEN_CLOSE;
		return;
	case RP_SINK_ANSWER:
		break;
	}
	if (!c->request.keep_alive)
		c->ending = RP_SINK_THEN_DRAIN;
	if (!rp_sink_answer_render(reply, &c->request, c->without_body, &c->out, &c->fill_left))
		c->ending = RP_SINK_THEN_RESET;
	c->fill = reply->body;
	c->fill_at = 0;
	c->slow = reply->slow && c->fill_left > 0;
	if (c->slow)
		c->wake_at_ms = desk->boot_ms + SLOW_STEP_MS;
}

static void take_request(struct rp_sink_conn *c, struct rp_sink_desk *desk)
{
	c->reply = rp_sink_desk_take(desk, &c->request);
	c->without_body = rp_span_is(rp_http_request_span(&c->request, c->request.method), "HEAD");
	if (c->reply.delay_ms > 0 && c->reply.deed != RP_SINK_NEVER) {
		c->state = RP_SINK_CONN_DELAYED;
		c->wake_at_ms = desk->boot_ms + c->reply.delay_ms;
	} else {
		perform(c, desk, &c->reply);
	}
}

static void refuse_request(struct rp_sink_conn *c, struct rp_sink_desk *desk)
{
	c->reply = rp_sink_desk_refuse(desk, &c->request);
	c->request.keep_alive = false; /* where the next request would begin is anybody's guess */
	perform(c, desk, &c->reply);
}

static void drop_taken(struct rp_sink_conn *c, size_t taken)
{
	c->in.len -= taken;
	memmove(c->in.data, c->in.data + taken, c->in.len);
	if (c->in.len == 0 && c->in.cap > KEPT_IN_BYTES)
		rp_buf_release(&c->in);
}

/* Takes the requests that have arrived, until one has to wait or there is enough to send. */
static void take_requests(struct rp_sink_conn *c, struct rp_sink_desk *desk)
{
	enum rp_http_progress progress;
	size_t start = 0;

	c->hungry = false;
	while (c->state == RP_SINK_CONN_READING && c->ending == RP_SINK_GO_ON &&
	       c->fill_left == 0 && c->out.len < OUT_BATCH_BYTES && !desk->stopping &&
	       desk->failed == RP_OK) {
		progress = rp_http_request_parse(&c->request, &c->in, start, desk->max_body);
		if (progress == RP_HTTP_MORE) {
			c->hungry = true;
			break;
		}
		if (progress == RP_HTTP_BAD) {
			refuse_request(c, desk);
			break;
		}
		take_request(c, desk);
		start += c->request.used;
		if (c->state != RP_SINK_CONN_DELAYED)
			rp_http_request_begin(&c->request);
	}
	if (c->hungry && c->request.wants_continue) {
		c->request.wants_continue = false;
		if (!rp_buf_add_text(&c->out, "HTTP/1.1 100 Continue\r\n\r\n"))
			c->ending = RP_SINK_THEN_RESET;
	}
	if (start > 0)
		drop_taken(c, start);
	rp_sink_desk_flush(desk);
}

/* Puts the next piece of a long body into `out`. */
static bool refill(struct rp_sink_conn *c)
{
	uint64_t want = c->fill_left < OUT_BATCH_BYTES ? c->fill_left : OUT_BATCH_BYTES, n;

	if (c->slow)
		want = 1;
	rp_buf_clear(&c->out);
	c->sent = 0;
	while (want > 0) {
		n = c->fill.len - c->fill_at;
		if (n > want)
			n = want;
		if (!rp_buf_add(&c->out, c->fill.ptr + c->fill_at, n))
			return false;
		c->fill_at = (c->fill_at + n) % c->fill.len;
		c->fill_left -= n;
		want -= n;
	}
	return true;
}

/* false: the connection is gone. */
static bool send_out(struct rp_sink_conn *c)
{
	ssize_t n;

	while (is_sending(c)) {
		if (c->sent == c->out.len) {
			if (c->slow) /* the next byte goes when its time has come */
				return true;
			if (!refill(c))
				return false;
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

static bool end_connection(struct rp_sink_conn *c, struct rp_sink_desk *desk)
{
	struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	if (c->ending == RP_SINK_THEN_RESET)
		/* else it is closed: as good */
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	if (c->ending != RP_SINK_THEN_DRAIN || shutdown(c->fd, SHUT_WR) != 0)
		return false;
	c->state = RP_SINK_CONN_DRAINING;
	c->wake_at_ms = desk->boot_ms + DRAIN_MS;
	return true;
}

static bool advance(struct rp_sink_conn *c, struct rp_sink_desk *desk)
{
	do {
		take_requests(c, desk);
		if (desk->failed != RP_OK)
			return true; /* nothing unreported is answered */
		if (!send_out(c))
			return false;
		if (is_sending(c))
			return true;
		if (c->ending != RP_SINK_GO_ON)
			return end_connection(c, desk);
	} while (c->state == RP_SINK_CONN_READING && !c->hungry && !desk->stopping);
	return true;
}

/* 1: bytes came, 0: none now, -1: the peer is done. */
static int read_some(struct rp_sink_conn *c)
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

bool rp_sink_conn_event(struct rp_sink_conn *c, struct rp_sink_desk *desk, uint32_t events)
{
	int got;

	if ((events & (EPOLLERR | EPOLLHUP)) != 0)
		return false;
	if ((events & EPOLLRDHUP) != 0 && (c->state == RP_SINK_CONN_PARKED || c->slow))
		return false;
	if (is_sending(c) && !c->slow)
		return advance(c, desk);
	if ((events & EPOLLIN) == 0)
		return true;
	got = read_some(c);
	if (got <= 0)
		return got == 0;
	if (c->state != RP_SINK_CONN_DRAINING)
		return advance(c, desk);
	rp_buf_clear(&c->in);
	return true;
}

bool rp_sink_conn_wake(struct rp_sink_conn *c, struct rp_sink_desk *desk)
{
	c->wake_at_ms = 0;
	if (c->state == RP_SINK_CONN_DRAINING)
		return false;
	if (c->state == RP_SINK_CONN_DELAYED) {
		perform(c, desk, &c->reply);
		rp_http_request_begin(&c->request);
	} else if (c->slow && c->sent == c->out.len) {
		if (!refill(c))
			return false;
		c->slow = c->fill_left > 0;
	}
	if (c->slow)
		c->wake_at_ms = desk->boot_ms + SLOW_STEP_MS;
	return advance(c, desk);
}

uint32_t rp_sink_conn_interest(const struct rp_sink_conn *c, const struct rp_sink_desk *desk)
{
	if (c->sent < c->out.len || (c->fill_left > 0 && !c->slow))
		return EPOLLOUT;
	if (c->state == RP_SINK_CONN_PARKED || c->slow)
		return EPOLLRDHUP;
	if (c->state == RP_SINK_CONN_DELAYED || desk->stopping)
		return 0;
	return EPOLLIN;
}

bool rp_sink_conn_owes_answer(const struct rp_sink_conn *c)
{
	return c->state == RP_SINK_CONN_DELAYED || (is_sending(c) && !c->slow);
}
