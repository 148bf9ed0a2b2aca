/* sender.h - one sender: claims entries, starts their attempts, decides on what comes back,
 * settles.
 *
 * Knows a transport, not libcurl, and a store, not LMDB. The order that counts: a claim is
 * committed before its request starts, a settle is committed after its outcome is known. A crash
 * in between repeats the attempt, never loses the entry. */
#ifndef RP_DELIVER_SENDER_H
#define RP_DELIVER_SENDER_H

#include "base/err.h"
#include "base/sys.h"
#include "store/outbox.h"
#include "deliver/http/http.h"
#include "config/settings.h"

struct rp_sender;

/* Everything is borrowed for the sender's life. */
struct rp_sender_options {
	struct rp_outbox *outbox;
	struct rp_transport *transport;
	const struct rp_settings *settings; /* with secrets loaded */
	const struct rp_sys *sys;
	unsigned in_flight; /* requests at once */
	bool background;    /* take turns on a thread of their own while requests are under way */
	/* be done when nothing is waiting or in flight any more, at anybody's */
	bool drain;
	/* rp_sender_run, at a SIGHUP: new settings as rp_sender_reload takes them, or NULL to go
	 * on as before. */
	struct rp_settings *(*reload)(void *arg);
	void *reload_arg;
};

struct rp_sender_counts {
	uint64_t attempts, delivered, retried, dead, stale, commits;
};

/* Joins the outbox. RP_ERR_BUSY: no sender slot is free. */
enum rp_err rp_sender_new(const struct rp_sender_options *options, struct rp_sender **out,
			  struct rp_error *err);
/* Leaves the outbox; claims that were not settled go back to waiting. */
void rp_sender_free(struct rp_sender *sender);

/* Does everything that can be done without waiting. *wait_ms: how long there is nothing to do
 * unless the transport's or the outbox's descriptor becomes readable; *done: finished (drained, or
 * stopped with nothing under way). An error ends the sender: the store can no longer be trusted in
 * this process; free it and exit. */
enum rp_err rp_sender_step(struct rp_sender *sender, int *wait_ms, bool *done,
			   struct rp_error *err);

/* Claims nothing more and returns what was not begun. Requests under way may finish until
 * stop_grace has passed. */
void rp_sender_stop(struct rp_sender *sender);

/* What begins from now on is done by `settings`, secrets loaded; requests under way keep the
 * policy they were begun with, and the settings it is part of live as long as they. Takes over
 * `settings`, also on failure (they were malloc'd), and discards them in time; those of the
 * options stay the caller's. Endpoints that are full or parked are looked at again. Out of memory:
 * the old settings stay in force, and the log says so. Errors are the store's, as from
 * rp_sender_step. */
enum rp_err rp_sender_reload(struct rp_sender *sender, struct rp_settings *settings,
			     struct rp_error *err);

/* Steps and waits until done. signal_fd: a signalfd. SIGHUP: reload; any other signal: stop; a
 * second one, two seconds later or more, ends it at once. */
enum rp_err rp_sender_run(struct rp_sender *sender, int signal_fd, struct rp_error *err);

void rp_sender_read_counts(const struct rp_sender *sender, struct rp_sender_counts *out);

#endif
