/* rows.c - walks rows in order by read(2) instead of through the map. It is for those who look
 * at many rows: page faults would cost five times as much. */

#include "store/lmdb/tree/rows.h"

#include <errno.h>
#include <inttypes.h>

#include "base/assert.h"

/* Through the map, each page that a walk comes to costs a page fault, and is this process's memory
 * from then on: of a walk over a million rows that was two thirds of the time. read(2) copies a
 * page at a fifth of that. For the format of the pages see page.h.
 *
 * The transaction is what makes it safe: while it lives, no writer touches a page of its
 * snapshot. */

static enum rp_err bad(const struct rp_tree_rows *l, uint64_t pgno, const char *what,
		       struct rp_error *err)
{
	return rp_fail(err, RP_ERR_DAMAGED,
		       "%s: data.mdb: table %s, page %" PRIu64 ": %s; see `runpostctl verify`",
		       l->db->dir, rp_table_name(l->table), pgno, what);
}

/* What was read, or why not. */
static enum rp_err got(const struct rp_tree_rows *l, uint64_t pgno, enum rp_read r,
		       struct rp_error *err)
{
	if (r == RP_READ_OK)
		return RP_OK;
	if (r != RP_READ_FAILED)
		return bad(l, pgno, rp_read_text(r), err);
	if (l->file.sys == ENOMEM)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	return rp_fail_sys(err, RP_ERR_IO, l->file.sys, "%s/data.mdb: read", l->db->dir);
}

/* --- the guide of the way (cursor.h) ------------------------------------------------------ */

struct visit {
	struct rp_tree_rows *l;
	struct rp_error *err;
};

static int bad_page(void *arg, uint64_t pgno, const char *what)
{
	const struct visit *v = arg;

	return (int)bad(v->l, pgno, what, v->err);
}

/* Pages that are at hand already are not read again. */
static int bring(void *arg, struct rp_way *w, unsigned i, uint64_t pgno)
{
	const struct visit *v = arg;
	struct rp_datafile *f = &v->l->file;
	unsigned char *page = f->pages + i * f->page_bytes;
	struct rp_stop *s = &w->stop[i];
	const char *wrong;
	enum rp_err e;

	if (rp_way_is_at(w, i, pgno))
		return RP_OK;
	s->pgno = 0;
	e = got(v->l, pgno, rp_datafile_read(f, pgno, 1, page), v->err);
	if (e != RP_OK)
		return (int)e;
	wrong = rp_page_check(page, f->page_bytes,
			      rp_way_is_leaf(w, i) ? RP_PAGE_LEAF : RP_PAGE_BRANCH, &s->n);
	if (wrong != NULL)
		return bad_page(arg, pgno, wrong);
	s->page = page;
	s->pgno = pgno;
	return RP_OK;
}

/* For the time of one call. */
#define GUIDE(l, err) (&(const struct rp_guide){bring, bad_page, &(struct visit){l, err}})

/* --- rows --------------------------------------------------------------------------------- */

static inline enum rp_err row_at(struct rp_tree_rows *l, unsigned row, struct rp_node *out,
				 struct rp_error *err)
{
	const struct rp_stop *leaf = rp_way_leaf(&l->way);
	const char *wrong = rp_page_node(leaf->page, l->way.page_bytes, row, true, out);

	if (wrong == NULL)
		return RP_OK;
	*out = (struct rp_node){0};
	return (enum rp_err)rp_way_bad_node(leaf, GUIDE(l, err), row, wrong);
}

static enum rp_err next_leaf(struct rp_tree_rows *l, struct rp_error *err)
{
	bool there;
	enum rp_err e =
	    (enum rp_err)rp_way_beside(&l->way, GUIDE(l, err), l->way.depth - 1, 1, &there);

	return there ? e : RP_ERR_NOTFOUND;
}

/* The value of a node that has pages of its own. */
static enum rp_err read_value(struct rp_tree_rows *l, uint64_t pgno, size_t bytes, MDB_val *v,
			      struct rp_error *err)
{
	uint64_t n;
	enum rp_err e = got(l, pgno, rp_datafile_value(&l->file, pgno, bytes, &n), err);

	if (e != RP_OK)
		return e;
	if (rp_page_kind(l->file.big) != RP_PAGE_OVERFLOW)
		return bad(l, pgno, "it is not the kind of page that belongs there", err);
	*v = (MDB_val){bytes, l->file.big + RP_PAGE_HEADER};
	return RP_OK;
}

/* What stands in `key`, or in the page that is about to go. */
static void keep_key(struct rp_tree_rows *l, const void *key, size_t n)
{
	if (n > 0 && key != l->kept)
		memcpy(l->kept, key, n);
	l->key = l->kept;
	l->key_bytes = n;
}

enum rp_err rp_tree_rows_begin(struct rp_tree_rows *l, const struct rp_db *db, MDB_txn *txn,
			       enum rp_table table, struct rp_error *err)
{
	MDB_val v;
	MDB_envinfo info;
	struct rp_tree tree;
	int rc;

