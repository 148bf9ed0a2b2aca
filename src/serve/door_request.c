/* door_request.c - takes requests from the server: judges their heads, copies what outlives them,
 * and passes whole ones on. It is the only part that looks at a request. */

#include "base/assert.h"
#include "run/trace.h"
#include "serve/door_int.h"

static void ask_peer(struct rp_door *door, struct rp_http_connection *c,
		     struct rp_door_visit *visit)
{
	if (visit->asked && !visit->peer.unasked)
		return;
	rp_peer_ask(&door->asker, rp_http_connection_fd(c), &visit->peer);
	if (!visit->asked)
		rp_door_count_connection(&door->counts);
	visit->asked = true;
}

static bool add_span(struct rp_buf *out, struct rp_span s)
{
	return s.len == 0 || rp_buf_add(out, s.ptr, s.len);
}

static enum rp_door_form form_of(enum rp_door_kind kind)
{
	return kind == RP_DOOR_RUNS         ? RP_DOOR_LINE
	       : kind == RP_DOOR_RUNS_LINES ? RP_DOOR_LINES
					    : RP_DOOR_RUN;
}

/* Fills *only with the value of a field that is there once. Returns how often it is there. */
static size_t find_only(const struct rp_http_request *request, const char *name,
			struct rp_span *only)
{
	size_t i, n = 0;

	*only = (struct rp_span){NULL, 0};
	for (i = 0; i < request->n_fields; i++) {
		if (!rp_span_is(rp_http_request_span(request, request->fields[i].name), name))
			continue;
		*only = rp_http_request_span(request, request->fields[i].value);
		n++;
	}
	if (n != 1)
		*only = (struct rp_span){NULL, 0};
	return n;
}

/* Several lines of tracestate mean them joined by commas (W3C Trace Context, 3.3.1.5). */
static bool join_states(const struct rp_http_request *request, struct rp_buf *out)
{
	bool ok = true;
	size_t i;

	for (i = 0; i < request->n_fields && ok; i++)
		if (rp_span_is(rp_http_request_span(request, request->fields[i].name),
			       "tracestate"))
			ok = (out->len == 0 || rp_buf_add_char(out, ',')) &&
			     add_span(out, rp_http_request_span(request, request->fields[i].value));
	return ok;
}

static bool copy_trace(const struct rp_http_request *request, struct rp_buf *out)
{
	struct rp_buf joined = {0};
	struct rp_span parent, state;
	bool ok;

	if (find_only(request, "traceparent", &parent) != 1)
		return true;
	if (find_only(request, "tracestate", &state) <= 1)
		return rp_trace_pack(parent, state, out);
	ok = join_states(request, &joined) &&
	     rp_trace_pack(parent, (struct rp_span){joined.data, joined.len}, out);
	rp_buf_release(&joined);
	return ok;
}

/* Lines have ids of their own: one key for all of them would make them one run. */
static bool judge_key(const struct rp_http_request *request, enum rp_door_kind kind,
		      struct rp_door_refusal *no)
{
	struct rp_span key;
	size_t n = find_only(request, "idempotency-key", &key);

	if (n == 0 || kind != RP_DOOR_RUNS)
		return true;
	return (n == 1 && key.len > 0 && key.len <= RP_FIELD_MAX) ||
	       rp_door_refuse(no, 422, "bad_field", NULL,
			      "Idempotency-Key: give it once, with 1 to %d bytes", RP_FIELD_MAX);
}

/* Copies what the request says besides its body: its bytes move while the body comes. */
static bool copy_head(const struct rp_door *door, const struct rp_http_request *request,
		      struct rp_door_held *held)
{
	const struct rp_door_head *head = &door->head;

	held->form = form_of(head->ask.kind);
	held->token_in_url = held->form == RP_DOOR_RUN && head->ask.n_tokens > 0;
	if (head->ask.kind == RP_DOOR_ENTRY)
		return add_span(&held->key, head->ask.entry_id);
	if (!add_span(&held->url, (struct rp_span){head->url.data, head->url.len}))
		return false;
	if (held->form == RP_DOOR_LINE &&
	    !add_span(&held->key, rp_http_request_find(request, "idempotency-key")))
		return false;
	return copy_trace(request, &held->headers);
}

static void busy(struct rp_door_refusal *no)
{
	rp_door_refuse(no, 503, "busy", RP_DOOR_RETRY_AFTER,
		       "too many requests wait already; send it again later");
}

