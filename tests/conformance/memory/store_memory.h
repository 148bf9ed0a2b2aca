/* store_memory.h - an outbox in memory, for tests: plain arrays, walked from the first to the last,
 * and for every decision a call of src/model. It is the measure of what a store has to add to the
 * rules.
 *
 * A world holds the entries; any number of handles may have it open at a time, each as a process
 * would: a sender that joined, an ingester, an inspector. All of it is for one thread. Running out
 * of memory ends the program. */
#ifndef STORE_MEMORY_H
#define STORE_MEMORY_H

#include "store/outbox.h"

struct rp_memory_world *rp_memory_world_new(void);
void rp_memory_world_free(struct rp_memory_world *world); /* after its last handle was closed */

/* A handle. Of the options only sys is looked at. Closed without a leave it is a sender that has
 * ended. */
void rp_memory_open(struct rp_memory_world *world, const struct rp_outbox_options *options,
		    struct rp_outbox **out);

#endif
