/* background.h - runs one task in a thread of its own, again and again, while its owner's loop
 * goes on.
 *
 * One run at a time. From begin until end has said that it is over, all that the task uses belongs
 * to the thread. */
#ifndef RP_BASE_BACKGROUND_H
#define RP_BASE_BACKGROUND_H

#include <stdbool.h>

#include "base/err.h"

struct rp_background;

struct rp_background_task {
	void (*run)(void *arg);
	/* after each run, when its end has been told already; NULL: nothing */
	void (*rest)(void *arg);
	void *arg;
};

/* RP_ERR_NOMEM: no memory, thread or descriptor. */
enum rp_err rp_background_open(const struct rp_background_task *task, struct rp_background **out,
			       struct rp_error *err);
void rp_background_close(struct rp_background *b); /* waits for a run under way; NULL is fine */

/* No run may be under way, nor one be over whose end has not been taken. */
void rp_background_begin(struct rp_background *b);
/* True when the run begun last is over, once for each. wait: it is waited for. */
bool rp_background_end(struct rp_background *b, bool wait);
/* readable when a run is over whose end has not been taken */
int rp_background_fd(const struct rp_background *b);

#endif
