/* server.h - the receiver's event loop: one thread, epoll, any number of connections up to the
 * descriptor limit. */
#ifndef RP_SINK_SERVER_H
#define RP_SINK_SERVER_H

#include <stdint.h>

#include "base/err.h"
#include "desk.h"

#define RP_SINK_URL_MAX 80

struct rp_sink_server;

/* Listens on addr (an IPv4 or IPv6 address) and port (0: a free one). RP_ERR_IO: the port is in
 * use, say. */
enum rp_err rp_sink_server_new(const char *addr, uint16_t port, struct rp_sink_desk *desk,
			       struct rp_sink_server **out, struct rp_error *err);
void rp_sink_server_free(struct rp_sink_server *server);

const char *rp_sink_server_url(const struct rp_sink_server *server); /* "http://127.0.0.1:8080" */

/* Serves until stop_fd becomes readable or desk->exit_after deliveries have been answered. */
enum rp_err rp_sink_server_run(struct rp_sink_server *server, int stop_fd, struct rp_error *err);

#endif
