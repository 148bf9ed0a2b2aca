#include "run/run.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sign/crypto.h"

#define HOOK "\"http://a.example/in?token=s3cret\""
#define RUN "{\"run_id\":\"r1\",\"status\":\"success\",\"kwargs\":{\"webhook\":" HOOK "}}"

static struct rp_parsed_run run;
static char *held_line; /* the run's spans point into it */
static const struct rp_run_options no_options;

static void setup(void)
{
	rp_parsed_run_init(&run);
}

static void teardown(void)
{
	rp_parsed_run_release(&run);
	free(held_line);
	held_line = NULL;
}

/* Parses a copy that ends exactly where the line ends. */
static void parse_bytes(const char *line, size_t len, const struct rp_run_options *options)
{
	free(held_line);
	held_line = malloc(len > 0 ? len : 1);
	ck_assert(held_line != NULL);
	memcpy(held_line, line, len);
	rp_parse_run(&run, (struct rp_span){held_line, len}, options);
	/* What must stay secret is in no sentence. */
	ck_assert_msg(strstr(run.reason, "s3cret") == NULL, "%s", run.reason);
	ck_assert((run.code != NULL) == (run.status == RP_RUN_REJECTED));
	ck_assert((run.reason[0] != '\0') == (run.status != RP_RUN_OK));
}

static void parse(const char *line)
{
	parse_bytes(line, strlen(line), &no_options);
}

static void parse_with(const char *line, const struct rp_run_options *options)
{
	parse_bytes(line, strlen(line), options);
}

static void check_accepted(const char *line)
{
	ck_assert_msg(run.status == RP_RUN_OK, "%s: %s: %s", line,
		      run.code != NULL ? run.code : "skipped", run.reason);
}

static void check_span(struct rp_span span, const char *expected)
{
	ck_assert_msg(rp_span_is(span, expected), "\"%.*s\" instead of \"%s\"", (int)span.len,
		      span.ptr != NULL ? span.ptr : "", expected);
}

START_TEST(the_engines_own_runs_are_taken_unchanged)
{
	FILE *f = fopen("tests/fixtures/langgraph-runs.ndjson", "r");
	char *line = NULL;
	size_t size = 0, lines = 0;
	ssize_t n;

	ck_assert_msg(f != NULL, "run from the top of the source tree");
	while ((n = getline(&line, &size, f)) > 0) {
		n -= line[n - 1] == '\n';
		parse_bytes(line, (size_t)n, &no_options);
		check_accepted(line);
		ck_assert(run.payload.ptr == held_line && run.payload.len == (size_t)n);
		ck_assert_uint_eq(run.run_id.len, 36);
		ck_assert_mem_eq(run.run_id.ptr, line + strlen("{\"run_id\":\""), 36);
		ck_assert(strncmp(run.url.ptr, "http://127.0.0.1:9911/hook?token=", 33) == 0);
		ck_assert_uint_eq(run.parts.port, 9911);
		ck_assert_uint_eq(run.headers.len + run.operation.len + run.order_by.len, 0);
		lines++;
	}
	ck_assert_uint_eq(lines, 8);
	free(line);
	fclose(f);
}
END_TEST

START_TEST(a_carriage_return_belongs_to_the_payload)
{
	parse(" " RUN " \r");
	check_accepted("");
	check_span(run.payload, " " RUN " \r");
}
END_TEST

/* Where the URL comes from. NULL: the run is skipped. */
static const struct {
	const char *line, *default_url, *url;
} sources[] = {
    {"{\"webhook\":\"http://top.example\",\"kwargs\":{\"webhook\":\"http://kw.example\"}}",
     "http://d.example", "http://kw.example"},
    {"{\"webhook\":\"http://top.example\",\"kwargs\":{\"webhook\":null}}", "http://d.example",
     "http://top.example"},
    {"{\"webhook\":\"http://top.example\",\"kwargs\":null}", NULL, "http://top.example"},
    {"{\"webhook\":null,\"kwargs\":{}}", "http://d.example", "http://d.example"},
    {"{}", "http://d.example", "http://d.example"},
    {"{\"webhook\":null,\"kwargs\":{\"webhook\":null}}", NULL, NULL},
    {"{\"metadata\":{\"webhook\":\"http://no.example\"},\"kwargs\":[{\"webhook\":\"http://"
     "no.example\"}]}",
     NULL, NULL},
    {"{\"run\":{\"kwargs\":{\"webhook\":\"http://kw.example\"}},\"webhook\":\"http://"
     "env.example\"}",
     "http://d.example", "http://env.example"},
    {"{\"run\":{\"kwargs\":{\"webhook\":\"http://kw.example\"},\"webhook\":\"http://"
     "top.example\"},\"webhook\":null}",
     NULL, "http://kw.example"},
    {"{\"run\":{\"webhook\":\"http://top.example\"}}", "http://d.example", "http://top.example"},
    {"{\"run\":{},\"kwargs\":{\"webhook\":\"http://no.example\"}}", NULL, NULL},
    {"{\"run\":{},\"kwargs\":{\"webhook\":\"http://no.example\"}}", "http://d.example",
     "http://d.example"},
    {"{\"webhook\":\"http:\\/\\/a.example\\/x?a=1\\u0026b=2\"}", NULL,
     "http://a.example/x?a=1&b=2"},
    {"{\"kwargs\":{\"webhook\":\"http://one.example\"},\"kwargs\":{\"webhook\":\"http://"
     "two.example\"}}",
     NULL, "http://two.example"},
};

