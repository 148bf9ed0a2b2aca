/* pages.c - checks all pages of the file: meta pages, free list, list of tables, and each tree.
 * It steers; pages_walk.c goes through one tree. */

#include "store/lmdb/tree/pages_int.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* How LMDB orders a tree's keys, and whether it has several rows with the same. */
#define TREE_FLAGS                                                                                 \
	(MDB_REVERSEKEY | MDB_DUPSORT | MDB_INTEGERKEY | MDB_DUPFIXED | MDB_INTEGERDUP |           \
	 MDB_REVERSEDUP)

struct table {
	char name[32];
	struct rp_tree tree;
};

/* The walk is its first member: what is called back gets that. */
struct check {
	struct rp_walk w;
	struct table tables[RP_T_COUNT];
	size_t n_tables;
};

/* A row of the free list: how many, then their numbers. */
static bool see_free(struct rp_walk *w, uint64_t pgno, const struct rp_node *node)
{
	uint64_t n = node->data_bytes >= 8 ? rp_page_u64(node->data) : 0, i, free;

	if (node->key_bytes != 8 || (node->flags & RP_NODE_SUBDATA) != 0 || node->data_bytes < 8 ||
	    n > node->data_bytes / 8 - 1)
		return rp_walk_bad(w, pgno, "a row of the free list is damaged");
	for (i = 1; i <= n; i++) {
		free = rp_page_u64(node->data + 8 * i);
		/* LMDB merges them as they are */
		if (i > 1 && free >= rp_page_u64(node->data + 8 * i - 8))
			return rp_walk_bad(w, pgno, "a row of the free list is out of order");
		if (free < 2 || free > w->file.last)
			return rp_walk_bad(w, pgno, "page %" PRIu64 " is free, and there is none",
					   free);
		if (rp_page_bit(w->free, free))
			return rp_walk_bad(w, pgno, "page %" PRIu64 " is free twice", free);
		rp_page_set_bit(w->free, free);
	}
	return true;
}

/* Rows of the main tree. Their trees are walked after it, since what is found of it is still being
 * counted. */
static bool see_table(struct rp_walk *w, uint64_t pgno, const struct rp_node *node)
{
	struct check *c = (struct check *)w;

	if (node->flags != RP_NODE_SUBDATA || node->data_bytes != RP_TREE_BYTES ||
	    rp_page_tree(node->data).flags != 0 || node->key_bytes >= sizeof c->tables[0].name ||
	    c->n_tables == RP_T_COUNT)
		return rp_walk_bad(w, pgno, "a table's row is damaged");
	memcpy(c->tables[c->n_tables].name, node->key, node->key_bytes);
	c->tables[c->n_tables].name[node->key_bytes] = '\0';
	c->tables[c->n_tables++].tree = rp_page_tree(node->data);
	return true;
}

/* The meta page of the transaction. */
static bool read_meta(struct rp_walk *w, uint64_t txn, struct rp_tree *free, struct rp_tree *all)
{
	unsigned char meta[RP_META_TXN_AT + 8];
	uint64_t i;

	for (i = 0; i < 2; i++) {
		ssize_t got = pread(w->file.fd, meta, sizeof meta, (off_t)(i * w->file.page_bytes));

		if (got < 0)
			w->file.sys = errno;
		if (got != (ssize_t)sizeof meta || rp_page_u64(meta + RP_META_TXN_AT) != txn)
			continue;
		w->file.last = rp_page_u64(meta + RP_META_LAST_AT);
		*free = rp_page_tree(meta + RP_META_TREES_AT);
		*all = rp_page_tree(meta + RP_META_TREES_AT + RP_TREE_BYTES);
		return true;
	}
	return false;
}

/* Frees what the walk has. `e` is how it went; a read that failed is the disk's trouble, not
 * damage. */
