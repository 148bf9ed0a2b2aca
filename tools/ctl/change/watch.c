/* watch.c - helps a job along and shows how far it is. The job goes on without it, so it may end
 * at any time. */

#include "ctl/change/watch.h"

#include <inttypes.h>
#include <stdio.h>

#include "ctl/screen/progress.h"
#include "ctl/common/stop.h"

enum {
	STEP_ENTRIES = 200,
	LOOK_MS = 100,     /* between two looks while there is nothing to do */
	STALLED_MS = 5000, /* without a step */
};

struct watch {
	struct rp_ctl *ctl;
	uint64_t number;
	struct rp_job_copy copy;
	struct rp_progress progress;
	const char *why; /* it stopped before the job was over */
	unsigned alive;  /* senders */
};

static void count_sender(void *arg, const struct rp_sender_info *s)
{
	*(unsigned *)arg += s->alive;
}

/* Nothing moves because queues take no more: is it worth waiting? */
static bool is_stuck(struct watch *w, int64_t now_at_ms)
{
	if (w->alive > 0 && now_at_ms - w->copy.job.moved_at_ms <= STALLED_MS)
		return false;
	w->why = w->alive == 0 ? "no sender is running, and enough is waiting for one"
			       : "its endpoints take no more at present";
	return true;
}

static int64_t wait_ms(size_t worked, int64_t next_at_ms, int64_t now_at_ms)
{
	int64_t ms = next_at_ms - now_at_ms;

	if (worked > 0 && ms <= LOOK_MS)
		return 1; /* the write lock is not fair: let others have it */
	return ms > LOOK_MS || ms <= 0 ? LOOK_MS : ms;
}

static int step(struct watch *w, int64_t *pause_ms, bool *over)
{
	struct rp_job_step s = {.job = w->number, .max = STEP_ENTRIES};
	int64_t now_at_ms = rp_sys_wall_ms(&rp_sys_real);
	struct rp_error err;
	int code;

	w->alive = 0;
	if (rp_outbox_senders(w->ctl->ob, count_sender, &w->alive, &err) != RP_OK)
		return rp_ctl_fail(&err);
	s.due_max = w->alive > 0 ? RP_JOB_DUE_MAX : RP_JOB_DUE_ALONE_MAX;
	if (rp_outbox_jobs_step(w->ctl->ob, now_at_ms, &s, &err) != RP_OK)
		return rp_ctl_fail(&err);
	code = rp_job_load(w->ctl, w->number, &w->copy);
	if (code != RP_EXIT_OK)
		return code;
	*over = w->copy.job.phase != RP_JOB_RUNNING ||
		(s.n_worked == 0 && s.blocked && is_stuck(w, now_at_ms));
	*pause_ms = wait_ms(s.n_worked, s.next_at_ms, now_at_ms);
	return RP_EXIT_OK;
}

static void read_result(const struct watch *w, struct rp_change_result *r)
{
	const struct rp_job *j = &w->copy.job;

	r->job = w->number;
	r->done = j->done;
	r->done_in_flight = j->done_in_flight;
	r->skipped = j->skipped;
	r->left = rp_job_left(j);
}

static int cancel(struct watch *w)
{
	struct rp_job_order order = {.kind = RP_ORDER_CANCEL};
	struct rp_error err;
	enum rp_err e =
	    rp_outbox_job_order(w->ctl->ob, rp_sys_wall_ms(&rp_sys_real), w->number, &order, &err);

	return e == RP_OK || e == RP_ERR_STALE ? rp_job_load(w->ctl, w->number, &w->copy)
					       : rp_ctl_fail(&err);
}

static void say_command(const struct watch *w, const char *verb, const char *before,
			const char *goes_on, const char *also)
{
	struct rp_buf command = {0};
	char words[80];

	snprintf(words, sizeof words, "runpostctl jobs %s %" PRIu64, verb, w->number);
	if (rp_command_add(&command, &w->ctl->place, words))
		rp_ctl_say("%s%sjob %" PRIu64 " %s: %s%s", before, before[0] != '\0' ? "; " : "",
			   w->number, goes_on, command.data, also);
	rp_buf_release(&command);
}

static void say_what_goes_on(const struct watch *w, const struct rp_change_result *r)
{
	if (w->copy.job.phase == RP_JOB_PAUSED)
		say_command(w, "resume", "", "is paused", "");
	else if (w->copy.job.phase == RP_JOB_RUNNING && r->left > 0)
		say_command(w, "show", w->why != NULL ? w->why : "", "goes on with the senders",
			    "   (or jobs pause, jobs cancel)");
}

int rp_watch(struct rp_ctl *ctl, uint64_t number, struct rp_change_result *r)
{
	struct watch w = {.ctl = ctl, .number = number};
	struct rp_error err;
	int64_t pause_ms = 0;
	bool over = false;
	int code = rp_job_load(ctl, number, &w.copy);

	rp_progress_begin(&w.progress, ctl->verb->name, w.copy.job.planned, false);
	while (code == RP_EXIT_OK && !over && !rp_stop_asked()) {
		code = step(&w, &pause_ms, &over);
		rp_progress_at(&w.progress, w.copy.job.planned - rp_job_left(&w.copy.job));
		if (code == RP_EXIT_OK && !over)
			(void)rp_stop_poll(NULL, 0, (int)pause_ms);
	}
	rp_progress_end(&w.progress);
	/* What was done may have been done by a sender, whose last commit a power cut can undo. */
	if (over && rp_outbox_sync(ctl->ob, &err) != RP_OK)
		code = rp_ctl_fail(&err);
	r->interrupted = !over && rp_stop_asked();
	if (r->interrupted && w.copy.job.verb == RP_JOB_PURGE && code == RP_EXIT_OK)
		code = cancel(&w);
	read_result(&w, r);
	if (code == RP_EXIT_OK)
		say_what_goes_on(&w, r);
	rp_buf_release(&w.copy.text);
	return code == RP_EXIT_OK && r->interrupted ? RP_EXIT_INTERRUPTED : code;
}
