/* desk.h - what a receiver does with one whole request: count it, judge it, choose the reply,
 * report it. */
#ifndef RP_SINK_DESK_H
#define RP_SINK_DESK_H

#include <stdint.h>

#include "http_server/service.h"
#include "judge.h"
#include "plan.h"
#include "report.h"
#include "tally.h"

/* The members up to exit_after are set by main. */
struct rp_sink_desk {
	struct rp_sink_judge judge;
	struct rp_sink_plan plan;
	struct rp_sink_report report;
	struct rp_sink_tally tally;
	struct rp_http_service service;
	uint64_t exit_after; /* deliveries; 0: no end */

	uint64_t deliveries;
};

/* The reply to give; only to be sent while desk->service.failed is RP_OK. */
struct rp_sink_reply rp_sink_desk_take(struct rp_sink_desk *desk,
				       const struct rp_http_request *request);
/* The same for a request that could not be read. */
struct rp_sink_reply rp_sink_desk_refuse(struct rp_sink_desk *desk,
					 const struct rp_http_request *request);
/* Shows what was taken since the last call. */
void rp_sink_desk_flush(struct rp_sink_desk *desk);

#endif
