/* server_flush.c - sends what is owed at the very end, when the loop turns no more. */

#include "http_server/server_int.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

static int64_t now_ms(const struct rp_http_server *s)
{
	return rp_sys_boot_ms(s->service->sys != NULL ? s->service->sys : &rp_sys_real);
}

/* How many could not be sent all; they stand in polls, which has room for each connection. */
static size_t send_all(struct rp_http_server *s, struct pollfd *polls)
{
	struct rp_http_connection *c;
	size_t n = 0;

	for (c = s->conns; c != NULL; c = c->next)
		if (rp_http_connection_flush(c))
			polls[n++] = (struct pollfd){.fd = c->fd, .events = POLLOUT};
	return n;
}

void rp_http_server_flush(struct rp_http_server *s, int64_t most_ms)
{
	struct pollfd *polls = calloc(s->n_conns + 1, sizeof *polls);
	int64_t until_ms = now_ms(s) + most_ms, left_ms;
	size_t n;
	int got = 1;

	while (polls != NULL && s->service->failed == RP_OK && got > 0) {
		n = send_all(s, polls);
		left_ms = until_ms - now_ms(s);
		if (n == 0 || left_ms <= 0)
			break;
		got = poll(polls, n, left_ms < INT32_MAX ? (int)left_ms : INT32_MAX);
		if (got < 0 && errno == EINTR)
			got = 1;
	}
	free(polls);
}
