/* door_target.c - makes the webhook URL of a request to /to, or says why there is none. The reader
 * of URLs judges the whole; what it cannot know, that a path was joined of two parts, is judged
 * here. */

#include "serve/door_target.h"

#include "text/ascii.h"

/* Where the engine puts the URL that it was given: the door's own, with the credential in it. */
#define OWN_URL_MEMBER "kwargs.webhook"

bool rp_door_keeps_own_url(const struct rp_policy *policy)
{
	return rp_cuts_cover(&policy->drop, OWN_URL_MEMBER);
}

static bool out_of_memory(struct rp_door_refusal *no)
{
	return rp_door_refuse(no, 503, "failed", RP_DOOR_RETRY_AFTER, "out of memory");
}

/* The byte that a percent-encoding stands for; -1: its digits are missing, which the reader of URLs
 * refuses. */
static int encoded_at(struct rp_span s, size_t at)
{
	if (s.len - at < 3 || rp_char_hex(s.ptr[at + 1]) < 0 || rp_char_hex(s.ptr[at + 2]) < 0)
		return -1;
	return rp_char_hex(s.ptr[at + 1]) << 4 | rp_char_hex(s.ptr[at + 2]);
}

/* A receiver may decode before it takes a path apart, twice even: then these make another path.
 * NUL ends it for some. */
static bool is_tricky(int c)
{
	return (c >= 0 && c < 0x20) || c == 0x7f || c == '/' || c == '\\' || c == '.' || c == '%' ||
	       c == ';';
}

/* Receivers with path parameters (";v=1") cut them off before they look at the segment. */
static bool is_plain_segment(struct rp_span segment)
{
	struct rp_span word = rp_span_part(segment, 0, rp_span_find(segment, 0, ';'));

	return word.len > 0 && !rp_span_is(word, ".") && !rp_span_is(word, "..");
}

/* NULL: nothing is wrong. A slash at the end is fine. */
static const char *rest_problem(struct rp_span rest)
{
	size_t at, end;

	for (at = 0; at < rest.len; at++)
		if (rest.ptr[at] == '%' && is_tricky(encoded_at(rest, at)))
			return "the path has an encoded / \\ . % ; or control byte, which "
			       "receivers read differently";
	for (at = 1; at < rest.len; at = end + 1) {
		end = rp_span_find(rest, at, '/');
		if (!is_plain_segment(rp_span_part(rest, at, end)))
			return "the path has an empty segment or one of dots; write the path that "
			       "it leads to";
	}
	return NULL;
}

static const struct rp_policy *section_named(const struct rp_config *config, struct rp_span name)
{
	size_t i;

	for (i = 0; i < config->n_endpoints; i++)
		if (rp_span_is(name, config->endpoints[i].name))
			return &config->endpoints[i];
	return NULL;
}

static bool add_query(struct rp_span query, char *before, struct rp_buf *out)
{
	bool ok = query.len == 0 ||
		  (rp_buf_add_char(out, *before) && rp_buf_add(out, query.ptr, query.len));

	if (query.len > 0)
		*before = '&';
	return ok;
}

/* false: out of memory. */
static bool join(const struct rp_policy *section, const struct rp_door_ask *ask, struct rp_buf *out)
{
	struct rp_span url = rp_span_of(section->url), rest = ask->rest;
	struct rp_span head = rp_span_part(url, 0, rp_span_find(url, 0, '?'));
	char before = '?';

	if (rest.len > 0 && head.ptr[head.len - 1] == '/')
		head.len--;
	return rp_buf_add(out, head.ptr, head.len) &&
	       (rest.len == 0 || rp_buf_add(out, rest.ptr, rest.len)) &&
	       add_query(section->prefix.query, &before, out) &&
	       add_query(ask->query, &before, out);
}

/* Takes the URL as people write it, and replaces what stands in out from `from` on by what is
 * sent. */
static bool accept_url(struct rp_span text, struct rp_buf *out, struct rp_url *url,
		       struct rp_door_refusal *no)
{
	struct rp_buf room = {0};
	struct rp_error err = {.text = ""};
	struct rp_span sent;
	enum rp_err code = rp_url_accept(text, &room, &sent, url, &err);
	bool ok = false;

	if (code == RP_ERR_NOMEM)
		out_of_memory(no);
	else if (code != RP_OK)
		rp_door_refuse(no, 422, "bad_url", NULL, "%s", err.text);
	else if (!(ok = rp_buf_add(out, sent.ptr, sent.len)))
		out_of_memory(no);
	else
		rp_url_parse((struct rp_span){out->data + out->len - sent.len, sent.len}, url,
			     NULL);
	rp_buf_release(&room);
	return ok;
}

