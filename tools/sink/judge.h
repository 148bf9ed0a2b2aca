/* judge.h - whether a request brought the right token and a good Standard Webhooks signature. */
#ifndef RP_SINK_JUDGE_H
#define RP_SINK_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "sign/sign.h"
#include "http_server/request.h"

enum rp_sink_mark {
	RP_SINK_MARK_UNCHECKED = 0,
	RP_SINK_MARK_OK,
	RP_SINK_MARK_BAD,
	RP_SINK_MARK_MISSING
};

const char *rp_sink_mark_name(enum rp_sink_mark mark); /* "unchecked", "ok", "bad", "missing" */

/* {0} checks nothing. */
struct rp_sink_judge {
	char *token;              /* NULL: not checked; owned, may hold any bytes but NUL */
	struct rp_signer *signer; /* NULL: not checked; owned */
};

struct rp_sink_verdict {
	enum rp_sink_mark token, signature;
	const char *why; /* a static sentence when either is bad or missing, else NULL */
};

struct rp_sink_verdict rp_sink_judge_request(const struct rp_sink_judge *judge,
					     const struct rp_http_request *request,
					     int64_t now_at_ms);
void rp_sink_judge_release(struct rp_sink_judge *judge); /* token and keys are wiped */

#endif