static void see_head(void *context, struct rp_http_connection *c,
		     const struct rp_http_request *request)
{
	struct rp_door *door = context;
	struct rp_door_visit *visit = rp_http_connection_own(c);
	struct rp_door_refusal no;

	ask_peer(door, c, visit);
	if (!rp_door_judge_head(&door->rules->rules, &visit->peer, request, &door->head, &no) ||
	    !judge_key(request, door->head.ask.kind, &no)) {
		rp_door_answer_no(door, c, &no);
		return;
	}
	visit->kind = door->head.ask.kind;
	if (rp_door_kind_is_public(visit->kind))
		return;
	if (door->failed != RP_OK) {
		rp_door_refuse(&no, 503, "failed", RP_DOOR_RETRY_AFTER, RP_DOOR_FAILED_REASON);
		rp_door_answer_no(door, c, &no);
		return;
	}
	visit->held = rp_door_hold(door);
	if (visit->held != NULL && copy_head(door, request, visit->held)) {
		visit->held->connection = c;
		return;
	}
	if (visit->held != NULL)
		rp_door_unhold(door, visit->held);
	visit->held = NULL;
	busy(&no);
	rp_door_answer_no(door, c, &no);
}

static void answer_health(struct rp_door *door, struct rp_http_connection *c,
			  enum rp_door_kind kind)
{
	struct rp_door_refusal no;
	const char *why;

	if (kind == RP_DOOR_READYZ && !rp_door_is_ready(door, &why)) {
		rp_door_refuse(&no, 503, why, RP_DOOR_RETRY_AFTER,
			       "the door takes no runs at the moment");
		rp_door_answer_no(door, c, &no);
		return;
	}
	rp_buf_clear(&door->text);
	rp_door_answer(door, c, rp_buf_add_text(&door->text, "{\"status\":\"ok\"}\n") ? 200 : 503,
		       NULL);
}

static void take(void *context, struct rp_http_connection *c, const struct rp_http_request *request)
{
	struct rp_door *door = context;
	struct rp_door_visit *visit = rp_http_connection_own(c);
	struct rp_door_held *held = visit->held;

	if (rp_door_kind_is_public(visit->kind)) {
		answer_health(door, c, visit->kind);
		return;
	}
	assert(held != NULL);
	held->whole_at_us = rp_sys_stopwatch_us();
	held->hold_until_ms = door->service.boot_ms + door->rules->rules.config->door.hold_ms;
	if (visit->kind == RP_DOOR_ENTRY) {
		rp_door_submit_lookup(door, held);
		return;
	}
	rp_door_count_body(&door->counts, rp_http_request_body(request).len);
	if (rp_http_connection_take_body(c, &held->body))
		rp_door_submit(door, held);
	else
		rp_door_answer_held_no(door, held, 503, "busy", "out of memory; send it again");
}

static const char *code_of(int status)
{
	return status == 408   ? "timeout"
	       : status == 413 ? "too_large"
	       : status == 503 ? "busy"
			       : "bad_request";
}

/* The request is no request, or broke a limit. Its body, if there is one, is not whole. */
static void refuse(void *context, struct rp_http_connection *c,
		   const struct rp_http_request *request)
{
	struct rp_door *door = context;
	struct rp_door_visit *visit = rp_http_connection_own(c);
	struct rp_door_refusal no;

	if (visit->held != NULL)
		rp_door_unhold(door, visit->held);
	visit->held = NULL;
	rp_door_refuse(&no, request->bad_status, code_of(request->bad_status),
		       request->bad_status == 503 ? RP_DOOR_RETRY_AFTER : NULL, "%s",
		       request->bad_text);
	rp_door_answer_no(door, c, &no);
}

static void gone(void *context, struct rp_http_connection *c)
{
	struct rp_door_visit *visit = rp_http_connection_own(c);

	(void)context;
	if (visit->held != NULL)
		visit->held->connection = NULL;
	visit->held = NULL;
}

/* The body of its request never came whole. */
static void closed(void *context, struct rp_http_connection *c)
{
	struct rp_door_visit *visit = rp_http_connection_own(c);

	if (visit->held != NULL)
		rp_door_unhold(context, visit->held);
	visit->held = NULL;
}

static void turned(void *context)
{
	rp_door_go_on(context);
}

static void tick(void *context)
{
	rp_door_tick(context);
}

const struct rp_http_handler rp_door_handler = {
    .own_bytes = sizeof(struct rp_door_visit),
    .head = see_head,
    .take = take,
    .refuse = refuse,
    .gone = gone,
    .closed = closed,
    .turned = turned,
    .tick = tick,
};