START_TEST(the_url_is_taken_from_the_nearest_place)
{
	struct rp_run_options options = {.default_url = rp_span_of(sources[_i].default_url)};

	parse_with(sources[_i].line, &options);
	if (sources[_i].url == NULL) {
		ck_assert_int_eq(run.status, RP_RUN_SKIPPED);
		ck_assert_str_eq(run.reason, "the run names no webhook");
	} else {
		check_accepted(sources[_i].line);
		check_span(run.url, sources[_i].url);
	}
}
END_TEST

START_TEST(a_blank_line_is_skipped)
{
	static const char *const blank[] = {"", " ", "\r", " \t \r"};
	size_t i;

	for (i = 0; i < sizeof blank / sizeof blank[0]; i++) {
		parse(blank[i]);
		ck_assert_int_eq(run.status, RP_RUN_SKIPPED);
		ck_assert_str_eq(run.reason, "blank line");
	}
	parse_bytes("\0", 1, &no_options);
	ck_assert_int_eq(run.status, RP_RUN_REJECTED);
}
END_TEST

START_TEST(an_envelopes_payload_is_exactly_its_run)
{
	static const char line[] =
	    "{ \"operation\" : \"POST \\/runs\\/wait\" , \"run\" : { \"run_id\" : \"r\\u00e4\", "
	    "\"n\": 1e400, "
	    "\"a\":1,\"a\":2 } ,"
	    "\"order_by\":\"thread-7\",\"not_before\":\"2026-11-23T13:00:00+01:00\",\"expires_at\":"
	    "\"2026-11-24T12:00:"
	    "00.5Z\","
	    "\"id\":\"my "
	    "\\\"key\\\"\",\"webhook\":\"https:\\/\\/a.example\\/"
	    "in\",\"headers\":{\"X-Tenant\":\"a\\/b\","
	    "\"Authorization\":\"Bearer s3cret\"},\"run_id\":\"not this\",\"unknown\":[{}]}";

	parse(line);
	check_accepted(line);
	check_span(run.payload, "{ \"run_id\" : \"r\\u00e4\", \"n\": 1e400, \"a\":1,\"a\":2 }");
	check_span(run.run_id, "r\xc3\xa4");
	check_span(run.operation, "POST /runs/wait");
	check_span(run.order_by, "thread-7");
	check_span(run.url, "https://a.example/in");
	check_span(run.parts.host, "a.example");
	check_span(run.headers, "x-tenant: a/b\nauthorization: Bearer s3cret\n");
	ck_assert_int_eq(run.not_before_at_ms, INT64_C(1795435200000));
	ck_assert_int_eq(run.expires_at_ms, INT64_C(1795521600500));
	ck_assert_uint_eq(run.dedupe_key_bytes, strlen("imy \"key\""));
	ck_assert_mem_eq(run.dedupe_key, "imy \"key\"", run.dedupe_key_bytes);
}
END_TEST

START_TEST(thread_and_status_are_kept_where_they_are_fit_strings)
{
	parse("{\"thread_id\":\"t-\\u00e4\",\"status\":\"interrupted\",\"webhook\":" HOOK "}");
	check_accepted("");
	check_span(run.thread_id, "t-\xc3\xa4");
	check_span(run.event, "interrupted");
	parse("{\"thread_id\":\"outer\",\"run\":{\"thread_id\":\"inner\",\"status\":\"error\","
	      "\"webhook\":" HOOK "}}");
	check_accepted("");
	check_span(run.thread_id, "inner");
	check_span(run.event, "error");
	/* whatever else stands there costs the run nothing */
	parse("{\"thread_id\":{\"a\":1},\"status\":7,\"webhook\":" HOOK "}");
	check_accepted("");
	ck_assert_uint_eq(run.thread_id.len + run.event.len, 0);
	parse("{\"thread_id\":\"a\\u0000\",\"status\":\"a\\n\",\"webhook\":" HOOK "}");
	check_accepted("");
	ck_assert_uint_eq(run.thread_id.len + run.event.len, 0);
	parse("{\"status\":\"12345678901234567890123456789012345678901\",\"webhook\":" HOOK "}");
	check_accepted("");
	ck_assert_uint_eq(run.event.len, 0);
}
END_TEST

START_TEST(what_is_optional_may_be_null)
{
	parse("{\"run\":{\"run_id\":null,\"webhook\":" HOOK
	      "},\"webhook\":null,\"id\":null,\"headers\":null,\"operation\":null,"
	      "\"order_by\":null,\"not_before\":null,\"expires_at\":null}");
	check_accepted("");
	ck_assert_uint_eq(run.run_id.len + run.operation.len + run.order_by.len + run.headers.len,
			  0);
	ck_assert(run.not_before_at_ms == 0 && run.expires_at_ms == 0);
	ck_assert_int_eq(run.dedupe_key[0], 'h');
}
END_TEST

START_TEST(a_runs_own_members_are_its_own_business)
{
	static const char line[] =
	    "{\"webhook\":" HOOK ",\"operation\":7,\"id\":{},\"headers\":\"x\",\"order_by\":[],"
	    "\"not_before\":\"soon\",\"expires_at\":\"\",\"run_id\":42,\"status\":{\"a\":1},"
	    "\"big\":123456789012345678901234567890,\"nul\":\"\\u0000\",\"half\":\"\\ud800\"}";

	parse(line);
	check_accepted(line);
	check_span(run.payload, line);
	ck_assert_uint_eq(run.run_id.len + run.operation.len + run.order_by.len + run.headers.len,
			  0);
	ck_assert(run.not_before_at_ms == 0 && run.expires_at_ms == 0);
	ck_assert_int_eq(run.dedupe_key[0], 'h');
}
END_TEST

