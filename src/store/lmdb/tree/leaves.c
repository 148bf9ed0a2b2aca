/* leaves.c - walks rows in order by read(2) instead of through the map. It is for those who look
 * at many rows: page faults would cost five times as much. */

#include "store/lmdb/tree/page.h"
#include "store/lmdb/store_int.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"

/* Through the map, each page that a walk comes to costs a page fault, and is this process's memory
 * from then on: of a walk over a million rows that was two thirds of the time. read(2) copies a
 * page at a fifth of that. For the format of the pages see page.h.
 *
 * The transaction is what makes it safe: while it lives, no writer touches a page of its
 * snapshot. */

static enum rp_err bad(const struct rp_leaves *l, uint64_t pgno, const char *what,
		       struct rp_error *err)
{
	return rp_fail(err, RP_ERR_DAMAGED,
		       "%s: data.mdb: table %s, page %" PRIu64 ": %s; see `runpostctl verify`",
		       l->ob->dir, rp_table_name(l->table), pgno, what);
}

static enum rp_err read_pages(struct rp_leaves *l, uint64_t pgno, uint64_t n, unsigned char *out,
			      struct rp_error *err)
{
	size_t bytes = (size_t)n * l->page_bytes, got = 0;

	if (pgno < 2 || pgno > l->last || n > l->last - pgno + 1)
		return bad(l, pgno, "it is outside of the file", err);
	while (got < bytes) {
		ssize_t k =
		    pread(l->fd, out + got, bytes - got, (off_t)(pgno * l->page_bytes + got));

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return rp_fail_sys(err, RP_ERR_IO, errno, "%s/data.mdb: read", l->ob->dir);
		if (k == 0)
			return bad(l, pgno, "the file ends before it", err);
		got += (size_t)k;
	}
	return rp_page_u64(out) == pgno ? RP_OK
					: bad(l, pgno, "it says that it is another page", err);
}

static bool is_leaf(const struct rp_leaves *l, unsigned depth)
{
	return depth + 1 == l->depth;
}

static inline enum rp_err node_at(const struct rp_leaves *l, unsigned depth, unsigned i,
				  struct rp_node *out, struct rp_error *err)
{
	const struct rp_level *level = &l->level[depth];
	const char *wrong = rp_page_node(level->page, l->page_bytes, i, is_leaf(l, depth), out);
	char what[60];

	if (wrong == NULL)
		return RP_OK;
	*out = (struct rp_node){0};
	snprintf(what, sizeof what, "row %u %s", i, wrong);
	return bad(l, level->pgno, what, err);
}

/* Of a leaf: the first row whose key is not below `key`. Of a branch: the child below which that
 * would be; its first key stands for all below. */
static enum rp_err search(struct rp_leaves *l, unsigned depth, const MDB_val *key,
			  struct rp_error *err)
{
	struct rp_level *level = &l->level[depth];
	unsigned low = is_leaf(l, depth) ? 0 : 1, high = level->n;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;
		struct rp_node node;
		enum rp_err e = node_at(l, depth, middle, &node, err);
		int order;

		if (e != RP_OK)
			return e;
		order = rp_page_key_order(node.key, node.key_bytes, key->mv_data, key->mv_size);
		if (order < 0 || (order == 0 && !is_leaf(l, depth)))
			low = middle + 1;
		else
			high = middle;
	}
	level->at = is_leaf(l, depth) ? low : low - 1;
	return RP_OK;
}

/* From this level down to the leaf; key NULL: to the first row there. Pages that are at hand
 * already are not read again. */
static enum rp_err descend(struct rp_leaves *l, unsigned depth, const MDB_val *key,
			   struct rp_error *err)
{
	enum rp_err e = RP_OK;

