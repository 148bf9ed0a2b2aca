/* door_judge.h - judges the head of a request, all rules in their order, before a byte of the body
 * is read. Pure. The order is that of the steps in door_judge.c and stands nowhere else. */
#ifndef RP_SERVE_DOOR_JUDGE_H
#define RP_SERVE_DOOR_JUDGE_H

#include "serve/door_access.h"
#include "serve/door_target.h"

/* Borrowed. */
struct rp_door_rules {
	const struct rp_config *config;
	struct rp_door_hosts hosts;
	struct rp_door_callers callers;
	const struct rp_token_list *keys; /* of door_key_file; NULL or empty: none */
	uint64_t max_body_bytes;
};

/* {0} is an empty one. It may be filled any number of times; release it then. */
struct rp_door_head {
	struct rp_door_ask ask;
	enum rp_door_credential by; /* BY_NONE: for what all may see, or it was refused before */
	struct rp_buf url;          /* TO_NAME and TO_URL: the target; else empty */
	const struct rp_policy *policy; /* of url; NULL where there is none */
};

/* Judges a request whose head is whole; `left` of the request is then its Content-Length. It stops
 * at the first rule that the request breaks: false, and *no says which. */
bool rp_door_judge_head(const struct rp_door_rules *rules, const struct rp_door_peer *peer,
			const struct rp_http_request *request, struct rp_door_head *head,
			struct rp_door_refusal *no);

void rp_door_head_release(struct rp_door_head *head); /* wipes */

#endif
