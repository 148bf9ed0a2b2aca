/* http_watch.c - keeps what epoll watches as libcurl asks for it, with as few calls of the kernel
 * as it can. It is apart because it alone knows of connections that no request uses. */

#include "deliver/http/http_watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define DRAIN_BYTES 4096
#define DRAIN_ROUNDS 64 /* a farewell is short; what is longer, the age limit ends */

int rp_http_watch_open(struct rp_http_watch *watch)
{
	*watch = (struct rp_http_watch){.epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
	return watch->epoll_fd >= 0 ? 0 : errno;
}

void rp_http_watch_close(struct rp_http_watch *watch)
{
	if (watch->epoll_fd >= 0)
		close(watch->epoll_fd);
	free(watch->sockets);
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

void rp_http_watch_note_opened(struct rp_http_watch *watch, int fd, const void *user)
{
	rp_http_watch_note_closing(watch, fd);
	if (!reserve(watch, fd))
		return;
	watch->sockets[fd] = (struct rp_http_socket){.connection = true, .user = user};
	watch->connections++;
}

void rp_http_watch_note_closing(struct rp_http_watch *watch, int fd)
{
	struct rp_http_socket *s = socket_of(watch, fd);

	if (s == NULL)
		return;
	watch->connections--;
	watch->gone -= s->gone;
	memset(s, 0, sizeof *s);
}

void rp_http_watch_note_used(struct rp_http_watch *watch, int fd, const void *user)
{
	struct rp_http_socket *s = socket_of(watch, fd);

	if (s != NULL)
		s->user = user;
}

void rp_http_watch_note_unused(struct rp_http_watch *watch, int fd, const void *user)
{
	struct rp_http_socket *s = socket_of(watch, fd);

	if (s != NULL && s->user == user)
		s->user = NULL;
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
	return true;
}
