/* Lines of `runpostctl export` and what `import` makes of them. */
#include "report/export_line.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#define NOW_MS INT64_C(1700000000123)
#define PAYLOAD                                                                                    \
	"{\"a\":\"\\u0000 \\ud800 \\/ \xc3\xa9\", \"n\":1e400 , "                                  \
	"\"n\":123456789012345678901234567890}"

static const struct rp_config plain; /* nothing but queries is a secret */

static struct rp_buf out;
static struct rp_import_line line;
static struct rp_error err;

static void set_up(void)
{
	memset(&out, 0, sizeof out);
	memset(&line, 0, sizeof line);
	memset(&err, 0, sizeof err);
}

static void tear_down(void)
{
	rp_import_line_release(&line);
	rp_buf_release(&out);
}

static struct rp_entry entry(void)
{
	struct rp_entry e = {
	    .seq = 7,
	    .endpoint = rp_span_of("https://hooks.example.com/in"),
	    .facts = {.accepted_at_ms = NOW_MS,
		      .not_before_at_ms = NOW_MS + 1,
		      .expires_at_ms = NOW_MS + 2,
		      .payload_bytes = sizeof PAYLOAD - 1,
		      .payload_hash = rp_payload_hash(PAYLOAD, sizeof PAYLOAD - 1),
		      .url = rp_span_of("https://hooks.example.com/in?token=s3cret&op=x"),
		      .run_id = rp_span_of("run-\xc3\xa9"),
		      .operation = rp_span_of("POST /runs/\"wait\""),
		      .order_by = rp_span_of("thread"),
		      .headers = rp_span_of("authorization: Bearer h1dden\nx-event: a \"b\": c\n"),
		      .dedupe_key = {"r\0\xff\x01", 4}},
	    .delivery = {.state = RP_STATE_DEAD,
			 .cause = RP_CAUSE_EXHAUSTED,
			 .last_cause = RP_CAUSE_HTTP,
			 .http_status = 503,
			 .failures = 11,
			 .losses = 2,
			 .replays = 3,
			 .attempts = 14,
			 .due_at_ms = NOW_MS + 4,
			 .state_at_ms = NOW_MS + 5,
			 .budget_at_ms = NOW_MS + 6,
			 .expires_at_ms = NOW_MS + 2},
	};
	rp_id_make(7, (const unsigned char *)"0123456789", e.facts.id);
	return e;
}

static void write_line(const struct rp_entry *e, bool with_secrets)
{
	ck_assert(rp_export_line(&plain, e, (struct rp_span){PAYLOAD, sizeof PAYLOAD - 1},
				 with_secrets, &out));
}

static enum rp_err read_back(void)
{
	return rp_import_line(&line, (struct rp_span){out.data, out.len}, &err);
}

