/* listener.c - opens sockets of TCP, and closes those of any kind. It is apart from server.c
 * because a server may be given a socket from elsewhere. */

#include "http_server/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_server/listener_int.h"

static bool parse_address(const char *addr, uint16_t port, struct sockaddr_storage *out,
			  socklen_t *len)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

	memset(out, 0, sizeof *out);
	if (inet_pton(AF_INET, addr, &v4.sin_addr) == 1) {
		memcpy(out, &v4, *len = sizeof v4);
		return true;
	}
	if (inet_pton(AF_INET6, addr, &v6.sin6_addr) == 1) {
		memcpy(out, &v6, *len = sizeof v6);
		return true;
	}
	return false;
}

static bool listen_on(int fd, const struct sockaddr_storage *at, socklen_t len)
{
	int one = 1;

	return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
	       bind(fd, (const struct sockaddr *)at, len) == 0 && listen(fd, RP_HTTP_BACKLOG) == 0;
}

static void set_url(struct rp_http_listener *l, const char *addr, const struct sockaddr_storage *at)
{
	if (at->ss_family == AF_INET6)
		snprintf(l->url, sizeof l->url, "http://[%s]:%u", addr,
			 ntohs(((const struct sockaddr_in6 *)at)->sin6_port));
	else
		snprintf(l->url, sizeof l->url, "http://%s:%u", addr,
			 ntohs(((const struct sockaddr_in *)at)->sin_port));
}

enum rp_err rp_http_listener_open(const char *addr, uint16_t port, struct rp_http_listener *out,
				  struct rp_error *err)
{
	struct sockaddr_storage at;
	socklen_t len = 0;
	enum rp_err code;

	*out = (struct rp_http_listener){.fd = -1};
	if (!parse_address(addr, port, &at, &len))
		return rp_fail(err, RP_ERR_INVAL, "\"%s\" is no IPv4 or IPv6 address", addr);
	out->fd = socket(at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (out->fd >= 0 && listen_on(out->fd, &at, len)) {
		len = sizeof at;
		if (getsockname(out->fd, (struct sockaddr *)&at, &len) == 0) {
			set_url(out, addr, &at);
			return RP_OK;
		}
	}
	code = rp_fail_sys(err, RP_ERR_IO, errno, "cannot listen on port %u of %s", port, addr);
	rp_http_listener_close(out);
	return code;
}

void rp_http_listener_close(struct rp_http_listener *listener)
{
	rp_http_listener_remove_file(listener);
	if (listener->fd >= 0)
		close(listener->fd);
	listener->fd = -1;
	listener->maker = 0;
}
