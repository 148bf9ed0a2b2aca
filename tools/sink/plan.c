/* plan.c - decides how the next request is answered. It depends on counts alone and asks no
 * clock, so a test can say what comes. */

#include "plan.h"

#define PATHS_MAX 65536
#define SLOW_BODY_BYTES 3600

static const char ok_text[] = "ok\n", refused_text[] = "refused as asked\n", filler[] = "x";

const char *rp_sink_deed_name(enum rp_sink_deed deed)
{
	static const char *const names[] = {"answer", "never", "garbage", "reset", "close"};

	return names[deed];
}

/* Paths beyond the limit share the count of all requests: a receiver's memory is bounded, whatever
 * is sent. */
static uint64_t count_request(struct rp_sink_plan *plan, struct rp_span path)
{
	uint64_t *n = NULL;

	plan->taken++;
	if (plan->per_path) {
		plan->paths.max_keys = PATHS_MAX;
		n = rp_sink_table_at(&plan->paths, path);
	}
	return n != NULL ? (*n)++ : plan->taken - 1;
}

struct rp_sink_reply rp_sink_reply_text(int status, const char *text, const char *headers)
{
	struct rp_sink_reply reply = {.deed = RP_SINK_ANSWER};

	reply.answer =
	    (struct rp_http_response){status, rp_span_of(headers), "text/plain", rp_span_of(text)};
	reply.body_bytes = reply.answer.body.len;
	return reply;
}

struct rp_sink_reply rp_sink_plan_next(struct rp_sink_plan *plan, struct rp_span path)
{
	uint64_t before = count_request(plan, path);
	struct rp_sink_reply reply = rp_sink_reply_text(200, ok_text, "");

	if (plan->misbehave_first != 0 && before >= plan->misbehave_first)
		return reply;
	reply.deed = plan->deed;
	reply.slow = plan->slow;
	reply.delay_ms = plan->delay_ms;
	if (plan->n_statuses > 0)
		reply.answer.status =
		    plan->statuses[before < plan->n_statuses ? before : plan->n_statuses - 1];
	if (plan->headers.len > 0) {
		reply.answer.headers.ptr = plan->headers.data;
		reply.answer.headers.len = plan->headers.len;
	}
	if (plan->body != NULL)
		reply.answer.body = rp_span_of(plan->body);
	else if (plan->huge_bytes > 0 || plan->slow)
		reply.answer.body = rp_span_of(filler);
	else if (reply.answer.status >= 300)
		reply.answer.body = rp_span_of(refused_text);
	if (plan->huge_bytes > 0)
		reply.body_bytes = plan->huge_bytes;
	else if (plan->slow && plan->body == NULL)
		reply.body_bytes = SLOW_BODY_BYTES;
	else
		reply.body_bytes = reply.answer.body.len;
	return reply;
}

void rp_sink_plan_release(struct rp_sink_plan *plan)
{
	rp_buf_release(&plan->headers);
	rp_sink_table_release(&plan->paths);
}
