#include "deliver/http/http.h"

#include <arpa/inet.h>
#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sys.h"
#include "unit/scripted_server.h"

#define DEADLINE_MS 15000 /* of a test's waiting; far above what any needs */
/* clang-format off */
#define READ {SCRIPT_READ, {NULL, 0}}
#define ANSWER(text) {SCRIPT_SEND, SCRIPT_BYTES(text)}
#define FLOOD(text) {SCRIPT_FLOOD, SCRIPT_BYTES(text)}
#define DRIP(text) {SCRIPT_DRIP, SCRIPT_BYTES(text)}
#define HANG {SCRIPT_HANG, {NULL, 0}}
#define RESET {SCRIPT_RESET, {NULL, 0}}
#define AGAIN {SCRIPT_AGAIN, {NULL, 0}}
/* clang-format on */
#define OK_EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

/* ---- doors of the C library that tests hold: this program's definitions win over libc's, in
 * libcurl too --- */

static bool epoll_refuses;

int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
	if (epoll_refuses) {
		errno = ENOSPC;
		return -1;
	}
	return (int)syscall(SYS_epoll_ctl, epfd, op, fd, event);
}

/* Bytes that libcurl took from its sockets; the scripted server lives in the same process and is
 * not counted. */
static bool engine_runs;
static size_t engine_read_bytes;

ssize_t __recv_chk(int fd, void *buf, size_t n, size_t size, int flags);

ssize_t recv(int fd, void *buf, size_t n, int flags)
{
	ssize_t got = syscall(SYS_recvfrom, fd, buf, n, flags, NULL, NULL);

	if (got > 0 && engine_runs)
		engine_read_bytes += (size_t)got;
	return got;
}

ssize_t __recv_chk(int fd, void *buf, size_t n, size_t size, int flags)
{
	return recv(fd, buf, n < size ? n : size, flags);
}

/* Names of this test: "stuck.test" never answers while the pipe is open, "missing.test" does not
 * exist, "inside.test" is private, "mixed.test" has a private address and then loopback.
 * Everything else goes to libc. */
static int stuck_pipe[2] = {-1, -1};

static struct addrinfo *numeric(const char *ip, const char *service, const struct addrinfo *hints)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
	struct addrinfo *res = NULL;

	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	return real(ip, service, hints, &res) == 0 ? res : NULL;
}

int getaddrinfo(const char *restrict name, const char *restrict service,
		const struct addrinfo *restrict hints, struct addrinfo **restrict res)
{
	char byte;

	if (strcmp(name, "stuck.test") == 0) {
		while (read(stuck_pipe[0], &byte, 1) > 0)
			;
		return EAI_AGAIN;
	}
	if (strcmp(name, "missing.test") == 0)
		return EAI_NONAME;
	if (strcmp(name, "inside.test") == 0) {
		*res = numeric("10.1.2.3", service, hints);
	} else if (strcmp(name, "mixed.test") == 0) {
		*res = numeric("10.1.2.3", service, hints);
		if (*res != NULL)
			(*res)->ai_next = numeric("127.0.0.1", service, hints);
	} else {
		*res = numeric(name, service, hints);
	}
	return *res != NULL ? 0 : EAI_NONAME;
}

/* ---- the rig: one engine, one receiver, one loop ---- */

struct rig {
	struct rp_transport *engine;
	struct scripted_server *server;
	struct rp_cidr loopback;
	struct rp_guard_policy open_policy, strict_policy;
	struct rp_request request; /* what post sends, with the URL made by post */
	struct rp_outcome last;
	unsigned n_done;
	unsigned done_by_owner[512];
	unsigned chain_left; /* requests that done starts */
	char url[512];
};

static void rig_begin(struct rig *r, const struct script_step *script, size_t n_steps,
		      unsigned max_in_flight)
{
	struct rp_error err;

	memset(r, 0, sizeof *r);
	ck_assert(rp_cidr_parse(rp_span_of("127.0.0.0/8"), &r->loopback));
	r->open_policy =
	    (struct rp_guard_policy){.allow_http = true, .allow = &r->loopback, .n_allow = 1};
	r->strict_policy = (struct rp_guard_policy){.allow_http = true, .any_port = true};
	r->request =
	    (struct rp_request){.body = {"{}", 2}, .timeout_ms = 10000, .connect_timeout_ms = 5000};
	r->request.guard = &r->open_policy;
	ck_assert_msg(rp_http_open(max_in_flight, max_in_flight + 16, &r->engine, &err) == RP_OK,
		      "%s", err.text);
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

static enum rp_err post(struct rig *r)
{
	struct rp_error err;

	return r->engine->start(r->engine, &r->request, &err);
}

static void on_done(void *arg, void *owner, const struct rp_outcome *outcome)
{
	struct rig *r = arg;

	r->last = *outcome;
	r->n_done++;
	if (owner != NULL)
		++*(unsigned *)owner;
	if (r->chain_left > 0) {
		r->chain_left--;
		ck_assert_int_eq(post(r), RP_OK);
	}
}

static void turn(struct rig *r)
{
	struct pollfd fds[2] = {{.fd = r->engine->fd(r->engine), .events = POLLIN},
				{.fd = scripted_server_fd(r->server), .events = POLLIN}};
	int wait_ms = r->engine->timeout_ms(r->engine);

	poll(fds, 2, wait_ms >= 0 && wait_ms < 1000 ? wait_ms : 1000);
	engine_runs = true;
	r->engine->run(r->engine, on_done, r);
	engine_runs = false;
	scripted_server_step(r->server);
}

static void wait_done(struct rig *r, unsigned n)
{
	int64_t end_ms = rp_sys_boot_ms(&rp_sys_real) + DEADLINE_MS;

	while (r->n_done < n) {
		turn(r);
		ck_assert_msg(rp_sys_boot_ms(&rp_sys_real) < end_ms, "%u of %u requests came back",
			      r->n_done, n);
	}
	ck_assert_uint_eq(r->n_done, n);
}

static void post_and_wait(struct rig *r)
{
	ck_assert_int_eq(post(r), RP_OK);
	wait_done(r, r->n_done + 1);
}

static void expect(const struct rig *r, const char *label, enum rp_cause cause, unsigned status)
{
	ck_assert_msg(r->last.cause == cause && r->last.http_status == status,
		      "%s: cause %d, status %u (%s); wanted %d, %u", label, r->last.cause,
		      r->last.http_status, r->last.detail, cause, status);
}

static bool head_has(const struct rig *r, const char *text)
{
	struct rp_span head = scripted_server_last_head(r->server);

	return memmem(head.ptr, head.len, text, strlen(text)) != NULL;
}

static const struct script_step answers_forever[] = {READ, ANSWER(OK_EMPTY), AGAIN};

/* ---- what goes out ---- */

START_TEST(a_request_carries_the_given_lines_and_no_others)
{
	static const char *const headers[] = {"content-type: application/json",
					      "user-agent: runpost/0", "webhook-id: msg_1"};
	struct rig r;
	char want[512];
	struct rp_span head;

	rig_begin(&r, answers_forever, N_OF(answers_forever), 4);
	snprintf(r.url, sizeof r.url, "http://127.0.0.1:%u/a/../b?x=%%41&y",
		 scripted_server_port(r.server));
	r.request.headers = headers;
	r.request.n_headers = N_OF(headers);
	post_and_wait(&r);
	expect(&r, "plain", RP_CAUSE_NONE, 200);
	snprintf(want, sizeof want,
		 "POST /a/../b?x=%%41&y HTTP/1.1\r\nHost: 127.0.0.1:%u\r\ncontent-type: "
		 "application/json\r\n"
		 "user-agent: runpost/0\r\nwebhook-id: msg_1\r\nContent-Length: 2\r\n\r\n",
		 scripted_server_port(r.server));
	head = scripted_server_last_head(r.server);
	ck_assert_msg(rp_span_is(head, want), "sent: %.*s", (int)head.len, head.ptr);
	rig_end(&r);
}
END_TEST

START_TEST(body_bytes_arrive_as_they_are)
{
	static const size_t sizes[] = {0, 1, 2048, 65536, ((size_t)1 << 20), ((size_t)3 << 20) + 1};
	struct rp_span got;
	struct rig r;
	char *body = malloc(sizes[5]);
	size_t i;

	ck_assert_ptr_nonnull(body);
	for (i = 0; i < sizes[5]; i++)
		body[i] = (char)((i * 31) ^ (i >> 8)); /* every value, NUL included */
	rig_begin(&r, answers_forever, N_OF(answers_forever), 4);
	for (i = 0; i < N_OF(sizes); i++) {
		r.request.body = (struct rp_span){sizes[i] > 0 ? body : NULL, sizes[i]};
		post_and_wait(&r);
		expect(&r, "body", RP_CAUSE_NONE, 200);
		got = scripted_server_last_body(r.server);
		ck_assert_uint_eq(got.len, sizes[i]);
		ck_assert(sizes[i] == 0 || memcmp(got.ptr, body, sizes[i]) == 0);
		ck_assert_msg(head_has(&r, "POST "), "%zu bytes: not a POST", sizes[i]);
		ck_assert_msg(head_has(&r, "Content-Length: "), "%zu bytes: no length", sizes[i]);
		ck_assert_msg(!head_has(&r, "Expect"), "%zu bytes: an Expect line", sizes[i]);
		ck_assert_msg(!head_has(&r, "Content-Type"), "%zu bytes: a type of libcurl's own",
			      sizes[i]);
	}
	rig_end(&r);
	free(body);
}
END_TEST

START_TEST(proxy_variables_are_ignored)
{
	struct scripted_server *proxy =
	    scripted_server_open(answers_forever, N_OF(answers_forever));
	char url[64];
	struct rig r;

	snprintf(url, sizeof url, "http://127.0.0.1:%u", scripted_server_port(proxy));
	setenv("http_proxy", url, 1);
	setenv("all_proxy", url, 1);
	rig_begin(&r, answers_forever, N_OF(answers_forever), 4);
	post_and_wait(&r);
	scripted_server_step(proxy);
	expect(&r, "proxy", RP_CAUSE_NONE, 200);
	ck_assert_uint_eq(scripted_server_accepted(proxy), 0);
	ck_assert_uint_eq(scripted_server_requests(r.server), 1);
	unsetenv("http_proxy");
	unsetenv("all_proxy");
	rig_end(&r);
	scripted_server_close(proxy);
}
END_TEST

/* ---- what comes back ---- */

static const struct {
	const char *answer;
	unsigned status;
	enum rp_cause cause;
} status_cases[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, RP_CAUSE_NONE},
    {"HTTP/1.0 200 OK\r\n\r\nbye", 200, RP_CAUSE_NONE},
    {"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 202,
     RP_CAUSE_NONE},
    {"HTTP/1.1 204 No Content\r\n\r\n", 204, RP_CAUSE_NONE},
    {"HTTP/1.1 299 Odd\r\nContent-Length: 0\r\n\r\n", 299, RP_CAUSE_NONE},
    {"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200,
     RP_CAUSE_NONE},
    {"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", 503,
     RP_CAUSE_HTTP},
    {"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", 302, RP_CAUSE_HTTP},
    {"HTTP/1.1 307 Go\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n", 307,
     RP_CAUSE_HTTP},
    {"HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n", 400, RP_CAUSE_HTTP},
    {"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n", 401, RP_CAUSE_HTTP},
    {"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n", 410, RP_CAUSE_HTTP},
    {"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", 503, RP_CAUSE_HTTP},
    {"HTTP/1.1 599 Odd\r\nContent-Length: 0\r\n\r\n", 599, RP_CAUSE_HTTP},
    {"HTTP/1.1 600 Odd\r\nContent-Length: 0\r\n\r\n", 600, RP_CAUSE_PROTOCOL},
    {"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n", 999, RP_CAUSE_PROTOCOL},
};

