/* listener_int.h - private to src/http_server: what the ways to a socket that listens have in
 * common. */
#ifndef RP_HTTP_SERVER_LISTENER_INT_H
#define RP_HTTP_SERVER_LISTENER_INT_H

#include "http_server/listener.h"

#define RP_HTTP_BACKLOG 4096

/* Removes the socket file of a listener that is about to be closed, if this process made it. */
void rp_http_listener_remove_file(const struct rp_http_listener *listener);

#endif
