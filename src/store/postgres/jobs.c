/* jobs.c - plans and jobs. Who works on jobs has their rows locked, before any host. */
#include "store/postgres/audit.h"
#include "store/postgres/columns.h"
#include "store/postgres/tell.h"
#include "store/postgres/postgres_ops.h"
#include "store/postgres/txn_int.h"

#include <inttypes.h>
#include <stdlib.h>

#include "model/job_walk.h"

#define SWEPT_A_STEP 1000

#define HAS_ROWS "EXISTS (SELECT FROM job_entry p WHERE p.job = j.number)"
static const struct rp_pg_statement lock_jobs = {
    "lock_jobs", "SELECT j.number, " HAS_ROWS RP_PG_JOB(RP_PG_LIST) " FROM job j ORDER BY number"
								    " FOR UPDATE"};
static const struct rp_pg_statement lock_shelf = {"lock_shelf",
						  "LOCK TABLE job IN SHARE ROW EXCLUSIVE MODE"};
static const struct rp_pg_statement list_jobs = {
    "list_jobs", "SELECT j.number, " HAS_ROWS RP_PG_JOB(RP_PG_LIST) " FROM job j ORDER BY number"};
static const struct rp_pg_statement put_job = {
    "put_job", "INSERT INTO job (number" RP_PG_JOB(RP_PG_LIST) ") SELECT * FROM"
							       " unnest($1::bigint[]" RP_PG_JOB(
								   RP_PG_ARRAYS) ")"};
static const struct rp_pg_statement set_job = {
    "set_job",
    "UPDATE job j SET number = j.number" RP_PG_JOB(RP_PG_SET) " FROM unnest($1::bigint[]" RP_PG_JOB(
	RP_PG_ARRAYS) ")"
		      " AS n (number" RP_PG_JOB(RP_PG_LIST) ") WHERE j.number = n.number"};
static const struct rp_pg_statement remove_job = {"remove_job",
						  "DELETE FROM job WHERE number = $1::bigint"};

static const struct rp_pg_statement add_rows = {
    "add_plan_rows", "INSERT INTO job_entry (job, endpoint, seq, state, claim_no, replays)"
		     " SELECT $1::bigint, * FROM unnest($2::bigint[], $3::bigint[], $4::bigint[],"
		     " $5::bigint[], $6::bigint[]) ON CONFLICT DO NOTHING"};
static const struct rp_pg_statement read_rows = {
    "read_plan_rows", "SELECT endpoint, seq, state, claim_no, replays FROM job_entry"
		      " WHERE job = $1::bigint AND (endpoint, seq) >= ($2::bigint, $3::bigint)"
		      " ORDER BY endpoint, seq LIMIT $4::bigint"};
static const struct rp_pg_statement remove_rows = {
    "remove_plan_rows", "DELETE FROM job_entry p USING unnest($2::bigint[], $3::bigint[]) AS n"
			" (endpoint, seq) WHERE p.job = $1::bigint AND p.endpoint = n.endpoint"
			" AND p.seq = n.seq"};
static const struct rp_pg_statement sweep_rows = {
    "sweep_plan_rows", "DELETE FROM job_entry WHERE (job, endpoint, seq) IN (SELECT job, endpoint,"
		       " seq FROM job_entry WHERE job = $1::bigint LIMIT $2::bigint)"};
static const struct rp_pg_statement count_due = {
    "count_due", "SELECT count(*) FROM (SELECT FROM delivery WHERE endpoint = $1::bigint"
		 " AND state = 1 AND NOT behind AND due_at_ms <= $2::bigint LIMIT $3::bigint) d"};

struct job {
	uint64_t number;
	bool has_rows;
	struct rp_job j;
};

struct jobs {
	struct job *all;
	size_t n;
	struct rp_buf texts;
};

static void release(struct jobs *jobs)
{
	free(jobs->all);
	rp_buf_release(&jobs->texts);
}

