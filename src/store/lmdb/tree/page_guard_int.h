/* page_guard_int.h - private to page_guard.c and page_guard_begin.c: what is known of the pages of
 * a transaction. */
#ifndef RP_STORE_LMDB_TREE_PAGE_GUARD_INT_H
#define RP_STORE_LMDB_TREE_PAGE_GUARD_INT_H

#include "store/lmdb/tree/cursor.h"
#include "store/lmdb/tree/page_bits.h"
#include "store/lmdb/tree/page_guard.h"

/* One table, as it was when the transaction began. */
struct way {
	bool known, found, found_last;
	struct rp_way to; /* the leaf that was found last */
};

struct rp_page_guard {
	const struct rp_db *db;
	MDB_txn *txn;
	bool broken; /* this transaction met a page that is not sound */
	size_t page_bytes;
	const unsigned char *map; /* NULL: to be found */
	uint64_t map_bytes;
	uint64_t pages; /* in the file, of those that the last commit counts */
	/* A bit for each number of a page: this process has found a page with it sound; and, of
	 * leaves: what is beside it was looked at in this transaction. */
	unsigned char *sound, *around;
	uint64_t bits_bytes;
	/* those with that bit set, so that the next transaction finds the bits cleared */
	uint64_t *around_list;
	size_t n_around, cap_around;
	struct way way[RP_T_COUNT];
};

static inline bool inside(const struct rp_page_guard *g, uint64_t pgno, uint64_t n)
{
	return pgno >= 2 && pgno < g->pages && n <= g->pages - pgno;
}

static inline const unsigned char *page_at(const struct rp_page_guard *g, uint64_t pgno)
{
	return g->map + pgno * g->page_bytes;
}

/* RP_DISTRUSTED, which `what` tells of a page. Nothing more is written in this transaction. */
int rp_distrust(struct rp_page_guard *g, enum rp_table table, uint64_t pgno, const char *what);

#endif
