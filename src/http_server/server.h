/* server.h - serves HTTP/1.1: one thread and one loop between a socket that listens and a program
 * that answers.
 *
 * It takes requests apart strictly (request.h) and knows nothing of what they ask: that is the
 * program's (service.h). It has no TLS, no HTTP/2 and no files. No peer holds up another. Bounds:
 * max_connections, and for each the bytes of two requests of max_body and about 64 KiB of answers
 * beside the latest one. There is no bound on time: a peer may take as long as it likes to send a
 * request or to read an answer. */
#ifndef RP_HTTP_SERVER_SERVER_H
#define RP_HTTP_SERVER_SERVER_H

#include "http_server/service.h"

struct rp_http_server;

/* Borrows the service, and listen_fd, which listens and never waits. RP_ERR_NOMEM; RP_ERR_IO: the
 * system refuses. */
enum rp_err rp_http_server_new(struct rp_http_service *service, int listen_fd,
			       struct rp_http_server **out, struct rp_error *err);
void rp_http_server_free(struct rp_http_server *server); /* closes the connections; NULL is fine */

/* Serves until stop_fd becomes readable, or until service->stopping is set and all answers are
 * sent. Call it once. It returns service->failed with its err, or RP_ERR_IO: the system refuses. */
enum rp_err rp_http_server_run(struct rp_http_server *server, int stop_fd, struct rp_error *err);

#endif
