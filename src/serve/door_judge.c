/* door_judge.c - has the order in which the rules of the door are applied: what costs least and
 * tells least comes first, and who asks is known before anything of the configuration is told. */

#include "serve/door_judge.h"

#include "sign/crypto.h"

struct work {
	const struct rp_door_rules *rules;
	const struct rp_door_peer *peer;
	const struct rp_http_request *request;
	struct rp_door_head *head;
	struct rp_door_refusal *no;
};

static bool judge_host(struct work *w)
{
	return rp_door_judge_host(&w->rules->hosts, w->peer, w->request, w->no);
}

static bool judge_browser(struct work *w)
{
	return rp_door_judge_browser(w->request, w->no);
}

static bool judge_loop(struct work *w)
{
	return rp_door_judge_loop(w->request, w->no);
}

static bool judge_path(struct work *w)
{
	return rp_door_route(w->request, &w->head->ask, w->no);
}

static bool judge_access(struct work *w)
{
	return rp_door_kind_is_public(w->head->ask.kind) ||
	       rp_door_judge_access(&w->rules->callers, w->peer, w->request, &w->head->ask,
				    &w->head->by, w->no);
}

static bool judge_encoding(struct work *w)
{
	return rp_door_judge_encoding(w->request, w->no);
}

/* A section, or somebody with a key, may name the door itself. */
static bool judge_target(struct work *w)
{
	struct rp_door_head *head = w->head;
	struct rp_url url;

	if (head->ask.kind != RP_DOOR_TO_NAME && head->ask.kind != RP_DOOR_TO_URL)
		return true;
	if (!rp_door_target_add(w->rules->config, w->rules->keys, &head->ask, &head->url,
				&head->policy, w->no))
		return false;
	return rp_url_parse((struct rp_span){head->url.data, head->url.len}, &url, NULL) != RP_OK ||
	       !rp_door_is_own_url(&w->rules->hosts, &url) || rp_door_refuse_own_url(w->no);
}

static bool judge_length(struct work *w)
{
	return !w->request->has_length || w->request->left <= w->rules->max_body_bytes ||
	       rp_door_refuse(w->no, 413, "too_large", NULL,
			      "the body is longer than max_line of [ingest], %llu bytes",
			      (unsigned long long)w->rules->max_body_bytes);
}

static bool (*const steps[])(struct work *w) = {
    judge_host,   judge_browser,  judge_loop,   judge_path,
    judge_access, judge_encoding, judge_target, judge_length,
};

static void head_clear(struct rp_door_head *head)
{
	rp_door_ask_clear(&head->ask);
	if (head->url.len > 0)
		rp_wipe(head->url.data, head->url.len);
	rp_buf_clear(&head->url);
	head->policy = NULL;
	head->by = RP_DOOR_BY_NONE;
}

bool rp_door_judge_head(const struct rp_door_rules *rules, const struct rp_door_peer *peer,
			const struct rp_http_request *request, struct rp_door_head *head,
			struct rp_door_refusal *no)
{
	struct work w = {rules, peer, request, head, no};
	size_t i;

	head_clear(head);
	for (i = 0; i < sizeof steps / sizeof steps[0]; i++)
		if (!steps[i](&w))
			return false;
	return true;
}

void rp_door_head_release(struct rp_door_head *head)
{
	head_clear(head);
	rp_door_ask_release(&head->ask);
	rp_buf_release(&head->url);
}
