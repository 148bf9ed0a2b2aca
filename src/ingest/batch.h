/* batch.h - parsed runs on their way into one commit: lines in, one append, one result each.
 *
 * What the ingester and the library share. The structs are reused from batch to batch, so a flood
 * allocates nothing. */
#ifndef RP_INGEST_BATCH_H
#define RP_INGEST_BATCH_H

#include "run/run.h"
#include "store/outbox.h"

/* Where a batch goes: the outbox, or a stand-in in tests. As rp_outbox_append and
 * rp_outbox_check. */
struct rp_appender {
	enum rp_err (*append)(void *arg, int64_t now_at_ms, const struct rp_new_entry *entries,
			      size_t n, struct rp_appended *out, struct rp_error *err);
	enum rp_err (*check)(void *arg, struct rp_error *err);
	void *arg;
};
struct rp_appender rp_appender_of(struct rp_outbox *ob);

/* {0} is a valid empty batch. */
struct rp_batch {
	struct rp_parsed_run *runs; /* runs[0..n) are in use, [0..capacity) initialised */
	struct rp_new_entry *entries;
	struct rp_appended *appended;
	size_t *entry_of; /* of a run that was accepted: its index in entries and appended */
	struct rp_buf names;
	size_t n, capacity, n_entries;
};

void rp_batch_release(struct rp_batch *batch);
/* Empties it and gives back what an unusual batch made it grow by. */
void rp_batch_clear(struct rp_batch *batch);

/* Parses `line`, which must stay where it is until the batch was appended. NULL: out of memory.
 * The result is valid until the next add. */
const struct rp_parsed_run *rp_batch_add(struct rp_batch *batch, struct rp_span line,
					 const struct rp_run_options *options);

/* Appends the accepted ones of the n runs from `from` on in one commit; without any, nothing is
 * called. May be repeated after a failure, with fewer runs too. */
enum rp_err rp_batch_append(struct rp_batch *batch, size_t from, size_t n,
			    const struct rp_appender *to, int64_t now_at_ms, struct rp_error *err);

/* What became of an accepted run of the last append; NULL for a skipped or rejected one. */
const struct rp_appended *rp_batch_result(const struct rp_batch *batch, size_t i);

#endif
