/* damage.h - private to src/store/lmdb: what ends a thread within LMDB is damage of the data file.
 * Who asks for it: rp_outbox_end_on_damage in store/outbox.h. */
#ifndef RP_STORE_LMDB_DB_DAMAGE_H
#define RP_STORE_LMDB_DB_DAMAGE_H

#include "store/lmdb/db/db.h"

void rp_damage_watch(struct rp_db *db); /* before anything is read */
/* Around every transaction, from before it begins, and every other call in which LMDB reads pages.
 * What ends this thread between the two is damage, and what it logs there goes out behind it
 * (rp_log_hold): others may be waiting for the lock. */
void rp_damage_enter(const struct rp_db *db);
void rp_damage_leave(void);

#endif
