/* listener.h - private to src/store/postgres: who waits is told, by LISTEN and NOTIFY over a
 * connection of its own. What is told says only that it is worth a look; polling by due times goes
 * on without it. */
#ifndef RP_STORE_POSTGRES_LISTENER_H
#define RP_STORE_POSTGRES_LISTENER_H

#include "store/postgres/handle.h"

/* A descriptor that becomes readable when there is something to look at, as of rp_outbox_watch. */
enum rp_err rp_pg_listen(struct rp_pgstore *s, enum rp_watch what, int *fd, struct rp_error *err);
/* Makes those anew that were lost: one attempt. */
void rp_pg_listeners_mend(struct rp_pgstore *s);
/* Whoever watches work is woken when this process of this machine ends. Once for each. */
void rp_pg_listener_add_process(struct rp_pgstore *s, uint32_t pid);
void rp_pg_listeners_close(struct rp_pgstore *s);

#endif