static enum rp_err walk_end(struct rp_walk *w, struct rp_lmdb *ob, enum rp_err e,
			    struct rp_error *err)
{
	free(w->seen);
	free(w->free);
	rp_datafile_release(&w->file);
	if (w->file.sys == ENOMEM)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	return w->file.sys != 0
		   ? rp_fail_sys(err, RP_ERR_IO, w->file.sys, "%s/data.mdb: read", ob->dir)
		   : e;
}

static struct check check_of(const struct rp_pages_watch *watch)
{
	return (struct check){.w = {.problem = watch->problem,
				    .arg = watch->arg,
				    .go_on = watch->go_on,
				    .go_on_arg = watch->go_on_arg}};
}

/* Reads the meta page and the free list. RP_ERR_STALE: later transactions have taken the place of
 * this one's meta page. RP_ERR_DAMAGED: w->n_problems is not 0. */
static enum rp_err walk_begin(struct rp_walk *w, struct rp_lmdb *ob, MDB_txn *txn,
			      struct rp_tree *all, struct rp_error *err)
{
	struct rp_tree free_list;
	struct stat st;
	uint64_t bytes;

	w->table = "meta page";
	w->file.page_bytes = ob->page_bytes;
	mdb_env_get_fd(ob->env, &w->file.fd);
	if (fstat(w->file.fd, &st) != 0)
		return rp_fail_sys(err, RP_ERR_IO, errno, "%s/data.mdb", ob->dir);
	if (!read_meta(w, mdb_txn_id(txn), &free_list, all))
		return RP_ERR_STALE;
	/* the unwritten end of a file in use is short: what is far behind its end is damage */
	if (w->file.last < 1 ||
	    w->file.last > (uint64_t)st.st_size / w->file.page_bytes + RP_PAGES_UNWRITTEN_MAX) {
		rp_walk_bad(w, w->file.last, "it should be the last, and the file has %" PRIu64,
			    (uint64_t)st.st_size / w->file.page_bytes);
		return RP_ERR_DAMAGED;
	}
	/* The other bits of the free list's are of the environment. */
	if ((free_list.flags & TREE_FLAGS) != MDB_INTEGERKEY || (all->flags & TREE_FLAGS) != 0) {
		rp_walk_bad(w, 0, "a tree of another kind");
		return RP_ERR_DAMAGED;
	}
	bytes = w->file.last / 8 + 1;
	w->seen = calloc(1, bytes);
	w->free = calloc(1, bytes);
	if (w->seen == NULL || w->free == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	return rp_walk_tree(w, "free list", &free_list, see_free) ? RP_OK : RP_ERR_DAMAGED;
}

/* All trees of tables have been walked, or as much of them as is in w->seen. */
static void find_free_in_use(struct rp_walk *w)
{
	uint64_t i, byte;

	w->table = "free list";
	for (byte = 0; byte <= w->file.last / 8; byte++)
		for (i = 8 * byte; (w->free[byte] & w->seen[byte]) != 0 && i < 8 * byte + 8; i++)
			if (rp_page_bit(w->free, i) && rp_page_bit(w->seen, i))
				rp_walk_bad(w, i, "it is free and in use");
}

static const char *table_text(const struct table *t, char out[40])
{
	snprintf(out, 40, "table %.30s", t->name);
	return out;
}

/* A table with a damaged page is left. */
static void check_tables_from(struct check *c, struct rp_verify_cursor *at)
{
	char text[40];

	while (at->table < c->n_tables && !c->w.stopped && c->w.file.sys == 0) {
		const struct table *table = &c->tables[at->table];

		rp_walk_tree_from(&c->w, table_text(table, text), &table->tree, at);
		if (c->w.stopped) {
			memcpy(at->key, c->w.at.key, c->w.at.key_bytes);
			at->key_bytes = c->w.at.key_bytes;
		} else {
			at->table++;
			at->key_bytes = 0;
		}
	}
}

enum rp_err rp_pages_check(struct rp_txn *t, const struct rp_pages_watch *watch,
			   struct rp_verify_cursor *at, bool *all_done, uint64_t *n_problems,
			   struct rp_error *err)
{
	struct check c = check_of(watch);
	struct rp_tree all;
	enum rp_err e;