static struct rp_span keep(struct rp_buf *texts, struct rp_span text)
{
	const char *at = texts->data + texts->len;

	rp_buf_add(texts, text.ptr, text.len); /* reserved */
	return (struct rp_span){at, text.len};
}

static enum rp_err read_jobs(const struct rp_pg_rows *rows, struct jobs *out, struct rp_error *err)
{
	size_t n = rp_pg_n_rows(rows), i;
	struct rp_buf scratch = {.max = (size_t)1 << 20};

	*out = (struct jobs){.all = calloc(n + 1, sizeof *out->all), .n = n};
	out->texts.max = SIZE_MAX / 4;
	if (out->all == NULL || !rp_buf_reserve(&out->texts, n * 3 * RP_JOB_TEXT_MAX + 1)) {
		release(out);
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	}
	for (i = 0; i < n; i++) {
		struct job *job = &out->all[i];

		rp_buf_clear(&scratch);
		job->number = (uint64_t)rp_pg_i64(rows, i, 0);
		job->has_rows = rp_pg_bool(rows, i, 1);
		rp_pg_read_columns(rows, i, 2, &rp_pg_job, &job->j, &scratch);
		job->j.user = keep(&out->texts, job->j.user);
		job->j.selector = keep(&out->texts, job->j.selector);
		job->j.reason = keep(&out->texts, job->j.reason);
	}
	rp_buf_release(&scratch);
	return RP_OK;
}

static enum rp_err load(struct rp_pg *pg, const struct rp_pg_statement *s, struct jobs *out,
			struct rp_error *err)
{
	size_t ask;
	enum rp_err e;

	*out = (struct jobs){.n = 0};
	rp_pg_params(pg);
	ask = rp_pg_ask(pg, s);
	e = rp_pg_go(pg, err);
	return e == RP_OK ? read_jobs(rp_pg_answer(pg, ask), out, err) : e;
}

static const void *only(void *arg, size_t i)
{
	(void)i;
	return arg;
}

static void ask_job(struct rp_pg_txn *t, const struct rp_pg_statement *s, uint64_t number,
		    struct rp_job *j)
{
	struct rp_pg *pg = rp_pg_of(t);
	struct rp_pg_params *p = rp_pg_params(pg);

	rp_pg_put_u64_array(p, &number, 1);
	rp_pg_put_columns(p, &rp_pg_job, only, j, 1);
	rp_pg_ask(pg, s);
	t->dirty = true;
}

static struct rp_span cut(struct rp_span text)
{
	if (text.len > RP_JOB_TEXT_MAX)
		text.len = RP_JOB_TEXT_MAX;
	return text;
}

static struct job *find(struct jobs *jobs, uint64_t number)
{
	size_t i;

	for (i = 0; i < jobs->n; i++)
		if (jobs->all[i].number == number)
			return &jobs->all[i];
	return NULL;
}

static enum rp_err lock_job(struct rp_pg_txn *t, struct jobs *jobs, uint64_t number,
			    struct job **out, struct rp_error *err)
{
	enum rp_err e = load(rp_pg_of(t), &lock_jobs, jobs, err);

	if (e != RP_OK)
		return e;
	*out = find(jobs, number);
	return *out != NULL
		   ? RP_OK
		   : rp_fail(err, RP_ERR_NOTFOUND, "there is no job or plan %" PRIu64, number);
}

/* --- plans ------------------------------------------------------------------------------- */

