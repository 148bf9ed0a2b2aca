/* Bodies of all connections share a bounded memory: who has room, who waits and in which order, and
 * when room is free again. */
#include "unit/http_server/served.h"

#define CHUNKED(target) "POST " target HEAD_END "Transfer-Encoding: chunked\r\n\r\n"

static struct served *with_room_for(size_t bytes)
{
	struct served *p = served_new();

	p->service.limits.bodies_bytes = bytes;
	p->service.limits.bodies_wait_ms = 20000;
	return p;
}

START_TEST(a_body_waits_unasked_for_until_another_is_answered)
{
	struct served *p = with_room_for(100000);
	int a = peer_new(p), b = peer_new(p);

	p->holds = true;
	peer_says(p, a, POST_ASKING("/a", 60000));
	ck_assert_str_eq(peer_hears(p, a), CONTINUE);
	peer_says(p, b, POST_ASKING("/b", 60000));
	ck_assert_str_eq(peer_hears(p, b), "");
	peer_pours(p, a, 60000);
	served_pass(p, 19000);
	ck_assert_str_eq(served_journal(p), "head /a 0;head /b 0;take /a 60000;");
	ck_assert_str_eq(peer_hears(p, b), ""); /* what is held needs its room */
	served_release(p);
	served_run(p);
	ck_assert_int_eq(peer_status(p, a), 200);
	ck_assert_str_eq(peer_hears(p, b), CONTINUE);
	peer_pours(p, b, 60000);
	served_release(p);
	served_run(p);
	ck_assert_int_eq(peer_status(p, b), 200);
	ck_assert_uint_eq(p->service.bodies_used, 0);
	close(a);
	close(b);
	served_free(p);
}
END_TEST

START_TEST(one_that_waits_is_not_read_and_not_overtaken)
{
	struct served *p = with_room_for(100000);
	int a = peer_new(p), b = peer_new(p), c = peer_new(p), d = peer_new(p);

	peer_says(p, a, POST("/a", 60000));
	peer_says(p, b, POST("/b", 60000));
	peer_pours(p, b, 60000);
	peer_says(p, c, POST("/c", 30000)); /* for which there would be room */
	peer_pours(p, c, 30000);
	peer_says(p, d, POST("/d", 2000)); /* which needs none */
	peer_pours(p, d, 2000);
	ck_assert_str_eq(served_journal(p),
			 "head /a 0;head /b 0;head /c 0;head /d 0;take /d 2000;");
	peer_pours(p, a, 60000);
	ck_assert_str_eq(served_journal(p), "take /a 60000;take /b 60000;take /c 30000;");
	close(a);
	close(b);
	close(c);
	close(d);
	served_free(p);
}
END_TEST

START_TEST(who_waits_too_long_gets_503)
{
	struct served *p = with_room_for(100000);
	int a = peer_new(p), b = peer_new(p), c = peer_new(p);

	peer_says(p, a, POST("/a", 60000));
	peer_says(p, b, POST_ASKING("/b", 60000));
	served_pass(p, 5000);
	peer_says(p, c, POST_ASKING("/c", 30000));
	served_pass(p, 14999);
	served_journal(p);
	served_pass(p, 1);
	ck_assert_str_eq(served_journal(p), "refuse 503;");
	ck_assert_int_eq(peer_status(p, b), 503);
	ck_assert_str_eq(peer_hears(p, c), CONTINUE); /* the next one's turn */
	close(a);
	close(b);
	close(c);
	served_free(p);
}
END_TEST

