/* door_held.c - lends out what a request is held in, and takes it back. It is apart because
 * requests come in and go out by different ways. */

#include <stdlib.h>

#include "base/assert.h"
#include "serve/door_int.h"

/* Those whose clients have hung up wait on, so there may be more than connections. */
#define HELD_EACH 2
#define KEPT_BYTES ((size_t)16 << 10) /* of the buffers of an unused one */

struct rp_door_held *rp_door_hold(struct rp_door *door)
{
	struct rp_door_held *held = door->unused;

	if (door->n_held >= HELD_EACH * door->service.max_connections)
		return NULL;
	if (held != NULL)
		door->unused = held->next;
	else
		held = calloc(1, sizeof *held);
	if (held == NULL)
		return NULL;
	held->next = NULL;
	door->n_held++;
	return held;
}

static void empty(struct rp_buf *buf)
{
	if (buf->cap > KEPT_BYTES)
		rp_buf_release(buf);
	rp_buf_clear(buf);
}

void rp_door_unhold(struct rp_door *door, struct rp_door_held *held)
{
	empty(&held->body);
	empty(&held->url);
	empty(&held->key);
	empty(&held->headers);
	held->connection = NULL;
	held->n_runs = 0;
	held->keep = false;
	held->next = door->unused;
	door->unused = held;
	assert(door->n_held > 0);
	door->n_held--;
}

void rp_door_free_unused(struct rp_door *door)
{
	struct rp_door_held *held;

	while ((held = door->unused) != NULL) {
		door->unused = held->next;
		rp_buf_release(&held->body);
		rp_buf_release(&held->url);
		rp_buf_release(&held->key);
		rp_buf_release(&held->headers);
		free(held);
	}
}
