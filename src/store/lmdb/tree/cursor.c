/* cursor.c - goes from a tree's root to a leaf, and on from leaf to leaf, and looks at each page
 * before it is used. */

#include "store/lmdb/tree/cursor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const char *rp_read_text(enum rp_read r)
{
	static const char *const text[] = {
	    [RP_READ_OUTSIDE] = "it is outside of the file",
	    [RP_READ_SHORT] = "the file ends before it",
	    [RP_READ_OTHER] = "it says that it is another page",
	    [RP_READ_LARGE] = "it holds a value larger than the file",
	};

	return text[r];
}

bool rp_datafile_room(struct rp_datafile *f, unsigned depth)
{
	unsigned char *more = realloc(f->pages, depth * f->page_bytes);

	if (more != NULL)
		f->pages = more;
	else
		f->sys = ENOMEM;
	return more != NULL;
}

void rp_datafile_release(struct rp_datafile *f)
{
	free(f->pages);
	free(f->big);
}

enum rp_read rp_datafile_read(struct rp_datafile *f, uint64_t pgno, uint64_t n, unsigned char *out)
{
	size_t bytes = (size_t)n * f->page_bytes, got = 0;
	ssize_t k;

	if (pgno < 2 || pgno > f->last || n > f->last - pgno + 1)
		return RP_READ_OUTSIDE;
	while (got < bytes) {
		k = pread(f->fd, out + got, bytes - got, (off_t)(pgno * f->page_bytes + got));
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0) {
			f->sys = errno;
			return RP_READ_FAILED;
		}
		if (k == 0)
			return RP_READ_SHORT;
		got += (size_t)k;
	}
	return rp_page_u64(out) == pgno ? RP_READ_OK : RP_READ_OTHER;
}

enum rp_read rp_datafile_value(struct rp_datafile *f, uint64_t pgno, size_t bytes, uint64_t *n)
{
	unsigned char *more;

	*n = rp_page_overflows(f->page_bytes, bytes);
	if (*n > f->last)
		return RP_READ_LARGE;
	if (*n * f->page_bytes > f->big_bytes) {
		more = realloc(f->big, (size_t)*n * f->page_bytes);
		if (more == NULL) {
			f->sys = ENOMEM;
			return RP_READ_FAILED;
		}
		f->big = more;
		f->big_bytes = (size_t)*n * f->page_bytes;
	}
	return rp_datafile_read(f, pgno, *n, f->big);
}

/* --- the way to a leaf -------------------------------------------------------------------- */

bool rp_way_begin(struct rp_way *w, const struct rp_tree *t, size_t page_bytes)
{
	unsigned i;

	w->page_bytes = page_bytes;
	w->root = t->root;
	w->depth = 0;
	if (t->root == RP_PAGE_NO_ROOT)
		return true;
	if (t->depth == 0 || t->depth > RP_TREE_DEPTH_MAX)
		return false;
	w->depth = t->depth;
	for (i = 0; i < w->depth; i++)
		w->stop[i].pgno = 0;
	return true;
}

int rp_way_bad_node(const struct rp_stop *s, const struct rp_guide *g, unsigned i,
		    const char *wrong)
{
	char what[80];

	snprintf(what, sizeof what, "row %u %s", i, wrong);
	return g->bad(g->arg, s->pgno, what);
}

int rp_way_search(struct rp_way *w, const struct rp_guide *g, unsigned i, const void *key,
		  size_t key_bytes)
{
	struct rp_stop *s = &w->stop[i];
	const bool leaf = rp_way_is_leaf(w, i);
	unsigned low = leaf ? 0 : 1, high = s->n;
	struct rp_node node;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;
		int rc = rp_way_node(w, g, i, middle, &node), order;

		if (rc != 0)
			return rc;
		order = rp_page_key_order(node.key, node.key_bytes, key, key_bytes);
		if (order < 0 || (order == 0 && !leaf))
			low = middle + 1;
		else
			high = middle;
	}
	s->at = leaf ? low : low - 1;
	return 0;
}

/* The child that was taken at stop i, and what may stand in it. The first key of a branch is no
 * key: below it is all that comes before the next. */
static int find_child(struct rp_way *w, const struct rp_guide *g, unsigned i, uint64_t *pgno)
{
	const struct rp_stop *s = &w->stop[i];
	struct rp_bounds *b = &w->stop[i + 1].bounds;
	struct rp_node node;
	int rc = rp_way_node(w, g, i, s->at, &node);

	if (rc != 0)
		return rc;
	*pgno = node.child;
	*b = s->bounds;
	if (s->at > 0) {
		b->low = node.key;
		b->low_bytes = node.key_bytes;
	}
	if (s->at + 1 < s->n &&
	    rp_page_node(s->page, w->page_bytes, s->at + 1, false, &node) == NULL) {
		b->high = node.key;
		b->high_bytes = node.key_bytes;
	}
	return 0;
}

static int down_to(struct rp_way *w, const struct rp_guide *g, unsigned i, unsigned level,
		   struct rp_aim aim)
{
	uint64_t pgno = w->root;
	int rc = 0;

	for (; rc == 0 && i <= level; i++) {
		if (i > 0)
			rc = find_child(w, g, i - 1, &pgno);
		else
			w->stop[0].bounds = (struct rp_bounds){0};
		if (rc == 0)
			rc = g->bring(g->arg, w, i, pgno);
		if (rc == 0 && aim.key != NULL)
			rc = rp_way_search(w, g, i, aim.key, aim.key_bytes);
		else if (rc == 0)
			w->stop[i].at = aim.last ? w->stop[i].n - 1 : 0;
	}
	return rc;
}

int rp_way_down(struct rp_way *w, const struct rp_guide *g, unsigned i, struct rp_aim aim)
{
	return down_to(w, g, i, w->depth - 1, aim);
}

int rp_way_beside(struct rp_way *w, const struct rp_guide *g, unsigned level, int step, bool *there)
{
	unsigned i = level;

	/* to a branch where a step can be taken */
	while (i > 0 &&
	       (step < 0 ? w->stop[i - 1].at == 0 : w->stop[i - 1].at + 1 >= w->stop[i - 1].n))
		i--;
	*there = i > 0;
	if (i == 0)
		return 0;
	w->stop[i - 1].at += (unsigned)step;
	return down_to(w, g, i, level, (struct rp_aim){.last = step < 0});
}