START_TEST(who_leaves_gives_his_place_and_his_room_away)
{
	struct served *p = with_room_for(100000);
	int a = peer_new(p), b = peer_new(p), c = peer_new(p);

	peer_says(p, a, POST("/a", 60000));
	peer_says(p, b, POST_ASKING("/b", 90000));
	peer_says(p, c, POST_ASKING("/c", 39950));
	close(b);
	served_run(p);
	ck_assert_str_eq(peer_hears(p, c), ""); /* with its head it is too much */
	close(a);
	served_run(p);
	ck_assert_str_eq(peer_hears(p, c), CONTINUE);
	close(c);
	served_run(p);
	ck_assert_uint_eq(p->server->n_conns, 0);
	ck_assert_uint_eq(p->service.bodies_used, 0);
	served_free(p);
}
END_TEST

START_TEST(a_body_larger_than_all_room_has_it_alone)
{
	struct served *p = with_room_for(100000);
	int a = peer_new(p), b = peer_new(p);

	peer_says(p, a, POST("/a", 500000));
	peer_says(p, b, POST_ASKING("/b", 20000));
	ck_assert_str_eq(peer_hears(p, b), "");
	peer_pours(p, a, 500000);
	ck_assert_str_eq(peer_hears(p, b), CONTINUE);
	ck_assert_str_eq(served_journal(p), "head /a 0;head /b 0;take /a 500000;");
	close(a);
	close(b);
	served_free(p);
}
END_TEST

static void says_chunk(struct served *p, int peer, size_t n)
{
	char line[20];

	snprintf(line, sizeof line, "%zx\r\n", n);
	peer_says(p, peer, line);
	peer_pours(p, peer, n);
	peer_says(p, peer, "\r\n");
}

START_TEST(chunks_count_as_they_come)
{
	struct served *p = with_room_for(100000);
	int a = peer_new(p), b = peer_new(p), i;

	peer_says(p, a, CHUNKED("/a"));
	peer_says(p, b, CHUNKED("/b"));
	says_chunk(p, a, 3000);
	ck_assert_uint_eq(p->service.bodies_used, 0);
	for (i = 0; i < 10; i++)
		says_chunk(p, a, 5000);
	ck_assert_uint_gt(p->service.bodies_used, 50000);
	for (i = 0; i < 10; i++)
		says_chunk(p, b, 5000);
	peer_says(p, b, "0\r\n\r\n");
	ck_assert_str_eq(served_journal(p), "head /a 0;head /b 0;");
	ck_assert_uint_le(p->service.bodies_used, 100000);
	peer_says(p, a, "0\r\n\r\n");
	ck_assert_str_eq(served_journal(p), "take /a 53000;take /b 50000;");
	ck_assert_uint_eq(p->service.bodies_used, 0);
	close(a);
	close(b);
	served_free(p);
}
END_TEST

START_TEST(chunks_that_wait_for_each_other_are_refused_one_by_one)
{
	struct served *p = with_room_for(100000);
	int peers[4];
	size_t i, k;

	for (i = 0; i < 4; i++) {
		peers[i] = peer_new(p);
		peer_says(p, peers[i], CHUNKED("/"));
	}
	for (k = 0; k < 12; k++) {
		for (i = 0; i < 4; i++) {
			says_chunk(p, peers[i], 5000);
			p->now_ms += 100;
		}
		ck_assert_uint_le(p->service.bodies_used, 100000);
	}
	for (i = 0; i < 4; i++)
		peer_says(p, peers[i], "0\r\n\r\n");
	for (i = 0; i < 400; i++)
		served_pass(p, 100);
	ck_assert_uint_eq(p->service.bodies_used, 0);
	ck_assert_uint_eq(
	    count_of(p->journal.data, "refuse 503") + count_of(p->journal.data, "take / 60000"), 4);
	ck_assert_ptr_nonnull(strstr(p->journal.data, "take / 60000"));
	for (i = 0; i < 4; i++)
		close(peers[i]);
	served_free(p);
}
END_TEST

