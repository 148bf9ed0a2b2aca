/* One connection of the server, between a program that answers as the test says and a peer that
 * the test is: order, lateness, ends, and the way past HTTP. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_server/connection_int.h"

#define HEAD " HTTP/1.1\r\nHost: h\r\n"
#define GET "GET /" HEAD "\r\n"
#define CLOSE "Connection: close\r\n\r\n"

struct own {
	unsigned n_requests;
};

/* The program: what it does with requests, and what it saw. */
struct program {
	struct rp_http_service service;
	struct rp_http_connection *c;
	int peer;
	bool holds; /* answers on the next wake */
	int status;
	const char *body;
	rp_http_raw_source *source; /* in place of an answer */
	unsigned n_taken, n_refused, n_flushed, n_pieces;
	int refused_status;
	size_t stop_after;
	char got[4096]; /* by the peer, last time */
};

static void answer(void *context, struct rp_http_connection *c)
{
	struct program *p = context;
	struct rp_http_response response = {p->status, rp_span_of(""), "text/plain",
					    rp_span_of(p->body)};

	if (p->source != NULL)
		rp_http_raw_begin(c, p->source);
	else
		rp_http_connection_answer(c, &response);
}

static void take(void *context, struct rp_http_connection *c, const struct rp_http_request *request)
{
	struct program *p = context;
	struct own *own = rp_http_connection_own(c);

	ck_assert_uint_eq(own->n_requests++, p->n_taken++);
	ck_assert(rp_http_request_span(request, request->target).len > 0);
	p->service.stopping = p->n_taken == p->stop_after;
	if (p->holds)
		rp_http_connection_wake_at(c, p->service.boot_ms + 50);
	else
		answer(p, c);
}

static void refuse(void *context, struct rp_http_connection *c,
		   const struct rp_http_request *request)
{
	struct program *p = context;

	p->n_refused++;
	p->status = p->refused_status = request->bad_status;
	answer(p, c);
}

static void flush(void *context)
{
	((struct program *)context)->n_flushed++;
}

static struct program *start(void)
{
	static const struct rp_http_handler handler = {
	    .own_bytes = sizeof(struct own),
	    .take = take,
	    .refuse = refuse,
	    .wake = answer,
	    .flush = flush,
	};
	struct program *p = calloc(1, sizeof *p);
	int ends[2];

	ck_assert_ptr_nonnull(p);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	p->service.handler = &handler;
	p->service.context = p;
	p->service.max_body = 1000;
	p->service.boot_ms = 1000;
	p->status = 200;
	p->body = "ok";
	p->peer = ends[1];
	p->c = rp_http_connection_new(ends[0], &p->service);
	ck_assert_ptr_nonnull(p->c);
	return p;
}

static void stop(struct program *p)
{
	rp_http_connection_free(p->c);
	if (p->peer >= 0)
		close(p->peer);
	free(p);
}