static bool add_named(const struct rp_config *config, const struct rp_door_ask *ask,
		      struct rp_buf *out, struct rp_url *url, struct rp_door_refusal *no)
{
	const struct rp_policy *section = section_named(config, ask->name);
	const char *problem = rest_problem(ask->rest);
	struct rp_buf joined = {0};
	bool ok;

	if (section == NULL)
		return rp_door_refuse(no, 404, "no_such_endpoint", NULL,
				      "the configuration has no [endpoint \"%.*s\"]",
				      (int)ask->name.len, ask->name.ptr);
	if (!section->door)
		return rp_door_refuse(no, 403, "not_published", NULL,
				      "[endpoint \"%s\"] does not say door = yes", section->name);
	if (problem != NULL)
		return rp_door_refuse(no, 422, "bad_url", NULL, "%s", problem);
	ok = join(section, ask, &joined) || out_of_memory(no);
	ok = ok && accept_url((struct rp_span){joined.data, joined.len}, out, url, no);
	rp_buf_release(&joined);
	return ok;
}

static bool judge_signature(const struct rp_token_list *keys, const struct rp_door_ask *ask,
			    struct rp_door_refusal *no)
{
	if (keys == NULL || keys->n == 0)
		return rp_door_refuse(no, 403, "bad_signature", NULL,
				      "the URL is signed, and the door has no door_key_file to "
				      "check that with");
	return rp_token_list_signed(keys, ask->url, ask->sig) ||
	       rp_door_refuse(no, 403, "bad_signature", NULL,
			      "sig is none of this URL with a key of door_key_file; make one "
			      "with: runpost sign-url");
}

static bool add_given(const struct rp_token_list *keys, const struct rp_door_ask *ask,
		      struct rp_buf *out, struct rp_url *url, struct rp_door_refusal *no)
{
	if (ask->problem != NULL)
		return rp_door_refuse(no, 422, "bad_url", NULL, "%s", ask->problem);
	if (ask->url.ptr == NULL)
		return rp_door_refuse(no, 422, "bad_url", NULL,
				      "the query names no url; write /to?url=, percent-encoded, "
				      "or /to/NAME");
	if (ask->sig.ptr != NULL && !judge_signature(keys, ask, no))
		return false;
	return accept_url(ask->url, out, url, no);
}

/* Of an unsigned URL: what stands behind the section's own path, from its '/' on. */
static bool judge_place(const struct rp_policy *policy, const struct rp_url *url,
			struct rp_door_refusal *no)
{
	size_t at = policy->prefix.path.len;
	const char *problem;

	if (!policy->door)
		return rp_door_refuse(no, 403, "not_published", NULL,
				      "the URL is not signed, and lies in no section that says "
				      "door = yes");
	if (at > 0 && policy->prefix.path.ptr[at - 1] == '/')
		at--;
	problem = rest_problem(rp_span_part(url->path, at, url->path.len));
	return problem == NULL || rp_door_refuse(no, 422, "bad_url", NULL, "%s", problem);
}

bool rp_door_target_add(const struct rp_config *config, const struct rp_token_list *keys,
			const struct rp_door_ask *ask, struct rp_buf *out,
			const struct rp_policy **policy, struct rp_door_refusal *no)
{
	bool by_name = ask->kind == RP_DOOR_TO_NAME, ok;
	size_t from = out->len;
	struct rp_url url;

	if (!(by_name ? add_named(config, ask, out, &url, no)
		      : add_given(keys, ask, out, &url, no)))
		return false;
	*policy = rp_config_policy(config, &url);
	if (by_name)
		ok = (*policy)->door ||
		     rp_door_refuse(no, 403, "not_published", NULL,
				    "the path behind the name belongs to another section, which "
				    "does not say door = yes");
	else
		ok = ask->sig.ptr != NULL || judge_place(*policy, &url, no);
	ok = ok && (ask->n_tokens == 0 || rp_door_keeps_own_url(*policy) ||
		    rp_door_refuse(no, 403, "token_in_url", NULL,
				   "runpost_token would reach the receiver in kwargs.webhook; add "
				   "drop = kwargs.webhook to its section, or use a header"));
	if (!ok) {
		out->len = from;
		out->data[from] = '\0';
	}
	return ok;
}