static enum rp_err plan_begin(struct rp_pg_txn *t, struct jobs *jobs, const struct rp_job *spec,
			      uint64_t *number, struct rp_error *err)
{
	struct rp_job_shelf shelf = {0};
	struct rp_job_place place;
	struct rp_job j = *spec;
	size_t i;

	for (i = 0; i < jobs->n; i++)
		rp_job_shelf_see(&shelf, jobs->all[i].number, &jobs->all[i].j,
				 jobs->all[i].has_rows);
	place = rp_job_shelf_place(&shelf);
	if (place.refused)
		return rp_fail(err, RP_ERR_BUSY, "%zu jobs and plans are unfinished", shelf.n);
	if (place.expires != 0) {
		struct job *old = find(jobs, place.expires);

		rp_job_expire_plan(&old->j, t->now_at_ms);
		ask_job(t, &set_job, old->number, &old->j);
	}
	if (place.removed != 0) {
		rp_pg_put_i64(rp_pg_params(rp_pg_of(t)), (int64_t)place.removed);
		rp_pg_ask(t->store->pg, &remove_job);
	}
	j.user = cut(spec->user);
	j.selector = cut(spec->selector);
	j.reason = cut(spec->reason);
	rp_job_begin_plan(&j, t->now_at_ms);
	*number = place.number;
	ask_job(t, &put_job, place.number, &j);
	return RP_OK;
}

enum rp_err rp_pgop_plan_begin(struct rp_outbox *outbox, int64_t now_at_ms,
			       const struct rp_job *spec, uint64_t *number, struct rp_error *err)
{
	struct jobs jobs = {.n = 0};
	struct rp_pg_txn *t;
	enum rp_err e = rp_pg_begin(rp_pgstore_of(outbox), now_at_ms, &t, err);

	if (e != RP_OK)
		return e;
	t->synced = true;
	rp_pg_params(rp_pg_of(t));
	rp_pg_ask(t->store->pg, &lock_shelf);
	e = load(t->store->pg, &list_jobs, &jobs, err);
	if (e == RP_OK)
		e = plan_begin(t, &jobs, spec, number, err);
	e = rp_pg_finish(t, e, err);
	release(&jobs);
	return e;
}

static void put_rows(struct rp_pg_params *p, uint64_t number, const struct rp_plan_row *rows,
		     size_t n)
{
	size_t i;
	int c;

	rp_pg_put_i64(p, (int64_t)number);
	for (c = 0; c < 5; c++) {
		rp_pg_array_begin(p, RP_PG_INT8, n);
		for (i = 0; i < n; i++) {
			const int64_t columns[] = {(int64_t)rows[i].endpoint, (int64_t)rows[i].seq,
						   rows[i].state, rows[i].claim_no,
						   rows[i].replays};

			rp_pg_add_i64(p, columns[c]);
		}
		rp_pg_array_end(p);
	}
}

static enum rp_err plan_add(struct rp_pg_txn *t, struct job *job, const struct rp_plan_row *rows,
			    size_t n, bool last, struct rp_error *err)
{
	struct rp_pg *pg = rp_pg_of(t);
	size_t ask;
	enum rp_err e;

	if (job->j.phase != RP_JOB_PLANNING)
		return rp_fail(err, RP_ERR_STALE, "plan %" PRIu64 " is complete", job->number);
	put_rows(rp_pg_params(pg), job->number, rows, n);
	ask = rp_pg_ask(pg, &add_rows);
	e = rp_pg_go(pg, err);
	if (e != RP_OK)
		return e;
	job->j.planned += rp_pg_n_changed(rp_pg_answer(pg, ask));
	if (last)
		job->j.phase = RP_JOB_PLANNED;
	ask_job(t, &set_job, job->number, &job->j);
	return RP_OK;
}

enum rp_err rp_pgop_plan_add(struct rp_outbox *outbox, int64_t now_at_ms, uint64_t number,
			     const struct rp_plan_row *rows, size_t n, bool last,
			     struct rp_error *err)
{
	struct jobs jobs = {.n = 0};
	struct job *job;
	struct rp_pg_txn *t;
	enum rp_err e = rp_pg_begin(rp_pgstore_of(outbox), now_at_ms, &t, err);

	if (e != RP_OK)
		return e;
	t->synced = true;
	e = lock_job(t, &jobs, number, &job, err);
	if (e == RP_OK)
		e = plan_add(t, job, rows, n, last, err);
	e = rp_pg_finish(t, e, err);
	release(&jobs);
	return e;
}

