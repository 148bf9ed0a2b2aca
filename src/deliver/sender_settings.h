/* sender_settings.h - private to src/deliver: which settings are in force, and which are still
 * needed. */
#ifndef RP_DELIVER_SENDER_SETTINGS_H
#define RP_DELIVER_SENDER_SETTINGS_H

#include "deliver/sender_state.h"

/* Takes over `owned`, also on failure. */
enum rp_err rp_sender_put_in_force(struct rp_sender *s, const struct rp_settings *settings,
				   struct rp_settings *owned, struct rp_error *err);
/* Those that no request needs any more. */
void rp_sender_discard_unused(struct rp_sender *s);
/* All, at the end. */
void rp_sender_release_settings(struct rp_sender *s);

#endif
