/* job.c - moves some entries of a job on, inside a transaction. jobs.c decides which job
 * gets a turn; here its rows are worked through. */

#include "store/lmdb/job.h"

#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "base/log.h"
#include "store/lmdb/change.h"
#include "store/lmdb/db/db.h"
#include "store/lmdb/entry_rows.h"
#include "store/lmdb/handle.h"
#include "store/lmdb/row.h"
#include "store/lmdb/tree/page_guard.h"
#include "store/lmdb/txn.h"

/* --- records ------------------------------------------------------------------------ */

enum rp_err rp_job_get(struct rp_txn *t, uint64_t number, struct rp_job_buf *copy, struct rp_job *j,
		       struct rp_error *err)
{
	MDB_val v;
	enum rp_err e = rp_row_get(t, RP_T_JOB, rp_key1(number), &v, err);

	if (e == RP_ERR_NOTFOUND)
		return rp_fail(err, e, "there is no job or plan %" PRIu64, number);
	if (e != RP_OK)
		return e;
	if (v.mv_size <= sizeof copy->bytes) {
		memcpy(copy->bytes, v.mv_data, v.mv_size);
		if (rp_job_unpack(j, number, copy->bytes, v.mv_size))
			return RP_OK;
	}
	return rp_fail(err, RP_ERR_DAMAGED, "the record of job %" PRIu64 " is damaged", number);
}

enum rp_err rp_job_put(struct rp_txn *t, uint64_t number, const struct rp_job *j,
		       struct rp_error *err)
{
	unsigned char buf[RP_JOB_BYTES_MAX];
	size_t n = rp_job_pack(j, number, buf, sizeof buf);

	assert(n > 0);
	return rp_row_put(t, RP_T_JOB, rp_key1(number), buf, n, 0, err);
}

/* RP_ERR_NOTFOUND: nothing of the job's set is left. */
static enum rp_err first_planned(struct rp_txn *t, uint64_t number, uint64_t endpoint,
				 struct rp_plan_row *row, struct rp_error *err)
{
	uint64_t key[3];
	MDB_val v;
	enum rp_err e =
	    rp_row_first(t, RP_T_JOB_ENTRY, rp_key3(number, endpoint, 0), key, 3, &v, err);

	if (e != RP_OK || key[0] != number)
		return e == RP_OK ? RP_ERR_NOTFOUND : e;
	if (!rp_plan_row_unpack(row, v.mv_data, v.mv_size))
		memset(row, 0, sizeof *row); /* no state: it will be skipped as changed */
	row->endpoint = key[1];
	row->seq = key[2];
	return RP_OK;
}

static enum rp_err remove_planned(struct rp_txn *t, uint64_t number, const struct rp_plan_row *row,
				  struct rp_error *err)
{
	return rp_row_del(t, RP_T_JOB_ENTRY, rp_key3(number, row->endpoint, row->seq), err);
}

/* --- one entry ---------------------------------------------------------------------- */

/* The row goes in the transaction in which its entry moves: whatever crashes, no entry is done
 * twice or left out. */
static enum rp_err work_on(struct rp_txn *t, uint64_t number, struct rp_job *j,
			   const struct rp_plan_row *row, struct rp_error *err)
{
	enum rp_changed result;
	struct rp_delivery d;
	enum rp_err e = remove_planned(t, number, row, err);

	if (e == RP_OK)
		e = rp_entry_delivery(t, row->seq, &d, err);
	if (e != RP_OK && e != RP_ERR_NOTFOUND && e != RP_ERR_DAMAGED)
		return e;
	if (!rp_job_admits(j, row, e == RP_ERR_NOTFOUND ? NULL : &d, e == RP_ERR_DAMAGED))
		return RP_OK;
	e = rp_change_one(t, rp_job_change(j), 0, row->seq, &result, err);
	if (e == RP_OK)
		rp_job_count(j, result);
	return e;
}

/* --- an endpoint's share ------------------------------------------------------------ */

/* How many entries of the endpoint are due; not counted further than max. */
static enum rp_err count_due(struct rp_txn *t, uint64_t endpoint, size_t max, size_t *n,
			     struct rp_error *err)
{
	struct rp_key from = rp_key1(endpoint);
	MDB_val k = {from.len, from.bytes}, v;
	uint64_t key[3];
	MDB_cursor *c;
	int rc = mdb_cursor_open(t->mdb, t->ob->db.table[RP_T_QUEUE], &c);