START_TEST(the_final_status_line_decides)
{
	struct script_step script[] = {READ, {SCRIPT_SEND, {NULL, 0}}, {SCRIPT_CLOSE, {NULL, 0}}};
	struct rig r;

	script[1].bytes = rp_span_of(status_cases[_i].answer);
	rig_begin(&r, script, N_OF(script), 4);
	post_and_wait(&r);
	expect(&r, status_cases[_i].answer, status_cases[_i].cause, status_cases[_i].status);
	ck_assert_uint_eq(scripted_server_requests(r.server), 1); /* nothing was followed */
	rig_end(&r);
}
END_TEST

START_TEST(an_outcome_tells_peer_version_times_and_the_first_bytes)
{
	static const struct script_step script[] = {
	    READ,
	    ANSWER("HTTP/1.1 500 Oops\r\nContent-Length: 300\r\n\r\n\0tail"),
	    {SCRIPT_CLOSE, {NULL, 0}}};
	struct rig r;
	char want[64];

	rig_begin(&r, script, N_OF(script), 4);
	post_and_wait(&r);
	expect(&r, "short", RP_CAUSE_HTTP, 500);
	snprintf(want, sizeof want, "127.0.0.1:%u", scripted_server_port(r.server));
	ck_assert_str_eq(r.last.peer, want);
	ck_assert_uint_eq(r.last.http_version, 11);
	ck_assert_uint_eq(r.last.response_bytes, 5);
	ck_assert_mem_eq(r.last.response, "\0tail", 5);
	ck_assert_uint_gt(r.last.connect_us, 0);
	ck_assert_uint_ge(r.last.first_byte_us, r.last.connect_us);
	ck_assert_uint_eq(r.last.tls_us, 0);
	ck_assert_int_ge(r.last.duration_us, r.last.first_byte_us);
	rig_end(&r);
}
END_TEST

#define DATE "Date: Mon, 23 Nov 2026 12:00:00 GMT\r\n"
static const struct {
	const char *lines;
	int64_t want_ms;
} retry_after_cases[] = {
    {"", 0},
    {"Retry-After: 120\r\n", 120000},
    {"retry-after:7  \r\n", 7000},
    {"Retry-After: 0\r\n", 0},
    {"Retry-After: -5\r\n", 0},
    {"Retry-After: 1.5\r\n", 0},
    {"Retry-After: abc\r\n", 0},
    {"Retry-After:\r\n", 0},
    {"Retry-After: 12 monkeys\r\n", 0},
    {"Retry-After: 86401\r\n", 86400000},
    {"Retry-After: 99999999999999999999999999\r\n", 86400000},
    {DATE "Retry-After: Mon, 23 Nov 2026 12:01:30 GMT\r\n", 90000},
    {"Retry-After: Mon, 23 Nov 2026 12:01:30 GMT\r\n" DATE, 90000},
    {DATE "Retry-After: Monday, 23-Nov-26 12:00:10 GMT\r\n", 10000},
    {DATE "Retry-After: Mon Nov 23 12:00:20 2026\r\n", 20000},
    {DATE "Retry-After: Mon, 23 Nov 2026 11:00:00 GMT\r\n", 0},
    {DATE "Retry-After: Mon, 23 Nov 2099 11:00:00 GMT\r\n", 86400000},
    {"Retry-After: Mon, 23 Nov 2099 11:00:00 GMT\r\n", 86400000},
    {"Retry-After: Mon, 23 Nov 1998 11:00:00 GMT\r\n", 0},
    {"Retry-Afterwards: 120\r\n", 0},
};