static enum rp_err read_plan(struct rp_pg *pg, uint64_t number, const struct rp_plan_row *from,
			     struct rp_plan_row *rows, size_t max, size_t *n, struct rp_error *err)
{
	struct rp_pg_params *p = rp_pg_params(pg);
	const struct rp_pg_rows *r;
	size_t ask, i;
	enum rp_err e;

	rp_pg_put_i64(p, (int64_t)number);
	rp_pg_put_i64(p, (int64_t)from->endpoint);
	rp_pg_put_i64(p, (int64_t)from->seq);
	rp_pg_put_i64(p, (int64_t)max);
	ask = rp_pg_ask(pg, &read_rows);
	*n = 0;
	e = rp_pg_go(pg, err);
	if (e != RP_OK)
		return e;
	r = rp_pg_answer(pg, ask);
	for (i = 0; i < rp_pg_n_rows(r); i++)
		rows[(*n)++] = (struct rp_plan_row){.endpoint = (uint64_t)rp_pg_i64(r, i, 0),
						    .seq = (uint64_t)rp_pg_i64(r, i, 1),
						    .state = (unsigned)rp_pg_i64(r, i, 2),
						    .claim_no = (uint32_t)rp_pg_i64(r, i, 3),
						    .replays = (uint32_t)rp_pg_i64(r, i, 4)};
	return RP_OK;
}

enum rp_err rp_pgop_plan_rows(struct rp_outbox *outbox, uint64_t number, struct rp_plan_row *from,
			      struct rp_plan_row *rows, size_t max, size_t *n, struct rp_error *err)
{
	struct rp_pgstore *s = rp_pgstore_of(outbox);
	enum rp_err e = rp_pg_reach(s, err);

	if (e == RP_OK)
		e = read_plan(s->pg, number, from, rows, max, n, err);
	if (e == RP_OK && *n > 0)
		*from = (struct rp_plan_row){.endpoint = rows[*n - 1].endpoint,
					     .seq = rows[*n - 1].seq + 1};
	return e;
}

/* --- what operators say ------------------------------------------------------------------ */

static enum rp_err obey(struct rp_pg_txn *t, struct job *job, const struct rp_job_order *order,
			struct rp_error *err)
{
	enum rp_err e = RP_OK;

	if (!rp_job_obey(&job->j, order, t->now_at_ms))
		return rp_fail(err, RP_ERR_STALE, "%s %" PRIu64 " is %s",
			       job->j.started_at_ms != 0 ? "job" : "plan", job->number,
			       rp_job_phase_name(job->j.phase));
	if (order->kind == RP_ORDER_START) {
		const struct rp_audit a = {.uid = job->j.uid,
					   .at_ms = t->now_at_ms,
					   .job = job->number,
					   .verb = rp_span_of(rp_job_verb_name(job->j.verb)),
					   .user = job->j.user,
					   .what = job->j.selector,
					   .reason = job->j.reason};

		e = rp_pg_audit_put(t, &a, &job->j.audit, err);
		job->j.user = cut(job->j.user);
		job->j.reason = cut(job->j.reason);
	}
	if (e == RP_OK)
		ask_job(t, &set_job, job->number, &job->j);
	return e;
}

enum rp_err rp_pgop_job_order(struct rp_outbox *outbox, int64_t now_at_ms, uint64_t number,
			      const struct rp_job_order *order, struct rp_error *err)
{
	struct rp_pgstore *s = rp_pgstore_of(outbox);
	struct jobs jobs = {.n = 0};
	struct job *job;
	struct rp_pg_txn *t;
	enum rp_err e = rp_pg_begin(s, now_at_ms, &t, err);

	if (e != RP_OK)
		return e;
	t->synced = true;
	e = lock_job(t, &jobs, number, &job, err);
	if (e == RP_OK)
		e = obey(t, job, order, err);
	e = rp_pg_finish(t, e, err);
	release(&jobs);
	if (e == RP_OK)
		rp_pg_tell(s, RP_WATCH_WORK);
	return e;
}

