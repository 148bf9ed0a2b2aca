/* Connections that are used again, addresses that do not answer, and answers that libcurl leaves
 * unread. */
#include "deliver/http/http.h"

#include <arpa/inet.h>
#include <check.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sys.h"
#include "unit/scripted_server.h"

#define DEADLINE_MS 15000 /* of a test's waiting; far above what any needs */
/* clang-format off */
#define READ {SCRIPT_READ, {NULL, 0}}
#define TASTE {SCRIPT_TASTE, {NULL, 0}}
#define HOLD {SCRIPT_HOLD, {NULL, 0}}
#define ANSWER(text) {SCRIPT_SEND, SCRIPT_BYTES(text)}
#define HANG {SCRIPT_HANG, {NULL, 0}}
#define RESET {SCRIPT_RESET, {NULL, 0}}
#define CLOSE {SCRIPT_CLOSE, {NULL, 0}}
#define AGAIN {SCRIPT_AGAIN, {NULL, 0}}
/* clang-format on */
#define OK_EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define NONE_204 "HTTP/1.1 204 No Content\r\n\r\n"
#define N_OF(array) (sizeof(array) / sizeof((array)[0]))
#define BIG_BODY ((size_t)3 << 20)

/* ---- doors of the C library that tests hold: this program's definitions win over libc's, in
 * libcurl too ---- */

/* "many.test" has the loopback addresses from 127.0.0.1 on, as many as this. Everything else goes
 * to libc. */
static unsigned n_addresses;

int getaddrinfo(const char *restrict name, const char *restrict service,
		const struct addrinfo *restrict hints, struct addrinfo **restrict res)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
	struct addrinfo **tail = res;
	char ip[16];
	unsigned i;

	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	if (strcmp(name, "many.test") != 0)
		return real(name, service, hints, res);
	for (i = 1; i <= n_addresses; i++, tail = &(*tail)->ai_next) {
		snprintf(ip, sizeof ip, "127.0.0.%u", i);
		if (real(ip, service, hints, tail) != 0)
			return EAI_MEMORY;
	}
	return 0;
}

/* What the receiver's host has not confirmed of what was written; -1: as it is. */
static int unconfirmed_bytes = -1;

int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (request == SIOCOUTQ && unconfirmed_bytes >= 0) {
		*(int *)arg = unconfirmed_bytes;
		return 0;
	}
	return (int)syscall(SYS_ioctl, fd, request, arg);
}

/* While the engine writes, the receiver does not stand still. */
static struct scripted_server *steps_at_send;
static unsigned sends_before; /* so many go out undisturbed */

ssize_t send(int fd, const void *buf, size_t n, int flags)
{
	struct scripted_server *s = steps_at_send;

	if (s != NULL && sends_before > 0) {
		sends_before--;
	} else if (s != NULL) {
		steps_at_send = NULL;
		scripted_server_step(s);
		steps_at_send = s;
	}
	return syscall(SYS_sendto, fd, buf, n, flags, NULL, 0);
}

/* ---- the rig: one engine, one receiver, one loop ---- */

struct rig {
	struct rp_transport *engine;
	struct scripted_server *server;
	struct rp_cidr loopback;
	struct rp_guard_policy policy;
	struct rp_request request;
	struct rp_outcome last;
	unsigned n_done;
	char url[64];
	bool racing;
};

static void rig_begin(struct rig *r, const struct script_step *script, size_t n_steps)
{
	struct rp_error err;

	memset(r, 0, sizeof *r);
	rp_log_setup("test", RP_LOG_ERROR);
	ck_assert(rp_cidr_parse(rp_span_of("127.0.0.0/8"), &r->loopback));
	r->policy =
	    (struct rp_guard_policy){.allow_http = true, .allow = &r->loopback, .n_allow = 1};
	r->request =
	    (struct rp_request){.body = {"{}", 2}, .timeout_ms = 10000, .connect_timeout_ms = 5000};
	r->request.guard = &r->policy;
	ck_assert_msg(rp_http_open(4, 16, &r->engine, &err) == RP_OK, "%s", err.text);
	r->server = scripted_server_open(script, n_steps);
	snprintf(r->url, sizeof r->url, "http://127.0.0.1:%u/hook",
		 scripted_server_port(r->server));
	r->request.url = r->url;
}

