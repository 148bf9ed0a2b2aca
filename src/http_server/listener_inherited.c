/* listener_inherited.c - takes over sockets that others opened, as systemd hands them to a service:
 * by hand, for libsystemd would be a library for three variables. */

#include "http_server/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FIRST_FD 3 /* SD_LISTEN_FDS_START */
#define FDS_MAX 1024

static bool option_is(int fd, int option, int want)
{
	int value = 0;
	socklen_t len = sizeof value;

	return getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0 && value == want;
}

static bool set_flags(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 &&
	       fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

/* An abstract name begins with a NUL, shown as '@'. false: it has no name, so nobody finds it. */
static bool name_unix(const struct sockaddr_un *at, socklen_t len, struct rp_http_listener *out)
{
	size_t n = len - offsetof(struct sockaddr_un, sun_path);

	if (len <= offsetof(struct sockaddr_un, sun_path))
		return false;
	out->is_unix = true;
	if (at->sun_path[0] == '\0')
		snprintf(out->url, sizeof out->url, "unix:@%.*s", (int)n - 1, at->sun_path + 1);
	else
		snprintf(out->url, sizeof out->url, "unix:%.*s", (int)n, at->sun_path);
	return true;
}

static bool name_it(int fd, struct rp_http_listener *out)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un un;
	} at;
	socklen_t len = sizeof at;
	char text[INET6_ADDRSTRLEN];

	memset(&at, 0, sizeof at);
	if (getsockname(fd, &at.any, &len) != 0)
		return false;
	if (at.any.sa_family == AF_UNIX)
		return name_unix(&at.un, len, out);
	if (at.any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &at.v4.sin_addr, text, sizeof text);
		snprintf(out->url, sizeof out->url, "http://%s:%u", text, ntohs(at.v4.sin_port));
		return true;
	}
	if (at.any.sa_family != AF_INET6)
		return false;
	inet_ntop(AF_INET6, &at.v6.sin6_addr, text, sizeof text);
	snprintf(out->url, sizeof out->url, "http://[%s]:%u", text, ntohs(at.v6.sin6_port));
	return true;
}

enum rp_err rp_http_listener_adopt(int fd, struct rp_http_listener *out, struct rp_error *err)
{
	*out = (struct rp_http_listener){.fd = -1};
	if (!option_is(fd, SO_TYPE, SOCK_STREAM) || !option_is(fd, SO_ACCEPTCONN, 1) ||
	    !name_it(fd, out))
		return rp_fail(err, RP_ERR_INVAL,
			       "descriptor %d is no stream socket that listens, of TCP or the file "
			       "system",
			       fd);
	if (!set_flags(fd))
		return rp_fail_sys(err, RP_ERR_IO, errno, "cannot set up descriptor %d", fd);
	out->fd = fd;
	return RP_OK;
}

/* A decimal number of a variable; -1: it is unset or none. */
static long number_of(const char *variable)
{
	const char *text = getenv(variable);
	char *end;
	long n;

	if (text == NULL || *text < '0' || *text > '9')
		return -1;
	n = strtol(text, &end, 10);
	return *end == '\0' && n < INT32_MAX ? n : -1;
}

/* The next of the names in *names, which colons part. */
static void take_name(const char **names, struct rp_http_listener *out)
{
	size_t n = strcspn(*names, ":");

	snprintf(out->name, sizeof out->name, "%.*s", (int)n, *names);
	*names += n + (size_t)((*names)[n] == ':');
}

static enum rp_err adopt_all(long n_fds, struct rp_http_listener *out, size_t *n,
			     struct rp_error *err)
{
	const char *names = getenv("LISTEN_FDNAMES");
	enum rp_err code = RP_OK;
	long i;

	for (i = 0; i < n_fds && code == RP_OK; i++) {
		code = rp_http_listener_adopt(FIRST_FD + (int)i, &out[i], err);
		if (code == RP_OK && names != NULL)
			take_name(&names, &out[i]);
	}
	if (code == RP_OK) {
		*n = (size_t)n_fds;
		return RP_OK;
	}
	for (i = 0; i < n_fds; i++)
		close(FIRST_FD + (int)i);
	return code;
}

enum rp_err rp_http_listeners_inherited(struct rp_http_listener *out, size_t max, size_t *n,
					struct rp_error *err)
{
	long n_fds = number_of("LISTEN_PID") == (long)getpid() ? number_of("LISTEN_FDS") : 0;
	enum rp_err code = RP_OK;
	long i;

	*n = 0;
	if (n_fds > 0 && (size_t)n_fds > max) {
		code =
		    rp_fail(err, RP_ERR_INVAL,
			    "%ld sockets were handed over; at most %zu can be served", n_fds, max);
		for (i = 0; i < n_fds && i < FDS_MAX; i++)
			close(FIRST_FD + (int)i);
	} else if (n_fds > 0) {
		code = adopt_all(n_fds, out, n, err);
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return code;
}
