/* Mutant: who sends a run again is told that it is new, with an id that nobody has. */
#include "ingest/batch.h"

typedef const struct rp_appended *result;

result __real_rp_batch_result(const struct rp_batch *batch, size_t i);
result __wrap_rp_batch_result(const struct rp_batch *batch, size_t i);

result __wrap_rp_batch_result(const struct rp_batch *batch, size_t i)
{
	static struct rp_appended told;
	result stored = __real_rp_batch_result(batch, i);

	if (stored == NULL || !stored->duplicate)
		return stored;
	told = *stored;
	told.duplicate = false;
	told.id[RP_ID_BYTES - 1] ^= 1;
	return &told;
}
