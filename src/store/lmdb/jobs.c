/* jobs.c - makes plans, starts and orders jobs, and gives each a turn. job.c works on the
 * entries; here the bounds are kept on how many there may be. */

#include "store/lmdb/lmdb_ops.h"

#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "model/job_walk.h"
#include "store/lmdb/audit.h"
#include "store/lmdb/handle.h"
#include "store/lmdb/host/wakeup.h"
#include "store/lmdb/job.h"
#include "store/lmdb/row.h"
#include "store/lmdb/txn.h"

/* Rows of a set removed in a transaction. */
#define SWEEP_ROWS 2000

/* --- plans -------------------------------------------------------------------------- */

static bool has_rows(struct rp_txn *t, uint64_t number)
{
	uint64_t key[3];

	return rp_row_first(t, RP_T_JOB_ENTRY, rp_key3(number, 0, 0), key, 3, NULL, NULL) ==
		   RP_OK &&
	       key[0] == number;
}

static enum rp_err expire_plan(struct rp_txn *t, uint64_t number, struct rp_job *j,
			       struct rp_error *err)
{
	rp_job_expire_plan(j, t->now_at_ms);
	return rp_job_put(t, number, j, err);
}

static enum rp_err look_at_shelf(struct rp_txn *t, struct rp_job_shelf *s, struct rp_error *err)
{
	uint64_t number = 0;
	enum rp_err e;
	MDB_val v;

	memset(s, 0, sizeof *s);
	while ((e = rp_row_from(t, RP_T_JOB, &number, 1, 0, &v, err)) == RP_OK) {
		struct rp_job j;
		bool sound = rp_job_unpack(&j, number, v.mv_data, v.mv_size);

		rp_job_shelf_see(s, number, sound ? &j : NULL, has_rows(t, number));
		number++;
	}
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

static enum rp_err make_room(struct rp_txn *t, const struct rp_job_shelf *s,
			     const struct rp_job_place *place, struct rp_error *err)
{
	struct rp_job_buf copy;
	struct rp_job j;
	enum rp_err e = RP_OK;

	if (place->refused)
		return rp_fail(err, RP_ERR_BUSY,
			       "%zu jobs and plans are unfinished; see them with: runpostctl jobs",
			       s->n);
	if (place->expires != 0) {
		e = rp_job_get(t, place->expires, &copy, &j, err);
		if (e == RP_OK)
			e = expire_plan(t, place->expires, &j, err);
	}
	if (e == RP_OK && place->removed != 0)
		e = rp_row_del(t, RP_T_JOB, rp_key1(place->removed), err);
	return e;
}

enum rp_err rp_lmdb_plan_begin(struct rp_outbox *outbox, int64_t now_at_ms,
			       const struct rp_job *spec, uint64_t *number, struct rp_error *err)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);
	struct rp_job j = *spec;
	struct rp_job_shelf s;
	struct rp_job_place place;
	struct rp_txn t;
	enum rp_err e = rp_txn_write(ob, now_at_ms, &t, err);

	if (e != RP_OK)
		return e;
	e = look_at_shelf(&t, &s, err);
	place = rp_job_shelf_place(&s);
	if (e == RP_OK)
		e = make_room(&t, &s, &place, err);
	rp_job_begin_plan(&j, now_at_ms);
	*number = place.number;
	if (e == RP_OK)
		e = rp_job_put(&t, *number, &j, err);
	return rp_txn_finish(&t, e, err);
}

static enum rp_err add_row(struct rp_txn *t, uint64_t number, struct rp_job *j,
			   const struct rp_plan_row *row, struct rp_error *err)
{
	unsigned char value[RP_PLAN_ROW_BYTES];
	struct rp_key key = rp_key3(number, row->endpoint, row->seq);
	MDB_val there;
	enum rp_err e = rp_row_get(t, RP_T_JOB_ENTRY, key, &there, err);

	if (e != RP_ERR_NOTFOUND) /* named twice */
		return e;
	rp_plan_row_pack(row, value);
	j->planned++;
	return rp_row_put(t, RP_T_JOB_ENTRY, key, value, sizeof value, 0, err);
}

