/* door_commit.c - commits slices on a second thread. It is apart from ingest/committer.c because it
 * keeps bodies too, which have to be on disk before their requests are answered. */

#include "serve/door_commit.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/background.h"
#include "ingest/committer.h"

struct rp_door_commit {
	struct rp_background *background;
	struct rp_appender to;
	struct rp_door_rejects *rejects;
	const struct rp_sys *sys;
	struct rp_door_batch *batch;
	struct rp_door_slice slice;
	enum rp_err code, rejects_code;
	struct rp_error err, rejects_err;
	size_t n_entries; /* of the last commit; only the thread uses it */
};

/* The texts of a request that were rejected; its runs begin at `from`. */
static enum rp_err keep_texts(struct rp_door_commit *c, struct rp_door_held *held, size_t from)
{
	struct rp_span rest = {held->body.data, held->body.len}, text;
	enum rp_err code = RP_OK;
	bool kept;
	size_t i;

	held->kept = true;
	for (i = 0; i < held->n_runs && code == RP_OK; i++) {
		if (!rp_door_next_text(held->form, &rest, &text))
			text = rest; /* an empty body is a text, too */
		if (c->batch->runs.runs[from + i].status != RP_RUN_REJECTED)
			continue;
		code = rp_door_rejects_add(c->rejects, text, &kept, &c->rejects_err);
		held->kept = held->kept && kept;
	}
	return code;
}

static enum rp_err keep_rejects(struct rp_door_commit *c)
{
	struct rp_door_held *held;
	size_t from = c->slice.from;
	enum rp_err code = RP_OK, synced;

	for (held = c->slice.first; held != c->slice.end && code == RP_OK; held = held->next) {
		if (held->keep)
			code = keep_texts(c, held, from);
		from += held->n_runs;
	}
	synced = code == RP_OK ? rp_door_rejects_sync(c->rejects, &c->rejects_err) : code;
	for (held = c->slice.first; held != c->slice.end && synced != RP_OK; held = held->next)
		held->kept = false;
	return synced;
}

static void commit(void *arg)
{
	struct rp_door_commit *c = arg;

	c->rejects_code = RP_OK;
	c->code = rp_batch_append(&c->batch->runs, c->slice.from, c->slice.n_runs, &c->to,
				  rp_sys_wall_ms(c->sys), &c->err);
	c->n_entries = c->batch->runs.n_entries;
	if (c->code == RP_OK)
		c->rejects_code = keep_rejects(c);
}

/* Runs after the loop has learned of the end: the answers need not wait for the pause. */
static void pause_after(void *arg)
{
	const struct rp_door_commit *c = arg;

	rp_committer_pause(c->n_entries);
}

enum rp_err rp_door_commit_start(const struct rp_appender *to, struct rp_door_rejects *rejects,
				 const struct rp_sys *sys, struct rp_door_commit **out,
				 struct rp_error *err)
{
	struct rp_door_commit *c = calloc(1, sizeof *c);
	const struct rp_background_task task = {commit, pause_after, c};
	enum rp_err code;

	*out = NULL;
	if (c == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory for the thread that commits");
	c->to = *to;
	c->rejects = rejects;
	c->sys = sys;
	code = rp_background_open(&task, &c->background, err);
	if (code == RP_OK)
		*out = c;
	else
		free(c);
	return code;
}

void rp_door_commit_stop(struct rp_door_commit *c)
{
	if (c == NULL)
		return;
	rp_background_close(c->background);
	free(c);
}

void rp_door_commit_begin(struct rp_door_commit *c, struct rp_door_batch *batch,
			  const struct rp_door_slice *slice)
{
	c->batch = batch;
	c->slice = *slice;
	rp_background_begin(c->background);
}

int rp_door_commit_fd(const struct rp_door_commit *c)
{
	return rp_background_fd(c->background);
}

enum rp_err rp_door_commit_end(struct rp_door_commit *c, struct rp_error *err,
			       enum rp_err *rejects_code, struct rp_error *rejects_err)
{
	bool over = rp_background_end(c->background, true);

	assert(over);
	(void)over;
	*rejects_code = c->rejects_code;
	*rejects_err = c->rejects_err;
	if (c->code != RP_OK)
		*err = c->err;
	return c->code;
}
