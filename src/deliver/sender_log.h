/* sender_log.h - private to src/deliver: the log lines of a sender about results. */
#ifndef RP_DELIVER_SENDER_LOG_H
#define RP_DELIVER_SENDER_LOG_H

#include "deliver/sender_state.h"

/* A settled claim. */
void rp_sender_log_settled(const struct rp_sender_claim *c);
/* The system refused a request for lack of `what`. NULL: the shortage is over. One line for each
 * shortage, and one for its end. */
void rp_sender_log_lack(struct rp_sender *s, const char *what);
/* What a settled claim did to the breakers of its path and host, and whose probe a claim is. */
void rp_sender_log_breakers(struct rp_sender *s, const struct rp_sender_claim *c);
void rp_sender_log_probes(struct rp_sender *s, const struct rp_sender_claim *c);

#endif
