/* watch.h - stub for trying. */
#ifndef W_H
#define W_H
#include "config/settings.h"
#include "http_server/listener.h"
#include "store/outbox.h"
struct rp_watch_options { struct rp_outbox *outbox; const struct rp_settings *settings; struct rp_settings *(*reload)(void *arg); void *arg; const struct rp_http_listener *listeners; size_t n_listeners; int signal_fd; const struct rp_sys *sys; };
static inline enum rp_err rp_watch_serve(struct rp_watch_options *o, struct rp_error *e) { (void)o;(void)e; return RP_OK; }
#endif
