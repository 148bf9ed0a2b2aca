/* Who may come to the door: Host, browsers, loops, peers, tokens. */
#include <stdio.h>
#include <stdlib.h>

#include "heads.h"

#define N(list) (sizeof(list) / sizeof((list)[0]))
#define TOKEN "the-right-token-1"

static struct head head;
static struct rp_door_refusal no;

static void tear_down(void)
{
	head_release(&head);
}

static void take(const char *lines)
{
	struct rp_buf text = {0};

	ck_assert(rp_buf_printf(&text, "POST /to/a HTTP/1.1\r\n%s", lines));
	head_parse(&head, text.data);
	rp_buf_release(&text);
}

static bool is_refused(int status, const char *code)
{
	return no.status == status && strcmp(no.code, code) == 0 && no.reason[0] != '\0' &&
	       strlen(no.reason) < sizeof no.reason - 1;
}

/* ---- addresses ---- */

static const struct {
	const char *ip;
	bool loopback;
} addresses[] = {
    {"127.0.0.1", true},  {"127.255.0.9", true},  {"::1", true},      {"::ffff:127.0.0.1", true},
    {"128.0.0.1", false}, {"10.0.0.1", false},    {"::", false},      {"0.0.0.0", false},
    {"::2", false},       {"::127.0.0.1", false}, {"fe80::1", false}, {"::ffff:10.0.0.1", false},
};

START_TEST(loopback_is_told_from_other_addresses)
{
	struct rp_door_address a = address_from(addresses[_i].ip, 8484);

	ck_assert_int_eq(rp_door_address_is_loopback(&a), addresses[_i].loopback);
	ck_assert_uint_eq(a.port, 8484);
}
END_TEST

/* ---- Host ---- */

struct place {
	const char *ip;
	uint16_t port;
};