static void ck_span(struct rp_span a, struct rp_span b)
{
	ck_assert_uint_eq(a.len, b.len);
	ck_assert(a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static void ck_same(const struct rp_entry *a, const struct rp_entry *b)
{
	const struct rp_delivery *d = &a->delivery, *got = &b->delivery;

	ck_assert_mem_eq(a->facts.id, b->facts.id, RP_ID_BYTES);
	ck_span(a->endpoint, b->endpoint);
	ck_span(a->facts.url, b->facts.url);
	ck_span(a->facts.run_id, b->facts.run_id);
	ck_span(a->facts.operation, b->facts.operation);
	ck_span(a->facts.order_by, b->facts.order_by);
	ck_span(a->facts.headers, b->facts.headers);
	ck_span(a->facts.dedupe_key, b->facts.dedupe_key);
	ck_assert_int_eq(a->facts.accepted_at_ms, b->facts.accepted_at_ms);
	ck_assert_int_eq(a->facts.not_before_at_ms, b->facts.not_before_at_ms);
	ck_assert_int_eq(a->facts.expires_at_ms, b->facts.expires_at_ms);
	ck_assert_uint_eq(a->facts.payload_bytes, b->facts.payload_bytes);
	ck_assert_uint_eq(a->facts.payload_hash, b->facts.payload_hash);
	ck_assert_int_eq(d->state, got->state);
	ck_assert_int_eq(d->cause, got->cause);
	ck_assert_int_eq(d->last_cause, got->last_cause);
	ck_assert_uint_eq(d->http_status, got->http_status);
	ck_assert_uint_eq(d->failures, got->failures);
	ck_assert_uint_eq(d->losses, got->losses);
	ck_assert_uint_eq(d->replays, got->replays);
	ck_assert_uint_eq(d->attempts, got->attempts);
	ck_assert_int_eq(d->due_at_ms, got->due_at_ms);
	ck_assert_int_eq(d->state_at_ms, got->state_at_ms);
	ck_assert_int_eq(d->budget_at_ms, got->budget_at_ms);
	ck_assert_int_eq(d->expires_at_ms, got->expires_at_ms);
}

START_TEST(a_line_with_its_secrets_brings_everything_back)
{
	struct rp_entry e = entry();

	write_line(&e, true);
	ck_assert_ptr_eq(memchr(out.data, '\n', out.len), out.data + out.len - 1);
	ck_assert_msg(read_back() == RP_OK, "%s", err.text);
	ck_same(&e, &line.entry);
	ck_assert_uint_eq(line.payload.len, sizeof PAYLOAD - 1);
	ck_assert_mem_eq(line.payload.ptr, PAYLOAD, sizeof PAYLOAD - 1);
}
END_TEST

START_TEST(a_payload_that_is_not_utf8_comes_back_all_the_same)
{
	static const char payload[] = "{\"a\":\"\xff\"}";
	struct rp_entry e = entry();

	e.facts.payload_bytes = sizeof payload - 1;
	ck_assert(
	    rp_export_line(&plain, &e, (struct rp_span){payload, sizeof payload - 1}, true, &out));
	ck_assert_ptr_nonnull(strstr(out.data, "\"payload_base64\":\"eyJhIjoi/yJ9\""));
	/* what no ingest would take, no import takes: but the bytes are there */
	ck_assert_int_eq(read_back(), RP_ERR_INVAL);
	ck_assert_uint_eq(line.payload.len, sizeof payload - 1);
	ck_assert_mem_eq(line.payload.ptr, payload, sizeof payload - 1);
}
END_TEST

START_TEST(without_secrets_none_is_in_the_line_and_it_is_refused)
{
	struct rp_entry e = entry();

	write_line(&e, false);
	ck_assert_ptr_null(strstr(out.data, "s3cret"));
	ck_assert_ptr_null(strstr(out.data, "h1dden"));
	ck_assert_ptr_null(strstr(out.data, "1e400"));
	ck_assert_ptr_nonnull(strstr(out.data, "?token=REDACTED&op=REDACTED"));
	ck_assert_ptr_nonnull(strstr(out.data, "\"authorization\":\"REDACTED\""));
	ck_assert_ptr_nonnull(strstr(out.data, "\"complete\":false"));
	ck_assert_int_eq(read_back(), RP_ERR_INVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "--with-secrets"));
}
END_TEST

START_TEST(an_entry_without_secrets_is_complete_either_way)
{
	struct rp_entry e = entry();

	e.facts.url = rp_span_of("https://hooks.example.com/in");
	e.facts.headers.len = 0;
	ck_assert(
	    !rp_export_has_secrets(&plain, &e, (struct rp_span){PAYLOAD, sizeof PAYLOAD - 1}));
	write_line(&e, false);
	ck_assert_msg(read_back() == RP_OK, "%s", err.text);
	ck_same(&e, &line.entry);
}
END_TEST

/* The URL is one without a query; the Run in the payload says another. */
static const struct {
	const char *payload;
	bool hides;
} payloads[] = {
    {"{\"kwargs\":{\"webhook\":\"https://h/in?token=s3cret\"}}", true},
    {"{\"webhook\" :\t\"https:\\/\\/h\\/in\\u003ftoken=s3cret\"}", true},
    {"{\"a\":[{\"webhook\":\"https://h/\"},{\"webhook\":\"https://h/?s3cret\"}]}", true},
    {"{\"webhook\":\"https://u:s3cret@h/\"}", true},
    {"{\"webhook\":\"no URL, s3cret\"}", true},
    {"{\"webhook\":\"https://h/in\",\"kwargs\":{\"webhook\":null}}", false},
    {"{\"webhook\":\"\",\"a\":[\"webhook\",\"webhook\"]}", false},
    {"{\"webhook\":{\"url\":1}}", false},
    {"{\"webhooks\":\"https://h/?x=1\"}", false},
};

START_TEST(a_url_with_a_secret_in_the_payload_makes_the_line_incomplete)
{
	struct rp_span payload = rp_span_of(payloads[_i].payload);
	struct rp_entry e = entry();

	e.facts.url = rp_span_of("https://hooks.example.com/in");
	e.facts.headers.len = 0;
	e.facts.payload_bytes = payload.len;
	ck_assert_msg(rp_export_has_secrets(&plain, &e, payload) == payloads[_i].hides, "%s",
		      payloads[_i].payload);
	ck_assert(rp_export_line(&plain, &e, payload, false, &out));
	ck_assert_ptr_null(strstr(out.data, "s3cret"));
	ck_assert_msg((strstr(out.data, "\"payload\":") == NULL) == payloads[_i].hides, "%s",
		      out.data);
}
END_TEST

START_TEST(what_was_in_flight_is_waiting)
{
	struct rp_entry e = entry();

	e.delivery.state = RP_STATE_IN_FLIGHT;
	write_line(&e, true);
	ck_assert_int_eq(read_back(), RP_OK);
	ck_assert_int_eq(line.entry.delivery.state, RP_STATE_WAITING);
}
END_TEST

#define ID "\"id\":\"msg_000000000G1CY55NDPRXZQ0S4M\""
#define REST                                                                                       \
	"\"url\":\"https://a.example/"                                                             \
	"\",\"accepted_at\":\"2026-11-23T12:00:00Z\",\"payload\":\"{}\""
#define START "{\"v\":1," ID ",\"state\":\"held\","

static const struct {
	const char *text, *says; /* says NULL: fine */
} lines[] = {
    {START REST "}", NULL},
    {START REST ",\"unknown\":{\"id\":7}}", NULL},
    {START REST ",\"headers\":{},\"attempts\":null}", NULL},
    {"", "byte 1"},
    {START REST, "byte"},
    {"[]", "byte 1"},
    {"{" ID "," REST "}", "v: must be 1"},
    {"{\"v\":2," ID "," REST "}", "v: must be 1"},
    {"{\"v\":1,\"id\":\"msg_1\",\"state\":\"held\"," REST "}", "id: must be"},
    {"{\"v\":1,\"id\":7,\"state\":\"held\"," REST "}", "id: must be a string"},
    {"{\"v\":1," ID ",\"state\":\"asleep\"," REST "}", "state: must be waiting"},
    {"{\"v\":1," ID "," REST "}", "state: must be waiting"},
    {START REST ",\"url\":\"ftp://a\"}", "url: "},
    {START REST ",\"url\":null}", "url: "},
    {START REST ",\"accepted_at\":\"yesterday\"}", "accepted_at: must be a time"},
    {START REST ",\"accepted_at\":null}", "accepted_at: is missing"},
    {START REST ",\"payload\":null}", "payload: is missing"},
    {START REST ",\"payload\":\"[]\"}", "payload: byte 1"},
    {START REST ",\"payload\":{}}", "payload: must be a string"},
    {START REST ",\"payload_sha256\":\"00\"}", "payload_sha256: does not fit"},
    {START REST ",\"attempts\":-1}", "attempts: must be a whole number"},
    {START REST ",\"attempts\":1.5}", "attempts: must be a whole number"},
    {START REST ",\"failures\":65536}", "failures: must be a whole number"},
    {START REST ",\"attempts\":99999999999999999999999999}", "attempts: must be a whole number"},
    {START REST ",\"cause\":\"bored\"}", "cause: there is no such cause"},
    {START REST ",\"run_id\":\"a\\nb\"}", "run_id: contains a control character"},
    {START REST ",\"headers\":{\"host\":\"x\"}}", "headers: this header is set"},
    {START REST ",\"headers\":{\"a\":\"b\\r\\nc\"}}", "headers: its value contains a line break"},
    {START REST ",\"headers\":{\"a\":1}}", "headers: must be an object of strings"},
    {START REST ",\"headers\":[]}", "headers: must be an object of strings"},
    {START REST ",\"dedupe_key\":\"!\"}", "dedupe_key: must be base64"},
    {START REST ",\"complete\":false}", "without its secrets"},
};

START_TEST(a_bad_line_is_refused_with_the_member_that_is_wrong)
{
	struct rp_span text = rp_span_of(lines[_i].text);
	enum rp_err e = rp_import_line(&line, text, &err);

	if (lines[_i].says == NULL) {
		ck_assert_msg(e == RP_OK, "%s", err.text);
		return;
	}
	ck_assert_msg(e == RP_ERR_INVAL && strstr(err.text, lines[_i].says) != NULL, "%s: %s",
		      text.ptr, err.text);
}
END_TEST

START_TEST(without_a_dedupe_key_the_id_serves)
{
	ck_assert_int_eq(rp_import_line(&line, rp_span_of(START REST "}"), &err), RP_OK);
	ck_span(line.entry.facts.dedupe_key, rp_span_of("imsg_000000000G1CY55NDPRXZQ0S4M"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("export");
	TCase *t = tcase_create("export");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, a_line_with_its_secrets_brings_everything_back);
	tcase_add_test(t, a_payload_that_is_not_utf8_comes_back_all_the_same);
	tcase_add_test(t, without_secrets_none_is_in_the_line_and_it_is_refused);
	tcase_add_test(t, an_entry_without_secrets_is_complete_either_way);
	tcase_add_loop_test(t, a_url_with_a_secret_in_the_payload_makes_the_line_incomplete, 0,
			    (int)(sizeof payloads / sizeof payloads[0]));
	tcase_add_test(t, what_was_in_flight_is_waiting);
	tcase_add_loop_test(t, a_bad_line_is_refused_with_the_member_that_is_wrong, 0,
			    (int)(sizeof lines / sizeof lines[0]));
	tcase_add_test(t, without_a_dedupe_key_the_id_serves);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
