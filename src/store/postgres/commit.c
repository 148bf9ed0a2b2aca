/* commit.c - ends transactions: writes what changed, commits, and tells who waits. */
#include "base/sys.h"
#include "store/postgres/tell.h"
#include "store/postgres/standby.h"
#include "store/postgres/txn_int.h"

static enum rp_err commit(struct rp_pg_txn *t, size_t *nobody, struct rp_error *err)
{
	struct rp_pgstore *s = t->store;
	int64_t start_us;
	enum rp_err e;

	if (!t->synced)
		rp_pg_ask_plain(rp_pg_of(t), "SET LOCAL synchronous_commit = off");
	e = rp_pg_write(t, true, err);
	if (e != RP_OK)
		return e;
	*nobody = rp_pg_ask_nobody_watches(s->pg);
	rp_pg_ask_plain(rp_pg_of(t), "COMMIT");
	start_us = rp_sys_stopwatch_us();
	e = rp_pg_go(s->pg, err);
	if (e == RP_OK)
		rp_histogram_add(&s->writer->untold_commits, rp_bounds_commit_us,
				 rp_sys_stopwatch_us() - start_us);
	return e;
}

enum rp_err rp_pg_commit(struct rp_pg_txn *t, struct rp_error *err)
{
	struct rp_pgstore *s = t->store;
	size_t nobody;
	enum rp_err e = commit(t, &nobody, err);
	bool watched;

	if (e != RP_OK) {
		rp_pg_rollback(t);
		return e;
	}
	watched = !rp_pg_bool(rp_pg_answer(s->pg, nobody), 0, 0);
	t->begun = t->dirty = false;
	rp_pg_forget_all(t->parts);
	if (watched)
		rp_pg_tell(s, RP_WATCH_COMMITS);
	return RP_OK;
}

enum rp_err rp_pg_finish(struct rp_pg_txn *t, enum rp_err e, struct rp_error *err)
{
	if (e == RP_OK && t->parts->no_memory)
		e = rp_fail(err, RP_ERR_NOMEM, "out of memory");
	if (e == RP_OK && t->dirty)
		e = rp_pg_commit(t, err);
	else
		rp_pg_rollback(t);
	/* also where nothing was changed: what it found done may not be confirmed yet */
	return e == RP_OK && t->synced ? rp_pg_standby_await(t->store, err) : e;
}

enum rp_err rp_pg_flush(struct rp_pg_txn *t, struct rp_error *err)
{
	enum rp_err e = rp_pg_write(t, false, err);

	return e == RP_OK ? rp_pg_go(rp_pg_of(t), err) : e;
}

void rp_pg_tell_counts(struct rp_pgstore *s)
{
	struct rp_pg_txn *t;

	if (s->writer == NULL || s->writer->untold_duplicates == 0 || s->pg == NULL ||
	    rp_pg_is_lost(s->pg) || rp_pg_begin(s, 0, &t, NULL) != RP_OK)
		return;
	t->dirty = true;
	(void)rp_pg_commit(t, NULL);
}