static const struct {
	struct place own[2]; /* listeners; no ip: none */
	const char *names[2];
	struct place local; /* where the connection came to */
	const char *host;   /* NULL: HTTP/1.0 without */
	bool ours;
} hosts[] = {
    {{{"127.0.0.1", 8484}}, {NULL}, {"127.0.0.1", 8484}, "127.0.0.1:8484", true},
    {{{"127.0.0.1", 8484}}, {NULL}, {"127.0.0.1", 8484}, "localhost:8484", true},
    {{{"127.0.0.1", 8484}}, {NULL}, {"127.0.0.1", 8484}, "LocalHost.:8484", true},
    {{{"127.0.0.1", 8484}}, {NULL}, {"127.0.0.1", 8484}, "localhost", false},
    {{{"127.0.0.1", 8484}}, {NULL}, {"127.0.0.1", 8484}, "localhost:80", false},
    {{{"127.0.0.1", 8484}}, {NULL}, {"127.0.0.1", 8484}, "localhost.evil.test:8484", false},
    {{{"127.0.0.1", 8484}}, {NULL}, {"127.0.0.1", 8484}, "evil.test", false},
    {{{"127.0.0.1", 8484}}, {NULL}, {"127.0.0.1", 8484}, "evil.test:8484", false},
    {{{"127.0.0.1", 8484}}, {NULL}, {"127.0.0.1", 8484}, "127.0.0.1.evil.test:8484", false},
    {{{"127.0.0.1", 8484}}, {NULL}, {"127.0.0.1", 8484}, "127.0.0.2:8484", false},
    {{{"127.0.0.1", 8484}}, {NULL}, {"127.0.0.1", 8484}, "127.1:8484", false},
    {{{"127.0.0.1", 8484}}, {NULL}, {"127.0.0.1", 8484}, "", false},
    {{{"127.0.0.1", 8484}}, {NULL}, {"127.0.0.1", 8484}, ":8484", false},
    {{{"127.0.0.1", 8484}}, {NULL}, {"127.0.0.1", 8484}, "localhost:", false},
    {{{"127.0.0.1", 8484}}, {NULL}, {"127.0.0.1", 8484}, "localhost:8484x", false},
    {{{"127.0.0.1", 8484}}, {NULL}, {"127.0.0.1", 8484}, "localhost:74020", false},
    {{{"127.0.0.1", 8484}}, {NULL}, {"127.0.0.1", 8484}, "localhost:8484, evil.test", false},
    {{{"127.0.0.1", 8484}}, {NULL}, {"127.0.0.1", 8484}, "a@localhost:8484", false},
    {{{"127.0.0.1", 8484}}, {NULL}, {"127.0.0.1", 8484}, NULL, false},
    {{{"127.0.0.1", 80}}, {NULL}, {"127.0.0.1", 80}, "localhost", true},
    {{{"127.0.0.1", 80}}, {NULL}, {"127.0.0.1", 80}, "127.0.0.1", true},
    {{{"::1", 8484}}, {NULL}, {"::1", 8484}, "[::1]:8484", true},
    {{{"::1", 8484}}, {NULL}, {"::1", 8484}, "[0:0::1]:8484", true},
    {{{"::1", 8484}}, {NULL}, {"::1", 8484}, "localhost:8484", true},
    {{{"::1", 8484}}, {NULL}, {"::1", 8484}, "::1:8484", false},
    {{{"::1", 8484}}, {NULL}, {"::1", 8484}, "[::1", false},
    {{{"::1", 8484}}, {NULL}, {"::1", 8484}, "[::1]8484", false},
    {{{"::1", 8484}}, {NULL}, {"::1", 8484}, "[]:8484", false},
    {{{"127.0.0.1", 8484}, {"::1", 9000}}, {NULL}, {"::1", 9000}, "localhost:9000", true},
    /* on all addresses: as literals, whatever port leads to us from outside */
    {{{"0.0.0.0", 8484}}, {NULL}, {"10.0.0.5", 8484}, "10.0.0.5:8484", true},
    {{{"0.0.0.0", 8484}}, {NULL}, {"10.0.0.5", 8484}, "10.0.0.5", true},
    {{{"0.0.0.0", 8484}}, {NULL}, {"10.0.0.5", 8484}, "10.0.0.6:8484", false},
    {{{"0.0.0.0", 8484}}, {NULL}, {"10.0.0.5", 8484}, "door.example:8484", false},
    {{{"0.0.0.0", 8484}}, {NULL}, {"127.0.0.1", 8484}, "localhost:8484", true},
    {{{"::", 8484}}, {NULL}, {"::ffff:10.0.0.5", 8484}, "10.0.0.5:8484", true},
    {{{"::", 8484}}, {NULL}, {"fd00::5", 8484}, "[fd00::5]:8484", true},
    {{{"10.0.0.5", 8484}}, {NULL}, {"10.0.0.5", 8484}, "localhost:8484", false},
    {{{"10.0.0.5", 8484}}, {NULL}, {"10.0.0.5", 8484}, "10.0.0.5:8484", true},
    /* hosts */
    {{{"0.0.0.0", 8484}}, {"door"}, {"10.0.0.5", 8484}, "door:8484", true},
    {{{"0.0.0.0", 8484}}, {"door"}, {"10.0.0.5", 8484}, "DOOR", true},
    {{{"0.0.0.0", 8484}}, {"door"}, {"10.0.0.5", 8484}, "door.:1", true},
    {{{"0.0.0.0", 8484}}, {"door"}, {"10.0.0.5", 8484}, "doors:8484", false},
    {{{"0.0.0.0", 8484}}, {"a", "door:9000"}, {"10.0.0.5", 8484}, "door:9000", true},
    {{{"0.0.0.0", 8484}}, {"a", "door:9000"}, {"10.0.0.5", 8484}, "door:8484", false},
    {{{"0.0.0.0", 8484}}, {"a", "door:80"}, {"10.0.0.5", 8484}, "door", true},
    {{{"0.0.0.0", 8484}}, {"[fd00::9]:80"}, {"10.0.0.5", 8484}, "[fd00::9]", true},
};

