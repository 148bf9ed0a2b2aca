/* sight.h - private to src/store/lmdb: pages of the map that a long walk has looked at.
 *
 * They count as this process's memory until it ends, each with its neighbours: a walk over a
 * million entries would be 500 MiB. A walk notes where it looked and forgets it; the kernel's
 * cache keeps it. */
#ifndef RP_STORE_LMDB_SIGHT_H
#define RP_STORE_LMDB_SIGHT_H

#include <lmdb.h>

struct rp_sight {
	const char *low, *high;
};
void rp_sight_note(struct rp_sight *s, const MDB_val *v);
/* Not while a transaction still looks at them: it would fault them in again. */
void rp_sight_forget(const struct rp_sight *s);

#endif