/* --- carrying ---------------------------------------------------------------------------- */

struct carrying {
	struct rp_pg_txn *t;
	struct rp_job_step *step;
	struct job *job;
	struct rp_job_walk walk;
};

static enum rp_err first_row(struct carrying *c, uint64_t endpoint, struct rp_plan_row *row,
			     bool *any, struct rp_error *err)
{
	const struct rp_plan_row from = {.endpoint = endpoint};
	size_t n;
	enum rp_err e = read_plan(rp_pg_of(c->t), c->job->number, &from, row, 1, &n, err);

	*any = e == RP_OK && n > 0;
	return e;
}

static enum rp_err n_due(struct carrying *c, uint64_t endpoint, size_t *n, struct rp_error *err)
{
	struct rp_pg *pg = rp_pg_of(c->t);
	struct rp_pg_params *p = rp_pg_params(pg);
	size_t ask;
	enum rp_err e;

	rp_pg_put_i64(p, (int64_t)endpoint);
	rp_pg_put_i64(p, c->t->now_at_ms);
	rp_pg_put_i64(p, (int64_t)c->walk.due_max + 1);
	ask = rp_pg_ask(pg, &count_due);
	e = rp_pg_go(pg, err);
	*n = e == RP_OK ? (size_t)rp_pg_i64(rp_pg_answer(pg, ask), 0, 0) : 0;
	return e;
}

static enum rp_err work_on(struct carrying *c, const struct rp_plan_row *row, struct rp_error *err)
{
	const struct rp_pg_entry *entry = rp_pg_entry_of(c->t, row->seq);
	struct rp_job *j = &c->job->j;
	enum rp_changed result;
	enum rp_err e;

	if (!rp_job_admits(j, row, entry != NULL ? &entry->d : NULL, false))
		return RP_OK;
	e = rp_pg_change_one(c->t, rp_job_change(j), 0, row->seq, &result, err);
	if (e == RP_OK)
		rp_job_count(j, result);
	return e;
}

static enum rp_err take_rows_off(struct carrying *c, const struct rp_plan_row *rows, size_t n,
				 struct rp_error *err)
{
	struct rp_pg *pg = rp_pg_of(c->t);
	struct rp_pg_params *p = rp_pg_params(pg);
	size_t i;

	(void)err;
	rp_pg_put_i64(p, (int64_t)c->job->number);
	rp_pg_array_begin(p, RP_PG_INT8, n);
	for (i = 0; i < n; i++)
		rp_pg_add_i64(p, (int64_t)rows[i].endpoint);
	rp_pg_array_end(p);
	rp_pg_array_begin(p, RP_PG_INT8, n);
	for (i = 0; i < n; i++)
		rp_pg_add_i64(p, (int64_t)rows[i].seq);
	rp_pg_array_end(p);
	rp_pg_ask(pg, &remove_rows);
	c->t->dirty = true;
	return RP_OK;
}