static const struct {
	const char *line, *code, *reason; /* how the reason begins */
} rejected[] = {
    {"{\"a\":01}", "bad_json", "byte 7: a number must not have leading zeros"},
    {"hello", "bad_json", "byte 1: this is not a JSON object"},
    {"[" RUN "]", "bad_json", "byte 1: this is not a JSON object"},
    {RUN RUN, "bad_json", "byte 91: more text follows the object"},
    {"{\"a\":\"s3cret", "bad_json",
     "after byte 12: the text ends inside a string; the line is cut off (sent partially?)"},
    {"{", "bad_json",
     "after byte 1: the text ends before the object is complete; the line is cut off (sent "
     "partially?)"},
    {"{\"webhook\":\"\"}", "bad_url", "webhook: the URL is empty"},
    {"{\"kwargs\":{\"webhook\":\"\"},\"webhook\":" HOOK "}", "bad_url",
     "kwargs.webhook: the URL is empty"},
    {"{\"kwargs\":{\"webhook\":\"ftp://a.example/?s3cret\"}}", "bad_url", "kwargs.webhook: "},
    {"{\"webhook\":\"http://a.example/\\u0007?s3cret\"}", "bad_url", "webhook: "},
    {"{\"webhook\":\"http://u:s3cret@a.example/\"}", "bad_url", "webhook: "},
    {"{\"run\":{\"kwargs\":{\"webhook\":\"nowhere\"}}}", "bad_url", "run.kwargs.webhook: "},
    {"{\"run\":{\"webhook\":\"nowhere\"}}", "bad_url", "run.webhook: "},
    {"{\"webhook\":7}", "bad_field", "webhook: must be a string"},
    {"{\"kwargs\":{\"webhook\":[" HOOK "]}}", "bad_field", "kwargs.webhook: must be a string"},
    {"{\"webhook\":false,\"run\":{\"webhook\":" HOOK "}}", "bad_field",
     "webhook: must be a string"},
    {"{\"webhook\":\"http://a.example/\\ud800\"}", "bad_field",
     "webhook: contains \\u0000 or half of a surrogate pair"},
    {"{\"webhook\":\"http://a.example/\\u0000\"}", "bad_field", "webhook: contains \\u0000"},
    {"{\"run_id\":\"a\\u0000\",\"webhook\":" HOOK "}", "bad_field", "run_id: contains \\u0000"},
    {"{\"run_id\":\"a\\n\",\"webhook\":" HOOK "}", "bad_field",
     "run_id: contains a control character"},
    {"{\"run_id\":\"a\x7f\",\"webhook\":" HOOK "}", "bad_field",
     "run_id: contains a control character"},
    {"{\"run_id\":\"\xc2\x9b\",\"webhook\":" HOOK "}", "bad_field",
     "run_id: contains a control character"},
    {"{\"run\":{\"run_id\":\"\\t\",\"webhook\":" HOOK "}}", "bad_field",
     "run.run_id: contains a control character"},
    {"{\"run\":null,\"webhook\":" HOOK "}", "bad_field", "run: must be an object"},
    {"{\"run\":[" RUN "],\"webhook\":" HOOK "}", "bad_field", "run: must be an object"},
    {"{\"run\":\"r1\",\"webhook\":" HOOK "}", "bad_field", "run: must be an object"},
    {"{\"run\":" RUN ",\"run\":1}", "bad_field", "run: must be an object"},
    {"{\"run\":" RUN ",\"id\":7}", "bad_field", "id: must be a string of at most 200 bytes"},
    {"{\"run\":" RUN ",\"id\":\"\"}", "bad_field", "id: is empty"},
    {"{\"run\":" RUN ",\"id\":\"\\u0001\"}", "bad_field", "id: contains a control character"},
    {"{\"run\":" RUN ",\"operation\":{}}", "bad_field", "operation: must be a string"},
    {"{\"run\":" RUN ",\"operation\":\"\\u001b[2J\"}", "bad_field",
     "operation: contains a control character"},
    {"{\"run\":" RUN ",\"order_by\":true}", "bad_field", "order_by: must be a string"},
    {"{\"run\":" RUN ",\"not_before\":\"tomorrow\"}", "bad_field",
     "not_before: must be a time after 1970 as in RFC 3339"},
    {"{\"run\":" RUN ",\"not_before\":1795435200}", "bad_field", "not_before: must be a string"},
    {"{\"run\":" RUN ",\"expires_at\":\"2026-02-30T00:00:00Z\"}", "bad_field",
     "expires_at: must be a time"},
    {"{\"run\":" RUN ",\"expires_at\":\"1969-01-01T00:00:00Z\"}", "bad_field",
     "expires_at: must be a time after 1970"},
    {"{\"run\":" RUN
     ",\"not_before\":\"2026-01-02T00:00:00Z\",\"expires_at\":\"2026-01-02T00:00:00Z\"}",
     "bad_field", "expires_at: is not after not_before"},
    {"{\"run\":" RUN ",\"headers\":[\"a: s3cret\"]}", "bad_field",
     "headers: must be an object of strings"},
    {"{\"run\":" RUN ",\"headers\":{\"a\":\"1\",\"X-Key\":12}}", "bad_field",
     "headers: \"X-Key\": its value must be a string"},
    {"{\"run\":" RUN ",\"headers\":{\"X-Key\":\"s3cret\\r\\nHost: b\"}}", "bad_field",
     "headers: \"X-Key\": its value contains a line break"},
    {"{\"run\":" RUN ",\"headers\":{\"Content-Length\":\"3\"}}", "bad_field",
     "headers: \"Content-Length\": this header is set by runpost or by HTTP itself"},
    {"{\"run\":" RUN ",\"headers\":{\"a\\n\\u00e4b\":\"s3cret\"}}", "bad_field",
     "headers: \"a?\?\?b\": its name is not a header name"},
    {"{\"run\":" RUN ",\"headers\":{\"a\":\"s3cret\\u0000\"}}", "bad_field",
     "headers: must be strings without \\u0000"},
};

