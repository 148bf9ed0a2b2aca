/* door_state.c - what the door tells of itself, when it wakes next, and that it takes nothing new.
 * All its parts change these. */

#include "serve/door_int.h"

/* The first of those given; 0 stands for never. */
static int64_t sooner(int64_t a_ms, int64_t b_ms)
{
	return a_ms == 0 || (b_ms != 0 && b_ms < a_ms) ? b_ms : a_ms;
}

void rp_door_set_tick(struct rp_door *door)
{
	rp_http_server_tick_at(door->server, sooner(sooner(door->retry_at_ms, door->check_at_ms),
						    door->watchdog_at_ms));
}

void rp_door_show_now(struct rp_door *door)
{
	struct rp_door_now now = {
	    .state = door->failed != RP_OK || door->check_failed ? RP_DOOR_FAILING
		     : door->service.draining                    ? RP_DOOR_STOPPING
		     : door->is_away                             ? RP_DOOR_FAILING
		     : door->is_full                             ? RP_DOOR_FULL
								 : RP_DOOR_ACCEPTING,
	    .connections = rp_http_server_connections(door->server),
	    .requests = door->n_waiting,
	    .held = rp_door_holds(door) ? door->n_waiting : 0,
	    .body_bytes = door->held_bytes,
	};

	rp_door_show(&door->counts, &now);
}

void rp_door_drain(struct rp_door *door)
{
	if (door->service.draining)
		return;
	door->service.draining = true;
	door->service.drain_until_ms = door->service.boot_ms + RP_DOOR_DRAIN_MS;
	rp_door_show_now(door);
}
