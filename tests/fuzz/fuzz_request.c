/* Requests of HTTP/1.1, one behind the other: understood as by a naive reader of the RFC, and the
 * same however the bytes arrive. Input: sizes of the pieces | bytes. */
#include "fuzz.h"

#include "http_server/request.h"
#include "http_server/target.h"
#include "naive_request.h"

#define REQUESTS_MAX 8

/* Small, so that inputs get past them. */
static const struct rp_http_bounds bounds = {1024, 300};

struct result {
	size_t n; /* of outcomes; all but the last are done */
	struct outcome outcomes[REQUESTS_MAX];
};

static bool is_in(struct rp_span s, const struct rp_buf *in)
{
	return s.len == 0 || (s.ptr >= in->data && s.ptr + s.len <= in->data + in->len);
}

static void check_done(const struct rp_http_request *q, const struct rp_buf *in)
{
	struct rp_span target = rp_http_request_span(q, q->target), query, name, value;
	struct rp_buf shown = {0};
	size_t i, j;

	MUST(q->used <= in->len && q->n_fields <= RP_HTTP_REQUEST_FIELDS_MAX, "used %zu of %zu",
	     q->used, in->len);
	MUST(is_in(rp_http_request_span(q, q->method), in) && is_in(target, in) &&
		 is_in(rp_http_request_body(q), in),
	     "outside of the buffer");
	MUST(rp_http_request_body(q).len <= bounds.body_bytes, "a body of %zu bytes",
	     rp_http_request_body(q).len);
	MUST(rp_http_request_find(q, "host").ptr != NULL || q->http_1_0, "no host");
	for (i = 0; i < q->n_fields; i++) {
		name = rp_http_request_span(q, q->fields[i].name);
		value = rp_http_request_span(q, q->fields[i].value);
		MUST(is_in(name, in) && is_in(value, in) && name.len > 0, "field %zu", i);
		for (j = 0; j < name.len; j++)
			MUST(name.ptr[j] < 'A' || name.ptr[j] > 'Z', "upper case");
		MUST(value.len == 0 ||
			 (memchr(value.ptr, '\n', value.len) == NULL && value.ptr[0] != ' '),
		     "value");
	}
	MUST(rp_http_target_show(target, &shown), "out of memory");
	MUST(memchr(target.ptr, '?', target.len) != NULL || strlen(shown.data) == target.len, "%s",
	     shown.data);
	query = rp_http_target_split(target).query;
	for (i = 0; rp_http_target_next_param(&query, &name, &value); i++)
		MUST(i <= target.len, "without end");
	rp_buf_release(&shown);
}

/* What the parser says of a request, in the naive reader's words. */
static void note(const struct rp_http_request *q, enum rp_http_progress progress, size_t rest,
		 struct outcome *out)
{
	struct rp_span method, target, body;

	memset(out, 0, sizeof *out);
	out->progress = progress;
	if (progress == RP_HTTP_BAD) {
		MUST(q->bad_text != NULL && !q->keep_alive, "status %d", q->bad_status);
		out->status = q->bad_status;
	}
	if (progress != RP_HTTP_DONE)
		return;
	method = rp_http_request_span(q, q->method);
	target = rp_http_request_span(q, q->target);
	body = rp_http_request_body(q);
	out->keep_alive = q->keep_alive;
	out->rest = rest;
	MUST(q->is_head == rp_span_is(method, "HEAD") && rp_http_request_has_head(q), "its head");
	MUST(rp_buf_printf(&out->said, "%.*s %.*s %zu\n", (int)method.len, method.ptr,
			   (int)target.len, target.ptr, q->n_fields) &&
		 rp_buf_add(&out->said, body.ptr, body.len),
	     "out of memory");
}

/* As a connection does it. */
static void parse(struct rp_span text, struct fuzz_input sizes, bool whole, struct result *result)
{
	static struct rp_http_request q;
	struct rp_buf in = {0};
	enum rp_http_progress progress = RP_HTTP_MORE;
	size_t fed = 0, start = 0, n;

	result->n = 0;
	rp_http_request_begin(&q);
	for (;;) {
		progress = rp_http_request_parse(&q, &in, start, &bounds);
		if (progress == RP_HTTP_MORE && fed < text.len) {
			n = whole ? text.len : 1 + (size_t)fuzz_byte(&sizes) % 32;
			n = n < text.len - fed ? n : text.len - fed;
			MUST(rp_buf_add(&in, text.ptr + fed, n), "out of memory");
			fed += n;
			continue;
		}
		if (progress == RP_HTTP_DONE) {
			check_done(&q, &in);
			start += q.used;
		}
		note(&q, progress, text.len - fed + in.len - start, &result->outcomes[result->n++]);
		if (progress != RP_HTTP_DONE || result->n == REQUESTS_MAX)
			break;
		rp_http_request_begin(&q);
	}
	rp_buf_release(&in);
}

static void read_naively(struct rp_span text, struct result *result)
{
	size_t at = 0;

	result->n = 0;
	do
		at = naive_read(text, at, &bounds, &result->outcomes[result->n]);
	while (result->outcomes[result->n++].progress == RP_HTTP_DONE && result->n < REQUESTS_MAX);
}

static void compare(const struct result *a, const struct result *b, const char *how)
{
	const struct outcome *x, *y;
	size_t i;

	for (i = 0; i < a->n && i < b->n; i++) {
		x = &a->outcomes[i];
		y = &b->outcomes[i];
		MUST(x->progress == y->progress && x->status == y->status &&
			 x->keep_alive == y->keep_alive && x->rest == y->rest,
		     "%s, request %zu: %d and %d, status %d and %d, keep_alive %d and %d, rest %zu "
		     "and %zu",
		     how, i, x->progress, y->progress, x->status, y->status, x->keep_alive,
		     y->keep_alive, x->rest, y->rest);
		MUST(x->said.len == y->said.len &&
			 (x->said.len == 0 || memcmp(x->said.data, y->said.data, x->said.len) == 0),
		     "%s, request %zu: \"%s\" and \"%s\"", how, i, x->said.data, y->said.data);
	}
	MUST(a->n == b->n, "%s: %zu and %zu requests", how, a->n, b->n);
}

static void release(struct result *result)
{
	while (result->n > 0)
		rp_buf_release(&result->outcomes[--result->n].said);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size}, sizes;
	struct result whole, pieces, naive;
	struct rp_span text;

	sizes.at = in.at;
	sizes.left = in.left < 8 ? in.left : 8;
	in.at += sizes.left;
	in.left -= sizes.left;
	text = fuzz_rest(&in);
	parse(text, sizes, true, &whole);
	parse(text, sizes, false, &pieces);
	read_naively(text, &naive);
	compare(&whole, &pieces, "whole and in pieces");
	compare(&whole, &naive, "parser and naive reader");
	release(&whole);
	release(&pieces);
	release(&naive);
	return 0;
}
