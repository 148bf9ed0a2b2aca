/* txn.h - private to src/store/lmdb: a transaction, from its beginning to its end.
 *
 * txn.c begins it and gives it up; commit.c brings everything up to date that is kept in memory
 * until then. */
#ifndef RP_STORE_LMDB_TXN_H
#define RP_STORE_LMDB_TXN_H

#include "model/ledger.h"
#include "store/lmdb/db/db.h"

struct rp_lmdb;
struct rp_ep;
struct rp_page_guard;

#define RP_TXN_HOST_NAME_MAX 64

struct rp_txn {
	struct rp_lmdb *ob;
	MDB_txn *mdb;
	int64_t now_at_ms;
	struct rp_head head;
	struct rp_page_guard *guard; /* tree/page_guard.h; NULL: it only reads */
	bool dirty;                  /* something was written */
	bool counted;                /* the outbox's counters are this transaction's */
	bool keeps_cursors;          /* all that write do: */
	MDB_cursor *at[RP_T_COUNT];  /* where rows are looked for, put and removed; and */
	/* where they are appended; LMDB closes them with a transaction that writes */
	MDB_cursor *at_end[RP_T_COUNT];
	/* endpoint_new.c: the host of the last new path, if its name is short */
	struct rp_ep *last_host;
	char last_host_name[RP_TXN_HOST_NAME_MAX];
};

/* Begins a transaction and reads the head. Read ones end with rp_txn_end, write ones with
 * rp_txn_commit or rp_txn_end.
 */
enum rp_err rp_txn_read(struct rp_lmdb *ob, struct rp_txn *t, struct rp_error *err);
/* For rows alone, often: the head stays zero, and endpoints are not to be asked for. It touches
 * nothing that a write transaction on another thread of this process uses. */
enum rp_err rp_txn_read_rows(struct rp_lmdb *ob, struct rp_txn *t, struct rp_error *err);
enum rp_err rp_txn_write(struct rp_lmdb *ob, int64_t now_at_ms, struct rp_txn *t,
			 struct rp_error *err);
/* Brings the ready queue and the records of changed endpoints up to date, writes the head, commits.
 * The transaction is over whatever the result. */
enum rp_err rp_txn_commit(struct rp_txn *t, struct rp_error *err);
void rp_txn_end(struct rp_txn *t); /* aborts; harmless after a commit */
/* The end of most that write: commits what was written, and gives it up where e is not RP_OK or
 * nothing was. Result: e, or how the commit went. */
static inline enum rp_err rp_txn_finish(struct rp_txn *t, enum rp_err e, struct rp_error *err)
{
	if (e == RP_OK && t->dirty)
		return rp_txn_commit(t, err);
	rp_txn_end(t);
	return e;
}

#endif
