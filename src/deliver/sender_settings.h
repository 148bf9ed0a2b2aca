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

#endif