START_TEST(host_names_the_door)
{
	struct rp_door_address own[2];
	struct rp_door_hosts ours = {.own = own, .names = hosts[_i].names};
	struct rp_door_peer peer = {.local =
					address_from(hosts[_i].local.ip, hosts[_i].local.port)};
	struct rp_buf text = {0};
	bool right, read;

	for (; ours.n_own < 2 && hosts[_i].own[ours.n_own].ip != NULL; ours.n_own++)
		own[ours.n_own] =
		    address_from(hosts[_i].own[ours.n_own].ip, hosts[_i].own[ours.n_own].port);
	while (ours.n_names < 2 && hosts[_i].names[ours.n_names] != NULL)
		ours.n_names++;
	if (hosts[_i].host != NULL)
		ck_assert(rp_buf_printf(&text, "GET / HTTP/1.1\r\nHost: %s\r\n", hosts[_i].host));
	else
		ck_assert(rp_buf_add_text(&text, "GET / HTTP/1.0\r\n"));
	read = head_try(&head, text.data);
	rp_buf_release(&text);
	if (!read) { /* what is no host, the server refuses already */
		ck_assert_msg(!hosts[_i].ours, "%s", hosts[_i].host);
		return;
	}
	right = rp_door_judge_host(&ours, &peer, &head.request, &no);
	ck_assert_msg(right == hosts[_i].ours, "%s", hosts[_i].host);
	ck_assert(right || is_refused(421, "host"));
	peer.unix_socket = true;
	ck_assert(rp_door_judge_host(&ours, &peer, &head.request, &no));
}
END_TEST

/* ---- browsers, loops, encodings ---- */

static const struct {
	const char *lines;
	int status; /* 0: fine */
	const char *code;
} fields[] = {
    {"", 0, NULL},
    {"Sec-Fetch-Mode: cors\r\nUser-Agent: node\r\n", 0, NULL},
    {"Sec-Fetch-Site: none\r\n", 0, NULL},
    {"sec-fetch-site: same-origin\r\n", 0, NULL},
    {"Sec-Fetch-Site: same-site\r\n", 403, "cross_site"},
    {"Sec-Fetch-Site: cross-site\r\n", 403, "cross_site"},
    {"Sec-Fetch-Site: \r\n", 403, "cross_site"},
    {"Sec-Fetch-Site: none\r\nSec-Fetch-Site: cross-site\r\n", 403, "cross_site"},
    {"Origin: https://evil.test\r\n", 403, "cross_site"},
    {"Origin: null\r\n", 403, "cross_site"},
    {"ORIGIN:\r\n", 403, "cross_site"},
    {"Origin: http://127.0.0.1:8484\r\nSec-Fetch-Site: same-origin\r\n", 403, "cross_site"},
    {"runpost-attempt: 1\r\n", 508, "loop"},
    {"Runpost-Attempt:\r\n", 508, "loop"},
    {"runpost-attempts: 1\r\n", 0, NULL},
    {"Content-Encoding: identity\r\n", 0, NULL},
    {"Content-Encoding: Identity\r\n", 0, NULL},
    {"Content-Encoding:\r\n", 0, NULL},
    {"Content-Encoding: gzip\r\n", 415, "content_encoding"},
    {"Content-Encoding: identity, gzip\r\n", 415, "content_encoding"},
    {"Content-Encoding: identity\r\nContent-Encoding: br\r\n", 415, "content_encoding"},
    {"Content-Type: text/plain;charset=UTF-8\r\n", 0, NULL},
};

START_TEST(fields_of_a_request_are_judged)
{
	struct rp_buf text = {0};
	bool ok;

	ck_assert(rp_buf_printf(&text, "Host: a\r\n%s", fields[_i].lines));
	take(text.data);
	rp_buf_release(&text);
	ok = rp_door_judge_browser(&head.request, &no) && rp_door_judge_loop(&head.request, &no) &&
	     rp_door_judge_encoding(&head.request, &no);
	ck_assert_msg(ok == (fields[_i].status == 0), "%s", fields[_i].lines);
	ck_assert(ok || is_refused(fields[_i].status, fields[_i].code));
	if (!ok && no.status == 415)
		ck_assert_str_eq(no.extra_header_lines, "Accept-Encoding: identity\r\n");
}
END_TEST