	*all_done = true;
	/* the free list and the list of tables are read anew, whole, in each slice */
	c.w.go_on = NULL;
	e = walk_begin(&c.w, t->ob, t->mdb, &all, err);
	if (e == RP_OK && rp_walk_tree(&c.w, "list of tables", &all, see_table)) {
		c.w.go_on = watch->go_on;
		c.w.n_pages = 0;
		check_tables_from(&c, at);
	}
	*all_done = !c.w.stopped;
	if (e == RP_OK)
		find_free_in_use(&c.w);
	*n_problems += c.w.n_problems;
	e = walk_end(&c.w, t->ob, e, err);
	return e == RP_ERR_DAMAGED ? RP_OK : e;
}

#define FIRST_PROBLEM_MAX 200
#define LISTS_TRIES 100

static void keep_first(void *arg, const char *text)
{
	char *first = arg;

	if (first[0] == '\0')
		snprintf(first, FIRST_PROBLEM_MAX, "%s", text);
}

enum rp_err rp_pages_check_lists(struct rp_lmdb *ob, struct rp_error *err)
{
	char first[FIRST_PROBLEM_MAX] = "";
	struct rp_pages_watch watch = {.problem = keep_first, .arg = first};
	enum rp_err e = RP_ERR_STALE;
	struct rp_tree all;
	struct rp_txn t;
	int tries;

	/* Somebody who commits twice between two lines of ours has LMDB read these lists all the
	 * time. */
	for (tries = 0; e == RP_ERR_STALE && tries < LISTS_TRIES; tries++) {
		struct check c = check_of(&watch);

		e = rp_txn_read_rows(ob, &t, err);
		if (e != RP_OK)
			return e;
		e = walk_begin(&c.w, ob, t.mdb, &all, err);
		if (e == RP_OK && !rp_walk_tree(&c.w, "list of tables", &all, see_table))
			e = RP_ERR_DAMAGED;
		e = walk_end(&c.w, ob, e, err);
		rp_txn_end(&t);
	}
	if (e == RP_ERR_DAMAGED)
		return rp_fail(err, RP_ERR_FORMAT, "%s: data.mdb is damaged: %s; restore a backup",
			       ob->dir, first);
	return e == RP_ERR_STALE ? RP_OK : e;
}

/* LMDB does not write pages that a transaction took and gave back, so the file may end before the
 * last page that is counted; but what is missing must be free. */
enum rp_err rp_pages_check_end(struct rp_lmdb *ob, MDB_txn *txn, struct rp_error *err)
{
	struct rp_walk w = {.problem = NULL};
	struct rp_tree all;
	struct stat st;
	MDB_envinfo info;
	uint64_t first, i, missing = 0;
	enum rp_err e;
	int fd;

	mdb_env_info(ob->env, &info);
	mdb_env_get_fd(ob->env, &fd);
	if (fstat(fd, &st) != 0)
		return rp_fail_sys(err, RP_ERR_IO, errno, "%s/data.mdb", ob->dir);
	first = (uint64_t)st.st_size / ob->page_bytes;
	if (first > info.me_last_pgno)
		return RP_OK;
	e = walk_begin(&w, ob, txn, &all, err);
	for (i = first; e == RP_OK && i <= w.file.last; i++)
		missing += !rp_page_bit(w.free, i);
	e = walk_end(&w, ob, e, err);
	if (e == RP_ERR_STALE) /* somebody writes, so it cannot be as bad as that */
		return RP_OK;
	if (e == RP_ERR_DAMAGED || (e == RP_OK && missing > 0))
		return rp_fail(err, RP_ERR_DAMAGED,
			       "%s: data.mdb is cut off: it has %" PRIu64 " pages of %" PRIu64
			       "; restore a backup",
			       ob->dir, first, (uint64_t)info.me_last_pgno + 1);
	return e;
}
