/* verb_export.c - the verb `export`: writes selected entries as JSON lines, with or without
 * their secrets. */

#include <inttypes.h>
#include <stdio.h>

#include "ctl/report/export_line.h"
#include "ctl/change/audit.h"
#include "ctl/screen/progress.h"
#include "ctl/stop.h"
#include "ctl/select/walk.h"

struct export
{
	struct rp_ctl *ctl;
	struct rp_picks picks; /* of the page that was just walked */
	struct rp_entry entry;
	struct rp_buf payload;
	struct rp_progress progress;
	uint64_t n_done, n_incomplete, n_damaged;
};

static bool pick(void *arg, const struct rp_entry *e)
{
	struct export *x = arg;

	return rp_picks_add(&x->picks, e->seq);
}

static void say_damaged(struct export *x, uint64_t seq)
{
	rp_progress_end(&x->progress);
	rp_ctl_say("entry %" PRIu64 " is damaged and left out; `runpostctl verify` tells more",
		   seq);
	x->n_damaged++;
}

/* An entry that was purged since it was picked is left out: it is not there any more. */
static int write_entry(struct export *x, uint64_t seq)
{
	struct rp_span payload;
	struct rp_error err;
	enum rp_err e = rp_walk_load(x->ctl, seq, &x->entry, &err);

	rp_buf_clear(&x->payload);
	x->payload.max = SIZE_MAX / 2;
	if (e == RP_OK && !x->entry.damaged)
		e = rp_outbox_body(x->ctl->ob, seq, &x->payload, &err);
	if (e == RP_ERR_NOTFOUND)
		return RP_EXIT_OK;
	if (e == RP_ERR_DAMAGED ||
	    (e == RP_OK && (x->entry.damaged || x->entry.delivery.state == 0))) {
		say_damaged(x, seq);
		return RP_EXIT_OK;
	}
	if (e != RP_OK)
		return rp_ctl_fail(&err);
	x->ctl->out.max = SIZE_MAX / 2;
	payload = (struct rp_span){x->payload.data, x->payload.len};
	if (!rp_export_line(&x->entry, payload, x->ctl->with_secrets, &x->ctl->out))
		return rp_ctl_no_memory();
	x->n_done++;
	x->n_incomplete += !x->ctl->with_secrets && rp_export_has_secrets(&x->entry, payload);
	return rp_ctl_flush(x->ctl);
}

static int write_page(void *arg)
{
	struct export *x = arg;
	int code = RP_EXIT_OK;
	size_t i;

	for (i = 0; i < x->picks.n && code == RP_EXIT_OK; i++) {
		code = rp_stop_asked() ? RP_EXIT_INTERRUPTED : write_entry(x, x->picks.seqs[i]);
		rp_progress_at(&x->progress, x->n_done);
	}
	x->picks.n = 0;
	return code;
}

/* How many there will be, when that is known without looking: everything, or so many at most. */
static uint64_t expected(struct rp_ctl *ctl)
{
	const struct rp_selector *s = &ctl->selector;
	struct rp_ledger l;

	if (s->by_id)
		return s->n_ids;
	if (!rp_selector_is_empty(s) || rp_outbox_ledger(ctl->ob, &l, NULL) != RP_OK)
		return 0;
	l.accepted -= l.purged;
	return s->limit != 0 && s->limit < l.accepted ? s->limit : l.accepted;
}

static void say_result(const struct export *x, int code)
{
	fprintf(stderr, "exported %" PRIu64 " entr%s", x->n_done, x->n_done == 1 ? "y" : "ies");
	if (x->n_incomplete > 0)
		fprintf(
		    stderr,
		    ", %" PRIu64
		    " without secrets and payload: these cannot be imported; see --with-secrets",
		    x->n_incomplete);
	if (x->n_damaged > 0)
		fprintf(stderr, ", left out %" PRIu64 " damaged", x->n_damaged);
	fprintf(stderr, "%s\n", code == RP_EXIT_INTERRUPTED ? "; interrupted" : "");
}

int rp_verb_export(struct rp_ctl *ctl)
{
	struct export x = {.ctl = ctl};
	struct rp_walk w = {.ctl = ctl,
			    .see = pick,
			    .between = write_page,
			    .arg = &x,
			    .limit = ctl->selector.limit,
			    .quiet = true};
	uint64_t audit = 0;
	int code;

	/* Who took secrets out is written down before the first leaves. It is no lock: who cannot
	 * write there, as on a full disk, can read the files as well. */
	if (ctl->with_secrets && rp_ctl_audit_file(ctl, "-", &audit) != RP_EXIT_OK)
		rp_ctl_say("the log of changes could not be written; the export goes on");
	rp_stop_catch();
	rp_progress_begin(&x.progress, "export", expected(ctl), false);
	code = rp_walk_run(&w);
	rp_progress_end(&x.progress);
	if (audit != 0)
		/* it has said what failed, and the entries are out */
		(void)rp_ctl_audit_count(ctl, audit, x.n_done);
	if (code == RP_EXIT_OK || code == RP_EXIT_INTERRUPTED)
		say_result(&x, code);
	rp_picks_release(&x.picks);
	rp_entry_release(&x.entry);
	rp_buf_release(&x.payload);
	if (code == RP_EXIT_OK && x.n_damaged > 0)
		return RP_EXIT_DATA;
	return code == RP_EXIT_OK && w.n_missing > 0 ? RP_EXIT_SOME_FAILED : code;
}