enum rp_err rp_lmdb_plan_add(struct rp_outbox *outbox, int64_t now_at_ms, uint64_t number,
			     const struct rp_plan_row *rows, size_t n, bool last,
			     struct rp_error *err)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);
	struct rp_job_buf copy;
	struct rp_job j;
	struct rp_txn t;
	size_t i;
	enum rp_err e = rp_txn_write(ob, now_at_ms, &t, err);

	if (e != RP_OK)
		return e;
	e = rp_job_get(&t, number, &copy, &j, err);
	if (e == RP_OK && j.phase != RP_JOB_PLANNING)
		e = rp_fail(err, RP_ERR_STALE, "plan %" PRIu64 " is complete", number);
	for (i = 0; i < n && e == RP_OK; i++)
		e = add_row(&t, number, &j, &rows[i], err);
	if (last)
		j.phase = RP_JOB_PLANNED;
	if (e == RP_OK)
		e = rp_job_put(&t, number, &j, err);
	return rp_txn_finish(&t, e, err);
}

/* --- what operators say ------------------------------------------------------------- */

static enum rp_err refuse(uint64_t number, const struct rp_job *j, struct rp_error *err)
{
	return rp_fail(err, RP_ERR_STALE, "%s %" PRIu64 " is %s",
		       j->started_at_ms != 0 ? "job" : "plan", number, rp_job_phase_name(j->phase));
}

/* A record of the log for a job that starts. */
static enum rp_err note_start(struct rp_txn *t, uint64_t number, struct rp_job *j,
			      struct rp_error *err)
{
	const struct rp_audit a = {.uid = j->uid,
				   .at_ms = t->now_at_ms,
				   .job = number,
				   .verb = rp_span_of(rp_job_verb_name(j->verb)),
				   .user = j->user,
				   .what = j->selector,
				   .reason = j->reason};

	return rp_audit_put_new(t, &a, &j->audit, err);
}

static enum rp_err give_order(struct rp_txn *t, uint64_t number, struct rp_job *j,
			      const struct rp_job_order *o, struct rp_error *err)
{
	if (!rp_job_obey(j, o, t->now_at_ms))
		return refuse(number, j, err);
	return o->kind == RP_ORDER_START ? note_start(t, number, j, err) : RP_OK;
}

enum rp_err rp_lmdb_job_order(struct rp_outbox *outbox, int64_t now_at_ms, uint64_t number,
			      const struct rp_job_order *o, struct rp_error *err)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);
	struct rp_job_buf copy;
	struct rp_job j;
	struct rp_txn t;
	enum rp_err e = rp_txn_write(ob, now_at_ms, &t, err);

	if (e != RP_OK)
		return e;
	e = rp_job_get(&t, number, &copy, &j, err);
	if (e == RP_OK)
		e = give_order(&t, number, &j, o, err);
	if (e == RP_OK)
		e = rp_job_put(&t, number, &j, err);
	e = rp_txn_finish(&t, e, err);
	if (e == RP_OK)
		rp_wakeup_ring(ob);
	return e;
}

/* --- carrying ----------------------------------------------------------------------- */

static bool is_to_sweep(struct rp_txn *t, uint64_t number, const struct rp_job *j)
{
	return (rp_job_is_over(j->phase) && has_rows(t, number)) ||
	       rp_job_is_stale_plan(j, t->now_at_ms);
}