START_TEST(a_rejection_says_what_where_and_how)
{
	parse(rejected[_i].line);
	ck_assert_msg(run.status == RP_RUN_REJECTED, "accepted: %s", rejected[_i].line);
	ck_assert_msg(strcmp(run.code, rejected[_i].code) == 0, "%s: %s (%s)", rejected[_i].line,
		      run.code, run.reason);
	ck_assert_msg(strncmp(run.reason, rejected[_i].reason, strlen(rejected[_i].reason)) == 0,
		      "%s: %s", rejected[_i].line, run.reason);
}
END_TEST

/* The engine would drop what is rejected: a lack of memory must not look like a fault of the
 * line. */
START_TEST(without_memory_a_line_is_not_rejected)
{
	run.text.max = 8;
	parse(RUN);
	ck_assert_int_eq(run.status, RP_RUN_NO_MEMORY);
}
END_TEST

/* `head`, n times `c`, `tail`. */
static void parse_filled(const char *head, char c, size_t n, const char *tail)
{
	struct rp_buf line = {0};

	ck_assert(rp_buf_add_text(&line, head));
	while (n-- > 0)
		ck_assert(rp_buf_add_char(&line, c));
	ck_assert(rp_buf_add_text(&line, tail));
	parse_bytes(line.data, line.len, &no_options);
	rp_buf_release(&line);
}

static const struct {
	const char *head, *tail;
	size_t most;
	const char *code;
} limits[] = {
    {"{\"webhook\":" HOOK ",\"run_id\":\"", "\"}", RP_FIELD_MAX, "bad_field"},
    {"{\"webhook\":" HOOK ",\"run_id\":\"\\u0041", "\"}", RP_FIELD_MAX - 1, "bad_field"},
    {"{\"run\":" RUN ",\"id\":\"", "\"}", RP_FIELD_MAX, "bad_field"},
    {"{\"run\":" RUN ",\"operation\":\"", "\"}", RP_FIELD_MAX, "bad_field"},
    {"{\"run\":" RUN ",\"order_by\":\"", "\"}", RP_FIELD_MAX, "bad_field"},
    {"{\"webhook\":\"http://a.example/", "\"}", RP_URL_MAX - 17, "bad_url"},
    {"{\"webhook\":\"http:\\/\\/a.example\\/", "\"}", RP_URL_MAX - 17, "bad_url"},
    {"{\"run\":" RUN ",\"headers\":{\"x-a\":\"", "\"}}", RP_EXTRA_HEADERS_MAX - 6, "bad_field"},
    {"{\"run\":" RUN ",\"headers\":{\"x-a\":\"1\",\"x-b\":\"", "\"}}", RP_EXTRA_HEADERS_MAX - 13,
     "bad_field"},
};

START_TEST(limits_hold_to_the_byte)
{
	parse_filled(limits[_i].head, 'a', limits[_i].most, limits[_i].tail);
	check_accepted(limits[_i].head);
	parse_filled(limits[_i].head, 'a', limits[_i].most + 1, limits[_i].tail);
	ck_assert_msg(run.status == RP_RUN_REJECTED, "one too many is accepted: %s",
		      limits[_i].head);
	ck_assert_str_eq(run.code, limits[_i].code);
	parse_filled(limits[_i].head, 'a', 100000, limits[_i].tail);
	ck_assert_int_eq(run.status, RP_RUN_REJECTED);
	ck_assert_str_eq(run.code, limits[_i].code);
}
END_TEST

START_TEST(headers_are_limited_in_number)
{
	struct rp_buf line = {0};
	int n, i;

	for (n = 32; n <= 33; n++) {
		rp_buf_clear(&line);
		ck_assert(rp_buf_add_text(&line, "{\"run\":" RUN ",\"headers\":{"));
		for (i = 0; i < n; i++)
			ck_assert(rp_buf_printf(&line, "%s\"h%d\":\"v\"", i > 0 ? "," : "", i));
		ck_assert(rp_buf_add_text(&line, "}}"));
		parse(line.data);
		ck_assert_int_eq(run.status, n == 32 ? RP_RUN_OK : RP_RUN_REJECTED);
	}
	ck_assert_str_eq(run.reason, "headers: more than 32; send fewer");
	rp_buf_release(&line);
}
END_TEST

/* Every member is escaped, so every span lies in the text that grows: none may be left pointing
 * into freed memory. */
