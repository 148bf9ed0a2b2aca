/* db_room.c - counts how much of the file is used and how much is left. Counting walks the free
 * list, so the result is kept from one transaction to the next. */

#include "store/lmdb/store_int.h"

#include <stdio.h>
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

MDB_envinfo rp_db_info(struct rp_lmdb *ob)
{
	MDB_envinfo info;

	rp_damage_enter(ob);
	mdb_env_info(ob->env, &info);
	rp_damage_leave();
	return info;
}

uint64_t rp_db_high_water_bytes(struct rp_lmdb *ob)
{
	MDB_envinfo info = rp_db_info(ob);

	return ((uint64_t)info.me_last_pgno + 1) * ob->page_bytes;
}

struct oldest_reader {
	uint64_t txn;
	long pid;
};

/* A line of LMDB's list, "pid thread transaction"; the transaction is - for a slot that reads
 * nothing. */
static int see_reader(const char *line, void *arg)
{
	struct oldest_reader *oldest = arg;
	unsigned long long txn;
	long pid;

	if (sscanf(line, "%ld %*s %llu", &pid, &txn) == 2 && txn < oldest->txn)
		*oldest = (struct oldest_reader){txn, pid};
	return 0;
}

struct rp_db_room rp_db_room(struct rp_lmdb *ob)
{
	struct rp_db_room room = {.high_bytes = rp_db_high_water_bytes(ob)};
	struct oldest_reader oldest = {UINT64_MAX, 0};
	uint64_t freed_by;
	MDB_val k, v;
	MDB_cursor *c;
	struct rp_txn t;
	size_t n;

	mdb_reader_list(ob->env, see_reader, &oldest);
	/* Table 0 is LMDB's free list: transaction id -> count, page numbers. Only read
	 * transactions may look at it. */
	if (rp_txn_read_rows(ob, &t, NULL) != RP_OK)
		return room;
	if (mdb_cursor_open(t.mdb, 0, &c) != 0) {
		rp_txn_end(&t);
		return room;
	}
	while (mdb_cursor_get(c, &k, &v, MDB_NEXT) == 0) {
		if (v.mv_size < sizeof n || k.mv_size != sizeof(size_t))
			continue;
		memcpy(&n, v.mv_data, sizeof n);
		memcpy(&freed_by, k.mv_data, sizeof freed_by);
		/* What a transaction freed is used again when every reader is younger than it. */
		*(freed_by < oldest.txn ? &room.free_bytes : &room.pinned_bytes) +=
		    n * ob->page_bytes;
	}
	room.pinned_by = room.pinned_bytes > 0 ? oldest.pid : 0;
	mdb_cursor_close(c);
	rp_txn_end(&t);
	return room;
}

uint64_t rp_db_used_bytes(struct rp_lmdb *ob)
{
	struct rp_db_room room = rp_db_room(ob);
	uint64_t not_used = room.free_bytes + room.pinned_bytes;

	/* a damaged free list may say anything */
	return not_used < room.high_bytes ? room.high_bytes - not_used : 0;
}
