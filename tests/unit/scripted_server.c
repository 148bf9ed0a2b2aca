#include "unit/scripted_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct peer {
	struct peer *next;
	int fd;
	size_t step;
	size_t sent; /* of the step's bytes */
	struct rp_buf in;
	bool gone; /* the client has closed or reset */
};

struct scripted_server {
	const struct script_step *script;
	size_t n_steps;
	int listen_fd, epoll_fd;
	bool deaf;
	unsigned port, accepted, open_now, requests;
	struct peer *peers;
	struct rp_buf last;
	size_t last_head_bytes;
};

static void check(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	abort();
}

static void watch(struct scripted_server *s, int fd, uint32_t events, void *arg)
{
	struct epoll_event ev = {.events = events, .data.ptr = arg};

	check(epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &ev) == 0, "epoll_ctl");
}

struct scripted_server *scripted_server_open(const struct script_step *script, size_t n_steps)
{
	return scripted_server_open_at("127.0.0.1", 0, script, n_steps);
}

struct scripted_server *scripted_server_open_at(const char *ip, unsigned port,
						const struct script_step *script, size_t n_steps)
{
	struct scripted_server *s = calloc(1, sizeof *s);
	struct sockaddr_in sa = {.sin_family = AF_INET};
	socklen_t len = sizeof sa;

	check(s != NULL, "calloc");
	s->script = script;
	s->n_steps = n_steps;
	sa.sin_port = htons((uint16_t)port);
	check(inet_pton(AF_INET, ip, &sa.sin_addr) == 1, "inet_pton");
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	s->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	check(s->epoll_fd >= 0 && s->listen_fd >= 0, "socket");
	check(bind(s->listen_fd, (struct sockaddr *)&sa, sizeof sa) == 0, "bind");
	check(listen(s->listen_fd, 512) == 0, "listen");
	check(getsockname(s->listen_fd, (struct sockaddr *)&sa, &len) == 0, "getsockname");
	s->port = ntohs(sa.sin_port);
	watch(s, s->listen_fd, EPOLLIN, NULL);
	return s;
}

static void peer_hang_up(struct scripted_server *s, struct peer *p)
{
	close(p->fd);
	p->fd = -1;
	s->open_now--;
}

void scripted_server_close(struct scripted_server *s)
{
	struct peer *p;

	while ((p = s->peers) != NULL) {
		s->peers = p->next;
		if (p->fd >= 0)
			close(p->fd);
		rp_buf_release(&p->in);
		free(p);
	}
	rp_buf_release(&s->last);
	close(s->listen_fd);
	close(s->epoll_fd);
	free(s);
}

static void take_in(struct peer *p)
{
	char chunk[65536];
	ssize_t n;

	while ((n = recv(p->fd, chunk, sizeof chunk, 0)) > 0)
		check(rp_buf_add(&p->in, chunk, (size_t)n), "rp_buf_add");
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		p->gone = true;
}

/* Takes one complete request off the front of what has come in. */
static bool request_read(struct scripted_server *s, struct peer *p)
{
	const char *end = p->in.len > 0 ? strstr(p->in.data, "\r\n\r\n") : NULL;
	const char *field = end != NULL ? strcasestr(p->in.data, "\r\ncontent-length:") : NULL;
	size_t head, body, all;

	if (end == NULL)
		return false;
	head = (size_t)(end - p->in.data) + 4;
	body = field != NULL && field < end ? strtoul(strchr(field, ':') + 1, NULL, 10) : 0;
	all = head + body;
	if (p->in.len < all)
		return false;
	rp_buf_clear(&s->last);
	check(rp_buf_add(&s->last, p->in.data, all), "rp_buf_add");
	s->last_head_bytes = head;
	s->requests++;
	memmove(p->in.data, p->in.data + all, p->in.len - all + 1);
	p->in.len -= all;
	return true;
}

static bool bytes_sent(struct peer *p, struct rp_span bytes)
{
	ssize_t n;

	while (p->sent < bytes.len) {
		n = send(p->fd, bytes.ptr + p->sent, bytes.len - p->sent, MSG_NOSIGNAL);
		if (n < 0) {
			p->gone = p->gone || (errno != EAGAIN && errno != EINTR);
			return false;
		}
		p->sent += (size_t)n;
	}
	p->sent = 0;
	return true;
}