START_TEST(spans_stay_valid_while_the_text_grows)
{
	struct rp_buf line = {0};
	int i;

	ck_assert(rp_buf_add_text(
	    &line, "{\"run\":{\"run_id\":\"\\u0072\"},\"webhook\":\"http:\\/\\/a.example\\/"));
	for (i = 0; i < 4000; i++)
		ck_assert(rp_buf_add_text(&line, "\\u0061"));
	ck_assert(rp_buf_add_text(&line, "\",\"operation\":\"\\u006f\",\"order_by\":\"\\u0062\","
					 "\"id\":\"\\u0069\",\"headers\":{\"a\":\""));
	for (i = 0; i < 2000; i++)
		ck_assert(rp_buf_add_text(&line, "\\u0061"));
	ck_assert(rp_buf_add_text(&line, "\"}}"));
	for (i = 0; i < 2; i++) {
		parse(line.data);
		check_accepted("the escaped line");
		check_span(run.run_id, "r");
		check_span(run.operation, "o");
		check_span(run.order_by, "b");
		check_span(run.parts.host, "a.example");
		ck_assert(run.url.len == 4017 && run.url.ptr[4016] == 'a' &&
			  run.headers.len == 2004);
		ck_assert_mem_eq(run.dedupe_key, "ii", 2);
		parse(RUN);
		check_accepted(RUN);
		check_span(run.run_id, "r1");
		ck_assert_uint_eq(run.operation.len + run.order_by.len + run.headers.len, 0);
		ck_assert_uint_eq(run.text.len, 0);
	}
	rp_buf_release(&line);
}
END_TEST

START_TEST(a_runs_dedupe_key_is_its_id_url_and_status)
{
	static const char url[] = "http://a.example/in?token=s3cret";
	/* with the NUL between the two */
	struct rp_span parts[] = {{url, sizeof url}, rp_span_of("success")};
	unsigned char digest[RP_SHA256_BYTES];

	parse(RUN);
	check_accepted(RUN);
	rp_sha256(parts, 2, digest);
	ck_assert_uint_eq(run.dedupe_key_bytes, 1 + 2 + 1 + 16);
	ck_assert_mem_eq(run.dedupe_key, "rr1\0", 4);
	ck_assert_mem_eq(run.dedupe_key + 4, digest, 16);
}
END_TEST

START_TEST(without_a_run_id_the_dedupe_key_is_the_lines_digest)
{
	static const char line[] = "{\"run_id\":\"\",\"webhook\":" HOOK "}";
	struct rp_span whole = rp_span_of(line);
	unsigned char digest[RP_SHA256_BYTES];

	parse(line);
	check_accepted(line);
	rp_sha256(&whole, 1, digest);
	ck_assert_uint_eq(run.dedupe_key_bytes, 33);
	ck_assert_int_eq(run.dedupe_key[0], 'h');
	ck_assert_mem_eq(run.dedupe_key + 1, digest, 32);
}
END_TEST

#define PARENT_LINE "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\n"
#define STATE_LINE "tracestate: a=1\n"

static const struct {
	const char *line, *given, *headers;
} joined[] = {
    {RUN, PARENT_LINE STATE_LINE, PARENT_LINE STATE_LINE},
    {"{\"run\":" RUN "}", PARENT_LINE, PARENT_LINE},
    {"{\"run\":" RUN ",\"headers\":{}}", PARENT_LINE, PARENT_LINE},
    {"{\"run\":" RUN ",\"headers\":{\"X-A\":\"1\"}}", PARENT_LINE STATE_LINE,
     "x-a: 1\n" PARENT_LINE STATE_LINE},
    /* A state belongs to its parent. */
    {"{\"run\":" RUN ",\"headers\":{\"TraceParent\":\"mine\"}}", PARENT_LINE STATE_LINE,
     "traceparent: mine\n"},
    {"{\"run\":" RUN ",\"headers\":{\"tracestate\":\"b=2\"}}", PARENT_LINE STATE_LINE,
     "tracestate: b=2\n" PARENT_LINE},
    {"{\"run\":" RUN ",\"headers\":{\"traceparents\":\"1\",\"trace\":\"2\"}}", PARENT_LINE,
     "traceparents: 1\ntrace: 2\n" PARENT_LINE},
};

START_TEST(headers_that_came_with_the_line_join_those_of_the_envelope)
{
	struct rp_run_options options = {.headers = rp_span_of(joined[_i].given)};

	parse_with(joined[_i].line, &options);
	check_accepted(joined[_i].line);
	check_span(run.headers, joined[_i].headers);
}
END_TEST

/* Room for `left` bytes beside the envelope's header. */
static void parse_beside_long_header(size_t left, const struct rp_run_options *options)
{
	static const char begin[] = "{\"run\":" RUN ",\"headers\":{\"x-a\":\"";
	struct rp_buf line = {0};
	size_t i;

	ck_assert(rp_buf_add_text(&line, begin));
	for (i = strlen("x-a: \n"); i < RP_EXTRA_HEADERS_MAX - left; i++)
		ck_assert(rp_buf_add_char(&line, 'v'));
	ck_assert(rp_buf_add_text(&line, "\"}}"));
	parse_with(line.data, options);
	check_accepted(line.data);
	run.headers.ptr += RP_EXTRA_HEADERS_MAX - left;
	run.headers.len -= RP_EXTRA_HEADERS_MAX - left;
	rp_buf_release(&line);
}

