/* sender_turn.h - private to src/deliver: results and claims go to the store and back. */
#ifndef RP_DELIVER_SENDER_EXCHANGE_H
#define RP_DELIVER_SENDER_EXCHANGE_H

#include "deliver/sender_state.h"

/* Begins one, or takes it at once when nothing could go on meanwhile. */
enum rp_err rp_sender_take_turn(struct rp_sender *s, struct rp_error *err);
/* The one under way, if there is one and it is over, or `wait`. */
enum rp_err rp_sender_end_turn(struct rp_sender *s, bool wait, struct rp_error *err);
/* The last turns of a sender that stops. */
enum rp_err rp_sender_settle_rest(struct rp_sender *s, struct rp_error *err);
int64_t rp_sender_next_turn_ms(const struct rp_sender *s); /* as pace.h */
bool rp_sender_wants_more(const struct rp_sender *s);
void rp_sender_return_surplus(struct rp_sender *s);

#endif
