/* verb_import.c - the verb `import`: reads exported lines and stores them. It commits in
 * portions, so that a sender waits for milliseconds only. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "ctl/report/export_line.h"
#include "ctl/change/audit.h"
#include "ctl/screen/progress.h"
#include "ctl/stop.h"
#include "ingest/lines.h"

/* A commit holds the write lock for some milliseconds; senders and ingesters get it in the pause
 * after. A line is at most what the largest payload (256 MiB) takes when every byte of it is
 * escaped. */
enum { BATCH_ENTRIES = 200, PAUSE_MS = 1 };
#define BATCH_BYTES ((size_t)4 << 20)
#define KEPT_BYTES ((size_t)64 << 10) /* of memory for a line, for the next one */
#define LINE_BYTES_MAX ((size_t)640 << 20)

struct import {
	struct rp_ctl *ctl;
	const char *name; /* of the file, for messages */
	int fd;
	struct rp_lines lines;
	uint64_t line_no, n_read_bytes;
	struct rp_import_line parsed[BATCH_ENTRIES];
	size_t n, bytes; /* gathered, not stored */
	uint64_t audit;  /* its record in the log of changes; 0: none yet */
	uint64_t n_done, n_present, n_duplicate, n_refused, n_filtered;
	struct rp_progress progress;
	bool interrupted;
};

static void refuse(struct import *im, const char *why)
{
	struct rp_buf shown = {0};

	rp_progress_end(&im->progress);
	rp_text_escape(rp_span_of(why), &shown);
	rp_ctl_say("%s, line %" PRIu64 ": %s", im->name, im->line_no,
		   shown.data != NULL ? shown.data : "out of memory");
	rp_buf_release(&shown);
	im->n_refused++;
}

static int store(struct import *im)
{
	struct rp_import_result results[BATCH_ENTRIES];
	struct rp_import in[BATCH_ENTRIES];
	int64_t now_at_ms = rp_sys_wall_ms(&rp_sys_real);
	int code = RP_EXIT_OK;
	struct rp_error err;
	enum rp_err e;
	size_t i;

	if (im->n == 0)
		return RP_EXIT_OK;
	for (i = 0; i < im->n; i++)
		in[i] = (struct rp_import){.facts = im->parsed[i].entry.facts,
					   .delivery = im->parsed[i].entry.delivery,
					   .endpoint = im->parsed[i].entry.endpoint,
					   .payload = im->parsed[i].payload};
	/* who does it is on the disk before the first entry is */
	if (!im->ctl->dry_run && im->audit == 0)
		code = rp_ctl_audit_file(im->ctl, im->ctl->names[0], &im->audit);
	if (code != RP_EXIT_OK)
		return code;
	e = rp_outbox_import(im->ctl->ob, now_at_ms, in, im->n, im->ctl->dry_run, im->audit,
			     results, &err);
	if (e != RP_OK)
		return rp_ctl_fail(&err);
	for (i = 0; i < im->n; i++) {
		im->n_done += results[i].kind == RP_IMPORT_DONE;
		im->n_present += results[i].kind == RP_IMPORT_PRESENT;
		im->n_duplicate += results[i].kind == RP_IMPORT_DUPLICATE;
	}
	for (i = 0; i < im->n; i++) {
		if (im->parsed[i].text.cap > KEPT_BYTES)
			rp_import_line_release(&im->parsed[i]);
	}
	im->n = im->bytes = 0;
	rp_sys_pause_ms(PAUSE_MS);
	return RP_EXIT_OK;
}

/* A dead letter has a cause; the others that are to be sent are held, if that was asked for. */
static void adjust(const struct import *im, struct rp_delivery *d)
{
	if (d->state == RP_STATE_DEAD && d->cause == RP_CAUSE_NONE)
		d->cause = RP_CAUSE_OPERATOR;
	if (d->state == RP_STATE_WAITING && im->ctl->hold) {
		d->state = RP_STATE_HELD;
		d->state_at_ms = im->ctl->now_at_ms;
	}
}

static int take_line(struct import *im, struct rp_span line)
{
	struct rp_import_line *l = &im->parsed[im->n];
	struct rp_error err = {0};

	if (line.len == 0 || (line.len == 1 && line.ptr[0] == '\r'))
		return RP_EXIT_OK;
	if (rp_import_line(l, line, &err) != RP_OK) {
		if (err.code == RP_ERR_NOMEM)
			return rp_ctl_fail(&err);
		refuse(im, err.text);
		return RP_EXIT_OK;
	}
	if (!rp_selector_match(&im->ctl->selector, &l->entry, im->ctl->now_at_ms)) {
		im->n_filtered++;
		return RP_EXIT_OK;
	}
	adjust(im, &l->entry.delivery);
	im->n++;
	im->bytes += l->payload.len;
	return im->n == BATCH_ENTRIES || im->bytes >= BATCH_BYTES ? store(im) : RP_EXIT_OK;
}

/* Hands out the lines that are complete. */
static int take_lines(struct import *im)
{
	enum rp_lines_kind kind;
	struct rp_span line;
	int code = RP_EXIT_OK;

	while (code == RP_EXIT_OK && (kind = rp_lines_next(&im->lines, &line)) != RP_LINES_NONE) {
		if (rp_stop_asked())
			return RP_EXIT_INTERRUPTED;
		if (kind == RP_LINES_PIECE)
			continue;
		im->line_no++;
		if (kind == RP_LINES_TAIL)
			refuse(im, "is longer than any exported entry can be");
		else
			code = take_line(im, line);
	}
	return code;
}