static const struct {
	const char *url;
	bool own;
} urls[] = {
    {"http://127.0.0.1:8484/to/a", true},
    {"http://127.0.0.1:8484", true},
    {"http://127.1:8484/to/a", true},
    {"http://0x7f000001:8484/to/a", true},
    {"http://[::ffff:127.0.0.1]:8484/to/a", true},
    {"http://localhost:8484/v1/runs", true},
    {"http://LOCALHOST.:8484/v1/runs", true},
    {"http://0.0.0.0:8484/to/a", true},
    {"http://[::]:8484/to/a", true},
    {"http://[::1]:9000/x", true},
    {"http://10.0.0.5:80/to/a", true},
    {"http://10.0.0.5/to/a", true},
    {"https://10.0.0.5/to/a", false},
    {"https://127.0.0.1:8484/to/a", false},
    {"http://127.0.0.1:8485/to/a", false},
    {"http://127.0.0.2:8484/to/a", false},
    {"http://localhost/to/a", false},
    {"https://door.example/to/a?token=x", true},
    {"https://door.example:9/to", true},
    {"https://Door.Example./v1/runs", true},
    {"https://door.example/%74o/a", true},
    {"https://door.example/hooks/a", false},
    {"https://door.example/tomorrow", false},
    {"https://door.example", false},
    {"https://doors.example/to/a", false},
    {"http://app.example:81/to/a", true},
    {"http://app.example/to/a", false},
};

START_TEST(a_webhook_that_is_the_door_itself_is_known)
{
	static const char *const names[] = {"door.example", "app.example:81"};
	const struct rp_door_address own[] = {address_from("127.0.0.1", 8484),
					      address_from("::1", 9000),
					      address_from("10.0.0.5", 80)};
	const struct rp_door_hosts ours = {own, 3, names, 2};
	struct rp_url url;

	ck_assert_int_eq(rp_url_parse(rp_span_of(urls[_i].url), &url, NULL), RP_OK);
	ck_assert_msg(rp_door_is_own_url(&ours, &url) == urls[_i].own, "%s", urls[_i].url);
	ck_assert(!rp_door_refuse_own_url(&no) && is_refused(508, "loop"));
}
END_TEST

START_TEST(a_door_on_all_addresses_is_reached_by_loopback)
{
	const struct rp_door_address own = address_from("0.0.0.0", 8484);
	const struct rp_door_hosts ours = {&own, 1, NULL, 0};
	struct rp_url url;

	ck_assert_int_eq(rp_url_parse(rp_span_of("http://127.9.9.9:8484/"), &url, NULL), RP_OK);
	ck_assert(rp_door_is_own_url(&ours, &url));
	ck_assert_int_eq(rp_url_parse(rp_span_of("http://10.0.0.9:8484/"), &url, NULL), RP_OK);
	ck_assert(!rp_door_is_own_url(&ours, &url));
}
END_TEST

/* ---- access ---- */

enum way { BY_UNIX, BY_LOOPBACK, BY_NETWORK };
#define NOBODY 0xffff

