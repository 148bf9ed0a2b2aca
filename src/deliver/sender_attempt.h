/* sender_attempt.h - private to src/deliver: makes requests of claims, and results of answers. */
#ifndef RP_DELIVER_SENDER_ATTEMPT_H
#define RP_DELIVER_SENDER_ATTEMPT_H

#include "deliver/sender_state.h"

/* Milliseconds until a claim may begin. -1: not before something happens. */
int64_t rp_sender_next_start_ms(const struct rp_sender *s);
/* Begins ready claims, as far as concurrency and credit allow. Errors are the store's, or
 * RP_ERR_NOMEM when no request can end and free memory. */
enum rp_err rp_sender_start_ready(struct rp_sender *s, struct rp_error *err);
/* The transport's `done`. */
void rp_sender_on_done(void *arg, void *owner, const struct rp_outcome *outcome);
/* The same for claims that have waited for a place in vain. */
void rp_sender_return_in_vain(struct rp_sender *s);
/* The next exchange gives back all claims that have not begun. */
void rp_sender_return_ready(struct rp_sender *s);
/* The same for metered claims whose tokens have expired. */
void rp_sender_return_late(struct rp_sender *s);
/* Whether the sender stood still for so long that others may have taken its claims. */
bool rp_sender_is_stalled(const struct rp_sender *s, int64_t since_boot_ms);
/* Gives back all claims that have not begun, if the sender has stalled. */
void rp_sender_drop_after_stall(struct rp_sender *s);

#endif
