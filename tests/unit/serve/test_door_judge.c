/* The order in which the door judges: a request that breaks several rules is refused for the first
 * of them, and nobody learns of the configuration who may not come. */
#include <stdio.h>
#include <stdlib.h>

#include "heads.h"
#include "serve/door_judge.h"

#define N(list) (sizeof(list) / sizeof((list)[0]))
#define TOKEN "0123456789abcdef"
#define MAX_BODY 1000

static struct rp_config config;
static struct rp_token_list tokens;
static struct rp_door_address own[2]; /* of the second one, the configuration knows nothing */
static const uid_t users[] = {7};
static struct rp_door_rules rules;
static struct rp_door_peer peer;
static struct rp_door_head judged;
static struct rp_door_refusal no;
static struct head head;

static void set_up(void)
{
	static const char text[] = "[endpoint \"orders\"]\nurl = https://shop.example/in\n"
				   "door = yes\n"
				   "[endpoint \"self\"]\nurl = http://127.0.0.1:9000/to/orders\n"
				   "door = yes\n"
				   "[endpoint \"cut\"]\nurl = https://cut.example/\n"
				   "door = yes\ndrop = kwargs.webhook\n"
				   "[endpoint \"closed\"]\nurl = https://closed.example/\n";
	struct rp_error err;

	rp_config_init(&config);
	ck_assert_msg(rp_config_parse(&config, "t.conf", rp_span_of(text), &err) == RP_OK, "%s",
		      err.text);
	ck_assert_int_eq(rp_token_list_parse(rp_span_of(TOKEN), RP_TOKEN_BEARER, &tokens, &err),
			 RP_OK);
	own[0] = address_from("127.0.0.1", 8484);
	own[1] = address_from("127.0.0.1", 9000);
	peer = (struct rp_door_peer){
	    .loopback = true, .known = true, .uid = 7, .local = own[0], .remote = own[0]};
	rules = (struct rp_door_rules){.config = &config,
				       .hosts = {.own = own, .n_own = 2},
				       .callers = {users, 1, &tokens},
				       .max_body_bytes = MAX_BODY};
}

static void tear_down(void)
{
	rp_door_head_release(&judged);
	rp_config_release(&config);
	rp_token_list_release(&tokens);
	head_release(&head);
}

static bool judge(const char *lines)
{
	head_parse(&head, lines);
	return rp_door_judge_head(&rules, &peer, &head.request, &judged, &no);
}

/* Each breaks a rule, and what comes after breaks the later ones. */
static const struct rule {
	int status;
	const char *code, *field;
} order[] = {
    {421, "host", "Host: evil.test\r\n"},
    {403, "cross_site", "Origin: https://evil.test\r\n"},
    {508, "loop", "runpost-attempt: 1\r\n"},
    {404, "not_found", NULL},
    {405, "method", NULL},
    {401, "unauthorized", NULL},
    {415, "content_encoding", "Content-Encoding: gzip\r\n"},
    {404, "no_such_endpoint", NULL},
    {413, "too_large", "Content-Length: 1001\r\n"},
};

static const char *broken_line(size_t first)
{
	if (first <= 3)
		return "GET /too/nobody";
	if (first <= 4)
		return "GET /to/nobody";
	return first <= 7 ? "POST /to/nobody" : "POST /to/orders";
}

START_TEST(the_first_rule_that_is_broken_answers)
{
	size_t first = (size_t)_i, i;
	struct rp_buf text = {0};

	ck_assert(rp_buf_printf(&text, "%s HTTP/1.1\r\n%s", broken_line(first),
				first > 0 ? "Host: 127.0.0.1:8484\r\n" : ""));
	for (i = first; i < N(order); i++)
		if (order[i].field != NULL)
			ck_assert(rp_buf_add_text(&text, order[i].field));
	peer.uid = first <= 5 ? 8 : 7;
	ck_assert(!judge(text.data));
	ck_assert_msg(no.status == order[first].status && strcmp(no.code, order[first].code) == 0,
		      "%s: %d %s", text.data, no.status, no.code);
	ck_assert_uint_eq(judged.url.len, first == 8 ? strlen("https://shop.example/in") : 0);
	rp_buf_release(&text);
}
END_TEST

