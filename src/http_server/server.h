/* server.h - serves HTTP/1.1: one thread and one loop between sockets that listen and a program
 * that answers.
 *
 * It takes requests apart strictly (request.h) and knows nothing of what they ask: that is the
 * program's (service.h). It has no TLS, no HTTP/2 and no files. No peer holds up another. What
 * peers may cost is bounded by max_connections and by the limits of service.h. Without limits a
 * connection costs at most the bytes of two requests of max_body and about 64 KiB of answers
 * beside the latest one, and may take as long as it likes. */
#ifndef RP_HTTP_SERVER_SERVER_H
#define RP_HTTP_SERVER_SERVER_H

#include "http_server/listener.h"
#include "http_server/service.h"

struct rp_http_server;

/* Borrows the service and the listeners, of which there is one at least. RP_ERR_NOMEM; RP_ERR_IO:
 * the system refuses. */
enum rp_err rp_http_server_new(struct rp_http_service *service,
			       const struct rp_http_listener *listeners, size_t n,
			       struct rp_http_server **out, struct rp_error *err);

/* Closes the connections, after handler->gone for those that are owed an answer. NULL is fine. */
void rp_http_server_free(struct rp_http_server *server);

/* A further descriptor for the loop, borrowed: `ready` is called with the service's context while
 * it is readable, before `turned`. RP_ERR_NOMEM; RP_ERR_IO: the system refuses. */
enum rp_err rp_http_server_watch(struct rp_http_server *server, int fd,
				 void (*ready)(void *context), struct rp_error *err);

/* Asks for handler->tick at this boot_ms of the service, in place of an earlier wish; 0: never. */
void rp_http_server_tick_at(struct rp_http_server *server, int64_t at_ms);

/* How many there are at the moment. */
size_t rp_http_server_connections(const struct rp_http_server *server);

/* Serves until stop_fd becomes readable (-1: there is none), or until service->stopping or
 * service->draining has come to its end. Call it once. It returns service->failed with its err, or
 * RP_ERR_IO: the system refuses. */
enum rp_err rp_http_server_run(struct rp_http_server *server, int stop_fd, struct rp_error *err);

/* After rp_http_server_run: sends the answers that were given since, to peers that take them, for
 * most_ms in all, and reads nothing. No function of the handler is called. What `failed` holds back
 * stays unsent. */
void rp_http_server_flush(struct rp_http_server *server, int64_t most_ms);

#endif
