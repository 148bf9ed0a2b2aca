/* The server as a whole: who has a place when all are taken, how it ends without leaving anything
 * unanswered, what else it hears of, and several ways in. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "unit/http_server/served.h"

#define MANY (RP_HTTP_LINGERING_MAX + 16)

static struct served *with_places(size_t n)
{
	struct served *p = served_new();

	p->service.max_connections = n;
	p->service.limits.evicts = true;
	return p;
}

START_TEST(the_one_that_is_silent_for_the_longest_gives_way)
{
	struct served *p = with_places(3);
	int a = peer_new(p), b, c, d;

	peer_says(p, a, GET("/a"));
	p->now_ms += 10;
	b = peer_new(p);
	peer_says(p, b, GET("/b"));
	p->now_ms += 10;
	c = peer_new(p);
	peer_says(p, a, GET("/a")); /* so that b has been silent for longer */
	served_pass(p, 1000);
	d = peer_new(p);
	peer_says(p, d, GET("/d"));
	ck_assert_int_eq(peer_status(p, b), 200);
	ck_assert(peer_is_ended(p, b));
	ck_assert_int_eq(peer_status(p, d), 200);
	peer_says(p, c, GET("/c"));
	peer_says(p, a, GET("/a"));
	ck_assert_uint_eq(p->server->n_conns, 3);
	ck_assert_int_eq(peer_status(p, c), 200);
	ck_assert_uint_eq(count_of(peer_hears(p, a), "HTTP/1.1 200"), 3);
	close(a);
	close(b);
	close(c);
	close(d);
	served_free(p);
}
END_TEST

START_TEST(one_with_half_a_request_is_told_why_it_gives_way)
{
	struct served *p = with_places(2);
	int a = peer_new(p), b = peer_new(p), c;

	p->holds = true;
	peer_says(p, a, GET("/held"));
	peer_says(p, b, POST("/b", 100) "half");
	served_pass(p, 1000);
	c = peer_new(p);
	ck_assert_str_eq(served_journal(p), "head /held 0;take /held 0;head /b 0;refuse 503;");
	ck_assert_int_eq(peer_status(p, b), 503);
	ck_assert(peer_is_ended(p, b));
	peer_says(p, c, GET("/c"));
	served_release(p);
	served_run(p);
	ck_assert_int_eq(peer_status(p, a), 200);
	ck_assert_int_eq(peer_status(p, c), 200);
	close(a);
	close(b);
	close(c);
	served_free(p);
}
END_TEST

START_TEST(where_all_are_in_the_programs_hands_a_newcomer_gets_503)
{
	struct served *p = with_places(2);
	int a = peer_new(p), b = peer_new(p), more[100], i;

	p->holds = true;
	peer_says(p, a, GET("/a"));
	peer_says(p, b, GET("/b"));
	served_pass(p, 5000);
	served_journal(p);
	for (i = 0; i < 100; i++)
		more[i] = peer_new(p);
	for (i = 0; i < 64; i++)
		ck_assert_int_eq(peer_status(p, more[i]), 503);
	ck_assert_int_eq(peer_status(p, more[64]), 0); /* its turn comes */
	ck_assert_uint_eq(p->server->n_conns, 66);
	served_pass(p, 2000);
	ck_assert_int_eq(peer_status(p, more[64]), 503);
	served_release(p);
	served_pass(p, 2000);
	ck_assert_int_eq(peer_status(p, a), 200);
	ck_assert_int_eq(peer_status(p, b), 200);
	for (i = 0; i < 100; i++)
		close(more[i]);
	served_run(p);
	ck_assert_uint_eq(p->server->n_conns, 2);
	close(a);
	close(b);
	served_free(p);
}
END_TEST

/* The time of all heads ends at once: more linger than may. */
START_TEST(newcomers_do_not_wait_for_those_who_have_had_their_answer)
{
	struct served *p = with_places(MANY);
	int old[MANY], fresh[MANY], i;

	p->service.limits.head_ms = 1000;
	for (i = 0; i < MANY; i++)
		peer_says(p, old[i] = peer_new(p), "GET / HT");
	served_pass(p, 1000);
	ck_assert_uint_gt(p->server->n_lingering, RP_HTTP_LINGERING_MAX);
	for (i = 0; i < MANY; i++)
		peer_says(p, fresh[i] = peer_new(p), GET("/"));
	for (i = 0; i < MANY; i++) {
		ck_assert_int_eq(peer_status(p, fresh[i]), 200);
		ck_assert_int_eq(peer_status(p, old[i]), 408);
	}
	ck_assert_uint_le(p->server->n_conns, MANY + RP_HTTP_LINGERING_MAX);
	for (i = 0; i < MANY; i++) {
		close(old[i]);
		close(fresh[i]);
	}
	served_free(p);
}
END_TEST