START_TEST(where_headers_do_not_fit_the_state_goes_first_and_the_run_never)
{
	const struct rp_run_options both = {.headers = rp_span_of(PARENT_LINE STATE_LINE)};
	const size_t parent_bytes = strlen(PARENT_LINE), state_bytes = strlen(STATE_LINE);

	parse_beside_long_header(parent_bytes + state_bytes, &both);
	check_span(run.headers, PARENT_LINE STATE_LINE);
	parse_beside_long_header(parent_bytes + state_bytes - 1, &both);
	check_span(run.headers, PARENT_LINE);
	parse_beside_long_header(parent_bytes, &both);
	check_span(run.headers, PARENT_LINE);
	parse_beside_long_header(parent_bytes - 1, &both); /* though the state alone would fit */
	check_span(run.headers, "");
	parse_beside_long_header(0, &both);
	check_span(run.headers, "");
}
END_TEST

START_TEST(headers_that_came_with_the_line_count_as_well)
{
	const struct rp_run_options both = {.headers = rp_span_of(PARENT_LINE STATE_LINE)};
	struct rp_buf line = {0};
	int i;

	ck_assert(rp_buf_add_text(&line, "{\"run\":" RUN ",\"headers\":{\"a0\":\"1\""));
	for (i = 1; i < 31; i++)
		ck_assert(rp_buf_printf(&line, ",\"a%d\":\"1\"", i));
	ck_assert(rp_buf_add_text(&line, "}}"));
	parse_with(line.data, &both);
	check_accepted(line.data);
	ck_assert(memmem(run.headers.ptr, run.headers.len, PARENT_LINE, strlen(PARENT_LINE)) !=
		  NULL);
	ck_assert(memmem(run.headers.ptr, run.headers.len, STATE_LINE, strlen(STATE_LINE)) == NULL);
	rp_buf_release(&line);
}
END_TEST

static const struct rp_cuts cut_nothing, cut_two = {.paths = {"kwargs.webhook", "user"}, .n = 2};

/* By the URL. */
static const struct rp_cuts *find_cuts(const void *arg, const struct rp_url *url)
{
	ck_assert_str_eq(arg, "arg");
	return url->port == 80 ? &cut_two : &cut_nothing;
}

static const struct {
	const char *line, *payload;
} trimmed[] = {
    {RUN, "{\"run_id\":\"r1\",\"status\":\"success\",\"kwargs\":{}}"},
    {"{\"run\":" RUN "}", "{\"run_id\":\"r1\",\"status\":\"success\",\"kwargs\":{}}"},
    {"{\"user\":1,\"webhook\":" HOOK "} \r", "{\"webhook\":" HOOK "} \r"},
    {"{\"run\":{\"user\":[1, 2]},\"user\":3,\"webhook\":" HOOK "}", "{}"},
    {"{\"webhook\":" HOOK "}", NULL},
    {"{\"user\":1,\"webhook\":\"https://a.example\"}", NULL},
};

START_TEST(what_is_cut_out_is_not_stored_and_still_counts)
{
	struct rp_run_options options = {.cuts = {find_cuts, "arg"}};
	const char *line = trimmed[_i].line;
	unsigned char key[RP_DEDUPE_KEY_MAX];
	size_t key_bytes;

	parse(line);
	check_accepted(line);
	memcpy(key, run.dedupe_key, run.dedupe_key_bytes);
	key_bytes = run.dedupe_key_bytes;
	parse_with(line, &options);
	check_accepted(line);
	check_span(run.payload, trimmed[_i].payload != NULL ? trimmed[_i].payload : line);
	ck_assert((trimmed[_i].payload == NULL) == (run.payload.ptr == held_line));
	ck_assert_uint_eq(run.dedupe_key_bytes, key_bytes);
	ck_assert_mem_eq(run.dedupe_key, key, key_bytes);
}
END_TEST

START_TEST(a_run_without_anything_to_cut_follows_one_with)
{
	struct rp_run_options options = {.cuts = {find_cuts, "arg"}};

	parse_with("{\"webhook\":\"http://a.example/\",\"user\":1}", &options);
	check_accepted("");
	check_span(run.payload, "{\"webhook\":\"http://a.example/\"}");
	parse_with("{\"webhook\":\"http://a.example/\"}", &options);
	check_span(run.payload, "{\"webhook\":\"http://a.example/\"}");
	ck_assert_uint_eq(run.cut_text.len, 0);
}
END_TEST

static const struct {
	const char *a, *b;
	bool same;
} pairs[] = {
    {RUN, RUN, true},
    {RUN, "{\"run\":" RUN "}", true},
    {RUN,
     "{\"values\":1,\"run_id\":\"\\u0072\\u0031\",\"kwargs\":{\"webhook\":\"http:\\/\\/a.example\\/"
     "in?token=s3cret\"},\"status\":\"success\"}",
     true},
    {RUN, "{\"run_id\":\"r2\",\"status\":\"success\",\"webhook\":" HOOK "}", false},
    {RUN, "{\"run_id\":\"r1\",\"status\":\"error\",\"webhook\":" HOOK "}", false},
    {RUN, "{\"run_id\":\"r1\",\"webhook\":" HOOK "}", false},
    {RUN,
     "{\"run_id\":\"r1\",\"status\":\"success\",\"webhook\":\"http://a.example/in?token=s3cret2\"}",
     false},
    {"{\"run\":" RUN ",\"id\":\"k\"}", "{\"run\":{\"webhook\":" HOOK "},\"id\":\"k\"}", true},
    {"{\"run\":" RUN ",\"id\":\"k\"}", "{\"run\":" RUN ",\"id\":\"K\"}", false},
    {"{\"run\":" RUN ",\"id\":\"r1\"}", RUN, false},
    {"{\"webhook\":" HOOK "}", "{\"webhook\":" HOOK "} ", false},
};

