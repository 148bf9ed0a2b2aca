/* reload.h - a configuration that is read again while senders run.
 *
 * A new configuration comes into force as a whole or not at all: a file with a mistake, or one
 * that names a key that cannot be read, is refused, and what was in force stays. What the outbox
 * was opened with and the size of the sender hold until the process ends; that they have changed
 * is said, not done. */
#ifndef RP_DELIVER_RELOAD_H
#define RP_DELIVER_RELOAD_H

#include "config/settings.h"

/* Borrowed. */
struct rp_reload_source {
	/* what the process began with: the file, and what holds until its end */
	const struct rp_settings *started;
	/* given on the command line: what the file says does not matter */
	bool fixed_outbox, fixed_in_flight;
};

/* The file and the secrets, read again; release with rp_settings_discard. NULL: refused. The log
 * has told either. A file that was there at the start and is gone is a mistake, not a wish for
 * defaults. */
struct rp_settings *rp_reload(const struct rp_reload_source *source);

#endif
