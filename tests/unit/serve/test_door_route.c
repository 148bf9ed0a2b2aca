/* What requests to the door ask for. */
#include <stdio.h>
#include <stdlib.h>

#include "heads.h"
#include "serve/door_route.h"

#define N(list) (sizeof(list) / sizeof((list)[0]))

static struct head head;
static struct rp_door_ask ask;
static struct rp_door_refusal no;

static void tear_down(void)
{
	head_release(&head);
	rp_door_ask_release(&ask);
}

static bool route(const char *method, const char *target, const char *more)
{
	head_make(&head, method, target, more);
	return rp_door_route(&head.request, &ask, &no);
}

static bool is(struct rp_span s, const char *text)
{
	return text != NULL ? s.ptr != NULL && rp_span_is(s, text) : s.ptr == NULL;
}

static const struct {
	const char *method, *target;
	enum rp_door_kind kind;
} kinds[] = {
    {"POST", "/to/orders", RP_DOOR_TO_NAME},
    {"POST", "/to/a.B_c-9?x=1", RP_DOOR_TO_NAME},
    {"POST", "/to?url=https%3A%2F%2Fa.example", RP_DOOR_TO_URL},
    {"POST", "/to", RP_DOOR_TO_URL},
    {"POST", "/v1/runs", RP_DOOR_RUNS},
    {"POST", "/v1/runs?runpost_token=x", RP_DOOR_RUNS},
    {"GET", "/v1/entries/msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", RP_DOOR_ENTRY},
    {"HEAD", "/v1/entries/msg_1", RP_DOOR_ENTRY},
    {"GET", "/healthz", RP_DOOR_HEALTHZ},
    {"HEAD", "/readyz?verbose", RP_DOOR_READYZ},
};

START_TEST(paths_and_methods_say_what_is_asked)
{
	ck_assert_msg(route(kinds[_i].method, kinds[_i].target, ""), "%s: %s", kinds[_i].target,
		      no.reason);
	ck_assert_int_eq(ask.kind, kinds[_i].kind);
	ck_assert_int_eq(rp_door_kind_is_public(ask.kind), kinds[_i].kind >= RP_DOOR_HEALTHZ);
}
END_TEST

static const struct {
	const char *method, *target;
	int status;
	const char *code, *header;
} refused[] = {
    {"POST", "/", 404, "not_found", ""},
    {"POST", "/to/", 404, "not_found", ""},
    {"POST", "/to//x", 404, "not_found", ""},
    {"POST", "/to/.", 404, "not_found", ""},
    {"POST", "/to/../v1/runs", 404, "not_found", ""},
    {"POST", "/to/a%62", 404, "not_found", ""},
    {"POST", "/to/a;b", 404, "not_found", ""},
    {"POST", "/to/0123456789012345678901234567890123456789012345678901234567890123x", 404,
     "not_found", ""},
    {"POST", "/TO/a", 404, "not_found", ""},
    {"POST", "/t%6f/a", 404, "not_found", ""},
    {"POST", "//to/a", 404, "not_found", ""},
    {"POST", "/v1/runs/", 404, "not_found", ""},
    {"POST", "/v1/run", 404, "not_found", ""},
    {"GET", "/v1/entries/", 404, "not_found", ""},
    {"GET", "/v1/entries/a/b", 404, "not_found", ""},
    {"GET", "/v1/entries/a%2fb", 404, "not_found", ""},
    {"GET", "/healthz/", 404, "not_found", ""},
    {"OPTIONS", "*", 404, "not_found", ""},
    {"GET", "/metrics", 404, "not_found", ""},
    {"GET", "/to/orders", 405, "method", "Allow: POST\r\n"},
    {"PUT", "/to", 405, "method", "Allow: POST\r\n"},
    {"post", "/v1/runs", 405, "method", "Allow: POST\r\n"},
    {"OPTIONS", "/v1/runs", 405, "method", "Allow: POST\r\n"},
    {"POST", "/v1/entries/msg_1", 405, "method", "Allow: GET, HEAD\r\n"},
    {"POST", "/healthz", 405, "method", "Allow: GET, HEAD\r\n"},
    {"DELETE", "/readyz", 405, "method", "Allow: GET, HEAD\r\n"},
};

START_TEST(other_paths_and_methods_are_refused)
{
	ck_assert_msg(!route(refused[_i].method, refused[_i].target, ""), "%s", refused[_i].target);
	ck_assert_int_eq(no.status, refused[_i].status);
	ck_assert_str_eq(no.code, refused[_i].code);
	ck_assert_str_eq(no.extra_header_lines, refused[_i].header);
	ck_assert(no.reason[0] != '\0');
}
END_TEST

static const struct {
	const char *target, *name, *rest, *query, *token;
	unsigned n_tokens;
} named[] = {
    {"/to/a", "a", "", "", "", 0},
    {"/to/a?", "a", "", "", "", 0},
    {"/to/a/", "a", "/", "", "", 0},
    {"/to/a/b/c%20?d=e&f", "a", "/b/c%20", "d=e&f", "", 0},
    {"/to/a?token=s&op=%zz&&x", "a", "", "token=s&op=%zz&&x", "", 0},
    {"/to/a?runpost_token=T", "a", "", "", "T", 1},
    {"/to/a?runpost_token=T%2b+%3D=", "a", "", "", "T++==", 1},
    {"/to/a?x=1&runpost_token=T&y=2", "a", "", "x=1&y=2", "T", 1},
    {"/to/a?runpost_token=T&y=2", "a", "", "y=2", "T", 1},
    {"/to/a?y=2&runpost_token=T", "a", "", "y=2", "T", 1},
    {"/to/a?&runpost_token=T&", "a", "", "&", "T", 1},
    {"/to/a?runpost%5Ftoken=T&y", "a", "", "y", "T", 1},
    {"/to/a?%72unpost_token=T", "a", "", "", "T", 1},
    {"/to/a?runpost_token", "a", "", "", "", 1},
    {"/to/a?runpost_token=", "a", "", "", "", 1},
    {"/to/a?runpost_token=%zz", "a", "", "", "", 1},
    {"/to/a?runpost_token=T&runpost_token=U&z", "a", "", "z", "", 2},
    {"/to/a?runpost_token=T&runpost_token=U&runpost_token=V", "a", "", "", "", 3},
    {"/to/a?Runpost_token=T", "a", "", "Runpost_token=T", "", 0},
    {"/to/a?x=runpost_token=T", "a", "", "x=runpost_token=T", "", 0},
    {"/to/a/runpost_token=T?b", "a", "/runpost_token=T", "b", "", 0},
};

