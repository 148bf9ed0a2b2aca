/* pages_int.h - private to src/store/lmdb/tree: reading trees of LMDB's pages without LMDB
 * (pages_walk.c), for the checks of pages.c. */
#ifndef RP_STORE_LMDB_TREE_PAGES_INT_H
#define RP_STORE_LMDB_TREE_PAGES_INT_H

#include "store/lmdb/tree/cursor.h"
#include "store/lmdb/tree/page_bits.h"
#include "store/lmdb/tree/pages.h"

/* What this folder knows (page.h). */
#if MDB_VERSION_MAJOR != 0 || MDB_VERSION_MINOR != 9
#error "the page format of this LMDB is not known"
#endif
_Static_assert(sizeof(size_t) == 8, "pages are those that LMDB writes on 64 bits");

/* Zeroed, with the file and callbacks set. */
struct rp_walk {
	struct rp_datafile file;    /* its `sys`: a read that failed, which is no damage */
	unsigned char *seen, *free; /* a bit for each page; the caller's */
	void (*problem)(void *arg, const char *text);
	void *arg;
	/* After each leaf; false: stop here. May be NULL. */
	bool (*go_on)(void *go_on_arg, uint64_t n_pages);
	void *go_on_arg;
	uint64_t n_pages; /* read */
	uint64_t n_problems;
	const char *table;
	bool stopped;               /* by go_on, behind the row in `at` */
	struct rp_verify_cursor at; /* its key */
	/* pages_walk.c's own */
	struct rp_tree found; /* of the tree being walked, */
	bool numbers;         /* ... whose keys are numbers in host order */
	bool tables;          /* ... whose rows may be other trees */
};

typedef bool rp_see_node(struct rp_walk *w, uint64_t pgno, const struct rp_node *node);

/* All of a tree; `see` (NULL: nobody) gets its rows. Its numbers of rows and pages are compared
 * too. false: stopped by a problem, which has been told, or by a read that failed. */
bool rp_walk_tree(struct rp_walk *w, const char *table, const struct rp_tree *t, rp_see_node *see);
/* From the leaf where the key `from` belongs to the end of the tree, or to where go_on stops it,
 * which is not before a key behind `from` was met. */
bool rp_walk_tree_from(struct rp_walk *w, const char *table, const struct rp_tree *t,
		       const struct rp_verify_cursor *from);

/* Tells a problem of a page. Always false, for `return`. */
bool rp_walk_bad(struct rp_walk *w, uint64_t pgno, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