START_TEST(a_crowd_waits_its_turn)
{
	struct served *p = with_places(3);
	int peers[40], i, k;

	for (i = 0; i < 40; i++) {
		peers[i] = peer_to(&p->listener);
		ck_assert_int_gt(send(peers[i], GET("/"), strlen(GET("/")), 0), 0);
	}
	for (k = 0; k < 40; k++)
		served_pass(p, 1000);
	for (i = 0; i < 40; i++) {
		ck_assert_int_eq(peer_status(p, peers[i]), 200);
		close(peers[i]);
	}
	served_free(p);
}
END_TEST

START_TEST(one_that_has_just_spoken_is_heard_before_it_gives_way)
{
	struct served *p = with_places(1);
	int a = peer_new(p), b = peer_to(&p->listener);

	peer_says(p, a, GET("/a"));
	served_journal(p);
	p->now_ms += 2000;
	p->service.boot_ms = p->now_ms;
	/* between what the loop was told of and the newcomer */
	ck_assert_int_gt(send(a, GET("/late"), strlen(GET("/late")), 0), 0);
	p->server->entrances[0].called = true;
	ck_assert(rp_http_server_accept(p->server));
	ck_assert_str_eq(served_journal(p), "head /late 0;take /late 0;");
	ck_assert_uint_eq(p->server->n_conns, 2);
	ck_assert_uint_eq(count_of(peer_hears(p, a), "HTTP/1.1 200"), 2);
	close(a);
	close(b);
	served_free(p);
}
END_TEST

/* Asks, and takes no answer, until it is not read any more. */
static int peer_that_does_not_read(struct served *p)
{
	int fd = peer_new(p);

	while (send(fd, GET("/"), strlen(GET("/")), MSG_NOSIGNAL) > 0)
		served_run(p);
	return fd;
}

START_TEST(one_that_does_not_take_its_answers_gives_way)
{
	struct served *p = with_places(2);
	int deaf, other, newcomer;

	deaf = peer_that_does_not_read(p);
	p->now_ms += 10;
	other = peer_that_does_not_read(p);
	rp_buf_clear(&p->journal);
	newcomer = peer_new(p);
	peer_says(p, newcomer, GET("/new"));
	ck_assert_int_eq(peer_status(p, newcomer), 0); /* they have waited for less than a second */
	served_pass(p, 990);
	ck_assert_int_eq(peer_status(p, newcomer), 200);
	ck_assert_str_eq(served_journal(p), "head /new 0;take /new 0;");
	ck_assert_int_lt(send(deaf, "x", 1, MSG_NOSIGNAL), 0); /* the longer one */
	ck_assert_int_eq(errno, EPIPE);
	ck_assert_uint_eq(p->server->n_conns, 2);
	close(deaf);
	close(other);
	close(newcomer);
	served_free(p);
}
END_TEST

START_TEST(without_eviction_newcomers_wait)
{
	struct served *p = served_new();
	int a, b, c;

	p->service.max_connections = 2;
	a = peer_new(p);
	b = peer_new(p);
	c = peer_new(p);
	peer_says(p, c, GET("/c"));
	served_pass(p, 100000);
	ck_assert_int_eq(peer_status(p, c), 0);
	close(a);
	served_run(p);
	ck_assert_int_eq(peer_status(p, c), 200);
	close(b);
	close(c);
	served_free(p);
}
END_TEST

START_TEST(out_of_descriptors_it_waits_and_does_not_spin)
{
	struct served *p = served_new();
	int a, last = dup(0), i;
	struct rlimit limit, low;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	a = peer_to(&p->listener);
	low = limit;
	low.rlim_cur = (rlim_t)a + 1;
	close(last);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
	while ((last = dup(0)) >= 0)
		;
	served_run(p);
	ck_assert_uint_eq(p->server->n_conns, 0);
	ck_assert(!p->server->entrances[0].armed);
	ck_assert_int_gt(p->server->accept_at_ms, p->now_ms);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	for (i = 0; i < 3; i++)
		served_pass(p, 250);
	peer_says(p, a, GET("/"));
	ck_assert_int_eq(peer_status(p, a), 200);
	served_free(p);
}
END_TEST