static int read_some(struct import *im, bool *end)
{
	size_t room;
	char *to = rp_lines_room(&im->lines, &room);
	ssize_t n;

	if (to == NULL)
		return rp_ctl_no_memory();
	n = read(im->fd, to, room);
	if (n < 0 && errno == EINTR)
		return rp_stop_asked() ? RP_EXIT_INTERRUPTED : RP_EXIT_OK;
	if (n < 0) {
		rp_ctl_say("%s: cannot read: %s", im->name, strerror(errno));
		return RP_EXIT_IO;
	}
	*end = n == 0;
	if (n == 0)
		rp_lines_end(&im->lines);
	else
		rp_lines_filled(&im->lines, (size_t)n);
	im->n_read_bytes += (uint64_t)n;
	rp_progress_at(&im->progress, im->n_read_bytes);
	return RP_EXIT_OK;
}

static struct rp_json_out *result_json(const struct import *im)
{
	struct rp_json_out *o = rp_json_out_new();

	rp_json_out_text(o, "verb", "import");
	rp_json_out_bool(o, "dry_run", im->ctl->dry_run);
	rp_json_out_int(o, "imported", (int64_t)im->n_done);
	rp_json_out_int(o, "present", (int64_t)im->n_present);
	rp_json_out_int(o, "duplicate", (int64_t)im->n_duplicate);
	rp_json_out_int(o, "refused", (int64_t)im->n_refused);
	rp_json_out_int(o, "not_selected", (int64_t)im->n_filtered);
	rp_json_out_bool(o, "interrupted", im->interrupted);
	return o;
}

static bool result_text(const struct import *im, struct rp_buf *out)
{
	const struct {
		uint64_t n;
		const char *what;
	} parts[] = {{im->n_present, "already there"},
		     {im->n_duplicate, "whose dedupe key another entry has"},
		     {im->n_filtered, "not selected"},
		     {im->n_refused, "refused"}};
	bool ok = rp_buf_printf(out, "%s %" PRIu64, im->ctl->dry_run ? "would import" : "imported",
				im->n_done);
	size_t i;

	for (i = 0; i < sizeof parts / sizeof parts[0] && ok; i++) {
		if (parts[i].n > 0)
			ok = rp_buf_printf(out, ", %" PRIu64 " %s", parts[i].n, parts[i].what);
	}
	return ok &&
	       rp_buf_printf(out, "%s\n",
			     im->interrupted ? "; interrupted, import the rest by the same command"
					     : "");
}

/* Prints the counts whatever happened: what was stored before a failure is stored. */
static int finish(struct import *im, int code)
{
	bool ok;
	int printed;

	rp_progress_end(&im->progress);
	im->interrupted = code == RP_EXIT_INTERRUPTED;
	ok = im->ctl->json ? rp_ctl_add_json(im->ctl, result_json(im))
			   : result_text(im, &im->ctl->out);
	printed = ok ? rp_ctl_flush(im->ctl) : rp_ctl_no_memory();
	if (code == RP_EXIT_OK)
		code = printed;
	return code == RP_EXIT_OK && im->n_refused > 0 ? RP_EXIT_SOME_FAILED : code;
}

static int run(struct import *im)
{
	struct stat st;
	bool end = false;
	int code = RP_EXIT_OK;

	rp_lines_init(&im->lines, LINE_BYTES_MAX);
	rp_stop_catch();
	rp_progress_begin(&im->progress, "import",
			  fstat(im->fd, &st) == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0,
			  true);
	while (code == RP_EXIT_OK && !end) {
		code = read_some(im, &end);
		if (code == RP_EXIT_OK)
			code = take_lines(im);
	}
	/* what was read completely before an interrupt counts */
	if (code == RP_EXIT_OK || code == RP_EXIT_INTERRUPTED) {
		int stored = store(im);

		code = stored != RP_EXIT_OK ? stored : code;
	}
	return finish(im, code);
}

int rp_verb_import(struct rp_ctl *ctl)
{
	struct import *im;
	size_t i;
	int code;

	if (ctl->n_names != 1) {
		rp_ctl_say("import: name one file, or - for standard input; see `runpostctl import "
			   "--help`");
		return RP_EXIT_USAGE;
	}
	im = calloc(1, sizeof *im);
	if (im == NULL)
		return rp_ctl_no_memory();
	im->ctl = ctl;
	im->name = strcmp(ctl->names[0], "-") == 0 ? "standard input" : ctl->names[0];
	im->fd = strcmp(ctl->names[0], "-") == 0 ? STDIN_FILENO
						 : open(ctl->names[0], O_RDONLY | O_CLOEXEC);
	if (im->fd < 0) {
		rp_ctl_say("%s: cannot open: %s", im->name, strerror(errno));
		code = errno == ENOENT   ? RP_EXIT_NOINPUT
		       : errno == EACCES ? RP_EXIT_NOPERM
					 : RP_EXIT_IO;
	} else {
		code = run(im);
	}
	if (im->fd > STDERR_FILENO)
		close(im->fd);
	for (i = 0; i < BATCH_ENTRIES; i++)
		rp_import_line_release(&im->parsed[i]);
	rp_lines_release(&im->lines);
	free(im);
	return code;
}