START_TEST(a_named_target_is_taken_apart)
{
	ck_assert(route("POST", named[_i].target, ""));
	ck_assert(rp_span_is(ask.name, named[_i].name) && rp_span_is(ask.rest, named[_i].rest));
	ck_assert_msg(rp_span_is(ask.query, named[_i].query), "%.*s", (int)ask.query.len,
		      ask.query.ptr);
	ck_assert(rp_span_is(ask.token, named[_i].token));
	ck_assert_uint_eq(ask.n_tokens, named[_i].n_tokens);
	ck_assert(ask.problem == NULL && ask.url.ptr == NULL && ask.sig.ptr == NULL);
}
END_TEST

static const struct {
	const char *query, *url, *sig, *token;
	bool problem;
} given[] = {
    {"", NULL, NULL, "", false},
    {"?url=https%3A%2F%2Fa.example%2Fx%3Fa%3D1%26b%3D2&sig=0aF", "https://a.example/x?a=1&b=2",
     "0aF", "", false},
    {"?url=https://a.example/x?a=1", "https://a.example/x?a=1", NULL, "", false},
    {"?sig=1&runpost_token=T&url=u+%2B", "u++", "1", "T", false},
    {"?u%72l=a&&", "a", NULL, "", false},
    {"?url=", "", NULL, "", false},
    {"?url=https://a.example/x?a=1&b=2", "https://a.example/x?a=1", NULL, "", true},
    {"?url=a&url=a", "a", NULL, "", true},
    {"?url=a&sig=1&sig=1", "a", "1", "", true},
    {"?url=%4", NULL, NULL, "", true},
    {"?url=a%", NULL, NULL, "", true},
    {"?url=a&sig=%g0", "a", NULL, "", true},
    {"?URL=a", NULL, NULL, "", true},
    {"?url", "", NULL, "", false},
};

START_TEST(a_given_target_is_decoded)
{
	char target[200];

	snprintf(target, sizeof target, "/to%s", given[_i].query);
	ck_assert(route("POST", target, ""));
	ck_assert_msg(is(ask.url, given[_i].url), "%.*s", (int)ask.url.len, ask.url.ptr);
	ck_assert(is(ask.sig, given[_i].sig) && rp_span_is(ask.token, given[_i].token));
	ck_assert_int_eq(ask.problem != NULL, given[_i].problem);
	ck_assert_uint_eq(ask.query.len, 0);
}
END_TEST

static const struct {
	const char *type;
	bool lines;
} types[] = {
    {"", false},
    {"Content-Type: application/x-ndjson\r\n", true},
    {"Content-Type: application/jsonl\r\n", true},
    {"content-type: Application/NDJSON ; charset=utf-8\r\n", true},
    {"Content-Type: application/json\r\n", false},
    {"Content-Type: text/plain;charset=UTF-8\r\n", false},
    {"Content-Type: application/x-ndjson-seq\r\n", false},
};

START_TEST(the_type_of_a_body_tells_lines_from_a_run)
{
	ck_assert(route("POST", "/v1/runs", types[_i].type));
	ck_assert_int_eq(ask.kind, types[_i].lines ? RP_DOOR_RUNS_LINES : RP_DOOR_RUNS);
	ck_assert(route("POST", "/to/a", types[_i].type));
	ck_assert_int_eq(ask.kind, RP_DOOR_TO_NAME);
}
END_TEST

START_TEST(an_ask_is_filled_anew)
{
	ck_assert(route("POST", "/to?url=a&sig=b&runpost_token=T&x", ""));
	ck_assert(ask.problem != NULL && ask.n_tokens == 1);
	ck_assert(route("GET", "/v1/entries/msg_1?runpost_token=U", ""));
	ck_assert(rp_span_is(ask.entry_id, "msg_1") && rp_span_is(ask.token, "U"));
	ck_assert(ask.problem == NULL && ask.url.ptr == NULL && ask.sig.ptr == NULL);
	ck_assert(!route("GET", "/x", ""));
	ck_assert_uint_eq(ask.n_tokens, 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("door_route");
	TCase *tc = tcase_create("route");

	tcase_add_checked_fixture(tc, NULL, tear_down);
	tcase_add_loop_test(tc, paths_and_methods_say_what_is_asked, 0, N(kinds));
	tcase_add_loop_test(tc, other_paths_and_methods_are_refused, 0, N(refused));
	tcase_add_loop_test(tc, a_named_target_is_taken_apart, 0, N(named));
	tcase_add_loop_test(tc, a_given_target_is_decoded, 0, N(given));
	tcase_add_loop_test(tc, the_type_of_a_body_tells_lines_from_a_run, 0, N(types));
	tcase_add_test(tc, an_ask_is_filled_anew);
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