	for (; depth < l->depth && e == RP_OK; depth++) {
		struct rp_level *level = &l->level[depth];
		uint64_t pgno = l->root;
		const char *wrong;
		struct rp_node node;

		if (depth > 0) {
			e = node_at(l, depth - 1, l->level[depth - 1].at, &node, err);
			if (e != RP_OK)
				return e;
			pgno = node.child;
		}
		if (level->pgno != pgno) {
			level->pgno = 0;
			e = read_pages(l, pgno, 1, level->page, err);
			if (e != RP_OK)
				return e;
			wrong = rp_page_check(level->page, l->page_bytes,
					      is_leaf(l, depth) ? RP_PAGE_LEAF : RP_PAGE_BRANCH,
					      &level->n);
			if (wrong != NULL)
				return bad(l, pgno, wrong, err);
			level->pgno = pgno;
		}
		level->at = 0;
		if (key != NULL)
			e = search(l, depth, key, err);
	}
	return e;
}

/* RP_ERR_NOTFOUND: that was the last one. */
static enum rp_err next_leaf(struct rp_leaves *l, struct rp_error *err)
{
	unsigned depth = l->depth - 1;

	while (depth > 0 && l->level[depth - 1].at + 1 >= l->level[depth - 1].n)
		depth--;
	if (depth == 0)
		return RP_ERR_NOTFOUND;
	l->level[depth - 1].at++;
	return descend(l, depth, NULL, err);
}

/* The value of a node that has pages of its own. */
static enum rp_err read_overflow(struct rp_leaves *l, uint64_t pgno, size_t bytes, MDB_val *v,
				 struct rp_error *err)
{
	uint64_t n = rp_page_overflows(l->page_bytes, bytes);
	unsigned char *more;
	enum rp_err e;

	if (n > l->last)
		return bad(l, pgno, "it holds a value larger than the file", err);
	if (n * l->page_bytes > l->big_bytes) {
		more = realloc(l->big, (size_t)n * l->page_bytes);
		if (more == NULL)
			return rp_fail(err, RP_ERR_NOMEM, "out of memory");
		l->big = more;
		l->big_bytes = (size_t)n * l->page_bytes;
	}
	e = read_pages(l, pgno, n, l->big, err);
	if (e == RP_OK && rp_page_kind(l->big) != RP_PAGE_OVERFLOW)
		return bad(l, pgno, "it is not the kind of page that belongs there", err);
	*v = (MDB_val){bytes, l->big + RP_PAGE_HEADER};
	return e;
}

/* What stands in `key`, or in the page that is about to go. */
static void keep_key(struct rp_leaves *l, const void *key, size_t n)
{
	if (n > 0 && key != l->kept)
		memcpy(l->kept, key, n);
	l->key = l->kept;
	l->key_bytes = n;
}

enum rp_err rp_leaves_begin(struct rp_leaves *l, struct rp_txn *t, enum rp_table table,
			    struct rp_error *err)
{
	MDB_val v;
	MDB_envinfo info;
	struct rp_tree tree;
	unsigned i;
	int rc;

	memset(l, 0, sizeof *l);
	l->ob = t->ob;
	l->table = table;
	rc = rp_db_table_row(t->ob, t->mdb, table, &v); /* as old as the transaction */
	if (rc == 0)
		rc = mdb_env_get_fd(t->ob->env, &l->fd);
	if (rc == 0)
		rc = mdb_env_info(t->ob->env, &info);
	if (rc != 0)
		return rp_db_fail(t->ob, rc, "read a table", err);
	l->page_bytes = t->ob->page_bytes;
	l->last = info.me_last_pgno;
	if (v.mv_size != RP_TREE_BYTES)
		return bad(l, 0, "it is described by a damaged row", err);
	tree = rp_page_tree(v.mv_data);
	l->root = tree.root;
	if (l->root == RP_PAGE_NO_ROOT)
		return RP_OK;
	l->depth = tree.depth;
	if (l->depth == 0 || l->depth > RP_TREE_DEPTH_MAX) {
		l->depth = 0;
		return bad(l, l->root, "it is the root of a tree of an impossible depth", err);
	}
	l->pages = malloc(l->depth * l->page_bytes);
	if (l->pages == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	for (i = 0; i < l->depth; i++)
		l->level[i].page = l->pages + i * l->page_bytes;
	return rp_leaves_seek(l, &(MDB_val){0, NULL}, false, err);
}

void rp_leaves_end(struct rp_leaves *l)
{
	free(l->pages);
	free(l->big);
	memset(l, 0, sizeof *l);
}

/* Whether the key has its place inside the leaf that is at hand: what is asked for is often near
 * what was asked for last. */
static bool is_here(const struct rp_leaves *l, const MDB_val *key)
{
	const struct rp_level *leaf = &l->level[l->depth - 1];
	struct rp_node first, last;

	return leaf->pgno != 0 && node_at(l, l->depth - 1, 0, &first, NULL) == RP_OK &&
	       node_at(l, l->depth - 1, leaf->n - 1, &last, NULL) == RP_OK &&
	       rp_page_key_order(first.key, first.key_bytes, key->mv_data, key->mv_size) <= 0 &&
	       rp_page_key_order(last.key, last.key_bytes, key->mv_data, key->mv_size) >= 0;
}

enum rp_err rp_leaves_seek(struct rp_leaves *l, const MDB_val *key, bool behind,
			   struct rp_error *err)
{
	struct rp_level *leaf;
	struct rp_node node;
	MDB_val place;
	enum rp_err e;

