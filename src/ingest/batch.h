/* batch.h - the parsed runs of one commit: lines in, one append, a result for each run.
 *
 * Ingest and the library share it. The structs are used again for each batch, so a flood of lines
 * allocates nothing. */
#ifndef RP_INGEST_BATCH_H
#define RP_INGEST_BATCH_H

#include "run/run.h"
#include "store/outbox.h"

/* Where a batch goes: the outbox, or another store in tests. The functions do what rp_outbox_append
 * and rp_outbox_check do. */
struct rp_appender {
	enum rp_err (*append)(void *arg, int64_t now_at_ms, const struct rp_new_entry *entries,
			      size_t n, struct rp_appended *out, struct rp_error *err);
	enum rp_err (*check)(void *arg, struct rp_error *err);
	void *arg;
};
struct rp_appender rp_appender_of(struct rp_outbox *ob);

/* {0} is a valid empty batch. */
struct rp_batch {
	struct rp_parsed_run *runs; /* [0..n) are in use, [0..capacity) are initialised */
	struct rp_new_entry *entries;
	struct rp_appended *appended;
	size_t *entry_of; /* of an accepted run: its index in entries and appended */
	/* of each run: the id that an append of unknown outcome gave it; zero: none */
	unsigned char (*tried)[RP_ID_BYTES];
	struct rp_buf names;
	size_t n, capacity, n_entries;
};

void rp_batch_release(struct rp_batch *batch);
/* Empties the batch, and frees memory that only an unusual batch needs. */
void rp_batch_clear(struct rp_batch *batch);

/* Parses `line` into the batch. The line must stay where it is until the batch was appended. NULL:
 * out of memory. The result is valid until the next add. */
const struct rp_parsed_run *rp_batch_add(struct rp_batch *batch, struct rp_span line,
					 const struct rp_run_options *options);

/* Appends the accepted ones among the n runs from `from` on, in one commit. Without any, there is
 * no commit. May be repeated after a failure, also with fewer runs; after RP_ERR_AWAY the runs keep
 * their ids, so what had been stored is found as queued. Errors are those of the appender, and
 * RP_ERR_NOMEM. */
enum rp_err rp_batch_append(struct rp_batch *batch, size_t from, size_t n,
			    const struct rp_appender *to, int64_t now_at_ms, struct rp_error *err);

/* The result of an accepted run of the last append. NULL: the run was skipped or rejected. */
const struct rp_appended *rp_batch_result(const struct rp_batch *batch, size_t i);

#endif
