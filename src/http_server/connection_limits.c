/* connection_limits.c - says how long a peer may let a connection wait: which limit holds for what
 * it waits for, and from when on. */

#include "http_server/connection_int.h"

/* A server that drains waits so long for who says nothing, beyond what he was told: a request may
 * be on its way. */
#define DRAIN_SILENT_MS 500

static enum rp_http_stage stage_of(const struct rp_http_connection *c)
{
	if (c->state == RP_HTTP_CONNECTION_RAW)
		return RP_HTTP_STAGE_NONE;
	if (rp_http_connection_is_sending(c))
		return RP_HTTP_STAGE_SENDING;
	if (c->state != RP_HTTP_CONNECTION_READING)
		return RP_HTTP_STAGE_NONE;
	if (c->waiting.in != NULL)
		return RP_HTTP_STAGE_ROOM;
	if (c->hungry && c->past_head)
		return RP_HTTP_STAGE_BODY;
	if (c->in.len > 0)
		return RP_HTTP_STAGE_HEAD;
	return c->has_asked ? RP_HTTP_STAGE_IDLE : RP_HTTP_STAGE_FRESH;
}

static int64_t after(int64_t from_ms, int64_t ms)
{
	return ms > 0 ? from_ms + ms : 0;
}

/* Bytes of the body that have come. */
static uint64_t body_come(const struct rp_http_connection *c)
{
	const struct rp_http_request *r = &c->request;

	return r->phase == RP_HTTP_AT_BODY ? c->in.len - r->body_at : r->body_bytes;
}

static int64_t body_limit(const struct rp_http_connection *c)
{
	const struct rp_http_limits *limits = &c->service->limits;
	uint64_t rate = limits->body_bytes_per_s;
	int64_t earned_ms = rate > 0 ? (int64_t)(body_come(c) * 1000 / rate) : 0;

	return after(c->since_ms + earned_ms, limits->body_grace_ms);
}

/* For who has nothing to say. */
static int64_t silence_limit(const struct rp_http_connection *c, int64_t from_ms, int64_t ms)
{
	const struct rp_http_service *service = c->service;
	int64_t limit_ms = after(from_ms, ms), drain_ms, gone_ms;

	if (!service->draining)
		return limit_ms;
	drain_ms = service->boot_ms + DRAIN_SILENT_MS;
	gone_ms = after(from_ms, service->limits.told_ms) + DRAIN_SILENT_MS;
	drain_ms = drain_ms < gone_ms ? gone_ms : drain_ms;
	return limit_ms == 0 || drain_ms < limit_ms ? drain_ms : limit_ms;
}

static int64_t limit_of(const struct rp_http_connection *c)
{
	const struct rp_http_limits *limits = &c->service->limits;

	switch (c->stage) {
	case RP_HTTP_STAGE_FRESH:
		return silence_limit(c, c->born_ms, limits->head_ms);
	case RP_HTTP_STAGE_IDLE:
		return silence_limit(c, c->since_ms, limits->idle_ms);
	case RP_HTTP_STAGE_HEAD:
		return after(c->has_asked ? c->since_ms : c->born_ms, limits->head_ms);
	case RP_HTTP_STAGE_ROOM:
		return after(c->since_ms, limits->bodies_wait_ms);
	case RP_HTTP_STAGE_BODY:
		return body_limit(c);
	case RP_HTTP_STAGE_SENDING:
		return after(c->since_ms, limits->answer_ms);
	case RP_HTTP_STAGE_NONE:
		break;
	}
	return 0;
}

void rp_http_connection_set_limit(struct rp_http_connection *c)
{
	enum rp_http_stage stage = stage_of(c);

	if (stage != c->stage || stage == RP_HTTP_STAGE_NONE) {
		c->stage = stage;
		c->since_ms = c->service->boot_ms;
	}
	c->limit_at_ms = limit_of(c);
}
