/* tell.h - private to src/store/postgres: tells those who wait that something was committed. */
#ifndef RP_STORE_POSTGRES_TELL_H
#define RP_STORE_POSTGRES_TELL_H

#include "store/postgres/handle.h"

/* A database may have several outboxes, and whoever sleeps is told only what it waits for. */
#define RP_PG_CHANNEL_MAX (RP_PG_SCHEMA_MAX + 24)
void rp_pg_name_channel(const struct rp_pgstore *s, enum rp_watch what,
			char out[RP_PG_CHANNEL_MAX]);

/* After a commit, in a transaction of its own that waits for no disk: a NOTIFY inside of one would
 * take commits one by one. What cannot be told is not an error. */
void rp_pg_tell(struct rp_pgstore *s, enum rp_watch what);

/* Whether anybody watches commits: a watcher's session has a shared lock, which whoever commits
 * tries to have alone, until its transaction ends. Two that commit at the same time take each other
 * for watchers, and tell in vain. Result: names the answer, a boolean: false, somebody does. */
#define RP_PG_WATCHERS "7305237, hashtext(current_schema())"
size_t rp_pg_ask_nobody_watches(struct rp_pg *pg);

#endif
