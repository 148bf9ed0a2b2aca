/* sender_maintenance.h - private to src/deliver: what the outbox asks of a sender beside
 * deliveries. */
#ifndef RP_DELIVER_SENDER_MAINTENANCE_H
#define RP_DELIVER_SENDER_MAINTENANCE_H

#include "deliver/sender_state.h"

/* Does what is due now. Errors of all functions here are the store's. */
enum rp_err rp_sender_maintain(struct rp_sender *s, struct rp_error *err);
/* Returns the claims of senders that have ended. */
enum rp_err rp_sender_reap(struct rp_sender *s, struct rp_error *err);
/* A part of rp_outbox_renew_limits; maintenance goes on with it while s->renewal.more. */
enum rp_err rp_sender_renew_limits(struct rp_sender *s, struct rp_error *err);
/* Fixes due times after the wall clock was set back. */
enum rp_err rp_sender_fix_clock(struct rp_sender *s, struct rp_error *err);
/* *drained: nothing is waiting or in flight in the outbox, and no job runs. */
enum rp_err rp_sender_is_drained(struct rp_sender *s, bool *drained, struct rp_error *err);

#endif
