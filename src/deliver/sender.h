/* sender.h - one sender: claims entries, makes their requests, decides on the outcomes, settles.
 *
 * It knows a transport, not libcurl, and an outbox, not LMDB. Two orders count. A claim is
 * committed before its request begins. A settlement is committed after its outcome is known. A
 * crash in between repeats the attempt; it never loses the entry. */
#ifndef RP_DELIVER_SENDER_H
#define RP_DELIVER_SENDER_H

#include "base/err.h"
#include "base/sys.h"
#include "store/outbox.h"
#include "deliver/http/http.h"
#include "config/settings.h"

struct rp_sender;

/* All pointers are borrowed for the life of the sender. */
struct rp_sender_options {
	struct rp_outbox *outbox;
	struct rp_transport *transport;
	const struct rp_settings *settings; /* with secrets loaded */
	const struct rp_sys *sys;
	unsigned in_flight; /* requests at once */
	bool background;    /* exchanges have a thread of their own while requests are under way */
	bool drain;         /* be done when nothing is waiting or in flight at any sender */
	/* rp_sender_run calls it at a SIGHUP. It returns new settings, as rp_sender_reload takes
	 * them, or NULL: the old settings stay in force. */
	struct rp_settings *(*reload)(void *arg);
	void *reload_arg;
};

struct rp_sender_counts {
	uint64_t attempts, delivered, retried, dead, stale, commits;
};

/* Joins the outbox. RP_ERR_BUSY: no sender slot is free. RP_ERR_NOMEM; other errors are the
 * store's. */
enum rp_err rp_sender_new(const struct rp_sender_options *options, struct rp_sender **out,
			  struct rp_error *err);
/* Leaves the outbox. Claims that were not settled go back to waiting. NULL is allowed. */
void rp_sender_free(struct rp_sender *sender);

/* Does all that can be done without waiting. *wait_ms: the next step is due after so long, or when
 * a descriptor of the transport or the outbox becomes readable. *done: the sender is drained, or it
 * was stopped and nothing is under way. A store that is away (RP_ERR_AWAY) is no error: it is asked
 * again, and meanwhile nothing begins. After an error the store cannot be trusted in this process
 * any more: free the sender and exit. */
enum rp_err rp_sender_step(struct rp_sender *sender, int *wait_ms, bool *done,
			   struct rp_error *err);

/* From now on the sender claims nothing, and gives back what has not begun. Requests under way may
 * finish until stop_grace has passed. */
void rp_sender_stop(struct rp_sender *sender);

/* New requests use `settings` from now on. Their secrets must be loaded. Requests under way keep
 * the settings that they began with. Endpoints that are full or parked are looked at again.
 *
 * Takes over `settings`, which malloc made, also on failure, and discards them when nothing needs
 * them any more. The settings of the options stay the caller's. Out of memory: the old settings
 * stay in force, the log says so, and the result is RP_OK. Errors are the store's, as from
 * rp_sender_step. */
enum rp_err rp_sender_reload(struct rp_sender *sender, struct rp_settings *settings,
			     struct rp_error *err);

/* Steps and waits until done. signal_fd: a signalfd. SIGHUP reloads the settings. Any other signal
 * stops the sender. A second stop, two seconds later or more, ends it at once. */
enum rp_err rp_sender_run(struct rp_sender *sender, int signal_fd, struct rp_error *err);

void rp_sender_read_counts(const struct rp_sender *sender, struct rp_sender_counts *out);

#endif