START_TEST(retry_after_is_read_in_both_forms_and_clamped)
{
	struct script_step script[] = {READ, {SCRIPT_SEND, {NULL, 0}}, {SCRIPT_CLOSE, {NULL, 0}}};
	struct rig r;
	char answer[512];

	/* An interim answer's wish is not the final one's. */
	snprintf(answer, sizeof answer,
		 "HTTP/1.1 103 Hint\r\nRetry-After: 55\r\n\r\nHTTP/1.1 503 "
		 "Busy\r\n%sContent-Length: 0\r\n\r\n",
		 retry_after_cases[_i].lines);
	script[1].bytes = rp_span_of(answer);
	rig_begin(&r, script, N_OF(script), 4);
	post_and_wait(&r);
	expect(&r, answer, RP_CAUSE_HTTP, 503);
	ck_assert_msg(r.last.retry_after_ms == retry_after_cases[_i].want_ms,
		      "'%s': %lld ms, wanted %lld", retry_after_cases[_i].lines,
		      (long long)r.last.retry_after_ms, (long long)retry_after_cases[_i].want_ms);
	rig_end(&r);
}
END_TEST

/* What is told of a Location; it is never followed, since the script has one answer only. */
static const struct {
	const char *head, *detail;
} redirect_cases[] = {
    {"301 Moved\r\nLocation: /hook/\r\n",
     "redirects (only a slash is missing) to http://127.0.0.1:PORT/hook/"},
    {"307 Other\r\nlocation:   /login?next=abc  \r\n",
     "redirects to http://127.0.0.1:PORT/login?next=REDACTED"},
    {"308 Moved\r\nLocation: https://user:pw@a.example/\r\n",
     "redirects to what is no http or https URL that we take"},
    {"302 Found\r\n", "redirects without a Location"},
    {"302 Found\r\nLocations: /x\r\n", "redirects without a Location"},
    {"304 Not Modified\r\nLocation: /x\r\n", ""},
    {"503 Busy\r\nLocation: /x\r\n", ""},
};

START_TEST(where_a_redirect_leads_to_is_told_and_not_followed)
{
	struct script_step script[] = {READ, {SCRIPT_SEND, {NULL, 0}}, {SCRIPT_CLOSE, {NULL, 0}}};
	struct rig r;
	char answer[512], want[RP_DETAIL_TEXT_MAX];
	const char *port;

	/* An interim answer's Location is not the final one's. */
	snprintf(answer, sizeof answer,
		 "HTTP/1.1 103 Hint\r\nLocation: /no\r\n\r\nHTTP/1.1 %sContent-Length: 0\r\n\r\n",
		 redirect_cases[_i].head);
	script[1].bytes = rp_span_of(answer);
	rig_begin(&r, script, N_OF(script), 4);
	post_and_wait(&r);
	ck_assert_int_eq(r.last.cause, RP_CAUSE_HTTP);
	port = strstr(redirect_cases[_i].detail, "PORT");
	if (port != NULL)
		snprintf(want, sizeof want, "%.*s%u%s", (int)(port - redirect_cases[_i].detail),
			 redirect_cases[_i].detail, scripted_server_port(r.server),
			 port + strlen("PORT"));
	else
		snprintf(want, sizeof want, "%s", redirect_cases[_i].detail);
	ck_assert_str_eq(r.last.detail, want);
	rig_end(&r);
}
END_TEST

static const struct {
	const char *lines;
	enum rp_wish wish;
} wish_cases[] = {
    {"", RP_WISH_NONE},
    {"webhook-delivery: disable\r\n", RP_WISH_DISABLE},
    {"Webhook-Delivery:  ABORT-Message \r\n", RP_WISH_ABORT},
    {"webhook-delivery: disabled\r\n", RP_WISH_NONE},
    {"webhook-delivery:\r\n", RP_WISH_NONE},
    {"webhook-delivery-x: disable\r\n", RP_WISH_NONE},
    {"x-webhook-delivery: disable\r\n", RP_WISH_NONE},
};

START_TEST(a_delivery_header_of_the_final_answer_is_told)
{
	struct script_step script[] = {READ, {SCRIPT_SEND, {NULL, 0}}, {SCRIPT_CLOSE, {NULL, 0}}};
	struct rig r;
	char answer[512];

	snprintf(answer, sizeof answer,
		 "HTTP/1.1 103 Hint\r\nwebhook-delivery: disable\r\n\r\nHTTP/1.1 500 "
		 "No\r\n%sContent-Length: 0\r\n\r\n",
		 wish_cases[_i].lines);
	script[1].bytes = rp_span_of(answer);
	rig_begin(&r, script, N_OF(script), 4);
	post_and_wait(&r);
	expect(&r, answer, RP_CAUSE_HTTP, 500);
	ck_assert_msg(r.last.wish == wish_cases[_i].wish, "'%s': %d", wish_cases[_i].lines,
		      (int)r.last.wish);
	rig_end(&r);
}
END_TEST

#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define THOUSAND HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED
#define LINES_10 "A: b\r\nA: b\r\nA: b\r\nA: b\r\nA: b\r\nA: b\r\nA: b\r\nA: b\r\nA: b\r\nA: b\r\n"
#define LINES_90 LINES_10 LINES_10 LINES_10 LINES_10 LINES_10 LINES_10 LINES_10 LINES_10 LINES_10
#define NINE(status) "HTTP/1.1 " status "\r\nContent-Length: 9\r\n\r\nab"
#define NINE_MB(status) "HTTP/1.1 " status "\r\nContent-Length: 9000000\r\n\r\n"
#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
#define HINT "HTTP/1.1 103 Early Hints\r\n\r\n"