static void rig_end(struct rig *r)
{
	rp_http_close(r->engine);
	scripted_server_close(r->server);
}

static void on_done(void *arg, void *owner, const struct rp_outcome *outcome)
{
	struct rig *r = arg;

	(void)owner;
	r->last = *outcome;
	r->n_done++;
}

static void engine_run(struct rig *r)
{
	steps_at_send = r->racing ? r->server : NULL;
	r->engine->run(r->engine, on_done, r);
	steps_at_send = NULL;
}

static void turn(struct rig *r, struct scripted_server *other)
{
	struct pollfd fds[3] = {
	    {.fd = r->engine->fd(r->engine), .events = POLLIN},
	    {.fd = scripted_server_fd(r->server), .events = POLLIN},
	    {.fd = other != NULL ? scripted_server_fd(other) : -1, .events = POLLIN}};
	int wait_ms = r->engine->timeout_ms(r->engine);

	poll(fds, 3, wait_ms >= 0 && wait_ms < 1000 ? wait_ms : 1000);
	engine_run(r);
	scripted_server_step(r->server);
	if (other != NULL)
		scripted_server_step(other);
}

static void post(struct rig *r)
{
	struct rp_error err;

	ck_assert_msg(r->engine->start(r->engine, &r->request, &err) == RP_OK, "%s", err.text);
}

static void post_and_wait(struct rig *r, struct scripted_server *other)
{
	int64_t end_ms = rp_sys_boot_ms(&rp_sys_real) + DEADLINE_MS;
	unsigned n = r->n_done + 1;

	post(r);
	while (r->n_done < n) {
		turn(r, other);
		ck_assert_msg(rp_sys_boot_ms(&rp_sys_real) < end_ms, "no answer");
	}
}

static void expect(const struct rig *r, const char *label, enum rp_cause cause, unsigned status)
{
	ck_assert_msg(r->last.cause == cause && r->last.http_status == status,
		      "%s: cause %d, status %u (%s); wanted %d, %u", label, r->last.cause,
		      r->last.http_status, r->last.detail, cause, status);
}

static void expect_seen(const struct rig *r, const char *label, unsigned requests,
			unsigned connections)
{
	ck_assert_msg(scripted_server_requests(r->server) == requests &&
			  scripted_server_accepted(r->server) == connections,
		      "%s: %u requests on %u connections; wanted %u on %u", label,
		      scripted_server_requests(r->server), scripted_server_accepted(r->server),
		      requests, connections);
}

static int64_t now_ms(void)
{
	return rp_sys_boot_ms(&rp_sys_real);
}

/* ---- how many are kept, and for how long ---- */

/* An engine for one request at once, and one receiver with many addresses: each is a host. */
static void rig_begin_hosts(struct rig *r, unsigned max_connections)
{
	static const struct script_step script[] = {READ, ANSWER(OK_EMPTY), AGAIN};
	struct rp_error err;

	rig_begin(r, script, N_OF(script));
	rp_http_close(r->engine);
	scripted_server_close(r->server);
	ck_assert(rp_http_open(1, max_connections, &r->engine, &err) == RP_OK);
	r->server = scripted_server_open_at("0.0.0.0", 0, script, N_OF(script));
}

static void post_to_hosts(struct rig *r, unsigned hosts)
{
	unsigned i;

	for (i = 1; i <= hosts; i++) {
		snprintf(r->url, sizeof r->url, "http://127.0.1.%u:%u/hook", i,
			 scripted_server_port(r->server));
		post_and_wait(r, NULL);
		expect(r, r->url, RP_CAUSE_NONE, 200);
	}
}

START_TEST(connections_are_kept_by_hosts_and_not_by_requests)
{
	struct rig r;

	rig_begin_hosts(&r, 64);
	post_to_hosts(&r, 64);
	post_to_hosts(&r, 64);
	expect_seen(&r, "64 hosts", 128, 64);
	rig_end(&r);
}
END_TEST

START_TEST(connections_are_no_more_than_the_engine_was_opened_for)
{
	struct rig r;

	rig_begin_hosts(&r, 8);
	post_to_hosts(&r, 64);
	scripted_server_step(r.server);
	ck_assert_uint_le(scripted_server_open_now(r.server), 8);
	expect_seen(&r, "64 hosts", 64, 64);
	rig_end(&r);
}
END_TEST

static unsigned count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

