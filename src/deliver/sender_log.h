/* sender_log.h - private to src/deliver: what a sender says of results. */
#ifndef RP_DELIVER_SENDER_LOG_H
#define RP_DELIVER_SENDER_LOG_H

#include "deliver/sender_state.h"

void rp_sender_log_settled(const struct rp_sender_job *j);
void rp_sender_log_lack(struct rp_sender *s, const char *what); /* of one, until it is over */
void rp_sender_log_breaker(struct rp_sender *s, const struct rp_sender_job *j,
			   enum rp_control_change change);

#endif
