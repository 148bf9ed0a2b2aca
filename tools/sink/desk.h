/* desk.h - what a receiver does with one whole request: count it, judge it, choose the reply,
 * report it. */
#ifndef RP_SINK_DESK_H
#define RP_SINK_DESK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "judge.h"
#include "plan.h"
#include "report.h"
#include "http_server/request.h"
#include "tally.h"

/* The members up to exit_after are set by main; the server refreshes the times once a turn. */
struct rp_sink_desk {
	struct rp_sink_judge judge;
	struct rp_sink_plan plan;
	struct rp_sink_report report;
	struct rp_sink_tally tally;
	size_t max_body;
	uint64_t exit_after; /* deliveries; 0: no end */

	int64_t wall_ms, boot_ms;
	uint64_t deliveries;
	bool stopping;      /* no further request is to be taken */
	enum rp_err failed; /* not RP_OK: the receiver cannot go on, `err` says why */
	struct rp_error err;
};

/* The reply to give; only to be sent while desk->failed is RP_OK. */
struct rp_sink_reply rp_sink_desk_take(struct rp_sink_desk *desk,
				       const struct rp_http_request *request);
/* The same for a request that could not be read. */
struct rp_sink_reply rp_sink_desk_refuse(struct rp_sink_desk *desk,
					 const struct rp_http_request *request);
/* Shows what was taken since the last call. */
void rp_sink_desk_flush(struct rp_sink_desk *desk);

#endif
