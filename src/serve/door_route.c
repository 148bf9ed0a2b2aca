/* door_route.c - takes requests to the door apart: which path, which method, and what the query
 * holds. It decides what is asked for, not whether it is granted. */

#include "serve/door_route.h"

#include "http_server/target.h"
#include "sign/crypto.h"
#include "text/ascii.h"

static bool is_name_char(char c)
{
	return rp_char_is_alnum(c) || rp_char_is_one_of(c, "._-");
}

/* "." and "..", which clients resolve, are no names although a section may have them. */
static bool is_name(struct rp_span s)
{
	size_t i;

	for (i = 0; i < s.len; i++)
		if (!is_name_char(s.ptr[i]))
			return false;
	return s.len > 0 && s.len <= RP_DOOR_NAME_MAX && !rp_span_is(s, ".") &&
	       !rp_span_is(s, "..");
}

static bool is_entry_id(struct rp_span s)
{
	size_t i;

	for (i = 0; i < s.len; i++)
		if (!rp_char_is_alnum(s.ptr[i]) && !rp_char_is_one_of(s.ptr[i], "_-"))
			return false;
	return s.len > 0 && s.len <= RP_DOOR_ENTRY_ID_MAX;
}

/* Cuts `prefix` off the front. */
static bool after(struct rp_span *s, const char *prefix)
{
	size_t n = strlen(prefix);

	if (s->len < n || memcmp(s->ptr, prefix, n) != 0)
		return false;
	*s = rp_span_part(*s, n, s->len);
	return true;
}

static bool is_lines_type(struct rp_span type)
{
	static const char *const types[] = {"application/x-ndjson", "application/jsonl",
					    "application/ndjson"};
	size_t end = rp_span_find(type, 0, ';'), i;

	if (type.len == 0)
		return false;
	while (end > 0 && rp_char_is_one_of(type.ptr[end - 1], " \t"))
		end--;
	type = rp_span_part(type, 0, end);
	for (i = 0; i < sizeof types / sizeof types[0]; i++)
		if (rp_span_same_but_case(type, rp_span_of(types[i])))
			return true;
	return false;
}

/* false: no such path. */
static bool take_path(const struct rp_http_request *request, struct rp_span path,
		      struct rp_door_ask *ask)
{
	struct rp_span left = path;

	if (rp_span_is(path, "/to")) {
		ask->kind = RP_DOOR_TO_URL;
	} else if (after(&left, "/to/")) {
		size_t end = rp_span_find(left, 0, '/');

		ask->kind = RP_DOOR_TO_NAME;
		ask->name = rp_span_part(left, 0, end);
		ask->rest = rp_span_part(left, end, left.len);
		return is_name(ask->name);
	} else if (rp_span_is(path, "/v1/runs")) {
		ask->kind = is_lines_type(rp_http_request_find(request, "content-type"))
				? RP_DOOR_RUNS_LINES
				: RP_DOOR_RUNS;
	} else if (after(&left, "/v1/entries/")) {
		ask->kind = RP_DOOR_ENTRY;
		ask->entry_id = left;
		return is_entry_id(left);
	} else if (rp_span_is(path, "/healthz")) {
		ask->kind = RP_DOOR_HEALTHZ;
	} else if (rp_span_is(path, "/readyz")) {
		ask->kind = RP_DOOR_READYZ;
	} else {
		return false;
	}
	return true;
}

static bool is_read(enum rp_door_kind kind)
{
	return kind == RP_DOOR_ENTRY || rp_door_kind_is_public(kind);
}

static bool judge_method(struct rp_span method, enum rp_door_kind kind, struct rp_door_refusal *no)
{
	if (is_read(kind))
		return rp_span_is(method, "GET") || rp_span_is(method, "HEAD") ||
		       rp_door_refuse(no, 405, "method", "Allow: GET, HEAD\r\n",
				      "this path is read with GET or HEAD");
	return rp_span_is(method, "POST") ||
	       rp_door_refuse(no, 405, "method", "Allow: POST\r\n", "runs are sent here with POST");
}

/* Appends to text, in which there is room, so that nothing in it moves. A '%' without its two
 * digits: {NULL, 0}. */
static struct rp_span decoded(struct rp_span s, struct rp_buf *text)
{
	size_t from = text->len, i;

