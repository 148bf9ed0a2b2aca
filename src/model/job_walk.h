/* job_walk.h - which jobs are kept, and from which endpoint a job takes its next entry. Pure.
 *
 * A set is walked by endpoint ("lane"), in the order of their numbers, beginning where the last
 * call left off and round once, so that no endpoint waits for another. */
#ifndef RP_MODEL_JOB_WALK_H
#define RP_MODEL_JOB_WALK_H

#include "model/job.h"

/* --- which are kept -------------------------------------------------------------------------- */

#define RP_JOBS_KEPT 64
#define RP_PLANS_MAX 8
#define RP_AUDIT_KEPT 4096 /* the log of changes keeps so many; the oldest go */

/* Of all jobs there are. Begin with {0}. */
struct rp_job_shelf {
	size_t n;
	uint64_t last; /* the highest number */
	uint64_t
	    oldest_over; /* of those that are over and of whose sets nothing is left; 0: none */
	size_t n_plans;  /* not started, complete or not */
	uint64_t oldest_plan;
};
/* In the order of their numbers. j NULL: its record is damaged. */
void rp_job_shelf_see(struct rp_job_shelf *s, uint64_t number, const struct rp_job *j,
		      bool has_rows);

/* What a new plan asks for. */
struct rp_job_place {
	bool refused;     /* too many are unfinished */
	uint64_t expires; /* this plan expires; 0: none */
	uint64_t removed; /* this record goes; 0: none */
	uint64_t number;  /* of the new one: never given before */
};
struct rp_job_place rp_job_shelf_place(const struct rp_job_shelf *s);

/* --- its endpoints in turn ------------------------------------------------------------------- */

#define RP_JOB_LANES_MAX 64 /* in one transaction */

/* Begin with {.left, .due_max}. */
struct rp_job_walk {
	size_t left;    /* entries that it may still work on */
	size_t due_max; /* of an endpoint */
	bool blocked;   /* out: a queue was as full as it may be */
	bool begun, wrapped;
	uint64_t from;
	size_t lanes;
};
enum rp_job_lane {
	RP_JOB_LANE_WORK, /* on this endpoint */
	RP_JOB_LANE_LOOK, /* look once more, from j->lane on */
	RP_JOB_LANE_END,  /* enough for this call */
};
/* The store asks with the first endpoint, from j->lane on, of which the set has an entry; NULL:
 * there is none. Moves j->lane behind it. */
enum rp_job_lane rp_job_walk_lane(struct rp_job_walk *w, struct rp_job *j,
				  const uint64_t *endpoint);
/* Whether a walk may look at another endpoint. */
bool rp_job_walk_goes_on(const struct rp_job_walk *w);

/* Whether the job is another one after the walk, in which it worked on so many entries, done or
 * skipped. Else its turn is as it was. */
bool rp_job_walk_is_kept(const struct rp_job_walk *w, const struct rp_job *j, size_t worked);

/* How many of the endpoint's entries it may make due, when n_due are (counted up to due_max). */
size_t rp_job_walk_room(struct rp_job_walk *w, const struct rp_job *j, size_t n_due);
/* Whether it takes one more entry, which then counts as taken. */
bool rp_job_walk_take(struct rp_job_walk *w, struct rp_job *j, size_t room, int64_t now_at_ms);

#endif
