/* What a peer may cost: each limit of the server, with peers that are slow, huge, lying, silent,
 * half closed or gone. The clock is the test's. */
#include "unit/http_server/served.h"

static struct served *with_head_limits(void)
{
	struct served *p = served_new();

	p->service.limits.head_ms = 10000;
	p->service.limits.head_bytes = 1000;
	return p;
}

START_TEST(a_head_has_a_time_in_all_however_it_trickles)
{
	struct served *p = with_head_limits();
	int peer = peer_new(p), i;

	peer_says(p, peer, "GET / HTTP/1.1\r\nHost: h\r\nX: ");
	for (i = 0; i < 9; i++) {
		served_pass(p, 1000);
		peer_says(p, peer, "x");
	}
	served_pass(p, 999);
	ck_assert_str_eq(served_journal(p), "");
	served_pass(p, 1);
	ck_assert_str_eq(served_journal(p), "refuse 408;");
	ck_assert_int_eq(peer_status(p, peer), 408);
	ck_assert_ptr_nonnull(strstr(p->got, "Connection: close\r\n"));
	ck_assert(peer_is_ended(p, peer));
	served_pass(p, 2000);
	ck_assert_uint_eq(p->server->n_conns, 0);
	close(peer);
	served_free(p);
}
END_TEST

START_TEST(who_never_says_anything_is_closed_without_a_word)
{
	struct served *p = with_head_limits();
	int peer = peer_new(p);

	served_pass(p, 9999);
	ck_assert_uint_eq(p->server->n_conns, 1);
	served_pass(p, 1);
	ck_assert_uint_eq(p->server->n_conns, 0);
	ck_assert_str_eq(served_journal(p), "");
	ck_assert(peer_is_ended(p, peer));
	close(peer);
	served_free(p);
}
END_TEST

START_TEST(the_time_of_a_further_head_begins_with_its_first_byte)
{
	struct served *p = with_head_limits();
	int peer = peer_new(p);

	served_pass(p, 9000);
	peer_says(p, peer, GET("/a") "GET /b");
	served_pass(p, 9000);
	peer_says(p, peer, HEAD_END "\r\n");
	served_pass(p, 60000); /* between requests there is no limit here */
	peer_says(p, peer, "G");
	served_pass(p, 9999);
	ck_assert_str_eq(served_journal(p), "head /a 0;take /a 0;head /b 0;take /b 0;");
	served_pass(p, 1);
	ck_assert_str_eq(served_journal(p), "refuse 408;");
	close(peer);
	served_free(p);
}
END_TEST

static void says_head_of(struct served *p, int peer, size_t bytes, bool whole)
{
	char text[2000];
	size_t n = (size_t)snprintf(text, sizeof text, "GET /" HEAD_END "X: ");

	memset(text + n, 'x', bytes - n);
	memcpy(text + bytes - (whole ? 4 : 0), "\r\n\r\n", whole ? 5 : 0);
	text[bytes] = '\0';
	peer_says(p, peer, text);
}

START_TEST(a_head_has_a_size)
{
	struct served *p = with_head_limits();
	int peer = peer_new(p);

	says_head_of(p, peer, 1000, true);
	ck_assert_int_eq(peer_status(p, peer), 200);
	says_head_of(p, peer, 1001, true);
	ck_assert_int_eq(peer_status(p, peer), 431);
	close(peer);
	peer = peer_new(p);
	says_head_of(p, peer, 1001, false);
	ck_assert_int_eq(peer_status(p, peer), 431);
	ck_assert(peer_is_ended(p, peer));
	ck_assert_str_eq(served_journal(p), "head / 0;take / 0;refuse 431;refuse 431;");
	close(peer);
	served_free(p);
}
END_TEST

static struct served *with_body_limits(void)
{
	struct served *p = served_new();

	p->service.limits.body_grace_ms = 10000;
	p->service.limits.body_bytes_per_s = 1000;
	return p;
}

START_TEST(a_body_may_be_slow_but_not_slower_than_its_rate)
{
	struct served *p = with_body_limits();
	int peer = peer_new(p), i;

	peer_says(p, peer, POST("/", 100000));
	for (i = 0; i < 30; i++) {
		peer_pours(p, peer, 1000);
		served_pass(p, 1000);
	}
	served_pass(p, 9999);
	ck_assert_str_eq(served_journal(p), "head / 0;");
	served_pass(p, 1);
	ck_assert_str_eq(served_journal(p), "refuse 408;");
	ck_assert_int_eq(peer_status(p, peer), 408);
	close(peer);
	served_free(p);
}
END_TEST

