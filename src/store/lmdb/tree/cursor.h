/* cursor.h - private to src/store/lmdb: the one cursor over LMDB's pages, without LMDB (cursor.c).
 *
 * A way is the pages from a tree's root to one of its leaves. Whoever goes it brings the pages,
 * by read(2) or from the map, and decides how far to trust them: rows.c reads rows for lists,
 * pages_walk.c checks all, page_guard.c looks at what LMDB is about to come to. */
#ifndef RP_STORE_LMDB_TREE_CURSOR_H
#define RP_STORE_LMDB_TREE_CURSOR_H

#include "store/lmdb/tree/page.h"

/* with the shortest keys there are, a file of the size of the map has 6 levels */
#define RP_TREE_DEPTH_MAX 16

/* --- pages by read(2) --------------------------------------------------------------------- */

/* Zeroed, with fd, the size of a page and the last page set. */
struct rp_datafile {
	int fd;
	size_t page_bytes;
	uint64_t last;
	unsigned char *pages; /* one for each stop of a way (rp_datafile_room) */
	unsigned char *big;   /* a value that has pages of its own */
	size_t big_bytes;
	int sys; /* errno of what failed (ENOMEM: no memory), which says nothing of the disk */
};

enum rp_read {
	RP_READ_OK,
	RP_READ_FAILED,  /* sys is set */
	RP_READ_OUTSIDE, /* of the pages that the last commit counts */
	RP_READ_SHORT,   /* the file ends there */
	RP_READ_OTHER,   /* the page says that it is another one */
	RP_READ_LARGE    /* the value would not fit into the file */
};
/* In words, of a page; NULL: OK or failed. */
const char *rp_read_text(enum rp_read r);

bool rp_datafile_room(struct rp_datafile *f, unsigned depth);
void rp_datafile_release(struct rp_datafile *f);
/* n pages from pgno on, of which the first must say that it is this one. */
enum rp_read rp_datafile_read(struct rp_datafile *f, uint64_t pgno, uint64_t n, unsigned char *out);
/* The pages of a value of so many bytes, to f->big; *n: how many it needs. */
enum rp_read rp_datafile_value(struct rp_datafile *f, uint64_t pgno, size_t bytes, uint64_t *n);

/* --- the way to a leaf -------------------------------------------------------------------- */

struct rp_stop {
	uint64_t pgno; /* 0: no page is there */
	const unsigned char *page;
	unsigned n, at;          /* nodes; the child that was taken, or the row that is next */
	struct rp_bounds bounds; /* which keys belong to it */
};

struct rp_way {
	size_t page_bytes;
	uint64_t root;
	unsigned depth;                         /* 0: the tree is empty */
	struct rp_stop stop[RP_TREE_DEPTH_MAX]; /* from the root to the leaf */
};

/* Who goes it. What is not 0 ends the step and is its result. */
struct rp_guide {
	/* Brings page pgno to stop i: sets the stop's pgno, page and n (not 0). Its bounds are set;
	 * its pgno is still that of the page that was there. */
	int (*bring)(void *arg, struct rp_way *w, unsigned i, uint64_t pgno);
	/* What is wrong with a page that was brought. Not 0. */
	int (*bad)(void *arg, uint64_t pgno, const char *what);
	void *arg;
};

/* No page is there yet. false: no tree is as deep as this, and it is as one that is empty. */
bool rp_way_begin(struct rp_way *w, const struct rp_tree *t, size_t page_bytes);

static inline bool rp_way_is_leaf(const struct rp_way *w, unsigned i)
{
	return i + 1 == w->depth;
}

/* Whether page pgno is at hand at stop i. Page 0, which a damaged tree may name, never is: it is
 * LMDB's own, and a stop has it while no page is there. */
static inline bool rp_way_is_at(const struct rp_way *w, unsigned i, uint64_t pgno)
{
	return pgno != 0 && w->stop[i].pgno == pgno;
}

static inline struct rp_stop *rp_way_leaf(struct rp_way *w)
{
	return &w->stop[w->depth - 1];
}

/* Node i of a stop: 0, or what `bad` says. */
int rp_way_bad_node(const struct rp_stop *s, const struct rp_guide *g, unsigned i,
		    const char *wrong);
static inline int rp_way_node(const struct rp_way *w, const struct rp_guide *g, unsigned i,
			      unsigned row, struct rp_node *out)
{
	const struct rp_stop *s = &w->stop[i];
	const char *wrong = rp_page_node(s->page, w->page_bytes, row, rp_way_is_leaf(w, i), out);

	if (wrong == NULL)
		return 0;
	*out = (struct rp_node){0};
	return rp_way_bad_node(s, g, row, wrong);
}

/* Sets `at` of stop i. Of a leaf: the first row whose key is not below this one. Of a branch: the
 * child below which that would be; its first key stands for all below. */
int rp_way_search(struct rp_way *w, const struct rp_guide *g, unsigned i, const void *key,
		  size_t key_bytes);

/* Where to go on a page. */
struct rp_aim {
	const void *key; /* NULL: to the first node, or */
	size_t key_bytes;
	bool last; /* ... to the last one */
};
/* Down from stop i, to which the one above leads, to the leaf; in it a key is not looked for, and
 * `at` is 0. */
int rp_way_down(struct rp_way *w, const struct rp_guide *g, unsigned i, struct rp_aim aim);
/* To the page of this level on that side (-1 or 1), and not below it. *there: is there one? */
int rp_way_beside(struct rp_way *w, const struct rp_guide *g, unsigned level, int step,
		  bool *there);

#endif
