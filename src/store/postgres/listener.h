/* listener.h - private to src/store/postgres: who waits is told, by LISTEN and NOTIFY over a
 * connection of its own. What is told says only that it is worth a look; polling by due times goes
 * on without it. */
#ifndef RP_STORE_POSTGRES_LISTENER_H
#define RP_STORE_POSTGRES_LISTENER_H

#include "store/postgres/handle.h"

/* After a commit, in a transaction of its own that waits for no disk: a NOTIFY inside of one would
 * take commits one by one. What cannot be told is not an error. */
void rp_pg_tell(struct rp_pgstore *s, enum rp_watch what);
/* Makes those anew that were lost: one attempt. */
void rp_pg_listeners_mend(struct rp_pgstore *s);
void rp_pg_listeners_close(struct rp_pgstore *s);

#endif
