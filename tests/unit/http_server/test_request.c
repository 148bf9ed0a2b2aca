/* The parser of requests: framing, strictness, and independence of how the bytes arrive. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "http_server/request.h"

#define MAX_BODY 1000
#define HOST "Host: h\r\n"
#define CHUNKED "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"

static const struct rp_http_bounds bounds = {RP_HTTP_REQUEST_HEAD_MAX, MAX_BODY};

struct parsed {
	struct rp_http_request r;
	struct rp_buf in;
	enum rp_http_progress progress;
};

static void give(struct parsed *p, const char *bytes, size_t n)
{
	ck_assert(rp_buf_add(&p->in, bytes, n));
	p->progress = rp_http_request_parse(&p->r, &p->in, 0, &bounds);
}

static struct parsed *parse_bytes(const char *bytes, size_t n)
{
	struct parsed *p = calloc(1, sizeof *p);

	ck_assert_ptr_nonnull(p);
	rp_http_request_begin(&p->r);
	give(p, bytes, n);
	return p;
}

static struct parsed *parse(const char *text)
{
	return parse_bytes(text, strlen(text));
}

static void release(struct parsed *p)
{
	rp_buf_release(&p->in);
	free(p);
}

static void expect_span(struct rp_span got, const char *want)
{
	ck_assert_msg(rp_span_is(got, want), "got \"%.*s\", want \"%s\"", (int)got.len, got.ptr,
		      want);
}

static const char post[] = "POST /hook?token=s HTTP/1.1\r\nHost: h\r\nWebhook-Id:  msg_1 "
			   "\r\nContent-Length: 5\r\n\r\nhello";
static const char chunked_post[] =
    "POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    "5\r\nhello\r\n1;ext=1\r\n,\r\n6\r\n world\r\n0\r\nX-Trailer: 1\r\n\r\n";

START_TEST(a_post_is_taken_apart)
{
	struct parsed *p = parse(post);

	ck_assert_int_eq(p->progress, RP_HTTP_DONE);
	expect_span(rp_http_request_span(&p->r, p->r.method), "POST");
	expect_span(rp_http_request_span(&p->r, p->r.target), "/hook?token=s");
	expect_span(rp_http_request_find(&p->r, "webhook-id"), "msg_1");
	expect_span(rp_http_request_body(&p->r), "hello");
	ck_assert_uint_eq(p->r.used, strlen(post));
	ck_assert(p->r.keep_alive);
	ck_assert_ptr_null(rp_http_request_find(&p->r, "webhook-timestamp").ptr);
	release(p);
}
END_TEST

START_TEST(a_chunked_body_is_joined_and_its_framing_leaves_the_buffer)
{
	struct parsed *p = parse(chunked_post);

	ck_assert_int_eq(p->progress, RP_HTTP_DONE);
	expect_span(rp_http_request_body(&p->r), "hello, world");
	ck_assert_uint_eq(p->in.len, p->r.used);
	ck_assert_uint_lt(p->in.len, strlen(chunked_post));
	release(p);
}
END_TEST

START_TEST(it_does_not_matter_where_the_bytes_are_split)
{
	static const char *const texts[] = {post, chunked_post};
	static const char *const bodies[] = {"hello", "hello, world"};
	size_t t, cut, n;

	for (t = 0; t < 2; t++) {
		n = strlen(texts[t]);
		for (cut = 1; cut < n; cut++) {
			struct parsed *p = parse_bytes(texts[t], cut);

			ck_assert_msg(p->progress == RP_HTTP_MORE, "text %zu cut at %zu: %d", t,
				      cut, (int)p->progress);
			give(p, texts[t] + cut, n - cut);
			ck_assert_msg(p->progress == RP_HTTP_DONE, "text %zu cut at %zu: %d", t,
				      cut, (int)p->progress);
			expect_span(rp_http_request_body(&p->r), bodies[t]);
			release(p);
		}
	}
}
END_TEST

START_TEST(byte_by_byte_is_the_same_as_at_once)
{
	static const char *const texts[] = {post, chunked_post};
	static const char *const bodies[] = {"hello", "hello, world"};
	size_t t, i;

	for (t = 0; t < 2; t++) {
		struct parsed *p = parse_bytes(texts[t], 1);

		for (i = 1; i < strlen(texts[t]); i++) {
			ck_assert_msg(p->progress == RP_HTTP_MORE, "text %zu byte %zu: %d", t, i,
				      (int)p->progress);
			give(p, texts[t] + i, 1);
		}
		ck_assert_int_eq(p->progress, RP_HTTP_DONE);
		expect_span(rp_http_request_body(&p->r), bodies[t]);
		release(p);
	}
}
END_TEST

START_TEST(pipelined_requests_come_out_one_after_the_other)
{
	struct rp_http_request *r = calloc(1, sizeof *r);
	struct rp_buf in = {0};
	size_t start = 0, i;

	ck_assert_ptr_nonnull(r);
	ck_assert(rp_buf_add_text(&in, post) && rp_buf_add_text(&in, chunked_post) &&
		  rp_buf_add_text(&in, post));
	for (i = 0; i < 3; i++) {
		rp_http_request_begin(r);
		ck_assert_int_eq(rp_http_request_parse(r, &in, start, &bounds), RP_HTTP_DONE);
		expect_span(rp_http_request_body(r), i == 1 ? "hello, world" : "hello");
		start += r->used;
	}
	ck_assert_uint_eq(start, in.len);
	rp_buf_release(&in);
	free(r);
}
END_TEST

START_TEST(the_buffer_may_move_between_reads)
{
	size_t half = strlen(post) / 2;
	struct parsed *p = parse_bytes(post, half);
	struct rp_buf moved = {0};

	ck_assert_int_eq(p->progress, RP_HTTP_MORE);
	ck_assert(rp_buf_add_text(&moved, "xyz") && rp_buf_add(&moved, p->in.data, p->in.len));
	rp_buf_release(&p->in);
	ck_assert(rp_buf_add_text(&moved, post + half));
	ck_assert_int_eq(rp_http_request_parse(&p->r, &moved, 3, &bounds), RP_HTTP_DONE);
	expect_span(rp_http_request_find(&p->r, "webhook-id"), "msg_1");
	expect_span(rp_http_request_body(&p->r), "hello");
	rp_buf_release(&moved);
	release(p);
}
END_TEST

static const struct {
	const char *text;
	int status;
} refused[] = {
    {"POST /\r\n", 400},
    {"POST / HTTP/1.1\n", 400},
    {"PO ST / HTTP/1.1\r\n", 400},
    {"P@ST / HTTP/1.1\r\n", 400},
    {"POST hook HTTP/1.1\r\n", 400},
    {"POST /a\x01 HTTP/1.1\r\n", 400},
    {"POST /a\xc3\xa4 HTTP/1.1\r\n", 400},
    {"POST / HTTP/2.0\r\n", 505},
    {"POST / HTTP/1.2\r\n", 505},
    {"POST / SMTP/1.1\r\n", 400},
    {"POST / HTTP/1.1\r\nHost: h \n", 400},
    {"POST / HTTP/1.1\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST HOST "\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "X : 1\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "X: 1\r\n folded\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "nocolon\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST ": 1\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "X: a\x07z\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "X: a\rb\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 1, 1\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 2\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 1001\r\n\r\n", 413},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999999999\r\n\r\n", 413},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 9223372036854775808\r\n\r\n", 413},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 18446744073709551621\r\n\r\nhello", 413},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 400},
    {"POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n", 501},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, chunked\r\n", 501},
    {"POST / HTTP/1.1\r\n" HOST "Expect: tea\r\n", 417},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3e9\r\n", 413},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n10000000000000001\r\n", 413},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1\n", 400},
    /* the request line */
    {"POST  / HTTP/1.1\r\n", 400},
    {"POST /\t HTTP/1.1\r\n", 400},
    {"POST\t/ HTTP/1.1\r\n", 400},
    {" POST / HTTP/1.1\r\n", 400},
    {"POST / HTTP/1.1 \r\n", 400},
    {"POST / HTTP/1.1x\r\n", 400},
    {"POST / http/1.1\r\n", 400},
    {"POST / HTTP/1.10\r\n", 400},
    {"POST / HTTP/01.1\r\n", 400},
    {"POST / HTTP/1\r\n", 400},
    {"POST / HTTP/a.b\r\n", 400},
    {"POST / HTTP /1.1\r\n", 400},
    {"POST HTTP/1.1\r\n", 400},
    {"POST / HTTP/1.1\r\r\n", 400},
    {"POST /\rGET / HTTP/1.1\r\n", 400},
    {"POST /a#b HTTP/1.1\r\n", 400},
    {"POST /a b HTTP/1.1\r\n", 400},
    {"POST /\x7f HTTP/1.1\r\n", 400},
    {"GET * HTTP/1.1\r\n", 400},
    {"OPTIONS *a HTTP/1.1\r\n", 400},
    {"CONNECT h:443 HTTP/1.1\r\n", 400},
    {"CONNECT / HTTP/1.1\r\n", 400},
    {"POST h:80 HTTP/1.1\r\n", 400},
    {"POST http:// HTTP/1.1\r\n", 400},
    {"POST http:///a HTTP/1.1\r\n", 400},
    {"POST http://:80/a HTTP/1.1\r\n", 400},
    {"POST http://u@h/a HTTP/1.1\r\n", 400},
    {"POST http://h,i/ HTTP/1.1\r\n", 400},
    {"POST https://h/a HTTP/1.1\r\n", 400},
    {"POST //h/a\r\n", 400},
    {"\r\r\nPOST / HTTP/1.1\r\n", 400},
    {"\nPOST / HTTP/1.1\r\n", 400},
    {"PRI * HTTP/2.0\r\n", 505},
    /* the host */
    {"POST / HTTP/1.1\r\nHost: h, i\r\n", 400},
    {"POST / HTTP/1.1\r\nHost: h,i\r\n", 400},
    {"POST / HTTP/1.1\r\nHost: h i\r\n", 400},
    {"POST / HTTP/1.1\r\nHost: u@h\r\n", 400},
    {"POST / HTTP/1.1\r\nHost: h/a\r\n", 400},
    {"POST / HTTP/1.1\r\nHost: h:x\r\n", 400},
    {"POST / HTTP/1.1\r\nHost: h:80:80\r\n", 400},
    {"POST / HTTP/1.1\r\nHost: [::1\r\n", 400},
    {"POST / HTTP/1.1\r\nHost: []\r\n", 400},
    {"POST / HTTP/1.1\r\nHost: [::1]x\r\n", 400},
    {"POST / HTTP/1.1\r\nHost: a\xc3\xa4\r\n", 400},
    {"POST / HTTP/1.1\r\nHost: h%2\r\n", 400},
    {"POST / HTTP/1.1\r\nHost: h?\r\n", 400},
    {"POST http://i/ HTTP/1.1\r\n" HOST "\r\n", 400},
    {"POST http://h:81/ HTTP/1.1\r\n" HOST "\r\n", 400},
    /* fields */
    {"POST / HTTP/1.1\r\n" HOST "\tX: 1\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST " X: 1\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "X\t: 1\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "X: 1\r\n\tfolded\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "X: 1\r\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "X: a\x0bz\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "X: a\x7fz\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "X\x80: 1\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "X(: 1\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "X: 1\r\n\r\r\n", 400},
    /* lengths and codings */
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5, 5\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5,5\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5 5\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 0x5\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5.0\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 1e1\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: -0\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5;\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: \"5\"\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5_0\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: \xd9\xa5\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: +5\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: \r\n", 501},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\n", 501},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked,\r\n", 501},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: ,chunked\r\n", 501},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked;a=b\r\n", 501},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, gzip\r\n", 501},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n", 501},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: \"chunked\"\r\n", 501},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n", 501},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked chunked\r\n", 501},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chun ked\r\n", 501},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
     501},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
     501},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: \vchunked\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\x0c\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding:\r\n chunked\r\n", 501},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding : chunked\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\ntransfer-encoding: Chunked\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Expect: \r\n", 417},
    {"POST / HTTP/1.1\r\n" HOST "Expect: y 100-continue\r\n", 417},
    {"POST / HTTP/1.1\r\n" HOST "Expect: 100-continue, 100-continue\r\n", 417},
    {"POST / HTTP/1.1\r\n" HOST "Expect: 100-continue;a\r\n", 417},
    {"POST / HTTP/1.1\r\n" HOST "Expect: 200-ok\r\n", 417},
    /* chunks */
    {CHUNKED "+5\r\n", 400},
    {CHUNKED "-5\r\n", 400},
    {CHUNKED "5_0\r\n", 400},
    {CHUNKED " 5\r\n", 400},
    {CHUNKED "5 \r\n", 400},
    {CHUNKED "5\t\r\n", 400},
    {CHUNKED "5g\r\n", 400},
    {CHUNKED ";a\r\n", 400},
    {CHUNKED "5;\r\n", 400},
    {CHUNKED "5;;a\r\n", 400},
    {CHUNKED "5; \r\n", 400},
    {CHUNKED "5;a=\r\n", 400},
    {CHUNKED "5;a=b=c\r\n", 400},
    {CHUNKED "5;a b\r\n", 400},
    {CHUNKED "5;=b\r\n", 400},
    {CHUNKED "5;\"a\"\r\n", 400},
    {CHUNKED "5;a=\"b\r\n", 400},
    {CHUNKED "5;a=\"b\"c\r\n", 400},
    {CHUNKED "5;a=\"b\\\r\n", 400},
    {CHUNKED "5;a=\"b\x01\"\r\n", 400},
    {CHUNKED "5;a\x7f\r\n", 400},
    {CHUNKED "5;a=\xc3\r\n", 400},
    {CHUNKED "5\r\r\n", 400},
    {CHUNKED "5;a\rb\r\n", 400},
    {CHUNKED "\r5\r\n", 400},
    {CHUNKED "5;a=\"b\r\nc\"\r\n", 400},
    {CHUNKED "5;a\nhello", 400},
    {CHUNKED "5;\nxx;a=\r\n", 400},
    {CHUNKED "5\r\nhelloxx", 400},
    {CHUNKED "5\r\nhello\n\n", 400},
    {CHUNKED "5\r\nhello\r\r", 400},
    {CHUNKED "5\r\nhello\n0\r\n", 400},
    {CHUNKED "0\n", 400},
    {CHUNKED "0\r\n\n", 400},
    {CHUNKED "0\r\nX: 1\n", 400},
    {CHUNKED "0\r\nnocolon\r\n", 400},
    {CHUNKED "0\r\nX : 1\r\n", 400},
    {CHUNKED "0\r\n X: 1\r\n", 400},
    {CHUNKED "0\r\n: 1\r\n", 400},
    {CHUNKED "0\r\nX: a\rb\r\n", 400},
    {CHUNKED "0\r\nX: 1\r\n 2\r\n", 400},
    {CHUNKED "0\r\nContent-Length: 5\r\n", 400},
    {CHUNKED "0\r\ntransfer-ENCODING: chunked\r\n", 400},
    {CHUNKED "0\r\nHost: i\r\n", 400},
    {CHUNKED "0\r\nGET / HTTP/1.1\r\n", 400},
    {CHUNKED "0\r\n\r\r\n", 400},
    {CHUNKED "ffffffffffffffff\r\n", 413},
    {CHUNKED "fffffffffffffffff\r\n", 413},
    {CHUNKED "80000000\r\n", 413},
};

