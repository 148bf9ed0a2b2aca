/* pages_walk.c - goes through the pages of one tree and checks each. It is apart from pages.c
 * because a slice enters a tree in its middle. */

#include "store/lmdb/tree/pages_int.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

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

/* Whether n pages from pgno on were read; then no other tree or node may lead to them. */
static bool got(struct rp_walk *w, uint64_t pgno, uint64_t n, enum rp_read r,
		const unsigned char *out)
{
	switch (r) {
	case RP_READ_OK:
		w->n_pages += n;
		return take_pages(w, pgno, n);
	case RP_READ_FAILED:
		return false;
	case RP_READ_OUTSIDE:
		return rp_walk_bad(w, pgno, "it is outside of the %" PRIu64 " pages in use",
				   w->file.last + 1);
	case RP_READ_OTHER:
		return rp_walk_bad(w, pgno, "it says that it is page %" PRIu64, rp_page_u64(out));
	default:
		return rp_walk_bad(w, pgno, "%s", rp_read_text(r));
	}
}

/* The data of a node that has pages of its own. */
static bool read_value(struct rp_walk *w, uint64_t pgno, size_t bytes, const unsigned char **data)
{
	uint64_t n, pages;
	enum rp_read r = rp_datafile_value(&w->file, pgno, bytes, &n);

	if (r == RP_READ_LARGE)
		return rp_walk_bad(w, pgno, "a value of %zu bytes in it is larger than the file",
				   bytes);
	if (!got(w, pgno, n, r, w->file.big))
		return false;
	pages = rp_page_value_pages(w->file.big, n);
	if (pages == 0 || pages > w->file.last - pgno + 1)
		return rp_walk_bad(w, pgno, "it does not hold the %" PRIu64 " pages of a value", n);
	if (!take_pages(w, pgno + n, pages - n))
		return false;
	w->found.overflows += pages;
	*data = w->file.big + RP_PAGE_HEADER;
	return true;
}

/* --- the guide of the way (cursor.h) ------------------------------------------------------ */

enum { TOLD = -1 };

static int bad_page(void *arg, uint64_t pgno, const char *what)
{
	rp_walk_bad(arg, pgno, "%s", what);
	return TOLD;
}

static int bring(void *arg, struct rp_way *way, unsigned i, uint64_t pgno)
{
	struct rp_walk *w = arg;
	struct rp_stop *s = &way->stop[i];
	const bool leaf = rp_way_is_leaf(way, i);
	unsigned char *page = w->file.pages + i * way->page_bytes;
	const char *wrong;
	unsigned row;

	if (!got(w, pgno, 1, rp_datafile_read(&w->file, pgno, 1, page), page))
		return TOLD;
	s->pgno = pgno;
	s->page = page;
	wrong = rp_page_sound(page, way->page_bytes, leaf, &s->n);
	if (wrong != NULL)
		return bad_page(arg, pgno, wrong);
	wrong = rp_page_rows(page, way->page_bytes, leaf, w->numbers,
			     RP_NODE_BIGDATA | (w->tables ? RP_NODE_SUBDATA : 0), &s->bounds, &row);
	if (wrong != NULL)
		return rp_way_bad_node(s, &(const struct rp_guide){bring, bad_page, w}, row, wrong);
	w->found.branches += !leaf;
	return 0;
}

/* --- a tree ------------------------------------------------------------------------------- */

static bool see_leaf(struct rp_walk *w, const struct rp_stop *leaf, const struct rp_aim *from,
		     rp_see_node *see)
{
	struct rp_node node = {0};
	unsigned i;

	for (i = 0; i < leaf->n; i++) {
		node = rp_page_sound_node(leaf->page, i, true);
		if ((node.flags & RP_NODE_BIGDATA) != 0 &&
		    !read_value(w, rp_page_u64(node.data), node.data_bytes, &node.data))
			return false;
		if (see != NULL && !see(w, leaf->pgno, &node))
			return false;
	}
	w->found.leaves++;
	w->found.entries += leaf->n;
	memcpy(w->at.key, node.key, node.key_bytes);
	w->at.key_bytes = node.key_bytes;
	w->stopped = w->go_on != NULL && !w->go_on(w->go_on_arg, w->n_pages) &&
		     (from->key == NULL ||
		      rp_page_key_order(from->key, from->key_bytes, node.key, node.key_bytes) < 0);
	return true;
}

static bool see_leaves(struct rp_walk *w, struct rp_way *way, const struct rp_aim *from,
		       rp_see_node *see)
{
	const struct rp_guide guide = {bring, bad_page, w};
	bool there = true;
	int rc = rp_way_down(way, &guide, 0, *from);

	while (rc == 0 && there && !w->stopped) {
		if (!see_leaf(w, rp_way_leaf(way), from, see))
			return false;
		if (!w->stopped)
			rc = rp_way_beside(way, &guide, way->depth - 1, 1, &there);
	}
	return rc == 0;
}

/* `see` (NULL: nobody) gets the rows. */
static bool walk(struct rp_walk *w, const char *table, const struct rp_tree *t, struct rp_aim from,
		 rp_see_node *see)
{
	struct rp_way way;

	w->table = table;
	memset(&w->found, 0, sizeof w->found);
	w->numbers = (t->flags & MDB_INTEGERKEY) != 0;
	w->tables = see != NULL; /* who sees the rows knows which are tables */
	w->stopped = false;
	if (!rp_way_begin(&way, t, w->file.page_bytes))
		return rp_walk_bad(w, t->root, "a tree of depth %u", t->depth);
	if (way.depth == 0)
		return t->entries == 0 ||
		       rp_walk_bad(w, 0, "a tree without pages has %" PRIu64 " rows", t->entries);
	if (!rp_datafile_room(&w->file, way.depth) || !see_leaves(w, &way, &from, see))
		return false;
	if (from.key != NULL || w->stopped)
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
	return walk(w, table, t, (struct rp_aim){0}, see);
}

bool rp_walk_tree_from(struct rp_walk *w, const char *table, const struct rp_tree *t,
		       const struct rp_verify_cursor *from)
{
	struct rp_aim aim = {0};

	if (from->key_bytes > 0)
		aim = (struct rp_aim){.key = from->key, .key_bytes = from->key_bytes};
	return walk(w, table, t, aim, NULL);
}