	*n = 0;
	if (rc != 0)
		return rp_db_fail(&t->ob->db, rc, "jobs", err);
	rc = rp_page_guard(t->guard, RP_T_QUEUE, &k, RP_PAGE_GUARD_FIND);
	if (rc == 0)
		rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
	for (; rc == 0 && *n < max; rc = rp_row_next(t, RP_T_QUEUE, c, &k, &v)) {
		if (!rp_key_read(k.mv_data, k.mv_size, key, 3) || key[0] != endpoint ||
		    (int64_t)key[1] > t->now_at_ms)
			break;
		(*n)++;
	}
	mdb_cursor_close(c);
	return rc == MDB_NOTFOUND ? RP_OK : rp_db_fail(&t->ob->db, rc, "jobs", err);
}

/* Works on what the endpoint may be given now; the first row that stays is in *row, if any. */
static enum rp_err work_on_lane(struct rp_txn *t, uint64_t number, struct rp_job *j,
				struct rp_plan_row *row, struct rp_job_walk *walk,
				struct rp_error *err)
{
	uint64_t endpoint = row->endpoint, done;
	size_t n_due = 0, room;
	enum rp_err e = RP_OK;

	if (rp_job_minds_queue(j, walk->due_max))
		e = count_due(t, endpoint, walk->due_max, &n_due, err);
	room = rp_job_walk_room(walk, j, n_due);
	while (e == RP_OK && row->endpoint == endpoint &&
	       rp_job_walk_take(walk, j, room, t->now_at_ms)) {
		done = j->done;
		e = work_on(t, number, j, row, err);
		room -= j->done > done;
		if (e == RP_OK)
			e = first_planned(t, number, endpoint, row, err);
	}
	return e;
}

static void end_job(struct rp_txn *t, uint64_t number, struct rp_job *j)
{
	rp_job_end(j, t->now_at_ms);
	rp_log(RP_LOG_INFO, "job_done", "job=%" PRIu64 " done=%" PRIu64 " skipped=%" PRIu64, number,
	       j->done, rp_job_n_skipped(j));
}

static enum rp_err work_on_lanes(struct rp_txn *t, uint64_t number, struct rp_job *j,
				 struct rp_job_walk *walk, struct rp_error *err)
{
	enum rp_job_lane lane = RP_JOB_LANE_LOOK;
	struct rp_plan_row row;
	enum rp_err e = RP_OK;

	while (lane != RP_JOB_LANE_END && rp_job_walk_goes_on(walk)) {
		e = first_planned(t, number, j->lane, &row, err);
		if (e != RP_OK && e != RP_ERR_NOTFOUND)
			return e;
		lane = rp_job_walk_lane(walk, j, e == RP_OK ? &row.endpoint : NULL);
		if (lane == RP_JOB_LANE_WORK)
			e = work_on_lane(t, number, j, &row, walk, err);
		if (e != RP_OK && e != RP_ERR_NOTFOUND)
			return e;
	}
	e = first_planned(t, number, 0, &row, err);
	if (e == RP_ERR_NOTFOUND) {
		end_job(t, number, j);
		e = RP_OK;
	}
	return e;
}

enum rp_err rp_job_work(struct rp_txn *t, uint64_t number, struct rp_job *j,
			struct rp_job_walk *walk, size_t *worked, struct rp_error *err)
{
	uint64_t before = j->done + rp_job_n_skipped(j);
	enum rp_err e = work_on_lanes(t, number, j, walk, err);

	*worked = (size_t)(j->done + rp_job_n_skipped(j) - before);
	if (e != RP_OK || !rp_job_walk_is_kept(walk, j, *worked))
		return e;
	if (*worked > 0)
		j->moved_at_ms = t->now_at_ms;
	return rp_job_put(t, number, j, err);
}

enum rp_err rp_job_sweep(struct rp_txn *t, uint64_t number, size_t max, size_t *removed,
			 struct rp_error *err)
{
	struct rp_plan_row row;
	enum rp_err e = RP_OK;

	for (*removed = 0; *removed < max; (*removed)++) {
		e = first_planned(t, number, 0, &row, err);
		if (e == RP_OK)
			e = remove_planned(t, number, &row, err);
		if (e != RP_OK)
			break;
	}
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}
