/* sender_offer.h - private to src/deliver: claims that appends make for a sender. */
#ifndef RP_DELIVER_SENDER_OFFER_H
#define RP_DELIVER_SENDER_OFFER_H

#include "deliver/sender_state.h"

/* Says what it offers now, if that is something else than before, and now and then anew. */
void rp_sender_offer(struct rp_sender *s);
/* Takes what was handed to it, if it has room: these claims are ready. One that stops gives them
 * back. */
enum rp_err rp_sender_take(struct rp_sender *s, struct rp_error *err);
/* Whether something may have been handed to it since it last took. */
bool rp_sender_may_be_handed(const struct rp_sender *s);
/* It stops, or is to leave: nothing is handed to it any more. Takes what was. Once is enough. */
enum rp_err rp_sender_withdraw(struct rp_sender *s, struct rp_error *err);

#endif