START_TEST(a_body_may_be_taken_away_and_counts_until_its_answer)
{
	static const size_t sizes[] = {0, 5, 16000, 16384, 300000};
	struct served *p = with_room_for(100000);
	char head[200];
	size_t i, k;

	p->holds = p->takes_bodies = true;
	for (i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		int peer = peer_new(p);

		snprintf(head, sizeof head, "POST /a" HEAD_END "Content-Length: %zu\r\n\r\n",
			 sizes[i]);
		peer_says(p, peer, head);
		peer_pours(p, peer, sizes[i]);
		peer_says(p, peer, GET("/next"));
		ck_assert_uint_eq(p->n_held, 1);
		ck_assert_uint_eq(p->body.len, sizes[i]);
		for (k = 0; k < sizes[i]; k++)
			ck_assert_int_eq(p->body.data[k], 'b');
		ck_assert((p->service.bodies_used > 0) == (sizes[i] > 16200));
		served_release(p);
		served_run(p);
		ck_assert_uint_eq(p->service.bodies_used, 0);
		served_release(p);
		served_run(p);
		ck_assert_uint_eq(count_of(peer_hears(p, peer), "HTTP/1.1 200"), 2);
		close(peer);
	}
	served_free(p);
}
END_TEST

START_TEST(one_taken_from_the_middle_leaves_what_is_behind_it)
{
	struct served *p = served_new();
	struct rp_buf text = {0};
	int peer = peer_new(p);
	size_t i;

	p->takes_bodies = true;
	ck_assert(rp_buf_add_text(&text, GET("/a") POST("/b", 40000)));
	for (i = 0; i < 40000; i++)
		ck_assert(rp_buf_add_char(&text, 'b'));
	ck_assert(rp_buf_add_text(&text, GET("/c") POST("/d", 2) "xy"));
	peer_says(p, peer, text.data);
	ck_assert_str_eq(served_journal(p), "head /a 0;take /a 0;head /b 0;take /b 40000;"
					    "head /c 0;take /c 0;head /d 0;take /d 2;");
	ck_assert_uint_eq(count_of(peer_hears(p, peer), "HTTP/1.1 200"), 4);
	ck_assert_str_eq(p->body.data, "xy");
	rp_buf_release(&text);
	close(peer);
	served_free(p);
}
END_TEST

static size_t bytes_kept(const struct served *p)
{
	const struct rp_http_connection *c;
	size_t n = 0;

	for (c = p->server->conns; c != NULL; c = c->next)
		n += c->in.cap + c->out.cap;
	return n;
}

START_TEST(five_hundred_slow_peers_cost_what_was_agreed)
{
	enum { PEERS = 512 };
	struct served *p = with_room_for(1 << 20);
	int peers[PEERS], fast;
	size_t i, most = (1 << 20) + PEERS * (RP_HTTP_READ_BYTES + 1) + (64 << 10);

	p->service.max_connections = 600;
	for (i = 0; i < PEERS; i++) {
		peers[i] = peer_new(p);
		peer_says(p, peers[i], i % 2 == 0 ? POST("/", 500000) : CHUNKED("/"));
		ck_assert_uint_le(bytes_kept(p), most);
	}
	for (i = 0; i < PEERS; i++)
		if (i % 2 != 0)
			peer_says(p, peers[i], "f4240\r\n");
	for (i = 0; i < PEERS; i++) {
		peer_pours(p, peers[i], 30000);
		ck_assert_uint_le(bytes_kept(p), most);
		ck_assert_uint_le(p->service.bodies_used, 1 << 20);
	}
	served_journal(p);
	fast = peer_new(p);
	peer_says(p, fast, POST("/fast", 3) "abc");
	ck_assert_str_eq(served_journal(p), "head /fast 0;take /fast 3;");
	ck_assert_int_eq(peer_status(p, fast), 200);
	for (i = 0; i < PEERS; i++)
		close(peers[i]);
	close(fast);
	served_free(p);
}
END_TEST