static bool is_over(struct served *p)
{
	struct rp_error err;

	/* it returns at once when there is nothing left to do */
	alarm(20);
	return rp_http_server_run(p->server, -1, &err) == RP_OK;
}

START_TEST(who_drains_answers_what_is_asked_and_lets_nobody_in)
{
	struct served *p = served_new();
	int idle = peer_new(p), half = peer_new(p), held = peer_new(p), late;

	peer_says(p, idle, GET("/idle"));
	peer_says(p, half, POST("/half", 3) "a");
	p->holds = true;
	peer_says(p, held, GET("/held") GET("/behind"));
	served_journal(p);
	peer_hears(p, idle);
	p->service.draining = true;
	served_run(p);
	late = peer_new(p);
	peer_says(p, late, GET("/late"));
	served_pass(p, 499);
	ck_assert_uint_eq(p->server->n_conns, 3);
	served_pass(p, 1);
	ck_assert_uint_eq(p->server->n_conns, 2);
	ck_assert(peer_is_ended(p, idle));
	served_release(p);
	served_run(p);
	ck_assert_uint_eq(count_of(peer_hears(p, held), "Connection: close"), 0);
	served_release(p);
	served_run(p);
	ck_assert_int_eq(peer_status(p, held), 200);
	ck_assert_uint_eq(count_of(p->got, "Connection: close"), 1);
	p->holds = false;
	peer_says(p, half, "bc");
	ck_assert_int_eq(peer_status(p, half), 200);
	ck_assert_uint_eq(count_of(p->got, "Connection: close"), 1);
	ck_assert_str_eq(served_journal(p), "head /behind 0;take /behind 0;take /half 3;");
	close(held);
	close(half);
	served_run(p);
	ck_assert(is_over(p));
	ck_assert_str_eq(peer_hears(p, late), "");
	close(idle);
	close(late);
	served_free(p);
}
END_TEST

START_TEST(a_request_on_its_way_when_the_drain_begins_is_answered)
{
	struct served *p = served_new();
	int idle = peer_new(p), fresh = peer_new(p);

	p->service.limits.idle_ms = 75000;
	peer_says(p, idle, GET("/a"));
	peer_hears(p, idle);
	p->service.draining = true;
	served_run(p);
	served_pass(p, 300);
	peer_says(p, idle, GET("/b"));
	peer_says(p, fresh, GET("/c"));
	ck_assert_int_eq(peer_status(p, idle), 200);
	ck_assert_ptr_nonnull(strstr(p->got, "Connection: close\r\n"));
	ck_assert_ptr_null(strstr(p->got, "Keep-Alive"));
	ck_assert_int_eq(peer_status(p, fresh), 200);
	served_pass(p, 2000);
	ck_assert(is_over(p));
	close(idle);
	close(fresh);
	served_free(p);
}
END_TEST

START_TEST(a_drain_waits_for_who_keeps_to_what_he_was_told)
{
	struct served *p = served_new();
	int idle = peer_new(p), fresh = peer_new(p);

	p->service.limits.idle_ms = 75000;
	p->service.limits.told_ms = 4000;
	peer_says(p, idle, GET("/a"));
	ck_assert_ptr_nonnull(strstr(peer_hears(p, idle), "Keep-Alive: timeout=4\r\n"));
	served_pass(p, 1000);
	p->service.draining = true;
	served_run(p);
	served_pass(p, 3499);
	ck_assert_uint_eq(p->server->n_conns, 2);
	peer_says(p, fresh, GET("/b"));
	ck_assert_int_eq(peer_status(p, fresh), 200);
	ck_assert(!peer_is_ended(p, idle));
	served_pass(p, 1);
	ck_assert(peer_is_ended(p, idle));
	close(idle);
	close(fresh);
	served_free(p);
}
END_TEST

