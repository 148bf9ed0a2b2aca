/* page_guard.c - looks at the pages that LMDB is about to change, before it does. LMDB believes
 * what stands on a page, and a damaged one would make it write over memory. */

#include "store/lmdb/tree/page_guard_int.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"

int rp_distrust(struct rp_page_guard *g, enum rp_table table, uint64_t pgno, const char *what)
{
	if (!g->broken)
		rp_log(RP_LOG_ERROR, "damage", "what=page table=%s page=%" PRIu64 " why=\"%s\"",
		       rp_table_name(table), pgno, what);
	g->broken = true;
	return RP_DISTRUSTED;
}

/* --- one page ----------------------------------------------------------------------------- */

/* A page of whose number one was found sound holds something else by now, or is one that belongs
 * elsewhere, when a damaged branch leads to it. */
static bool belongs(const unsigned char *page, size_t page_bytes, bool leaf,
		    const struct rp_bounds *b)
{
	unsigned first = leaf ? 0 : 1, last = rp_page_count(page) - 1;
	struct rp_node node;

	return rp_page_node(page, page_bytes, first, leaf, &node) == NULL &&
	       rp_bounds_hold(b, node.key, node.key_bytes, false) &&
	       rp_page_node(page, page_bytes, last, leaf, &node) == NULL &&
	       rp_bounds_hold(b, node.key, node.key_bytes, false);
}

/* Who looks. */
struct visit {
	struct rp_page_guard *g;
	enum rp_table table;
};

static int bad_page(void *arg, uint64_t pgno, const char *what)
{
	const struct visit *v = arg;

	return rp_distrust(v->g, v->table, pgno, what);
}

/* From the map. 0: it is sound, and where it belongs. */
static int bring(void *arg, struct rp_way *w, unsigned i, uint64_t pgno)
{
	const struct visit *v = arg;
	struct rp_page_guard *g = v->g;
	struct rp_stop *s = &w->stop[i];
	const bool leaf = rp_way_is_leaf(w, i);
	const char *wrong;
	unsigned row;

	/* every way begins there, and in the map nothing changes before the commit */
	if (i == 0 && rp_way_is_at(w, i, pgno))
		return 0;
	if (!inside(g, pgno, 1))
		return bad_page(arg, pgno, rp_read_text(RP_READ_OUTSIDE));
	s->page = page_at(g, pgno);
	if (rp_page_u64(s->page) != pgno)
		return bad_page(arg, pgno, rp_read_text(RP_READ_OTHER));
	wrong = rp_page_sound(s->page, g->page_bytes, leaf, &s->n);
	if (wrong == NULL && !rp_page_bit(g->sound, pgno) &&
	    rp_page_rows(s->page, g->page_bytes, leaf, false,
			 rp_table_has_large_values(v->table) ? RP_NODE_BIGDATA : 0, &s->bounds,
			 &row) != NULL)
		wrong = "a row is damaged or out of order";
	else if (wrong == NULL && !belongs(s->page, g->page_bytes, leaf, &s->bounds))
		wrong = "it is not the page that belongs there";
	if (wrong != NULL)
		return bad_page(arg, pgno, wrong);
	s->pgno = pgno;
	rp_page_set_bit(g->sound, pgno);
	return 0;
}

/* The guide of a way (cursor.h). */
#define GUIDE(g, table) (&(const struct rp_guide){bring, bad_page, &(struct visit){g, table}})

/* key NULL: to the last leaf. */
static int go_to(struct rp_page_guard *g, enum rp_table table, struct way *w, const MDB_val *key)
{
	struct rp_aim aim = {.last = true};
	int rc;

	if (key != NULL)
		aim = (struct rp_aim){.key = key->mv_data, .key_bytes = key->mv_size};
	rc = rp_way_down(&w->to, GUIDE(g, table), 0, aim);
	w->found = rc == 0;
	w->found_last = w->found_last || (rc == 0 && key == NULL);
	return rc;
}

/* --- beside it ---------------------------------------------------------------------------- */

static void note_around(struct rp_page_guard *g, uint64_t leaf)
{
	uint64_t *more;

	if (g->n_around == g->cap_around) {
		more = realloc(g->around_list, (2 * g->cap_around + 64) * sizeof *more);
		if (more == NULL)
			return; /* it is looked at again then */
		g->around_list = more;
		g->cap_around = 2 * g->cap_around + 64;
	}
	g->around_list[g->n_around++] = leaf;
	rp_page_set_bit(g->around, leaf);
}

static size_t bytes_in(const unsigned char *page, size_t page_bytes)
{
	return page_bytes - RP_PAGE_HEADER - (rp_page_u16(page + 14) - rp_page_u16(page + 12));
}

/* LMDB takes rows from beside a page of which less than a quarter is left, or joins the two, and
 * does the same with the branches above. Whatever a transaction removes and joins, all rows that
 * are left between a removed one and the first page of its level not touched yet are in the page
 * that is being filled: less than a quarter of a page. So it gets no further than a quarter and a
 * page; looked at is twice that. (With a LMDB that tells what it copies nothing was missed; with
 * two pages to each side below the same parent, 1 in 1,400.) */
