/* committer.h - makes one commit at a time in a thread of its own, while its owner reads and
 * parses the next batch.
 *
 * The thread calls nothing but the appender, so the whole write transaction, its flushes and the
 * bell are in it; what was appended is looked at by the owner again when the commit has ended. */
#ifndef RP_INGEST_COMMITTER_H
#define RP_INGEST_COMMITTER_H

#include "base/sys.h"
#include "ingest/batch.h"

struct rp_committer;

/* `to` and `sys` are borrowed. RP_ERR_NOMEM: no memory, thread or descriptor. */
enum rp_err rp_committer_start(const struct rp_appender *to, const struct rp_sys *sys,
			       struct rp_committer **out, struct rp_error *err);
/* Waits for a commit under way, whose result is lost, and ends the thread. NULL is harmless. */
void rp_committer_stop(struct rp_committer *c);

/* Begins to append the whole batch in one commit, which no other may be under way for. Until
 * rp_committer_end neither the batch, nor the lines it points to, nor the appender may be
 * touched. */
void rp_committer_begin(struct rp_committer *c, struct rp_batch *batch);
/* Readable when the commit has ended. */
int rp_committer_fd(const struct rp_committer *c);
/* Waits for its end; the result is that of rp_batch_append. */
enum rp_err rp_committer_end(struct rp_committer *c, struct rp_error *err);

/* The store's write lock is unfair: a writer that commits 1,000 entries at a time without a pause
 * held another one off for up to 2.9 s, with 100 us between its commits for 12 ms at most
 * (measured). To be called after a commit of n entries. */
void rp_committer_pause(size_t n_entries);

#endif