/* No request comes that could find out. */
START_TEST(a_connection_that_its_receiver_closes_is_closed)
{
	static const struct script_step script[] = {READ, ANSWER(OK_EMPTY), HOLD, CLOSE};
	int64_t end_ms = now_ms() + DEADLINE_MS;
	unsigned before;
	struct rig r;

	rig_begin(&r, script, N_OF(script));
	before = count_descriptors();
	post_and_wait(&r, NULL);
	ck_assert_uint_gt(count_descriptors(), before);
	scripted_server_let_go(r.server);
	while (count_descriptors() > before) {
		turn(&r, NULL);
		ck_assert_msg(now_ms() < end_ms, "it is still open");
	}
	ck_assert_int_eq(r.engine->timeout_ms(r.engine), -1);
	rig_end(&r);
}
END_TEST

/* ---- bytes behind an answer ---- */

static const struct {
	const char *answer;
	enum rp_cause cause;
	unsigned status, connections; /* of two requests */
} end_cases[] = {
    {"HTTP/1.1 204 No Content\r\n\r\n", RP_CAUSE_NONE, 204, 1},
    {"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", RP_CAUSE_NONE, 204, 1},
    {"HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n", RP_CAUSE_NONE, 204, 2},
    {"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", RP_CAUSE_NONE, 204, 2},
    {"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", RP_CAUSE_HTTP, 304, 2},
    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}", RP_CAUSE_NONE, 200, 1},
    {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Length: 2\r\n\r\n{}", RP_CAUSE_NONE, 200, 2},
    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     RP_CAUSE_NONE, 200, 2},
    {"HTTP/1.1 103 Hint\r\nContent-Length: 7\r\n\r\n" OK_EMPTY, RP_CAUSE_NONE, 200, 1},
};

START_TEST(a_head_that_leaves_its_end_open_is_its_connections_last)
{
	struct script_step script[] = {READ, {SCRIPT_SEND, {NULL, 0}}, AGAIN};
	struct rig r;
	unsigned i;

	script[1].bytes = rp_span_of(end_cases[_i].answer);
	rig_begin(&r, script, N_OF(script));
	for (i = 0; i < 2; i++) {
		post_and_wait(&r, NULL);
		expect(&r, end_cases[_i].answer, end_cases[_i].cause, end_cases[_i].status);
	}
	expect_seen(&r, end_cases[_i].answer, 2, end_cases[_i].connections);
	rig_end(&r);
}
END_TEST

static const char *const surplus_cases[] = {
    "{}", "\r\n", "and more", "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 "};

START_TEST(bytes_found_before_the_next_request_cost_a_connection)
{
	struct script_step script[] = {
	    READ, ANSWER(NONE_204), HOLD, {SCRIPT_SEND, {NULL, 0}}, AGAIN};
	struct rig r;
	unsigned i;

	script[3].bytes = rp_span_of(surplus_cases[_i]);
	rig_begin(&r, script, N_OF(script));
	for (i = 1; i <= 3; i++) {
		post_and_wait(&r, NULL);
		expect(&r, surplus_cases[_i], RP_CAUSE_NONE, 204);
		expect_seen(&r, surplus_cases[_i], i, i);
		scripted_server_let_go(r.server);
		scripted_server_step(r.server);
	}
	rig_end(&r);
}
END_TEST

static const char *const junk_cases[] = {"{}", "\r\n" NONE_204, "and more\r\n",
					 "HTTP/7.3 200 OK\r\n\r\n", "{}" NONE_204};

START_TEST(bytes_after_the_next_request_decide_nothing)
{
	struct script_step script[] = {
	    READ, ANSWER(NONE_204), READ, {SCRIPT_SEND, {NULL, 0}}, HANG};
	struct rig r;

	script[3].bytes = rp_span_of(junk_cases[_i]);
	rig_begin(&r, script, N_OF(script));
	post_and_wait(&r, NULL);
	post_and_wait(&r, NULL);
	expect(&r, junk_cases[_i], RP_CAUSE_NONE, 204);
	expect_seen(&r, junk_cases[_i], 3, 2);
	post_and_wait(&r, NULL);
	expect(&r, "third", RP_CAUSE_NONE, 204);
	expect_seen(&r, "a receiver that sends surplus bytes", 4, 3);
	rig_end(&r);
}
END_TEST

