/* judge.c - checks the token and the signature of a request. It only judges; what is answered is
 * in plan.c. */

#include "judge.h"

#include <stdlib.h>

#include "sign/crypto.h"
#include "text/ascii.h"
#include "http_server/target.h"

const char *rp_sink_mark_name(enum rp_sink_mark mark)
{
	static const char *const names[] = {"unchecked", "ok", "bad", "missing"};

	return names[mark];
}

static bool take_bearer(const struct rp_http_request *request, struct rp_span *token)
{
	struct rp_span scheme = rp_span_of("Bearer ");
	struct rp_span value = rp_http_request_find(request, "authorization");

	if (value.len < scheme.len ||
	    !rp_span_same_but_case(rp_span_part(value, 0, scheme.len), scheme))
		return false;
	*token = rp_span_part(value, scheme.len, value.len);
	return true;
}

static enum rp_sink_mark judge_token(const struct rp_sink_judge *judge,
				     const struct rp_http_request *request, const char **why)
{
	struct rp_http_target target =
	    rp_http_target_split(rp_http_request_span(request, request->target));
	struct rp_span want = rp_span_of(judge->token), name, value;
	bool seen = false;

	if (judge->token == NULL)
		return RP_SINK_MARK_UNCHECKED;
	while (rp_http_target_next_param(&target.query, &name, &value)) {
		if (!rp_span_is(name, "token"))
			continue;
		seen = true;
		if (rp_http_target_value_is(value, want))
			return RP_SINK_MARK_OK;
	}
	if (take_bearer(request, &value)) {
		seen = true;
		if (value.len == want.len && rp_equal_constant_time(value.ptr, want.ptr, want.len))
			return RP_SINK_MARK_OK;
	}
	*why = seen ? "the token is wrong" : "no token: neither ?token= nor Authorization: Bearer";
	return seen ? RP_SINK_MARK_BAD : RP_SINK_MARK_MISSING;
}

static bool is_fresh(struct rp_span timestamp, int64_t now_at_ms, const char **why)
{
	int64_t seconds = 0, off;
	size_t i;

	for (i = 0; i < timestamp.len; i++) {
		if (!rp_char_is_digit(timestamp.ptr[i]) || i == 15) {
			*why = "webhook-timestamp is no number of Unix seconds";
			return false;
		}
		seconds = seconds * 10 + (timestamp.ptr[i] - '0');
	}
	off = now_at_ms / 1000 - seconds;
	if (off > RP_SIGN_TOLERANCE_S || off < -RP_SIGN_TOLERANCE_S) {
		*why = "webhook-timestamp is more than 300 s away from this clock";
		return false;
	}
	return true;
}

static enum rp_sink_mark judge_signature(const struct rp_sink_judge *judge,
					 const struct rp_http_request *request, int64_t now_at_ms,
					 const char **why)
{
	struct rp_span id = rp_http_request_find(request, "webhook-id");
	struct rp_span timestamp = rp_http_request_find(request, "webhook-timestamp");
	struct rp_span header = rp_http_request_find(request, "webhook-signature");

	if (judge->signer == NULL)
		return RP_SINK_MARK_UNCHECKED;
	if (id.len == 0 || timestamp.len == 0 || header.len == 0) {
		*why =
		    "no signature: webhook-id, webhook-timestamp or webhook-signature is missing";
		return RP_SINK_MARK_MISSING;
	}
	if (!is_fresh(timestamp, now_at_ms, why))
		return RP_SINK_MARK_BAD;
	if (rp_signer_verify(judge->signer, id, timestamp, rp_http_request_body(request), header))
		return RP_SINK_MARK_OK;
	*why = "no signature of webhook-signature fits the body and the secret";
	return RP_SINK_MARK_BAD;
}

struct rp_sink_verdict rp_sink_judge_request(const struct rp_sink_judge *judge,
					     const struct rp_http_request *request,
					     int64_t now_at_ms)
{
	struct rp_sink_verdict verdict = {.why = NULL};

	verdict.signature = judge_signature(judge, request, now_at_ms, &verdict.why);
	verdict.token = judge_token(judge, request, &verdict.why);
	return verdict;
}

void rp_sink_judge_release(struct rp_sink_judge *judge)
{
	if (judge->token != NULL)
		rp_wipe(judge->token, strlen(judge->token));
	free(judge->token);
	rp_signer_free(judge->signer);
	judge->token = NULL;
	judge->signer = NULL;
}
