/* served.h - for the tests of the server: a program that writes down what it is called for, on a
 * clock of its own, behind a socket in a folder of its own; and peers who say and hear. */
#ifndef RP_TEST_SERVED_H
#define RP_TEST_SERVED_H

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "http_server/server_int.h"

#define HEAD_END " HTTP/1.1\r\nHost: h\r\n"
#define GET(target) "GET " target HEAD_END "\r\n"
#define POST(target, length) "POST " target HEAD_END "Content-Length: " #length "\r\n\r\n"
#define POST_ASKING(target, length)                                                                \
	"POST " target HEAD_END "Content-Length: " #length "\r\nExpect: 100-continue\r\n\r\n"
#define CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

struct served {
	struct rp_http_service service;
	struct rp_sys sys;
	int64_t now_ms;
	char folder[64];
	struct rp_http_listener listener;
	struct rp_http_server *server;

	struct rp_buf journal; /* what the program was called for */
	bool holds;            /* requests; else they are answered at once */
	int head_status;       /* heads are answered with it; 0: not */
	bool takes_bodies;     /* into `body` */
	struct rp_buf body;
	const char *answer; /* the body of answers */
	struct rp_http_connection *held[64];
	size_t n_held;
	unsigned n_closed; /* connections */
	char got[1 << 16]; /* by a peer, last time */
};

static inline int64_t served_now(void *arg)
{
	return ((struct served *)arg)->now_ms;
}

static inline void served_note(struct served *p, const char *what, struct rp_span target, long n)
{
	ck_assert(rp_buf_printf(&p->journal, "%s %.*s%s%ld;", what, (int)target.len, target.ptr,
				target.len > 0 ? " " : "", n));
}

static inline void served_answer(struct served *p, struct rp_http_connection *c, int status)
{
	struct rp_http_response response = {status, rp_span_of(""), "text/plain",
					    rp_span_of(p->answer)};

	rp_http_connection_answer(c, &response);
}

static inline void served_head(void *context, struct rp_http_connection *c,
			       const struct rp_http_request *request)
{
	struct served *p = context;

	served_note(p, "head", rp_http_request_span(request, request->target), 0);
	if (p->head_status != 0)
		served_answer(p, c, p->head_status);
}

static inline void served_take(void *context, struct rp_http_connection *c,
			       const struct rp_http_request *request)
{
	struct served *p = context;

	served_note(p, "take", rp_http_request_span(request, request->target),
		    (long)rp_http_request_body(request).len);
	if (p->takes_bodies) {
		rp_buf_release(&p->body);
		ck_assert(rp_http_connection_take_body(c, &p->body));
		ck_assert_int_eq(rp_http_request_span(request, request->target).ptr[0], '/');
	}
	if (p->holds)
		p->held[p->n_held++] = c;
	else
		served_answer(p, c, 200);
}

static inline void served_refuse(void *context, struct rp_http_connection *c,
				 const struct rp_http_request *request)
{
	struct served *p = context;

	ck_assert_ptr_nonnull(request->bad_text);
	served_note(p, "refuse", rp_span_of(""), request->bad_status);
	served_answer(p, c, request->bad_status);
}

static inline void served_gone(void *context, struct rp_http_connection *c)
{
	struct served *p = context;
	size_t i;

	served_note(p, "gone", rp_span_of(""), 0);
	for (i = 0; i < p->n_held && p->held[i] != c; i++)
		;
	ck_assert_uint_lt(i, p->n_held);
	p->held[i] = p->held[--p->n_held];
}

static inline void served_closed(void *context, struct rp_http_connection *c)
{
	ck_assert_int_ge(rp_http_connection_fd(c), 0);
	((struct served *)context)->n_closed++;
}

static inline void served_tick(void *context)
{
	served_note(context, "tick", rp_span_of(""), 0);
}

/* Answers all that is held. */
static inline void served_release(void *context)
{
	struct served *p = context;

	while (p->n_held > 0)
		served_answer(p, p->held[--p->n_held], 200);
}