START_TEST(what_is_not_http_is_refused_with_the_right_status)
{
	struct parsed *p = parse(refused[_i].text);

	ck_assert_msg(p->progress == RP_HTTP_BAD, "taken: %s", refused[_i].text);
	ck_assert_msg(p->r.bad_status == refused[_i].status, "%d (%s), want %d: %s",
		      p->r.bad_status, p->r.bad_text, refused[_i].status, refused[_i].text);
	ck_assert_ptr_nonnull(p->r.bad_text);
	release(p);
}
END_TEST

static const struct {
	const char *text, *target, *body;
} taken[] = {
    {"POST /a?b=c HTTP/1.1\r\nHost: h:80\r\n\r\n", "/a?b=c", ""},
    {"POST /\"<>\\^`{|}[] HTTP/1.1\r\n" HOST "\r\n", "/\"<>\\^`{|}[]", ""},
    {"POST //h/a HTTP/1.1\r\n" HOST "\r\n", "//h/a", ""},
    {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "*", ""},
    {"POST HTTP://H:80/a HTTP/1.1\r\n" HOST "\r\n", "/a", ""},
    {"POST http://h HTTP/1.1\r\n" HOST "\r\n", "/", ""},
    {"POST http://h:8080?a=/b HTTP/1.1\r\nHost: h:8080\r\n\r\n", "/?a=/b", ""},
    {"POST http://[::1]:80/a HTTP/1.1\r\nHost: [::1]\r\n\r\n", "/a", ""},
    {"POST http://h/a HTTP/1.0\r\n\r\n", "/a", ""},
    {"m!#$%&'*+-.^_`|~9 / HTTP/1.1\r\n" HOST "\r\n", "/", ""},
    {"POST / HTTP/1.1\r\nHost:\r\n\r\n", "/", ""},
    {"POST / HTTP/1.1\r\nHost: a_b.c-d%20~!$&'()*+;=\r\n\r\n", "/", ""},
    {"POST / HTTP/1.1\r\nHost: h:\r\n\r\n", "/", ""},
    {"POST / HTTP/1.1\r\nhOST: [1:2::3.4.5.6]:1\r\n\r\n", "/", ""},
    {"POST / HTTP/1.1\r\n" HOST "X:\r\nY: \t\r\nZ: a\tb\xff\r\n\r\n", "/", ""},
    {"POST / HTTP/1.1\r\n" HOST "Content_Length: 9\r\nTransfer_Encoding: chunked\r\n\r\n", "/", ""},
    {"POST / HTTP/1.1\r\n" HOST "CONTENT-LENGTH: 005\r\n\r\nhello", "/", "hello"},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 05\r\n\r\nhello", "/",
     "hello"},
    {"GET / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello", "/", "hello"},
    {"OPTIONS / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello", "/", "hello"},
    {"POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello", "/", "hello"},
    {"POST / HTTP/1.1\r\n" HOST "Upgrade: h2c\r\nConnection: upgrade\r\nContent-Length: 5\r\n"
     "\r\nhello",
     "/", "hello"},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding:\tcHUNKED \r\n\r\n0\r\n\r\n", "/", ""},
    {CHUNKED "00000000000000000005\r\nhello\r\n000\r\n\r\n", "/", "hello"},
    {CHUNKED "A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", "/", "01234567890123456789"},
    {CHUNKED "5\r\n0\r\n\r\n\r\n0\r\n\r\n", "/", "0\r\n\r\n"},
    {CHUNKED "5;a;b=c \t;\td\t= \"e \\\" f;=\xff\t\"\r\nhello\r\n0;a\r\n\r\n", "/", "hello"},
    {CHUNKED "5;a=\"\"\r\nhello\r\n0\r\nX:\r\nAuthorization: a\r\n\r\n", "/", "hello"},
};

