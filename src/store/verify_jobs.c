#include "store/store_int.h"

#include <inttypes.h>
#include <stdio.h>

struct jobs_check {
	struct rp_txn *t;
	void (*say)(void *arg, const char *text);
	void *arg;
	uint64_t rows; /* of sets that have a job */
};

static void say_of(struct jobs_check *c, const char *what, uint64_t number, const char *text)
{
	char sentence[200];

	snprintf(sentence, sizeof sentence, "%s %" PRIu64 ": %s", what, number, text);
	c->say(c->arg, sentence);
}

static enum rp_err count_set(struct jobs_check *c, uint64_t number, uint64_t *n, struct rp_error *err)
{
	uint64_t key[3] = {number, 0, 0};
	struct rp_plan_row row;
	enum rp_err e;
	MDB_val v;

	*n = 0;
	while ((e = rp_row_first(c->t, RP_T_JOB_ENTRY, rp_key3(number, key[1], key[2]), key, 3, &v, err)) == RP_OK &&
	       key[0] == number) {
		if (!rp_plan_row_unpack(&row, v.mv_data, v.mv_size))
			say_of(c, "job", number, "a row of its set is damaged");
		(*n)++;
		key[2]++;
	}
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

static enum rp_err check_job(struct jobs_check *c, uint64_t number, const MDB_val *v, struct rp_error *err)
{
	struct rp_job j;
	uint64_t n;
	enum rp_err e;

	if (!rp_job_unpack(&j, number, v->mv_data, v->mv_size)) {
		say_of(c, "job", number, "its record is damaged");
		memset(&j, 0, sizeof j);
	}
	e = count_set(c, number, &n, err);
	if (e != RP_OK)
		return e;
	c->rows += n;
	if (j.phase == RP_JOB_DONE && n > 0)
		say_of(c, "job", number, "is done, though something of its set is left");
	else if (j.phase != 0 && !rp_job_is_over(j.phase) && n != rp_job_left(&j))
		say_of(c, "job", number, "its counts do not fit what is left of its set");
	return RP_OK;
}

static enum rp_err check_audit(struct jobs_check *c, struct rp_error *err)
{
	uint64_t number = 0;
	struct rp_audit a;
	enum rp_err e;
	MDB_val v;

	while ((e = rp_row_first(c->t, RP_T_AUDIT, rp_key1(number), &number, 1, &v, err)) == RP_OK) {
		if (!rp_audit_unpack(&a, number, v.mv_data, v.mv_size))
			say_of(c, "audit record", number, "is damaged");
		number++;
	}
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

enum rp_err rp_verify_jobs(struct rp_txn *t, void (*say)(void *arg, const char *text), void *arg, struct rp_error *err)
{
	struct jobs_check c = {.t = t, .say = say, .arg = arg};
	uint64_t number = 0;
	enum rp_err e;
	MDB_stat st = {0};
	MDB_val v;

	while ((e = rp_row_first(t, RP_T_JOB, rp_key1(number), &number, 1, &v, err)) == RP_OK) {
		e = check_job(&c, number, &v, err);
		if (e != RP_OK)
			return e;
		number++;
	}
	if (e != RP_ERR_NOTFOUND)
		return e;
	mdb_stat(t->mdb, t->ob->table[RP_T_JOB_ENTRY], &st);
	if (st.ms_entries != c.rows)
		say_of(&c, "table job_entry: rows of no job", st.ms_entries - c.rows, "so many");
	return check_audit(&c, err);
}
