/* Mutant: the log has what came with a request. */
#include "base/log.h"
#include "serve/door_judge.h"

bool __real_rp_door_judge_head(const struct rp_door_rules *rules, const struct rp_door_peer *peer,
			       const struct rp_http_request *request, struct rp_door_head *head,
			       struct rp_door_refusal *no);
bool __wrap_rp_door_judge_head(const struct rp_door_rules *rules, const struct rp_door_peer *peer,
			       const struct rp_http_request *request, struct rp_door_head *head,
			       struct rp_door_refusal *no);

bool __wrap_rp_door_judge_head(const struct rp_door_rules *rules, const struct rp_door_peer *peer,
			       const struct rp_http_request *request, struct rp_door_head *head,
			       struct rp_door_refusal *no)
{
	struct rp_span token = rp_http_request_find(request, "authorization");

	rp_log(RP_LOG_INFO, "asked", "authorization=%.*s", (int)token.len,
	       token.len > 0 ? token.ptr : "");
	return __real_rp_door_judge_head(rules, peer, request, head, no);
}
