/* memory_jobs.c - plans and jobs, and the log of changes. */

#include <inttypes.h>

#include "conformance/memory/memory_int.h"

static struct rp_span keep_text(struct mem_txn *t, struct rp_span text)
{
	if (text.len > RP_JOB_TEXT_MAX)
		text.len = RP_JOB_TEXT_MAX;
	return mem_keep(t->by->world, text);
}

/* --- the log of changes ------------------------------------------------------------------ */

void mem_audit_put(struct mem_txn *t, const struct rp_audit *a, uint64_t *number)
{
	struct mem_audit *at = mem_insert(&t->s->audits, t->s->audits.n);

	*number = t->s->next_audit++;
	at->number = *number;
	at->a = *a;
	at->a.verb = keep_text(t, a->verb);
	at->a.user = keep_text(t, a->user);
	at->a.what = keep_text(t, a->what);
	at->a.reason = keep_text(t, a->reason);
	if (t->s->audits.n > RP_AUDIT_KEPT)
		mem_remove(&t->s->audits, 0);
	t->dirty = true;
}

void mem_audit_count(struct mem_txn *t, uint64_t number, bool add, uint64_t done, uint64_t skipped)
{
	MEM_EACH (struct mem_audit, at, &t->s->audits) {
		if (at->number != number)
			continue;
		at->a.done = (add ? at->a.done : 0) + done;
		at->a.skipped = (add ? at->a.skipped : 0) + skipped;
		t->dirty = true;
	}
}

enum rp_err mem_audit_add(struct rp_outbox *ob, const struct rp_audit *a, uint64_t *number,
			  struct rp_error *err)
{
	struct mem_txn t = mem_begin(ob, a->at_ms);

	(void)err;
	mem_audit_put(&t, a, number);
	mem_commit(&t);
	return RP_OK;
}

enum rp_err mem_audit_set(struct rp_outbox *ob, int64_t now_at_ms, uint64_t number, uint64_t done,
			  struct rp_error *err)
{
	struct mem_txn t = mem_begin(ob, now_at_ms);

	(void)err;
	mem_audit_count(&t, number, false, done, 0);
	mem_commit(&t);
	return RP_OK;
}

enum rp_err mem_audit_see(struct rp_outbox *ob,
			  bool (*see)(void *arg, uint64_t number, const struct rp_audit *a),
			  void *arg, struct rp_error *err)
{
	(void)err;
	MEM_EACH (struct mem_audit, at, &mem_of(ob)->world->state.audits)
		if (!see(arg, at->number, &at->a))
			break;
	return RP_OK;
}

/* --- sets -------------------------------------------------------------------------------- */

static struct mem_job *find_job(struct mem_txn *t, uint64_t number, struct rp_error *err)
{
	MEM_EACH (struct mem_job, j, &t->s->jobs)
		if (j->number == number)
			return j;
	rp_fail(err, RP_ERR_NOTFOUND, "there is no job or plan %" PRIu64, number);
	return NULL;
}

static int compare_rows(const struct mem_planned *a, const struct mem_planned *b)
{
	if (a->job != b->job)
		return a->job < b->job ? -1 : 1;
	if (a->row.endpoint != b->row.endpoint)
		return a->row.endpoint < b->row.endpoint ? -1 : 1;
	return a->row.seq < b->row.seq ? -1 : a->row.seq > b->row.seq;
}

/* Where it is, or where it would be. */
static size_t place_of(const struct mem_state *s, const struct mem_planned *row)
{
	size_t i = 0;

	while (i < s->planned.n && compare_rows(mem_at(&s->planned, i), row) < 0)
		i++;
	return i;
}

/* The first of what is left of the set, from this endpoint on; NULL: there is none. */
static struct mem_planned *first_planned(const struct mem_state *s, uint64_t job, uint64_t endpoint)
{
	const struct mem_planned from = {job, {.endpoint = endpoint}};
	size_t i = place_of(s, &from);
	struct mem_planned *p = i < s->planned.n ? mem_at(&s->planned, i) : NULL;

	return p != NULL && p->job == job ? p : NULL;
}

static void remove_planned(struct mem_txn *t, const struct mem_planned *p)
{
	mem_remove(&t->s->planned, place_of(t->s, p));
	t->dirty = true;
}

/* --- plans ------------------------------------------------------------------------------- */

static void remove_job(struct mem_txn *t, uint64_t number)
{
	size_t i;

	for (i = t->s->jobs.n; i > 0; i--)
		if (((struct mem_job *)mem_at(&t->s->jobs, i - 1))->number == number)
			mem_remove(&t->s->jobs, i - 1);
}

