/* Mutant: who sends a run again is never answered. */
#include "serve/door_int.h"

void __real_rp_door_answer_held(struct rp_door *door, const struct rp_door_batch *batch,
				size_t from, struct rp_door_held *held);
void __wrap_rp_door_answer_held(struct rp_door *door, const struct rp_door_batch *batch,
				size_t from, struct rp_door_held *held);

void __wrap_rp_door_answer_held(struct rp_door *door, const struct rp_door_batch *batch,
				size_t from, struct rp_door_held *held)
{
	const struct rp_appended *stored = rp_batch_result(&batch->runs, from);

	if (stored == NULL || !stored->duplicate || held->connection == NULL) {
		__real_rp_door_answer_held(door, batch, from, held);
		return;
	}
	((struct rp_door_visit *)rp_http_connection_own(held->connection))->held = NULL;
	rp_door_unhold(door, held);
}
