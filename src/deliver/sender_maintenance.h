/* sender_house.h - private to src/deliver: what else the outbox asks of a sender. */
#ifndef RP_DELIVER_SENDER_MAINTENANCE_H
#define RP_DELIVER_SENDER_MAINTENANCE_H

#include "deliver/sender_state.h"

enum rp_err rp_sender_keep_house(struct rp_sender *s, struct rp_error *err);
enum rp_err rp_sender_reap(struct rp_sender *s, struct rp_error *err);
enum rp_err rp_sender_mind_clock(struct rp_sender *s, struct rp_error *err);
enum rp_err rp_sender_is_drained(struct rp_sender *s, bool *drained, struct rp_error *err);

#endif
