/* door_commit.h - makes the commits of the door, one at a time, in a thread of its own. Meanwhile
 * the loop takes the next requests.
 *
 * Order: the runs are appended and synced, then the bodies to be kept are written and synced; only
 * then is any of it answered. */
#ifndef RP_SERVE_DOOR_COMMIT_H
#define RP_SERVE_DOOR_COMMIT_H

#include "base/sys.h"
#include "serve/door_batch.h"
#include "serve/door_counts.h"
#include "serve/door_rejects.h"

struct rp_door_commit;

/* `to` is copied; what it points to, `rejects`, `counts` and `sys` are borrowed. Bodies to be kept
 * are counted, those that are not kept too. RP_ERR_NOMEM: no memory, thread or descriptor; *out is
 * NULL then. */
enum rp_err rp_door_commit_start(const struct rp_appender *to, struct rp_door_rejects *rejects,
				 struct rp_door_counts *counts, const struct rp_sys *sys,
				 struct rp_door_commit **out, struct rp_error *err);
/* Waits for a commit under way, drops its result, and ends the thread. NULL is allowed. */
void rp_door_commit_stop(struct rp_door_commit *c);

/* Begins to commit a slice of the batch. No commit may be under way. Until rp_door_commit_end
 * nobody else may touch the batch, its requests, the appender or the rejects. */
void rp_door_commit_begin(struct rp_door_commit *c, struct rp_door_batch *batch,
			  const struct rp_door_slice *slice);
/* Readable when the commit has ended. */
int rp_door_commit_fd(const struct rp_door_commit *c);
/* Takes the end of the commit, which has come. The result is that of rp_batch_append.
 * *rejects_code: whether the bodies to be kept were kept; not RP_OK: rejects_err says why they were
 * not. */
enum rp_err rp_door_commit_end(struct rp_door_commit *c, struct rp_error *err,
			       enum rp_err *rejects_code, struct rp_error *rejects_err);

#endif
