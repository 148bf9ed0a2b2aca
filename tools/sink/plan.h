/* plan.h - how the next request is to be answered: the misbehaviour an operator asked for, as
 * values. */
#ifndef RP_SINK_PLAN_H
#define RP_SINK_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "http_server/response.h"
#include "table.h"

#define RP_SINK_STATUSES_MAX 64

enum rp_sink_deed {
	RP_SINK_ANSWER = 0,
	RP_SINK_NEVER,   /* keep the connection open, say nothing */
	RP_SINK_GARBAGE, /* bytes that are not HTTP, then close */
	RP_SINK_RESET,   /* TCP reset */
	RP_SINK_CLOSE,   /* close without an answer */
};

const char *rp_sink_deed_name(enum rp_sink_deed deed); /* "answer", "never", ... */

struct rp_sink_reply {
	enum rp_sink_deed deed;
	int64_t delay_ms;
	bool slow;           /* one byte of the body a second */
	uint64_t body_bytes; /* announced and sent: the answer's body, repeated as needed */
	struct rp_http_response answer; /* points into the plan, or to what is static */
};

/* Answers at once, with texts that are static. */
struct rp_sink_reply rp_sink_reply_text(int status, const char *text, const char *headers);

/* {0} answers 200 to everything. Strings are borrowed. */
struct rp_sink_plan {
	int statuses[RP_SINK_STATUSES_MAX];
	size_t n_statuses;
	enum rp_sink_deed deed;
	bool slow;
	int64_t delay_ms;
	uint64_t huge_bytes;
	const char *body;
	struct rp_buf headers;
	uint64_t misbehave_first; /* 0: for ever */
	bool per_path;

	uint64_t taken; /* requests so far, all paths together */
	struct rp_sink_table paths;
};

/* The reply to the next request of this path; counts it. */
struct rp_sink_reply rp_sink_plan_next(struct rp_sink_plan *plan, struct rp_span path);
void rp_sink_plan_release(struct rp_sink_plan *plan);

#endif
