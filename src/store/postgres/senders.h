/* senders.h - private to src/store/postgres: senders that this handle joined, or watches. */
#ifndef RP_STORE_POSTGRES_SENDERS_H
#define RP_STORE_POSTGRES_SENDERS_H

#include "store/postgres/handle.h"

/* The handle is closed: a sender that has not left has ended. */
void rp_pg_senders_close(struct rp_pgstore *s);
/* Has the listener watch the processes of all senders on this machine; the reap does so for those
 * that come later. */
enum rp_err rp_pg_senders_watch(struct rp_pgstore *s, struct rp_error *err);

#endif