	memset(l, 0, sizeof *l);
	l->db = db;
	l->table = table;
	rc = rp_db_table_row(db, txn, table, &v); /* as old as the transaction */
	if (rc == 0)
		rc = mdb_env_get_fd(db->env, &l->file.fd);
	if (rc == 0)
		rc = mdb_env_info(db->env, &info);
	if (rc != 0)
		return rp_db_fail(db, rc, "read a table", err);
	l->file.page_bytes = db->page_bytes;
	l->file.last = info.me_last_pgno;
	if (v.mv_size != RP_TREE_BYTES)
		return bad(l, 0, "it is described by a damaged row", err);
	tree = rp_page_tree(v.mv_data);
	if (!rp_way_begin(&l->way, &tree, db->page_bytes))
		return bad(l, tree.root, "it is the root of a tree of an impossible depth", err);
	if (l->way.depth > 0 && !rp_datafile_room(&l->file, l->way.depth))
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	return rp_tree_rows_seek(l, &(MDB_val){0, NULL}, false, err);
}

void rp_tree_rows_end(struct rp_tree_rows *l)
{
	rp_datafile_release(&l->file);
	memset(l, 0, sizeof *l);
}

/* Whether the key has its place inside the leaf that is at hand: what is asked for is often near
 * what was asked for last. */
static bool is_here(struct rp_tree_rows *l, const MDB_val *key)
{
	const struct rp_stop *leaf = rp_way_leaf(&l->way);
	struct rp_node first, last;

	return leaf->pgno != 0 && row_at(l, 0, &first, NULL) == RP_OK &&
	       row_at(l, leaf->n - 1, &last, NULL) == RP_OK &&
	       rp_page_key_order(first.key, first.key_bytes, key->mv_data, key->mv_size) <= 0 &&
	       rp_page_key_order(last.key, last.key_bytes, key->mv_data, key->mv_size) >= 0;
}

enum rp_err rp_tree_rows_seek(struct rp_tree_rows *l, const MDB_val *key, bool behind,
			      struct rp_error *err)
{
	struct rp_aim aim = {.key = key->mv_size > 0 ? l->kept : NULL, .key_bytes = key->mv_size};
	struct rp_stop *leaf;
	struct rp_node node;
	enum rp_err e = RP_OK;

	assert(key->mv_size <= RP_NODE_KEY_MAX);
	if (l->way.depth == 0)
		return RP_OK;
	keep_key(l, key->mv_data, key->mv_size);
	l->met = behind;
	leaf = rp_way_leaf(&l->way);
	if (aim.key == NULL || !is_here(l, &(MDB_val){aim.key_bytes, l->kept}))
		e = (enum rp_err)rp_way_down(&l->way, GUIDE(l, err), 0, aim);
	if (e == RP_OK && aim.key != NULL)
		e = (enum rp_err)rp_way_search(&l->way, GUIDE(l, err), l->way.depth - 1, aim.key,
					       aim.key_bytes);
	if (e != RP_OK || !behind || leaf->at == leaf->n)
		return e;
	e = row_at(l, leaf->at, &node, err);
	leaf->at +=
	    e == RP_OK && rp_page_key_order(node.key, node.key_bytes, l->key, l->key_bytes) == 0;
	return e;
}

enum rp_err rp_tree_rows_next(struct rp_tree_rows *l, MDB_val *k, MDB_val *v, struct rp_error *err)
{
	struct rp_stop *leaf;
	struct rp_node node;
	enum rp_err e;
	int order;

	if (l->way.depth == 0)
		return RP_ERR_NOTFOUND;
	leaf = rp_way_leaf(&l->way);
	while (leaf->at >= leaf->n) {
		keep_key(l, l->key, l->key_bytes);
		e = next_leaf(l, err);
		if (e != RP_OK)
			return e;
	}
	e = row_at(l, leaf->at, &node, err);
	if (e != RP_OK)
		return e;
	/* or whoever goes on behind a row could come to it again and again */
	order = rp_page_key_order(node.key, node.key_bytes, l->key, l->key_bytes);
	if (order < 0 || (order == 0 && l->met))
		return bad(l, leaf->pgno, "its rows are out of order", err);
	leaf->at++;
	l->key = node.key;
	l->key_bytes = node.key_bytes;
	l->met = true;
	*k = (MDB_val){node.key_bytes, (void *)(uintptr_t)node.key};
	*v = (MDB_val){node.data_bytes, (void *)(uintptr_t)node.data};
	return (node.flags & RP_NODE_BIGDATA) != 0
		   ? read_value(l, rp_page_u64(node.data), node.data_bytes, v, err)
		   : RP_OK;
}

/* Whether the next row in the leaf that is at hand has this key: whoever asks for keys in their
 * order need not search. */
static bool is_next(struct rp_tree_rows *l, const struct rp_key *key)
{
	const struct rp_stop *leaf = &l->way.stop[l->way.depth > 0 ? l->way.depth - 1 : 0];
	struct rp_node node;

	return l->way.depth > 0 && leaf->pgno != 0 && leaf->at < leaf->n &&
	       row_at(l, leaf->at, &node, NULL) == RP_OK &&
	       rp_page_key_order(node.key, node.key_bytes, key->bytes, key->len) == 0;
}

enum rp_err rp_tree_rows_get(struct rp_tree_rows *l, struct rp_key key, MDB_val *v,
			     struct rp_error *err)
{
	enum rp_err e = RP_OK;
	MDB_val k;

	if (!is_next(l, &key))
		e = rp_tree_rows_seek(l, &(MDB_val){key.len, key.bytes}, false, err);
	if (e == RP_OK)
		e = rp_tree_rows_next(l, &k, v, err);
	if (e == RP_OK && rp_page_key_order(k.mv_data, k.mv_size, key.bytes, key.len) != 0)
		e = RP_ERR_NOTFOUND;
	return e;
}