START_TEST(junk_on_a_fresh_connection_is_the_answer)
{
	static const struct script_step script[] = {READ, ANSWER("hello\n"), CLOSE};
	struct rig r;

	rig_begin(&r, script, N_OF(script));
	post_and_wait(&r, NULL);
	expect(&r, "junk", RP_CAUSE_PROTOCOL, 0);
	expect_seen(&r, "junk", 1, 1);
	rig_end(&r);
}
END_TEST

/* ---- leave of the owner ---- */

static unsigned n_asked;
static bool leave;

static bool give_leave(void *owner)
{
	(void)owner;
	n_asked++;
	return leave;
}

static void post_with_leave(struct rig *r, bool given)
{
	leave = given;
	r->request.may_write = give_leave;
	post_and_wait(r, NULL);
}

static void expect_lack(const struct rig *r, const char *label, enum rp_cause cause,
			enum rp_lack lack)
{
	expect(r, label, cause, cause == RP_CAUSE_NONE ? 200 : 0);
	ck_assert_msg(r->last.lack == lack, "%s: lack %d", label, (int)r->last.lack);
}

START_TEST(a_request_without_leave_is_not_written_and_is_no_attempt)
{
	static const struct script_step script[] = {READ, ANSWER(OK_EMPTY), AGAIN};
	struct rig r;

	n_asked = 0;
	rig_begin(&r, script, N_OF(script));
	post_with_leave(&r, false);
	expect_lack(&r, "connected", RP_CAUSE_LOCAL, RP_LACK_LEAVE);
	ck_assert_uint_eq(scripted_server_requests(r.server), 0);
	post_with_leave(&r, true);
	expect_lack(&r, "with leave", RP_CAUSE_NONE, RP_LACK_NONE);
	post_with_leave(&r, false);
	expect_lack(&r, "at once on a kept connection", RP_CAUSE_NONE, RP_LACK_NONE);
	ck_assert_uint_eq(n_asked, 2);
	rig_end(&r);
}
END_TEST

static const struct {
	const char *what;
	struct script_step after[3]; /* the first answer */
	enum rp_cause cause;
	enum rp_lack lack;
	unsigned requests;
} repeats[] = {
    {"libcurl repeats it", {READ, CLOSE}, RP_CAUSE_RESET, RP_LACK_NONE, 2},
    {"the engine repeats it", {READ, ANSWER("junk\n"), HANG}, RP_CAUSE_RESET, RP_LACK_NONE, 2},
    {"it was not written before", {HOLD, ANSWER("{}"), HANG}, RP_CAUSE_LOCAL, RP_LACK_LEAVE, 1},
};

START_TEST(a_request_without_leave_is_not_written_again)
{
	struct script_step script[5] = {READ, ANSWER(OK_EMPTY)};
	struct rig r;

	memcpy(script + 2, repeats[_i].after, sizeof repeats[_i].after);
	rig_begin(&r, script, N_OF(script));
	post_with_leave(&r, true);
	scripted_server_let_go(r.server);
	scripted_server_step(r.server);
	post_with_leave(&r, false);
	expect_lack(&r, repeats[_i].what, repeats[_i].cause, repeats[_i].lack);
	expect_seen(&r, repeats[_i].what, repeats[_i].requests, 2);
	rig_end(&r);
}
END_TEST

/* A second try may meet the same: it is the last. */
START_TEST(a_request_is_made_again_once)
{
	static const struct script_step first[] = {READ, ANSWER(OK_EMPTY), READ, ANSWER("junk\n"),
						   HANG};
	static const struct script_step second[] = {READ, ANSWER("more junk\n"), CLOSE};
	struct script_step script[N_OF(first)];
	struct rig r;

	memcpy(script, first, sizeof first);
	rig_begin(&r, script, N_OF(script));
	post_and_wait(&r, NULL);
	post(&r);
	while (scripted_server_requests(r.server) < 2)
		turn(&r, NULL);
	/* what was read is answered with junk before this is played */
	memcpy(script, second, sizeof second);
	while (r.n_done < 2)
		turn(&r, NULL);
	expect(&r, "again", RP_CAUSE_PROTOCOL, 0);
	expect_seen(&r, "again", 3, 2);
	rig_end(&r);
}
END_TEST