static const struct {
	const char *label;
	struct script_step script[4]; /* the rest is SCRIPT_CLOSE */
	int64_t timeout_ms;
	enum rp_cause cause;
	unsigned status;
	const char *detail; /* part of it */
} hostile_cases[] = {
    /* clang-format off */
	{"never answers", {READ, HANG}, 300, RP_CAUSE_TIMEOUT, 0, ""},
	{"only an interim answer", {READ, ANSWER(HINT), HANG}, 300, RP_CAUSE_TIMEOUT, 0, ""},
	{"half a status line", {READ, ANSWER("HTTP/1.1 20"), HANG}, 300, RP_CAUSE_TIMEOUT, 0, ""},
	{"reset before the reply", {READ, RESET}, 5000, RP_CAUSE_RESET, 0, ""},
	{"reset on accept", {RESET}, 5000, RP_CAUSE_CONNECT, 0, ""},
	{"close before the reply", {READ}, 5000, RP_CAUSE_RESET, 0, ""},
	{"close after an interim answer", {READ, ANSWER(HINT)}, 5000, RP_CAUSE_RESET, 0, ""},
	{"HTTP/0.9", {READ, ANSWER("hello, world\n")}, 5000, RP_CAUSE_PROTOCOL, 0, "0.9"},
	{"binary", {READ, ANSWER("\x15\x03\x01\0\2\2\x28 and more\n\n")}, 5000, RP_CAUSE_PROTOCOL, 0, ""},
	{"a version that does not exist", {READ, ANSWER("HTTP/7.3 200 OK\r\n\r\n")}, 5000, RP_CAUSE_PROTOCOL, 0, ""},
	{"status 0", {READ, ANSWER("HTTP/1.1 000 Zero\r\n\r\n")}, 5000, RP_CAUSE_PROTOCOL, 0, ""},
	{"negative length",
	 {READ, ANSWER("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n")}, 5000, RP_CAUSE_PROTOCOL, 200, ""},
	{"endless headers",
	 {READ, ANSWER("HTTP/1.1 200 OK\r\n"), FLOOD("X: " HUNDRED "\r\n")}, 10000, RP_CAUSE_PROTOCOL, 200, "200 lines"},
	{"190 headers", {READ, ANSWER("HTTP/1.1 200 OK\r\n" LINES_90 LINES_90 LINES_10 "\r\n")}, 5000, RP_CAUSE_NONE, 200, ""},
	{"200 headers and the two lines around them",
	 {READ, ANSWER("HTTP/1.1 200 OK\r\n" LINES_90 LINES_90 LINES_10 LINES_10 "\r\n")}, 5000, RP_CAUSE_PROTOCOL, 200,
	 "200 lines"},
	{"endless long headers",
	 {READ, ANSWER("HTTP/1.1 200 OK\r\n"), FLOOD("X: " THOUSAND "\r\n")}, 10000, RP_CAUSE_PROTOCOL, 200, "64 KiB"},
	{"endless interim answers", {READ, FLOOD(HINT)}, 10000, RP_CAUSE_PROTOCOL, 0, "200 lines"},
	{"one endless header line",
	 {READ, ANSWER("HTTP/1.1 200 OK\r\nX: "), FLOOD(THOUSAND)}, 10000, RP_CAUSE_PROTOCOL, 200, "header line"},
	{"endless status line", {READ, ANSWER("HTTP/1.1 200 "), FLOOD(THOUSAND)}, 10000, RP_CAUSE_PROTOCOL, 0, ""},
	{"endless body after 200",
	 {READ, ANSWER("HTTP/1.1 200 OK\r\n\r\n"), FLOOD(THOUSAND)}, 10000, RP_CAUSE_NONE, 200, "body cut at 64 KiB"},
	{"endless body after 503",
	 {READ, ANSWER("HTTP/1.1 503 No\r\n\r\n"), FLOOD(THOUSAND)}, 10000, RP_CAUSE_HTTP, 503, "body cut at 64 KiB"},
	{"slow body after 200", {READ, ANSWER(NINE("200 OK")), HANG}, 300, RP_CAUSE_NONE, 200, "timeout"},
	{"slow body after 500", {READ, ANSWER(NINE("500 No")), HANG}, 300, RP_CAUSE_HTTP, 500, "timeout"},
	{"short body after 200", {READ, ANSWER(NINE("200 OK"))}, 5000, RP_CAUSE_NONE, 200, "shorter"},
	{"reset in the body after 200", {READ, ANSWER(NINE("200 OK")), RESET}, 5000, RP_CAUSE_NONE, 200, ""},
	{"broken chunks after 200", {READ, ANSWER(CHUNKED "zz\r\n")}, 5000, RP_CAUSE_NONE, 200, "body"},
	{"closed within the head after 200",
	 {READ, ANSWER("HTTP/1.1 200 OK\r\nX: y\r\n")}, 5000, RP_CAUSE_NONE, 200, ""},
	{"a status line byte by byte", {READ, DRIP("HTTP/1.1 200 ")}, 300, RP_CAUSE_TIMEOUT, 0, ""},
	{"a head byte by byte after 200",
	 {READ, ANSWER("HTTP/1.1 200 OK\r\nX: "), DRIP("y")}, 300, RP_CAUSE_NONE, 200, "head not complete at the timeout"},
	{"a head byte by byte after 503",
	 {READ, ANSWER("HTTP/1.1 503 No\r\nX: "), DRIP("y")}, 300, RP_CAUSE_HTTP, 503, "head not complete at the timeout"},
	{"interim answers byte by byte", {READ, ANSWER(HINT), DRIP("HTTP/1.1 103 ")}, 300, RP_CAUSE_TIMEOUT, 0, ""},
	{"a body byte by byte after 200", {READ, ANSWER(NINE_MB("200 OK")), DRIP("x")}, 300, RP_CAUSE_NONE, 200, "timeout"},
	{"a body byte by byte after 500", {READ, ANSWER(NINE_MB("500 No")), DRIP("x")}, 300, RP_CAUSE_HTTP, 500, "timeout"},
	{"a chunk byte by byte", {READ, ANSWER(CHUNKED "fffff\r\n"), DRIP("x")}, 300, RP_CAUSE_NONE, 200, "timeout"},
	{"a chunk size byte by byte", {READ, ANSWER(CHUNKED), DRIP("0")}, 300, RP_CAUSE_NONE, 200, "body"},
	{"more body than announced",
	 {READ, ANSWER("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nand more")}, 5000, RP_CAUSE_NONE, 200, ""},
	{"a second answer behind the first",
	 {READ, ANSWER("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n" OK_EMPTY)}, 5000, RP_CAUSE_HTTP, 503, ""},
	{"a length beyond 64 bits",
	 {READ, ANSWER("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nab")}, 5000, RP_CAUSE_NONE, 200, ""},
	{"a length that is no number",
	 {READ, ANSWER("HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nab")}, 5000, RP_CAUSE_PROTOCOL, 200, ""},
	{"two lengths", {READ, ANSWER("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 9\r\n\r\nab")}, 5000,
	 RP_CAUSE_NONE, 200, ""},
	{"a length and chunks", {READ, ANSWER("HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n"
					      "2\r\nab\r\n0\r\n\r\n")}, 5000, RP_CAUSE_NONE, 200, ""},
	{"a chunk size beyond 64 bits", {READ, ANSWER(CHUNKED "fffffffffffffffffff\r\nab")}, 5000, RP_CAUSE_NONE, 200, "body"},
	{"a negative chunk size", {READ, ANSWER(CHUNKED "-1\r\nab")}, 5000, RP_CAUSE_NONE, 200, "body"},
	{"chunks without an end after 503",
	 {READ, ANSWER("HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nab")}, 5000, RP_CAUSE_HTTP, 503, "body"},
	{"an endless body that says it is packed",
	 {READ, ANSWER("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"), FLOOD(THOUSAND)}, 10000, RP_CAUSE_NONE, 200,
	 "body cut at 64 KiB"},
	{"endless chunks", {READ, ANSWER(CHUNKED), FLOOD("64\r\n" HUNDRED "\r\n")}, 10000, RP_CAUSE_NONE, 200, "64 KiB"},
	{"a body where none may be",
	 {READ, ANSWER("HTTP/1.1 204 None\r\n\r\n"), FLOOD(THOUSAND)}, 5000, RP_CAUSE_NONE, 204, ""},
	{"a change of protocol",
	 {READ, ANSWER("HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"), HANG}, 300, RP_CAUSE_TIMEOUT, 0, ""},
	{"reset within the status line", {READ, ANSWER("HTTP/1.1 20"), RESET}, 5000, RP_CAUSE_RESET, 0, ""},
	{"reset after an interim answer", {READ, ANSWER(HINT), RESET}, 5000, RP_CAUSE_RESET, 0, ""},
	{"reset in the head after 503", {READ, ANSWER("HTTP/1.1 503 No\r\nX: y\r\n"), RESET}, 5000, RP_CAUSE_HTTP, 503, ""},
	{"reset in the body after 503", {READ, ANSWER(NINE("503 No")), RESET}, 5000, RP_CAUSE_HTTP, 503, ""},
	{"closed within the status line", {READ, ANSWER("HTTP/1.1 20")}, 5000, RP_CAUSE_RESET, 0, ""},
	{"NUL in a header", {READ, ANSWER("HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n")}, 5000, RP_CAUSE_PROTOCOL, 200, "ul byte"},
	{"NUL in the status line", {READ, ANSWER("HTTP/1.1 200 O\0K\r\n\r\n")}, 5000, RP_CAUSE_PROTOCOL, 200, "ul byte"},
	{"eight-bit bytes in the head",
	 {READ, ANSWER("HTTP/1.1 200 \xff\xfe\r\nX-\x80: \xf0\x9f\r\nContent-Length: 0\r\n\r\n")}, 5000, RP_CAUSE_NONE, 200, ""},
	{"control bytes in the head",
	 {READ, ANSWER("HTTP/1.1 503 \x1b[2J\r\nX: \x07\x1b]0;x\r\nContent-Length: 0\r\n\r\n")}, 5000, RP_CAUSE_HTTP, 503, ""},
	{"bare line feeds", {READ, ANSWER("HTTP/1.1 200 OK\nContent-Length: 0\n\n")}, 5000, RP_CAUSE_NONE, 200, ""},
	{"a header without a colon", {READ, ANSWER("HTTP/1.1 200 OK\r\nwhat is this\r\n\r\n")}, 5000, RP_CAUSE_PROTOCOL, 200, "colon"},
	{"endless trailers after 200",
	 {READ, ANSWER(CHUNKED "0\r\n"), FLOOD("X: " HUNDRED "\r\n")}, 5000, RP_CAUSE_NONE, 200, ""},
    /* clang-format on */
};

