/* change.c - asks the question before a change and words its result. All verbs that change many
 * entries ask and answer the same way. */

#include "ctl/change/change.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "ctl/common/stop.h"
#include "report/job_json.h"

enum { LINES_SHOWN = 10 };

static bool is_purge(const struct rp_ctl *ctl)
{
	return strcmp(ctl->verb->name, "purge") == 0;
}

/* true: the answer is the one that means yes. */
static bool answered(const struct rp_ctl *ctl, uint64_t n)
{
	struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};
	char line[64], want[32];

	if (rp_stop_poll(&fd, 1, -1) <= 0 || fgets(line, sizeof line, stdin) == NULL)
		return false;
	line[strcspn(line, "\r\n")] = '\0';
	if (!is_purge(ctl))
		return strcmp(line, "y") == 0 || strcmp(line, "Y") == 0 || strcmp(line, "yes") == 0;
	snprintf(want, sizeof want, "%" PRIu64, n);
	return strcmp(line, want) == 0;
}

/* What may be promised of getting them back. */
static void say_what_undoes_it(uint64_t n, uint64_t n_backed_up)
{
	if (n_backed_up == 0)
		fputs("There will be no backup of them: a purge cannot be undone. ", stderr);
	else if (n_backed_up < n)
		fprintf(stderr,
			"%" PRIu64 " of them will not be in the backup (delivered, or damaged); "
			"without it a purge "
			"cannot be undone. ",
			n - n_backed_up);
	else
		fputs("Only the backup can undo this. ", stderr);
}

static int confirm(struct rp_ctl *ctl, const struct rp_breakdown *breakdown, uint64_t n_backed_up)
{
	struct rp_buf plan = {0};
	bool ok;

	if (ctl->yes || breakdown->n <= 1 || ctl->selector.by_id)
		return RP_EXIT_OK;
	if (!ctl->ask_tty) {
		rp_ctl_say("%s: this is about %" PRIu64
			   " entries, and there is no terminal to ask on; see them with --dry-run, "
			   "then add --yes",
			   ctl->verb->name, breakdown->n);
		return RP_EXIT_USAGE;
	}
	ok = rp_buf_printf(&plan, "would %s ", ctl->verb->name) &&
	     rp_breakdown_text(breakdown, LINES_SHOWN, &plan);
	if (ok)
		fputs(plan.data, stderr);
	rp_buf_release(&plan);
	if (!ok)
		return rp_ctl_no_memory();
	if (is_purge(ctl)) {
		say_what_undoes_it(breakdown->n, n_backed_up);
		fputs("Type the count to go on: ", stderr);
	} else {
		fputs("Go on? [y/N] ", stderr);
	}
	if (answered(ctl, breakdown->n))
		return RP_EXIT_OK;
	fputs("Nothing was changed.\n", stderr);
	return rp_stop_asked() ? RP_EXIT_INTERRUPTED : RP_EXIT_SOME_FAILED;
}

int rp_change_confirm(struct rp_ctl *ctl, const struct rp_breakdown *breakdown)
{
	return confirm(ctl, breakdown, 0);
}

int rp_change_confirm_purge(struct rp_ctl *ctl, const struct rp_breakdown *breakdown,
			    uint64_t n_backed_up)
{
	return confirm(ctl, breakdown, n_backed_up);
}

static bool add_part(struct rp_buf *out, const char *before, uint64_t n, const char *after)
{
	return n == 0 || rp_buf_printf(out, "%s%" PRIu64 "%s", before, n, after);
}

static bool result_text(const char *done, const struct rp_change_result *r, struct rp_buf *out)
{
	return rp_buf_printf(out, "%s %" PRIu64, done, r->done) &&
	       add_part(out, " (", r->done_in_flight, " while an attempt may be under way)") &&
	       add_part(out, ", skipped ", r->skipped.in_flight, " (in flight)") &&
	       add_part(out, ", skipped ", r->skipped.state, " (state)") &&
	       add_part(out, ", skipped ", r->skipped.changed, " (moved on)") &&
	       add_part(out, ", skipped ", r->skipped.gone, " (gone)") &&
	       add_part(out, ", not found ", r->missing, "") &&
	       add_part(out, "; ", r->left, " to go") &&
	       (!r->interrupted || r->job != 0 ||
		rp_buf_add_text(out, "; interrupted, the others are as they were")) &&
	       rp_buf_add_char(out, '\n');
}

static struct rp_json_out *result_json(const struct rp_ctl *ctl, const struct rp_change_result *r)
{
	struct rp_json_out *o = rp_json_out_new();

	rp_json_out_text(o, "verb", ctl->verb->name);
	rp_json_out_int(o, "done", (int64_t)r->done);
	rp_job_skipped_json(&r->skipped, o);
	rp_json_out_int(o, "not_found", (int64_t)r->missing);
	rp_json_out_int(o, "attempt_under_way", (int64_t)r->done_in_flight);
	rp_json_out_bool(o, "interrupted", r->interrupted);
	if (r->job != 0)
		rp_json_out_int(o, "job", (int64_t)r->job);
	rp_json_out_int(o, "left", (int64_t)r->left);
	return o;
}

int rp_change_finish(struct rp_ctl *ctl, const char *done, const struct rp_change_result *r,
		     int code)
{
	bool ok =
	    ctl->json ? rp_ctl_add_json(ctl, result_json(ctl, r)) : result_text(done, r, &ctl->out);
	int printed = ok ? rp_ctl_flush(ctl) : rp_ctl_no_memory();

	if (code == RP_EXIT_OK)
		code = printed;
	if (code == RP_EXIT_OK &&
	    (r->missing > 0 || (ctl->selector.by_id && r->skipped.in_flight > 0)))
		code = RP_EXIT_SOME_FAILED;
	return code;
}