/* As a second answer that crosses the request on the wire. */
START_TEST(an_answer_before_the_request_arrived_is_none)
{
	static const struct script_step script[] = {
	    READ, ANSWER(NONE_204), READ, ANSWER("HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"),
	    HANG};
	struct rig r;

	rig_begin(&r, script, N_OF(script));
	post_and_wait(&r, NULL);
	unconfirmed_bytes = 100000;
	post_and_wait(&r, NULL);
	unconfirmed_bytes = -1;
	expect(&r, "crossing", RP_CAUSE_NONE, 204);
	expect_seen(&r, "crossing", 3, 2);
	rig_end(&r);
}
END_TEST

START_TEST(an_answer_after_a_part_of_the_request_arrived_counts)
{
	static const struct script_step script[] = {
	    READ, ANSWER(NONE_204), READ, ANSWER("HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n"),
	    HANG};
	struct rig r;

	rig_begin(&r, script, N_OF(script));
	post_and_wait(&r, NULL);
	unconfirmed_bytes = 20; /* of some 80 */
	post_and_wait(&r, NULL);
	unconfirmed_bytes = -1;
	expect(&r, "early", RP_CAUSE_HTTP, 400);
	expect_seen(&r, "early", 2, 1);
	rig_end(&r);
}
END_TEST

static const char *const final_cases[] = {
    "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 503 No\r\nWebhook-Delivery: disable\r\nContent-Length: 0\r\n\r\n",
    ("HTTP/1.1 503 No\r\nWebhook-Delivery: abort-message\r\n"
     "Content-Length: 0\r\n\r\n")};

/* A second answer to the request before, though the receiver's host confirmed the next one. */
START_TEST(a_final_refusal_on_a_kept_connection_is_asked_for_again)
{
	struct script_step script[] = {
	    READ, ANSWER(NONE_204), READ, {SCRIPT_SEND, {NULL, 0}}, HANG};
	struct script_step always[] = {READ, {SCRIPT_SEND, {NULL, 0}}, AGAIN};
	struct rig r;
	unsigned status = _i == 0 ? 410 : 503;

	script[3].bytes = always[1].bytes = rp_span_of(final_cases[_i]);
	rig_begin(&r, script, N_OF(script));
	post_and_wait(&r, NULL);
	post_and_wait(&r, NULL);
	expect(&r, "not the fresh one's", RP_CAUSE_NONE, 204);
	expect_seen(&r, "not the fresh one's", 3, 2);
	post_and_wait(&r, NULL);
	expect_seen(&r, "a receiver that sends surplus bytes", 4, 3);
	rig_end(&r);
	rig_begin(&r, always, N_OF(always));
	post_and_wait(&r, NULL);
	expect(&r, "fresh", RP_CAUSE_HTTP, status);
	expect_seen(&r, "fresh", 1, 1);
	post_and_wait(&r, NULL);
	expect(&r, "confirmed", RP_CAUSE_HTTP, status);
	expect_seen(&r, "confirmed", 3, 2);
	post_and_wait(&r, NULL);
	expect_seen(&r, "such a receiver's connections are kept", 5, 3);
	rig_end(&r);
}
END_TEST

START_TEST(a_408_on_a_kept_connection_is_a_farewell)
{
	static const struct script_step script[] = {
	    READ, ANSWER(OK_EMPTY), READ, ANSWER("HTTP/1.1 408 Idle\r\nContent-Length: 0\r\n\r\n"),
	    CLOSE};
	static const struct script_step always[] = {
	    READ, ANSWER("HTTP/1.1 408 Idle\r\nContent-Length: 0\r\n\r\n"), AGAIN};
	struct rig r;

	rig_begin(&r, script, N_OF(script));
	post_and_wait(&r, NULL);
	post_and_wait(&r, NULL);
	expect(&r, "kept", RP_CAUSE_NONE, 200);
	expect_seen(&r, "kept", 3, 2);
	post_and_wait(&r, NULL); /* such a receiver is asked to keep connections as ever */
	expect_seen(&r, "kept again", 5, 3);
	rig_end(&r);
	rig_begin(&r, always, N_OF(always));
	post_and_wait(&r, NULL);
	expect(&r, "fresh", RP_CAUSE_HTTP, 408);
	expect_seen(&r, "fresh", 1, 1);
	rig_end(&r);
}
END_TEST

/* ---- kept connections that die ---- */

