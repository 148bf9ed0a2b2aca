/* users.h - private to src/store/lmdb: who else has the outbox open, and where.
 *
 * LMDB's write lock is a robust mutex that holds the thread id of its owner: where two PID
 * namespaces share it, equal ids hand it over while it is held. */
#ifndef RP_STORE_LMDB_HOST_USERS_H
#define RP_STORE_LMDB_HOST_USERS_H

#include "base/err.h"

struct rp_lmdb;

/* Under the open lock, before LMDB opens anything: opens the doorbell, and says there that this
 * process is a user. RP_ERR_BUSY: there are users in another PID namespace, on another machine, or
 * of other files than those under the path. Closing the doorbell ends it. */
enum rp_err rp_users_enter(struct rp_lmdb *ob, struct rp_error *err);
/* Afterwards: LMDB has opened the files that are under the path, and these are what is used. */
enum rp_err rp_users_stay(struct rp_lmdb *ob, int data_fd, struct rp_error *err);
/* Under the open lock, when no outbox was found: takes away the doorbell that this handle made, if
 * nobody else uses it. */
void rp_users_leave_nothing(struct rp_lmdb *ob);

#endif
