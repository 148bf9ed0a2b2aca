/* listener.h - a socket that listens, for a server: of TCP or in the file system, opened here or
 * handed over by whoever started the program. Its queue takes 4,096 connections, or as many as the
 * system allows. */
#ifndef RP_HTTP_SERVER_LISTENER_H
#define RP_HTTP_SERVER_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define RP_HTTP_URL_MAX 128
#define RP_HTTP_LISTENER_NAME_MAX 64

struct rp_http_listener {
	int fd; /* owned; never waits, and no program that is started gets it */
	bool is_unix;
	char url[RP_HTTP_URL_MAX];            /* "http://127.0.0.1:8080", "unix:/run/door.sock" */
	char name[RP_HTTP_LISTENER_NAME_MAX]; /* of an inherited one, as LISTEN_FDNAMES has it */

	/* The file of a unix socket that was made here, and by whom; 0: not ours to remove. */
	pid_t maker;
	dev_t dev;
	ino_t ino;
};

/* addr: an IPv4 or IPv6 address; port 0: a free one. RP_ERR_INVAL: addr is none. RP_ERR_IO: the
 * system refuses, with err->sys EADDRINUSE when another program has the port. After a failure
 * there is nothing to close. */
enum rp_err rp_http_listener_open(const char *addr, uint16_t port, struct rp_http_listener *out,
				  struct rp_error *err);

/* Makes a socket file of this mode. One that is left from a program that died is replaced.
 * RP_ERR_INVAL: path is empty, too long for a socket, or something that is no socket. RP_ERR_IO
 * with err->sys EADDRINUSE: a program listens there. */
enum rp_err rp_http_listener_open_unix(const char *path, mode_t mode, struct rp_http_listener *out,
				       struct rp_error *err);

/* Takes over a descriptor that listens already, and finds out its address. RP_ERR_INVAL: it is no
 * stream socket that listens, of TCP or the file system; then fd is still yours. */
enum rp_err rp_http_listener_adopt(int fd, struct rp_http_listener *out, struct rp_error *err);

/* Takes over what systemd, or who speaks as it does, has opened for this process (LISTEN_PID,
 * LISTEN_FDS, LISTEN_FDNAMES: sd_listen_fds(3)), and unsets those variables. *n is 0 when there is
 * nothing. RP_ERR_INVAL: more than max, or one that cannot be adopted; then all are closed. */
enum rp_err rp_http_listeners_inherited(struct rp_http_listener *out, size_t max, size_t *n,
					struct rp_error *err);

/* Closes it; the process that made its socket file removes that, unless another has taken its
 * place. */
void rp_http_listener_close(struct rp_http_listener *listener);

#endif
