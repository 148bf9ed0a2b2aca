/* Mutant: a change of state is made in two transactions, the entry and its endpoint in one, the
 * ledger in another. */
#include "store/lmdb/store_int.h"

enum rp_err __real_rp_ep_flush(struct rp_txn *t, struct rp_error *err);
enum rp_err __wrap_rp_ep_flush(struct rp_txn *t, struct rp_error *err);

enum rp_err __wrap_rp_ep_flush(struct rp_txn *t, struct rp_error *err)
{
	enum rp_err e = __real_rp_ep_flush(t, err);

	if (e == RP_OK)
		e = rp_db_fail(t->ob, mdb_txn_commit(t->mdb), "commit", err);
	t->mdb = NULL;
	memset(t->at, 0, sizeof t->at); /* LMDB closed them */
	memset(t->at_end, 0, sizeof t->at_end);
	return e == RP_OK
		   ? rp_db_fail(t->ob, mdb_txn_begin(t->ob->env, NULL, 0, &t->mdb), "begin", err)
		   : e;
}