static const struct {
	enum way way;
	unsigned uid; /* of the peer; NOBODY: not known */
	const char *lines, *query_token;
	unsigned n_tokens;
	enum rp_door_credential by; /* BY_NONE: 401 */
} callers[] = {
    {BY_UNIX, 7, "", "", 0, RP_DOOR_BY_PEER},
    {BY_UNIX, 1000, "", "", 0, RP_DOOR_BY_PEER},
    {BY_UNIX, 8, "", "", 0, RP_DOOR_BY_NONE},
    {BY_UNIX, NOBODY, "", "", 0, RP_DOOR_BY_NONE},
    {BY_LOOPBACK, 7, "", "", 0, RP_DOOR_BY_PEER},
    {BY_LOOPBACK, 8, "", "", 0, RP_DOOR_BY_NONE},
    {BY_LOOPBACK, NOBODY, "", "", 0, RP_DOOR_BY_NONE},
    {BY_NETWORK, 7, "", "", 0, RP_DOOR_BY_NONE},
    /* somebody behind a proxy is not the proxy */
    {BY_LOOPBACK, 7, "Forwarded: for=10.0.0.1\r\n", "", 0, RP_DOOR_BY_NONE},
    {BY_LOOPBACK, 7, "X-Forwarded-For: 10.0.0.1\r\n", "", 0, RP_DOOR_BY_NONE},
    {BY_LOOPBACK, 7, "X-Forwarded-Proto: https\r\n", "", 0, RP_DOOR_BY_NONE},
    {BY_LOOPBACK, 7, "X-Real-IP: 10.0.0.1\r\n", "", 0, RP_DOOR_BY_NONE},
    {BY_UNIX, 7, "Via: 1.1 a\r\n", "", 0, RP_DOOR_BY_NONE},
    {BY_UNIX, 7, "Via: 1.1 a\r\nAuthorization: Bearer " TOKEN "\r\n", "", 0, RP_DOOR_BY_BEARER},
    {BY_LOOPBACK, 7, "X-Forward: 1\r\n", "", 0, RP_DOOR_BY_PEER},
    /* the peer comes first: what else it sends may be for its receiver */
    {BY_LOOPBACK, 7, "Authorization: Bearer wrong\r\n", "", 0, RP_DOOR_BY_PEER},
    {BY_LOOPBACK, 7, "", "wrong", 1, RP_DOOR_BY_PEER},
    /* tokens */
    {BY_NETWORK, NOBODY, "Authorization: Bearer " TOKEN "\r\n", "", 0, RP_DOOR_BY_BEARER},
    {BY_LOOPBACK, 8, "authorization: bearer   " TOKEN "\r\n", "", 0, RP_DOOR_BY_BEARER},
    {BY_NETWORK, NOBODY, "Authorization: BEARER the-right-token-2\r\n", "", 0, RP_DOOR_BY_BEARER},
    {BY_NETWORK, NOBODY, "Authorization: Bearer " TOKEN "x\r\n", "", 0, RP_DOOR_BY_NONE},
    {BY_NETWORK, NOBODY, "Authorization: Bearer the-right-token-\r\n", "", 0, RP_DOOR_BY_NONE},
    {BY_NETWORK, NOBODY, "Authorization: Bearer\r\n", "", 0, RP_DOOR_BY_NONE},
    {BY_NETWORK, NOBODY, "Authorization: Basic " TOKEN "\r\n", "", 0, RP_DOOR_BY_NONE},
    {BY_NETWORK, NOBODY, "Authorization: Bearers " TOKEN "\r\n", "", 0, RP_DOOR_BY_NONE},
    {BY_NETWORK, NOBODY, "Authorization: " TOKEN "\r\n", "", 0, RP_DOOR_BY_NONE},
    {BY_NETWORK, NOBODY, "Proxy-Authorization: Bearer " TOKEN "\r\n", "", 0, RP_DOOR_BY_NONE},
    {BY_NETWORK, NOBODY, "Authorization: Basic eA==\r\nAuthorization: Bearer " TOKEN "\r\n", "", 0,
     RP_DOOR_BY_BEARER},
    {BY_NETWORK, NOBODY, "", TOKEN, 1, RP_DOOR_BY_QUERY},
    {BY_NETWORK, NOBODY, "", "the-right-token-9", 1, RP_DOOR_BY_NONE},
    {BY_NETWORK, NOBODY, "", "", 1, RP_DOOR_BY_NONE},
    {BY_NETWORK, NOBODY, "", TOKEN, 2, RP_DOOR_BY_NONE},
    {BY_NETWORK, NOBODY, "Authorization: Bearer wrong\r\n", TOKEN, 1, RP_DOOR_BY_QUERY},
};

static void judge_caller(int i, const struct rp_token_list *tokens, enum rp_door_credential want)
{
	static const uid_t users[] = {7, 1000};
	struct rp_door_callers who = {users, 2, tokens};
	struct rp_door_peer peer = {.unix_socket = callers[i].way == BY_UNIX,
				    .loopback = callers[i].way == BY_LOOPBACK,
				    .known = callers[i].uid != NOBODY,
				    .uid = callers[i].uid};
	struct rp_door_ask ask = {.token = rp_span_of(callers[i].query_token),
				  .n_tokens = callers[i].n_tokens};
	enum rp_door_credential by;
	bool ok = rp_door_judge_access(&who, &peer, &head.request, &ask, &by, &no);

	ck_assert_msg(by == want, "%d: %d", i, by);
	ck_assert_int_eq(ok, want != RP_DOOR_BY_NONE);
	ck_assert(ok || is_refused(401, "unauthorized"));
	ck_assert(ok || strcmp(no.extra_header_lines, "WWW-Authenticate: Bearer\r\n") == 0);
	ck_assert(ok || strstr(no.reason, TOKEN) == NULL);
	who.n_users = 0;
	rp_door_judge_access(&who, &peer, &head.request, &ask, &by, &no);
	ck_assert_int_ne(by, RP_DOOR_BY_PEER);
}