/* Whether there is anything to do at all, so that nobody takes the write lock for nothing. */
static enum rp_err is_work(struct rp_lmdb *ob, int64_t now_at_ms, const struct rp_job_step *s,
			   bool *work, struct rp_error *err)
{
	uint64_t number = 0;
	struct rp_txn t;
	enum rp_err e = rp_txn_read(ob, &t, err);
	MDB_val v;

	*work = false;
	if (e != RP_OK)
		return e;
	t.now_at_ms = now_at_ms;
	while (!*work && (e = rp_row_from(&t, RP_T_JOB, &number, 1, 0, &v, err)) == RP_OK) {
		struct rp_job j;

		if (rp_job_unpack(&j, number, v.mv_data, v.mv_size))
			*work =
			    rp_job_is_carried(&j, number, s->job) || is_to_sweep(&t, number, &j);
		number++;
	}
	rp_txn_end(&t);
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

static void look_by(struct rp_job_step *s, int64_t at_ms)
{
	if (at_ms < s->next_at_ms)
		s->next_at_ms = at_ms;
}

static enum rp_err carry_one(struct rp_txn *t, struct rp_job_step *s, uint64_t number,
			     struct rp_job *j, struct rp_error *err)
{
	struct rp_job_walk walk = {.left = s->max - s->n_worked, .due_max = s->due_max};
	size_t worked;
	enum rp_err e = rp_job_work(t, number, j, &walk, &worked, err);

	if (e != RP_OK)
		return e;
	s->n_worked += worked;
	s->blocked = s->blocked || walk.blocked;
	if (j->audit != 0 && worked > 0)
		e = rp_audit_set_counts(t, j->audit, j->done, rp_job_n_skipped(j), err);
	if (j->phase == RP_JOB_RUNNING)
		look_by(s, rp_job_again_at_ms(j, worked, t->now_at_ms));
	return e;
}

static enum rp_err sweep_one(struct rp_txn *t, struct rp_job_step *s, uint64_t number,
			     struct rp_job *j, struct rp_error *err)
{
	size_t removed;
	enum rp_err e = RP_OK;

	if (rp_job_is_stale_plan(j, t->now_at_ms))
		e = expire_plan(t, number, j, err);
	if (e == RP_OK)
		e = rp_job_sweep(t, number, SWEEP_ROWS, &removed, err);
	look_by(s, t->now_at_ms + RP_JOB_AGAIN_MS);
	return e;
}

static enum rp_err carry(struct rp_txn *t, struct rp_job_step *s, struct rp_error *err)
{
	struct rp_job_buf copy;
	struct rp_job j;
	uint64_t number = 0;
	enum rp_err e = RP_OK;

	while (s->n_worked < s->max &&
	       (e = rp_row_from(t, RP_T_JOB, &number, 1, 0, NULL, err)) == RP_OK) {
		e = rp_job_get(t, number, &copy, &j, err);
		if (e == RP_OK && rp_job_is_carried(&j, number, s->job))
			e = carry_one(t, s, number, &j, err);
		else if (e == RP_OK && is_to_sweep(t, number, &j))
			e = sweep_one(t, s, number, &j, err);
		/* verify tells of a damaged one; the others go on */
		if (e != RP_OK && e != RP_ERR_DAMAGED)
			return e;
		number++;
	}
	if (s->n_worked >= s->max)
		look_by(s, t->now_at_ms + RP_JOB_AGAIN_MS);
	return e == RP_ERR_NOTFOUND || e == RP_ERR_DAMAGED ? RP_OK : e;
}

enum rp_err rp_lmdb_jobs_step(struct rp_outbox *outbox, int64_t now_at_ms, struct rp_job_step *s,
			      struct rp_error *err)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);
	struct rp_txn t;
	bool work;
	enum rp_err e = is_work(ob, now_at_ms, s, &work, err);

	s->n_worked = 0;
	s->blocked = false;
	s->next_at_ms = RP_NEVER;
	if (e != RP_OK || !work)
		return e;
	e = rp_txn_write(ob, now_at_ms, &t, err);
	if (e != RP_OK)
		return e;
	e = rp_txn_finish(&t, carry(&t, s, err), err);
	if (e == RP_OK && t.dirty && s->n_worked > 0)
		rp_wakeup_ring(ob);
	return e;
}

/* --- looking ------------------------------------------------------------------------ */

enum rp_err rp_lmdb_jobs(struct rp_outbox *outbox,
			 bool (*see)(void *arg, uint64_t number, const struct rp_job *j), void *arg,
			 struct rp_error *err)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);
	uint64_t number = 0;
	struct rp_txn t;
	bool go_on = true;
	MDB_val v;
	enum rp_err e = rp_txn_read(ob, &t, err);

	if (e != RP_OK)
		return e;
	while (go_on && (e = rp_row_from(&t, RP_T_JOB, &number, 1, 0, &v, err)) == RP_OK) {
		struct rp_job j;

		/* a damaged one shows as zeroes, `verify` names it */
		rp_job_unpack(&j, number, v.mv_data, v.mv_size);
		go_on = see(arg, number, &j);
		number++;
	}
	rp_txn_end(&t);
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

enum rp_err rp_lmdb_plan_rows(struct rp_outbox *outbox, uint64_t number, struct rp_plan_row *from,
			      struct rp_plan_row *rows, size_t max, size_t *n, struct rp_error *err)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);
	uint64_t key[3] = {number, from->endpoint, from->seq};
	struct rp_txn t;
	MDB_val v;
	enum rp_err e = rp_txn_read(ob, &t, err);

	*n = 0;
	if (e != RP_OK)
		return e;
	while (*n < max && (e = rp_row_from(&t, RP_T_JOB_ENTRY, key, 3, 1, &v, err)) == RP_OK) {
		if (!rp_plan_row_unpack(&rows[*n], v.mv_data, v.mv_size))
			memset(&rows[*n], 0, sizeof rows[*n]);
		rows[*n].endpoint = key[1];
		rows[(*n)++].seq = key[2]++;
		*from = (struct rp_plan_row){.endpoint = key[1], .seq = key[2]};
	}
	rp_txn_end(&t);
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}