static const struct {
	const char *line, *fields;
	enum rp_door_kind kind;
	enum rp_door_credential by;
	const char *url; /* NULL: none */
} taken[] = {
    {"POST /to/orders/x?a=b", "Content-Length: 1000\r\n", RP_DOOR_TO_NAME, RP_DOOR_BY_PEER,
     "https://shop.example/in/x?a=b"},
    {"POST /to/orders", "Transfer-Encoding: chunked\r\n", RP_DOOR_TO_NAME, RP_DOOR_BY_PEER,
     "https://shop.example/in"},
    {"POST /to?url=https://shop.example/in", "Content-Length: 1\r\n", RP_DOOR_TO_URL,
     RP_DOOR_BY_PEER, "https://shop.example/in"},
    {"POST /to/cut?runpost_token=" TOKEN, "Via: a\r\nContent-Length: 1\r\n", RP_DOOR_TO_NAME,
     RP_DOOR_BY_QUERY, "https://cut.example/"},
    {"POST /v1/runs", "Content-Length: 1\r\n", RP_DOOR_RUNS, RP_DOOR_BY_PEER, NULL},
    {"POST /v1/runs?runpost_token=" TOKEN, "Via: a\r\nContent-Length: 1\r\n", RP_DOOR_RUNS,
     RP_DOOR_BY_QUERY, NULL},
    {"POST /v1/runs", "Content-Type: application/jsonl\r\nContent-Length: 1\r\n",
     RP_DOOR_RUNS_LINES, RP_DOOR_BY_PEER, NULL},
    {"GET /v1/entries/msg_1", "Via: a\r\nAuthorization: Bearer " TOKEN "\r\n", RP_DOOR_ENTRY,
     RP_DOOR_BY_BEARER, NULL},
    {"HEAD /healthz", "Via: a\r\n", RP_DOOR_HEALTHZ, RP_DOOR_BY_NONE, NULL},
    {"GET /readyz", "Via: a\r\n", RP_DOOR_READYZ, RP_DOOR_BY_NONE, NULL},
};

START_TEST(what_breaks_no_rule_is_taken)
{
	char text[300];

	snprintf(text, sizeof text, "%s HTTP/1.1\r\nHost: localhost:8484\r\n%s", taken[_i].line,
		 taken[_i].fields);
	ck_assert_msg(judge(text), "%s: %d %s", text, no.status, no.reason);
	ck_assert_int_eq(judged.ask.kind, taken[_i].kind);
	ck_assert_int_eq(judged.by, taken[_i].by);
	ck_assert_int_eq(judged.policy != NULL, taken[_i].url != NULL);
	if (taken[_i].url != NULL)
		ck_assert_str_eq(judged.url.data, taken[_i].url);
	else
		ck_assert_uint_eq(judged.url.len, 0);
}
END_TEST

static const struct {
	const char *line, *fields;
	int status;
	const char *code;
} refused[] = {
    {"POST /to/self", "", 508, "loop"},
    {"POST /to/closed", "", 403, "not_published"},
    {"POST /to/orders/..", "", 422, "bad_url"},
    {"POST /to?url=https://other.example/", "", 403, "not_published"},
    {"POST /to?url=https://other.example/&sig=1", "", 403, "bad_signature"},
    {"POST /to/orders?runpost_token=" TOKEN, "", 403, "token_in_url"},
    {"POST /to/orders?runpost_token=" TOKEN, "Via: a\r\n", 403, "token_in_url"},
    {"POST /to/orders?runpost_token=wrong", "Via: a\r\n", 401, "unauthorized"},
    {"POST /to/nobody", "Via: a\r\n", 401, "unauthorized"},
    {"POST /to?url=https://other.example/&sig=1", "Via: a\r\n", 401, "unauthorized"},
    {"GET /v1/entries/msg_1", "Via: a\r\n", 401, "unauthorized"},
    {"POST /v1/runs", "Content-Length: 99999999999999999999999\r\n", 413, "too_large"},
    {"GET /healthz", "Origin: null\r\n", 403, "cross_site"},
    {"GET /readyz", "runpost-attempt: 2\r\n", 508, "loop"},
    {"POST /healthz", "", 405, "method"},
};

START_TEST(what_breaks_a_rule_is_refused)
{
	char text[300];

	snprintf(text, sizeof text, "%s HTTP/1.1\r\nHost: 127.0.0.1:8484\r\n%s", refused[_i].line,
		 refused[_i].fields);
	ck_assert(!judge(text));
	ck_assert_msg(no.status == refused[_i].status && strcmp(no.code, refused[_i].code) == 0,
		      "%s: %d %s %s", text, no.status, no.code, no.reason);
	ck_assert(strstr(no.reason, TOKEN) == NULL);
}
END_TEST

START_TEST(a_head_is_filled_anew)
{
	ck_assert(judge("POST /to/orders/a/long/way HTTP/1.1\r\nHost: 127.0.0.1:8484\r\n"));
	ck_assert(!judge("POST /to/orders HTTP/1.1\r\nHost: evil.test\r\n"));
	ck_assert(judged.url.len == 0 && judged.policy == NULL && judged.by == RP_DOOR_BY_NONE &&
		  judged.ask.kind == 0);
	ck_assert(judge("POST /to/orders HTTP/1.1\r\nHost: 127.0.0.1:8484\r\n"));
	ck_assert_str_eq(judged.url.data, "https://shop.example/in");
	ck_assert(judge("POST /v1/runs HTTP/1.1\r\nHost: 127.0.0.1:8484\r\n"));
	ck_assert(judged.url.len == 0 && judged.policy == NULL);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("door_judge");
	TCase *tc = tcase_create("judge");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, the_first_rule_that_is_broken_answers, 0, N(order));
	tcase_add_loop_test(tc, what_breaks_no_rule_is_taken, 0, N(taken));
	tcase_add_loop_test(tc, what_breaks_a_rule_is_refused, 0, N(refused));
	tcase_add_test(tc, a_head_is_filled_anew);
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