START_TEST(the_same_event_has_the_same_dedupe_key)
{
	unsigned char first[RP_DEDUPE_KEY_MAX];
	size_t n;
	bool same;

	parse(pairs[_i].a);
	check_accepted(pairs[_i].a);
	n = run.dedupe_key_bytes;
	memcpy(first, run.dedupe_key, n);
	parse(pairs[_i].b);
	check_accepted(pairs[_i].b);
	same = n == run.dedupe_key_bytes && memcmp(first, run.dedupe_key, n) == 0;
	ck_assert_msg(same == pairs[_i].same, "%s and %s", pairs[_i].a, pairs[_i].b);
}
END_TEST

START_TEST(the_longest_dedupe_key_fits)
{
	parse_filled("{\"webhook\":" HOOK ",\"run_id\":\"", 'r', RP_FIELD_MAX, "\"}");
	check_accepted("the longest run_id");
	ck_assert_uint_eq(run.dedupe_key_bytes, 1 + RP_FIELD_MAX + 1 + 16);
}
END_TEST

START_TEST(what_the_caller_gives_goes_before_the_line)
{
	struct rp_run_options options = {.url = rp_span_of("https://given.example/x"),
					 .dedupe_id = rp_span_of("given-id"),
					 .operation = rp_span_of("given operation"),
					 .order_by = rp_span_of("given order"),
					 .not_before_at_ms = 5,
					 .expires_at_ms = 6};

	parse_with("{\"run\":{\"run_id\":\"r\"},\"webhook\":7,\"id\":\"k\",\"operation\":1,\"order_"
		   "by\":\"o\",\"not_"
		   "before\":1}",
		   &options);
	check_accepted("");
	check_span(run.url, "https://given.example/x");
	check_span(run.operation, "given operation");
	check_span(run.order_by, "given order");
	ck_assert(run.not_before_at_ms == 5 && run.expires_at_ms == 6);
	ck_assert_mem_eq(run.dedupe_key, "igiven-id", 9);
}
END_TEST

START_TEST(what_the_caller_gives_is_checked_as_well)
{
	struct rp_run_options options = {.url = rp_span_of("https://u:s3cret@given.example/x")};
	char text[RP_FIELD_MAX + 2];

	parse_with(RUN, &options);
	ck_assert_str_eq(run.code, "bad_url");
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	options.url = rp_span_of("https://given.example/x");
	options.dedupe_id = rp_span_of(text);
	parse_with(RUN, &options);
	ck_assert_str_eq(run.reason, "id: has 201 bytes; at most 200 are accepted");
	options.dedupe_id = rp_span_of("k");
	options.operation = rp_span_of("a\nb");
	parse_with(RUN, &options);
	ck_assert_str_eq(run.code, "bad_field");
}
END_TEST

START_TEST(one_payload_to_two_given_urls_is_two_events)
{
	struct rp_run_options options = {.url = rp_span_of("https://one.example")};
	unsigned char first[RP_DEDUPE_KEY_MAX];

	parse_with("{}", &options);
	check_accepted("{}");
	memcpy(first, run.dedupe_key, run.dedupe_key_bytes);
	options.url = rp_span_of("https://two.example");
	parse_with("{}", &options);
	check_accepted("{}");
	ck_assert_mem_ne(first, run.dedupe_key, run.dedupe_key_bytes);
}
END_TEST

START_TEST(a_plain_run_may_have_a_member_run)
{
	struct rp_run_options options = {.plain_run = true};
	static const char line[] = "{\"run\":7,\"id\":8,\"run_id\":\"r\",\"webhook\":" HOOK "}";

	parse_with(line, &options);
	check_accepted(line);
	check_span(run.payload, line);
	check_span(run.run_id, "r");
}
END_TEST

static const struct {
	const char *name, *value, *problem; /* how it begins; NULL: fine */
} headers[] = {
    {"Authorization", "Bearer x", NULL},
    {"Cookie", "a=b", NULL},
    {"x", " ", "its value is empty"},
    {"x", "", "its value is empty"},
    {"x", " \xc3\xa4 ~", NULL},
    {"x_y.z!", "1", NULL},
    {"webhooks", "1", NULL},
    {"proxy", "1", NULL},
    {"teapot", "1", NULL},
    {"hosts", "1", NULL},
    {"", "1", "its name"},
    {"a b", "1", "its name"},
    {"a:", "1", "its name"},
    {"a\n", "1", "its name"},
    {"\xc3\xa4", "1", "its name"},
    {"x", "a\nb", "its value contains a line break"},
    {"x", "a\r", "its value contains a line break"},
    {"x", "a\tb", "its value contains a control"},
    {"x", "a\x7f", "its value contains a control"},
    {"HOST", "a", "this header is set"},
    {"Content-Length", "1", "this header is set"},
    {"transfer-encoding", "chunked", "this header is set"},
    {"Connection", "close", "this header is set"},
    {"Content-Type", "text/plain", "this header is set"},
    {"TE", "trailers", "this header is set"},
    {"trailer", "x", "this header is set"},
    {"Upgrade", "h2c", "this header is set"},
    {"Keep-Alive", "5", "this header is set"},
    {"Expect", "100-continue", "this header is set"},
    {"User-Agent", "x", "this header is set"},
    {"Accept-Encoding", "gzip", "this header is set"},
    {"Proxy-Authorization", "x", "this header is set"},
    {"webhook-id", "x", "this header is set"},
    {"Webhook-Signature", "x", "this header is set"},
    {"Runpost-Attempt", "1", "this header is set"},
};

