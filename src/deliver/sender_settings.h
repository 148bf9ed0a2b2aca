/* sender_settings.h - private to src/deliver: the settings in force, and older ones that requests
 * under way need yet. */
#ifndef RP_DELIVER_SENDER_SETTINGS_H
#define RP_DELIVER_SENDER_SETTINGS_H

#include "deliver/sender_state.h"

/* New requests use `settings` from now on. Takes over `owned`, also on failure; NULL: the settings
 * stay the caller's. RP_ERR_NOMEM: the old settings stay in force. */
enum rp_err rp_sender_put_in_force(struct rp_sender *s, const struct rp_settings *settings,
				   struct rp_settings *owned, struct rp_error *err);
/* Frees the settings that no request needs any more. */
void rp_sender_discard_unused(struct rp_sender *s);
/* Frees all settings, at the end. */
void rp_sender_release_settings(struct rp_sender *s);

/* What the settings in force allow the receivers of this name; for rp_exchange.limits, with the
 * sender as arg. */
void rp_sender_limits_of(void *arg, struct rp_span name, struct rp_level_limits *out);
/* How many requests at once the configuration in force allows the receivers of a URL. NULL: it
 * could not be read; any number. */
void rp_sender_limits_now(const struct rp_sender *s, const struct rp_url *url,
			  unsigned in_flight_max[RP_LEVELS]);

#endif
