/* pages.h - private to src/store/lmdb: LMDB's own pages may be damaged, and it checks none. Here
 * all of them are, and at opening those on which everything stands. */
#ifndef RP_STORE_LMDB_TREE_PAGES_H
#define RP_STORE_LMDB_TREE_PAGES_H

#include "store/lmdb/db/db.h"
#include "store/lmdb/tree/page.h"

/* pages at the end that a transaction took and gave back unwritten */
#define RP_PAGES_UNWRITTEN_MAX 65536

struct rp_pages_watch {
	void (*problem)(void *arg, const char *text);
	void *arg;
	/* after each leaf, with the pages read so far; may be NULL */
	bool (*go_on)(void *go_on_arg, uint64_t n_pages);
	void *go_on_arg;
};
/* How far a check has come: what its cursor holds. */
struct rp_verify_cursor {
	unsigned phase, table;
	unsigned char key[512]; /* LMDB's have at most 511 bytes */
	size_t key_bytes;
	bool done;
};
/* Reads the pages of the transaction's snapshot without LMDB, from at->table, at->key on until
 * go_on says no (it is heard once this has got ahead) or all is done; counts and tells what is
 * wrong. Not before this has found nothing may LMDB be expected to survive a walk through all of
 * it. RP_ERR_STALE: others have committed twice since the transaction began, so begin another one.
 *
 * In several goes, each in a transaction of its own, a page that was there all the time is read in
 * one of them, and compared with its neighbours and the free list of that snapshot; a page that
 * came meanwhile may be left out. What needs all pages of one snapshot, the numbers of pages and
 * rows and whether two tables share a page, is seen where one go holds them. */
enum rp_err rp_pages_check(const struct rp_db *db, MDB_txn *txn, const struct rp_pages_watch *watch,
			   struct rp_verify_cursor *at, bool *all_done, uint64_t *n_problems,
			   struct rp_error *err);
/* The free list and the list of tables, of which LMDB reads any page when it commits.
 * RP_ERR_FORMAT: they are damaged. RP_ERR_STALE: as above. */
enum rp_err rp_pages_check_lists(const struct rp_db *db, MDB_txn *txn, struct rp_error *err);
/* RP_ERR_DAMAGED: the file is shorter than it must be, and reading it would end in a SIGBUS. */
enum rp_err rp_pages_check_end(const struct rp_db *db, MDB_txn *txn, struct rp_error *err);

#endif
