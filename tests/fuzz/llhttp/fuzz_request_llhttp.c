/* Requests of HTTP/1.1, beside llhttp, the parser of Node.js (Debian's package node-llhttp holds
 * its sources): what both take has the same body, end and keep-alive for both, what llhttp alone
 * takes is refused for a reason of the list below, and what llhttp alone refuses is one of the
 * cases below. Input as of fuzz_request.c, whose corpus it shares; it begins with 8 bytes that are
 * no part of the requests. */
#include "fuzz.h"

#include <llhttp.h>

#include "http_server/request.h"

static const struct rp_http_bounds bounds = {RP_HTTP_REQUEST_HEAD_MAX, 4096};

struct theirs {
	bool taken, keep_alive;
	llhttp_errno_t error;
	const char *end;    /* when taken */
	const char *reason; /* when not */
	struct rp_buf target, body;
};

static struct theirs *theirs_of(llhttp_t *parser)
{
	return parser->data;
}

static int on_url(llhttp_t *parser, const char *at, size_t n)
{
	MUST(rp_buf_add(&theirs_of(parser)->target, at, n), "out of memory");
	return 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t n)
{
	MUST(rp_buf_add(&theirs_of(parser)->body, at, n), "out of memory");
	return 0;
}

static int on_message_complete(llhttp_t *parser)
{
	theirs_of(parser)->taken = true;
	theirs_of(parser)->keep_alive = llhttp_should_keep_alive(parser) != 0;
	return HPE_PAUSED;
}

static void read_theirs(struct rp_span text, struct theirs *t)
{
	llhttp_settings_t settings;
	llhttp_t parser;

	llhttp_settings_init(&settings);
	settings.on_url = on_url;
	settings.on_body = on_body;
	settings.on_message_complete = on_message_complete;
	llhttp_init(&parser, HTTP_REQUEST, &settings);
	memset(t, 0, sizeof *t);
	parser.data = t;
	t->error = llhttp_execute(&parser, text.ptr, text.len);
	t->end = llhttp_get_error_pos(&parser);
	t->reason = llhttp_get_error_reason(&parser);
}

/* What we say of a request that llhttp takes. */
static const char *const stricter[] = {
    /* bounds, which it leaves to its caller */
    "the head or a line of the chunked framing is too long",
    "more header fields than this receiver takes",
    "the body is larger than this receiver takes",
    "the extensions of the chunks are too long",
    /* what the version and Expect ask for is its caller's, too */
    "only HTTP/1.1 and HTTP/1.0 are spoken here",
    "the only Expect understood is 100-continue",
    /* it does not look at hosts */
    "an HTTP/1.1 request has exactly one Host field",
    "Host is no host with an optional port",
    "the request target names another host than the Host field",
    /* it takes CONNECT, fragments, user names, other schemes, and "*" for any method */
    "the request target is neither a path nor an http URL with a host",
    /* it takes HTTP/0.9 and any number of spaces, and goes on behind a bare CR or LF */
    "the first line is no request line (METHOD target HTTP/1.1)",
    "the request line does not end in an HTTP version",
    "a line ends in a bare line feed; HTTP lines end in CR LF",
    /* it takes folded fields, empty names, and a CR alone as the end of a field */
    "a header line has no colon",
    "a header name holds a byte it must not, such as a space before the colon",
    "a header value holds a control byte",
    /* it takes other codings before chunked, and chunked in HTTP/1.0 */
    "the only Transfer-Encoding understood is one \"chunked\"",
    "Transfer-Encoding beside Content-Length, or in HTTP/1.0",
    /* of a chunk it skips any two bytes behind the data and any byte behind the size's CR */
    "a chunk is longer than its announced size",
    "what follows the size of a chunk is no extension",
    /* it takes any field as a trailer */
    "a trailer has a field that only a head may have",
};

static void check_refused(const struct rp_http_request *q)
{
	size_t i;

	for (i = 0; i < sizeof stricter / sizeof stricter[0]; i++)
		if (strcmp(q->bad_text, stricter[i]) == 0)
			return;
	/* the value of a folded one stands on the next line */
	if (strcmp(q->bad_text, "Content-Length is not one decimal number") == 0 &&
	    (q->base[q->at] == ' ' || q->base[q->at] == '\t'))
		return;
	MUST(false, "llhttp takes what is refused here: %d %s", q->bad_status, q->bad_text);
}

static bool is_odd_in_extension(char c)
{
	return c == ' ' || c == '\t' || c == '"' || c == '\\' || (c & 0x80) != 0;
}

