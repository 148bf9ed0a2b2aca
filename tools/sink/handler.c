/* handler.c - carries replies out. It is apart from desk.c so that what is decided can be told
 * without a connection, and it alone goes past HTTP. */

#include "handler.h"

#include "http_server/connection.h"
#include "http_server/raw.h"
#include "desk.h"

#define INLINE_MAX 4096      /* bytes of a body that goes out with its head */
#define PIECE_MAX (64 << 10) /* of a longer one, at a time */
#define SLOW_STEP_MS 1000

/* What is kept with each connection. */
struct giving {
	const struct rp_http_request *request;
	struct rp_sink_reply reply;
	bool has_begun; /* the head is written */
	uint64_t at;    /* bytes of the body that are written */
};

/* The text of the body, repeated until the body is as long as announced. */
static bool add_piece(struct giving *g, struct rp_buf *out)
{
	const struct rp_sink_reply *reply = &g->reply;
	struct rp_span text = reply->answer.body;
	uint64_t left = reply->body_bytes - g->at;
	uint64_t n = reply->slow ? 1 : left < PIECE_MAX ? left : PIECE_MAX;

	for (; n > 0; n--)
		if (!rp_buf_add_char(out, text.ptr[g->at++ % text.len]))
			return false;
	return true;
}

static enum rp_http_raw_next write_answer(struct rp_sink_desk *desk, struct rp_http_connection *c,
					  struct rp_buf *out)
{
	struct giving *g = rp_http_connection_own(c);
	const struct rp_sink_reply *reply = &g->reply;
	bool ok = g->has_begun ? add_piece(g, out)
			       : rp_http_response_add_head(&reply->answer, g->request,
							   reply->body_bytes, out);

	g->has_begun = true;
	if (!ok)
		return RP_HTTP_RAW_RESET;
	if (g->at == reply->body_bytes || !rp_http_response_has_body(&reply->answer, g->request))
		return RP_HTTP_RAW_DONE;
	if (!reply->slow)
		return RP_HTTP_RAW_MORE;
	rp_http_connection_wake_at(c, desk->service.boot_ms + SLOW_STEP_MS);
	return RP_HTTP_RAW_WAIT;
}

static enum rp_http_raw_next write_raw(void *desk, struct rp_http_connection *c, struct rp_buf *out)
{
	static const char garbage[] = "\x16\x03\x01 this is not HTTP \xff\xfe\r\n\r\n";
	static const enum rp_http_raw_next next[] = {
	    [RP_SINK_NEVER] = RP_HTTP_RAW_WAIT,
	    [RP_SINK_GARBAGE] = RP_HTTP_RAW_CLOSE,
	    [RP_SINK_RESET] = RP_HTTP_RAW_RESET,
	    [RP_SINK_CLOSE] = RP_HTTP_RAW_CLOSE,
	};
	const struct giving *g = rp_http_connection_own(c);

	if (g->reply.deed == RP_SINK_ANSWER)
		return write_answer(desk, c, out);
	if (g->reply.deed == RP_SINK_GARBAGE && !rp_buf_add(out, garbage, sizeof garbage - 1))
		return RP_HTTP_RAW_RESET;
	return next[g->reply.deed];
}

/* Whether the server can give it as it gives any answer. */
static bool is_plain(const struct rp_sink_reply *reply)
{
	return reply->deed == RP_SINK_ANSWER && !reply->slow &&
	       reply->body_bytes == reply->answer.body.len && reply->body_bytes <= INLINE_MAX;
}

static void give(void *context, struct rp_http_connection *c)
{
	const struct giving *g = rp_http_connection_own(c);

	(void)context;
	if (is_plain(&g->reply))
		rp_http_connection_answer(c, &g->reply.answer);
	else
		rp_http_raw_begin(c, write_raw);
}

static void take(void *context, struct rp_http_connection *c, const struct rp_http_request *request)
{
	struct rp_sink_desk *desk = context;
	struct giving *g = rp_http_connection_own(c);

	*g = (struct giving){request, rp_sink_desk_take(desk, request), false, 0};
	if (g->reply.delay_ms > 0 && g->reply.deed != RP_SINK_NEVER)
		rp_http_connection_wake_at(c, desk->service.boot_ms + g->reply.delay_ms);
	else
		give(desk, c);
}

static void refuse(void *desk, struct rp_http_connection *c, const struct rp_http_request *request)
{
	struct giving *g = rp_http_connection_own(c);

	*g = (struct giving){request, rp_sink_desk_refuse(desk, request), false, 0};
	give(desk, c);
}

static void flush(void *desk)
{
	rp_sink_desk_flush(desk);
}

const struct rp_http_handler rp_sink_handler = {
    .own_bytes = sizeof(struct giving),
    .take = take,
    .refuse = refuse,
    .wake = give,
    .flush = flush,
};
