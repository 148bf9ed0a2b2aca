/* audit.c - the log of changes by operators. The last RP_AUDIT_KEPT are kept. */
#include "model/job_walk.h"
#include "store/postgres/audit.h"
#include "store/postgres/columns.h"
#include "store/postgres/postgres_ops.h"

static const struct rp_pg_statement insert_audit = {
    "insert_audit",
    "INSERT INTO audit (number" RP_PG_AUDIT(
	RP_PG_LIST) ")"
		    " SELECT * FROM unnest($1::bigint[]" RP_PG_AUDIT(RP_PG_ARRAYS) ")"};
static const struct rp_pg_statement take_number = {"audit_number",
						   "SELECT nextval('audit_number')"};
static const struct rp_pg_statement trim_audit = {"trim_audit",
						  "DELETE FROM audit WHERE number <= $1::bigint"};
static const struct rp_pg_statement add_counts = {
    "audit_add_counts", "UPDATE audit SET (done, skipped) = (done + $2::bigint,"
			" skipped + $3::bigint) WHERE number = $1::bigint"};
static const struct rp_pg_statement set_counts = {
    "audit_set_counts", "UPDATE audit SET (done, skipped) = ($2::bigint, $3::bigint)"
			" WHERE number = $1::bigint"};
static const struct rp_pg_statement list_audit = {
    "list_audit", "SELECT number" RP_PG_AUDIT(RP_PG_LIST) " FROM audit ORDER BY number"};

static struct rp_span cut(struct rp_span text)
{
	if (text.len > RP_JOB_TEXT_MAX)
		text.len = RP_JOB_TEXT_MAX;
	return text;
}

static const void *only(void *arg, size_t i)
{
	(void)i;
	return arg;
}

enum rp_err rp_pg_audit_put(struct rp_pg_txn *t, const struct rp_audit *a, uint64_t *number,
			    struct rp_error *err)
{
	struct rp_audit kept = *a;
	struct rp_pg *pg = rp_pg_of(t);
	struct rp_pg_params *p = rp_pg_params(pg);
	size_t ask = rp_pg_ask(pg, &take_number);
	enum rp_err e = rp_pg_go(pg, err);

	if (e != RP_OK)
		return e;
	*number = (uint64_t)rp_pg_i64(rp_pg_answer(pg, ask), 0, 0);
	kept.verb = cut(a->verb);
	kept.user = cut(a->user);
	kept.what = cut(a->what);
	kept.reason = cut(a->reason);
	p = rp_pg_params(pg);
	rp_pg_put_u64_array(p, number, 1);
	rp_pg_put_columns(p, &rp_pg_audit, only, &kept, 1);
	rp_pg_ask(pg, &insert_audit);
	rp_pg_put_i64(rp_pg_params(pg), (int64_t)*number - RP_AUDIT_KEPT);
	rp_pg_ask(pg, &trim_audit);
	t->dirty = true;
	return RP_OK;
}

static void ask_counts(struct rp_pg_txn *t, const struct rp_pg_statement *s, uint64_t number,
		       uint64_t done, uint64_t skipped)
{
	struct rp_pg *pg = rp_pg_of(t);
	struct rp_pg_params *p = rp_pg_params(pg);

	rp_pg_put_i64(p, (int64_t)number);
	rp_pg_put_i64(p, (int64_t)done);
	rp_pg_put_i64(p, (int64_t)skipped);
	rp_pg_ask(pg, s);
	t->dirty = true;
}

void rp_pg_audit_ask(struct rp_pg_txn *t, uint64_t number, uint64_t done, uint64_t skipped)
{
	ask_counts(t, &add_counts, number, done, skipped);
}

void rp_pg_audit_set(struct rp_pg_txn *t, uint64_t number, uint64_t done, uint64_t skipped)
{
	ask_counts(t, &set_counts, number, done, skipped);
}

enum rp_err rp_pgop_audit_add(struct rp_outbox *outbox, const struct rp_audit *a, uint64_t *number,
			      struct rp_error *err)
{
	struct rp_pg_txn *t;
	enum rp_err e = rp_pg_begin(rp_pgstore_of(outbox), a->at_ms, &t, err);

	if (e != RP_OK)
		return e;
	t->synced = true;
	return rp_pg_finish(t, rp_pg_audit_put(t, a, number, err), err);
}

enum rp_err rp_pgop_audit_count(struct rp_outbox *outbox, int64_t now_at_ms, uint64_t number,
				uint64_t done, struct rp_error *err)
{
	struct rp_pg_txn *t;
	enum rp_err e = rp_pg_begin(rp_pgstore_of(outbox), now_at_ms, &t, err);

	if (e != RP_OK)
		return e;
	t->synced = true;
	rp_pg_audit_set(t, number, done, 0);
	return rp_pg_finish(t, RP_OK, err);
}

enum rp_err rp_pgop_audit(struct rp_outbox *outbox,
			  bool (*see)(void *arg, uint64_t number, const struct rp_audit *a),
			  void *arg, struct rp_error *err)
{
	struct rp_pgstore *s = rp_pgstore_of(outbox);
	struct rp_buf scratch = {.max = (size_t)1 << 20};
	const struct rp_pg_rows *rows;
	size_t ask, i;
	enum rp_err e = rp_pg_reach(s, err);
	bool goes_on = true;

	if (e != RP_OK)
		return e;
	rp_pg_params(s->pg);
	ask = rp_pg_ask(s->pg, &list_audit);
	e = rp_pg_go(s->pg, err);
	if (e != RP_OK)
		return e;
	rows = rp_pg_answer(s->pg, ask);
	for (i = 0; goes_on && i < rp_pg_n_rows(rows); i++) {
		struct rp_audit a = {.uid = 0};

		rp_buf_clear(&scratch);
		rp_pg_read_columns(rows, i, 1, &rp_pg_audit, &a, &scratch);
		goes_on = see(arg, (uint64_t)rp_pg_i64(rows, i, 0), &a);
	}
	rp_buf_release(&scratch);
	return RP_OK;
}
