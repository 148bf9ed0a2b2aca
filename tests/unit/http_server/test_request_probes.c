/* The parser of requests against probes of its framing: the malformed ones that servers are known
 * to take, and the well-formed ones that they refuse; each as a whole, byte by byte and split at
 * every byte. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "http_server/request.h"

#define POST "POST /hook HTTP/1.1\r\n"
#define HOST "Host: h\r\n"
#define CHUNKED POST HOST "Transfer-Encoding: chunked\r\n\r\n"
#define BODY "{\"a\":1}"
#define ONE_CHUNK "7\r\n" BODY "\r\n0\r\n\r\n"
#define MALFORMED(name, status, text)                                                              \
	{                                                                                          \
		name, text, sizeof text - 1, status, 0, 0                                          \
	}
#define WELL_FORMED(name, text)                                                                    \
	{                                                                                          \
		name, text, sizeof text - 1, 0, 0, 0                                               \
	}
/* Of what follows a well-formed probe on its connection. */
#define NEXT "GET /next HTTP/1.1\r\n" HOST "\r\n"

static const struct rp_http_bounds bounds = {16384, 1000};

static const struct probe {
	const char *name, *bytes;
	size_t n;
	int status;        /* that refuses it; 0: taken, with BODY */
	size_t pad, lines; /* a field of `pad` bytes, and so many more fields, end the head */
} probes[] = {
    MALFORMED("two different lengths", 400,
	      POST HOST "Content-Length: 7\r\nContent-Length: 8\r\n\r\n" BODY),
    MALFORMED("length and chunked", 400,
	      POST HOST "Content-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n" ONE_CHUNK),
    MALFORMED("length with a sign", 400, POST HOST "Content-Length: +7\r\n\r\n" BODY),
    MALFORMED("space before the colon", 400, POST HOST "Content-Length : 7\r\n\r\n" BODY),
    MALFORMED("bare line feeds", 400, "POST /hook HTTP/1.1\nHost: h\nContent-Length: 7\n\n" BODY),
    MALFORMED("folded field", 400, POST HOST "X: 1\r\n 2\r\nContent-Length: 7\r\n\r\n" BODY),
    MALFORMED("NUL in a value", 400, POST HOST "X: 1\0002\r\nContent-Length: 7\r\n\r\n" BODY),
    MALFORMED("empty name", 400, POST HOST ": 1\r\nContent-Length: 7\r\n\r\n" BODY),
    MALFORMED("no host", 400, POST "Content-Length: 7\r\n\r\n" BODY),
    MALFORMED("two hosts", 400, POST HOST HOST "Content-Length: 7\r\n\r\n" BODY),
    MALFORMED("unknown coding", 501, POST HOST "Transfer-Encoding: xchunked\r\n\r\n" ONE_CHUNK),
    MALFORMED("chunked, identity", 501,
	      POST HOST "Transfer-Encoding: chunked, identity\r\n\r\n" ONE_CHUNK),
    MALFORMED("chunk size with 0x", 400, CHUNKED "0x" ONE_CHUNK),
    MALFORMED("chunks that end in line feeds", 400, CHUNKED "7\n" BODY "\n0\n\n"),
    MALFORMED("chunk longer than its size", 400, CHUNKED "5\r\n" BODY "\r\n0\r\n\r\n"),
    {"head of 40 KiB", POST HOST, sizeof POST HOST - 1, 431, 40960, 0},
    {"1,000 fields", POST HOST, sizeof POST HOST - 1, 431, 0, 1000},
    MALFORMED("HTTP/0.9", 400, "GET /hook\r\n\r\n"),
    MALFORMED("HTTP/2.0", 505, "POST /hook HTTP/2.0\r\n" HOST "Content-Length: 7\r\n\r\n" BODY),

    WELL_FORMED("chunk extensions",
		CHUNKED "3;a=b;c;d=\"x;\\\"y\"\r\n{\"a\r\n4 ; e = f\r\n\":1}\r\n0;g\r\n\r\n"),
    WELL_FORMED("two equal lengths",
		POST HOST "Content-Length: 7\r\nContent-Length: 7\r\n\r\n" BODY),
    WELL_FORMED("absolute form",
		"POST http://h/hook HTTP/1.1\r\n" HOST "Content-Length: 7\r\n\r\n" BODY),
    WELL_FORMED("empty lines before", "\r\n\r\n" POST HOST "Content-Length: 7\r\n\r\n" BODY),
    WELL_FORMED("white space around values",
		POST "Host:h\r\nX:\t1 \t 2\t\r\nContent-Length: \t 7 \t\r\n\r\n" BODY),
    WELL_FORMED("chunked with trailers", CHUNKED "7\r\n" BODY "\r\n0\r\nX-T: 1\r\nX-U:\r\n\r\n"),
};

#define N_PROBES (sizeof probes / sizeof probes[0])
_Static_assert(N_PROBES == 25, "19 malformed ones and 6 well-formed ones");

/* Heap, to be freed. */
static char *bytes_of(const struct probe *probe, size_t *n)
{
	struct rp_buf b = {0};
	size_t i;

	ck_assert(rp_buf_add(&b, probe->bytes, probe->n));
	if (probe->pad > 0) {
		ck_assert(rp_buf_add_text(&b, "X-Pad: "));
		for (i = 0; i < probe->pad; i++)
			ck_assert(rp_buf_add_char(&b, 'p'));
		ck_assert(rp_buf_add_text(&b, "\r\n"));
	}
	for (i = 0; i < probe->lines; i++)
		ck_assert(rp_buf_printf(&b, "X-%zu: 1\r\n", i));
	if (probe->pad > 0 || probe->lines > 0)
		ck_assert(rp_buf_add_text(&b, "\r\n"));
	*n = b.len;
	return b.data;
}

