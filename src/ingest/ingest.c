/* ingest.c - runs the loop: read, parse, commit, answer. The order of these four is the promise,
 * so it stands in one file, and the parts in others. */

#include "ingest/ingest.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "ingest/committer.h"
#include "ingest/lines.h"
#include "ingest/receipts.h"
#include "ingest/rejects.h"

#define PIPE_BYTES (1 << 20)
/* so few are committed in this thread: waking another one would only delay them */
#define HERE_LINES 64
#define KEEP_LINES_BYTES (4 * RP_LINES_CHUNK)

/* Lines on their way into one commit. */
struct slot {
	struct rp_batch batch;
	struct rp_span line_of[RP_INGEST_BATCH_LINES]; /* the lines of the batch as they came */
	size_t bytes;
};

/* One slot is filled while the other is committed. */
struct loop {
	const struct rp_ingest_options *o;
	struct rp_ingest_counts *counts;
	struct rp_error *err;
	struct rp_lines lines;
	struct slot slots[2];
	struct slot *filling;    /* its lines lie in the memory of `lines`, */
	struct slot *committing; /* the lines of this one in `left`; NULL: none */
	struct rp_buf left;
	struct rp_committer *committer;
	struct rp_receipts receipts;
	enum rp_lines_kind overlong; /* PIECE or TAIL: `piece` comes after the lines of `filling` */
	struct rp_span piece;
	int64_t look_boot_ms; /* when to look next whether the outbox is still there */
	unsigned signals;
	bool ended;
};

/* What await saw. */
struct events {
	bool input, commit_ended;
};

