/* reload.h - reads the configuration again while senders run.
 *
 * A new configuration comes into force as a whole or not at all. A file with a mistake is refused,
 * and so is a file that names a key that cannot be read; then the old settings stay in force. The
 * settings of the outbox and the in_flight of the sender hold until the process ends. When these
 * have changed, the log says so. */
#ifndef RP_DELIVER_RELOAD_H
#define RP_DELIVER_RELOAD_H

#include "config/settings.h"

/* All pointers are borrowed. */
struct rp_reload_source {
	const struct rp_settings *started; /* the settings that the process began with */
	/* They came from the command line: what the file says does not matter. */
	bool fixed_outbox, fixed_in_flight;
};

/* Reads the file and the secrets again. Release the result with rp_settings_discard. NULL: they
 * were refused. The log tells either. A file that was there at the start and is gone is a mistake,
 * not a wish for defaults. */
struct rp_settings *rp_reload(const struct rp_reload_source *source);

#endif
