/* pages_walk.c - goes through the pages of one tree and checks each. It is apart from pages.c
 * because a slice enters a tree in its middle. */

#include "store/lmdb/tree/pages_int.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

bool rp_walk_bad(struct rp_walk *w, uint64_t pgno, const char *fmt, ...)
{
	char what[160], text[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	snprintf(text, sizeof text, "%s: page %" PRIu64 ": %s", w->table, pgno, what);
	w->n_problems++;
	if (w->problem != NULL)
		w->problem(w->arg, text);
	return false;
}

/* n pages from pgno on, which are inside of the file. */
static bool take_pages(struct rp_walk *w, uint64_t pgno, uint64_t n)
{
	for (; n > 0; n--, pgno++) {
		if (rp_page_bit(w->seen, pgno))
			return rp_walk_bad(w, pgno, "two ways lead to it");
		rp_page_set_bit(w->seen, pgno);
	}
	return true;
}

/* n pages from pgno on, none of which any other tree or node may lead to. */
static bool read_pages(struct rp_walk *w, uint64_t pgno, uint64_t n, void *out)
{
	size_t bytes = (size_t)n * w->page_bytes, got = 0;
	ssize_t k;

	if (pgno < 2 || pgno > w->last || n > w->last - pgno + 1)
		return rp_walk_bad(w, pgno, "it is outside of the %" PRIu64 " pages in use",
				   w->last + 1);
	if (!take_pages(w, pgno, n))
		return false;
	w->n_pages += n;
	while (got < bytes) {
		k = pread(w->fd, (char *)out + got, bytes - got,
			  (off_t)(pgno * w->page_bytes + got));
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0) {
			w->sys = errno;
			return false;
		}
		if (k == 0)
			return rp_walk_bad(w, pgno, "the file ends before it");
		got += (size_t)k;
	}
	if (rp_page_u64(out) != pgno)
		return rp_walk_bad(w, pgno, "it says that it is page %" PRIu64, rp_page_u64(out));
	return true;
}

/* The data of a node that has pages of its own. */
static bool read_overflow(struct rp_walk *w, uint64_t pgno, size_t bytes,
			  const unsigned char **data)
{
	uint64_t n = rp_page_overflows(w->page_bytes, bytes);
	uint64_t pages;
	unsigned char *more;

	if (n > w->last)
		return rp_walk_bad(w, pgno, "a value of %zu bytes in it is larger than the file",
				   bytes);
	if (n * w->page_bytes > w->big_bytes) {
		more = realloc(w->big, (size_t)n * w->page_bytes);
		if (more == NULL) {
			w->sys = ENOMEM;
			return false;
		}
		w->big = more;
		w->big_bytes = (size_t)n * w->page_bytes;
	}
	if (!read_pages(w, pgno, n, w->big))
		return false;
	pages = rp_page_value_pages(w->big, n);
	if (pages == 0 || pages > w->last - pgno + 1)
		return rp_walk_bad(w, pgno, "it does not hold the %" PRIu64 " pages of a value", n);
	if (!take_pages(w, pgno + n, pages - n))
		return false;
	w->found.overflows += pages;
	*data = w->big + RP_PAGE_HEADER;
	return true;
}

static bool walk_page(struct rp_walk *w, uint64_t pgno, unsigned depth, const struct rp_bounds *b,
		      const struct rp_node *from, rp_see_node *see);

static bool check_rows(struct rp_walk *w, uint64_t pgno, const unsigned char *page, bool leaf,
		       unsigned flags, const struct rp_bounds *b)
{
	unsigned row;
	const char *wrong = rp_page_rows(page, w->page_bytes, leaf, w->numbers, flags, b, &row);

	return wrong == NULL || rp_walk_bad(w, pgno, "row %u %s", row, wrong);
}

