#include "store/page.h"
#include "store/pages_int.h"
#include "store/store_int.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"

/* One table, as it was when the transaction began. */
struct way {
	bool known;
	unsigned depth; /* 0: it is empty */
	uint64_t root;
	bool found_last;
	uint64_t leaf;         /* the one that was found last, 0: none, */
	bool around;           /* ... with those beside it */
	struct rp_bounds keys; /* ... and which keys belong to it */
};

struct rp_trust {
	bool knows_pages;
	bool broken; /* this transaction met a page that is not sound */
	const unsigned char *map;
	uint64_t last;
	/* A bit for each page: this process has looked at it; and, of leaves: in this transaction, at those beside it too. */
	unsigned char *sound, *around;
	uint64_t bits_bytes;
	uint64_t *around_list; /* those with that bit set, so that the next transaction finds the bits cleared */
	size_t n_around, cap_around;
	struct way way[RP_T_COUNT];
};

/* How many pages to each side LMDB may come to when a page has grown too empty: it takes rows from its neighbour, and when it
 * was joined with a nearly empty one, from the next. */
#define NEIGHBOURS 2

static int distrust(struct rp_txn *t, enum rp_table table, uint64_t pgno, const char *what)
{
	if (!t->ob->trust->broken)
		rp_log(RP_LOG_ERROR, "damage", "what=page table=%s page=%" PRIu64 " why=\"%s\"", rp_table_name(table),
		       pgno, what);
	t->ob->trust->broken = true;
	return MDB_CORRUPTED;
}

static bool inside(const struct rp_trust *tr, uint64_t pgno, uint64_t n)
{
	return pgno >= 2 && pgno <= tr->last && n <= tr->last - pgno + 1;
}

static const unsigned char *page_at(const struct rp_trust *tr, uint64_t pgno)
{
	return tr->map + pgno * RP_PAGE_BYTES;
}

/* --- one page -------------------------------------------------------------------------------------------------------- */

/* Values that have pages of their own: LMDB frees as many as their first says. NULL, or what is wrong. */
static const char *values_wrong(const struct rp_trust *tr, const unsigned char *page, unsigned n)
{
	const unsigned char *value;
	struct rp_node node;
	uint64_t pgno, pages;
	uint32_t says;
	unsigned i;

	for (i = 0; i < n; i++) {
		node = rp_page_sound_node(page, i, true);
		if ((node.flags & RP_NODE_SUBDATA) != 0)
			return "a row is of a kind that is not used";
		if ((node.flags & RP_NODE_BIGDATA) == 0)
			continue;
		pgno = rp_page_u64(node.data);
		pages = rp_page_overflows(RP_PAGE_BYTES, node.data_bytes);
		if (!inside(tr, pgno, pages))
			return "a value is outside of the file";
		value = page_at(tr, pgno);
		memcpy(&says, value + 12, sizeof says);
		if (rp_page_u64(value) != pgno || rp_page_kind(value) != RP_PAGE_OVERFLOW || says != pages)
			return "the pages of a value are damaged";
	}
	return NULL;
}

static const char *page_wrong(const struct rp_trust *tr, uint64_t pgno, bool leaf, const struct rp_bounds *b)
{
	const unsigned char *page = page_at(tr, pgno);
	const char *wrong;
	unsigned n, row;

	if (rp_page_u64(page) != pgno)
		return "it says that it is another page";
	wrong = rp_page_check(page, RP_PAGE_BYTES, leaf ? RP_PAGE_LEAF : RP_PAGE_BRANCH, &n);
	if (wrong == NULL && n == 1 && !leaf)
		wrong = "it leads to one page only";
	if (wrong != NULL)
		return wrong;
	if (rp_page_rows(page, leaf, false, b, &row) != NULL)
		return "a row is damaged or out of order";
	return leaf ? values_wrong(tr, page, n) : NULL;
}

/* A sound page may still be in the wrong place: a damaged branch leads to it. */
static bool belongs(const unsigned char *page, bool leaf, const struct rp_bounds *b)
{
	struct rp_node first = rp_page_sound_node(page, leaf ? 0 : 1, leaf);
	struct rp_node last = rp_page_sound_node(page, rp_page_count(page) - 1, leaf);

	return rp_bounds_hold(b, first.key, first.key_bytes, false) &&
	       rp_bounds_hold(b, last.key, last.key_bytes, false);
}