/* With nobody served yet: limits may still be set. */
static inline struct served *served_new(void)
{
	static const struct rp_http_handler handler = {
	    .own_bytes = 8,
	    .head = served_head,
	    .take = served_take,
	    .refuse = served_refuse,
	    .gone = served_gone,
	    .closed = served_closed,
	    .tick = served_tick,
	};
	struct served *p = calloc(1, sizeof *p);
	char path[80];
	struct rp_error err;

	ck_assert_ptr_nonnull(p);
	p->now_ms = 100000;
	p->sys = (struct rp_sys){.wall_ms = served_now, .boot_ms = served_now, .arg = p};
	p->answer = "ok";
	p->service.handler = &handler;
	p->service.context = p;
	p->service.sys = &p->sys;
	p->service.max_body = 1 << 20;
	p->service.max_connections = 100;
	snprintf(p->folder, sizeof p->folder, "/tmp/runpost-served-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(p->folder));
	snprintf(path, sizeof path, "%s/socket", p->folder);
	ck_assert_int_eq(rp_http_listener_open_unix(path, 0600, &p->listener, &err), RP_OK);
	ck_assert_int_eq(rp_http_server_new(&p->service, &p->listener, 1, &p->server, &err), RP_OK);
	return p;
}

static inline void served_free(struct served *p)
{
	rp_http_server_free(p->server);
	ck_assert_uint_eq(p->service.bodies_used, 0);
	ck_assert_ptr_null(p->service.bodies_waiting.first);
	ck_assert_ptr_null(p->service.pending.first);
	rp_http_listener_close(&p->listener);
	ck_assert_int_eq(rmdir(p->folder), 0);
	rp_buf_release(&p->journal);
	rp_buf_release(&p->body);
	free(p);
}

/* Lets the server do all that there is to do now. */
static inline void served_run(struct served *p)
{
	int i;

	for (i = 0; i < 6; i++)
		ck_assert(rp_http_server_turn(p->server, 0));
}

static inline void served_pass(struct served *p, int64_t ms)
{
	p->now_ms += ms;
	served_run(p);
}

/* What the program was called for since the last time. */
static inline const char *served_journal(struct served *p)
{
	static char text[4096];

	snprintf(text, sizeof text, "%s", p->journal.len > 0 ? p->journal.data : "");
	rp_buf_clear(&p->journal);
	return text;
}

static inline int peer_to(const struct rp_http_listener *listener)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	snprintf(at.sun_path, sizeof at.sun_path, "%s", listener->url + strlen("unix:"));
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(connect(fd, (const struct sockaddr *)&at, sizeof at), 0);
	return fd;
}

static inline int peer_new(struct served *p)
{
	int fd = peer_to(&p->listener);

	served_run(p);
	return fd;
}

static inline void peer_says(struct served *p, int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
	served_run(p);
}

/* So many bytes of a body. */
static inline void peer_pours(struct served *p, int fd, size_t n)
{
	char bytes[4096];

	memset(bytes, 'b', sizeof bytes);
	while (n > 0) {
		ssize_t sent = send(fd, bytes, n < sizeof bytes ? n : sizeof bytes, MSG_NOSIGNAL);

		ck_assert(sent > 0);
		n -= (size_t)sent;
		served_run(p);
	}
}

/* All that it has been told. */
static inline const char *peer_hears(struct served *p, int fd)
{
	ssize_t n;
	size_t len = 0;

	while ((n = recv(fd, p->got + len, sizeof p->got - 1 - len, 0)) > 0)
		len += (size_t)n;
	p->got[len] = '\0';
	return p->got;
}

static inline bool peer_is_ended(struct served *p, int fd)
{
	return recv(fd, p->got, sizeof p->got, 0) == 0;
}

/* The status of the only answer that it has been told; 0: none, -1: several. */
static inline int peer_status(struct served *p, int fd)
{
	const char *text = peer_hears(p, fd), *next;

	if (strncmp(text, "HTTP/1.1 ", 9) != 0)
		return 0;
	next = strstr(text + 9, "HTTP/1.1 ");
	return next == NULL ? atoi(text + 9) : -1;
}

static inline size_t count_of(const char *text, const char *word)
{
	size_t n = 0;

	for (; (text = strstr(text, word)) != NULL; text += strlen(word))
		n++;
	return n;
}

#endif
