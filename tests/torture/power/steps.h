/* steps.h - the moments of a recording at which the power is cut: one after each operation on the
 * disk. A synced write is two, written and durable. */
#ifndef TORTURE_STEPS_H
#define TORTURE_STEPS_H

#include "check.h"
#include "disk.h"

struct step {
	const struct log_event *event;
	bool second_half;
	struct moment moment;
};

/* Shared memory: what one process finds out about a step (moment.commits) others see. */
struct steps {
	struct step *all;
	size_t n;
	size_t first; /* those before only make the outbox that the recording began with */
};

struct steps steps_make(const struct log_file *log, const struct expect *expect);
/* Does it on the disk; exits when the model does not know the operation. */
void step_do(const struct step *s, struct disk *d);
/* What the disk's cache holds in the end. */
void steps_end(const struct steps *s, struct disk *d);
/* Exits unless the files in `dir` are what the recording adds up to: else something was written
 * past the recorder. */
void steps_compare(const struct steps *s, const char *dir);

#endif
