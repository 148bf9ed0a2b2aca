/* Mutant: senders take every keep time for a millisecond. */
#include "store/outbox.h"

enum rp_err __real_rp_outbox_expire(struct rp_outbox *ob, int64_t now_at_ms,
				    int64_t keep_delivered_ms, int64_t keep_dead_ms, size_t max,
				    size_t *n_removed, struct rp_error *err);
enum rp_err __wrap_rp_outbox_expire(struct rp_outbox *ob, int64_t now_at_ms,
				    int64_t keep_delivered_ms, int64_t keep_dead_ms, size_t max,
				    size_t *n_removed, struct rp_error *err);

enum rp_err __wrap_rp_outbox_expire(struct rp_outbox *ob, int64_t now_at_ms,
				    int64_t keep_delivered_ms, int64_t keep_dead_ms, size_t max,
				    size_t *n_removed, struct rp_error *err)
{
	(void)keep_delivered_ms;
	(void)keep_dead_ms;
	return __real_rp_outbox_expire(ob, now_at_ms, 1, 1, max, n_removed, err);
}
