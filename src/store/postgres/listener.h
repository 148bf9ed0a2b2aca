/* listener.h - private to src/store/postgres: who waits is told, by LISTEN and NOTIFY over a
 * connection of its own. What is told says only that it is worth a look; polling by due times goes
 * on without it. */
#ifndef RP_STORE_POSTGRES_LISTENER_H
#define RP_STORE_POSTGRES_LISTENER_H

#include "store/postgres/handle.h"

/* After a commit, in a transaction of its own that waits for no disk: a NOTIFY inside of one would
 * take commits one by one. What cannot be told is not an error. */
/* Whether anybody watches commits: a watcher's session has a shared lock, which whoever commits
 * tries to have alone, until its transaction ends. Two that commit at the same time take each other
 * for watchers, and tell in vain. Result: names the answer, a boolean: false, somebody does. */
size_t rp_pg_ask_nobody_watches(struct rp_pg *pg);
void rp_pg_tell(struct rp_pgstore *s, enum rp_watch what);
/* Makes those anew that were lost: one attempt. */
void rp_pg_listeners_mend(struct rp_pgstore *s);
/* Whoever watches work is woken when this process of this machine ends. Once for each. */
void rp_pg_listener_add_process(struct rp_pgstore *s, uint32_t pid);
void rp_pg_listeners_close(struct rp_pgstore *s);

#endif
