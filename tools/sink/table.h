/* table.h - numbers kept under short keys: a hash table that only grows, up to a limit.
 *
 * Keys are remembered as 64-bit hashes alone: two of ten million keys share one with a chance of 3
 * in a million, which a test receiver's counts can live with. */
#ifndef RP_SINK_TABLE_H
#define RP_SINK_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct rp_sink_slot {
	uint64_t hash; /* 0: empty */
	uint64_t value;
};

/* {0} with max_keys set is a valid empty one. */
struct rp_sink_table {
	struct rp_sink_slot *slots;
	size_t n_slots, n_keys, max_keys;
};

/* Where the key's number is (0 if the key is new), until the next call. NULL: max_keys or memory
 * is used up. */
uint64_t *rp_sink_table_at(struct rp_sink_table *t, struct rp_span key);
void rp_sink_table_release(struct rp_sink_table *t);

#endif
