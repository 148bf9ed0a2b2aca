/* committer.h - makes one commit at a time in a thread of its own. Meanwhile its owner reads and
 * parses the next batch.
 *
 * The thread calls only the appender. So the write transaction, its flushes and the wakeup of
 * senders all happen there. The owner looks at the results after the end of the commit. */
#ifndef RP_INGEST_COMMITTER_H
#define RP_INGEST_COMMITTER_H

#include "base/sys.h"
#include "ingest/batch.h"

struct rp_committer;

/* `to` is copied; what it points to and `sys` are borrowed. RP_ERR_NOMEM: no memory, thread or
 * descriptor; *out is NULL then. */
enum rp_err rp_committer_start(const struct rp_appender *to, const struct rp_sys *sys,
			       struct rp_committer **out, struct rp_error *err);
/* Waits for a commit under way, drops its result, and ends the thread. NULL is allowed. */
void rp_committer_stop(struct rp_committer *c);

/* Begins to append the whole batch in one commit. No commit may be under way. Until
 * rp_committer_end nobody else may touch the batch, the lines that it points to, or the
 * appender. */
void rp_committer_begin(struct rp_committer *c, struct rp_batch *batch);
/* Readable when the commit has ended. */
int rp_committer_fd(const struct rp_committer *c);
/* Waits for the end of the commit. The result is that of rp_batch_append. */
enum rp_err rp_committer_end(struct rp_committer *c, struct rp_error *err);

/* Pauses after a commit of n entries, if n is large. The write lock of the store is unfair. A
 * writer that committed 1,000 entries at a time without a pause held off another one for up to 2.9
 * s; with pauses of 100 us, for 12 ms at most (measured). */
void rp_committer_pause(size_t n_entries);

#endif
