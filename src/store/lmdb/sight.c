/* sight.c - forgets the pages of the map that a walk has come to. The kernel keeps them in its
 * cache, where they are nobody's memory. */

#include "store/lmdb/sight.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

void rp_sight_note(struct rp_sight *s, const MDB_val *v)
{
	const char *at = v->mv_data;

	if (at == NULL)
		return;
	if (s->low == NULL || at < s->low)
		s->low = at;
	if (at > s->high)
		s->high = at;
}

void rp_sight_forget(const struct rp_sight *s)
{
	/* Pages of memory: those of the file may be larger or smaller. */
	uintptr_t within = (uintptr_t)sysconf(_SC_PAGESIZE) - 1, low = (uintptr_t)s->low & ~within,
		  high = (uintptr_t)s->high | within;

	if (s->low != NULL)
		/* if not, it is only memory */
		(void)madvise((void *)low, high + 1 - low, MADV_DONTNEED);
}
