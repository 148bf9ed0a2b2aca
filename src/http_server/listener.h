/* listener.h - a socket of TCP that listens, for a server. Its queue takes 4,096 connections, or as
 * many as the system allows. */
#ifndef RP_HTTP_SERVER_LISTENER_H
#define RP_HTTP_SERVER_LISTENER_H

#include <stdint.h>

#include "base/err.h"

#define RP_HTTP_URL_MAX 80

struct rp_http_listener {
	int fd;                    /* owned; never waits */
	char url[RP_HTTP_URL_MAX]; /* "http://127.0.0.1:8080" */
};

/* addr: an IPv4 or IPv6 address; port 0: a free one. RP_ERR_INVAL: addr is none. RP_ERR_IO: the
 * system refuses, with err->sys EADDRINUSE when another program has the port. After a failure
 * there is nothing to close. */
enum rp_err rp_http_listener_open(const char *addr, uint16_t port, struct rp_http_listener *out,
				  struct rp_error *err);
void rp_http_listener_close(struct rp_http_listener *listener);

#endif
