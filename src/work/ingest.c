#include "work/ingest.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "work/lines.h"
#include "work/receipts.h"
#include "work/rejects.h"

#define PIPE_BYTES (1 << 20)
#define BULK_ENTRIES 256
#define BULK_PAUSE_US 100

struct loop {
	const struct rp_ingest_options *o;
	struct rp_ingest_counts *counts;
	struct rp_error *err;
	struct rp_lines lines;
	struct rp_batch batch;
	struct rp_span line_of[RP_INGEST_BATCH_LINES]; /* the lines of the batch as they came */
	struct rp_receipts receipts;
	unsigned signals;
	bool ended;
};

static void take_signal(struct loop *l)
{
	struct signalfd_siginfo info;

	if (read(l->o->signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
		l->signals++;
}

/* The one place that waits: for input if wanted, for the reader of pending receipts, for a signal. */
static enum rp_err await(struct loop *l, bool want_input, int timeout_ms, bool *input)
{
	bool pending = rp_receipts_pending(&l->receipts) > 0;
	struct pollfd p[3] = {{.fd = want_input ? l->o->in_fd : -1, .events = POLLIN},
			      {.fd = pending ? l->o->out_fd : -1, .events = POLLOUT},
			      {.fd = l->o->signal_fd, .events = POLLIN}};
	int n = poll(p, 3, timeout_ms);

	*input = n > 0 && p[0].revents != 0;
	if (n < 0 && errno != EINTR)
		return rp_fail_sys(l->err, RP_ERR_IO, errno, "cannot wait for input");
	if (n > 0 && p[2].revents != 0)
		take_signal(l);
	return n > 0 && p[1].revents != 0 ? rp_receipts_write(&l->receipts, l->err) : RP_OK;
}

static enum rp_err await_reader(struct loop *l, size_t may_be_left)
{
	enum rp_err rc = RP_OK;
	bool input;

	while (rc == RP_OK && rp_receipts_pending(&l->receipts) > may_be_left) {
		if (l->signals > 1)
			return rp_fail(l->err, RP_ERR_IO,
				       "told to stop twice while nobody read the receipts; %zu bytes of them are lost",
				       rp_receipts_pending(&l->receipts));
		rc = await(l, false, -1, &input);
	}
	return rc;
}

static enum rp_err read_some(struct loop *l)
{
	size_t room;
	char *at = rp_lines_room(&l->lines, &room);
	ssize_t got;

	if (at == NULL)
		return rp_fail(l->err, RP_ERR_NOMEM, "out of memory for line %" PRIu64, l->counts->lines + 1);
	got = read(l->o->in_fd, at, room);
	if (got < 0 && errno != EINTR && errno != EAGAIN)
		return rp_fail_sys(l->err, RP_ERR_IO, errno, "cannot read the input after line %" PRIu64,
				   l->counts->lines);
	if (got > 0)
		rp_lines_filled(&l->lines, (size_t)got);
	if (got == 0) {
		rp_lines_end(&l->lines);
		l->ended = true;
	}
	return RP_OK;
}

/* Reads until there are lines to commit and no more input is there at this moment. */
static enum rp_err gather(struct loop *l)
{
	while (!l->ended && l->signals == 0) {
		bool ready = rp_lines_ready(&l->lines), input;
		enum rp_err rc;

		if (ready && rp_lines_full(&l->lines))
			return RP_OK;
		rc = await(l, true, ready ? 0 : -1, &input);
		if (rc == RP_OK && input)
			rc = read_some(l);
		if (rc != RP_OK || (ready && !input))
			return rc;
	}
	return RP_OK;
}

/* Stores *n runs of the batch from `from` on, or fewer when they do not all fit: a burst must not stand before a quota
 * that is smaller than it, nor leave room unused that smaller commits would fill. Waits only when not even one fits. */
static enum rp_err append(struct loop *l, size_t from, size_t *n)
{
	int64_t give_up_ms = rp_sys_boot_ms(l->o->sys) + l->o->full_wait_ms;
	bool told = false, input;
	char text[RP_ERROR_TEXT_MAX + 100];

	for (;;) {
		struct rp_error why = {0};
		enum rp_err rc = rp_batch_append(&l->batch, from, *n, &l->o->to, rp_sys_wall_ms(l->o->sys), &why);

		if (rc == RP_OK && told)
			rp_log(RP_LOG_INFO, "room", "after_line=%" PRIu64, l->counts->lines);
		if (rc == RP_OK)
			return RP_OK;
		if (rc == RP_ERR_FULL && *n > 1) {
			*n /= 2;
			continue;
		}
		if (rc == RP_ERR_FULL && !told) {
			rp_log(RP_LOG_WARN, "full", "after_line=%" PRIu64 " wait_ms=%" PRId64 " what=%s",
			       l->counts->lines, l->o->full_wait_ms, rp_log_quote(why.text, text, sizeof text));
			told = true;
		}
		if (rc != RP_ERR_FULL || l->signals > 0 || rp_sys_boot_ms(l->o->sys) >= give_up_ms)
			return rp_fail(l->err, rc, "%s; lines from %" PRIu64 " on have no receipt, send them again",
				       why.text, l->counts->lines + 1);
		rc = await(l, false, (int)l->o->full_retry_ms, &input);
		if (rc != RP_OK)
			return rc;
	}
}

static enum rp_err save_rejects(struct loop *l, size_t from, size_t n)
{
	bool any = false;
	enum rp_err rc;
	size_t i;

	if (l->o->rejects_fd < 0)
		return RP_OK;
	for (i = from; i < from + n; i++) {
		if (l->batch.runs[i].status != RP_RUN_REJECTED)
			continue;
		rc = rp_rejects_write(l->o->rejects_fd, l->line_of[i], true, l->err);
		if (rc != RP_OK)
			return rc;
		any = true;
	}
	return any ? rp_rejects_sync(l->o->rejects_fd, l->err) : RP_OK;
}

static bool add_receipt(struct loop *l, size_t i)
{
	const struct rp_parsed_run *run = &l->batch.runs[i];
	const struct rp_appended *stored = rp_batch_result(&l->batch, i);
	uint64_t line = ++l->counts->lines;

	if (stored != NULL) {
		*(stored->duplicate ? &l->counts->duplicate : &l->counts->queued) += 1;
		return rp_receipts_accepted(&l->receipts, line, stored->duplicate, stored->id, run->run_id);
	}
	if (run->status == RP_RUN_SKIPPED) {
		l->counts->skipped++;
		return rp_receipts_skipped(&l->receipts, line, run->reason, run->run_id);
	}
	l->counts->rejected++;
	return rp_receipts_rejected(&l->receipts, line, run->code, run->reason);
}

static enum rp_err send_receipts(struct loop *l, size_t from, size_t n)
{
	enum rp_err rc;
	size_t i;

	for (i = from; i < from + n; i++)
		if (!add_receipt(l, i))
			return rp_fail(l->err, RP_ERR_NOMEM, "out of memory for the receipt of line %" PRIu64,
				       l->counts->lines);
	rc = rp_receipts_write(&l->receipts, l->err);
	return rc == RP_OK ? await_reader(l, RP_RECEIPTS_LIMIT) : rc;
}

/* One commit and its receipts. *n: in, the runs there are from `from` on; out, those that were done. */
static enum rp_err finish_some(struct loop *l, size_t from, size_t *n)
{
	enum rp_err rc = append(l, from, n);

	if (rc == RP_OK && l->batch.n_entries > 0)
		l->counts->commits++;
	if (rc == RP_OK)
		rc = save_rejects(l, from, *n);
	if (rc == RP_OK)
		rc = send_receipts(l, from, *n);
	/* The store's write lock is unfair: a writer that commits 1,000 entries at a time without a pause held another
	 * one off for up to 2.9 s, with 100 us between its commits for 12 ms at most (measured). */
	if (rc == RP_OK && l->batch.n_entries >= BULK_ENTRIES)
		usleep(BULK_PAUSE_US);
	return rc;
}

static enum rp_err finish_batch(struct loop *l)
{
	enum rp_err rc = RP_OK;
	size_t at, n;

	for (at = 0; rc == RP_OK && at < l->batch.n; at += n) {
		n = l->batch.n - at;
		rc = finish_some(l, at, &n);
	}
	rp_batch_clear(&l->batch);
	return rc;
}

/* Bytes of a line that is too long go straight to the rejects. */
static enum rp_err pass_overlong(struct loop *l, struct rp_span bytes, bool tail)
{
	enum rp_err rc = RP_OK;
	char reason[160];

	if (l->o->rejects_fd >= 0)
		rc = rp_rejects_write(l->o->rejects_fd, bytes, tail, l->err);
	if (rc != RP_OK || !tail)
		return rc;
	if (l->o->rejects_fd >= 0)
		rc = rp_rejects_sync(l->o->rejects_fd, l->err);
	if (rc != RP_OK)
		return rc;
	snprintf(reason, sizeof reason, "the line is longer than %zu bytes; raise [ingest] max_line if it is a run",
		 l->o->max_line_bytes);
	l->counts->lines++;
	l->counts->rejected++;
	if (!rp_receipts_rejected(&l->receipts, l->counts->lines, "too_large", reason))
		return rp_fail(l->err, RP_ERR_NOMEM, "out of memory for the receipt of line %" PRIu64,
			       l->counts->lines);
	rc = rp_receipts_write(&l->receipts, l->err);
	return rc == RP_OK ? await_reader(l, RP_RECEIPTS_LIMIT) : rc;
}

/* One batch from the lines at hand, then the overlong line that ended it, if one did. */
static enum rp_err work_off(struct loop *l)
{
	const struct rp_run_options options = {.default_url = l->o->default_url};
	enum rp_lines_kind kind = RP_LINES_NONE;
	struct rp_span line;
	size_t bytes = 0;
	enum rp_err rc;

	while (l->batch.n < RP_INGEST_BATCH_LINES && bytes < RP_INGEST_BATCH_BYTES) {
		kind = rp_lines_next(&l->lines, &line);
		if (kind != RP_LINES_LINE)
			break;
		l->line_of[l->batch.n] = line;
		bytes += line.len;
		if (rp_batch_add(&l->batch, line, &options) == NULL)
			return rp_fail(l->err, RP_ERR_NOMEM, "out of memory after line %" PRIu64, l->counts->lines);
	}
	rc = finish_batch(l);
	if (rc == RP_OK && (kind == RP_LINES_PIECE || kind == RP_LINES_TAIL))
		rc = pass_overlong(l, line, kind == RP_LINES_TAIL);
	return rc;
}

static enum rp_err run_loop(struct loop *l)
{
	enum rp_err rc = RP_OK;

	while (rc == RP_OK && !l->ended && l->signals == 0) {
		rc = gather(l);
		while (rc == RP_OK && rp_lines_ready(&l->lines))
			rc = work_off(l);
	}
	if (rc == RP_OK && l->lines.overlong && l->o->rejects_fd >= 0)
		rc = rp_rejects_write(l->o->rejects_fd, rp_span_of(""), true, l->err);
	if (rc == RP_OK)
		return await_reader(l, 0);
	/* What earlier batches stored still deserves its receipts; the error to tell is the first one. */
	l->err = NULL;
	await_reader(l, 0);
	return rc;
}

enum rp_err rp_ingest_run(const struct rp_ingest_options *options, struct rp_ingest_counts *counts,
			  struct rp_error *err)
{
	struct loop *l = calloc(1, sizeof *l);
	enum rp_err rc;

	memset(counts, 0, sizeof *counts);
	if (l == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory at the start");
	l->o = options;
	l->counts = counts;
	l->err = err;
	rp_lines_init(&l->lines, options->max_line_bytes);
	rp_receipts_init(&l->receipts, options->out_fd);
	/* Bigger pipes make bigger batches; a smaller one works as well, so a refusal does not matter. */
	fcntl(options->in_fd, F_SETPIPE_SZ, PIPE_BYTES);
	fcntl(options->out_fd, F_SETPIPE_SZ, PIPE_BYTES);
	rc = run_loop(l);
	rp_receipts_release(&l->receipts);
	rp_batch_release(&l->batch);
	rp_lines_release(&l->lines);
	free(l);
	return rc;
}