START_TEST(what_is_well_formed_is_taken_with_its_body)
{
	struct parsed *p = parse(taken[_i].text);

	ck_assert_msg(p->progress == RP_HTTP_DONE, "%s: %s",
		      p->progress == RP_HTTP_BAD ? p->r.bad_text : "incomplete", taken[_i].text);
	expect_span(rp_http_request_span(&p->r, p->r.target), taken[_i].target);
	expect_span(rp_http_request_body(&p->r), taken[_i].body);
	ck_assert_uint_eq(p->r.used, p->in.len);
	release(p);
}
END_TEST

/* So that who may ask can be judged before the length. */
START_TEST(of_one_refused_for_its_length_the_head_can_be_read)
{
	struct parsed *p =
	    parse("POST /a HTTP/1.1\r\n" HOST "Content-Length: 1001\r\nX: y\r\n\r\n");

	ck_assert_int_eq(p->r.bad_status, 413);
	ck_assert(rp_http_request_has_head(&p->r) && !p->r.keep_alive);
	expect_span(rp_http_request_span(&p->r, p->r.target), "/a");
	expect_span(rp_http_request_find(&p->r, "x"), "y");
	release(p);
	p = parse("POST /a HTTP/1.1\r\n" HOST);
	ck_assert(!rp_http_request_has_head(&p->r));
	release(p);
}
END_TEST

