/* http_watch.c - keeps what epoll watches as libcurl asks for it, with as few calls of the kernel
 * as it can. It is apart because it alone knows of connections that no request uses. */

#include "deliver/http/http_watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define FREE_HEADS 65536u /* many, since two receivers under one of them are taken for one */
#define DRAIN_BYTES 4096
#define DRAIN_ROUNDS 64 /* a farewell is short; what is longer, the age limit ends */

int rp_http_watch_open(struct rp_http_watch *watch)
{
	*watch = (struct rp_http_watch){.epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
	if (watch->epoll_fd < 0)
		return errno;
	watch->free_of = calloc(FREE_HEADS, sizeof *watch->free_of);
	return watch->free_of != NULL ? 0 : ENOMEM;
}

void rp_http_watch_close(struct rp_http_watch *watch)
{
	if (watch->epoll_fd >= 0)
		close(watch->epoll_fd);
	free(watch->sockets);
	free(watch->free_of);
}

static struct rp_http_socket *socket_of(struct rp_http_watch *watch, int fd)
{
	return fd >= 0 && (size_t)fd < watch->n && watch->sockets[fd].connection
		   ? &watch->sockets[fd]
		   : NULL;
}

static bool reserve(struct rp_http_watch *watch, int fd)
{
	size_t n = ((size_t)fd + 1) * 2;
	struct rp_http_socket *more;

	if ((size_t)fd < watch->n)
		return true;
	more = realloc(watch->sockets, n * sizeof *more);
	if (more == NULL)
		return false;
	memset(more + watch->n, 0, (n - watch->n) * sizeof *more);
	watch->sockets = more;
	watch->n = n;
	return true;
}

/* After each change of what makes it free. */
static void free_follow(struct rp_http_watch *watch, struct rp_http_socket *s)
{
	bool is_free = s->connection && s->user == NULL && !s->gone;

	if (is_free == s->is_free)
		return;
	s->is_free = is_free;
	watch->free_of[s->receiver % FREE_HEADS] += is_free ? 1u : (uint32_t)-1;
}

bool rp_http_watch_has_free(const struct rp_http_watch *watch, uint64_t receiver)
{
	return watch->free_of[receiver % FREE_HEADS] > 0;
}

void rp_http_watch_note_opened(struct rp_http_watch *watch, int fd, const void *user,
			       uint64_t receiver)
{
	rp_http_watch_note_closing(watch, fd);
	if (!reserve(watch, fd))
		return;
	watch->sockets[fd] =
	    (struct rp_http_socket){.connection = true, .user = user, .receiver = receiver};
	watch->connections++;
}

void rp_http_watch_note_closing(struct rp_http_watch *watch, int fd)
{
	struct rp_http_socket *s = socket_of(watch, fd);

	if (s == NULL)
		return;
	watch->connections--;
	watch->gone -= s->gone;
	s->connection = false;
	free_follow(watch, s);
	memset(s, 0, sizeof *s);
}

void rp_http_watch_note_used(struct rp_http_watch *watch, int fd, const void *user)
{
	struct rp_http_socket *s = socket_of(watch, fd);

	if (s == NULL)
		return;
	s->user = user;
	free_follow(watch, s);
}

void rp_http_watch_note_unused(struct rp_http_watch *watch, int fd, const void *user)
{
	struct rp_http_socket *s = socket_of(watch, fd);

	if (s == NULL || s->user != user)
		return;
	s->user = NULL;
	free_follow(watch, s);
}

/* The kernel forgets a descriptor that was closed. So each command falls back to the other one. */
static int tell(int epoll_fd, int fd, uint32_t events, bool known)
{
	struct epoll_event ev = {.events = events, .data.fd = fd};

	if (epoll_ctl(epoll_fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &ev) == 0)
		return 0;
	if (errno != (known ? ENOENT : EEXIST))
		return errno;
	return epoll_ctl(epoll_fd, known ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &ev) == 0 ? 0 : errno;
}

int rp_http_watch_set(struct rp_http_watch *watch, int fd, uint32_t events, bool known)
{
	struct rp_http_socket *s = socket_of(watch, fd);
	int sys;

	if (s == NULL)
		return tell(watch->epoll_fd, fd, events, known);
	watch->gone -= s->gone;
	s->left = s->gone = false;
	free_follow(watch, s);
	events |= EPOLLRDHUP;
	if (events == s->events)
		return 0;
	sys = tell(watch->epoll_fd, fd, events, s->events != 0);
	s->events = sys == 0 ? events : 0;
	return sys;
}

/* Only the end is of interest. */
static void leave_end(struct rp_http_watch *watch, struct rp_http_socket *s, int fd)
{
	s->events = tell(watch->epoll_fd, fd, EPOLLRDHUP, s->events != 0) == 0 ? EPOLLRDHUP : 0;
}

void rp_http_watch_end(struct rp_http_watch *watch, int fd)
{
	struct rp_http_socket *s = socket_of(watch, fd);

	if (s == NULL) {
		/* already gone when the socket is closed */
		epoll_ctl(watch->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		return;
	}
	s->left = true;
	if (s->events != (EPOLLIN | EPOLLRDHUP))
		leave_end(watch, s, fd);
}

/* libcurl takes a connection with unread bytes for a good one, and TLS says farewell. What comes
 * from a receiver that has closed answers no request. */
static void drain(int fd)
{
	char bytes[DRAIN_BYTES];
	unsigned i;

	for (i = 0; i < DRAIN_ROUNDS && recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0; i++)
		;
}

bool rp_http_watch_take(struct rp_http_watch *watch, int fd, uint32_t events)
{
	struct rp_http_socket *s = socket_of(watch, fd);

	if (s == NULL || !s->left)
		return false;
	if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) == 0) {
		/* Bytes that nobody asked for are judged before the next request (http_kept.c). */
		leave_end(watch, s, fd);
		return true;
	}
	epoll_ctl(watch->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	s->events = 0;
	if (s->user != NULL)
		return true; /* its answer may lie there; libcurl will ask again */
	drain(fd);
	watch->gone += !s->gone;
	s->gone = true;
	free_follow(watch, s);
	return true;
}