	assert(key->mv_size <= RP_NODE_KEY_MAX);
	if (l->depth == 0)
		return RP_OK;
	keep_key(l, key->mv_data, key->mv_size);
	l->met = behind;
	place = (MDB_val){l->key_bytes, l->kept};
	if (place.mv_size > 0 && is_here(l, &place))
		e = search(l, l->depth - 1, &place, err);
	else
		e = descend(l, 0, place.mv_size > 0 ? &place : NULL, err);
	leaf = &l->level[l->depth - 1];
	if (e != RP_OK || !behind || leaf->at == leaf->n)
		return e;
	e = node_at(l, l->depth - 1, leaf->at, &node, err);
	leaf->at +=
	    e == RP_OK && rp_page_key_order(node.key, node.key_bytes, l->key, l->key_bytes) == 0;
	return e;
}

enum rp_err rp_leaves_next(struct rp_leaves *l, MDB_val *k, MDB_val *v, struct rp_error *err)
{
	struct rp_level *leaf;
	struct rp_node node;
	enum rp_err e;
	int order;

	if (l->depth == 0)
		return RP_ERR_NOTFOUND;
	leaf = &l->level[l->depth - 1];
	while (leaf->at >= leaf->n) {
		keep_key(l, l->key, l->key_bytes);
		e = next_leaf(l, err);
		if (e != RP_OK)
			return e;
	}
	e = node_at(l, l->depth - 1, leaf->at, &node, err);
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
		   ? read_overflow(l, rp_page_u64(node.data), node.data_bytes, v, err)
		   : RP_OK;
}

/* Whether the next row in the leaf that is at hand has this key: whoever asks for keys in their
 * order need not search. */
static bool is_next(const struct rp_leaves *l, const struct rp_key *key)
{
	const struct rp_level *leaf = &l->level[l->depth > 0 ? l->depth - 1 : 0];
	struct rp_node node;

	return l->depth > 0 && leaf->pgno != 0 && leaf->at < leaf->n &&
	       node_at(l, l->depth - 1, leaf->at, &node, NULL) == RP_OK &&
	       rp_page_key_order(node.key, node.key_bytes, key->bytes, key->len) == 0;
}

enum rp_err rp_leaves_get(struct rp_leaves *l, struct rp_key key, MDB_val *v, struct rp_error *err)
{
	enum rp_err e = RP_OK;
	MDB_val k;

	if (!is_next(l, &key))
		e = rp_leaves_seek(l, &(MDB_val){key.len, key.bytes}, false, err);

	if (e == RP_OK)
		e = rp_leaves_next(l, &k, v, err);
	if (e == RP_OK && rp_page_key_order(k.mv_data, k.mv_size, key.bytes, key.len) != 0)
		e = RP_ERR_NOTFOUND;
	return e;
}
