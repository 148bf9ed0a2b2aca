/* read.c - answers questions about entries, counts and endpoints. Each function is one
 * short read transaction, and nothing here writes. */

#include "store/lmdb/lmdb_ops.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "store/lmdb/body.h"
#include "store/lmdb/db/db.h"
#include "store/lmdb/db_open.h"
#include "store/lmdb/endpoint.h"
#include "store/lmdb/entry_rows.h"
#include "store/lmdb/handle.h"
#include "store/lmdb/room.h"
#include "store/lmdb/row.h"
#include "store/lmdb/txn.h"

enum rp_err rp_lmdb_attempts(struct rp_outbox *outbox, uint64_t seq,
			     void (*see)(void *arg, uint32_t n, const struct rp_attempt *a,
					 bool damaged),
			     void *arg, struct rp_error *err)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);
	uint64_t key[2] = {seq, 0};
	struct rp_txn t;
	MDB_val v;
	enum rp_err e = rp_txn_read(ob, &t, err);

	while (e == RP_OK && (e = rp_row_from(&t, RP_T_ATTEMPT, key, 2, 1, &v, err)) == RP_OK) {
		struct rp_attempt a;
		bool sound = rp_attempt_unpack(&a, seq, v.mv_data, v.mv_size);

		see(arg, (uint32_t)key[1], &a, !sound);
		key[1]++;
	}
	rp_txn_end(&t);
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

enum rp_err rp_lmdb_body(struct rp_outbox *outbox, uint64_t seq, struct rp_buf *out,
			 struct rp_error *err)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);
	struct rp_facts f;
	struct rp_txn t;
	enum rp_err e = rp_txn_read(ob, &t, err);

	if (e != RP_OK)
		return e;
	e = rp_entry_facts(&t, seq, &f, err);
	if (e == RP_OK)
		e = rp_entry_payload(&t, seq, &f, out, err);
	else if (e == RP_ERR_NOTFOUND || e == RP_ERR_DAMAGED)
		rp_fail(err, e, "entry %" PRIu64 ": %s", seq,
			e == RP_ERR_NOTFOUND ? "no such entry" : "its record is damaged");
	rp_txn_end(&t);
	return e;
}

enum rp_err rp_lmdb_ledger(struct rp_outbox *outbox, struct rp_ledger *out, struct rp_error *err)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);
	struct rp_txn t;
	enum rp_err e = rp_txn_read(ob, &t, err);

	if (e != RP_OK)
		return e;
	*out = (struct rp_ledger){
	    .accepted = t.head.accepted,
	    .waiting = t.head.count[RP_STATE_WAITING],
	    .in_flight = t.head.count[RP_STATE_IN_FLIGHT],
	    .held = t.head.count[RP_STATE_HELD],
	    .delivered = t.head.count[RP_STATE_DELIVERED],
	    .dead = t.head.count[RP_STATE_DEAD],
	    .purged = t.head.purged,
	};
	rp_txn_end(&t);
	return RP_OK;
}

/* --- readers: LMDB prints them as lines of text, "pid thread txnid", txnid "-" for one that holds
 * nothing --- */

struct readers {
	uint64_t last;
	struct rp_outbox_info *info;
};

static int see_reader_line(const char *line, void *arg)
{
	struct readers *r = arg;
	struct rp_reader_info one;
	unsigned long long txnid;

	/* The first line is a heading. */
	if (sscanf(line, "%" SCNu32 " %*s %llu", &one.pid, &txnid) != 2)
		return 0;
	one.lag = txnid < r->last ? r->last - txnid : 0;
	if (one.lag > r->info->reader_lag)
		r->info->reader_lag = one.lag;
	if (one.pid != (uint32_t)getpid() && one.lag >= r->info->oldest_reader.lag)
		r->info->oldest_reader = one;
	return 0;
}

static enum rp_err see_readers(struct rp_lmdb *ob, struct rp_outbox_info *info,
			       struct rp_error *err)
{
	struct readers r = {.info = info};

	mdb_reader_check(ob->db.env, NULL); /* those of killed processes hold nothing any more */
	r.last = rp_db_info(ob).me_last_txnid;
	return mdb_reader_list(ob->db.env, see_reader_line, &r) < 0
		   ? rp_fail(err, RP_ERR_IO, "%s: the table of readers cannot be read", ob->db.dir)
		   : RP_OK;
}

