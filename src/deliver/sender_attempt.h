/* sender_attempt.h - private to src/deliver: a claim becomes a request, its answer a result. */
#ifndef RP_DELIVER_SENDER_ATTEMPT_H
#define RP_DELIVER_SENDER_ATTEMPT_H

#include "deliver/sender_state.h"

int64_t rp_sender_next_start_ms(const struct rp_sender *s); /* -1: not before something happens */
/* Begins what is claimed, as far as there are places and credit. */
enum rp_err rp_sender_start_ready(struct rp_sender *s, struct rp_error *err);
/* the transport's `done` */
void rp_sender_on_done(void *arg, void *owner, const struct rp_outcome *outcome);
/* What was not begun goes back with the next turn. */
void rp_sender_return_ready(struct rp_sender *s);
void rp_sender_return_late(struct rp_sender *s); /* those whose tokens are forfeited */
bool rp_sender_is_stalled(const struct rp_sender *s, int64_t since_boot_ms);
/* As return ready, when others may have taken it meanwhile. */
void rp_sender_drop_after_stall(struct rp_sender *s);

#endif
