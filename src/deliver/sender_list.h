/* sender_list.h - private to src/deliver: lists of claims. */
#ifndef RP_DELIVER_SENDER_LIST_H
#define RP_DELIVER_SENDER_LIST_H

#include "deliver/sender_state.h"

void rp_sender_list_init(struct rp_sender_list *l);
void rp_sender_list_push(struct rp_sender_list *l, struct rp_sender_job *j);
void rp_sender_list_push_first(struct rp_sender_list *l, struct rp_sender_job *j);
/* NULL: it is empty. */
struct rp_sender_job *rp_sender_list_pop(struct rp_sender_list *l);

#endif
