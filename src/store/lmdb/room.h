/* room.h - private to src/store/lmdb: how much of the data file is used, and whether what comes in
 * has room. */
#ifndef RP_STORE_LMDB_ROOM_H
#define RP_STORE_LMDB_ROOM_H

#include <lmdb.h>
#include <stdint.h>
#include "base/err.h"

struct rp_lmdb;

/* The data file as of the last commit; walks LMDB's free list. */
struct rp_db_room {
	uint64_t high_bytes;   /* pages ever used */
	uint64_t free_bytes;   /* of these, free for the next commits */
	uint64_t pinned_bytes; /* of these, free as soon as the oldest reader has gone on */
	long pinned_by;        /* its pid */
};
struct rp_db_room rp_db_room(struct rp_lmdb *ob);
uint64_t rp_db_used_bytes(struct rp_lmdb *ob); /* neither free nor pinned */
uint64_t rp_db_high_water_bytes(struct rp_lmdb *ob);
/* as of the last commit; also outside of a transaction */
MDB_envinfo rp_db_info(struct rp_lmdb *ob);

/* What a commit needs beside payloads and records: copied branch pages of the tables and the free
 * list. */
#define RP_COMMIT_OVERHEAD_PAGES ((uint64_t)64)
#define RP_ENTRY_OVERHEAD_BYTES 1024
/* RP_ERR_FULL: so much does not fit below quota, disk and map. */
enum rp_err rp_room_check(struct rp_lmdb *ob, uint64_t need_bytes, struct rp_error *err);
/* ... an entry without a payload. */
enum rp_err rp_room_for_one(struct rp_lmdb *ob, struct rp_error *err);

#endif
