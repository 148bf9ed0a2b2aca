/* ingest.h - the loop of `runpost ingest`: lines in, synced commits, receipts out, in order.
 *
 * It is a group commit without timers. The next batch is what came while the last commit ran. A
 * single line is committed at once. A flood is committed in batches of up to RP_INGEST_BATCH_LINES
 * or _BYTES. Each batch is read and parsed while the one before is committed (committer.h).
 *
 * Promises:
 * - No byte of a receipt leaves before the commit that covers it has returned.
 * - Rejected lines are synced to their file before their receipts leave.
 * - Memory is bounded, however long a line is and however slowly receipts are read. */
#ifndef RP_INGEST_INGEST_H
#define RP_INGEST_INGEST_H

#include "base/sys.h"
#include "ingest/batch.h"

#define RP_INGEST_BATCH_LINES 4096
#define RP_INGEST_BATCH_BYTES ((size_t)2 << 20) /* so no commit keeps the write lock for long */
#define RP_INGEST_FULL_RETRY_MS 200
#define RP_INGEST_CHECK_MS 5000

/* Descriptors are borrowed, and their flags stay. The caller must ignore SIGPIPE. */
struct rp_ingest_options {
	int in_fd, out_fd;
	int rejects_fd; /* -1: rejected lines are not kept */
	int signal_fd;  /* a signalfd. A signal ends the input where it is. -1: none */
	struct rp_appender to;
	struct rp_span default_url;
	struct rp_run_cuts cuts;
	size_t max_line_bytes;
	int64_t full_wait_ms;  /* a full outbox: wait for room for so long, */
	int64_t full_retry_ms; /* ... and try after each such time */
	int64_t check_ms;      /* between checks that the outbox is still there */
	const struct rp_sys *sys;
};

struct rp_ingest_counts {
	/* lines that got their receipt, and by kind of receipt */
	uint64_t lines, queued, duplicate, skipped, rejected;
	uint64_t commits;
};

/* Runs until the end of input or a signal. RP_OK: each line read has its receipt. RP_ERR_FULL: no
 * room came in time. RP_ERR_AWAY: the store was away until a signal came; else it is waited for.
 * RP_ERR_IO: reading, committing, or writing rejects or receipts failed, or the outbox is gone.
 * RP_ERR_NOMEM. After an error a line without a receipt is either absent or stored whole, and can
 * be sent again. *counts is filled in any case. */
enum rp_err rp_ingest_run(const struct rp_ingest_options *options, struct rp_ingest_counts *counts,
			  struct rp_error *err);

#endif
