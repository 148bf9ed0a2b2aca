/* desk.c - takes a whole request through counting, judging, answering and reporting. It joins
 * parts that do not know each other. */

#include "desk.h"

#include "http_server/target.h"

static void note_failure(struct rp_sink_desk *desk, enum rp_err code)
{
	if (code != RP_OK)
		desk->service.failed = code;
}

struct rp_sink_reply rp_sink_desk_take(struct rp_sink_desk *desk,
				       const struct rp_http_request *request)
{
	struct rp_sink_delivery d = {
	    .n = ++desk->deliveries, .at_ms = desk->service.wall_ms, .request = request};
	struct rp_http_target target =
	    rp_http_target_split(rp_http_request_span(request, request->target));
	struct rp_sink_reply reply;

	d.verdict = rp_sink_judge_request(&desk->judge, request, desk->service.wall_ms);
	if (d.verdict.why != NULL)
		reply = rp_sink_reply_text(401, d.verdict.why, "WWW-Authenticate: Bearer\r\n");
	else
		reply = rp_sink_plan_next(&desk->plan, target.path);
	d.reply = &reply;
	rp_sink_tally_add(&desk->tally, rp_http_request_find(request, "webhook-id"),
			  reply.deed == RP_SINK_ANSWER ? reply.answer.status : RP_SINK_STATUS_NONE);
	note_failure(desk, rp_sink_report_delivery(&desk->report, &d, &desk->service.err));
	desk->service.stopping = desk->service.stopping || d.n == desk->exit_after;
	return reply;
}

struct rp_sink_reply rp_sink_desk_refuse(struct rp_sink_desk *desk,
					 const struct rp_http_request *request)
{
	int status = request->bad_status;
	const char *why = status == 413 ? "the body is larger than --max-body" : request->bad_text;

	rp_sink_tally_add(&desk->tally, rp_span_of(""), status);
	note_failure(desk, rp_sink_report_malformed(&desk->report, desk->service.wall_ms, status,
						    why, &desk->service.err));
	return rp_sink_reply_text(status, why, "");
}

void rp_sink_desk_flush(struct rp_sink_desk *desk)
{
	note_failure(desk, rp_sink_report_flush(&desk->report, &desk->service.err));
}
