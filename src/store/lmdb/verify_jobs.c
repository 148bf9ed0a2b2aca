/* verify_jobs.c - checks jobs, their rows and the log of changes. Both modes of verify.c use it. */

#include "store/lmdb/verify_int.h"

#include <inttypes.h>
#include <string.h>

#include "store/lmdb/row.h"

/* Up to max rows, and one more. */
static enum rp_err count_set(struct rp_check *c, uint64_t number, size_t max, size_t *n,
			     struct rp_error *err)
{
	uint64_t key[3] = {number, 0, 0};
	enum rp_err e = RP_OK;

	for (*n = 0; *n <= max; ++*n, key[2]++) {
		e = rp_row_from(c->t, RP_T_JOB_ENTRY, key, 3, 1, NULL, err);
		if (e != RP_OK)
			break;
	}
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

enum rp_err rp_check_job(struct rp_check *c, uint64_t number, const MDB_val *v, size_t max_rows,
			 size_t *n_rows, struct rp_error *err)
{
	struct rp_job j;
	enum rp_err e;

	if (!rp_job_unpack(&j, number, v->mv_data, v->mv_size)) {
		rp_check_complain(c, "job %" PRIu64 ": its record is damaged", number);
		memset(&j, 0, sizeof j);
	}
	e = count_set(c, number, max_rows, n_rows, err);
	if (e != RP_OK)
		return e;
	c->planned += *n_rows;
	if (j.phase == RP_JOB_DONE && *n_rows > 0)
		rp_check_complain(
		    c, "job %" PRIu64 ": is done, though something of its set is left", number);
	else if (j.phase != 0 && !rp_job_is_over(j.phase) && *n_rows <= max_rows &&
		 *n_rows != rp_job_left(&j))
		rp_check_complain(
		    c, "job %" PRIu64 ": its counts do not fit what is left of its set", number);
	return RP_OK;
}

void rp_check_job_entry(struct rp_check *c, const uint64_t key[3], const MDB_val *v)
{
	struct rp_plan_row row;

	if (!rp_plan_row_unpack(&row, v->mv_data, v->mv_size))
		rp_check_complain(c, "job %" PRIu64 ": a row of its set is damaged", key[0]);
	if (!rp_check_has_row(c, RP_T_JOB, rp_key1(key[0])))
		rp_check_complain(c, "job %" PRIu64 ": there is a row of its set, but no such job",
				  key[0]);
}

void rp_check_audit(struct rp_check *c, uint64_t number, const MDB_val *v)
{
	struct rp_audit a;

	if (!rp_audit_unpack(&a, number, v->mv_data, v->mv_size))
		rp_check_complain(c, "audit record %" PRIu64 ": is damaged", number);
}