START_TEST(a_drain_has_an_end)
{
	struct served *p = served_new();
	int peer = peer_new(p);

	p->holds = true;
	peer_says(p, peer, GET("/"));
	p->service.draining = true;
	p->service.drain_until_ms = p->now_ms + 30000;
	served_run(p);
	served_pass(p, 30000);
	ck_assert(is_over(p));
	rp_http_server_free(p->server);
	p->server = NULL;
	ck_assert_str_eq(served_journal(p), "head / 0;take / 0;gone 0;");
	close(peer);
	served_free(p);
}
END_TEST

/* Two requests that are held, `deaf` with an answer beyond what its socket takes, when the server
 * has come to its end. */
static struct served *ended_with(int *deaf, int *ready)
{
	enum { LONG = 4 << 20 };
	static char long_answer[LONG + 1];
	struct served *p = served_new();

	memset(long_answer, 'Z', LONG);
	*deaf = peer_new(p);
	*ready = peer_new(p);
	p->holds = true;
	peer_says(p, *deaf, GET("/deaf"));
	peer_says(p, *ready, GET("/ready"));
	p->service.draining = true;
	p->service.drain_until_ms = p->now_ms;
	served_run(p);
	ck_assert(is_over(p));
	served_answer(p, p->held[1], 200);
	p->answer = long_answer;
	served_answer(p, p->held[0], 200);
	p->n_held = 0;
	return p;
}

START_TEST(answers_after_the_end_are_sent_by_a_flush)
{
	int deaf, ready;
	struct served *p = ended_with(&deaf, &ready);

	served_journal(p);
	ck_assert_int_gt(send(ready, GET("/late"), strlen(GET("/late")), 0), 0);
	alarm(20);
	rp_http_server_flush(p->server, 20); /* which the deaf one cannot hold up */
	ck_assert_int_eq(peer_status(p, ready), 200);
	ck_assert_uint_eq(count_of(p->got, "Connection: close"), 1);
	ck_assert_str_eq(served_journal(p), "");
	close(ready);
	close(deaf);
	rp_http_server_flush(p->server, INT64_MAX / 2); /* who has left is not waited for */
	served_free(p);
}
END_TEST

static size_t heard_until_the_end(int fd)
{
	static char bytes[1 << 16];
	size_t all = 0;
	ssize_t n;

	ck_assert_int_eq(fcntl(fd, F_SETFL, 0), 0);
	while ((n = read(fd, bytes, sizeof bytes)) > 0)
		all += (size_t)n;
	return all;
}

