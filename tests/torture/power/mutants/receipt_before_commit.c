/* Mutant: the receipts go out, and only then the entries are committed. */
#include "store/lmdb/txn.h"
#include "ingest/receipts.h"

enum rp_err __real_rp_txn_commit(struct rp_txn *t, struct rp_error *err);
enum rp_err __wrap_rp_txn_commit(struct rp_txn *t, struct rp_error *err);
enum rp_err __real_rp_receipts_write(struct rp_receipts *r, struct rp_error *err);
enum rp_err __wrap_rp_receipts_write(struct rp_receipts *r, struct rp_error *err);

static struct rp_txn put_off;

enum rp_err __wrap_rp_txn_commit(struct rp_txn *t, struct rp_error *err)
{
	(void)err;
	put_off = *t;
	t->mdb = NULL;
	return RP_OK;
}

enum rp_err __wrap_rp_receipts_write(struct rp_receipts *r, struct rp_error *err)
{
	enum rp_err e = __real_rp_receipts_write(r, err);

	if (e == RP_OK && put_off.mdb != NULL)
		e = __real_rp_txn_commit(&put_off, err);
	return e;
}
