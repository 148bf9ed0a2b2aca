/* ingest.c - runs the loop: read, parse, commit, answer. The order of these four steps is the
 * promise, so they stand in one file. The parts of each step are in the files beside it. */

#include "ingest/ingest.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/backoff.h"
#include "base/log.h"
#include "ingest/committer.h"
#include "ingest/lines.h"
#include "ingest/receipts.h"
#include "ingest/rejects.h"

#define PIPE_BYTES (1 << 20)
/* Fewer lines are committed in this thread: waking the other one would only delay them. */
#define INLINE_LINES 64
#define KEEP_TEXT_BYTES (4 * RP_LINES_CHUNK)

/* The lines of one commit. */
struct input_batch {
	struct rp_batch batch;
	struct rp_span *line_of; /* as they came, one for each run */
	size_t bytes;
};

/* One of two batches is filled while the other one is committed. */
struct loop {
	const struct rp_ingest_options *o;
	struct rp_ingest_counts *counts;
	struct rp_error *err;
	struct rp_lines lines;
	struct input_batch batches[2];
	struct input_batch *filling;    /* its text lies in the memory of `lines` */
	struct input_batch *committing; /* its text lies in `committing_text`; NULL: none */
	struct rp_buf committing_text;
	struct rp_committer *committer; /* NULL: no flood has come yet */
	struct rp_receipts receipts;
	enum rp_lines_kind overlong; /* PIECE or TAIL: `piece` follows the lines of `filling` */
	struct rp_span piece;
	int64_t check_boot_ms; /* when to check next that the outbox is still there */
	unsigned signals;
	bool ended;
};

/* What await has seen. */
struct events {
	bool input, commit_ended;
};