/* Heads and body at their bounds, a header line up to libcurl's own limit of 100 KB, and a buffer
 * of its reading. */
#define READ_MAX ((size_t)256 << 10)
#define BIG_BODY ((size_t)3 << 20)

START_TEST(a_hostile_receiver_gets_a_typed_cause)
{
	struct rig r;

	rig_begin(&r, hostile_cases[_i].script, N_OF(hostile_cases[_i].script), 4);
	r.request.timeout_ms = hostile_cases[_i].timeout_ms;
	post_and_wait(&r);
	expect(&r, hostile_cases[_i].label, hostile_cases[_i].cause, hostile_cases[_i].status);
	ck_assert_msg(strstr(r.last.detail, hostile_cases[_i].detail) != NULL, "%s: detail '%s'",
		      hostile_cases[_i].label, r.last.detail);
	ck_assert_msg(r.last.duration_us < 3000000, "%s: took %lld us", hostile_cases[_i].label,
		      (long long)r.last.duration_us);
	ck_assert_uint_le(r.last.response_bytes, RP_RESPONSE_HEAD_MAX);
	ck_assert_msg(engine_read_bytes <= READ_MAX, "%s: read %zu bytes", hostile_cases[_i].label,
		      engine_read_bytes);
	rig_end(&r);
}
END_TEST

START_TEST(the_count_of_bytes_read_counts)
{
	struct rig r;

	rig_begin(&r, answers_forever, N_OF(answers_forever), 4);
	post_and_wait(&r);
	ck_assert_uint_eq(engine_read_bytes, sizeof OK_EMPTY - 1);
	rig_end(&r);
}
END_TEST

static const char *const early_answers[] = {OK_EMPTY,
					    "HTTP/1.1 413 Too large\r\nContent-Length: 0\r\n\r\n"};

START_TEST(an_answer_before_the_body_was_read_counts)
{
	struct script_step script[] = {{SCRIPT_SEND, {NULL, 0}}, HANG};
	struct rig r;
	char *body = calloc(1, BIG_BODY);

	ck_assert_ptr_nonnull(body);
	script[0].bytes = rp_span_of(early_answers[_i]);
	rig_begin(&r, script, N_OF(script), 4);
	r.request.body = (struct rp_span){body, BIG_BODY};
	r.request.timeout_ms = 2000;
	post_and_wait(&r);
	expect(&r, early_answers[_i], _i == 0 ? RP_CAUSE_NONE : RP_CAUSE_HTTP, _i == 0 ? 200 : 413);
	rig_end(&r);
	free(body);
}
END_TEST

START_TEST(a_body_of_just_the_bound_is_read_to_its_end)
{
	struct script_step script[] = {READ,
				       ANSWER("HTTP/1.1 200 OK\r\nContent-Length: 65536\r\n\r\n"),
				       {SCRIPT_SEND, {NULL, RP_HTTP_BODY_MAX}},
				       AGAIN};
	struct rig r;
	char *body = calloc(1, RP_HTTP_BODY_MAX);

	ck_assert_ptr_nonnull(body);
	script[2].bytes.ptr = body;
	rig_begin(&r, script, N_OF(script), 4);
	post_and_wait(&r);
	expect(&r, "64 KiB", RP_CAUSE_NONE, 200);
	ck_assert_str_eq(r.last.detail, "");
	ck_assert_uint_eq(r.last.response_bytes, RP_RESPONSE_HEAD_MAX);
	post_and_wait(&r);
	ck_assert_uint_eq(scripted_server_accepted(r.server), 1); /* so the connection is kept */
	rig_end(&r);
	free(body);
}
END_TEST

START_TEST(the_total_timeout_is_kept)
{
	static const struct script_step script[] = {READ, HANG};
	struct rig r;

	rig_begin(&r, script, N_OF(script), 4);
	r.request.timeout_ms = 300;
	post_and_wait(&r);
	expect(&r, "hang", RP_CAUSE_TIMEOUT, 0);
	ck_assert_int_ge(r.last.duration_us, 299000);
	ck_assert_int_lt(r.last.duration_us, 1500000);
	ck_assert_uint_eq(r.last.first_byte_us, 0);
	rig_end(&r);
}
END_TEST

/* ---- no connection ---- */

/* A port of 127.0.0.1 that nobody listens on, for as long as the descriptor returned is open. */
static int bound_port(unsigned *port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET};
	socklen_t len = sizeof sa;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	*port = ntohs(sa.sin_port);
	return fd;
}

START_TEST(a_refused_connection_is_connect)
{
	struct rig r;
	unsigned port;
	int fd = bound_port(&port);

	rig_begin(&r, answers_forever, N_OF(answers_forever), 4);
	snprintf(r.url, sizeof r.url, "http://127.0.0.1:%u/?token=hushhush", port);
	post_and_wait(&r);
	expect(&r, "refused", RP_CAUSE_CONNECT, 0);
	ck_assert_str_eq(r.last.peer, "");
	ck_assert_str_ne(r.last.detail, "");
	ck_assert_ptr_null(strstr(r.last.detail, "hushhush"));
	rig_end(&r);
	close(fd);
}
END_TEST

#define FILL_MAX 4

/* Fills the accept queue of a server turned deaf, so that the kernel drops further SYNs. */
static void fill_queue(struct rig *r, int fill[FILL_MAX])
{
	struct sockaddr_in sa = {.sin_family = AF_INET};
	size_t i;

	scripted_server_turn_deaf(r->server);
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sa.sin_port = htons((uint16_t)scripted_server_port(r->server));
	for (i = 0; i < FILL_MAX; i++) {
		fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		ck_assert(connect(fill[i], (struct sockaddr *)&sa, sizeof sa) == 0 ||
			  errno == EINPROGRESS);
	}
}

START_TEST(a_connection_that_does_not_come_is_connect)
{
	int fill[FILL_MAX];
	struct rig r;
	size_t i;

	rig_begin(&r, answers_forever, N_OF(answers_forever), 4);
	fill_queue(&r, fill);
	r.request.connect_timeout_ms = 200;
	post_and_wait(&r);
	expect(&r, "no SYN-ACK", RP_CAUSE_CONNECT, 0);
	ck_assert_int_lt(r.last.duration_us, 1500000);
	rig_end(&r);
	for (i = 0; i < N_OF(fill); i++)
		close(fill[i]);
}
END_TEST

START_TEST(a_kept_connection_that_dies_is_replaced_once)
{
	static const struct script_step script[] = {READ, ANSWER(OK_EMPTY), READ};
	int fill[FILL_MAX];
	struct rig r;
	size_t i;

	rig_begin(&r, script, N_OF(script), 4);
	post_and_wait(&r);
	post_and_wait(&r); /* read, not answered, closed; libcurl itself sends it again */
	expect(&r, "again", RP_CAUSE_NONE, 200);
	ck_assert_uint_eq(scripted_server_accepted(r.server), 2);
	ck_assert_uint_eq(scripted_server_requests(r.server), 3);
	fill_queue(&r, fill);
	r.request.connect_timeout_ms = 200;
	post_and_wait(&r);
	expect(&r, "no second connection", RP_CAUSE_CONNECT, 0);
	rig_end(&r);
	for (i = 0; i < N_OF(fill); i++)
		close(fill[i]);
}
END_TEST

