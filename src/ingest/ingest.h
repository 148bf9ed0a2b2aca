/* ingest.h - the loop of `runpost ingest`: lines in, synced commits, receipts out, in order.
 *
 * Group commit without timers: whatever has come by the time the last commit returned is the next
 * batch. A single line is committed at once, a flood in batches of up to RP_INGEST_BATCH_LINES or
 * _BYTES, each of which is read and parsed while the one before is being committed
 * (ingest/committer.h). Promises: no byte of a receipt leaves before the commit that covers it has
 * returned; rejected lines are synced to their file before their receipts; memory is bounded,
 * however long a line is and however slowly receipts are read. */
#ifndef RP_INGEST_INGEST_H
#define RP_INGEST_INGEST_H

#include "base/sys.h"
#include "ingest/batch.h"

#define RP_INGEST_BATCH_LINES 4096
#define RP_INGEST_BATCH_BYTES ((size_t)2 << 20) /* and no commit keeps the write lock for long */
#define RP_INGEST_FULL_RETRY_MS 200
#define RP_INGEST_LOOK_MS 5000

/* Descriptors are borrowed and their flags left alone. SIGPIPE must be ignored. */
struct rp_ingest_options {
	int in_fd, out_fd;
	int rejects_fd; /* -1: a rejection's receipt is all there is of it */
	int signal_fd;  /* a signalfd; a signal ends the input where it is. -1: none */
	struct rp_appender to;
	struct rp_span default_url;
	size_t max_line_bytes;
	int64_t full_wait_ms;  /* how long to wait for room when the outbox is full */
	int64_t full_retry_ms; /* and how often to try */
	/* how often to look whether the outbox is still there, whatever the input does */
	int64_t look_ms;
	const struct rp_sys *sys;
};

struct rp_ingest_counts {
	/* lines that got their receipt, and which */
	uint64_t lines, queued, duplicate, skipped, rejected;
	uint64_t commits;
};

/* Runs until the end of input or a signal. RP_OK: every line read has its receipt. RP_ERR_FULL: no
 * room came in time; RP_ERR_IO: reading, committing, or writing rejects or receipts failed, or the
 * outbox is gone. Lines without a receipt are then either absent or stored whole, and can be sent
 * again. *counts is filled in any case. */
enum rp_err rp_ingest_run(const struct rp_ingest_options *options, struct rp_ingest_counts *counts,
			  struct rp_error *err);

#endif
