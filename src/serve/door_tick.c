/* door_tick.c - what the door does at set times: tries again, looks at the outbox, tells that it is
 * alive. */

#include "serve/door_int.h"
#include "serve/notify.h"

/* The outbox may have been moved away, and everything would go into a file that nobody finds. */
static void check_outbox(struct rp_door *door)
{
	struct rp_error err;
	enum rp_err code = rp_outbox_check(door->o->outbox, &err);

	door->check_at_ms = door->service.boot_ms + RP_DOOR_CHECK_MS;
	door->check_failed = code != RP_OK;
	if (code != RP_OK && code != RP_ERR_AWAY && door->failed == RP_OK && !door->busy)
		rp_door_fail(door, code, &err);
}

/* While nothing waits for room, no commit tells whether there is some. */
void rp_door_check_room(struct rp_door *door)
{
	struct rp_outbox_info info;
	struct rp_error ignored;

	if (!door->busy && door->n_waiting == 0 &&
	    rp_outbox_info(door->o->outbox, &info, &ignored) == RP_OK)
		door->is_full = info.refuses;
}

void rp_door_tick(struct rp_door *door)
{
	int64_t now_ms = door->service.boot_ms;

	if (door->retry_at_ms != 0 && door->retry_at_ms <= now_ms && !door->busy)
		rp_door_retry(door);
	if (door->check_at_ms <= now_ms) {
		check_outbox(door);
		if (door->is_full)
			rp_door_check_room(door);
	}
	if (door->watchdog_at_ms != 0 && door->watchdog_at_ms <= now_ms) {
		rp_notify("WATCHDOG=1");
		door->watchdog_at_ms = now_ms + door->watchdog_ms;
	}
	rp_door_show_now(door);
	rp_door_set_tick(door);
}