START_TEST(a_flush_waits_for_who_takes_his_time)
{
	int deaf, ready, status;
	struct served *p = ended_with(&deaf, &ready);
	struct rp_http_connection *c;
	pid_t slow = fork();

	ck_assert_int_ge(slow, 0);
	if (slow == 0) {
		for (c = p->server->conns; c != NULL; c = c->next)
			close(c->fd);
		_exit(heard_until_the_end(deaf) > 4 << 20 ? 0 : 1);
	}
	alarm(20);
	rp_http_server_flush(p->server, 1000000);
	close(ready);
	close(deaf);
	served_free(p);
	ck_assert_int_eq(waitpid(slow, &status, 0), slow);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(a_program_that_failed_flushes_nothing)
{
	int deaf, ready;
	struct served *p = ended_with(&deaf, &ready);

	p->service.failed = RP_ERR_IO;
	rp_http_server_flush(p->server, 1000);
	ck_assert_int_eq(peer_status(p, ready), 0);
	close(ready);
	close(deaf);
	served_free(p);
}
END_TEST

static int bell = -1;

static void bell_rings(void *context)
{
	uint64_t n;

	ck_assert_int_eq(read(bell, &n, sizeof n), sizeof n);
	served_release(context);
}

START_TEST(what_is_held_may_be_answered_when_something_else_happens)
{
	struct served *p = served_new();
	struct rp_error err;
	uint64_t one = 1;
	int a = peer_new(p), b = peer_new(p);

	bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ck_assert_int_eq(rp_http_server_watch(p->server, bell, bell_rings, &err), RP_OK);
	p->holds = true;
	peer_says(p, a, GET("/a"));
	peer_says(p, b, GET("/b"));
	served_run(p);
	ck_assert_int_eq(write(bell, &one, sizeof one), sizeof one);
	ck_assert(rp_http_server_turn(p->server, 0));
	ck_assert_int_eq(peer_status(p, a), 200);
	ck_assert_int_eq(peer_status(p, b), 200);
	close(a);
	close(b);
	close(bell);
	served_free(p);
}
END_TEST

START_TEST(the_program_has_a_timer)
{
	struct served *p = served_new();

	served_run(p);
	rp_http_server_tick_at(p->server, p->now_ms + 50);
	served_pass(p, 49);
	ck_assert_str_eq(served_journal(p), "");
	served_pass(p, 1);
	ck_assert_str_eq(served_journal(p), "tick 0;");
	served_pass(p, 1000);
	ck_assert_str_eq(served_journal(p), "");
	served_free(p);
}
END_TEST

/* Answers at the end of a turn, and counts what it finds there. */
struct turned {
	struct served *p;
	unsigned n_turns;
};
static struct turned turned;

static void answer_all(void *context)
{
	turned.n_turns++;
	served_release(context);
}

START_TEST(what_is_answered_at_the_end_of_a_turn_goes_on_in_the_next)
{
	static struct rp_http_handler handler;
	struct served *p = served_new();
	int peer = peer_new(p), i;

	handler = *p->service.handler;
	handler.turned = answer_all;
	p->service.handler = &handler;
	p->holds = true;
	ck_assert_int_gt(send(peer, GET("/a") GET("/b") GET("/c"), strlen(GET("/a")) * 3, 0), 0);
	/* each turn would wait for a second, were there nothing to go on with */
	for (i = 0; i < 4 && !(i > 0 && p->n_held == 0 && turned.n_turns >= 4); i++)
		ck_assert(rp_http_server_turn(p->server, 1000));
	ck_assert_uint_eq(count_of(peer_hears(p, peer), "HTTP/1.1 200"), 3);
	ck_assert_uint_eq(p->n_held, 0);
	close(peer);
	served_free(p);
}
END_TEST

/* Else the loop would turn and turn while it owes the answer. */
START_TEST(who_speaks_while_it_waits_is_not_listened_to)
{
	struct served *p = served_new();
	int peer = peer_new(p);

	p->holds = true;
	ck_assert_int_gt(send(peer, GET("/a"), strlen(GET("/a")), 0), 0);
	served_run(p);
	ck_assert_uint_eq(p->n_held, 1);
	ck_assert_uint_eq(p->server->conns->armed, EPOLLIN);
	ck_assert_int_gt(send(peer, GET("/b"), strlen(GET("/b")), 0), 0);
	ck_assert(rp_http_server_turn(p->server, 1000));
	ck_assert_uint_eq(p->server->conns->armed, 0);
	p->holds = false;
	served_release(p);
	served_run(p);
	ck_assert_uint_eq(p->server->conns->armed, EPOLLIN);
	ck_assert_str_eq(served_journal(p), "head /a 0;take /a 0;head /b 0;take /b 0;");
	close(peer);
	served_free(p);
}
END_TEST

START_TEST(the_program_may_have_a_turn_that_does_not_wait)
{
	struct served *p = served_new();

	p->service.peeks = true;
	alarm(20);
	ck_assert(rp_http_server_turn(p->server, -1));
	ck_assert(!p->service.peeks);
	served_free(p);
}
END_TEST

START_TEST(it_listens_in_several_places)
{
	struct served *p = served_new();
	struct rp_http_listener listeners[2];
	struct rp_http_server *server;
	struct rp_error err;
	struct sockaddr_in at = {.sin_family = AF_INET};
	int a, b;

	listeners[0] = p->listener;
	ck_assert_int_eq(rp_http_listener_open("127.0.0.1", 0, &listeners[1], &err), RP_OK);
	ck_assert_int_eq(rp_http_server_new(&p->service, listeners, 2, &server, &err), RP_OK);
	rp_http_server_free(p->server);
	p->server = server;
	p->holds = true;
	at.sin_port = htons((uint16_t)atoi(strrchr(listeners[1].url, ':') + 1));
	inet_pton(AF_INET, "127.0.0.1", &at.sin_addr);
	a = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(a, (struct sockaddr *)&at, sizeof at), 0);
	ck_assert_int_gt(send(a, GET("/tcp"), strlen(GET("/tcp")), 0), 0);
	while (p->n_held < 1)
		ck_assert(rp_http_server_turn(server, 100));
	b = peer_new(p);
	peer_says(p, b, GET("/unix"));
	ck_assert_uint_eq(p->n_held, 2);
	ck_assert_uint_eq(rp_http_connection_listener(p->held[0]), 1);
	ck_assert_uint_eq(rp_http_connection_listener(p->held[1]), 0);
	ck_assert_int_ge(rp_http_connection_fd(p->held[0]), 0);
	close(a);
	close(b);
	rp_http_server_free(p->server);
	p->server = NULL;
	rp_http_listener_close(&listeners[1]);
	served_free(p);
}
END_TEST

