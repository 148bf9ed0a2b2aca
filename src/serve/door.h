/* door.h - the front door: takes completed runs over HTTP and answers once they are on disk.
 *
 * One thread serves all connections (http_server), a second one makes the commits (door_commit.h).
 * What came while a commit ran is the next one. The contract of the requests and answers is
 * docs/api.md.
 *
 * Promises:
 * - 202 and 200 leave after the synced commit that covers the run has returned.
 * - A request is answered, whatever comes; only a limit that its client breaks may end it
 *   otherwise.
 * - While the outbox is full, requests wait for room up to [door] hold, then get 503.
 * - Memory is bounded by [door] connections and bodies. */
#ifndef RP_SERVE_DOOR_H
#define RP_SERVE_DOOR_H

#include "config/settings.h"
#include "http_server/listener.h"
#include "store/outbox.h"

#define RP_DOOR_FULL_RETRY_MS 200
#define RP_DOOR_CHECK_MS 5000
#define RP_DOOR_DRAIN_MS 10000

/* All pointers are borrowed. */
struct rp_door_options {
	struct rp_outbox *outbox; /* the door's alone, until it returns */
	/* its secrets have been loaded (rp_settings_load_door) */
	const struct rp_settings *settings;
	/* At a SIGHUP: new settings, which become the door's; NULL: the old ones stay. */
	struct rp_settings *(*reload)(void *arg);
	void *arg;
	const struct rp_http_listener *listeners;
	size_t n_listeners;
	int signal_fd; /* a signalfd: SIGHUP reloads, any other signal stops */
	const struct rp_sys *sys;
};

/* Serves until a signal stops it: then it takes no new connection, answers what was asked, and
 * returns RP_OK. RP_ERR_IO: a commit failed with an unknown outcome, the outbox is gone, or the
 * system refuses sockets; requests under way got 503. RP_ERR_INVAL, _DENIED, _NOTFOUND: what the
 * settings name cannot be used. RP_ERR_NOMEM. */
enum rp_err rp_door_serve(const struct rp_door_options *options, struct rp_error *err);

#endif
