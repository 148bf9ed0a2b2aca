/* clock.h - was the wall clock set? It was when it and the boot clock, which nobody can set, do
 * not keep their distance. (Both run at the same rate: the kernel slews them together.) */
#ifndef RP_MODEL_CLOCK_H
#define RP_MODEL_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Steps below this are what keeping time is about, and harm nobody: they are taken as they come. */
#define RP_CLOCK_STEP_MS 5000

/* Zeroed: nothing was seen yet. */
struct rp_clock_watch {
	bool known;
	int64_t wall_less_boot_ms; /* the distance that holds */
	int64_t seen_ms;           /* the one seen last */
	int64_t step_ms;           /* the last step, forward positive; 0: none was seen */
	int64_t step_boot_ms;      /* when it was noticed */
};

/* Clocks of two writers, read before they waited for each other, may differ by so much without a
 * step. */
#define RP_CLOCK_SLACK_MS INT64_C(60000)
/* Whether the wall clock was set back since somebody wrote at latest_at_ms. */
bool rp_clock_was_set_back(int64_t latest_at_ms, int64_t now_at_ms);

/* Both clocks, read one after the other. A step counts when it is seen twice: a process that was
 * stopped between the two readings sees one that was none. */
void rp_clock_watch_see(struct rp_clock_watch *w, int64_t wall_ms, int64_t boot_ms);

/* How far the wall clock has been set, as far as this is known at this moment: since the watch
 * looked last, or by the step it saw within the last `within_ms`. 0: not by a step's worth. */
int64_t rp_clock_watch_step_ms(const struct rp_clock_watch *w, int64_t wall_ms, int64_t boot_ms,
			       int64_t within_ms);

#endif
