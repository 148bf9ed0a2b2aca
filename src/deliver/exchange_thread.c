/* turner.c - takes a turn on a second thread. It is apart from sender_turn.c so that all that
 * runs on that thread can be read on one page. */

#include "deliver/exchange_thread.h"

#include <stdlib.h>

#include "base/background.h"

struct rp_turner {
	struct rp_background *background;
	struct rp_outbox *ob;
	int64_t now_at_ms;
	struct rp_exchange *turn;
	enum rp_err e;
	struct rp_error err;
};

static void take_turn(void *arg)
{
	struct rp_turner *t = arg;

	t->e = rp_outbox_exchange(t->ob, t->now_at_ms, t->turn, &t->err);
}

enum rp_err rp_turner_open(struct rp_outbox *ob, struct rp_turner **out, struct rp_error *err)
{
	struct rp_turner *t = calloc(1, sizeof *t);
	enum rp_err e;

	*out = NULL;
	if (t == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	t->ob = ob;
	e = rp_background_open(&(struct rp_background_task){.run = take_turn, .arg = t},
			       &t->background, err);
	if (e == RP_OK)
		*out = t;
	else
		free(t);
	return e;
}

void rp_turner_close(struct rp_turner *t)
{
	if (t == NULL)
		return;
	rp_background_close(t->background);
	free(t);
}

void rp_turner_begin(struct rp_turner *t, int64_t now_at_ms, struct rp_exchange *turn)
{
	t->now_at_ms = now_at_ms;
	t->turn = turn;
	rp_background_begin(t->background);
}

bool rp_turner_end(struct rp_turner *t, bool wait, enum rp_err *e, struct rp_error *err)
{
	if (!rp_background_end(t->background, wait))
		return false;
	*e = t->e;
	if (err != NULL && t->e != RP_OK)
		*err = t->err;
	return true;
}

int rp_turner_fd(const struct rp_turner *t)
{
	return rp_background_fd(t->background);
}