static void take_signal(struct loop *l)
{
	struct signalfd_siginfo info;

	if (read(l->o->signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
		l->signals++;
}

/* A commit looks too. But input of which nothing is stored makes none, and a reader or a disk may
 * keep the next one waiting, while the locks that this process holds on the old files keep
 * everybody from those that took their place. */
static enum rp_err look(struct loop *l)
{
	int64_t now_ms = rp_sys_boot_ms(l->o->sys);

	if (now_ms < l->look_boot_ms)
		return RP_OK;
	l->look_boot_ms = now_ms + l->o->look_ms;
	return l->o->to.check(l->o->to.arg, l->err);
}

static int until_look_ms(const struct loop *l)
{
	int64_t left_ms = l->look_boot_ms - rp_sys_boot_ms(l->o->sys);

	return left_ms > 0 ? (int)left_ms : 0;
}

/* The one place that waits: for input or the end of a commit if wanted, for the reader of pending
 * receipts, for a signal, for the next look. Each batch comes by here before it has receipts. */
static enum rp_err await(struct loop *l, bool want_input, bool want_commit, int timeout_ms,
			 struct events *seen)
{
	int look_ms = until_look_ms(l);
	bool pending = rp_receipts_pending(&l->receipts) > 0;
	struct pollfd p[4] = {
	    {.fd = want_input ? l->o->in_fd : -1, .events = POLLIN},
	    {.fd = pending ? l->o->out_fd : -1, .events = POLLOUT},
	    {.fd = l->o->signal_fd, .events = POLLIN},
	    {.fd = want_commit ? rp_committer_fd(l->committer) : -1, .events = POLLIN}};
	int n = poll(p, 4, timeout_ms < 0 || timeout_ms > look_ms ? look_ms : timeout_ms);
	int sys = errno;
	enum rp_err rc = look(l);

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

static bool has_room(const struct slot *s)
{
	return s->batch.n < RP_INGEST_BATCH_LINES && s->bytes < RP_INGEST_BATCH_BYTES;
}

/* Parses what is there into the slot, up to an overlong line. */
static enum rp_err fill_slot(struct loop *l)
{
	const struct rp_run_options options = {.default_url = l->o->default_url};
	struct slot *s = l->filling;
	enum rp_lines_kind kind;
	struct rp_span line;

	while (l->overlong == RP_LINES_NONE && has_room(s) &&
	       (kind = rp_lines_next(&l->lines, &line)) != RP_LINES_NONE) {
		if (kind != RP_LINES_LINE) {
			l->overlong = kind;
			l->piece = line;
			break;
		}
		s->line_of[s->batch.n] = line;
		s->bytes += line.len;
		if (rp_batch_add(&s->batch, line, &options) == NULL)
			return rp_fail(l->err, RP_ERR_NOMEM, "out of memory after line %" PRIu64,
				       l->counts->lines);
	}
	return RP_OK;
}

/* *full: the lines of the slot leave no room to read more. */
static enum rp_err read_some(struct loop *l, bool *full)
{
	bool keep = l->filling->batch.n > 0;
	size_t room;
	char *at = keep ? rp_lines_room_behind(&l->lines, &room) : rp_lines_room(&l->lines, &room);
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

/* Reads and parses until the slot is full, or holds something while no commit is under way and no
 * more input is there at this moment; or until the commit under way has ended. */
static enum rp_err gather(struct loop *l)
{
	bool full = false;
	enum rp_err rc;

	for (;;) {
		bool any, busy = l->committing != NULL;
		struct events seen;

		rc = fill_slot(l);
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

/* Stores *n runs of the batch from `from` on, or fewer when they do not all fit: a burst must not
 * stand before a quota that is smaller than it, nor leave room unused that smaller commits would
 * fill. Waits only when not even one fits. */
static enum rp_err append(struct loop *l, struct slot *s, size_t from, size_t *n)
{
	int64_t give_up_ms = rp_sys_boot_ms(l->o->sys) + l->o->full_wait_ms;
	char text[RP_ERROR_TEXT_MAX + 100];
	struct events seen;
	bool told = false;

	for (;;) {
		struct rp_error why = {0};
		enum rp_err rc = rp_batch_append(&s->batch, from, *n, &l->o->to,
						 rp_sys_wall_ms(l->o->sys), &why);

		if (rc == RP_OK && told)
			rp_log(RP_LOG_INFO, "room", "after_line=%" PRIu64, l->counts->lines);
		if (rc == RP_OK)
			return RP_OK;
		if (rc == RP_ERR_FULL && *n > 1) {
			*n /= 2;
			continue;
		}
		if (rc == RP_ERR_FULL && !told) {
			rp_log(RP_LOG_WARN, "full",
			       "after_line=%" PRIu64 " wait_ms=%" PRId64 " what=%s",
			       l->counts->lines, l->o->full_wait_ms,
			       rp_log_quote(why.text, text, sizeof text));
			told = true;
		}
		if (rc != RP_ERR_FULL || l->signals > 0 || rp_sys_boot_ms(l->o->sys) >= give_up_ms)
			return rp_fail(l->err, rc,
				       "%s; lines from %" PRIu64
				       " on have no receipt, send them again",
				       why.text, l->counts->lines + 1);
		rc = await(l, false, false, (int)l->o->full_retry_ms, &seen);
		if (rc != RP_OK)
			return rc;
	}
}

static enum rp_err save_rejects(struct loop *l, const struct slot *s, size_t from, size_t n)
{
	bool any = false;
	enum rp_err rc;
	size_t i;

	if (l->o->rejects_fd < 0)
		return RP_OK;
	for (i = from; i < from + n; i++) {
		if (s->batch.runs[i].status != RP_RUN_REJECTED)
			continue;
		rc = rp_rejects_write(l->o->rejects_fd, s->line_of[i], true, l->err);
		if (rc != RP_OK)
			return rc;
		any = true;
	}
	return any ? rp_rejects_sync(l->o->rejects_fd, l->err) : RP_OK;
}

static bool add_receipt(struct loop *l, const struct slot *s, size_t i)
{
	const struct rp_parsed_run *run = &s->batch.runs[i];
	const struct rp_appended *stored = rp_batch_result(&s->batch, i);
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

/* After the commit of these runs: their rejects, then their receipts. */
static enum rp_err answer(struct loop *l, struct slot *s, size_t from, size_t n)
{
	enum rp_err rc = save_rejects(l, s, from, n);
	size_t i;

	l->counts->commits += s->batch.n_entries > 0;
	if (rc != RP_OK)
		return rc;
	for (i = from; i < from + n; i++)
		if (!add_receipt(l, s, i))
			return rp_fail(l->err, RP_ERR_NOMEM,
				       "out of memory for the receipt of line %" PRIu64,
				       l->counts->lines);
	rc = rp_receipts_write(&l->receipts, l->err);
	return rc == RP_OK ? await_reader(l, RP_RECEIPTS_LIMIT) : rc;
}

/* In this thread, while no commit is under way: a few lines, or many that do not fit at once. */
static enum rp_err store_here(struct loop *l, struct slot *s)
{
	enum rp_err rc = RP_OK;
	size_t at, n;

	for (at = 0; rc == RP_OK && at < s->batch.n; at += n) {
		n = s->batch.n - at;
		rc = append(l, s, at, &n);
		if (rc == RP_OK)
			rc = answer(l, s, at, n);
		if (rc == RP_OK)
			rp_committer_pause(s->batch.n_entries);
	}
	return rc;
}

static void clear_slot(struct slot *s)
{
	rp_batch_clear(&s->batch);
	s->bytes = 0;
}

static void begin(struct loop *l)
{
	l->committing = l->filling;
	rp_committer_begin(l->committer, &l->filling->batch);
}

static enum rp_err finish(struct loop *l, struct slot *s, enum rp_err committed,
			  const struct rp_error *why)
{
	enum rp_err rc;

	if (committed == RP_OK)
		rc = answer(l, s, 0, s->batch.n);
	else if (committed == RP_ERR_FULL)
		rc = store_here(l, s);
	else
		rc = rp_fail(l->err, committed,
			     "%s; lines from %" PRIu64 " on have no receipt, send them again",
			     why->text, l->counts->lines + 1);
	clear_slot(s);
	return rc;
}

/* The next lines go into the other slot, whose lines in `left` are done with. */
static enum rp_err turn_page(struct loop *l)
{
	l->filling = l->filling == &l->slots[0] ? &l->slots[1] : &l->slots[0];
	if (l->left.cap > KEEP_LINES_BYTES)
		rp_buf_release(&l->left);
	if (!rp_lines_leave(&l->lines, &l->left))
		return rp_fail(l->err, RP_ERR_NOMEM, "out of memory after line %" PRIu64,
			       l->counts->lines);
	return RP_OK;
}

/* Ends the commit under way, if there is one, and begins the next with what has been filled. The
 * disk goes first: the next batch is on its way before the receipts of the last one are made. */
static enum rp_err turn_over(struct loop *l)
{
	bool bulk = l->filling->batch.n >= HERE_LINES;
	struct slot *done = l->committing;
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
		return rc == RP_OK ? turn_page(l) : rc;
	rc = store_here(l, l->filling);
	clear_slot(l->filling);
	return rc;
}

/* Bytes of a line that is too long go straight to the rejects. */
static enum rp_err pass_overlong(struct loop *l)
{
	bool tail = l->overlong == RP_LINES_TAIL;
	enum rp_err rc = RP_OK;
	char reason[160];

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
			rc = turn_over(l);
		if (rc == RP_OK && l->overlong != RP_LINES_NONE && l->committing == NULL)
			rc = pass_overlong(l);
	}
	if (rc == RP_OK && l->lines.overlong && l->o->rejects_fd >= 0)
		rc = rp_rejects_write(l->o->rejects_fd, rp_span_of(""), true, l->err);
	if (rc == RP_OK)
		return await_reader(l, 0);
	/* What was stored still deserves its receipts; the error to tell is the first one. */
	l->err = NULL;
	if (l->committing == NULL || (rp_committer_end(l->committer, NULL) == RP_OK &&
				      answer(l, l->committing, 0, l->committing->batch.n) == RP_OK))
		await_reader(l, 0);
	return rc;
}

static void release(struct loop *l)
{
	rp_committer_stop(l->committer); /* it may still read the rest */
	rp_receipts_release(&l->receipts);
	rp_batch_release(&l->slots[0].batch);
	rp_batch_release(&l->slots[1].batch);
	rp_buf_release(&l->left);
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
	l->filling = &l->slots[0];
	l->look_boot_ms = rp_sys_boot_ms(options->sys) + options->look_ms;
	rp_lines_init(&l->lines, options->max_line_bytes);
	rp_receipts_init(&l->receipts, options->out_fd);
	/* Bigger pipes make bigger batches; a smaller one works as well, so a refusal does not
	 * matter. */
	fcntl(options->in_fd, F_SETPIPE_SZ, PIPE_BYTES);
	fcntl(options->out_fd, F_SETPIPE_SZ, PIPE_BYTES);
	rc = rp_committer_start(&options->to, options->sys, &l->committer, err);
	if (rc == RP_OK)
		rc = run_loop(l);
	release(l);
	return rc;
}
