/* page_guard.h - private to src/store/lmdb: no page is written to before it was looked at.
 *
 * LMDB copies and moves what stands in a page by the page's own word. Where that is damaged it
 * writes over this process's memory, payloads that are about to be sent included. So a transaction
 * that writes looks at each page before LMDB comes to it: at all of it where the process has not
 * found a page with this number sound before, else at its header and bounds, since whoever has
 * written to it meanwhile has looked at it too. */
#ifndef RP_STORE_LMDB_TREE_PAGE_GUARD_H
#define RP_STORE_LMDB_TREE_PAGE_GUARD_H

#include "store/lmdb/db/db.h"

struct rp_page_guard; /* what a process knows of the pages; one for each handle */

enum rp_page_guard_for {
	RP_PAGE_GUARD_FIND,   /* a row, or a place for it */
	RP_PAGE_GUARD_PUT,    /* over the row that may be there; its value may have pages */
	RP_PAGE_GUARD_REMOVE, /* the row: then LMDB also comes to pages beside its own */
};
/* A guard that knows nothing yet; NULL: no memory. */
struct rp_page_guard *rp_page_guard_new(void);
void rp_page_guard_free(struct rp_page_guard *g);
/* In a transaction that writes, before anything is written. */
enum rp_err rp_page_guard_begin(struct rp_page_guard *g, const struct rp_db *db, MDB_txn *txn,
				struct rp_error *err);
/* The map has got another size, and with it another place. g NULL: nobody has looked yet. */
void rp_page_guard_map_moved(struct rp_page_guard *g);

/* In the functions below g is NULL where the transaction only reads: all is well then. */

/* Before LMDB sees the key; NULL: the end of the table. 0, an LMDB code, or RP_DISTRUSTED, which
 * is RP_ERR_FORMAT, so that nobody takes it for the damage of one record, and logged as `damage`:
 * no row of this transaction is trusted any more, the head's included, so that it cannot be
 * committed. */
int rp_page_guard(struct rp_page_guard *g, enum rp_table table, const MDB_val *key,
		  enum rp_page_guard_for what_for);
/* The same for a key that LMDB came to on its way from another one, and where it stands. */
int rp_page_guard_found(struct rp_page_guard *g, enum rp_table table, const MDB_val *key);
/* The number of the leaf that was found for the last key; 0: none, or the table is empty. */
uint64_t rp_page_guard_leaf(const struct rp_page_guard *g, enum rp_table table);

#endif