/* 0: it is sound, and where it belongs. */
static int look(struct rp_txn *t, enum rp_table table, uint64_t pgno, bool leaf, const struct rp_bounds *b)
{
	struct rp_trust *tr = t->ob->trust;
	const char *wrong = NULL;

	if (!inside(tr, pgno, 1))
		return distrust(t, table, pgno, "it is outside of the file");
	if (!rp_page_bit(tr->sound, pgno))
		wrong = page_wrong(tr, pgno, leaf, b);
	else if (!belongs(page_at(tr, pgno), leaf, b))
		wrong = "it is not the page that belongs there";
	if (wrong != NULL)
		return distrust(t, table, pgno, wrong);
	rp_page_set_bit(tr->sound, pgno);
	return 0;
}

/* --- the way to a row ------------------------------------------------------------------------------------------------ */

/* The child below which the key belongs; NULL: the last. */
static unsigned choose(const unsigned char *page, const MDB_val *key)
{
	unsigned low = 1, high = rp_page_count(page);
	struct rp_node node;

	while (key != NULL && low < high) {
		unsigned middle = low + (high - low) / 2;

		node = rp_page_sound_node(page, middle, false);
		if (rp_page_key_order(node.key, node.key_bytes, key->mv_data, key->mv_size) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return (key != NULL ? low : high) - 1;
}

static int go_to(struct rp_txn *t, enum rp_table table, struct way *w, const MDB_val *key)
{
	struct rp_bounds b = {0}, part;
	unsigned depth = w->depth;
	uint64_t pgno = w->root;
	int rc = look(t, table, pgno, depth == 1, &b);

	for (; rc == 0 && depth > 1; depth--, b = part) {
		const unsigned char *page = page_at(t->ob->trust, pgno);

		pgno = rp_page_child(page, choose(page, key), &b, &part);
		rc = look(t, table, pgno, depth == 2, &part);
	}
	w->leaf = rc == 0 ? pgno : 0;
	w->around = rc == 0 && rp_page_bit(t->ob->trust->around, pgno);
	w->keys = b;
	return rc;
}

/* A page and the first one on each level below it. */
static int look_down(struct rp_txn *t, enum rp_table table, uint64_t pgno, unsigned depth, const struct rp_bounds *at)
{
	int rc = look(t, table, pgno, depth == 1, at);
	struct rp_bounds b = *at, part;

	for (; rc == 0 && depth > 1; depth--, b = part) {
		pgno = rp_page_child(page_at(t->ob->trust, pgno), 0, &b, &part);
		rc = look(t, table, pgno, depth == 2, &part);
	}
	return rc;
}

static int look_beside(struct rp_txn *t, enum rp_table table, const unsigned char *page, unsigned at, unsigned depth,
		       const struct rp_bounds *b)
{
	unsigned i = at > NEIGHBOURS ? at - NEIGHBOURS : 0, n = rp_page_count(page);
	struct rp_bounds part;
	uint64_t pgno;
	int rc = 0;

	for (; rc == 0 && i < n && i <= at + NEIGHBOURS; i++) {
		pgno = rp_page_child(page, i, b, &part);
		rc = look_down(t, table, pgno, depth, &part);
	}
	return rc;
}

static void note_around(struct rp_trust *tr, struct way *w)
{
	uint64_t *more;

	w->around = true;
	if (tr->n_around == tr->cap_around) {
		more = realloc(tr->around_list, (2 * tr->cap_around + 64) * sizeof *more);
		if (more == NULL)
			return; /* it is looked at again then */
		tr->around_list = more;
		tr->cap_around = 2 * tr->cap_around + 64;
	}
	tr->around_list[tr->n_around++] = w->leaf;
	rp_page_set_bit(tr->around, w->leaf);
}

/* Beside the way to the leaf that was found for the key, on each level. */
static int look_around(struct rp_txn *t, enum rp_table table, struct way *w, const MDB_val *key)
{
	struct rp_bounds b = {0}, part;
	unsigned depth = w->depth, at;
	uint64_t pgno = w->root;
	int rc = 0;

	for (; rc == 0 && depth > 1; depth--, b = part) {
		const unsigned char *page = page_at(t->ob->trust, pgno);

		at = choose(page, key);
		rc = look_beside(t, table, page, at, depth - 1, &b);
		pgno = rp_page_child(page, at, &b, &part);
	}
	if (rc == 0)
		note_around(t->ob->trust, w);
	return rc;
}

/* LMDB's row of a table changes when the transaction commits. */
static int find_table(struct rp_txn *t, enum rp_table table, struct way *w)
{
	const char *name = rp_table_name(table);
	MDB_val key = {strlen(name), (void *)(uintptr_t)name}, v;
	struct rp_tree tree;
	MDB_dbi all;
	int rc = mdb_dbi_open(t->mdb, NULL, 0, &all);

	if (rc == 0)
		rc = mdb_get(t->mdb, all, &key, &v);
	if (rc != 0)
		return rc;
	if (v.mv_size != RP_TREE_BYTES)
		return distrust(t, table, 0, "its row in the list of tables is damaged");
	tree = rp_page_tree(v.mv_data);
	if (tree.root != RP_PAGE_NO_ROOT && (tree.depth == 0 || tree.depth > RP_LEAVES_DEPTH_MAX))
		return distrust(t, table, tree.root, "it is the root of a tree of an impossible depth");
	*w = (struct way){.known = true, .root = tree.root, .depth = tree.root == RP_PAGE_NO_ROOT ? 0 : tree.depth};
	return 0;
}

int rp_trust(struct rp_txn *t, enum rp_table table, const MDB_val *key)
{
	struct rp_trust *tr = t->ob->trust;
	struct way *w;
	int rc = 0;

	if (!t->writes || !tr->knows_pages)
		return 0;
	if (tr->broken)
		return MDB_CORRUPTED;
	w = &tr->way[table];
	if (!w->known)
		rc = find_table(t, table, w);
	if (rc != 0 || w->depth == 0)
		return rc;
	if (key == NULL ? w->found_last : w->leaf != 0 && rp_bounds_hold(&w->keys, key->mv_data, key->mv_size, false))
		return 0;
	rc = go_to(t, table, w, key);
	w->found_last = w->found_last || (rc == 0 && key == NULL);
	return rc;
}

int rp_trust_around(struct rp_txn *t, enum rp_table table, const MDB_val *key)
{
	struct way *w = &t->ob->trust->way[table];
	int rc = rp_trust(t, table, key);

	return rc == 0 && w->depth > 0 && !w->around ? look_around(t, table, w, key) : rc;
}

/* --- beginning and end ----------------------------------------------------------------------------------------------- */

enum rp_err rp_trust_prepare(struct rp_outbox *ob, struct rp_error *err)
{
	struct rp_trust *tr;
	enum rp_err e;

	if (ob->trust != NULL)
		return RP_OK;
	if (rp_pages_known(ob)) {
		e = rp_pages_check_lists(ob, err);
		if (e != RP_OK)
			return e;
	}
	tr = calloc(1, sizeof *tr);
	if (tr == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	tr->knows_pages = rp_pages_known(ob);
	ob->trust = tr;
	return RP_OK;
}

static bool grow_bits(unsigned char **bits, uint64_t had, uint64_t bytes)
{
	unsigned char *more = realloc(*bits, bytes);

	if (more == NULL)
		return false;
	memset(more + had, 0, bytes - had);
	*bits = more;
	return true;
}

static bool grow(struct rp_trust *tr)
{
	uint64_t bytes = tr->last / 8 + 1;

	if (bytes <= tr->bits_bytes)
		return true;
	bytes += bytes / 2;
	if (!grow_bits(&tr->sound, tr->bits_bytes, bytes) || !grow_bits(&tr->around, tr->bits_bytes, bytes))
		return false;
	tr->bits_bytes = bytes;
	return true;
}

static void forget(struct rp_trust *tr)
{
	size_t i;

	tr->broken = false;
	memset(tr->way, 0, sizeof tr->way);
	for (i = 0; i < tr->n_around; i++)
		rp_page_clear_bit(tr->around, tr->around_list[i]);
	tr->n_around = 0;
}

enum rp_err rp_trust_begin(struct rp_txn *t, struct rp_error *err)
{
	const char *name = rp_table_name(RP_T_META);
	MDB_val key = {strlen(name), (void *)(uintptr_t)name}, v;
	struct rp_trust *tr = t->ob->trust;
	MDB_envinfo info;
	uintptr_t page;
	MDB_dbi all;
	int rc;

	forget(tr);
	if (!tr->knows_pages)
		return RP_OK;
	rc = mdb_env_info(t->ob->env, &info);
	if (rc == 0)
		rc = mdb_dbi_open(t->mdb, NULL, 0, &all);
	if (rc == 0)
		rc = mdb_get(t->mdb, all, &key, &v);
	if (rc != 0)
		return rp_db_fail(t->ob, rc, "list of tables", err);
	/* Nothing is written yet, so the row lies in the map, on a page that knows its number. */
	page = (uintptr_t)v.mv_data & ~(uintptr_t)(RP_PAGE_BYTES - 1);
	tr->map = (const unsigned char *)page - rp_page_u64((const unsigned char *)page) * RP_PAGE_BYTES;
	tr->last = info.me_last_pgno;
	return grow(tr) ? RP_OK : rp_fail(err, RP_ERR_NOMEM, "out of memory");
}

void rp_trust_free(struct rp_outbox *ob)
{
	struct rp_trust *tr = ob->trust;

	if (tr == NULL)
		return;
	free(tr->sound);
	free(tr->around);
	free(tr->around_list);
	free(tr);
	ob->trust = NULL;
}
