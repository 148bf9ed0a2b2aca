/* heads.h - heads of requests for the tests of the door's rules: parsed from their text, as the
 * server hands them over. */
#ifndef RP_TESTS_UNIT_SERVE_HEADS_H
#define RP_TESTS_UNIT_SERVE_HEADS_H

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>

#include "http_server/request.h"
#include "serve/door_access.h"

struct head {
	struct rp_http_request request;
	struct rp_buf in;
};

/* lines: "POST /to/x HTTP/1.1\r\n..." without the empty line; a body need not follow. false: the
 * server refuses it. */
static inline bool head_try(struct head *h, const char *lines)
{
	const struct rp_http_bounds bounds = {RP_HTTP_REQUEST_HEAD_MAX, SIZE_MAX / 2};

	rp_buf_clear(&h->in);
	ck_assert(rp_buf_add_text(&h->in, lines) && rp_buf_add_text(&h->in, "\r\n"));
	rp_http_request_begin(&h->request);
	return rp_http_request_parse(&h->request, &h->in, 0, &bounds) != RP_HTTP_BAD &&
	       rp_http_request_has_head(&h->request);
}

static inline void head_parse(struct head *h, const char *lines)
{
	ck_assert_msg(head_try(h, lines), "%s: %s", lines, h->request.bad_text);
}

/* With Host, and `more` lines, each with its CR LF. */
static inline void head_make(struct head *h, const char *method, const char *target,
			     const char *more)
{
	struct rp_buf text = {0};

	ck_assert(rp_buf_printf(&text, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:8484\r\n%s", method,
				target, more));
	head_parse(h, text.data);
	rp_buf_release(&text);
}

static inline void head_release(struct head *h)
{
	rp_buf_release(&h->in);
}

static inline struct rp_door_address address_from(const char *ip, uint16_t port)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct rp_door_address a;

	if (inet_pton(AF_INET, ip, &four.sin_addr) == 1)
		ck_assert(rp_door_address_of((const void *)&four, &a));
	else
		ck_assert(inet_pton(AF_INET6, ip, &six.sin6_addr) == 1 &&
			  rp_door_address_of((const void *)&six, &a));
	return a;
}

#endif