static const struct {
	const char *label;
	struct script_step script[5]; /* of each connection */
	size_t body_bytes;
	bool racing;
} death_cases[] = {
    {"closed", {READ, ANSWER(OK_EMPTY), READ, CLOSE}, 2, false},
    {"reset", {READ, ANSWER(OK_EMPTY), READ, RESET}, 2, false},
    {"reset at the first bytes", {READ, ANSWER(OK_EMPTY), TASTE, RESET}, BIG_BODY, true},
};

/* libcurl counts to five over the life of a handle, and after that gives up. */
START_TEST(no_kept_connection_that_dies_costs_an_attempt)
{
	struct rig r;
	char *body = calloc(1, BIG_BODY);
	unsigned i;

	ck_assert_ptr_nonnull(body);
	rig_begin(&r, death_cases[_i].script, N_OF(death_cases[_i].script));
	for (i = 0; i < 20; i++) {
		r.request.body = (struct rp_span){"{}", 2};
		r.racing = false;
		if (i % 2 == 1) {
			r.request.body = (struct rp_span){body, death_cases[_i].body_bytes};
			r.racing = death_cases[_i].racing;
			sends_before = 1;
		}
		post_and_wait(&r, NULL);
		expect(&r, death_cases[_i].label, RP_CAUSE_NONE, 200);
	}
	ck_assert_uint_le(scripted_server_accepted(r.server), 21);
	rig_end(&r);
	free(body);
}
END_TEST

/* ---- addresses that do not answer ---- */

#define FILL_MAX 4

/* Listens on 127.0.0.1, .2, ... at the server's port with a full accept queue, so that the kernel
 * drops further SYNs. */
static void silence(struct scripted_server *s, const char *ip, int fill[FILL_MAX])
{
	struct sockaddr_in sa = {.sin_family = AF_INET};
	size_t i;

	scripted_server_turn_deaf(s);
	inet_pton(AF_INET, ip, &sa.sin_addr);
	sa.sin_port = htons((uint16_t)scripted_server_port(s));
	for (i = 0; i < FILL_MAX; i++) {
		fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		ck_assert(connect(fill[i], (struct sockaddr *)&sa, sizeof sa) == 0 ||
			  errno == EINPROGRESS);
	}
}

static const struct script_step answers_forever[] = {READ, ANSWER(OK_EMPTY), AGAIN};

static const struct {
	unsigned silent;
	int64_t connect_timeout_ms;
} address_cases[] = {{1, 1000}, {2, 2000}};

START_TEST(the_address_after_a_silent_one_is_tried)
{
	static const char *const ips[] = {"127.0.0.1", "127.0.0.2"};
	struct scripted_server *silent[2] = {NULL, NULL};
	int fill[2][FILL_MAX];
	char last[16];
	unsigned port, i, k;
	struct rig r;

	rig_begin(&r, answers_forever, N_OF(answers_forever));
	scripted_server_close(r.server);
	n_addresses = address_cases[_i].silent + 1;
	snprintf(last, sizeof last, "127.0.0.%u", n_addresses);
	r.server = scripted_server_open_at(last, 0, answers_forever, N_OF(answers_forever));
	port = scripted_server_port(r.server);
	for (i = 0; i < address_cases[_i].silent; i++) {
		silent[i] =
		    scripted_server_open_at(ips[i], port, answers_forever, N_OF(answers_forever));
		silence(silent[i], ips[i], fill[i]);
	}
	snprintf(r.url, sizeof r.url, "http://many.test:%u/", port);
	r.request.connect_timeout_ms = address_cases[_i].connect_timeout_ms;
	post_and_wait(&r, NULL);
	expect(&r, "silent", RP_CAUSE_NONE, 200);
	ck_assert_msg(r.last.duration_us < address_cases[_i].connect_timeout_ms * 1000,
		      "took %lld us", (long long)r.last.duration_us);
	rig_end(&r);
	for (i = 0; i < address_cases[_i].silent; i++) {
		scripted_server_close(silent[i]);
		for (k = 0; k < FILL_MAX; k++)
			close(fill[i][k]);
	}
}
END_TEST

