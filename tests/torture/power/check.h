/* check.h - opens what a power cut left, with the store of the product, and holds it against the
 * promises.
 *
 * Nothing here knows the layout of a file: it is the public header of the store that is asked. */
#ifndef TORTURE_CHECK_H
#define TORTURE_CHECK_H

#include "expect.h"
#include "store/outbox.h"
#include "ingest/batch.h"

#define CHECK_RUNS_MAX 4096
#define CHECK_COMMITS_MAX 65536

/* When the power failed. */
struct moment {
	size_t may;       /* what the outbox shows must be explained by events before this one */
	size_t must;      /* what happened outside before this event must not be undone */
	uint64_t commits; /* that had been made, as a process saw them; 0: not known */
};

struct check {
	struct expect *expect;
	const char *dir;
	int64_t now_at_ms, boot_ms;
	struct rp_batch batch;
	/* What the outbox held after each commit, as a process saw it; shared between workers. 0:
	 * not known. */
	uint64_t *digests;
	/* Called for each broken promise. */
	void (*violation)(void *arg, const char *text);
	void *arg;
	/* of the image at hand */
	const struct moment *moment;
	unsigned found;
	struct rp_outbox *ob;
	unsigned char seen[CHECK_RUNS_MAX]; /* how many entries each run has */
};

/* All checks on the image in `dir`. Afterwards it is another one: the outbox was drained. */
void check_image(struct check *c, const struct moment *moment);

/* What the outbox in `dir` holds, without changing it. false: there is none. */
bool check_digest(struct check *c, uint64_t *commits, uint64_t *digest);

#endif