static bool walk_leaf(struct rp_walk *w, uint64_t pgno, const unsigned char *page, unsigned n,
		      const struct rp_node *from, rp_see_node *see)
{
	struct rp_node node = {0};
	unsigned i;

	for (i = 0; i < n; i++) {
		node = rp_page_sound_node(page, i, true);
		if ((node.flags & RP_NODE_BIGDATA) != 0 &&
		    !read_overflow(w, rp_page_u64(node.data), node.data_bytes, &node.data))
			return false;
		if (see != NULL && !see(w, pgno, &node))
			return false;
	}
	w->found.leaves++;
	w->found.entries += n;
	w->seeking = false;
	memcpy(w->at.key, node.key, node.key_bytes);
	w->at.key_bytes = node.key_bytes;
	w->stopped = w->go_on != NULL && !w->go_on(w->go_on_arg, w->n_pages) &&
		     (from == NULL ||
		      rp_page_key_order(from->key, from->key_bytes, node.key, node.key_bytes) < 0);
	return true;
}

static bool walk_branch(struct rp_walk *w, const unsigned char *page, unsigned n, unsigned depth,
			const struct rp_bounds *b, const struct rp_node *from, rp_see_node *see)
{
	struct rp_bounds part;
	uint64_t child;
	unsigned i;

	w->found.branches++;
	for (i = 0; i < n && !w->stopped; i++) {
		child = rp_page_child(page, i, b, &part);
		if (w->seeking && i + 1 < n &&
		    rp_page_key_order(part.high, part.high_bytes, from->key, from->key_bytes) <= 0)
			continue;
		if (!walk_page(w, child, depth - 1, &part, from, see))
			return false;
	}
	return true;
}

/* `depth` levels are left, this one included. */
static bool walk_page(struct rp_walk *w, uint64_t pgno, unsigned depth, const struct rp_bounds *b,
		      const struct rp_node *from, rp_see_node *see)
{
	unsigned char page[RP_PAGE_BYTES_MAX];
	bool leaf = depth == 1;
	const char *wrong;
	unsigned n;

	if (!read_pages(w, pgno, 1, page))
		return false;
	wrong = rp_page_check(page, w->page_bytes, leaf ? RP_PAGE_LEAF : RP_PAGE_BRANCH, &n);
	if (wrong == NULL && n == 1 && !leaf)
		wrong = "it leads to one page only";
	if (wrong != NULL)
		return rp_walk_bad(w, pgno, "%s", wrong);
	/* who sees the rows knows which are tables */
	if (!check_rows(w, pgno, page, leaf, RP_NODE_BIGDATA | (see != NULL ? RP_NODE_SUBDATA : 0),
			b))
		return false;
	return leaf ? walk_leaf(w, pgno, page, n, from, see)
		    : walk_branch(w, page, n, depth, b, from, see);
}

static bool walk(struct rp_walk *w, const char *table, const struct rp_tree *t,
		 const struct rp_node *from, rp_see_node *see)
{
	const struct rp_bounds all = {0};

	w->table = table;
	memset(&w->found, 0, sizeof w->found);
	w->numbers = (t->flags & MDB_INTEGERKEY) != 0;
	w->seeking = from != NULL;
	w->stopped = false;
	if (t->root == RP_PAGE_NO_ROOT)
		return t->entries == 0 ||
		       rp_walk_bad(w, 0, "a tree without pages has %" PRIu64 " rows", t->entries);
	if (t->depth == 0 || t->depth > RP_TREE_DEPTH_MAX)
		return rp_walk_bad(w, t->root, "a tree of depth %u", t->depth);
	if (!walk_page(w, t->root, t->depth, &all, from, see))
		return false;
	if (from != NULL || w->stopped)
		return true;
	if (w->found.entries != t->entries || w->found.branches != t->branches ||
	    w->found.leaves != t->leaves || w->found.overflows != t->overflows)
		return rp_walk_bad(w, t->root,
				   "its tree has %" PRIu64 " rows and should have %" PRIu64,
				   w->found.entries, t->entries);
	return true;
}

bool rp_walk_tree(struct rp_walk *w, const char *table, const struct rp_tree *t, rp_see_node *see)
{
	return walk(w, table, t, NULL, see);
}

bool rp_walk_tree_from(struct rp_walk *w, const char *table, const struct rp_tree *t,
		       const struct rp_verify_cursor *from)
{
	struct rp_node key = {.key = from->key, .key_bytes = from->key_bytes};

	return walk(w, table, t, from->key_bytes > 0 ? &key : NULL, NULL);
}