START_TEST(the_address_after_one_that_refuses_is_tried_at_once)
{
	struct rig r;

	rig_begin(&r, answers_forever, N_OF(answers_forever));
	scripted_server_close(r.server);
	n_addresses = 3; /* nobody listens on the first two */
	r.server = scripted_server_open_at("127.0.0.3", 0, answers_forever, N_OF(answers_forever));
	snprintf(r.url, sizeof r.url, "http://many.test:%u/", scripted_server_port(r.server));
	post_and_wait(&r, NULL);
	expect(&r, "refused", RP_CAUSE_NONE, 200);
	ck_assert_int_lt(r.last.duration_us, 150000); /* libcurl's own timer would be 200 ms */
	rig_end(&r);
}
END_TEST

/* ---- answers that lie unread when the request fails ---- */

#define BUSY "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nwebhook-delivery: abort-message\r\n"

static const struct {
	const char *label;
	struct script_step step;
	enum rp_cause cause;
	unsigned status;
	const char *response;
} unread_cases[] = {
    {"413", ANSWER("HTTP/1.1 413 Too large\r\nContent-Length: 3\r\n\r\nno!"), RP_CAUSE_HTTP, 413,
     "no!"},
    {"401 without a length", ANSWER("HTTP/1.0 401 No\r\n\r\nwho are you"), RP_CAUSE_HTTP, 401,
     "who are you"},
    {"200", ANSWER(OK_EMPTY), RP_CAUSE_NONE, 200, ""},
    {"chunks",
     ANSWER(BUSY "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"),
     RP_CAUSE_HTTP, 503, "abcde"},
    {"cut chunks", ANSWER(BUSY "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nffffffff\r\nde"),
     RP_CAUSE_HTTP, 503, "abcde"},
    {"a hint before it", ANSWER("HTTP/1.1 103 Hint\r\n\r\n" BUSY "Content-Length: 0\r\n\r\n"),
     RP_CAUSE_HTTP, 503, ""},
    {"a body cut short", ANSWER(BUSY "Content-Length: 9\r\n\r\nab"), RP_CAUSE_HTTP, 503, "ab"},
    {"more than announced", ANSWER(BUSY "Content-Length: 1\r\n\r\nab"), RP_CAUSE_HTTP, 503, "a"},
    {"half a head", ANSWER("HTTP/1.1 503 Busy\r\nRetry-After: 7\r\n"), RP_CAUSE_RESET, 0, ""},
    {"half a line", ANSWER("HTTP/1.1 50"), RP_CAUSE_RESET, 0, ""},
    {"a hint alone", ANSWER("HTTP/1.1 103 Hint\r\n\r\n"), RP_CAUSE_RESET, 0, ""},
    {"no HTTP", ANSWER("go away\r\n\r\n"), RP_CAUSE_RESET, 0, ""},
    {"no status", ANSWER("HTTP/1.1 abc Busy\r\n\r\n"), RP_CAUSE_RESET, 0, ""},
    {"nothing", ANSWER(""), RP_CAUSE_RESET, 0, ""},
};

/* The answer and the reset come between libcurl's look for an answer and its next write. */
START_TEST(an_answer_before_the_reset_counts)
{
	struct script_step script[] = {TASTE, {SCRIPT_SEND, {NULL, 0}}, RESET};
	struct rig r;
	char *body = calloc(1, BIG_BODY);

	ck_assert_ptr_nonnull(body);
	script[1] = unread_cases[_i].step;
	rig_begin(&r, script, N_OF(script));
	r.request.body = (struct rp_span){body, BIG_BODY};
	r.racing = true;
	sends_before = 1;
	post_and_wait(&r, NULL);
	expect(&r, unread_cases[_i].label, unread_cases[_i].cause, unread_cases[_i].status);
	ck_assert_uint_eq(r.last.response_bytes, strlen(unread_cases[_i].response));
	ck_assert_mem_eq(r.last.response, unread_cases[_i].response, r.last.response_bytes);
	if (r.last.http_status == 503) {
		ck_assert_int_eq(r.last.retry_after_ms, 7000);
		ck_assert_int_eq(r.last.wish, RP_WISH_ABORT);
	}
	if (r.last.http_status != 0)
		ck_assert_uint_eq(r.last.http_version, r.last.http_status == 401 ? 10 : 11);
	ck_assert_uint_eq(scripted_server_accepted(r.server), 1);
	rig_end(&r);
	free(body);
}
END_TEST

/* libcurl itself goes to a fresh connection first, and from then on has no message for its second
 * failure. */
