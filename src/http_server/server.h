/* server.h - serves HTTP/1.1: one thread and one loop, from a socket that listens to answers.
 *
 * It takes requests apart strictly (request.h) and knows nothing of what they ask: that is the
 * program's (service.h). No TLS, no HTTP/2, no files. A connection holds at most two requests of
 * max_body each and a batch of answers. Nothing here waits for one peer, but nothing times out
 * either: a peer may take as long as it likes. */
#ifndef RP_HTTP_SERVER_SERVER_H
#define RP_HTTP_SERVER_SERVER_H

#include "http_server/service.h"

struct rp_http_server;

/* Borrows the service, and listen_fd, which listens and never waits. RP_ERR_NOMEM, RP_ERR_IO. */
enum rp_err rp_http_server_new(struct rp_http_service *service, int listen_fd,
			       struct rp_http_server **out, struct rp_error *err);
void rp_http_server_free(struct rp_http_server *server); /* closes the connections; NULL is fine */

/* Serves until stop_fd becomes readable, or service->stopping and all answers are sent. Call it
 * once. service->failed, with its err; RP_ERR_IO: the system refuses. */
enum rp_err rp_http_server_run(struct rp_http_server *server, int stop_fd, struct rp_error *err);

#endif