static int look_beside(struct rp_page_guard *g, enum rp_table table, const struct way *from,
		       unsigned level, int step)
{
	struct rp_way w;
	const size_t page_bytes = g->page_bytes;
	size_t bytes = 0;
	bool there = true;
	unsigned n = 0;
	int rc = 0;

	memcpy(&w, &from->to, offsetof(struct rp_way, stop) + from->to.depth * sizeof w.stop[0]);
	for (; rc == 0 && (n < 2 || bytes < page_bytes - RP_PAGE_HEADER); n++) {
		rc = rp_way_beside(&w, GUIDE(g, table), level, step, &there);
		if (rc != 0 || !there)
			return rc;
		bytes += bytes_in(w.stop[level].page, page_bytes);
		/* the first page on each level below it, from which LMDB takes the first key of a
		 * branch */
		w.stop[level].at = 0;
		rc = rp_way_down(&w, GUIDE(g, table), level + 1, (struct rp_aim){0});
	}
	return rc;
}

static int look_around(struct rp_page_guard *g, enum rp_table table, struct way *w)
{
	unsigned level;
	int rc = 0;

	for (level = w->to.depth - 1; rc == 0 && level > 0; level--) {
		rc = look_beside(g, table, w, level, -1);
		if (rc == 0)
			rc = look_beside(g, table, w, level, 1);
	}
	if (rc == 0)
		note_around(g, rp_way_leaf(&w->to)->pgno);
	return rc;
}

/* --- its value ---------------------------------------------------------------------------- */

/* LMDB frees, or writes anew, as many pages of a value as the first of them says. */
static int look_at_value(struct rp_page_guard *g, enum rp_table table, struct way *w,
			 const MDB_val *key)
{
	const struct rp_stop *leaf = rp_way_leaf(&w->to);
	const unsigned char *page;
	struct rp_node node;
	uint64_t pgno, needs, pages;
	int rc =
	    rp_way_search(&w->to, GUIDE(g, table), w->to.depth - 1, key->mv_data, key->mv_size);

	if (rc != 0 || leaf->at == leaf->n)
		return rc;
	node = rp_page_sound_node(leaf->page, leaf->at, true);
	if (rp_page_key_order(node.key, node.key_bytes, key->mv_data, key->mv_size) != 0 ||
	    (node.flags & RP_NODE_BIGDATA) == 0)
		return 0;
	pgno = rp_page_u64(node.data);
	needs = rp_page_overflows(g->page_bytes, node.data_bytes);
	if (!inside(g, pgno, needs))
		return rp_distrust(g, table, pgno, rp_read_text(RP_READ_OUTSIDE));
	page = page_at(g, pgno);
	pages = rp_page_value_pages(page, needs);
	if (rp_page_u64(page) != pgno || pages == 0 || !inside(g, pgno, pages))
		return rp_distrust(g, table, pgno, "the pages of a value are damaged");
	return 0;
}

/* --- for row.c ---------------------------------------------------------------------------- */

/* LMDB's row of a table changes when the transaction commits. */
static int find_table(struct rp_page_guard *g, enum rp_table table, struct way *w)
{
	struct rp_tree tree;
	MDB_val v;
	int rc = rp_db_table_row(g->db, g->txn, table, &v);

	if (rc != 0 && rc != MDB_NOTFOUND)
		return rc;
	if (rc != 0 || v.mv_size != RP_TREE_BYTES)
		return rp_distrust(g, table, 0, "its row in the list of tables is damaged");
	tree = rp_page_tree(v.mv_data);
	if (!rp_way_begin(&w->to, &tree, g->page_bytes))
		return rp_distrust(g, table, tree.root,
				   "it is the root of a tree of an impossible depth");
	w->known = true;
	w->found = w->found_last = false;
	return 0;
}

static bool is_found(struct way *w, const MDB_val *key)
{
	if (key == NULL)
		return w->found_last;
	return w->found &&
	       rp_bounds_hold(&rp_way_leaf(&w->to)->bounds, key->mv_data, key->mv_size, false);
}

int rp_page_guard(struct rp_page_guard *g, enum rp_table table, const MDB_val *key,
		  enum rp_page_guard_for what_for)
{
	struct way *w;
	int rc = 0;

	if (g == NULL)
		return 0;
	if (g->broken)
		return RP_DISTRUSTED;
	w = &g->way[table];
	if (!w->known)
		rc = find_table(g, table, w);
	if (rc != 0 || w->to.depth == 0)
		return rc;
	if (!is_found(w, key))
		rc = go_to(g, table, w, key);
	if (rc == 0 && what_for == RP_PAGE_GUARD_REMOVE &&
	    !rp_page_bit(g->around, rp_way_leaf(&w->to)->pgno))
		rc = look_around(g, table, w);
	if (rc == 0 && what_for != RP_PAGE_GUARD_FIND && key != NULL &&
	    rp_table_has_large_values(table))
		rc = look_at_value(g, table, w, key);
	return rc;
}

int rp_page_guard_found(struct rp_page_guard *g, enum rp_table table, const MDB_val *key)
{
	uintptr_t offset;

	if (g == NULL)
		return 0;
	/* In the map, or in memory where it is being changed, and was looked at. */
	offset = (uintptr_t)key->mv_data - (uintptr_t)g->map;
	if (offset < g->map_bytes &&
	    rp_page_u64(page_at(g, offset / g->page_bytes)) != offset / g->page_bytes)
		return rp_distrust(g, table, offset / g->page_bytes, rp_read_text(RP_READ_OTHER));
	return rp_page_guard(g, table, key, RP_PAGE_GUARD_FIND);
}

uint64_t rp_page_guard_leaf(const struct rp_page_guard *g, enum rp_table table)
{
	const struct way *w;

	if (g == NULL)
		return 0;
	w = &g->way[table];
	return w->known && w->to.depth > 0 ? w->to.stop[w->to.depth - 1].pgno : 0;
}
