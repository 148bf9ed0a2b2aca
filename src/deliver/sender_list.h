/* sender_list.h - private to src/deliver: lists of claims. A list owns nothing. */
#ifndef RP_DELIVER_SENDER_LIST_H
#define RP_DELIVER_SENDER_LIST_H

#include "deliver/sender_state.h"

void rp_sender_list_init(struct rp_sender_list *l);
void rp_sender_list_push(struct rp_sender_list *l, struct rp_sender_claim *c);
void rp_sender_list_push_first(struct rp_sender_list *l, struct rp_sender_claim *c);
/* NULL: it is empty. */
struct rp_sender_claim *rp_sender_list_pop(struct rp_sender_list *l);

#endif
