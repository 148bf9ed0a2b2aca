/* clock.c - compares the wall clock with the boot clock. A pure function of two numbers, so that
 * a test can set any clock back. */

#include "model/clock.h"

static bool is_step(int64_t by_ms)
{
	return by_ms >= RP_CLOCK_STEP_MS || by_ms <= -RP_CLOCK_STEP_MS;
}

void rp_clock_watch_see(struct rp_clock_watch *w, int64_t wall_ms, int64_t boot_ms)
{
	int64_t distance_ms = wall_ms - boot_ms, by_ms = distance_ms - w->wall_less_boot_ms;

	if (!w->known || !is_step(by_ms)) {
		w->known = true;
		w->wall_less_boot_ms = distance_ms;
	} else if (!is_step(distance_ms - w->seen_ms)) {
		w->wall_less_boot_ms = distance_ms;
		w->step_ms = by_ms;
		w->step_boot_ms = boot_ms;
	}
	w->seen_ms = distance_ms;
}

int64_t rp_clock_watch_step_ms(const struct rp_clock_watch *w, int64_t wall_ms, int64_t boot_ms,
			       int64_t within_ms)
{
	int64_t by_ms = wall_ms - boot_ms - w->wall_less_boot_ms;

	if (!w->known)
		return 0;
	if (is_step(by_ms))
		return by_ms;
	return boot_ms - w->step_boot_ms <= within_ms ? w->step_ms : 0;
}

bool rp_clock_was_set_back(int64_t latest_at_ms, int64_t now_at_ms)
{
	return latest_at_ms > now_at_ms + RP_CLOCK_SLACK_MS;
}
