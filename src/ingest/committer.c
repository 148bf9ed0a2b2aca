/* committer.c - makes a commit on a second thread. It is apart because nothing else runs there: so
 * the main thread can parse the next batch without a lock. */

#include "ingest/committer.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/background.h"

#define BULK_ENTRIES 256
#define BULK_PAUSE_US 100

struct rp_committer {
	struct rp_background *background;
	struct rp_appender to;
	const struct rp_sys *sys;
	struct rp_batch *batch;
	enum rp_err rc;
	struct rp_error err;
	size_t n_entries; /* of the last commit; only the thread uses it */
};

void rp_committer_pause(size_t n_entries)
{
	if (n_entries >= BULK_ENTRIES)
		usleep(BULK_PAUSE_US);
}

static void commit(void *arg)
{
	struct rp_committer *c = arg;

	c->rc = rp_batch_append(c->batch, 0, c->batch->n, &c->to, rp_sys_wall_ms(c->sys), &c->err);
	c->n_entries = c->batch->n_entries;
}

/* Runs after the owner has learned of the end: the receipts need not wait for the pause. */
static void pause_after(void *arg)
{
	const struct rp_committer *c = arg;

	rp_committer_pause(c->n_entries);
}

enum rp_err rp_committer_start(const struct rp_appender *to, const struct rp_sys *sys,
			       struct rp_committer **out, struct rp_error *err)
{
	struct rp_committer *c = calloc(1, sizeof *c);
	const struct rp_background_task task = {commit, pause_after, c};
	enum rp_err e;

	*out = NULL;
	if (c == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory for the thread that commits");
	c->to = *to;
	c->sys = sys;
	e = rp_background_open(&task, &c->background, err);
	if (e == RP_OK)
		*out = c;
	else
		free(c);
	return e;
}

void rp_committer_stop(struct rp_committer *c)
{
	if (c == NULL)
		return;
	rp_background_close(c->background);
	free(c);
}

void rp_committer_begin(struct rp_committer *c, struct rp_batch *batch)
{
	c->batch = batch;
	rp_background_begin(c->background);
}

int rp_committer_fd(const struct rp_committer *c)
{
	return rp_background_fd(c->background);
}

enum rp_err rp_committer_end(struct rp_committer *c, struct rp_error *err)
{
	rp_background_end(c->background, true);
	if (c->rc != RP_OK && err != NULL)
		*err = c->err;
	return c->rc;
}
