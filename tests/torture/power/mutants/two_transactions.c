/* Mutant: a change of state is made in two transactions, the entry and its endpoint in one, the
 * ledger in another. */
#include "store/lmdb/endpoint.h"
#include "store/lmdb/handle.h"
#include "store/lmdb/tree/page_guard.h"
#include "store/lmdb/txn.h"

enum rp_err __real_rp_ep_flush(struct rp_txn *t, struct rp_error *err);
enum rp_err __wrap_rp_ep_flush(struct rp_txn *t, struct rp_error *err);

enum rp_err __wrap_rp_ep_flush(struct rp_txn *t, struct rp_error *err)
{
	enum rp_err e = __real_rp_ep_flush(t, err);

	if (e == RP_OK)
		e = rp_db_fail(&t->ob->db, mdb_txn_commit(t->mdb), "commit", err);
	t->mdb = NULL;
	memset(t->at, 0, sizeof t->at); /* LMDB closed them */
	memset(t->at_end, 0, sizeof t->at_end);
	if (e == RP_OK)
		e = rp_db_fail(&t->ob->db, mdb_txn_begin(t->ob->db.env, NULL, 0, &t->mdb), "begin",
			       err);
	return e == RP_OK ? rp_page_guard_begin(t->guard, &t->ob->db, t->mdb, err) : e;
}