START_TEST(chunks_are_no_way_around_the_rate)
{
	struct served *p = with_body_limits();
	int peer = peer_new(p), i;

	peer_says(p, peer, "POST /" HEAD_END "Transfer-Encoding: chunked\r\n\r\n");
	for (i = 0; i < 10; i++) {
		peer_says(p, peer, "1;with=a-lot-of-words-around-a-single-byte\r\nx\r\n");
		served_pass(p, 1000);
	}
	ck_assert_str_eq(served_journal(p), "head / 0;");
	served_pass(p, 10);
	ck_assert_str_eq(served_journal(p), "refuse 408;");
	close(peer);
	served_free(p);
}
END_TEST

START_TEST(between_requests_a_peer_may_be_silent_as_long_as_it_was_told)
{
	struct served *p = served_new();
	int peer = peer_new(p);

	p->service.limits.idle_ms = 75000;
	peer_says(p, peer, GET("/a"));
	ck_assert_ptr_nonnull(strstr(peer_hears(p, peer), "Keep-Alive: timeout=75\r\n"));
	served_pass(p, 74999);
	peer_says(p, peer, GET("/b"));
	ck_assert_int_eq(peer_status(p, peer), 200);
	served_pass(p, 74999);
	ck_assert_uint_eq(p->server->n_conns, 1);
	served_pass(p, 1);
	ck_assert_uint_eq(p->server->n_conns, 0);
	ck_assert(peer_is_ended(p, peer));
	close(peer);
	peer = peer_new(p);
	peer_says(p, peer, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
	ck_assert_ptr_null(strstr(peer_hears(p, peer), "Keep-Alive"));
	close(peer);
	served_free(p);
}
END_TEST

START_TEST(what_is_asked_at_the_last_moment_is_answered)
{
	struct served *p = served_new();
	struct rp_http_connection *c;
	int peer = peer_new(p);

	p->service.limits.idle_ms = 1000;
	peer_says(p, peer, GET("/a"));
	c = p->server->conns;
	ck_assert_int_eq(send(peer, GET("/b"), strlen(GET("/b")), 0), (ssize_t)strlen(GET("/b")));
	p->service.boot_ms += 1000;
	ck_assert(rp_http_connection_wake(c));
	ck_assert_str_eq(served_journal(p), "head /a 0;take /a 0;head /b 0;take /b 0;");
	close(peer);
	served_free(p);
}
END_TEST

START_TEST(an_answer_that_nobody_takes_is_given_up)
{
	struct served *p = served_new();
	size_t n = 4 << 20;
	char *long_answer = malloc(n + 1);
	int peer = peer_new(p);

	ck_assert_ptr_nonnull(long_answer);
	memset(long_answer, 'Z', n);
	long_answer[n] = '\0';
	p->answer = long_answer;
	p->service.limits.answer_ms = 30000;
	peer_says(p, peer, GET("/"));
	served_pass(p, 29999);
	ck_assert_uint_eq(p->server->n_conns, 1);
	served_pass(p, 1);
	ck_assert_uint_eq(p->server->n_conns, 0);
	close(peer);
	peer = peer_new(p); /* one that takes its time, but takes it */
	peer_says(p, peer, GET("/"));
	served_pass(p, 20000);
	while (peer_hears(p, peer)[0] != '\0')
		served_run(p);
	served_pass(p, 20000);
	ck_assert_uint_eq(p->server->n_conns, 1);
	close(peer);
	free(long_answer);
	served_free(p);
}
END_TEST

START_TEST(a_request_in_hand_has_no_limit_but_the_programs)
{
	struct served *p = with_body_limits();
	int peer;

	p->service.limits.head_ms = p->service.limits.idle_ms = 1000;
	p->service.limits.answer_ms = 1000;
	peer = peer_new(p);
	p->holds = true;
	peer_says(p, peer, GET("/a") "GET /");
	served_pass(p, 600000);
	served_release(p);
	served_run(p);
	ck_assert_int_eq(peer_status(p, peer), 200);
	served_pass(p, 999);
	peer_says(p, peer, "b" HEAD_END "\r\n"); /* its time began with the answer before it */
	ck_assert_str_eq(served_journal(p), "head /a 0;take /a 0;head /b 0;take /b 0;");
	close(peer);
	served_run(p);
	ck_assert_str_eq(served_journal(p), "gone 0;");
	served_free(p);
}
END_TEST

START_TEST(a_peer_that_says_no_more_is_still_answered)
{
	struct served *p = served_new();
	int peer = peer_new(p);

	p->holds = true;
	peer_says(p, peer, GET("/a"));
	peer_says(p, peer, GET("/b"));
	ck_assert_int_eq(shutdown(peer, SHUT_WR), 0);
	served_run(p);
	ck_assert_str_eq(served_journal(p), "head /a 0;take /a 0;");
	served_release(p);
	served_run(p);
	ck_assert_str_eq(served_journal(p), "head /b 0;take /b 0;");
	served_release(p);
	served_run(p);
	ck_assert_uint_eq(count_of(peer_hears(p, peer), "HTTP/1.1 200"), 2);
	ck_assert(peer_is_ended(p, peer));
	ck_assert_uint_eq(p->server->n_conns, 0);
	ck_assert_str_eq(served_journal(p), "");
	close(peer);
	served_free(p);
}
END_TEST

START_TEST(what_a_peer_said_before_it_hung_up_is_heard)
{
	struct served *p = served_new();
	int a, b;

	p->holds = true;
	a = peer_new(p); /* so that the server runs */
	b = peer_to(&p->listener);
	ck_assert_int_gt(send(b, POST("/b", 4) "body", strlen(POST("/b", 4) "body"), 0), 0);
	close(b);
	served_run(p);
	ck_assert_str_eq(served_journal(p), "head /b 0;take /b 4;gone 0;");
	ck_assert_uint_eq(p->server->n_conns, 1);
	b = peer_new(p);
	ck_assert_int_gt(send(b, "GET /half", 9, 0), 0);
	close(b);
	served_run(p);
	ck_assert_str_eq(served_journal(p), "");
	ck_assert_uint_eq(p->server->n_conns, 1);
	close(a);
	served_free(p);
}
END_TEST

START_TEST(who_leaves_without_his_answer_is_told_of_once)
{
	struct served *p = served_new();
	int peer = peer_new(p), other = peer_new(p);

	p->holds = true;
	peer_says(p, peer, GET("/a"));
	peer_says(p, other, GET("/b"));
	close(peer);
	served_run(p);
	served_run(p);
	ck_assert_str_eq(served_journal(p), "head /a 0;take /a 0;head /b 0;take /b 0;gone 0;");
	served_release(p);
	served_run(p);
	ck_assert_int_eq(peer_status(p, other), 200);
	close(other);
	served_run(p);
	ck_assert_str_eq(served_journal(p), "");
	served_free(p);
}
END_TEST

START_TEST(what_is_still_owed_at_the_end_is_told)
{
	struct served *p = served_new();
	int peer = peer_new(p);

	p->holds = true;
	peer_says(p, peer, GET("/"));
	rp_http_server_free(p->server);
	p->server = NULL;
	ck_assert_str_eq(served_journal(p), "head / 0;take / 0;gone 0;");
	ck_assert_uint_eq(p->n_closed, 1);
	close(peer);
	served_free(p);
}
END_TEST

START_TEST(a_length_that_is_too_short_ends_with_the_next_request)
{
	struct served *p = served_new();
	int peer = peer_new(p);

	peer_says(p, peer, POST("/", 3) "abcdef\r\n\r\n");
	ck_assert_str_eq(served_journal(p), "head / 0;take / 3;refuse 400;");
	ck_assert_uint_eq(count_of(peer_hears(p, peer), "HTTP/1.1 "), 2);
	ck_assert(peer_is_ended(p, peer));
	close(peer);
	served_free(p);
}
END_TEST

START_TEST(a_length_that_is_too_long_is_never_taken)
{
	struct served *p = served_new();
	int peer = peer_new(p);

	peer_says(p, peer, POST("/", 100) "abc");
	ck_assert_int_eq(shutdown(peer, SHUT_WR), 0);
	served_run(p);
	ck_assert_str_eq(served_journal(p), "head / 0;"); /* nobody owes it anything */
	ck_assert_uint_eq(p->n_closed, 1);                /* what was kept for it may go */
	ck_assert_uint_eq(p->server->n_conns, 0);
	ck_assert(peer_is_ended(p, peer));
	close(peer);
	served_free(p);
}
END_TEST

START_TEST(a_head_may_be_answered_before_its_body_is_asked_for)
{
	struct served *p = served_new();
	int peer = peer_new(p);

	p->head_status = 403;
	peer_says(p, peer, POST_ASKING("/", 500000));
	ck_assert_int_eq(peer_status(p, peer), 403);
	ck_assert_ptr_nonnull(strstr(p->got, "Connection: close\r\n"));
	ck_assert(peer_is_ended(p, peer));
	peer_pours(p, peer, 100000); /* who goes on all the same does no harm */
	ck_assert_str_eq(served_journal(p), "head / 0;");
	served_pass(p, 2000);
	ck_assert_uint_eq(p->server->n_conns, 0);
	close(peer);
	served_free(p);
}
END_TEST

START_TEST(a_head_whose_body_is_there_is_answered_and_the_next_one_taken)
{
	struct served *p = served_new();
	int peer = peer_new(p);

	p->head_status = 404;
	peer_says(p, peer, POST("/a", 3) "abc" GET("/b") "HEAD /c" HEAD_END "\r\n");
	ck_assert_str_eq(served_journal(p), "head /a 0;head /b 0;head /c 0;");
	ck_assert_uint_eq(count_of(peer_hears(p, peer), "HTTP/1.1 404"), 3);
	ck_assert_ptr_null(strstr(p->got, "Connection: close"));
	ck_assert_str_eq(p->got + strlen(p->got) - 4, "\r\n\r\n"); /* to HEAD: no body */
	ck_assert_uint_eq(p->server->n_conns, 1);
	close(peer);
	served_free(p);
}
END_TEST

START_TEST(a_body_that_is_too_large_is_refused_after_its_head_was_judged)
{
	struct served *p = served_new();
	int peer = peer_new(p);

	peer_says(p, peer, POST_ASKING("/", 2000000));
	ck_assert_str_eq(served_journal(p), "head / 0;refuse 413;");
	ck_assert_int_eq(peer_status(p, peer), 413);
	close(peer);
	p->head_status = 401;
	peer = peer_new(p);
	peer_says(p, peer, POST_ASKING("/", 2000000));
	ck_assert_str_eq(served_journal(p), "head / 0;");
	ck_assert_int_eq(peer_status(p, peer), 401);
	ck_assert(peer_is_ended(p, peer));
	close(peer);
	p->head_status = 0;
	peer = peer_new(p);
	peer_says(p, peer, "POST /" HEAD_END "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n");
	peer_says(p, peer, "fffff0\r\n");
	ck_assert_str_eq(served_journal(p), "head / 0;refuse 413;");
	close(peer);
	served_free(p);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("server_limits");
	TCase *tc = tcase_create("time and size");

	tcase_add_test(tc, a_head_has_a_time_in_all_however_it_trickles);
	tcase_add_test(tc, who_never_says_anything_is_closed_without_a_word);
	tcase_add_test(tc, the_time_of_a_further_head_begins_with_its_first_byte);
	tcase_add_test(tc, a_head_has_a_size);
	tcase_add_test(tc, a_body_may_be_slow_but_not_slower_than_its_rate);
	tcase_add_test(tc, chunks_are_no_way_around_the_rate);
	tcase_add_test(tc, between_requests_a_peer_may_be_silent_as_long_as_it_was_told);
	tcase_add_test(tc, what_is_asked_at_the_last_moment_is_answered);
	tcase_add_test(tc, an_answer_that_nobody_takes_is_given_up);
	tcase_add_test(tc, a_request_in_hand_has_no_limit_but_the_programs);
	suite_add_tcase(s, tc);
	tc = tcase_create("peers that close");
	tcase_add_test(tc, a_peer_that_says_no_more_is_still_answered);
	tcase_add_test(tc, what_a_peer_said_before_it_hung_up_is_heard);
	tcase_add_test(tc, who_leaves_without_his_answer_is_told_of_once);
	tcase_add_test(tc, what_is_still_owed_at_the_end_is_told);
	tcase_add_test(tc, a_length_that_is_too_short_ends_with_the_next_request);
	tcase_add_test(tc, a_length_that_is_too_long_is_never_taken);
	suite_add_tcase(s, tc);
	tc = tcase_create("heads");
	tcase_add_test(tc, a_head_may_be_answered_before_its_body_is_asked_for);
	tcase_add_test(tc, a_head_whose_body_is_there_is_answered_and_the_next_one_taken);
	tcase_add_test(tc, a_body_that_is_too_large_is_refused_after_its_head_was_judged);
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