enum rp_err mem_plan_begin(struct rp_outbox *ob, int64_t now_at_ms, const struct rp_job *spec,
			   uint64_t *number, struct rp_error *err)
{
	struct mem_txn t = mem_begin(ob, now_at_ms);
	struct rp_job_shelf shelf = {0};
	struct rp_job_place place;
	struct mem_job *j;

	MEM_EACH (struct mem_job, at, &t.s->jobs)
		rp_job_shelf_see(&shelf, at->number, &at->j,
				 first_planned(t.s, at->number, 0) != NULL);
	place = rp_job_shelf_place(&shelf);
	if (place.refused)
		return rp_fail(err, RP_ERR_BUSY, "%zu jobs and plans are unfinished", shelf.n);
	if (place.expires != 0)
		rp_job_expire_plan(&find_job(&t, place.expires, NULL)->j, now_at_ms);
	if (place.removed != 0)
		remove_job(&t, place.removed);
	j = mem_insert(&t.s->jobs, t.s->jobs.n);
	j->number = *number = place.number;
	j->j = *spec;
	j->j.user = keep_text(&t, spec->user);
	j->j.selector = keep_text(&t, spec->selector);
	j->j.reason = keep_text(&t, spec->reason);
	rp_job_begin_plan(&j->j, now_at_ms);
	mem_commit(&t);
	return RP_OK;
}

enum rp_err mem_plan_add(struct rp_outbox *ob, int64_t now_at_ms, uint64_t number,
			 const struct rp_plan_row *rows, size_t n, bool last, struct rp_error *err)
{
	struct mem_txn t = mem_begin(ob, now_at_ms);
	struct mem_job *j = find_job(&t, number, err);
	size_t i, at;

	if (j == NULL)
		return RP_ERR_NOTFOUND;
	if (j->j.phase != RP_JOB_PLANNING)
		return rp_fail(err, RP_ERR_STALE, "plan %" PRIu64 " is complete", number);
	for (i = 0; i < n; i++) {
		const struct mem_planned row = {number, rows[i]};

		at = place_of(t.s, &row);
		if (at < t.s->planned.n && compare_rows(mem_at(&t.s->planned, at), &row) == 0)
			continue;
		*(struct mem_planned *)mem_insert(&t.s->planned, at) = row;
		j->j.planned++;
	}
	if (last)
		j->j.phase = RP_JOB_PLANNED;
	mem_commit(&t);
	return RP_OK;
}

enum rp_err mem_plan_rows(struct rp_outbox *ob, uint64_t number, struct rp_plan_row *from,
			  struct rp_plan_row *rows, size_t max, size_t *n, struct rp_error *err)
{
	const struct mem_state *s = &mem_of(ob)->world->state;
	const struct mem_planned first = {number, *from};
	size_t i = place_of(s, &first);

	(void)err;
	for (*n = 0; *n < max && i < s->planned.n; i++) {
		const struct mem_planned *p = mem_at(&s->planned, i);

		if (p->job != number)
			break;
		rows[(*n)++] = p->row;
		*from = (struct rp_plan_row){.endpoint = p->row.endpoint, .seq = p->row.seq + 1};
	}
	return RP_OK;
}

/* --- what operators say ------------------------------------------------------------------ */

enum rp_err mem_job_order(struct rp_outbox *ob, int64_t now_at_ms, uint64_t number,
			  const struct rp_job_order *order, struct rp_error *err)
{
	struct mem_txn t = mem_begin(ob, now_at_ms);
	struct mem_job *j = find_job(&t, number, err);

	if (j == NULL)
		return RP_ERR_NOTFOUND;
	if (!rp_job_obey(&j->j, order, now_at_ms))
		return rp_fail(err, RP_ERR_STALE, "%s %" PRIu64 " is %s",
			       j->j.started_at_ms != 0 ? "job" : "plan", number,
			       rp_job_phase_name(j->j.phase));
	if (order->kind == RP_ORDER_START) {
		const struct rp_audit a = {.uid = j->j.uid,
					   .at_ms = now_at_ms,
					   .job = number,
					   .verb = rp_span_of(rp_job_verb_name(j->j.verb)),
					   .user = j->j.user,
					   .what = j->j.selector,
					   .reason = j->j.reason};

		j->j.user = keep_text(&t, j->j.user);
		j->j.reason = keep_text(&t, j->j.reason);
		mem_audit_put(&t, &a, &j->j.audit);
	}
	mem_commit(&t);
	mem_ring(&t);
	return RP_OK;
}

/* --- carrying ---------------------------------------------------------------------------- */

static void work_on(struct mem_txn *t, struct rp_job *j, const struct mem_planned *planned)
{
	const struct rp_plan_row row = planned->row;
	const struct mem_entry *e = mem_entry(t->s, row.seq);

	remove_planned(t, planned);
	if (rp_job_admits(j, &row, e != NULL ? &e->d : NULL, false))
		rp_job_count(j, mem_change(t, rp_job_change(j), 0, row.seq));
}