START_TEST(what_a_large_body_needed_is_given_back)
{
	struct served *p = with_room_for(1 << 20);
	int peer = peer_new(p);

	peer_says(p, peer, POST("/", 200000));
	peer_pours(p, peer, 200000);
	peer_says(p, peer, CHUNKED("/"));
	says_chunk(p, peer, 200000);
	peer_says(p, peer, "0\r\n\r\n" GET("/a") "GET /b");
	ck_assert_uint_eq(count_of(peer_hears(p, peer), "HTTP/1.1 200"), 3);
	ck_assert_uint_le(bytes_kept(p), 2 * (RP_HTTP_READ_BYTES + 1));
	close(peer);
	served_free(p);
}
END_TEST

START_TEST(a_bound_that_shrinks_holds_from_the_next_request_on)
{
	struct served *p = with_room_for(1 << 20);
	int peer, i;

	p->service.max_body = 300000;
	peer = peer_new(p);
	peer_says(p, peer, CHUNKED("/old"));
	for (i = 0; i < 4; i++)
		says_chunk(p, peer, 50000);
	p->service.max_body = 1000;
	says_chunk(p, peer, 100000);
	ck_assert_uint_le(bytes_kept(p), 400000);
	peer_says(p, peer, "0\r\n\r\n" POST("/new", 1001));
	ck_assert_str_eq(served_journal(p), "head /old 0;take /old 300000;head /new 0;refuse 413;");
	ck_assert_uint_eq(count_of(peer_hears(p, peer), "HTTP/1.1 "), 2);
	close(peer);
	peer = peer_new(p);
	p->service.max_body = 300000;
	peer_says(p, peer, CHUNKED("/old"));
	says_chunk(p, peer, 200000);
	p->service.max_body = 1000;
	peer_says(p, peer, "186a1\r\n"); /* one byte beyond its own bound */
	ck_assert_str_eq(served_journal(p), "head /old 0;refuse 413;");
	close(peer);
	served_free(p);
}
END_TEST

START_TEST(a_bound_that_grows_is_of_use_to_who_is_there)
{
	struct served *p = with_room_for(2 << 20);
	int peer;

	p->service.max_body = 1000;
	peer = peer_new(p);
	peer_says(p, peer, GET("/a"));
	p->service.max_body = 1 << 20;
	peer_says(p, peer, POST("/b", 1000000));
	peer_pours(p, peer, 1000000);
	peer_says(p, peer, CHUNKED("/c"));
	says_chunk(p, peer, 1000000);
	peer_says(p, peer, "0\r\n\r\n");
	ck_assert_str_eq(served_journal(p), "head /a 0;take /a 0;head /b 0;take /b 1000000;"
					    "head /c 0;take /c 1000000;");
	ck_assert_uint_eq(count_of(peer_hears(p, peer), "HTTP/1.1 200"), 3);
	close(peer);
	served_free(p);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("server_bodies");
	TCase *tc = tcase_create("bodies");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_body_waits_unasked_for_until_another_is_answered);
	tcase_add_test(tc, one_that_waits_is_not_read_and_not_overtaken);
	tcase_add_test(tc, who_waits_too_long_gets_503);
	tcase_add_test(tc, who_leaves_gives_his_place_and_his_room_away);
	tcase_add_test(tc, a_body_larger_than_all_room_has_it_alone);
	tcase_add_test(tc, chunks_count_as_they_come);
	tcase_add_test(tc, chunks_that_wait_for_each_other_are_refused_one_by_one);
	tcase_add_test(tc, a_body_may_be_taken_away_and_counts_until_its_answer);
	tcase_add_test(tc, one_taken_from_the_middle_leaves_what_is_behind_it);
	tcase_add_test(tc, five_hundred_slow_peers_cost_what_was_agreed);
	tcase_add_test(tc, what_a_large_body_needed_is_given_back);
	tcase_add_test(tc, a_bound_that_shrinks_holds_from_the_next_request_on);
	tcase_add_test(tc, a_bound_that_grows_is_of_use_to_who_is_there);
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
