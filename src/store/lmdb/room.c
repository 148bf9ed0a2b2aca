/* room.c - counts how much of the file is used, and asks whether there is room for what comes in.
 * Counting walks the free list, so it is done only where the answer can depend on it. */

#include "store/lmdb/room.h"

#include <stdio.h>
#include <string.h>

#include "store/lmdb/db/damage.h"
#include "store/lmdb/db/db.h"
#include "store/lmdb/handle.h"
#include "store/lmdb/txn.h"

MDB_envinfo rp_db_info(struct rp_lmdb *ob)
{
	MDB_envinfo info;

	rp_damage_enter(&ob->db);
	mdb_env_info(ob->db.env, &info);
	rp_damage_leave();
	return info;
}

uint64_t rp_db_high_water_bytes(struct rp_lmdb *ob)
{
	MDB_envinfo info = rp_db_info(ob);

	return ((uint64_t)info.me_last_pgno + 1) * ob->db.page_bytes;
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

	mdb_reader_list(ob->db.env, see_reader, &oldest);
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
		    n * ob->db.page_bytes;
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

/* --- for what comes in ---------------------------------------------------------------- */

static const char *size_text(uint64_t bytes, char out[32])
{
	bool small = bytes < (uint64_t)8 << 20;

	snprintf(out, 32, "%llu %s", (unsigned long long)(bytes >> (small ? 10 : 20)),
		 small ? "KiB" : "MiB");
	return out;
}

/* Leaves room for what must always work: settles, dead letters, purges. Only appends and imports
 * ask. Counting the free list costs a walk over it, so it is done only when the file has once been
 * as large as the quota, or the disk is short. */
enum rp_err rp_room_check(struct rp_lmdb *ob, uint64_t need, struct rp_error *err)
{
	uint64_t high = rp_db_high_water_bytes(ob), disk = rp_db_disk_free_bytes(&ob->db), used;
	struct rp_db_room room;
	char is[32], may[32];

	if (high + need <= ob->quota_bytes && disk >= ob->disk_reserve_bytes + need)
		return RP_OK;
	room = rp_db_room(ob);
	used = room.high_bytes - room.free_bytes;
	if (used - room.pinned_bytes + need > ob->quota_bytes)
		return rp_fail(err, RP_ERR_FULL,
			       "%s: the outbox holds %s of its quota of %s, and what comes needs "
			       "%llu KiB; deliver or "
			       "purge entries, "
			       "or raise quota",
			       ob->db.dir, size_text(used - room.pinned_bytes, is),
			       size_text(ob->quota_bytes, may), (unsigned long long)need >> 10);
	/* Else a reader that stands still would make the file grow past every bound while the
	 * quota looks kept. */
	if (used + need > ob->quota_bytes)
		return rp_fail(err, RP_ERR_FULL,
			       "%s: process %ld reads a state of long ago and keeps %s that were "
			       "freed since; end it",
			       ob->db.dir, room.pinned_by, size_text(room.pinned_bytes, is));
	/* Half of what is free, because it may lie in pieces, and the last commits still see
	 * some. */
	if (disk < ob->disk_reserve_bytes + need && room.free_bytes / 2 < need)
		return rp_fail(
		    err, RP_ERR_FULL,
		    "%s: only %s are left on the disk, %s are kept for deliveries (disk_reserve)",
		    ob->db.dir, size_text(disk, is), size_text(ob->disk_reserve_bytes, may));
	return RP_OK;
}

enum rp_err rp_room_for_one(struct rp_lmdb *ob, struct rp_error *err)
{
	return rp_room_check(
	    ob, RP_COMMIT_OVERHEAD_PAGES * ob->db.page_bytes + RP_ENTRY_OVERHEAD_BYTES, err);
}
