/* senders.h - private to src/store/postgres: what a handle says of its sender at its end. */
#ifndef RP_STORE_POSTGRES_SENDERS_H
#define RP_STORE_POSTGRES_SENDERS_H

#include "store/postgres/handle.h"

/* The handle is closed: a sender that has not left has ended. */
void rp_pg_senders_close(struct rp_pgstore *s);

#endif
