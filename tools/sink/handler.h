/* handler.h - the receiver as its server sees it: gives each request the reply that the desk
 * chose, at once, late, piece by piece, or wrong on purpose. */
#ifndef RP_SINK_HANDLER_H
#define RP_SINK_HANDLER_H

#include "http_server/service.h"

/* The service's context is a struct rp_sink_desk, and the service is that desk's. */
extern const struct rp_http_handler rp_sink_handler;

#endif