static enum rp_err oldest_due(struct rp_txn *t, int64_t *at_ms, struct rp_error *err)
{
	uint64_t key[3];
	enum rp_err e = rp_row_first(t, RP_T_READY, rp_key3(RP_QUEUE_DUE, 0, 0), key, 3, NULL, err);

	if (e == RP_OK && key[0] == RP_QUEUE_DUE)
		*at_ms = (int64_t)key[1];
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

static enum rp_err oldest_since(struct rp_txn *t, enum rp_table table, int64_t *at_ms,
				struct rp_error *err)
{
	uint64_t key[2];
	enum rp_err e = rp_row_first(t, table, rp_key2(0, 0), key, 2, NULL, err);

	if (e == RP_OK)
		*at_ms = (int64_t)key[0];
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

static enum rp_err find_oldest(struct rp_txn *t, struct rp_oldest *out, struct rp_error *err)
{
	enum rp_err e;

	*out = (struct rp_oldest){RP_NEVER, RP_NEVER, RP_NEVER};
	e = oldest_due(t, &out->waiting_due_at_ms, err);
	if (e == RP_OK)
		e = oldest_since(t, RP_T_DONE, &out->delivered_at_ms, err);
	return e == RP_OK ? oldest_since(t, RP_T_DEAD, &out->dead_at_ms, err) : e;
}

/* From the queue of hosts down to the path that an exchange would look at first. */
static enum rp_err next_path(struct rp_txn *t, uint64_t *id, struct rp_error *err)
{
	uint64_t key[3], queue = RP_QUEUE_PROVEN, other[3];
	enum rp_err e = rp_row_first(t, RP_T_READY, rp_key3(queue, 0, 0), key, 3, NULL, err);
	enum rp_err f =
	    rp_row_first(t, RP_T_READY, rp_key3(RP_QUEUE_UNPROVEN, 0, 0), other, 3, NULL, err);

	if (f == RP_OK && other[0] == RP_QUEUE_UNPROVEN &&
	    (e != RP_OK || key[0] != queue || other[1] < key[1])) {
		memcpy(key, other, sizeof key);
		queue = RP_QUEUE_UNPROVEN;
		e = f;
	}
	while (e == RP_OK && key[0] == queue && rp_level_of(key[2]) != RP_LEVEL_PATH) {
		queue = key[2];
		e = rp_row_first(t, RP_T_READY, rp_key3(queue, 0, 0), key, 3, NULL, err);
	}
	if (e != RP_OK)
		return e;
	*id = key[2];
	return key[0] == queue ? RP_OK : RP_ERR_NOTFOUND;
}

static enum rp_err next_due(struct rp_txn *t, int64_t *at_ms, struct rp_error *err)
{
	uint64_t id, first[3];
	enum rp_err e = next_path(t, &id, err);

	*at_ms = RP_NEVER;
	if (e == RP_OK)
		e = rp_row_first(t, RP_T_QUEUE, rp_key3(id, 0, 0), first, 3, NULL, err);
	if (e == RP_OK && first[0] == id)
		*at_ms = (int64_t)first[1];
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

enum rp_err rp_lmdb_info(struct rp_outbox *outbox, struct rp_outbox_info *out, struct rp_error *err)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);
	MDB_envinfo info;
	struct rp_txn t;
	enum rp_err e = rp_txn_read(ob, &t, err);

	if (e != RP_OK)
		return e;
	mdb_env_info(ob->db.env, &info);
	*out = (struct rp_outbox_info){
	    .retrying = t.head.retrying,
	    .map_bytes = info.me_mapsize,
	    .quota_bytes = ob->quota_bytes,
	    .file_bytes = rp_db_high_water_bytes(ob),
	    .used_bytes = rp_db_used_bytes(ob),
	    .disk_free_bytes = rp_db_disk_free_bytes(&ob->db),
	    .readers = info.me_numreaders,
	    .max_readers = info.me_maxreaders,
	    .commits = info.me_last_txnid,
	    .latest_at_ms = t.head.latest_at_ms,
	    .format = RP_FORMAT_VERSION,
	};
	e = next_due(&t, &out->next_due_at_ms, err);
	if (e == RP_OK && find_oldest(&t, &out->oldest, &out->oldest_trouble) == RP_OK)
		out->oldest_trouble.code = RP_OK;
	rp_txn_end(&t);
	if (e != RP_OK)
		return e;
	out->refuses = rp_room_for_one(ob, &out->refusal) != RP_OK;
	return see_readers(ob, out, err);
}
