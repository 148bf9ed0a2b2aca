/* sender_exchange.h - private to src/deliver: a sender's exchanges with the store. */
#ifndef RP_DELIVER_SENDER_EXCHANGE_H
#define RP_DELIVER_SENDER_EXCHANGE_H

#include "deliver/sender_state.h"

/* Begins an exchange on the thread. Makes it at once instead when there is no thread, or when
 * nothing else could go on meanwhile. None may be under way. */
enum rp_err rp_sender_begin_exchange(struct rp_sender *s, struct rp_error *err);
/* Takes the result of the exchange under way, if there is one and it is over. wait: waits until
 * it is over. */
enum rp_err rp_sender_end_exchange(struct rp_sender *s, bool wait, struct rp_error *err);
/* The last exchanges of a sender that stops. */
enum rp_err rp_sender_settle_rest(struct rp_sender *s, struct rp_error *err);
/* Milliseconds until the next exchange; as rp_batching_next_ms. */
int64_t rp_sender_next_exchange_ms(const struct rp_sender *s);
/* Whether the sender would claim more work, so that new work should wake it. */
bool rp_sender_wants_more(const struct rp_sender *s);
/* Gives back claims when there have been too many for a while. */
void rp_sender_return_surplus(struct rp_sender *s);

#endif
