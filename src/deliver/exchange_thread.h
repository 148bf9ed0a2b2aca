/* turner.h - takes a sender's turns on a thread of its own, so that requests go on while one waits
 * for the write lock and for the disk.
 *
 * One turn at a time. From begin to end the turn and all it points to belong to the thread, and the
 * outbox may be read by rp_outbox_fetch, rp_outbox_fetch_piece and rp_outbox_next_ready only. */
#ifndef RP_DELIVER_EXCHANGE_THREAD_H
#define RP_DELIVER_EXCHANGE_THREAD_H

#include "store/outbox.h"

struct rp_turner;

/* RP_ERR_NOMEM: no memory, thread or descriptor. */
enum rp_err rp_turner_open(struct rp_outbox *ob, struct rp_turner **out, struct rp_error *err);
/* waits for a turn under way, whose result is lost; NULL is fine */
void rp_turner_close(struct rp_turner *t);

void rp_turner_begin(struct rp_turner *t, int64_t now_at_ms, struct rp_exchange *turn);
/* True when the turn begun last is over; then *e and err are what rp_outbox_exchange returned.
 * wait: it is waited for. */
bool rp_turner_end(struct rp_turner *t, bool wait, enum rp_err *e, struct rp_error *err);
/* readable when a turn is over whose end has not been taken */
int rp_turner_fd(const struct rp_turner *t);

#endif