static void byte_sent(struct peer *p, struct rp_span bytes)
{
	ssize_t n = send(p->fd, bytes.ptr + p->sent, 1, MSG_NOSIGNAL);

	if (n == 1)
		p->sent = (p->sent + 1) % bytes.len;
	else
		p->gone = p->gone || (errno != EAGAIN && errno != EINTR);
}

static void reset(struct peer *p)
{
	struct linger now = {.l_onoff = 1, .l_linger = 0};

	check(setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0, "SO_LINGER");
}

/* Plays one step; false: it cannot go on before the socket does. A flood ends each time with full
 * socket buffers, as the client is not running meanwhile. */
static bool peer_play(struct scripted_server *s, struct peer *p)
{
	static const struct script_step end = {SCRIPT_CLOSE, {NULL, 0}};
	const struct script_step *step = p->step < s->n_steps ? &s->script[p->step] : &end;

	switch (step->kind) {
	case SCRIPT_READ:
		if (!request_read(s, p))
			return false;
		p->step++;
		return true;
	case SCRIPT_TASTE:
		if (p->in.len == 0)
			return false;
		p->step++;
		return true;
	case SCRIPT_HOLD:
		return false;
	case SCRIPT_SEND:
		if (!bytes_sent(p, step->bytes))
			return false;
		p->step++;
		return true;
	case SCRIPT_FLOOD:
		return bytes_sent(p, step->bytes);
	case SCRIPT_DRIP:
		byte_sent(p, step->bytes);
		return false;
	case SCRIPT_HANG:
		return false;
	case SCRIPT_AGAIN:
		p->step = 0;
		return true;
	case SCRIPT_RESET:
		reset(p);
		break;
	case SCRIPT_CLOSE:
		break;
	}
	peer_hang_up(s, p);
	return false;
}

static void accept_all(struct scripted_server *s)
{
	struct peer *p;
	int fd;

	while ((fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		p = calloc(1, sizeof *p);
		check(p != NULL, "calloc");
		p->fd = fd;
		p->next = s->peers;
		s->peers = p;
		s->accepted++;
		s->open_now++;
		watch(s, fd, EPOLLIN | EPOLLOUT | EPOLLET, p);
	}
}

/* Tries every connection each time: tests have few of them, and a script then needs no record of
 * what it waits for. */
void scripted_server_step(struct scripted_server *s)
{
	struct epoll_event ignored[64];
	struct peer *p;

	while (epoll_wait(s->epoll_fd, ignored, 64, 0) == 64)
		;
	if (!s->deaf)
		accept_all(s);
	for (p = s->peers; p != NULL; p = p->next) {
		if (p->fd < 0)
			continue;
		take_in(p);
		while (p->fd >= 0 && peer_play(s, p))
			;
		if (p->fd >= 0 && p->gone)
			peer_hang_up(s, p);
	}
}

void scripted_server_let_go(struct scripted_server *s)
{
	struct peer *p;

	for (p = s->peers; p != NULL; p = p->next) {
		if (p->step < s->n_steps && s->script[p->step].kind == SCRIPT_HOLD)
			p->step++;
	}
}

void scripted_server_turn_deaf(struct scripted_server *s)
{
	s->deaf = true;
	check(epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, s->listen_fd, NULL) == 0, "epoll_ctl");
	check(listen(s->listen_fd, 0) == 0, "listen");
}

unsigned scripted_server_port(const struct scripted_server *s)
{
	return s->port;
}

int scripted_server_fd(const struct scripted_server *s)
{
	return s->epoll_fd;
}

unsigned scripted_server_accepted(const struct scripted_server *s)
{
	return s->accepted;
}

unsigned scripted_server_open_now(const struct scripted_server *s)
{
	return s->open_now;
}

unsigned scripted_server_requests(const struct scripted_server *s)
{
	return s->requests;
}

struct rp_span scripted_server_last_head(const struct scripted_server *s)
{
	return (struct rp_span){s->last.data, s->last_head_bytes};
}

struct rp_span scripted_server_last_body(const struct scripted_server *s)
{
	return (struct rp_span){s->last.data + s->last_head_bytes,
				s->last.len - s->last_head_bytes};
}