/* The peer says something, and the server hears of it. false: the connection is over. */
static bool say(struct program *p, const char *text)
{
	ck_assert_int_eq(send(p->peer, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
	return rp_http_connection_event(p->c, EPOLLIN);
}

static const char *hear(struct program *p)
{
	ssize_t n = recv(p->peer, p->got, sizeof p->got - 1, 0);

	p->got[n > 0 ? n : 0] = '\0';
	return p->got;
}

static bool peer_sees_the_end(struct program *p)
{
	return recv(p->peer, p->got, sizeof p->got, 0) == 0;
}

static bool wake(struct program *p)
{
	p->service.boot_ms = p->c->wake_at_ms;
	return rp_http_connection_wake(p->c);
}

static unsigned count(const char *text, const char *word)
{
	unsigned n = 0;

	while ((text = strstr(text, word)) != NULL) {
		text += strlen(word);
		n++;
	}
	return n;
}

#define OK_ANSWER                                                                                  \
	"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n"                 \
	"ok"

START_TEST(a_request_is_answered_and_the_connection_stays)
{
	struct program *p = start();

	ck_assert(say(p, "GET / HT"));
	ck_assert_str_eq(hear(p), "");
	ck_assert(say(p, "TP/1.1\r\nHost: h\r\n\r\n"));
	ck_assert_str_eq(hear(p), OK_ANSWER);
	ck_assert_uint_eq(rp_http_connection_interest(p->c), EPOLLIN);
	ck_assert(!rp_http_connection_owes_answer(p->c));
	ck_assert(say(p, GET));
	ck_assert_str_eq(hear(p), OK_ANSWER);
	stop(p);
}
END_TEST

START_TEST(requests_that_came_together_are_answered_together)
{
	struct program *p = start();

	ck_assert(say(p, GET GET GET));
	ck_assert_str_eq(hear(p), OK_ANSWER OK_ANSWER OK_ANSWER);
	ck_assert_uint_eq(p->n_flushed, 1);
	stop(p);
}
END_TEST

static const struct {
	const char *method;
	int status;
	const char *want;
} bodies[] = {
    {"GET", 404,
     "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"},
    {"GET", 299,
     "HTTP/1.1 299 As Asked\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"},
    {"HEAD", 200, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n"},
    {"GET", 204, "HTTP/1.1 204 No Content\r\n\r\n"},
    {"GET", 304, "HTTP/1.1 304 Not Modified\r\n\r\n"},
    {"HEAD", 204, "HTTP/1.1 204 No Content\r\n\r\n"},
};

START_TEST(an_answer_has_a_body_where_there_may_be_one)
{
	struct program *p = start();
	char text[200];

	p->status = bodies[_i].status;
	snprintf(text, sizeof text, "%s /" HEAD "\r\n", bodies[_i].method);
	ck_assert(say(p, text));
	ck_assert_str_eq(hear(p), bodies[_i].want);
	stop(p);
}
END_TEST

START_TEST(a_held_request_is_answered_when_its_time_has_come)
{
	struct program *p = start();

	p->holds = true;
	ck_assert(say(p, GET GET));
	ck_assert_str_eq(hear(p), "");
	ck_assert_uint_eq(p->n_taken, 1);
	ck_assert_uint_eq(rp_http_connection_interest(p->c), 0);
	ck_assert(rp_http_connection_owes_answer(p->c));
	ck_assert_int_eq(p->c->wake_at_ms, 1050);
	ck_assert(wake(p));
	ck_assert_str_eq(hear(p), OK_ANSWER);
	ck_assert_uint_eq(p->n_taken, 2); /* the one behind it, held in turn */
	ck_assert_int_eq(p->c->wake_at_ms, 1100);
	ck_assert(wake(p));
	ck_assert_str_eq(hear(p), OK_ANSWER);
	ck_assert_int_eq(p->c->wake_at_ms, 0);
	ck_assert(!rp_http_connection_owes_answer(p->c));
	stop(p);
}
END_TEST

START_TEST(a_held_request_knows_how_it_is_to_be_answered_when_its_bytes_are_gone)
{
	struct program *p = start();

	p->holds = true;
	ck_assert(say(p, "HEAD / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
	ck_assert_uint_eq(p->c->in.len, 0);
	ck_assert(wake(p));
	ck_assert_str_eq(hear(p), "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n"
				  "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n");
	stop(p);
}
END_TEST

START_TEST(after_the_last_answer_it_waits_a_while_for_the_peer_to_close)
{
	struct program *p = start();

	ck_assert(say(p, "GET /" HEAD CLOSE GET));
	ck_assert_uint_eq(count(hear(p), "HTTP/1.1 200 OK\r\nConnection: close\r\n"), 1);
	ck_assert(peer_sees_the_end(p));
	ck_assert_uint_eq(p->n_taken, 1);
	ck_assert(say(p, "what else it has to say"));
	ck_assert_uint_eq(p->n_taken, 1);
	ck_assert_uint_eq(p->n_refused, 0);
	ck_assert_int_gt(p->c->wake_at_ms, 1000);
	ck_assert(!wake(p));
	stop(p);
}
END_TEST

START_TEST(what_is_no_request_is_refused_and_ends_the_connection)
{
	struct program *p = start();

	ck_assert(say(p, GET "nonsense\r\n\r\n" GET));
	ck_assert_uint_eq(p->n_taken, 1);
	ck_assert_uint_eq(p->n_refused, 1);
	ck_assert_int_eq(p->refused_status, 400);
	ck_assert_uint_eq(count(hear(p), "HTTP/1.1 "), 2);
	ck_assert_ptr_nonnull(strstr(p->got, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"));
	ck_assert(peer_sees_the_end(p));
	stop(p);
}
END_TEST

START_TEST(a_refusal_behind_a_head_has_its_body)
{
	struct program *p = start();

	ck_assert(say(p, "HEAD /" HEAD "\r\nnonsense\r\n"));
	ck_assert_uint_eq(count(hear(p), "ok"), 1);
	stop(p);
}
END_TEST

START_TEST(a_peer_that_waits_for_continue_is_told_once)
{
	struct program *p = start();

	ck_assert(say(p, "POST /" HEAD "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n"));
	ck_assert_str_eq(hear(p), "HTTP/1.1 100 Continue\r\n\r\n");
	ck_assert(say(p, "a"));
	ck_assert_str_eq(hear(p), "");
	ck_assert(say(p, "b"));
	ck_assert_str_eq(hear(p), OK_ANSWER);
	stop(p);
}
END_TEST

START_TEST(a_program_that_stops_takes_no_further_request)
{
	struct program *p = start();

	p->stop_after = 2;
	ck_assert(say(p, GET GET GET));
	ck_assert_uint_eq(p->n_taken, 2);
	ck_assert_str_eq(hear(p), OK_ANSWER OK_ANSWER);
	ck_assert_uint_eq(rp_http_connection_interest(p->c), 0);
	ck_assert(!rp_http_connection_owes_answer(p->c));
	stop(p);
}
END_TEST

START_TEST(a_program_that_failed_answers_nothing)
{
	struct program *p = start();

	ck_assert(say(p, "POST /" HEAD "Content-Length: 1\r\n\r\n"));
	p->service.failed = RP_ERR_IO;
	ck_assert(say(p, "x"));
	ck_assert_str_eq(hear(p), "");
	stop(p);
}
END_TEST

START_TEST(a_long_answer_goes_on_when_the_peer_has_read)
{
	struct program *p = start();
	size_t n = 3 << 20, got = 0, i;
	char *body = malloc(n + 1);

	ck_assert_ptr_nonnull(body);
	memset(body, 'Z', n);
	body[n] = '\0';
	p->body = body;
	ck_assert(say(p, GET GET));
	ck_assert_uint_eq(rp_http_connection_interest(p->c), EPOLLOUT);
	ck_assert_uint_eq(p->n_taken, 1);
	ck_assert(rp_http_connection_owes_answer(p->c));
	while (got < 2 * n) {
		hear(p);
		for (i = 0; p->got[i] != '\0'; i++)
			got += p->got[i] == 'Z';
		ck_assert(p->got[0] != '\0' || rp_http_connection_owes_answer(p->c));
		if (rp_http_connection_interest(p->c) == EPOLLOUT)
			ck_assert(rp_http_connection_event(p->c, EPOLLOUT));
	}
	ck_assert_uint_eq(p->n_taken, 2);
	ck_assert_uint_eq(rp_http_connection_interest(p->c), EPOLLIN);
	stop(p);
	free(body);
}
END_TEST

START_TEST(a_peer_that_leaves_ends_the_connection)
{
	struct program *p = start();

	ck_assert(say(p, "GET / HT"));
	close(p->peer);
	p->peer = -1;
	ck_assert(!rp_http_connection_event(p->c, EPOLLIN));
	stop(p);
}
END_TEST

static enum rp_http_raw_next three_pieces(void *context, struct rp_http_connection *c,
					  struct rp_buf *out)
{
	struct program *p = context;

	ck_assert_uint_eq(out->len, 0);
	ck_assert(rp_buf_add_text(out, "piece;"));
	if (++p->n_pieces == 2) {
		rp_http_connection_wake_at(c, p->service.boot_ms + 70);
		return RP_HTTP_RAW_WAIT;
	}
	if (p->n_pieces < 3)
		return RP_HTTP_RAW_MORE;
	p->source = NULL; /* the next one gets an answer */
	return RP_HTTP_RAW_DONE;
}

START_TEST(a_source_is_asked_until_it_is_done_and_then_the_next_request_is_taken)
{
	struct program *p = start();

	p->source = three_pieces;
	ck_assert(say(p, GET GET));
	ck_assert_str_eq(hear(p), "piece;piece;");
	ck_assert_uint_eq(rp_http_connection_interest(p->c), EPOLLRDHUP);
	ck_assert(!rp_http_connection_owes_answer(p->c)); /* whoever stops need not wait for it */
	ck_assert_int_eq(p->c->wake_at_ms, 1070);
	ck_assert(wake(p));
	ck_assert_str_eq(hear(p), "piece;" OK_ANSWER);
	stop(p);
}
END_TEST

static enum rp_http_raw_next say_nothing(void *context, struct rp_http_connection *c,
					 struct rp_buf *out)
{
	(void)context;
	(void)c;
	(void)out;
	return RP_HTTP_RAW_WAIT;
}

START_TEST(a_silent_source_ends_with_its_peer)
{
	struct program *p = start();

	p->source = say_nothing;
	ck_assert(say(p, GET GET));
	ck_assert_str_eq(hear(p), "");
	ck_assert_int_eq(p->c->wake_at_ms, 0);
	ck_assert(!rp_http_connection_event(p->c, EPOLLRDHUP));
	stop(p);
}
END_TEST

static enum rp_http_raw_next close_at_once(void *context, struct rp_http_connection *c,
					   struct rp_buf *out)
{
	(void)context;
	(void)c;
	ck_assert(rp_buf_add_text(out, "bye"));
	return RP_HTTP_RAW_CLOSE;
}

static enum rp_http_raw_next reset_at_once(void *context, struct rp_http_connection *c,
					   struct rp_buf *out)
{
	(void)context;
	(void)c;
	(void)out;
	return RP_HTTP_RAW_RESET;
}

START_TEST(a_source_may_end_the_connection_after_what_was_answered_before)
{
	struct program *p = start();
	struct linger linger;
	socklen_t n = sizeof linger;

	ck_assert(say(p, GET));
	p->source = close_at_once;
	ck_assert(!say(p, GET GET));
	ck_assert_str_eq(hear(p), OK_ANSWER "bye");
	ck_assert_uint_eq(p->n_taken, 2);
	stop(p);
	p = start();
	p->source = reset_at_once;
	ck_assert(!say(p, GET));
	ck_assert_int_eq(getsockopt(p->c->fd, SOL_SOCKET, SO_LINGER, &linger, &n), 0);
	ck_assert(linger.l_onoff != 0 && linger.l_linger == 0);
	stop(p);
}
END_TEST

START_TEST(a_source_of_a_last_request_ends_as_an_answer_does)
{
	struct program *p = start();

	p->source = three_pieces;
	p->n_pieces = 2;
	ck_assert(say(p, "GET /" HEAD CLOSE GET));
	ck_assert_str_eq(hear(p), "piece;");
	ck_assert(peer_sees_the_end(p));
	ck_assert_uint_eq(p->n_taken, 1);
	stop(p);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("http_connection");
	TCase *tc = tcase_create("answers");

	tcase_add_test(tc, a_request_is_answered_and_the_connection_stays);
	tcase_add_test(tc, requests_that_came_together_are_answered_together);
	tcase_add_loop_test(tc, an_answer_has_a_body_where_there_may_be_one, 0,
			    sizeof bodies / sizeof bodies[0]);
	tcase_add_test(tc, a_held_request_is_answered_when_its_time_has_come);
	tcase_add_test(tc, a_held_request_knows_how_it_is_to_be_answered_when_its_bytes_are_gone);
	tcase_add_test(tc, after_the_last_answer_it_waits_a_while_for_the_peer_to_close);
	tcase_add_test(tc, what_is_no_request_is_refused_and_ends_the_connection);
	tcase_add_test(tc, a_refusal_behind_a_head_has_its_body);
	tcase_add_test(tc, a_peer_that_waits_for_continue_is_told_once);
	tcase_add_test(tc, a_program_that_stops_takes_no_further_request);
	tcase_add_test(tc, a_program_that_failed_answers_nothing);
	tcase_add_test(tc, a_long_answer_goes_on_when_the_peer_has_read);
	tcase_add_test(tc, a_peer_that_leaves_ends_the_connection);
	suite_add_tcase(s, tc);
	tc = tcase_create("past HTTP");
	tcase_add_test(tc, a_source_is_asked_until_it_is_done_and_then_the_next_request_is_taken);
	tcase_add_test(tc, a_silent_source_ends_with_its_peer);
	tcase_add_test(tc, a_source_may_end_the_connection_after_what_was_answered_before);
	tcase_add_test(tc, a_source_of_a_last_request_ends_as_an_answer_does);
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
