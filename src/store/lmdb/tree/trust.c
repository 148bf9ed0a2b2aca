/* trust.c - looks at the pages that LMDB is about to change, before it does. LMDB believes what
 * stands on a page, and a damaged one would make it write over memory. */

#include "store/lmdb/tree/trust_int.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"

int rp_distrust(struct rp_txn *t, enum rp_table table, uint64_t pgno, const char *what)
{
	if (!t->ob->trust->broken)
		rp_log(RP_LOG_ERROR, "damage", "what=page table=%s page=%" PRIu64 " why=\"%s\"",
		       rp_table_name(table), pgno, what);
	t->ob->trust->broken = true;
	return RP_DISTRUSTED;
}

/* Whether a value may need pages of its own: LMDB gives them to those of more than some 2,000
 * bytes. */
static bool has_large_values(enum rp_table table)
{
	return table == RP_T_META || table == RP_T_ENTRY || table == RP_T_BODY ||
	       table == RP_T_ENDPOINT_NAME || table == RP_T_JOB || table == RP_T_AUDIT;
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

/* 0: it is sound, and where it belongs. */
static int look(struct rp_txn *t, enum rp_table table, uint64_t pgno, bool leaf,
		const struct rp_bounds *b)
{
	struct rp_trust *tr = t->ob->trust;
	const unsigned char *page;
	const char *wrong;
	unsigned n, row;

	if (!inside(tr, pgno, 1))
		return rp_distrust(t, table, pgno, "it is outside of the file");
	page = page_at(tr, pgno);
	if (rp_page_u64(page) != pgno)
		return rp_distrust(t, table, pgno, "it says that it is another page");
	wrong = rp_page_check(page, tr->page_bytes, leaf ? RP_PAGE_LEAF : RP_PAGE_BRANCH, &n);
	if (wrong == NULL && n == 1 && !leaf)
		wrong = "it leads to one page only";
	if (wrong == NULL && !rp_page_bit(tr->sound, pgno) &&
	    rp_page_rows(page, tr->page_bytes, leaf, false,
			 has_large_values(table) ? RP_NODE_BIGDATA : 0, b, &row) != NULL)
		wrong = "a row is damaged or out of order";
	else if (wrong == NULL && !belongs(page, tr->page_bytes, leaf, b))
		wrong = "it is not the page that belongs there";
	if (wrong != NULL)
		return rp_distrust(t, table, pgno, wrong);
	rp_page_set_bit(tr->sound, pgno);
	return 0;
}

/* --- the way to a row --------------------------------------------------------------------- */

/* Of a leaf: the first row whose key is not below this one. Of a branch: the child below which it
 * belongs. */
static unsigned search(const unsigned char *page, bool leaf, const MDB_val *key)
{
	unsigned low = leaf ? 0 : 1, high = rp_page_count(page);

	while (low < high) {
		unsigned middle = low + (high - low) / 2;
		struct rp_node node = rp_page_sound_node(page, middle, leaf);
		int order = rp_page_key_order(node.key, node.key_bytes, key->mv_data, key->mv_size);

		if (order < 0 || (order == 0 && !leaf))
			low = middle + 1;
		else
			high = middle;
	}
	return leaf ? low : low - 1;
}

static uint64_t leaf_of(const struct way *w)
{
	return w->stop[w->depth - 1].pgno;
}

/* To the page below a stop, which is the next one. */
static int descend(struct rp_txn *t, enum rp_table table, struct stop *stop, bool leaf)
{
	stop[1].pgno = rp_page_child(page_at(t->ob->trust, stop->pgno), stop->at, &stop->bounds,
				     &stop[1].bounds);
	return look(t, table, stop[1].pgno, leaf, &stop[1].bounds);
}

/* key NULL: to the last leaf. */
static int go_to(struct rp_txn *t, enum rp_table table, struct way *w, const MDB_val *key)
{
	const unsigned char *page;
	unsigned i;
	int rc = look(t, table, w->stop[0].pgno, w->depth == 1, &w->stop[0].bounds);

	for (i = 0; rc == 0 && i + 1 < w->depth; i++) {
		page = page_at(t->ob->trust, w->stop[i].pgno);
		w->stop[i].at = key != NULL ? search(page, false, key) : rp_page_count(page) - 1;
		rc = descend(t, table, &w->stop[i], i + 2 == w->depth);
	}
	w->found = rc == 0;
	w->found_last = w->found_last || (rc == 0 && key == NULL);
	return rc;
}

/* --- beside it ---------------------------------------------------------------------------- */

static void note_around(struct rp_trust *tr, uint64_t leaf)
{
	uint64_t *more;

	if (tr->n_around == tr->cap_around) {
		more = realloc(tr->around_list, (2 * tr->cap_around + 64) * sizeof *more);
		if (more == NULL)
			return; /* it is looked at again then */
		tr->around_list = more;
		tr->cap_around = 2 * tr->cap_around + 64;
	}
	tr->around_list[tr->n_around++] = leaf;
	rp_page_set_bit(tr->around, leaf);
}

/* The level above `level` from which a step (-1 or 1) can be taken; -1: there is nothing more on
 * that side. */
static int level_to_step_from(const struct rp_trust *tr, const struct stop *stop, unsigned level,
			      int step)
{
	int i;

	for (i = (int)level - 1; i >= 0; i--)
		if (step < 0 ? stop[i].at > 0
			     : stop[i].at + 1 < rp_page_count(page_at(tr, stop[i].pgno)))
			break;
	return i;
}

/* To the next page of this level on that side, which is below a stop `from`. */
static int step_on(struct rp_txn *t, enum rp_table table, const struct way *w, struct stop *stop,
		   unsigned from, unsigned level, int step)
{
	int rc = 0;

	stop[from].at += (unsigned)step;
	for (; rc == 0 && from < level; from++) {
		rc = descend(t, table, &stop[from], from + 2 == w->depth);
		if (rc == 0)
			stop[from + 1].at =
			    step > 0
				? 0
				: rp_page_count(page_at(t->ob->trust, stop[from + 1].pgno)) - 1;
	}
	return rc;
}

/* The first page on each level below this one, from which LMDB takes the first key of a branch. */
static int look_down(struct rp_txn *t, enum rp_table table, const struct way *w, struct stop *stop,
		     unsigned level)
{
	int rc = 0;

	for (; rc == 0 && level + 1 < w->depth; level++) {
		stop[level].at = 0;
		rc = descend(t, table, &stop[level], level + 2 == w->depth);
	}
	return rc;
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
static int look_beside(struct rp_txn *t, enum rp_table table, const struct way *w, unsigned level,
		       int step)
{
	struct stop stop[RP_TREE_DEPTH_MAX];
	const size_t page_bytes = t->ob->page_bytes;
	size_t bytes = 0;
	unsigned n = 0;
	int from, rc = 0;

	memcpy(stop, w->stop, w->depth * sizeof stop[0]);
	for (; rc == 0 && (n < 2 || bytes < page_bytes - RP_PAGE_HEADER); n++) {
		from = level_to_step_from(t->ob->trust, stop, level, step);
		if (from < 0)
			return 0;
		rc = step_on(t, table, w, stop, (unsigned)from, level, step);
		if (rc != 0)
			return rc;
		bytes += bytes_in(page_at(t->ob->trust, stop[level].pgno), page_bytes);
		rc = look_down(t, table, w, stop, level);
	}
	return rc;
}

static int look_around(struct rp_txn *t, enum rp_table table, const struct way *w)
{
	unsigned level;
	int rc = 0;

	for (level = w->depth - 1; rc == 0 && level > 0; level--) {
		rc = look_beside(t, table, w, level, -1);
		if (rc == 0)
			rc = look_beside(t, table, w, level, 1);
	}
	if (rc == 0)
		note_around(t->ob->trust, leaf_of(w));
	return rc;
}

/* --- its value ---------------------------------------------------------------------------- */

/* The row with this key in the leaf that was found, if there is one. */
static bool find_row(const unsigned char *page, const MDB_val *key, struct rp_node *out)
{
	unsigned i = search(page, true, key);

	if (i == rp_page_count(page))
		return false;
	*out = rp_page_sound_node(page, i, true);
	return rp_page_key_order(out->key, out->key_bytes, key->mv_data, key->mv_size) == 0;
}

/* LMDB frees, or writes anew, as many pages of a value as the first of them says. */
static int look_at_value(struct rp_txn *t, enum rp_table table, const struct way *w,
			 const MDB_val *key)
{
	struct rp_trust *tr = t->ob->trust;
	const unsigned char *page = page_at(tr, leaf_of(w));
	struct rp_node node;
	uint64_t pgno, needs, pages;

	if (!find_row(page, key, &node) || (node.flags & RP_NODE_BIGDATA) == 0)
		return 0;
	pgno = rp_page_u64(node.data);
	needs = rp_page_overflows(tr->page_bytes, node.data_bytes);
	if (!inside(tr, pgno, needs))
		return rp_distrust(t, table, pgno, "it is outside of the file");
	page = page_at(tr, pgno);
	pages = rp_page_value_pages(page, needs);
	if (rp_page_u64(page) != pgno || pages == 0 || !inside(tr, pgno, pages))
		return rp_distrust(t, table, pgno, "the pages of a value are damaged");
	return 0;
}

/* --- for db.c ----------------------------------------------------------------------------- */

/* LMDB's row of a table changes when the transaction commits. */
static int find_table(struct rp_txn *t, enum rp_table table, struct way *w)
{
	struct rp_tree tree;
	MDB_val v;
	int rc = rp_db_table_row(t->ob, t->mdb, table, &v);

	if (rc != 0 && rc != MDB_NOTFOUND)
		return rc;
	if (rc != 0 || v.mv_size != RP_TREE_BYTES)
		return rp_distrust(t, table, 0, "its row in the list of tables is damaged");
	tree = rp_page_tree(v.mv_data);
	if (tree.root != RP_PAGE_NO_ROOT && (tree.depth == 0 || tree.depth > RP_TREE_DEPTH_MAX))
		return rp_distrust(t, table, tree.root,
				   "it is the root of a tree of an impossible depth");
	w->known = true;
	w->found = w->found_last = false;
	w->stop[0] = (struct stop){.pgno = tree.root};
	w->depth = tree.root == RP_PAGE_NO_ROOT ? 0 : tree.depth;
	return 0;
}

static bool is_found(const struct way *w, const MDB_val *key)
{
	if (key == NULL)
		return w->found_last;
	return w->found &&
	       rp_bounds_hold(&w->stop[w->depth - 1].bounds, key->mv_data, key->mv_size, false);
}

int rp_trust(struct rp_txn *t, enum rp_table table, const MDB_val *key, enum rp_trust_for what_for)
{
	struct rp_trust *tr = t->ob->trust;
	struct way *w;
	int rc = 0;

	if (!t->writes)
		return 0;
	if (tr->broken)
		return RP_DISTRUSTED;
	w = &tr->way[table];
	if (!w->known)
		rc = find_table(t, table, w);
	if (rc != 0 || w->depth == 0)
		return rc;
	if (!is_found(w, key))
		rc = go_to(t, table, w, key);
	if (rc == 0 && what_for == RP_TRUST_REMOVE && !rp_page_bit(tr->around, leaf_of(w)))
		rc = look_around(t, table, w);
	if (rc == 0 && what_for != RP_TRUST_FIND && key != NULL && has_large_values(table))
		rc = look_at_value(t, table, w, key);
	return rc;
}

int rp_trust_found(struct rp_txn *t, enum rp_table table, const MDB_val *key)
{
	const struct rp_trust *tr = t->ob->trust;
	uintptr_t offset;

	if (!t->writes)
		return 0;
	/* In the map, or in memory where it is being changed, and was looked at. */
	offset = (uintptr_t)key->mv_data - (uintptr_t)tr->map;
	if (offset < tr->map_bytes &&
	    rp_page_u64(page_at(tr, offset / tr->page_bytes)) != offset / tr->page_bytes)
		return rp_distrust(t, table, offset / tr->page_bytes,
				   "it says that it is another page");
	return rp_trust(t, table, key, RP_TRUST_FIND);
}

uint64_t rp_trust_leaf(const struct rp_txn *t, enum rp_table table)
{
	const struct way *w;

	if (!t->writes)
		return 0;
	w = &t->ob->trust->way[table];
	return w->known && w->depth > 0 ? leaf_of(w) : 0;
}

/* --- beginning and end -------------------------------------------------------------------- */
