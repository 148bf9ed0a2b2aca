/* exchange_thread.h - makes a sender's exchanges on a thread of its own. Requests go on while the
 * exchange waits for the write lock and for the disk.
 *
 * One exchange at a time. From begin to end the thread owns the exchange and all it points to.
 * Meanwhile the caller may call the outbox only by rp_outbox_fetch, rp_outbox_fetch_piece,
 * rp_outbox_next_ready, rp_outbox_offer, rp_outbox_take, rp_outbox_beat and rp_outbox_drain. */
#ifndef RP_DELIVER_EXCHANGE_THREAD_H
#define RP_DELIVER_EXCHANGE_THREAD_H

#include "store/outbox.h"

struct rp_exchange_thread;

/* ob is borrowed until close. RP_ERR_NOMEM: no memory, thread or descriptor. */
enum rp_err rp_exchange_thread_open(struct rp_outbox *ob, struct rp_exchange_thread **out,
				    struct rp_error *err);
/* Waits for an exchange under way, and drops its result. NULL is allowed. */
void rp_exchange_thread_close(struct rp_exchange_thread *t);

/* No exchange may be under way. */
void rp_exchange_thread_begin(struct rp_exchange_thread *t, int64_t now_at_ms,
			      struct rp_exchange *exchange);
/* true: the exchange is over, and *e and err are what rp_outbox_exchange returned. false: it is
 * under way yet. wait: waits for its end. */
bool rp_exchange_thread_end(struct rp_exchange_thread *t, bool wait, enum rp_err *e,
			    struct rp_error *err);
/* Readable when an exchange is over and its end has not been taken. Owned by the thread. */
int rp_exchange_thread_fd(const struct rp_exchange_thread *t);

#endif