START_TEST(a_name_that_does_not_exist_is_dns)
{
	struct rig r;

	rig_begin(&r, answers_forever, N_OF(answers_forever), 4);
	r.request.url = "http://missing.test/?token=hushhush";
	post_and_wait(&r);
	expect(&r, "missing", RP_CAUSE_DNS, 0);
	ck_assert_ptr_null(strstr(r.last.detail, "hushhush"));
	rig_end(&r);
}
END_TEST

START_TEST(a_dead_name_server_delays_nobody_else)
{
	unsigned stuck = 0, fine = 0;
	int64_t begin_us, longest_us = 0, us;
	struct rig r;

	ck_assert_int_eq(pipe(stuck_pipe), 0);
	rig_begin(&r, answers_forever, N_OF(answers_forever), 8);
	r.request.url = "http://stuck.test/";
	r.request.connect_timeout_ms = 300;
	r.request.owner = &stuck;
	ck_assert_int_eq(post(&r), RP_OK);
	r.request.url = r.url;
	r.request.owner = &fine;
	ck_assert_int_eq(post(&r), RP_OK);
	while (r.n_done < 2) {
		begin_us = rp_sys_stopwatch_us();
		r.engine->run(r.engine, on_done, &r);
		us = rp_sys_stopwatch_us() - begin_us;
		longest_us = us > longest_us ? us : longest_us;
		turn(&r);
		ck_assert(stuck == 0 || fine == 1);
	}
	expect(&r, "stuck", RP_CAUSE_DNS, 0);
	ck_assert_int_ge(r.last.duration_us, 299000);
	ck_assert_int_lt(longest_us, 200000);
	rig_end(&r);
	close(stuck_pipe[1]);
}
END_TEST

START_TEST(tls_trouble_is_tls)
{
	static const struct script_step garbage[] = {ANSWER("HTTP/1.1 400 this is no TLS\r\n\r\n"),
						     HANG};
	static const struct script_step silence[] = {HANG};
	struct rig r;

	rig_begin(&r, garbage, N_OF(garbage), 4);
	snprintf(r.url, sizeof r.url, "https://127.0.0.1:%u/", scripted_server_port(r.server));
	post_and_wait(&r);
	expect(&r, "garbage", RP_CAUSE_TLS, 0);
	rig_end(&r);

	rig_begin(&r, silence, N_OF(silence), 4);
	snprintf(r.url, sizeof r.url, "https://127.0.0.1:%u/", scripted_server_port(r.server));
	r.request.connect_timeout_ms = 200;
	post_and_wait(&r);
	expect(&r, "handshake that hangs", RP_CAUSE_TLS_TIMEOUT, 0);
	ck_assert_str_ne(r.last.peer, "");
	ck_assert_int_lt(r.last.duration_us, 1500000);
	rig_end(&r);
}
END_TEST

START_TEST(an_unusable_url_is_bad_url)
{
	static const char *const urls[] = {"http://", "http://user:secret@127.0.0.1/",
					   "http://a b/", "gopher://127.0.0.1/"};
	struct rig r;
	size_t i;

	rig_begin(&r, answers_forever, N_OF(answers_forever), 4);
	for (i = 0; i < N_OF(urls); i++) {
		r.request.url = urls[i];
		post_and_wait(&r);
		expect(&r, urls[i], RP_CAUSE_BAD_URL, 0);
		ck_assert_msg(strstr(r.last.detail, "secret") == NULL, "%s", r.last.detail);
	}
	rig_end(&r);
}
END_TEST

START_TEST(no_descriptor_left_is_our_own_trouble)
{
	struct rlimit before, none;
	struct rig r;
	int next;

	rig_begin(&r, answers_forever, N_OF(answers_forever), 4);
	next = dup(0);
	close(next);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = (rlim_t)next;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	post_and_wait(&r);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	expect(&r, "EMFILE", RP_CAUSE_LOCAL, 0);
	ck_assert_str_eq(r.last.detail, strerror(EMFILE));
	ck_assert_int_eq(r.last.lack, RP_LACK_PROCESS);
	post_and_wait(&r);
	expect(&r, "afterwards", RP_CAUSE_NONE, 200);
	rig_end(&r);
}
END_TEST

START_TEST(a_socket_that_epoll_refuses_costs_that_request_only)
{
	struct rig r;

	rig_begin(&r, answers_forever, N_OF(answers_forever), 4);
	ck_assert_int_eq(post(&r), RP_OK);
	epoll_refuses = true;
	while (r.n_done == 0)
		r.engine->run(r.engine, on_done, &r);
	epoll_refuses = false;
	expect(&r, "ENOSPC", RP_CAUSE_LOCAL, 0);
	ck_assert_str_eq(r.last.detail, strerror(ENOSPC));
	ck_assert_int_eq(r.last.lack, RP_LACK_PROCESS);
	post_and_wait(&r);
	expect(&r, "afterwards", RP_CAUSE_NONE, 200);
	rig_end(&r);
}
END_TEST

/* ---- certificates: the receiver is openssl's test server, with a certificate of its own making
 * --- */

struct tls_server {
	char dir[32], cert[64];
	pid_t pid;
	unsigned port;
	int out_fd; /* what it prints: the request, once it has read one */
};

