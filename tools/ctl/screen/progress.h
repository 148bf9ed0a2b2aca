/* progress.h - how far a long work is, on standard error: what is done, the rate, the time that
 * remains.
 *
 * Only on a terminal that can overwrite a line, and only when the work has taken a second: what is
 * quick stays quiet, and a pipe or a log file never sees it. */
#ifndef RP_CTL_SCREEN_PROGRESS_H
#define RP_CTL_SCREEN_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RP_PROGRESS_TEXT_MAX 200

struct rp_progress {
	const char *what; /* "export" */
	bool bytes;       /* the counts are bytes, not entries */
	uint64_t total;   /* 0: nobody knows */
	bool on;
	bool drawn;
	unsigned width;
	int64_t began_us, drawn_us;
};

/* `what` is borrowed. total 0: only count and rate are shown. */
void rp_progress_begin(struct rp_progress *p, const char *what, uint64_t total, bool bytes);
/* Draws the line, at most ten times a second. Cheap to call for every step. */
void rp_progress_at(struct rp_progress *p, uint64_t done);
/* Takes the line away, for something else to be said; the next step may draw it again. */
void rp_progress_hide(struct rp_progress *p);
/* Takes the line away; call it before anything else is said. Harmless when there is none. */
void rp_progress_end(struct rp_progress *p);

/* The line itself, in at most `width` characters: the bar goes first when it does not fit, then
 * the time, then the rate. Pure. Returns out. */
const char *rp_progress_text(const struct rp_progress *p, uint64_t done, int64_t elapsed_us,
			     char out[RP_PROGRESS_TEXT_MAX]);

#endif
