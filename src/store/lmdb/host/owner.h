/* owner.h - private to src/store/lmdb: an outbox has one user. */
#ifndef RP_STORE_LMDB_HOST_OWNER_H
#define RP_STORE_LMDB_HOST_OWNER_H

#include <stdbool.h>
#include <sys/stat.h>
#include "base/err.h"

struct rp_lmdb;

/* As whom files are opened and made. */
struct rp_owner {
	uid_t uid, dir_uid;
	gid_t gid;
	bool acts; /* root does, as uid and gid */
};

enum rp_err rp_owner_find(struct rp_lmdb *ob, const struct stat *dir, struct rp_error *err);
/* As rp_outbox_act, which ends with rp_outbox_act_end. */
enum rp_err rp_owner_act(struct rp_lmdb *ob, uid_t *before, struct rp_error *err);
/* For an open that failed with `sys`, of a file of the outbox. Where root acts as a user who may
 * not, RP_ERR_DENIED says so, and how to mend it; everything else is told as rp_fail_sys does.
 * Result: the code. */
enum rp_err rp_owner_fail_open(struct rp_lmdb *ob, const char *name, int sys, struct rp_error *err);
/* RP_ERR_DENIED: no regular file, or the file of a user whose it must not be. */
enum rp_err rp_owner_judge(struct rp_lmdb *ob, const char *name, const struct stat *st,
			   struct rp_error *err);

#endif