/* Beside the values of this name. llhttp takes spaces there and no tabs, which are as good. */
static bool has_tab(const struct rp_http_request *q, const char *name)
{
	struct rp_span value;
	size_t i;

	for (i = 0; i < q->n_fields; i++) {
		value = rp_http_request_span(q, q->fields[i].value);
		if (rp_span_is(rp_http_request_span(q, q->fields[i].name), name) &&
		    value.ptr[strcspn(value.ptr, "\t\r")] == '\t')
			return true;
	}
	return false;
}

/* What llhttp refuses although it is well-formed. */
static void check_laxer(const struct rp_http_request *q, const struct theirs *t)
{
	/* RFC 9112 7.1.1: white space that a sender must not send, but a recipient must take; and
	 * quoted values with more than it knows */
	if ((t->error == HPE_INVALID_CHUNK_SIZE || t->error == HPE_STRICT) && q->chunked &&
	    (is_odd_in_extension(t->end[-1]) || is_odd_in_extension(t->end[0])))
		return;
	if (t->error == HPE_INVALID_CONTENT_LENGTH && has_tab(q, "content-length"))
		return;
	if (t->error == HPE_INVALID_TRANSFER_ENCODING && has_tab(q, "transfer-encoding"))
		return;
	/* RFC 9110 8.6: the same length twice */
	if (t->error == HPE_UNEXPECTED_CONTENT_LENGTH && q->has_length)
		return;
	/* a method beyond those it knows by name */
	if (t->error == HPE_INVALID_METHOD)
		return;
	MUST(false, "llhttp does not take it: %s, %s", llhttp_errno_name(t->error), t->reason);
}

static void check_taken(const struct rp_http_request *q, const struct theirs *t,
			struct rp_span text, size_t rest)
{
	struct rp_span target = rp_http_request_span(q, q->target), body = rp_http_request_body(q);
	struct rp_span url = {t->target.data, t->target.len}, got = {t->body.data, t->body.len};

	MUST(fuzz_same(body, got), "a body of %zu bytes, not %zu", body.len, got.len);
	MUST((size_t)(text.ptr + text.len - t->end) == rest, "%zu bytes left, not %zu", rest,
	     (size_t)(text.ptr + text.len - t->end));
	MUST(q->keep_alive == t->keep_alive || has_tab(q, "connection"), "keep_alive %d",
	     q->keep_alive);
	MUST(url.len > 0 && (fuzz_same(target, url) || url.ptr[0] == 'h' || url.ptr[0] == 'H'),
	     "target %.*s", (int)url.len, url.ptr);
}

/* A CR alone ends a line of a head or of the chunked framing for llhttp before 8.1.1
 * (CVE-2023-30589). We wait for the line feed and refuse the line then. */
static bool waits_behind_bare_cr(const struct rp_http_request *q, const struct rp_buf *in)
{
	const char *at;

	if (q->phase == RP_HTTP_AT_BODY || q->phase == RP_HTTP_AT_CHUNK ||
	    q->phase == RP_HTTP_AT_CHUNK_END)
		return false;
	for (at = in->data + q->at; at + 1 < in->data + in->len; at++)
		if (at[0] == '\r' && at[1] != '\n')
			return true;
	return false;
}

/* Returns whether both took a request, and what is left of the text behind it. */
static bool compare(struct rp_span text, struct rp_span *rest)
{
	static struct rp_http_request q;
	enum rp_http_progress progress;
	struct rp_buf in = {0};
	struct theirs t;

	MUST(rp_buf_add(&in, text.ptr, text.len), "out of memory");
	rp_http_request_begin(&q);
	progress = rp_http_request_parse(&q, &in, 0, &bounds);
	read_theirs(text, &t);
	if (progress == RP_HTTP_DONE) {
		rest->len = in.len - q.used;
		rest->ptr = text.ptr + text.len - rest->len;
	}
	if (progress == RP_HTTP_DONE && t.taken)
		check_taken(&q, &t, text, rest->len);
	else if (progress == RP_HTTP_DONE)
		check_laxer(&q, &t);
	else if (progress == RP_HTTP_MORE && t.taken)
		MUST(waits_behind_bare_cr(&q, &in), "llhttp sees an end at %zu",
		     (size_t)(t.end - text.ptr));
	else if (t.taken)
		check_refused(&q);
	rp_buf_release(&in);
	rp_buf_release(&t.target);
	rp_buf_release(&t.body);
	return progress == RP_HTTP_DONE && t.taken;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rp_span text = {(const char *)data, size};

	if (size <= 8)
		return 0;
	text.ptr += 8;
	text.len -= 8;
	while (text.len > 0 && compare(text, &text))
		;
	return 0;
}