START_TEST(an_answer_before_the_reset_counts_after_a_kept_connection_died)
{
	static const struct script_step first[] = {READ, ANSWER(OK_EMPTY), READ, CLOSE};
	static const struct script_step second[] = {
	    TASTE, ANSWER("HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n"), RESET, CLOSE};
	struct script_step script[N_OF(first)];
	struct rig r;
	char *body = calloc(1, BIG_BODY);

	ck_assert_ptr_nonnull(body);
	memcpy(script, first, sizeof first);
	rig_begin(&r, script, N_OF(script));
	post_and_wait(&r, NULL);
	r.request.body = (struct rp_span){body, BIG_BODY};
	post(&r);
	while (scripted_server_requests(r.server) < 2)
		turn(&r, NULL);
	memcpy(script, second, sizeof second);
	r.racing = true;
	sends_before = 1;
	while (r.n_done < 2)
		turn(&r, NULL);
	expect(&r, "after a death", RP_CAUSE_HTTP, 413);
	rig_end(&r);
	free(body);
}
END_TEST

/* As after a time in which this process stood still. */
START_TEST(an_answer_that_lay_there_at_the_timeout_counts)
{
	static const struct script_step script[] = {READ, HOLD, ANSWER(OK_EMPTY), HANG};
	int64_t begun_ms;
	struct rig r;

	rig_begin(&r, script, N_OF(script));
	r.request.timeout_ms = 300;
	begun_ms = now_ms();
	post(&r);
	while (scripted_server_requests(r.server) < 1)
		turn(&r, NULL);
	scripted_server_let_go(r.server);
	scripted_server_step(r.server);
	while (now_ms() <= begun_ms + 310)
		poll(NULL, 0, 10);
	while (r.n_done < 1)
		engine_run(&r);
	expect(&r, "late", RP_CAUSE_NONE, 200);
	rig_end(&r);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("http_kept");
	TCase *surplus = tcase_create("surplus"), *death = tcase_create("death"),
	      *address = tcase_create("address");
	TCase *unread = tcase_create("unread"), *kept = tcase_create("kept");
	TCase *all[] = {surplus, death, address, unread, kept};
	size_t i;

	tcase_add_test(kept, connections_are_kept_by_hosts_and_not_by_requests);
	tcase_add_test(kept, connections_are_no_more_than_the_engine_was_opened_for);
	tcase_add_test(kept, a_connection_that_its_receiver_closes_is_closed);
	tcase_add_loop_test(surplus, a_head_that_leaves_its_end_open_is_its_connections_last, 0,
			    N_OF(end_cases));
	tcase_add_loop_test(surplus, bytes_found_before_the_next_request_cost_a_connection, 0,
			    N_OF(surplus_cases));
	tcase_add_loop_test(surplus, bytes_after_the_next_request_decide_nothing, 0,
			    N_OF(junk_cases));
	tcase_add_test(surplus, junk_on_a_fresh_connection_is_the_answer);
	tcase_add_test(surplus, a_request_is_made_again_once);
	tcase_add_test(surplus, a_request_without_leave_is_not_written_and_is_no_attempt);
	tcase_add_loop_test(surplus, a_request_without_leave_is_not_written_again, 0,
			    N_OF(repeats));
	tcase_add_test(surplus, an_answer_before_the_request_arrived_is_none);
	tcase_add_test(surplus, an_answer_after_a_part_of_the_request_arrived_counts);
	tcase_add_loop_test(surplus, a_final_refusal_on_a_kept_connection_is_asked_for_again, 0,
			    N_OF(final_cases));
	tcase_add_test(surplus, a_408_on_a_kept_connection_is_a_farewell);
	tcase_add_loop_test(death, no_kept_connection_that_dies_costs_an_attempt, 0,
			    N_OF(death_cases));
	tcase_add_loop_test(address, the_address_after_a_silent_one_is_tried, 0,
			    N_OF(address_cases));
	tcase_add_test(address, the_address_after_one_that_refuses_is_tried_at_once);
	tcase_add_loop_test(unread, an_answer_before_the_reset_counts, 0, N_OF(unread_cases));
	tcase_add_test(unread, an_answer_before_the_reset_counts_after_a_kept_connection_died);
	tcase_add_test(unread, an_answer_that_lay_there_at_the_timeout_counts);
	for (i = 0; i < N_OF(all); i++) {
		tcase_set_timeout(all[i], 60);
		suite_add_tcase(s, all[i]);
	}
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