/* The lane's rows, with their entries locked; those behind another endpoint are not of it. */
static enum rp_err load_lane(struct carrying *c, uint64_t endpoint, struct rp_plan_row *rows,
			     size_t max, size_t *n, struct rp_error *err)
{
	const struct rp_plan_row from = {.endpoint = endpoint};
	uint64_t *seqs = rp_pg_alloc(c->t, (max + 1) * sizeof *seqs);
	enum rp_err e;
	size_t i;

	if (seqs == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	e = read_plan(rp_pg_of(c->t), c->job->number, &from, rows, max, n, err);
	for (i = 0; i < *n && rows[i].endpoint == endpoint; i++)
		seqs[i] = rows[i].seq;
	*n = i;
	return e == RP_OK ? rp_pg_lock_entries(c->t, seqs, *n, err) : e;
}

/* A host that another transaction has, and this one may not wait for, is left for the next step. */
static enum rp_err work_on_lane(struct carrying *c, uint64_t endpoint, struct rp_error *err)
{
	size_t max = c->walk.left, n, due, room, i = 0;
	bool waits = c->t->parts->locked.n == 0;
	struct rp_plan_row *rows = rp_pg_alloc(c->t, (max + 1) * sizeof *rows);
	enum rp_err e;

	if (rows == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	e = load_lane(c, endpoint, rows, max, &n, err);
	if (e == RP_OK && !rp_pg_has_host(c->t, endpoint)) {
		/* with its last entry its path went, and perhaps its host: nothing is to lock */
		e = rp_pg_lock(c->t, &endpoint, 1, NULL, 0, waits ? RP_PG_WAIT : RP_PG_SKIP, err);
		if (e == RP_OK && !waits && !rp_pg_has_host(c->t, endpoint)) {
			c->job->j.lane = endpoint;
			c->walk.left = 0;
			c->walk.blocked = true;
			return RP_OK;
		}
	}
	if (e == RP_OK)
		e = n_due(c, endpoint, &due, err);
	if (e != RP_OK)
		return e;
	room = rp_job_walk_room(&c->walk, &c->job->j, due);
	while (e == RP_OK && i < n &&
	       rp_job_walk_take(&c->walk, &c->job->j, room, c->t->now_at_ms)) {
		uint64_t done = c->job->j.done;

		e = work_on(c, &rows[i++], err);
		room -= c->job->j.done > done;
	}
	if (e == RP_OK && i > 0)
		e = take_rows_off(c, rows, i, err);
	/* what was made due is counted by the next lane's question */
	return e == RP_OK ? rp_pg_go(rp_pg_of(c->t), err) : e;
}

static enum rp_err walk_lanes(struct carrying *c, struct rp_error *err)
{
	enum rp_err e = RP_OK;
	struct rp_plan_row row;
	bool any;

	while (e == RP_OK && rp_job_walk_goes_on(&c->walk)) {
		enum rp_job_lane lane;

		e = first_row(c, c->job->j.lane, &row, &any, err);
		if (e != RP_OK)
			return e;
		lane = rp_job_walk_lane(&c->walk, &c->job->j, any ? &row.endpoint : NULL);
		if (lane == RP_JOB_LANE_END)
			break;
		if (lane == RP_JOB_LANE_WORK)
			e = work_on_lane(c, row.endpoint, err);
	}
	if (e == RP_OK)
		e = first_row(c, 0, &row, &any, err);
	if (e == RP_OK && !any)
		rp_job_end(&c->job->j, c->t->now_at_ms);
	return e;
}

static void look_by(struct rp_job_step *s, int64_t at_ms)
{
	if (at_ms < s->next_at_ms)
		s->next_at_ms = at_ms;
}

static enum rp_err carry_one(struct rp_pg_txn *t, struct rp_job_step *step, struct job *job,
			     struct rp_error *err)
{
	struct carrying c = {
	    t, step, job, {.left = step->max - step->n_worked, .due_max = step->due_max}};
	const struct rp_job was = job->j;
	size_t worked;
	enum rp_err e = walk_lanes(&c, err);

	if (e != RP_OK)
		return e;
	worked =
	    (size_t)(job->j.done + rp_job_n_skipped(&job->j) - was.done - rp_job_n_skipped(&was));
	step->n_worked += worked;
	step->blocked = step->blocked || c.walk.blocked;
	if (!rp_job_walk_is_kept(&c.walk, &job->j, worked))
		job->j = was;
	if (worked > 0) {
		job->j.moved_at_ms = t->now_at_ms;
		rp_pg_audit_set(t, job->j.audit, job->j.done, rp_job_n_skipped(&job->j));
	}
	if (memcmp(&job->j, &was, sizeof was) != 0)
		ask_job(t, &set_job, job->number, &job->j);
	if (job->j.phase == RP_JOB_RUNNING)
		look_by(step, rp_job_again_at_ms(&job->j, worked, t->now_at_ms));
	return RP_OK;
}

static void sweep_one(struct rp_pg_txn *t, struct rp_job_step *step, struct job *job)
{
	struct rp_pg_params *p;

	if (rp_job_is_stale_plan(&job->j, t->now_at_ms)) {
		rp_job_expire_plan(&job->j, t->now_at_ms);
		ask_job(t, &set_job, job->number, &job->j);
	}
	p = rp_pg_params(rp_pg_of(t));
	rp_pg_put_i64(p, (int64_t)job->number);
	rp_pg_put_i64(p, SWEPT_A_STEP);
	rp_pg_ask(t->store->pg, &sweep_rows);
	t->dirty = true;
	look_by(step, t->now_at_ms + RP_JOB_AGAIN_MS);
}

static bool is_swept(const struct job *job, int64_t now_at_ms)
{
	return (rp_job_is_over(job->j.phase) && job->has_rows) ||
	       rp_job_is_stale_plan(&job->j, now_at_ms);
}

static bool is_worked_on(const struct job *job, const struct rp_job_step *step, int64_t now_at_ms)
{
	return rp_job_is_carried(&job->j, job->number, step->job) || is_swept(job, now_at_ms);
}

static enum rp_err step_all(struct rp_pg_txn *t, struct jobs *jobs, struct rp_job_step *step,
			    struct rp_error *err)
{
	enum rp_err e = RP_OK;
	size_t i;

	for (i = 0; e == RP_OK && i < jobs->n && step->n_worked < step->max; i++) {
		struct job *job = &jobs->all[i];

		if (rp_job_is_carried(&job->j, job->number, step->job))
			e = carry_one(t, step, job, err);
		else if (is_swept(job, t->now_at_ms))
			sweep_one(t, step, job);
	}
	return e;
}

enum rp_err rp_pgop_jobs_step(struct rp_outbox *outbox, int64_t now_at_ms, struct rp_job_step *step,
			      struct rp_error *err)
{
	struct rp_pgstore *s = rp_pgstore_of(outbox);
	struct jobs jobs = {.n = 0};
	struct rp_pg_txn *t;
	size_t i, n = 0;
	enum rp_err e = rp_pg_reach(s, err);

	step->n_worked = 0;
	step->blocked = false;
	step->next_at_ms = RP_NEVER;
	if (e == RP_OK)
		e = load(s->pg, &list_jobs, &jobs, err);
	for (i = 0; e == RP_OK && i < jobs.n; i++)
		n += is_worked_on(&jobs.all[i], step, now_at_ms);
	release(&jobs);
	if (e != RP_OK || n == 0)
		return e;
	e = rp_pg_begin(s, now_at_ms, &t, err);
	if (e != RP_OK)
		return e;
	e = load(rp_pg_of(t), &lock_jobs, &jobs, err);
	if (e == RP_OK)
		e = step_all(t, &jobs, step, err);
	if (step->n_worked > 0 && step->n_worked >= step->max)
		look_by(step, now_at_ms + RP_JOB_AGAIN_MS);
	e = rp_pg_finish(t, e, err);
	release(&jobs);
	if (e == RP_OK && step->n_worked > 0)
		rp_pg_tell(s, RP_WATCH_WORK);
	return e;
}

enum rp_err rp_pgop_jobs(struct rp_outbox *outbox,
			 bool (*see)(void *arg, uint64_t number, const struct rp_job *j), void *arg,
			 struct rp_error *err)
{
	struct rp_pgstore *s = rp_pgstore_of(outbox);
	struct jobs jobs = {.n = 0};
	enum rp_err e = rp_pg_reach(s, err);
	size_t i;

	if (e == RP_OK)
		e = load(s->pg, &list_jobs, &jobs, err);
	for (i = 0; e == RP_OK && i < jobs.n; i++)
		if (!see(arg, jobs.all[i].number, &jobs.all[i].j))
			break;
	release(&jobs);
	return e;
}
