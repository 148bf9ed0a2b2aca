/* Requests of HTTP/1.1: the same however the bytes arrive. Input: sizes of the pieces |
 * bytes. */
#include "fuzz.h"

#include "http_server/request.h"
#include "http_server/target.h"

#define MAX_BODY 4096

static const struct rp_http_bounds bounds = {RP_HTTP_REQUEST_HEAD_MAX, MAX_BODY};

struct result {
	enum rp_http_progress progress;
	struct rp_http_request request;
	struct rp_buf in;
};

static void parse(struct rp_span text, struct fuzz_input sizes, bool whole, struct result *r)
{
	size_t at = 0, n;

	memset(r, 0, sizeof *r);
	rp_http_request_begin(&r->request);
	r->progress = RP_HTTP_MORE;
	while (r->progress == RP_HTTP_MORE && at < text.len) {
		n = whole ? text.len : 1 + (size_t)fuzz_byte(&sizes) % 32;
		n = n < text.len - at ? n : text.len - at;
		MUST(rp_buf_add(&r->in, text.ptr + at, n), "out of memory");
		at += n;
		r->progress = rp_http_request_parse(&r->request, &r->in, 0, &bounds);
	}
}

static bool is_in(struct rp_span s, const struct result *r)
{
	return s.len == 0 || (s.ptr >= r->in.data && s.ptr + s.len <= r->in.data + r->in.len);
}

static void check_done(const struct result *r)
{
	const struct rp_http_request *q = &r->request;
	struct rp_span target = rp_http_request_span(q, q->target), query, name, value;
	struct rp_buf shown = {0};
	size_t i, j;

	MUST(q->used <= r->in.len && q->n_fields <= RP_HTTP_REQUEST_FIELDS_MAX, "used %zu of %zu",
	     q->used, r->in.len);
	MUST(is_in(rp_http_request_span(q, q->method), r) && is_in(target, r) &&
		 is_in(rp_http_request_body(q), r),
	     "outside of the buffer");
	MUST(rp_http_request_body(q).len <= MAX_BODY, "a body of %zu bytes",
	     rp_http_request_body(q).len);
	MUST(rp_http_request_find(q, "host").ptr != NULL || q->http_1_0, "no host");
	for (i = 0; i < q->n_fields; i++) {
		name = rp_http_request_span(q, q->fields[i].name);
		value = rp_http_request_span(q, q->fields[i].value);
		MUST(is_in(name, r) && is_in(value, r) && name.len > 0, "field %zu", i);
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size}, sizes;
	struct result whole, pieces;
	struct rp_span text;

	sizes.at = in.at;
	sizes.left = in.left < 8 ? in.left : 8;
	in.at += sizes.left;
	in.left -= sizes.left;
	text = fuzz_rest(&in);
	parse(text, sizes, true, &whole);
	parse(text, sizes, false, &pieces);
	MUST(whole.progress == pieces.progress, "%d as a whole, %d in pieces", whole.progress,
	     pieces.progress);
	if (whole.progress == RP_HTTP_BAD)
		MUST(whole.request.bad_status >= 400 && whole.request.bad_status < 600 &&
			 whole.request.bad_status == pieces.request.bad_status &&
			 strcmp(whole.request.bad_text, pieces.request.bad_text) == 0,
		     "%d %s as a whole, %d %s in pieces", whole.request.bad_status,
		     whole.request.bad_text, pieces.request.bad_status, pieces.request.bad_text);
	if (whole.progress == RP_HTTP_DONE) {
		check_done(&whole);
		check_done(&pieces);
		MUST(fuzz_same(rp_http_request_body(&whole.request),
			       rp_http_request_body(&pieces.request)) &&
			 whole.request.n_fields == pieces.request.n_fields &&
			 whole.request.keep_alive == pieces.request.keep_alive,
		     "another request in pieces");
	}
	rp_buf_release(&whole.in);
	rp_buf_release(&pieces.in);
	return 0;
}