/* Feeds `cut` bytes, then pieces of `step`; what is left over stays unfed. */
static enum rp_http_progress feed(struct rp_http_request *r, struct rp_buf *in, const char *bytes,
				  size_t n, size_t cut, size_t step)
{
	enum rp_http_progress progress = RP_HTTP_MORE;
	size_t at = 0, piece = cut;

	rp_http_request_begin(r);
	while (progress == RP_HTTP_MORE && at < n) {
		piece = piece < n - at ? piece : n - at;
		ck_assert(rp_buf_add(in, bytes + at, piece));
		at += piece;
		piece = step;
		progress = rp_http_request_parse(r, in, 0, &bounds);
	}
	ck_assert_msg(progress != RP_HTTP_DONE || at == n, "done %zu bytes early", n - at);
	return progress;
}

static void check_next(struct rp_buf *in, size_t start)
{
	struct rp_http_request *r = calloc(1, sizeof *r);

	ck_assert(r != NULL && rp_buf_add_text(in, NEXT));
	rp_http_request_begin(r);
	ck_assert_int_eq(rp_http_request_parse(r, in, start, &bounds), RP_HTTP_DONE);
	ck_assert(rp_span_is(rp_http_request_span(r, r->target), "/next"));
	ck_assert_uint_eq(start + r->used, in->len);
	free(r);
}

static void check(const struct probe *probe, const char *bytes, size_t n, size_t cut, size_t step)
{
	struct rp_http_request *r = calloc(1, sizeof *r);
	struct rp_buf in = {0};
	enum rp_http_progress progress;

	ck_assert_ptr_nonnull(r);
	progress = feed(r, &in, bytes, n, cut, step);
	if (probe->status != 0) {
		ck_assert_msg(progress == RP_HTTP_BAD && r->bad_status == probe->status,
			      "%s, %zu then %zu: %d, status %d (%s)", probe->name, cut, step,
			      (int)progress, r->bad_status, r->bad_text);
		ck_assert(!r->keep_alive);
		ck_assert_uint_lt(in.len, bounds.head_bytes + cut + step + 1);
	} else {
		ck_assert_msg(progress == RP_HTTP_DONE, "%s, %zu then %zu: %d %s", probe->name, cut,
			      step, (int)progress, progress == RP_HTTP_BAD ? r->bad_text : "");
		ck_assert(rp_span_is(rp_http_request_body(r), BODY));
		ck_assert(rp_span_is(rp_http_request_span(r, r->target), "/hook"));
		ck_assert(r->keep_alive && r->used == in.len);
		check_next(&in, r->used);
	}
	rp_buf_release(&in);
	free(r);
}

START_TEST(a_probe_is_judged_alike_however_it_arrives)
{
	const struct probe *probe = &probes[_i];
	size_t n, cut, step;
	char *bytes = bytes_of(probe, &n);

	check(probe, bytes, n, n, 1);
	check(probe, bytes, n, 1, 1);
	step = n > 4096 ? 97 : 1;
	for (cut = step; cut < n; cut += step)
		check(probe, bytes, n, cut, n);
	free(bytes);
}
END_TEST

/* The door's bound and the receiver's. */
START_TEST(the_bound_of_a_head_is_what_is_given)
{
	static const size_t heads[] = {16384, RP_HTTP_REQUEST_HEAD_MAX};
	struct rp_http_bounds b = {heads[_i / 2], 1000};
	struct rp_http_request *r = calloc(1, sizeof *r);
	struct rp_buf in = {0};
	size_t over = (size_t)_i % 2;

	ck_assert(r != NULL && rp_buf_add_text(&in, POST HOST "X: "));
	while (in.len < b.head_bytes + over - 4)
		ck_assert(rp_buf_add_char(&in, 'x'));
	ck_assert(rp_buf_add_text(&in, "\r\n\r\n"));
	rp_http_request_begin(r);
	ck_assert_int_eq(rp_http_request_parse(r, &in, 0, &b), over ? RP_HTTP_BAD : RP_HTTP_DONE);
	ck_assert_int_eq(r->bad_status, over ? 431 : 0);
	rp_buf_release(&in);
	free(r);
}
END_TEST

START_TEST(sixty_four_fields_are_taken_and_no_more)
{
	struct rp_http_request *r = calloc(1, sizeof *r);
	struct rp_buf in = {0};
	int i;

	ck_assert(r != NULL && rp_buf_add_text(&in, POST HOST));
	for (i = 1; i < RP_HTTP_REQUEST_FIELDS_MAX + _i; i++)
		ck_assert(rp_buf_add_text(&in, "X: 1\r\n"));
	ck_assert(rp_buf_add_text(&in, "\r\n"));
	rp_http_request_begin(r);
	ck_assert_int_eq(rp_http_request_parse(r, &in, 0, &bounds),
			 _i == 0 ? RP_HTTP_DONE : RP_HTTP_BAD);
	ck_assert_int_eq(r->bad_status, _i == 0 ? 0 : 431);
	rp_buf_release(&in);
	free(r);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("http_request_probes");
	TCase *tc = tcase_create("probe");

	tcase_add_loop_test(tc, a_probe_is_judged_alike_however_it_arrives, 0, N_PROBES);
	tcase_add_loop_test(tc, the_bound_of_a_head_is_what_is_given, 0, 4);
	tcase_add_loop_test(tc, sixty_four_fields_are_taken_and_no_more, 0, 2);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(suite());
	int failed;

	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
