/* exchange_thread.c - makes an exchange on a second thread. It is apart from sender_exchange.c so
 * that all that runs on that thread stands on one page. */

#include "deliver/exchange_thread.h"

#include <stdlib.h>

#include "base/background.h"

struct rp_exchange_thread {
	struct rp_background *background;
	struct rp_outbox *ob;
	int64_t now_at_ms;
	struct rp_exchange *exchange;
	enum rp_err e;
	struct rp_error err;
};

static void make_exchange(void *arg)
{
	struct rp_exchange_thread *t = arg;

	t->e = rp_outbox_exchange(t->ob, t->now_at_ms, t->exchange, &t->err);
}

enum rp_err rp_exchange_thread_open(struct rp_outbox *ob, struct rp_exchange_thread **out,
				    struct rp_error *err)
{
	struct rp_exchange_thread *t = calloc(1, sizeof *t);
	enum rp_err e;

	*out = NULL;
	if (t == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	t->ob = ob;
	e = rp_background_open(&(struct rp_background_task){.run = make_exchange, .arg = t},
			       &t->background, err);
	if (e == RP_OK)
		*out = t;
	else
		free(t);
	return e;
}

void rp_exchange_thread_close(struct rp_exchange_thread *t)
{
	if (t == NULL)
		return;
	rp_background_close(t->background);
	free(t);
}

void rp_exchange_thread_begin(struct rp_exchange_thread *t, int64_t now_at_ms,
			      struct rp_exchange *exchange)
{
	t->now_at_ms = now_at_ms;
	t->exchange = exchange;
	rp_background_begin(t->background);
}

bool rp_exchange_thread_end(struct rp_exchange_thread *t, bool wait, enum rp_err *e,
			    struct rp_error *err)
{
	if (!rp_background_end(t->background, wait))
		return false;
	*e = t->e;
	if (err != NULL && t->e != RP_OK)
		*err = t->err;
	return true;
}

int rp_exchange_thread_fd(const struct rp_exchange_thread *t)
{
	return rp_background_fd(t->background);
}