START_TEST(a_header_is_fine_or_has_a_problem)
{
	const char *expected = headers[_i].problem, *problem;

	problem = rp_header_problem(rp_span_of(headers[_i].name), rp_span_of(headers[_i].value));
	if (expected == NULL)
		ck_assert_msg(problem == NULL, "%s: %s: %s", headers[_i].name, headers[_i].value,
			      problem);
	else
		ck_assert_msg(problem != NULL && strncmp(problem, expected, strlen(expected)) == 0,
			      "%s: %s: %s", headers[_i].name, headers[_i].value,
			      problem != NULL ? problem : "fine");
}
END_TEST

START_TEST(a_nul_in_a_header_is_a_problem)
{
	ck_assert_ptr_nonnull(rp_header_problem((struct rp_span){"a\0b", 3}, rp_span_of("1")));
	ck_assert_ptr_nonnull(rp_header_problem(rp_span_of("a"), (struct rp_span){"a\0b", 3}));
}
END_TEST

START_TEST(no_line_whatever_fails_to_get_a_verdict)
{
	static const char line[] =
	    "{\"run\":{\"run_id\":\"r\\u00e4\",\"status\":null,\"webhook\":\"http://"
	    "a.example\"},\"id\":\"k\\/\",\"operation\":\"o\","
	    "\"not_before\":\"2026-01-02T00:00:00Z\",\"headers\":{\"a\":\"\\u0031\",\"b\":\"2\"}"
	    ",\"webhook\":\"http:\\/\\/b.example\"}";
	uint64_t seed = 88172645463325252u;
	char text[sizeof line];
	int i, n;

	for (i = 0; i < 30000; i++) {
		memcpy(text, line, sizeof line);
		for (n = 0; n < 1 + i % 3; n++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			text[seed % (sizeof line - 1)] =
			    i % 2 ? (char)(seed >> 32) : line[(seed >> 32) % (sizeof line - 1)];
		}
		parse_bytes(text, sizeof line - 1, &no_options);
		if (run.status == RP_RUN_OK)
			ck_assert(run.url.len > 0 && run.payload.len >= 2 &&
				  run.dedupe_key_bytes > 1);
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("run");
	TCase *tc = tcase_create("run");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, the_engines_own_runs_are_taken_unchanged);
	tcase_add_test(tc, a_carriage_return_belongs_to_the_payload);
	tcase_add_loop_test(tc, the_url_is_taken_from_the_nearest_place, 0,
			    sizeof sources / sizeof sources[0]);
	tcase_add_test(tc, a_blank_line_is_skipped);
	tcase_add_test(tc, an_envelopes_payload_is_exactly_its_run);
	tcase_add_test(tc, what_is_optional_may_be_null);
	tcase_add_test(tc, thread_and_status_are_kept_where_they_are_fit_strings);
	tcase_add_test(tc, a_runs_own_members_are_its_own_business);
	tcase_add_test(tc, without_memory_a_line_is_not_rejected);
	tcase_add_loop_test(tc, a_rejection_says_what_where_and_how, 0,
			    sizeof rejected / sizeof rejected[0]);
	tcase_add_loop_test(tc, limits_hold_to_the_byte, 0, sizeof limits / sizeof limits[0]);
	tcase_add_test(tc, headers_are_limited_in_number);
	tcase_add_test(tc, spans_stay_valid_while_the_text_grows);
	tcase_add_loop_test(tc, headers_that_came_with_the_line_join_those_of_the_envelope, 0,
			    sizeof joined / sizeof joined[0]);
	tcase_add_test(tc, where_headers_do_not_fit_the_state_goes_first_and_the_run_never);
	tcase_add_test(tc, headers_that_came_with_the_line_count_as_well);
	tcase_add_test(tc, a_runs_dedupe_key_is_its_id_url_and_status);
	tcase_add_test(tc, without_a_run_id_the_dedupe_key_is_the_lines_digest);
	tcase_add_loop_test(tc, what_is_cut_out_is_not_stored_and_still_counts, 0,
			    sizeof trimmed / sizeof trimmed[0]);
	tcase_add_test(tc, a_run_without_anything_to_cut_follows_one_with);
	tcase_add_loop_test(tc, the_same_event_has_the_same_dedupe_key, 0,
			    sizeof pairs / sizeof pairs[0]);
	tcase_add_test(tc, the_longest_dedupe_key_fits);
	tcase_add_test(tc, what_the_caller_gives_goes_before_the_line);
	tcase_add_test(tc, what_the_caller_gives_is_checked_as_well);
	tcase_add_test(tc, one_payload_to_two_given_urls_is_two_events);
	tcase_add_test(tc, a_plain_run_may_have_a_member_run);
	tcase_add_loop_test(tc, a_header_is_fine_or_has_a_problem, 0,
			    sizeof headers / sizeof headers[0]);
	tcase_add_test(tc, a_nul_in_a_header_is_a_problem);
	tcase_add_test(tc, no_line_whatever_fails_to_get_a_verdict);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(suite());
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
