/* watch.h - the worker for those who watch: /metrics, /healthz and /readyz over HTTP, on listeners
 * of its own and in a process of its own, so that nobody who looks delays a receipt.
 *
 *   GET, HEAD /metrics   what `runpostctl metrics` prints, at most a second old
 *   GET, HEAD /healthz   200: the loop turns
 *   GET, HEAD /readyz    200: a door accepts; else 503 with the reason as its code
 *
 * It needs no credentials and tells no names but those of the configuration: it listens on loopback
 * or a unix socket. Host names and signs of a browser are judged as at the door (door_access.h). */
#ifndef RP_SERVE_WATCH_H
#define RP_SERVE_WATCH_H

#include "config/settings.h"
#include "http_server/listener.h"
#include "store/outbox.h"

#define RP_WATCH_FRESH_MS 1000
#define RP_WATCH_CHECK_MS 5000
#define RP_WATCH_DRAIN_MS 5000

/* All pointers are borrowed. */
struct rp_watch_options {
	struct rp_outbox *outbox; /* the worker's alone, until it returns; it is only read */
	const struct rp_settings *settings;
	/* At a SIGHUP: new settings, which become the worker's; NULL: the old ones stay. */
	struct rp_settings *(*reload)(void *arg);
	void *arg;
	const struct rp_http_listener *listeners;
	size_t n_listeners; /* up to RP_LISTEN_MAX */
	int signal_fd; /* a signalfd that never waits: SIGHUP reloads, any other signal stops */
	const struct rp_sys *sys;
};

/* Serves until a signal stops it: RP_OK. RP_ERR_IO: the outbox is gone from its path (who holds it
 * open could keep others from a new one), or the system refuses sockets. RP_ERR_NOMEM. A damaged
 * outbox does not end it: /metrics and /readyz are 503 then. */
enum rp_err rp_watch_serve(const struct rp_watch_options *options, struct rp_error *err);

#endif