	for (i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (c == '%') {
			if (s.len - i < 3 || rp_char_hex(s.ptr[i + 1]) < 0 ||
			    rp_char_hex(s.ptr[i + 2]) < 0)
				return (struct rp_span){NULL, 0};
			c = (char)(rp_char_hex(s.ptr[i + 1]) << 4 | rp_char_hex(s.ptr[i + 2]));
			i += 2;
		}
		text->data[text->len++] = c;
	}
	return (struct rp_span){text->data + from, text->len - from};
}

static void take_token(struct rp_door_ask *ask, struct rp_span value)
{
	ask->token = ask->n_tokens++ == 0 ? decoded(value, &ask->text) : (struct rp_span){NULL, 0};
}

static void take_given(struct rp_door_ask *ask, struct rp_span *given, struct rp_span value)
{
	if (given->ptr != NULL)
		ask->problem = "the query says url or sig twice; percent-encode the & of the URL";
	*given = decoded(value, &ask->text);
	if (given->ptr == NULL)
		ask->problem = "a % in the query is not followed by two hexadecimal digits; "
			       "percent-encode the URL";
}

/* A parameter of /to that is neither is most often the end of a URL that was not encoded. */
static void take_target_param(struct rp_door_ask *ask, struct rp_span name, struct rp_span value)
{
	if (rp_span_is(name, "url"))
		take_given(ask, &ask->url, value);
	else if (rp_span_is(name, "sig"))
		take_given(ask, &ask->sig, value);
	else
		ask->problem =
		    "the query holds something else than url and sig; percent-encode the "
		    "whole URL";
}

/* Takes the credential out, and a target apart. What stays of the query is copied to the front of
 * text, and behind that is what was decoded: both have room. */
static void take_query(struct rp_door_ask *ask, struct rp_span query)
{
	char *kept = ask->text.data;
	size_t at, end, n = 0;
	bool first = true;

	ask->text.len = query.len;
	for (at = 0; at <= query.len; at = end + 1) {
		struct rp_span param, name, value;
		size_t equals;

		end = rp_span_find(query, at, '&');
		param = rp_span_part(query, at, end);
		equals = rp_span_find(param, 0, '=');
		name = decoded(rp_span_part(param, 0, equals), &ask->text);
		value = rp_span_part(param, equals + (equals < param.len), param.len);
		if (rp_span_is(name, RP_DOOR_QUERY_TOKEN)) {
			take_token(ask, value);
			continue;
		}
		if (ask->kind == RP_DOOR_TO_URL && param.len > 0)
			take_target_param(ask, name, value);
		if (!first)
			kept[n++] = '&';
		first = false;
		memcpy(kept + n, param.ptr, param.len);
		n += param.len;
	}
	if (ask->kind == RP_DOOR_TO_NAME)
		ask->query = (struct rp_span){kept, n};
}

void rp_door_ask_clear(struct rp_door_ask *ask)
{
	struct rp_buf text = ask->text;

	if (text.len > 0)
		rp_wipe(text.data, text.len);
	rp_buf_clear(&text);
	*ask = (struct rp_door_ask){.text = text};
}

bool rp_door_route(const struct rp_http_request *request, struct rp_door_ask *ask,
		   struct rp_door_refusal *no)
{
	struct rp_http_target target =
	    rp_http_target_split(rp_http_request_span(request, request->target));

	rp_door_ask_clear(ask);
	if (!take_path(request, target.path, ask))
		return rp_door_refuse(no, 404, "not_found", NULL,
				      "the door has no such path; runs go to /to/NAME, "
				      "/to?url=... or /v1/runs");
	if (!judge_method(rp_http_request_span(request, request->method), ask->kind, no))
		return false;
	if (target.query.len == 0)
		return true;
	if (!rp_buf_reserve(&ask->text, 2 * target.query.len))
		return rp_door_refuse(no, 503, "failed", RP_DOOR_RETRY_AFTER, "out of memory");
	take_query(ask, target.query);
	return true;
}

bool rp_door_kind_is_public(enum rp_door_kind kind)
{
	return kind == RP_DOOR_HEALTHZ || kind == RP_DOOR_READYZ;
}

void rp_door_ask_release(struct rp_door_ask *ask)
{
	rp_door_ask_clear(ask);
	rp_buf_release(&ask->text);
}
