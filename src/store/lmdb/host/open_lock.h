/* open_lock.h - private to src/store/lmdb: one process at a time opens or closes the files of an
 * outbox.
 *
 * LMDB alone does not make that safe: see sees_last_commit in db_open.c. */
#ifndef RP_STORE_LMDB_HOST_OPEN_LOCK_H
#define RP_STORE_LMDB_HOST_OPEN_LOCK_H

#include "base/err.h"

struct rp_lmdb;

#define RP_OPEN_LOCK_TRIES 5000 /* with a pause of 2 ms after each: 10 s */
#define RP_OPEN_LOCK_TRIES_TO_CLOSE 100

/* Of the directory that is open, wherever it or this process went since; before that, of the one
 * under the path. RP_ERR_BUSY: another process has been in it all that time; *lock is -1 then, as
 * after any error. */
enum rp_err rp_open_lock_enter(const struct rp_lmdb *ob, int tries, int *lock,
			       struct rp_error *err);
void rp_open_lock_leave(int lock); /* -1: not entered */
void rp_open_lock_pause(void);

#endif
