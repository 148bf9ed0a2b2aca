/* Mutant: the door answers, and only then the entries are committed. */
#include <unistd.h>

#include "ingest/batch.h"
#include "ingest/committer.h"
#include "store/lmdb/txn.h"

enum rp_err __real_rp_batch_append(struct rp_batch *batch, size_t from, size_t n,
				   const struct rp_appender *to, int64_t now_at_ms,
				   struct rp_error *err);
enum rp_err __wrap_rp_batch_append(struct rp_batch *batch, size_t from, size_t n,
				   const struct rp_appender *to, int64_t now_at_ms,
				   struct rp_error *err);
enum rp_err __real_rp_txn_commit(struct rp_txn *t, struct rp_error *err);
enum rp_err __wrap_rp_txn_commit(struct rp_txn *t, struct rp_error *err);
void __real_rp_committer_pause(size_t n_entries);
void __wrap_rp_committer_pause(size_t n_entries);

static _Thread_local bool appends;
static struct rp_txn put_off;

enum rp_err __wrap_rp_batch_append(struct rp_batch *batch, size_t from, size_t n,
				   const struct rp_appender *to, int64_t now_at_ms,
				   struct rp_error *err)
{
	enum rp_err e;

	appends = true;
	e = __real_rp_batch_append(batch, from, n, to, now_at_ms, err);
	appends = false;
	return e;
}

enum rp_err __wrap_rp_txn_commit(struct rp_txn *t, struct rp_error *err)
{
	if (!appends)
		return __real_rp_txn_commit(t, err);
	put_off = *t;
	t->mdb = NULL;
	return RP_OK;
}

/* The answers are under way by now. */
void __wrap_rp_committer_pause(size_t n_entries)
{
	struct rp_error ignored;

	usleep(2000);
	if (put_off.mdb != NULL)
		__real_rp_txn_commit(&put_off, &ignored);
	put_off.mdb = NULL;
	__real_rp_committer_pause(n_entries);
}
