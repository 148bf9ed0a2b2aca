/* The rules of a set of jobs, and of a job's set. They stand apart from job_step.c, which sees one
 * job and one entry. */
#include "model/job_walk.h"

#include "model/job_step.h"

/* --- which are kept -------------------------------------------------------------------------- */

void rp_job_shelf_see(struct rp_job_shelf *s, uint64_t number, const struct rp_job *j,
		      bool has_rows)
{
	s->n++;
	s->last = number;
	if (s->oldest_over == 0 && (j == NULL || rp_job_is_over(j->phase)) && !has_rows)
		s->oldest_over = number;
	/* those that are being written as well: whoever was killed over one must not use the
	 * places up */
	if (j != NULL && (j->phase == RP_JOB_PLANNED || j->phase == RP_JOB_PLANNING)) {
		s->n_plans++;
		s->oldest_plan = s->oldest_plan == 0 ? number : s->oldest_plan;
	}
}

struct rp_job_place rp_job_shelf_place(const struct rp_job_shelf *s)
{
	struct rp_job_place p = {.number = s->last + 1};

	if (s->n_plans >= RP_PLANS_MAX)
		p.expires = s->oldest_plan;
	if (s->n < RP_JOBS_KEPT)
		return p;
	p.refused = s->oldest_over == 0;
	p.removed = s->oldest_over;
	return p;
}

/* --- its endpoints in turn ------------------------------------------------------------------- */

bool rp_job_walk_goes_on(const struct rp_job_walk *w)
{
	return w->left > 0 && w->lanes < RP_JOB_LANES_MAX;
}

/* One that looked at as many endpoints as it may: the next walk goes on behind them. */
bool rp_job_walk_is_kept(const struct rp_job_walk *w, const struct rp_job *j, size_t worked)
{
	return worked > 0 || rp_job_is_over(j->phase) || w->lanes == RP_JOB_LANES_MAX;
}

enum rp_job_lane rp_job_walk_lane(struct rp_job_walk *w, struct rp_job *j, const uint64_t *endpoint)
{
	if (!w->begun) {
		w->begun = true;
		w->from = j->lane;
		w->wrapped = j->lane == 0;
	}
	if (endpoint == NULL && !w->wrapped) {
		w->wrapped = true;
		j->lane = 0;
		return RP_JOB_LANE_LOOK;
	}
	if (endpoint == NULL || (w->wrapped && w->from > 0 && *endpoint >= w->from && w->lanes > 0))
		return RP_JOB_LANE_END;
	w->lanes++;
	j->lane = *endpoint + 1;
	return RP_JOB_LANE_WORK;
}

size_t rp_job_walk_room(struct rp_job_walk *w, const struct rp_job *j, size_t n_due)
{
	size_t room = w->due_max;

	if (rp_job_minds_queue(j, w->due_max))
		room -= n_due < room ? n_due : room;
	w->blocked = w->blocked || room == 0;
	return room;
}

bool rp_job_walk_take(struct rp_job_walk *w, struct rp_job *j, size_t room, int64_t now_at_ms)
{
	if (room == 0 || w->left == 0)
		return false;
	if (rp_job_take(j, now_at_ms, 1) == 0) {
		w->left = 0;
		return false;
	}
	w->left--;
	return true;
}