static void take_signal(struct loop *l)
{
	struct signalfd_siginfo info;

	if (read(l->o->signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
		l->signals++;
}

/* Somebody may have replaced the outbox. Then the locks of this process on the old files keep all
 * others from the new ones. A commit finds that out, too. But input of which nothing is stored
 * makes no commit, and a slow reader or disk may hold up the next one. */
static enum rp_err check_outbox(struct loop *l)
{
	int64_t now_ms = rp_sys_boot_ms(l->o->sys);
	enum rp_err rc;

	if (now_ms < l->check_boot_ms)
		return RP_OK;
	l->check_boot_ms = now_ms + l->o->check_ms;
	rc = l->o->to.check(l->o->to.arg, l->err);
	return rc != RP_ERR_AWAY ? rc : RP_OK; /* the next commit waits for it */
}

static int until_check_ms(const struct loop *l)
{
	int64_t left_ms = l->check_boot_ms - rp_sys_boot_ms(l->o->sys);

	return left_ms > 0 ? (int)left_ms : 0;
}

/* The only function that waits: for input or the end of a commit, if wanted; for the reader of
 * pending receipts; for a signal; for the next check of the outbox. Each batch comes by here before
 * it has receipts. */
static enum rp_err await(struct loop *l, bool want_input, bool want_commit, int timeout_ms,
			 struct events *seen)
{
	int check_ms = until_check_ms(l);
	bool pending = rp_receipts_pending(&l->receipts) > 0;
	struct pollfd p[4] = {
	    {.fd = want_input ? l->o->in_fd : -1, .events = POLLIN},
	    {.fd = pending ? l->o->out_fd : -1, .events = POLLOUT},
	    {.fd = l->o->signal_fd, .events = POLLIN},
	    {.fd = want_commit ? rp_committer_fd(l->committer) : -1, .events = POLLIN}};
	int n = poll(p, 4, timeout_ms < 0 || timeout_ms > check_ms ? check_ms : timeout_ms);
	int sys = errno;
	enum rp_err rc = check_outbox(l);

	seen->input = n > 0 && p[0].revents != 0;
	seen->commit_ended = n > 0 && p[3].revents != 0;
	if (n < 0 && sys != EINTR)
		return rp_fail_sys(l->err, RP_ERR_IO, sys, "cannot wait for input");
	if (n > 0 && p[2].revents != 0)
		take_signal(l);
	if (rc != RP_OK)
		return rc;
	return n > 0 && p[1].revents != 0 ? rp_receipts_write(&l->receipts, l->err) : RP_OK;
}

static enum rp_err await_reader(struct loop *l, size_t may_be_left)
{
	enum rp_err rc = RP_OK;
	struct events seen;

	while (rc == RP_OK && rp_receipts_pending(&l->receipts) > may_be_left) {
		if (l->signals > 1)
			return rp_fail(l->err, RP_ERR_IO,
				       "told to stop twice while nobody read the receipts; %zu "
				       "bytes of them are lost",
				       rp_receipts_pending(&l->receipts));
		rc = await(l, false, false, -1, &seen);
	}
	return rc;
}

/* --- lines in ----------------------------------------------------------------------- */

static bool has_room(const struct input_batch *b)
{
	return b->batch.n < RP_INGEST_BATCH_LINES && b->bytes < RP_INGEST_BATCH_BYTES;
}

/* Parses the lines that are there into the batch, up to an overlong line. */
static enum rp_err fill_batch(struct loop *l)
{
	const struct rp_run_options options = {.default_url = l->o->default_url,
					       .cuts = l->o->cuts};
	struct input_batch *b = l->filling;
	enum rp_lines_kind kind;
	struct rp_span line;

	while (l->overlong == RP_LINES_NONE && has_room(b) &&
	       (kind = rp_lines_next(&l->lines, &line)) != RP_LINES_NONE) {
		if (kind != RP_LINES_LINE) {
			l->overlong = kind;
			l->piece = line;
			break;
		}
		b->line_of[b->batch.n] = line;
		b->bytes += line.len;
		if (rp_batch_add(&b->batch, line, &options) == NULL)
			return rp_fail(l->err, RP_ERR_NOMEM, "out of memory after line %" PRIu64,
				       l->counts->lines);
	}
	return RP_OK;
}

/* *full: the lines of the batch leave no room to read more. */
static enum rp_err read_some(struct loop *l, bool *full)
{
	bool keep = l->filling->batch.n > 0;
	size_t room;
	char *at = keep ? rp_lines_room_after(&l->lines, &room) : rp_lines_room(&l->lines, &room);
	ssize_t got;

	*full = at == NULL && keep;
	if (*full)
		return RP_OK;
	if (at == NULL)
		return rp_fail(l->err, RP_ERR_NOMEM, "out of memory for line %" PRIu64,
			       l->counts->lines + 1);
	got = read(l->o->in_fd, at, room);
	if (got < 0 && errno != EINTR && errno != EAGAIN)
		return rp_fail_sys(l->err, RP_ERR_IO, errno,
				   "cannot read the input after line %" PRIu64, l->counts->lines);
	if (got > 0)
		rp_lines_filled(&l->lines, (size_t)got);
	if (got == 0) {
		rp_lines_end(&l->lines);
		l->ended = true;
	}
	return RP_OK;
}

/* Reads and parses until one of these holds:
 * - The batch is full.
 * - The batch has something, no commit is under way, and no more input is there at this moment.
 * - The commit under way has ended. */
static enum rp_err gather(struct loop *l)
{
	bool full = false;
	enum rp_err rc;

	for (;;) {
		bool any, busy = l->committing != NULL;
		struct events seen;

		rc = fill_batch(l);
		any = l->filling->batch.n > 0 || l->overlong != RP_LINES_NONE;
		full = full || !has_room(l->filling) || l->overlong != RP_LINES_NONE || l->ended ||
		       l->signals > 0;
		if (rc != RP_OK || (full && !busy))
			return rc;
		rc = await(l, !full, busy, any && !busy ? 0 : -1, &seen);
		if (rc == RP_OK && seen.input)
			rc = read_some(l, &full);
		if (rc != RP_OK || seen.commit_ended || (any && !busy && !seen.input))
			return rc;
	}
}

/* --- commits and receipts ----------------------------------------------------------- */

/* What keeps a batch from being stored, and until when to try. */
struct trouble {
	enum rp_err told; /* in the log; RP_OK: nothing was */
	int64_t give_up_boot_ms;
	int64_t away_ms; /* of the last wait for a store that was away */
};

static void tell(const struct loop *l, struct trouble *t, enum rp_err rc,
		 const struct rp_error *why)
{
	char text[RP_ERROR_TEXT_MAX + 100];

	if (t->told == rc)
		return;
	t->told = rc;
	rp_log_quote(why->text, text, sizeof text);
	if (rc == RP_ERR_FULL)
		rp_log(RP_LOG_WARN, "full", "after_line=%" PRIu64 " wait_ms=%" PRId64 " what=%s",
		       l->counts->lines, l->o->full_wait_ms, text);
	else
		rp_log(RP_LOG_WARN, "store_away", "after_line=%" PRIu64 " why=%s", l->counts->lines,
		       text);
}

static void tell_end(const struct loop *l, const struct trouble *t)
{
	if (t->told == RP_ERR_FULL)
		rp_log(RP_LOG_INFO, "room", "after_line=%" PRIu64, l->counts->lines);
	if (t->told == RP_ERR_AWAY)
		rp_log(RP_LOG_INFO, "store_back", "after_line=%" PRIu64, l->counts->lines);
}

/* A full store is waited for as long as the options say, one that is away until it is back: what
 * became of the batch is not known before. */
static bool is_waited_for(const struct loop *l, const struct trouble *t, enum rp_err rc)
{
	if (l->signals > 0)
		return false;
	return rc == RP_ERR_AWAY ||
	       (rc == RP_ERR_FULL && rp_sys_boot_ms(l->o->sys) < t->give_up_boot_ms);
}

static int next_wait_ms(const struct loop *l, struct trouble *t, enum rp_err rc)
{
	if (rc == RP_ERR_FULL)
		return (int)l->o->full_retry_ms;
	t->away_ms = rp_backoff_next_ms(t->away_ms);
	return (int)t->away_ms;
}

/* Waits so long, or until a signal. */
static enum rp_err pause_for(struct loop *l, int wait_ms)
{
	int64_t until_ms = rp_sys_boot_ms(l->o->sys) + wait_ms, left_ms = wait_ms;
	enum rp_err rc = RP_OK;
	struct events seen;

	while (rc == RP_OK && left_ms > 0 && l->signals == 0) {
		rc = await(l, false, false, (int)left_ms, &seen);
		left_ms = until_ms - rp_sys_boot_ms(l->o->sys);
	}
	return rc;
}

/* Stores *n runs of the batch from `from` on, or fewer when they do not all fit: a burst may be
 * larger than the quota, and smaller commits use the room that is left. Waits only when not even
 * one run fits, or when the store is away. */
static enum rp_err append(struct loop *l, struct input_batch *b, size_t from, size_t *n)
{
	struct trouble t = {.give_up_boot_ms = rp_sys_boot_ms(l->o->sys) + l->o->full_wait_ms};

	for (;;) {
		struct rp_error why = {0};
		enum rp_err rc = rp_batch_append(&b->batch, from, *n, &l->o->to,
						 rp_sys_wall_ms(l->o->sys), &why);

		if (rc == RP_OK) {
			tell_end(l, &t);
			return RP_OK;
		}
		if (rc == RP_ERR_FULL && *n > 1) {
			*n /= 2;
			continue;
		}
		if (rc == RP_ERR_FULL || rc == RP_ERR_AWAY)
			tell(l, &t, rc, &why);
		if (!is_waited_for(l, &t, rc))
			return rp_fail(l->err, rc,
				       "%s; lines from %" PRIu64
				       " on have no receipt, send them again",
				       why.text, l->counts->lines + 1);
		rc = pause_for(l, next_wait_ms(l, &t, rc));
		if (rc != RP_OK)
			return rc;
	}
}

static enum rp_err save_rejects(struct loop *l, const struct input_batch *b, size_t from, size_t n)
{
	bool any = false;
	enum rp_err rc;
	size_t i;

	if (l->o->rejects_fd < 0)
		return RP_OK;
	for (i = from; i < from + n; i++) {
		if (b->batch.runs[i].status != RP_RUN_REJECTED)
			continue;
		rc = rp_rejects_write(l->o->rejects_fd, b->line_of[i], true, l->err);
		if (rc != RP_OK)
			return rc;
		any = true;
	}
	return any ? rp_rejects_sync(l->o->rejects_fd, l->err) : RP_OK;
}

static bool add_receipt(struct loop *l, const struct input_batch *b, size_t i)
{
	const struct rp_parsed_run *run = &b->batch.runs[i];
	const struct rp_appended *stored = rp_batch_result(&b->batch, i);
	uint64_t line = ++l->counts->lines;

	if (stored != NULL) {
		*(stored->duplicate ? &l->counts->duplicate : &l->counts->queued) += 1;
		return rp_receipts_accepted(&l->receipts, line, stored->duplicate, stored->id,
					    run->run_id);
	}
	if (run->status == RP_RUN_SKIPPED) {
		l->counts->skipped++;
		return rp_receipts_skipped(&l->receipts, line, run->reason, run->run_id);
	}
	l->counts->rejected++;
	return rp_receipts_rejected(&l->receipts, line, run->code, run->reason);
}

/* After the commit of these runs: writes their rejects, then their receipts. */
static enum rp_err answer(struct loop *l, struct input_batch *b, size_t from, size_t n)
{
	enum rp_err rc = save_rejects(l, b, from, n);
	size_t i;

	assert(from <= b->batch.n && n <= b->batch.n - from);
	l->counts->commits += b->batch.n_entries > 0;
	if (rc != RP_OK)
		return rc;
	for (i = from; i < from + n; i++)
		if (!add_receipt(l, b, i))
			return rp_fail(l->err, RP_ERR_NOMEM,
				       "out of memory for the receipt of line %" PRIu64,
				       l->counts->lines);
	rc = rp_receipts_write(&l->receipts, l->err);
	return rc == RP_OK ? await_reader(l, RP_RECEIPTS_LIMIT) : rc;
}

/* Commits in this thread, while no commit is under way: a few lines, or many that do not fit at
 * once. */
static enum rp_err commit_inline(struct loop *l, struct input_batch *b)
{
	enum rp_err rc = RP_OK;
	size_t at, n;

	for (at = 0; rc == RP_OK && at < b->batch.n; at += n) {
		n = b->batch.n - at;
		rc = append(l, b, at, &n);
		if (rc == RP_OK)
			rc = answer(l, b, at, n);
		if (rc == RP_OK)
			rp_committer_pause(b->batch.n_entries);
	}
	return rc;
}

static void clear_batch(struct input_batch *b)
{
	rp_batch_clear(&b->batch);
	b->bytes = 0;
}

static void begin(struct loop *l)
{
	assert(l->committing == NULL && l->filling->batch.n > 0);
	l->committing = l->filling;
	rp_committer_begin(l->committer, &l->filling->batch);
}

static enum rp_err finish(struct loop *l, struct input_batch *b, enum rp_err committed,
			  const struct rp_error *why)
{
	enum rp_err rc;

	if (committed == RP_OK)
		rc = answer(l, b, 0, b->batch.n);
	else if (committed == RP_ERR_FULL || committed == RP_ERR_AWAY)
		rc = commit_inline(l, b);
	else
		rc = rp_fail(l->err, committed,
			     "%s; lines from %" PRIu64 " on have no receipt, send them again",
			     why->text, l->counts->lines + 1);
	clear_batch(b);
	return rc;
}

/* The next lines go into the other batch, which is committed: its text is not needed any more. */
static enum rp_err switch_batch(struct loop *l)
{
	assert(l->committing == l->filling);
	l->filling = l->filling == &l->batches[0] ? &l->batches[1] : &l->batches[0];
	if (l->committing_text.cap > KEEP_TEXT_BYTES)
		rp_buf_release(&l->committing_text);
	if (!rp_lines_swap(&l->lines, &l->committing_text))
		return rp_fail(l->err, RP_ERR_NOMEM, "out of memory after line %" PRIu64,
			       l->counts->lines);
	return RP_OK;
}

/* false: the batch is committed in this thread, which is slower and promises the same; the next one
 * tries again. */
static bool has_committer(struct loop *l)
{
	struct rp_error ignored;

	return l->committer != NULL ||
	       rp_committer_start(&l->o->to, l->o->sys, &l->committer, &ignored) == RP_OK;
}

/* Ends the commit under way, if there is one, and begins the commit of the filled batch. The disk
 * goes first: the next commit begins before the receipts of the last one are made. */
static enum rp_err commit_filled(struct loop *l)
{
	bool bulk = l->filling->batch.n >= INLINE_LINES && has_committer(l);
	struct input_batch *done = l->committing;
	enum rp_err rc = RP_OK, committed = RP_OK;
	struct rp_error why = {0};

	if (done != NULL)
		committed = rp_committer_end(l->committer, &why);
	l->committing = NULL;
	if (bulk && committed == RP_OK)
		begin(l);
	if (done != NULL)
		rc = finish(l, done, committed, &why);
	if (rc == RP_OK && bulk && l->committing == NULL)
		begin(l);
	if (l->committing != NULL || rc != RP_OK)
		return rc == RP_OK ? switch_batch(l) : rc;
	rc = commit_inline(l, l->filling);
	clear_batch(l->filling);
	return rc;
}

/* The bytes of a line that is too long go straight to the rejects. */
static enum rp_err reject_overlong(struct loop *l)
{
	bool tail = l->overlong == RP_LINES_TAIL;
	enum rp_err rc = RP_OK;
	char reason[160];

	/* Receipts are in order: all lines before this one have theirs. */
	assert(l->committing == NULL && l->filling->batch.n == 0);
	l->overlong = RP_LINES_NONE;
	if (l->o->rejects_fd >= 0)
		rc = rp_rejects_write(l->o->rejects_fd, l->piece, tail, l->err);
	if (rc != RP_OK || !tail)
		return rc;
	if (l->o->rejects_fd >= 0)
		rc = rp_rejects_sync(l->o->rejects_fd, l->err);
	if (rc != RP_OK)
		return rc;
	snprintf(reason, sizeof reason,
		 "the line is longer than %zu bytes; raise [ingest] max_line if it is a run",
		 l->o->max_line_bytes);
	l->counts->lines++;
	l->counts->rejected++;
	if (!rp_receipts_rejected(&l->receipts, l->counts->lines, "too_large", reason))
		return rp_fail(l->err, RP_ERR_NOMEM,
			       "out of memory for the receipt of line %" PRIu64, l->counts->lines);
	rc = rp_receipts_write(&l->receipts, l->err);
	return rc == RP_OK ? await_reader(l, RP_RECEIPTS_LIMIT) : rc;
}

static bool is_done(struct loop *l)
{
	return (l->ended || l->signals > 0) && l->committing == NULL && l->filling->batch.n == 0 &&
	       l->overlong == RP_LINES_NONE && !rp_lines_ready(&l->lines);
}

static enum rp_err run_loop(struct loop *l)
{
	enum rp_err rc = RP_OK;

	while (rc == RP_OK && !is_done(l)) {
		rc = gather(l);
		if (rc == RP_OK)
			rc = commit_filled(l);
		if (rc == RP_OK && l->overlong != RP_LINES_NONE && l->committing == NULL)
			rc = reject_overlong(l);
	}
	if (rc == RP_OK && l->lines.overlong && l->o->rejects_fd >= 0)
		rc = rp_rejects_write(l->o->rejects_fd, rp_span_of(""), true, l->err);
	if (rc == RP_OK)
		return await_reader(l, 0);
	/* What was stored still gets its receipts. The error to report is the first one. */
	l->err = NULL;
	if (l->committing == NULL || (rp_committer_end(l->committer, NULL) == RP_OK &&
				      answer(l, l->committing, 0, l->committing->batch.n) == RP_OK))
		await_reader(l, 0);
	return rc;
}

static bool make_lines(struct loop *l)
{
	size_t i;

	for (i = 0; i < 2; i++)
		l->batches[i].line_of =
		    malloc(RP_INGEST_BATCH_LINES * sizeof l->batches[i].line_of[0]);
	return l->batches[0].line_of != NULL && l->batches[1].line_of != NULL;
}

static void release(struct loop *l)
{
	size_t i;

	rp_committer_stop(l->committer); /* first: a commit may still read all of the rest */
	rp_receipts_release(&l->receipts);
	for (i = 0; i < 2; i++) {
		rp_batch_release(&l->batches[i].batch);
		free(l->batches[i].line_of);
	}
	rp_buf_release(&l->committing_text);
	rp_lines_release(&l->lines);
	free(l);
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
	l->filling = &l->batches[0];
	l->check_boot_ms = rp_sys_boot_ms(options->sys) + options->check_ms;
	rp_lines_init(&l->lines, options->max_line_bytes);
	rp_receipts_init(&l->receipts, options->out_fd);
	/* Bigger pipes make bigger batches. A smaller pipe works as well, so a refusal does not
	 * matter. */
	fcntl(options->in_fd, F_SETPIPE_SZ, PIPE_BYTES);
	fcntl(options->out_fd, F_SETPIPE_SZ, PIPE_BYTES);
	rc = make_lines(l) ? run_loop(l) : rp_fail(err, RP_ERR_NOMEM, "out of memory at the start");
	release(l);
	return rc;
}