START_TEST(a_head_request_is_known_as_one_when_it_is_refused)
{
	struct parsed *p = parse("HEAD / HTTP/1.1\r\nHost: h\r\nX : 1\r\n");

	ck_assert_int_eq(p->r.bad_status, 400);
	ck_assert(p->r.is_head);
	release(p);
	p = parse("HEAD / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n");
	ck_assert(p->progress == RP_HTTP_MORE && p->r.is_head && p->r.keep_alive);
	release(p);
}
END_TEST

START_TEST(extensions_of_many_chunks_are_bounded_together)
{
	char line[300];
	struct parsed *p = parse(CHUNKED);
	int i, n = snprintf(line, sizeof line, "1;%0200d\r\nx\r\n", 0);

	for (i = 0; p->progress == RP_HTTP_MORE && i < 100; i++)
		give(p, line, (size_t)n);
	ck_assert_int_eq(p->r.bad_status, 400);
	ck_assert_int_lt(i, 50);
	release(p);
}
END_TEST

START_TEST(an_endless_head_is_refused_before_it_fills_memory)
{
	struct parsed *p = parse("POST / HTTP/1.1\r\n");
	char line[64];
	int i;

	for (i = 0; p->progress == RP_HTTP_MORE && i < 10000; i++) {
		snprintf(line, sizeof line, "X-%d: %040d\r\n", i, i);
		give(p, line, strlen(line));
	}
	ck_assert_int_eq(p->progress, RP_HTTP_BAD);
	ck_assert_int_eq(p->r.bad_status, 431);
	release(p);
	p = parse("POST /");
	for (i = 0; p->progress == RP_HTTP_MORE && i < 10000; i++)
		give(p, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 40);
	ck_assert_int_eq(p->r.bad_status, 431);
	ck_assert_uint_lt(p->in.len, RP_HTTP_REQUEST_HEAD_MAX + 100);
	release(p);
}
END_TEST