START_TEST(who_resets_a_held_connection_is_gone)
{
	struct linger at_once = {.l_onoff = 1, .l_linger = 0};
	struct served *p = served_new();
	struct rp_http_listener listener;
	struct sockaddr_in at = {.sin_family = AF_INET};
	struct rp_error err;
	int a = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), i;

	ck_assert_int_eq(rp_http_listener_open("127.0.0.1", 0, &listener, &err), RP_OK);
	rp_http_server_free(p->server);
	ck_assert_int_eq(rp_http_server_new(&p->service, &listener, 1, &p->server, &err), RP_OK);
	p->holds = true;
	at.sin_port = htons((uint16_t)atoi(strrchr(listener.url, ':') + 1));
	inet_pton(AF_INET, "127.0.0.1", &at.sin_addr);
	ck_assert_int_eq(connect(a, (struct sockaddr *)&at, sizeof at), 0);
	ck_assert_int_gt(send(a, GET("/a"), strlen(GET("/a")), 0), 0);
	while (p->n_held == 0)
		ck_assert(rp_http_server_turn(p->server, 100));
	/* more bytes, and then no more of them, change nothing */
	ck_assert_int_gt(send(a, "GET", 3, 0), 0);
	ck_assert_int_eq(shutdown(a, SHUT_WR), 0);
	for (i = 0; i < 5; i++)
		ck_assert(rp_http_server_turn(p->server, 10));
	ck_assert_uint_eq(p->n_held, 1);
	setsockopt(a, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	close(a);
	while (p->n_held > 0)
		ck_assert(rp_http_server_turn(p->server, 100));
	ck_assert_str_eq(served_journal(p), "head /a 0;take /a 0;gone 0;");
	rp_http_server_free(p->server);
	p->server = NULL;
	rp_http_listener_close(&listener);
	served_free(p);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("server");
	TCase *tc = tcase_create("places");

	tcase_add_test(tc, the_one_that_is_silent_for_the_longest_gives_way);
	tcase_add_test(tc, one_with_half_a_request_is_told_why_it_gives_way);
	tcase_add_test(tc, where_all_are_in_the_programs_hands_a_newcomer_gets_503);
	tcase_add_test(tc, newcomers_do_not_wait_for_those_who_have_had_their_answer);
	tcase_add_test(tc, a_crowd_waits_its_turn);
	tcase_add_test(tc, one_that_has_just_spoken_is_heard_before_it_gives_way);
	tcase_add_test(tc, one_that_does_not_take_its_answers_gives_way);
	tcase_add_test(tc, without_eviction_newcomers_wait);
	tcase_add_test(tc, out_of_descriptors_it_waits_and_does_not_spin);
	suite_add_tcase(s, tc);
	tc = tcase_create("the end");
	tcase_add_test(tc, who_drains_answers_what_is_asked_and_lets_nobody_in);
	tcase_add_test(tc, a_request_on_its_way_when_the_drain_begins_is_answered);
	tcase_add_test(tc, a_drain_waits_for_who_keeps_to_what_he_was_told);
	tcase_add_test(tc, a_drain_has_an_end);
	tcase_add_test(tc, answers_after_the_end_are_sent_by_a_flush);
	tcase_add_test(tc, a_flush_waits_for_who_takes_his_time);
	tcase_add_test(tc, a_program_that_failed_flushes_nothing);
	suite_add_tcase(s, tc);
	tc = tcase_create("the loop");
	tcase_add_test(tc, what_is_held_may_be_answered_when_something_else_happens);
	tcase_add_test(tc, the_program_has_a_timer);
	tcase_add_test(tc, what_is_answered_at_the_end_of_a_turn_goes_on_in_the_next);
	tcase_add_test(tc, who_speaks_while_it_waits_is_not_listened_to);
	tcase_add_test(tc, the_program_may_have_a_turn_that_does_not_wait);
	tcase_add_test(tc, it_listens_in_several_places);
	tcase_add_test(tc, who_resets_a_held_connection_is_gone);
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
