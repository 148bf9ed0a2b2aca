/* standby.h - private to src/store/postgres: durability = standby: what was accepted is on the disk
 * of a synchronous standby before anybody is told so.
 *
 * PostgreSQL's own wait in COMMIT is not used. It holds its locks while the standby is away, so
 * nothing could be delivered; it ends as a success when somebody cancels it, with a mere warning,
 * and with none at all when synchronous_standby_names is emptied; and it goes on when its client
 * has died. So a commit is flushed here alone, and its caller then looks how far the standbys have
 * flushed. What they have not confirmed in time may yet get to them: its outcome is unknown, and
 * the same asked again finds it done, and waits again. */
#ifndef RP_STORE_POSTGRES_STANDBY_H
#define RP_STORE_POSTGRES_STANDBY_H

#include "store/postgres/handle.h"

/* What a standby that streams must confirm within. */
#define RP_PG_STANDBY_MS 10000

/* Where the handle works without standby: RP_OK at once. */

/* Whether there are as many synchronous standbys as synchronous_standby_names asks for, before
 * anything is stored. RP_ERR_FULL: no. RP_ERR_DENIED: the role may not see them. */
enum rp_err rp_pg_standby_check(struct rp_pgstore *s, struct rp_error *err);
/* Waits until as many have flushed all that is flushed here. In the session of the commit, which it
 * follows. RP_ERR_AWAY: not in time, or the connection was lost. */
enum rp_err rp_pg_standby_await(struct rp_pgstore *s, struct rp_error *err);

#endif