START_TEST(endless_trailers_and_chunk_lines_are_refused)
{
	static const char head[] = "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n";
	struct parsed *p = parse(head);
	int i;

	give(p, "0\r\n", 3);
	for (i = 0; p->progress == RP_HTTP_MORE && i < 10000; i++)
		give(p, "X-T: 0123456789\r\n", 17);
	ck_assert_int_eq(p->r.bad_status, 431);
	release(p);
	p = parse(head);
	for (i = 0; p->progress == RP_HTTP_MORE && i < 1000; i++)
		give(p, "1;", 2);
	ck_assert_int_eq(p->r.bad_status, 400);
	release(p);
}
END_TEST

START_TEST(small_chunks_do_not_pile_up_in_the_buffer)
{
	struct parsed *p = parse("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
	size_t head = p->in.len;
	int i;

	for (i = 0; i < MAX_BODY; i++) {
		give(p, "1\r\nx\r\n", 6);
		ck_assert_int_eq(p->progress, RP_HTTP_MORE);
		ck_assert_uint_le(p->in.len, head + (size_t)i + 1 + 6);
	}
	give(p, "1\r\nx\r\n", 6);
	ck_assert_int_eq(p->r.bad_status, 413);
	release(p);
}
END_TEST

static const struct {
	const char *text;
	bool keep_alive;
} lasting[] = {
    {"GET / HTTP/1.1\r\n" HOST "\r\n", true},
    {"GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", false},
    {"GET / HTTP/1.1\r\n" HOST "Connection: upgrade , CLOSE\r\n\r\n", false},
    {"GET / HTTP/1.1\r\n" HOST "Connection: closed\r\n\r\n", true},
    {"GET / HTTP/1.0\r\n\r\n", false},
    {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
};

START_TEST(keep_alive_follows_version_and_connection_field)
{
	struct parsed *p = parse(lasting[_i].text);

	ck_assert_int_eq(p->progress, RP_HTTP_DONE);
	ck_assert_msg(p->r.keep_alive == lasting[_i].keep_alive, "%s", lasting[_i].text);
	release(p);
}
END_TEST

START_TEST(continue_is_wanted_only_while_the_body_is_missing)
{
	static const char head[] =
	    "POST / HTTP/1.1\r\n" HOST "Expect: 100-Continue\r\nContent-Length: 2\r\n\r\n";
	struct parsed *p = parse(head);

	ck_assert_int_eq(p->progress, RP_HTTP_MORE);
	ck_assert(p->r.wants_continue);
	p->r.wants_continue = false;
	give(p, "a", 1);
	ck_assert(!p->r.wants_continue);
	give(p, "b", 1);
	ck_assert_int_eq(p->progress, RP_HTTP_DONE);
	release(p);
	p = parse("POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nab");
	ck_assert_int_eq(p->progress, RP_HTTP_DONE);
	ck_assert(!p->r.wants_continue);
	release(p);
}
END_TEST

START_TEST(empty_lines_before_and_absolute_targets_are_taken)
{
	struct parsed *p = parse("\r\n\r\nPOST http://h:80/a?b=c HTTP/1.1\r\n" HOST "\r\n");

	ck_assert_int_eq(p->progress, RP_HTTP_DONE);
	expect_span(rp_http_request_span(&p->r, p->r.target), "/a?b=c");
	release(p);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("http_request");
	TCase *tc = tcase_create("parse");

	tcase_add_test(tc, a_post_is_taken_apart);
	tcase_add_test(tc, a_chunked_body_is_joined_and_its_framing_leaves_the_buffer);
	tcase_add_test(tc, it_does_not_matter_where_the_bytes_are_split);
	tcase_add_test(tc, byte_by_byte_is_the_same_as_at_once);
	tcase_add_test(tc, pipelined_requests_come_out_one_after_the_other);
	tcase_add_test(tc, the_buffer_may_move_between_reads);
	tcase_add_loop_test(tc, what_is_not_http_is_refused_with_the_right_status, 0,
			    sizeof refused / sizeof refused[0]);
	tcase_add_loop_test(tc, what_is_well_formed_is_taken_with_its_body, 0,
			    sizeof taken / sizeof taken[0]);
	tcase_add_test(tc, of_one_refused_for_its_length_the_head_can_be_read);
	tcase_add_test(tc, a_head_request_is_known_as_one_when_it_is_refused);
	tcase_add_test(tc, extensions_of_many_chunks_are_bounded_together);
	tcase_add_test(tc, an_endless_head_is_refused_before_it_fills_memory);
	tcase_add_test(tc, endless_trailers_and_chunk_lines_are_refused);
	tcase_add_test(tc, small_chunks_do_not_pile_up_in_the_buffer);
	tcase_add_loop_test(tc, keep_alive_follows_version_and_connection_field, 0,
			    sizeof lasting / sizeof lasting[0]);
	tcase_add_test(tc, continue_is_wanted_only_while_the_body_is_missing);
	tcase_add_test(tc, empty_lines_before_and_absolute_targets_are_taken);
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