static void tls_server_begin(struct tls_server *s)
{
	char command[512], line[256];
	int out[2], in[2];
	FILE *from;

	snprintf(s->dir, sizeof s->dir, "/tmp/rp-tls-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(s->dir));
	snprintf(s->cert, sizeof s->cert, "%s/pem", s->dir);
	snprintf(command, sizeof command,
		 "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days "
		 "2 -subj /CN=test "
		 "-addext subjectAltName=IP:127.0.0.1 -keyout %s/key -out %s 2>/dev/null && cat "
		 "%s/key >>%s",
		 s->dir, s->cert, s->dir, s->cert);
	ck_assert_msg(system(command) == 0, "needs the openssl program");
	ck_assert(pipe(out) == 0 && pipe(in) == 0);
	s->pid = fork();
	if (s->pid == 0) {
		/* a copy of it here would keep the server alive after a failed test */
		close(in[1]);
		close(out[0]);
		if (dup2(in[0], 0) < 0 || dup2(out[1], 1) < 0 ||
		    freopen("/dev/null", "w", stderr) == NULL)
			_exit(126);
		execlp("openssl", "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", s->cert,
		       (char *)NULL);
		_exit(127);
	}
	close(out[1]);
	close(in[0]); /* in[1] stays open: the server ends when its input does */
	from = fdopen(out[0], "r");
	ck_assert_ptr_nonnull(from);
	setvbuf(from, NULL, _IONBF, 0);
	do
		ck_assert_ptr_nonnull(fgets(line, sizeof line, from));
	while (sscanf(line, "ACCEPT 127.0.0.1:%u", &s->port) != 1);
	s->out_fd = dup(out[0]);
	fclose(from);
}

/* Ends the server. Returns whether it had got a request. */
static bool tls_server_end(struct tls_server *s)
{
	static char text[65536];
	size_t n = 0;
	ssize_t got;
	char path[64];

	kill(s->pid, SIGTERM);
	waitpid(s->pid, NULL, 0);
	while (n < sizeof text && (got = read(s->out_fd, text + n, sizeof text - n)) > 0)
		n += (size_t)got;
	close(s->out_fd);
	unlink(s->cert);
	snprintf(path, sizeof path, "%s/key", s->dir);
	unlink(path);
	rmdir(s->dir);
	return memmem(text, n, "POST /", 6) != NULL;
}

static struct rp_tls_anchors *anchors_of(const char *file)
{
	static char text[16384];
	FILE *f = fopen(file, "r");
	struct rp_tls_anchors *anchors;
	struct rp_error err;
	size_t n;

	ck_assert_ptr_nonnull(f);
	n = fread(text, 1, sizeof text, f);
	fclose(f);
	ck_assert_msg(rp_tls_anchors_new((struct rp_span){text, n}, &anchors, &err) == RP_OK, "%s",
		      err.text);
	return anchors;
}

static void tls_post(struct rig *r, const struct tls_server *s, const char *host,
		     struct rp_tls_anchors *anchors)
{
	snprintf(r->url, sizeof r->url, "https://%s:%u/", host, s->port);
	r->request.anchors = anchors;
	r->request.timeout_ms = 1000; /* the server reads a request and never answers */
	post_and_wait(r);
}

START_TEST(a_certificate_nobody_vouches_for_gets_no_request)
{
	struct rp_tls_anchors *anchors;
	struct tls_server s;
	char peer[32];
	struct rig r;

	tls_server_begin(&s);
	snprintf(peer, sizeof peer, "127.0.0.1:%u", s.port);
	anchors = anchors_of(s.cert);
	rig_begin(&r, answers_forever, N_OF(answers_forever), 4);
	tls_post(&r, &s, "127.0.0.1", NULL);
	expect(&r, "unknown issuer", RP_CAUSE_TLS_ISSUER, 0);
	ck_assert_str_eq(r.last.peer, peer);
	tls_post(&r, &s, "localhost", anchors);
	expect(&r, "wrong name", RP_CAUSE_TLS_NAME, 0);
	ck_assert_str_eq(r.last.peer, peer);
	rig_end(&r);
	rp_tls_anchors_free(anchors);
	ck_assert(!tls_server_end(&s));
}
END_TEST

START_TEST(anchors_vouch_for_their_own_request_only)
{
	struct rp_tls_anchors *anchors;
	struct tls_server s;
	struct rig r;

	tls_server_begin(&s);
	anchors = anchors_of(s.cert);
	rig_begin(&r, answers_forever, N_OF(answers_forever), 4);
	tls_post(&r, &s, "127.0.0.1", anchors);
	expect(&r, "trusted", RP_CAUSE_TIMEOUT, 0);
	ck_assert_uint_gt(r.last.tls_us, 0);
	tls_post(&r, &s, "127.0.0.1", NULL); /* the same pooled handle, and a session to resume */
	expect(&r, "nobody is believed", RP_CAUSE_TLS_ISSUER, 0);
	rp_tls_anchors_free(anchors);
	rig_end(&r);
	ck_assert(tls_server_end(&s));
}
END_TEST

/* ---- the guard ---- */

static const char *const loopback_spellings[] = {
    "http://127.0.0.1:%u/",
    "http://2130706433:%u/",
    "http://0x7f.1:%u/",
    "http://0177.0.0.1:%u/",
    "http://[::ffff:127.0.0.1]:%u/",
    "http://localhost:%u/",
    "http://0:%u/",
    "127.0.0.1:%u/",
};

START_TEST(loopback_is_blocked_in_every_spelling)
{
	struct rig r;
	struct pollfd pfd;
	char url[64];
	const char *p = strstr(loopback_spellings[_i], "%u");

	rig_begin(&r, answers_forever, N_OF(answers_forever), 4);
	snprintf(url, sizeof url, "%.*s%u/", (int)(p - loopback_spellings[_i]),
		 loopback_spellings[_i], scripted_server_port(r.server));
	r.request.url = url;
	r.request.guard = &r.strict_policy;
	post_and_wait(&r);
	expect(&r, url, RP_CAUSE_BLOCKED_ADDRESS, 0);
	ck_assert_str_ne(r.last.detail, "");
	ck_assert_str_eq(r.last.peer, "");
	pfd = (struct pollfd){.fd = scripted_server_fd(r.server), .events = POLLIN};
	ck_assert_int_eq(poll(&pfd, 1, 0), 0);
	scripted_server_step(r.server);
	ck_assert_uint_eq(scripted_server_accepted(r.server), 0);
	rig_end(&r);
}
END_TEST

START_TEST(a_blocked_address_names_its_rule)
{
	struct rig r;

	rig_begin(&r, answers_forever, N_OF(answers_forever), 4);
	r.request.guard = &r.strict_policy;
	post_and_wait(&r);
	expect(&r, "strict", RP_CAUSE_BLOCKED_ADDRESS, 0);
	ck_assert_str_eq(r.last.detail, "loopback 127.0.0.0/8");
	r.request.url = "http://inside.test/"; /* judged after the lookup */
	post_and_wait(&r);
	expect(&r, "name", RP_CAUSE_BLOCKED_ADDRESS, 0);
	ck_assert_ptr_nonnull(strstr(r.last.detail, "10.0.0.0/8"));
	rig_end(&r);
}
END_TEST

START_TEST(a_port_outside_the_list_is_blocked)
{
	struct rig r;

	rig_begin(&r, answers_forever, N_OF(answers_forever), 4);
	r.open_policy.ports[0] = 443;
	r.open_policy.n_ports = 1;
	post_and_wait(&r);
	expect(&r, "port", RP_CAUSE_BLOCKED_PORT, 0);
	ck_assert_ptr_nonnull(strstr(r.last.detail, "port"));
	scripted_server_step(r.server);
	ck_assert_uint_eq(scripted_server_accepted(r.server), 0);
	rig_end(&r);
}
END_TEST

START_TEST(http_is_blocked_unless_allowed)
{
	static const char *const urls[] = {"http://127.0.0.1:%u/", "127.0.0.1:%u/",
					   "HTTP://127.0.0.1:%u/"};
	struct rig r;
	size_t i;

	rig_begin(&r, answers_forever, N_OF(answers_forever), 4);
	r.open_policy.allow_http = false;
	for (i = 0; i < N_OF(urls); i++) {
		snprintf(r.url, sizeof r.url, "%.*s%u/", (int)strcspn(urls[i], "%"), urls[i],
			 scripted_server_port(r.server));
		ck_assert_int_eq(post(&r), RP_OK);
		ck_assert_uint_eq(r.n_done, i); /* told by run, not by start */
		ck_assert_int_eq(r.engine->timeout_ms(r.engine), 0);
		wait_done(&r, (unsigned)i + 1);
		expect(&r, urls[i], RP_CAUSE_BLOCKED_SCHEME, 0);
	}
	ck_assert_uint_eq(scripted_server_accepted(r.server), 0);
	rig_end(&r);
}
END_TEST

START_TEST(a_kept_connection_is_judged_by_each_requests_own_policy)
{
	struct rig r;

	rig_begin(&r, answers_forever, N_OF(answers_forever), 4);
	post_and_wait(&r);
	expect(&r, "allowed", RP_CAUSE_NONE, 200);
	r.request.guard = &r.strict_policy;
	post_and_wait(&r);
	expect(&r, "stricter", RP_CAUSE_BLOCKED_ADDRESS, 0);
	ck_assert_str_eq(r.last.detail, "loopback 127.0.0.0/8");
	scripted_server_step(r.server);
	ck_assert_uint_eq(scripted_server_accepted(r.server), 1);
	ck_assert_uint_eq(scripted_server_requests(r.server), 1);
	rig_end(&r);
}
END_TEST

START_TEST(an_allowed_address_beside_a_blocked_one_is_tried)
{
	struct rig r;
	unsigned port;
	int fd = bound_port(&port);

	rig_begin(&r, answers_forever, N_OF(answers_forever), 4);
	snprintf(r.url, sizeof r.url, "http://mixed.test:%u/", scripted_server_port(r.server));
	post_and_wait(&r);
	expect(&r, "mixed", RP_CAUSE_NONE, 200);
	snprintf(r.url, sizeof r.url, "http://mixed.test:%u/", port);
	post_and_wait(&r);
	expect(&r, "mixed, refused", RP_CAUSE_CONNECT, 0);
	rig_end(&r);
	close(fd);
}
END_TEST

/* ---- the engine ---- */

START_TEST(two_hundred_parallel_requests_keep_their_connections)
{
	struct rig r;
	unsigned i, round;

	rig_begin(&r, answers_forever, N_OF(answers_forever), 200);
	for (round = 1; round <= 3; round++) {
		for (i = 0; i < 200; i++) {
			r.request.owner = &r.done_by_owner[i];
			ck_assert_int_eq(post(&r), RP_OK);
		}
		wait_done(&r, 200 * round);
		for (i = 0; i < 200; i++)
			ck_assert_uint_eq(r.done_by_owner[i], round);
	}
	ck_assert_uint_eq(scripted_server_requests(r.server), 600);
	ck_assert_uint_le(scripted_server_accepted(r.server), 200);
	rig_end(&r);
}
END_TEST

START_TEST(one_request_more_than_the_engine_takes_is_busy)
{
	struct rig r;

	rig_begin(&r, answers_forever, N_OF(answers_forever), 2);
	ck_assert_int_eq(post(&r), RP_OK);
	ck_assert_int_eq(post(&r), RP_OK);
	ck_assert_int_eq(post(&r), RP_ERR_BUSY);
	wait_done(&r, 2);
	post_and_wait(&r);
	rig_end(&r);
}
END_TEST

START_TEST(done_may_start_the_next_request)
{
	struct rig r;

	/* so it must find its own slot free */
	rig_begin(&r, answers_forever, N_OF(answers_forever), 1);
	r.chain_left = 49;
	ck_assert_int_eq(post(&r), RP_OK);
	wait_done(&r, 50);
	ck_assert_uint_eq(scripted_server_requests(r.server), 50);
	ck_assert_uint_eq(scripted_server_accepted(r.server), 1);
	r.open_policy.allow_http = false; /* outcomes without libcurl take the same way */
	r.chain_left = 9;
	ck_assert_int_eq(post(&r), RP_OK);
	wait_done(&r, 60);
	rig_end(&r);
}
END_TEST

/* With a kept connection it looks for its age, now and then. */
START_TEST(an_idle_engine_asks_for_no_wake_up)
{
	struct pollfd pfd;
	struct rig r;

	rig_begin(&r, answers_forever, N_OF(answers_forever), 4);
	ck_assert_int_eq(r.engine->timeout_ms(r.engine), -1);
	post_and_wait(&r);
	ck_assert_int_ge(r.engine->timeout_ms(r.engine), 5000);
	pfd = (struct pollfd){.fd = r.engine->fd(r.engine), .events = POLLIN};
	ck_assert_int_eq(poll(&pfd, 1, 0), 0);
	rig_end(&r);
}
END_TEST

START_TEST(a_waiting_engine_does_not_spin)
{
	static const struct script_step script[] = {READ, HANG};
	unsigned turns = 0;
	struct rig r;

	rig_begin(&r, script, N_OF(script), 4);
	r.request.timeout_ms = 300;
	ck_assert_int_eq(post(&r), RP_OK);
	for (; r.n_done == 0; turns++)
		turn(&r);
	ck_assert_msg(turns < 60, "%u turns of the loop for one request that hangs", turns);
	rig_end(&r);
}
END_TEST

START_TEST(close_drops_what_is_under_way)
{
	static const struct script_step script[] = {READ, HANG};
	struct rig r;
	unsigned i;

	ck_assert_int_eq(pipe(stuck_pipe), 0);
	rig_begin(&r, script, N_OF(script), 16);
	for (i = 0; i < 8; i++)
		ck_assert_int_eq(post(&r), RP_OK);
	while (scripted_server_requests(r.server) < 8)
		turn(&r);
	r.request.url = "http://stuck.test/";
	ck_assert_int_eq(post(&r), RP_OK);
	r.engine->run(r.engine, on_done, &r);
	r.open_policy.allow_http = false;
	ck_assert_int_eq(post(&r), RP_OK);
	rp_http_close(r.engine);
	scripted_server_step(r.server);
	ck_assert_uint_eq(r.n_done, 0);
	ck_assert_uint_eq(scripted_server_open_now(r.server), 0);
	scripted_server_close(r.server);
	close(stuck_pipe[1]);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("http");
	TCase *out = tcase_create("request"), *in = tcase_create("response"),
	      *no = tcase_create("no connection");
	TCase *guard = tcase_create("guard"), *engine = tcase_create("engine");
	TCase *all[] = {out, in, no, guard, engine};
	size_t i;

	tcase_add_test(out, a_request_carries_the_given_lines_and_no_others);
	tcase_add_test(out, body_bytes_arrive_as_they_are);
	tcase_add_test(out, proxy_variables_are_ignored);
	tcase_add_loop_test(in, the_final_status_line_decides, 0, N_OF(status_cases));
	tcase_add_test(in, an_outcome_tells_peer_version_times_and_the_first_bytes);
	tcase_add_loop_test(in, retry_after_is_read_in_both_forms_and_clamped, 0,
			    N_OF(retry_after_cases));
	tcase_add_loop_test(in, where_a_redirect_leads_to_is_told_and_not_followed, 0,
			    N_OF(redirect_cases));
	tcase_add_loop_test(in, a_delivery_header_of_the_final_answer_is_told, 0, N_OF(wish_cases));
	tcase_add_loop_test(in, a_hostile_receiver_gets_a_typed_cause, 0, N_OF(hostile_cases));
	tcase_add_test(in, the_count_of_bytes_read_counts);
	tcase_add_loop_test(in, an_answer_before_the_body_was_read_counts, 0, N_OF(early_answers));
	tcase_add_test(in, a_body_of_just_the_bound_is_read_to_its_end);
	tcase_add_test(in, the_total_timeout_is_kept);
	tcase_add_test(no, a_refused_connection_is_connect);
	tcase_add_test(no, a_connection_that_does_not_come_is_connect);
	tcase_add_test(no, a_kept_connection_that_dies_is_replaced_once);
	tcase_add_test(no, a_name_that_does_not_exist_is_dns);
	tcase_add_test(no, a_dead_name_server_delays_nobody_else);
	tcase_add_test(no, tls_trouble_is_tls);
	tcase_add_test(no, a_certificate_nobody_vouches_for_gets_no_request);
	tcase_add_test(no, anchors_vouch_for_their_own_request_only);
	tcase_add_test(no, an_unusable_url_is_bad_url);
	tcase_add_test(no, no_descriptor_left_is_our_own_trouble);
	tcase_add_test(no, a_socket_that_epoll_refuses_costs_that_request_only);
	tcase_add_loop_test(guard, loopback_is_blocked_in_every_spelling, 0,
			    N_OF(loopback_spellings));
	tcase_add_test(guard, a_blocked_address_names_its_rule);
	tcase_add_test(guard, a_port_outside_the_list_is_blocked);
	tcase_add_test(guard, http_is_blocked_unless_allowed);
	tcase_add_test(guard, a_kept_connection_is_judged_by_each_requests_own_policy);
	tcase_add_test(guard, an_allowed_address_beside_a_blocked_one_is_tried);
	tcase_add_test(engine, two_hundred_parallel_requests_keep_their_connections);
	tcase_add_test(engine, one_request_more_than_the_engine_takes_is_busy);
	tcase_add_test(engine, done_may_start_the_next_request);
	tcase_add_test(engine, an_idle_engine_asks_for_no_wake_up);
	tcase_add_test(engine, a_waiting_engine_does_not_spin);
	tcase_add_test(engine, close_drops_what_is_under_way);
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