/* The number that stands there is nobody's. */
START_TEST(a_peer_that_is_not_known_has_no_uid)
{
	static const uid_t root = 0;
	const struct rp_door_callers who = {&root, 1, NULL};
	const struct rp_door_ask ask = {0};
	struct rp_door_peer peer = {.loopback = true};
	enum rp_door_credential by;

	take("Host: a\r\n");
	ck_assert(!rp_door_judge_access(&who, &peer, &head.request, &ask, &by, &no));
	peer.known = true;
	ck_assert(rp_door_judge_access(&who, &peer, &head.request, &ask, &by, &no));
}
END_TEST

/* It may be one of the users: it is not turned away for good. */
START_TEST(a_peer_that_could_not_be_asked_about_comes_again)
{
	static const uid_t root = 0;
	struct rp_door_callers who = {&root, 1, NULL};
	const struct rp_door_ask ask = {0};
	const struct rp_door_peer peer = {.loopback = true, .unasked = true};
	enum rp_door_credential by;

	take("Host: a\r\n");
	ck_assert(!rp_door_judge_access(&who, &peer, &head.request, &ask, &by, &no));
	ck_assert(is_refused(503, "busy"));
	ck_assert_str_eq(no.extra_header_lines, "Retry-After: 5\r\n");
	take("Host: a\r\nVia: 1.1 a\r\n");
	ck_assert(!rp_door_judge_access(&who, &peer, &head.request, &ask, &by, &no));
	ck_assert(is_refused(401, "unauthorized"));
	who.n_users = 0;
	take("Host: a\r\n");
	ck_assert(!rp_door_judge_access(&who, &peer, &head.request, &ask, &by, &no));
	ck_assert(is_refused(401, "unauthorized"));
}
END_TEST

START_TEST(callers_are_told_apart)
{
	static const char lines[] = TOKEN "\nthe-right-token-2\n";
	struct rp_token_list tokens = {0};
	enum rp_door_credential by = callers[_i].by;
	struct rp_buf text = {0};

	ck_assert_int_eq(rp_token_list_parse(rp_span_of(lines), RP_TOKEN_BEARER, &tokens, NULL),
			 RP_OK);
	ck_assert(rp_buf_printf(&text, "Host: a\r\n%s", callers[_i].lines));
	take(text.data);
	rp_buf_release(&text);
	judge_caller(_i, &tokens, by);
	rp_token_list_release(&tokens);
	/* a door without tokens */
	by = by == RP_DOOR_BY_PEER ? by : RP_DOOR_BY_NONE;
	judge_caller(_i, &tokens, by);
	judge_caller(_i, NULL, by);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("door_access");
	TCase *tc = tcase_create("access");

	tcase_add_checked_fixture(tc, NULL, tear_down);
	tcase_add_loop_test(tc, loopback_is_told_from_other_addresses, 0, N(addresses));
	tcase_add_loop_test(tc, host_names_the_door, 0, N(hosts));
	tcase_add_loop_test(tc, fields_of_a_request_are_judged, 0, N(fields));
	tcase_add_loop_test(tc, a_webhook_that_is_the_door_itself_is_known, 0, N(urls));
	tcase_add_test(tc, a_door_on_all_addresses_is_reached_by_loopback);
	tcase_add_test(tc, a_peer_that_is_not_known_has_no_uid);
	tcase_add_test(tc, a_peer_that_could_not_be_asked_about_comes_again);
	tcase_add_loop_test(tc, callers_are_told_apart, 0, N(callers));
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
