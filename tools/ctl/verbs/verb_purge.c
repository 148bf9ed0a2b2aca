/* verb_purge.c - the verb `purge`: removes entries after a question and a backup. It is apart
 * from other changes because only a backup can undo it. */

#include <inttypes.h>
#include <stdio.h>

#include "ctl/change/backup_file.h"
#include "ctl/change/direct.h"
#include "ctl/change/audit.h"
#include "ctl/common/stop.h"
#include "ctl/change/watch.h"
#include "ctl/verbs/verbs.h"

enum { PLAN_ROWS = 500 };

/* `code`: how the adding went. */
static int end_backup(struct rp_backup_file *b, int code)
{
	if (code == RP_EXIT_OK && rp_stop_asked()) {
		fputs("Nothing was changed.\n", stderr);
		code = RP_EXIT_INTERRUPTED;
	}
	if (code == RP_EXIT_OK)
		code = rp_backup_end(b);
	rp_backup_release(b);
	return code;
}

/* --- everything that is selected, at once ------------------------------------------------- */

static int back_up_picks(struct rp_ctl *ctl, const struct rp_picks *picks)
{
	struct rp_backup_file b;
	int code = rp_backup_begin(&b, ctl);
	size_t i;

	for (i = 0; i < picks->n && code == RP_EXIT_OK && !rp_stop_asked(); i++)
		code = rp_backup_add(&b, picks->seqs[i]);
	return end_backup(&b, code);
}

/* Of n entries, so many of which are damaged or delivered, those that back_up writes. */
static uint64_t n_backed_up(const struct rp_ctl *ctl, uint64_t n, uint64_t n_damaged,
			    uint64_t n_delivered)
{
	if (ctl->no_backup)
		return 0;
	return n - n_damaged - (ctl->backup_path != NULL ? 0 : n_delivered);
}

static int purge_selected(struct rp_ctl *ctl)
{
	struct rp_direct d = {.ctl = ctl, .verb = RP_CHANGE_PURGE};
	int code = rp_direct_pick(&d);

	if (code == RP_EXIT_OK) {
		rp_stop_catch();
		code = rp_change_confirm_purge(
		    ctl, &d.breakdown,
		    n_backed_up(ctl, d.breakdown.n, d.breakdown.states[0].count,
				d.breakdown.states[RP_STATE_DELIVERED].count));
	}
	if (code == RP_EXIT_OK && !ctl->no_backup)
		code = back_up_picks(ctl, &d.picks);
	if (code == RP_EXIT_OK)
		code = rp_change_finish(ctl, "purged", &d.result, rp_direct_act(&d));
	rp_direct_release(&d);
	return code;
}

/* --- a plan ------------------------------------------------------------------------------- */

static int show_plan(struct rp_ctl *ctl)
{
	struct rp_plan plan;
	int code = rp_plan_make(ctl, RP_JOB_PURGE, RP_PLAN_VALID_MS, &plan);

	if (code == RP_EXIT_OK)
		code = rp_plan_print(ctl, &plan, ctl->now_at_ms + RP_PLAN_VALID_MS);
	if (code == RP_EXIT_OK && plan.missing > 0)
		code = RP_EXIT_SOME_FAILED;
	rp_plan_release(&plan);
	return code;
}

static int back_up_plan(struct rp_ctl *ctl)
{
	struct rp_plan_row rows[PLAN_ROWS], from = {0};
	struct rp_backup_file b;
	struct rp_error err;
	int code = rp_backup_begin(&b, ctl);
	size_t n = 1, i;

	while (code == RP_EXIT_OK && n > 0 && !rp_stop_asked()) {
		if (rp_outbox_plan_rows(ctl->ob, ctl->plan, &from, rows, PLAN_ROWS, &n, &err) !=
		    RP_OK)
			code = rp_ctl_fail(&err);
		for (i = 0; i < n && code == RP_EXIT_OK; i++)
			code = rp_backup_add(&b, rows[i].seq);
	}
	return end_backup(&b, code);
}

/* How many of a plan were planned in each state; a damaged one has none. */
static int count_states(struct rp_ctl *ctl, uint64_t counts[RP_STATE_COUNT])
{
	struct rp_plan_row rows[PLAN_ROWS], from = {0};
	struct rp_error err;
	size_t n = 1, i;

	while (n > 0) {
		if (rp_outbox_plan_rows(ctl->ob, ctl->plan, &from, rows, PLAN_ROWS, &n, &err) !=
		    RP_OK)
			return rp_ctl_fail(&err);
		for (i = 0; i < n; i++)
			counts[rows[i].state < RP_STATE_COUNT ? rows[i].state : 0]++;
	}
	return RP_EXIT_OK;
}

static int purge_plan(struct rp_ctl *ctl)
{
	struct rp_change_result r = {0};
	struct rp_job_copy copy = {0};
	struct rp_breakdown breakdown = {0};
	uint64_t counts[RP_STATE_COUNT] = {0};
	int code = rp_plan_load(ctl, RP_JOB_PURGE, &copy);

	breakdown.n = copy.job.planned;
	if (code == RP_EXIT_OK && !ctl->yes)
		code = count_states(ctl, counts);
	if (code == RP_EXIT_OK) {
		rp_stop_catch();
		code = rp_change_confirm_purge(
		    ctl, &breakdown,
		    n_backed_up(ctl, breakdown.n, counts[0], counts[RP_STATE_DELIVERED]));
	}
	if (code == RP_EXIT_OK && !ctl->no_backup)
		code = back_up_plan(ctl);
	if (code == RP_EXIT_OK)
		code = rp_start_job(ctl, ctl->plan);
	if (code == RP_EXIT_OK)
		code = rp_change_finish(ctl, "purged", &r, rp_watch(ctl, ctl->plan, &r));
	rp_buf_release(&copy.text);
	return code;
}

int rp_verb_purge(struct rp_ctl *ctl)
{
	if (ctl->plan != 0)
		return purge_plan(ctl);
	return ctl->dry_run ? show_plan(ctl) : purge_selected(ctl);
}