static size_t count_due(struct mem_txn *t, uint64_t endpoint)
{
	size_t n = 0;

	MEM_EACH (struct mem_entry, e, &t->s->entries)
		n += e->d.endpoint == endpoint && e->d.state == RP_STATE_WAITING && !e->d.behind &&
		     e->d.due_at_ms <= t->now_at_ms;
	return n;
}

static void work_on_lane(struct mem_txn *t, struct mem_job *j, uint64_t endpoint,
			 struct rp_job_walk *walk)
{
	size_t room = rp_job_walk_room(walk, &j->j, count_due(t, endpoint));
	const struct mem_planned *p = first_planned(t->s, j->number, endpoint);

	while (p != NULL && p->row.endpoint == endpoint &&
	       rp_job_walk_take(walk, &j->j, room, t->now_at_ms)) {
		uint64_t done = j->j.done;

		work_on(t, &j->j, p);
		room -= j->j.done > done;
		p = first_planned(t->s, j->number, endpoint);
	}
}

static void walk_lanes(struct mem_txn *t, struct mem_job *j, struct rp_job_walk *walk)
{
	while (rp_job_walk_goes_on(walk)) {
		const struct mem_planned *p = first_planned(t->s, j->number, j->j.lane);
		uint64_t endpoint = p != NULL ? p->row.endpoint : 0;
		enum rp_job_lane lane = rp_job_walk_lane(walk, &j->j, p != NULL ? &endpoint : NULL);

		if (lane == RP_JOB_LANE_END)
			break;
		if (lane == RP_JOB_LANE_WORK)
			work_on_lane(t, j, endpoint, walk);
	}
	if (first_planned(t->s, j->number, 0) == NULL)
		rp_job_end(&j->j, t->now_at_ms);
}

static void look_by(struct rp_job_step *s, int64_t at_ms)
{
	if (at_ms < s->next_at_ms)
		s->next_at_ms = at_ms;
}

static void carry_one(struct mem_txn *t, struct rp_job_step *step, struct mem_job *j)
{
	struct rp_job_walk walk = {.left = step->max - step->n_worked, .due_max = step->due_max};
	const struct rp_job was = j->j;
	size_t worked;

	walk_lanes(t, j, &walk);
	worked = (size_t)(j->j.done + rp_job_n_skipped(&j->j) - was.done - rp_job_n_skipped(&was));
	if (rp_job_walk_is_kept(&walk, &j->j, worked))
		t->dirty = true;
	else
		j->j = was;
	step->n_worked += worked;
	step->blocked = step->blocked || walk.blocked;
	if (worked > 0) {
		j->j.moved_at_ms = t->now_at_ms;
		mem_audit_count(t, j->j.audit, false, j->j.done, rp_job_n_skipped(&j->j));
	}
	if (j->j.phase == RP_JOB_RUNNING)
		look_by(step, rp_job_again_at_ms(&j->j, worked, t->now_at_ms));
}

static void sweep_one(struct mem_txn *t, struct rp_job_step *step, struct mem_job *j)
{
	const struct mem_planned *p;

	if (rp_job_is_stale_plan(&j->j, t->now_at_ms)) {
		rp_job_expire_plan(&j->j, t->now_at_ms);
		t->dirty = true;
	}
	while ((p = first_planned(t->s, j->number, 0)) != NULL)
		remove_planned(t, p);
	look_by(step, t->now_at_ms + RP_JOB_AGAIN_MS);
}

enum rp_err mem_jobs_step(struct rp_outbox *ob, int64_t now_at_ms, struct rp_job_step *step,
			  struct rp_error *err)
{
	struct mem_txn t = mem_begin(ob, now_at_ms);
	size_t i;

	(void)err;
	step->n_worked = 0;
	step->blocked = false;
	step->next_at_ms = RP_NEVER;
	for (i = 0; i < t.s->jobs.n && step->n_worked < step->max; i++) {
		struct mem_job *j = mem_at(&t.s->jobs, i);

		if (rp_job_is_carried(&j->j, j->number, step->job))
			carry_one(&t, step, j);
		else if ((rp_job_is_over(j->j.phase) && first_planned(t.s, j->number, 0) != NULL) ||
			 rp_job_is_stale_plan(&j->j, now_at_ms))
			sweep_one(&t, step, j);
	}
	if (step->n_worked > 0 && step->n_worked >= step->max)
		look_by(step, now_at_ms + RP_JOB_AGAIN_MS);
	if (t.dirty)
		mem_commit(&t);
	if (step->n_worked > 0)
		mem_ring(&t);
	return RP_OK;
}

enum rp_err mem_jobs(struct rp_outbox *ob,
		     bool (*see)(void *arg, uint64_t number, const struct rp_job *j), void *arg,
		     struct rp_error *err)
{
	(void)err;
	MEM_EACH (struct mem_job, j, &mem_of(ob)->world->state.jobs)
		if (!see(arg, j->number, &j->j))
			break;
	return RP_OK;
}
