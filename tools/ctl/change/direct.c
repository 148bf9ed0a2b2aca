/* direct.c - changes selected entries at once, a few hundred in a transaction. Jobs are the
 * other way (plan.c): others can carry those on. */

#include "ctl/change/direct.h"

#include <stdlib.h>

#include "ctl/change/audit.h"
#include "ctl/screen/progress.h"
#include "report/selector_text.h"
#include "ctl/common/stop.h"

/* A transaction so large holds the write lock for some milliseconds; the lock is not fair, so
 * senders and ingesters get it in the pause after. */
enum { CHANGE_ENTRIES = 200, PAUSE_MS = 1 };

static bool collect(void *arg, const struct rp_entry *e)
{
	struct rp_direct *d = arg;

	return rp_breakdown_add(&d->breakdown, &d->ctl->settings->config, e) &&
	       rp_picks_add(&d->picks, e->seq);
}

int rp_direct_pick(struct rp_direct *d)
{
	struct rp_walk w = {
	    .ctl = d->ctl, .see = collect, .arg = d, .limit = d->ctl->selector.limit};
	int code = rp_walk_run(&w);

	d->result.missing = w.n_missing;
	return code;
}

static int audit_add(struct rp_direct *d, uint64_t *number)
{
	struct rp_buf selector = {0};
	int code = rp_selector_text(&d->ctl->selector, &selector)
		       ? rp_ctl_audit_add(d->ctl, NULL,
					  (struct rp_span){selector.data, selector.len}, 0, number)
		       : rp_ctl_no_memory();

	rp_buf_release(&selector);
	return code;
}

static void count(struct rp_change_result *r, const enum rp_changed *results, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		switch (results[i]) {
		case RP_CHANGED_DONE_IN_FLIGHT:
			r->done_in_flight++;
			r->done++;
			break;
		case RP_CHANGED_DONE:
			r->done++;
			break;
		case RP_CHANGED_SKIPPED_IN_FLIGHT:
			r->skipped.in_flight++;
			break;
		case RP_CHANGED_SKIPPED_STATE:
			r->skipped.state++;
			break;
		case RP_CHANGED_NOT_FOUND:
			r->missing++;
			break;
		}
	}
}

static int change_all(struct rp_direct *d, uint64_t audit, struct rp_progress *progress)
{
	enum rp_changed results[CHANGE_ENTRIES];
	struct rp_error err;
	size_t at = 0;

	while (at < d->picks.n) {
		size_t n = d->picks.n - at < CHANGE_ENTRIES ? d->picks.n - at : CHANGE_ENTRIES;

		if (rp_stop_asked()) {
			d->result.interrupted = true;
			return RP_EXIT_INTERRUPTED;
		}
		if (rp_outbox_change(d->ctl->ob, rp_sys_wall_ms(&rp_sys_real), d->verb,
				     d->ctl->selector.states, d->picks.seqs + at, n, audit, results,
				     &err) != RP_OK) {
			rp_progress_end(progress);
			return rp_ctl_fail(&err);
		}
		count(&d->result, results, n);
		at += n;
		rp_progress_at(progress, at);
		if (at < d->picks.n)
			rp_sys_pause_ms(PAUSE_MS);
	}
	return RP_EXIT_OK;
}

int rp_direct_act(struct rp_direct *d)
{
	struct rp_progress progress;
	uint64_t audit = 0;
	int code = d->picks.n > 0 ? audit_add(d, &audit) : RP_EXIT_OK;

	if (code != RP_EXIT_OK)
		return code;
	rp_progress_begin(&progress, d->ctl->verb->name, d->picks.n, false);
	code = change_all(d, audit, &progress);
	rp_progress_end(&progress);
	return code;
}

void rp_direct_release(struct rp_direct *d)
{
	rp_breakdown_release(&d->breakdown);
	rp_picks_release(&d->picks);
}
