#include "store/store_int.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* LMDB has no checksums and trusts what stands in a page: a damaged one makes it crash or run in circles. So its pages
 * are read here a second time, with read(2) and without trust, before LMDB is let loose on them in a check.
 *
 * The format is that of LMDB 0.9 on 64 bits (mdb.c: MDB_page, MDB_node, MDB_meta, MDB_db), integers in host order:
 *   page   u64 own number | u16 | u16 flags | u16 lower, u16 upper (or u32 pages, of an overflow) | u16 offsets of nodes
 *   node   u16, u16 low and high half of the size (or, with the flags, of a child's number) | u16 flags | u16 key bytes |
 *          key | data, or the number of an overflow page
 *   meta   page header | u32 magic | u32 version | u64 | u64 map | 2 x db (free list, main) | u64 last page | u64 txn
 *   db     u32 | u16 flags | u16 depth | u64 branch, leaf, overflow pages | u64 entries | u64 root, all ones: empty */
enum { HEADER = 16, NODE_HEADER = 8, DB_BYTES = 48, META_DBS = HEADER + 24, META_LAST = META_DBS + 2 * DB_BYTES };
enum { P_BRANCH = 1, P_LEAF = 2, P_OVERFLOW = 4, P_IN_MEMORY = 0xc010 };
enum { F_BIGDATA = 1, F_SUBDATA = 2, F_DUPDATA = 4 };
#define PAGE RP_PAGE_BYTES
#define KEY_MAX 511
#define DEPTH_MAX 32 /* LMDB's CURSOR_STACK */
#define NO_ROOT UINT64_MAX

struct tree {
	uint16_t flags, depth;
	uint64_t branches, leaves, overflows, entries, root;
};

struct table {
	char name[32];
	struct tree tree;
};

struct walk {
	int fd;
	uint64_t last; /* page of the file */
	unsigned char *seen, *free;
	void (*problem)(void *arg, const char *text);
	void *arg;
	uint64_t n_problems;
	int sys; /* errno of a read that failed, which says nothing of what is on the disk; else 0 */
	const char *table;
	char table_text[32];
	struct tree found; /* of the tree being walked, */
	bool numbers;      /* ... whose keys are numbers in host order */
	struct table tables[RP_T_COUNT];
	size_t n_tables;
	unsigned char *big;
	size_t big_bytes;
};

static uint16_t u16_at(const unsigned char *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

static uint64_t u64_at(const unsigned char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

static struct tree tree_at(const unsigned char *p)
{
	return (struct tree){u16_at(p + 4),  u16_at(p + 6),  u64_at(p + 8), u64_at(p + 16),
			     u64_at(p + 24), u64_at(p + 32), u64_at(p + 40)};
}

/* Always false, for `return`. */
static bool bad(struct walk *w, uint64_t pgno, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static bool bad(struct walk *w, uint64_t pgno, const char *fmt, ...)
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

static bool bit(const unsigned char *bits, uint64_t i)
{
	return (bits[i / 8] >> i % 8 & 1) != 0;
}

static void set_bit(unsigned char *bits, uint64_t i)
{
	bits[i / 8] = (unsigned char)(bits[i / 8] | 1u << i % 8);
}

/* n pages from pgno on, none of which any other tree or node may lead to. */
static bool read_pages(struct walk *w, uint64_t pgno, uint64_t n, void *out)
{
	size_t bytes = (size_t)n * PAGE, got = 0;
	uint64_t i;
	ssize_t k;

	if (pgno < 2 || pgno > w->last || n > w->last - pgno + 1)
		return bad(w, pgno, "it is outside of the %" PRIu64 " pages in use", w->last + 1);
	for (i = 0; i < n; i++) {
		if (bit(w->seen, pgno + i))
			return bad(w, pgno + i, "two ways lead to it");
		set_bit(w->seen, pgno + i);
	}
	while (got < bytes) {
		k = pread(w->fd, (char *)out + got, bytes - got, (off_t)(pgno * PAGE + got));
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0) {
			w->sys = errno;
			return false;
		}
		if (k == 0)
			return bad(w, pgno, "the file ends before it");
		got += (size_t)k;
	}
	if (u64_at(out) != pgno)
		return bad(w, pgno, "it says that it is page %" PRIu64, u64_at(out));
	return true;
}

/* The data of a node that has pages of its own. */
static bool read_overflow(struct walk *w, uint64_t pgno, size_t bytes, const unsigned char **data)
{
	uint64_t n = (HEADER - 1 + (uint64_t)bytes) / PAGE + 1;
	uint32_t pages;
	unsigned char *more;

	if (n > w->last)
		return bad(w, pgno, "a value of %zu bytes in it is larger than the file", bytes);
	if (n * PAGE > w->big_bytes) {
		more = realloc(w->big, (size_t)n * PAGE);
		if (more == NULL)
			return bad(w, pgno, "there is no memory for a value of %zu bytes", bytes);
		w->big = more;
		w->big_bytes = (size_t)n * PAGE;
	}
	if (!read_pages(w, pgno, n, w->big))
		return false;
	memcpy(&pages, w->big + 12, sizeof pages);
	if ((u16_at(w->big + 10) & ~P_IN_MEMORY) != P_OVERFLOW || pages != n)
		return bad(w, pgno, "it does not hold the %" PRIu64 " pages of a value", n);
	w->found.overflows += n;
	*data = w->big + HEADER;
	return true;
}

struct node {
	const unsigned char *key, *data;
	size_t key_bytes, data_bytes;
	uint16_t flags;
	uint64_t child;
};

static bool read_node(struct walk *w, uint64_t pgno, const unsigned char *page, unsigned i, bool leaf, struct node *out)
{
	unsigned at = u16_at(page + HEADER + 2 * i), upper = u16_at(page + 14);
	const unsigned char *p = page + at;
	uint64_t size;

	if (at < upper || at > PAGE - NODE_HEADER)
		return bad(w, pgno, "row %u is outside of the page", i);
	size = u16_at(p) | (uint64_t)u16_at(p + 2) << 16;
	out->flags = leaf ? u16_at(p + 4) : 0;
	out->child = leaf ? 0 : size | (uint64_t)u16_at(p + 4) << 32;
	out->key_bytes = u16_at(p + 6);
	out->key = p + NODE_HEADER;
	out->data_bytes = leaf ? (size_t)size : 0;
	out->data = out->key + out->key_bytes;
	if ((out->flags & ~(F_BIGDATA | F_SUBDATA)) != 0)
		return bad(w, pgno, "row %u is of a kind that is not used", i);
	size = (out->flags & F_BIGDATA) != 0 ? 8 : out->data_bytes;
	if (out->key_bytes > KEY_MAX || at + NODE_HEADER + out->key_bytes + size > PAGE)
		return bad(w, pgno, "row %u reaches beyond the page", i);
	return true;
}

static int key_order(const struct node *a, const struct node *b, bool numbers)
{
	size_t n = a->key_bytes < b->key_bytes ? a->key_bytes : b->key_bytes;
	int order = memcmp(a->key, b->key, n);

	if (numbers && n == 8)
		return u64_at(a->key) < u64_at(b->key) ? -1 : u64_at(a->key) > u64_at(b->key);
	return order != 0 ? order : a->key_bytes < b->key_bytes ? -1 : a->key_bytes > b->key_bytes;
}

typedef bool see_row(struct walk *w, uint64_t pgno, const struct node *node);

/* `depth` levels are left, this one included. */
static bool walk_page(struct walk *w, uint64_t pgno, unsigned depth, see_row *see)
{
	unsigned char page[PAGE];
	struct node node, before = {0};
	unsigned n, i, lower, upper, kind;
	bool leaf = depth == 1;

	if (!read_pages(w, pgno, 1, page))
		return false;
	kind = u16_at(page + 10) & ~(unsigned)P_IN_MEMORY;
	lower = u16_at(page + 12);
	upper = u16_at(page + 14);
	if (kind != (leaf ? P_LEAF : P_BRANCH))
		return bad(w, pgno, "it is not the kind of page that belongs there");
	if (lower < HEADER || lower > upper || upper > PAGE || lower % 2 != 0)
		return bad(w, pgno, "its header is damaged");
	n = (lower - HEADER) / 2;
	if (n == 0 || (n == 1 && !leaf))
		return bad(w, pgno, "it is empty");
	if (leaf)
		w->found.leaves++;
	else
		w->found.branches++;
	for (i = 0; i < n; i++) {
		if (!read_node(w, pgno, page, i, leaf, &node))
			return false;
		if (i > (leaf ? 0u : 1u) &&
		    key_order(&before, &node, w->numbers) >= 0) /* the first key of a branch stands for all below */
			return bad(w, pgno, "row %u is out of order", i);
		before = node;
		if (leaf && (node.flags & F_BIGDATA) != 0 &&
		    !read_overflow(w, u64_at(node.data), node.data_bytes, &node.data))
			return false;
		w->found.entries += leaf;
		if (leaf ? see != NULL && !see(w, pgno, &node) : !walk_page(w, node.child, depth - 1, see))
			return false;
	}
	return true;
}

static bool walk_tree(struct walk *w, const char *table, const struct tree *t, see_row *see)
{
	w->table = table;
	memset(&w->found, 0, sizeof w->found);
	w->numbers = (t->flags & MDB_INTEGERKEY) != 0;
	if (t->root == NO_ROOT)
		return t->entries == 0 || bad(w, 0, "a tree without pages has %" PRIu64 " rows", t->entries);
	if (t->depth == 0 || t->depth > DEPTH_MAX)
		return bad(w, t->root, "a tree of depth %u", t->depth);
	if (!walk_page(w, t->root, t->depth, see))
		return false;
	if (w->found.entries != t->entries || w->found.branches != t->branches || w->found.leaves != t->leaves ||
	    w->found.overflows != t->overflows)
		return bad(w, t->root, "its tree has %" PRIu64 " rows and should have %" PRIu64, w->found.entries,
			   t->entries);
	return true;
}

/* A row of the free list: how many, then their numbers. */
static bool see_free(struct walk *w, uint64_t pgno, const struct node *node)
{
	uint64_t n = node->data_bytes >= 8 ? u64_at(node->data) : 0, i, free;

	if (node->key_bytes != 8 || node->data_bytes < 8 || n > node->data_bytes / 8 - 1)
		return bad(w, pgno, "a row of the free list is damaged");
	for (i = 1; i <= n; i++) {
		free = u64_at(node->data + 8 * i);
		if (free < 2 || free > w->last)
			return bad(w, pgno, "page %" PRIu64 " is free, and there is none", free);
		if (bit(w->free, free))
			return bad(w, pgno, "page %" PRIu64 " is free twice", free);
		set_bit(w->free, free);
	}
	return true;
}

/* Rows of the main tree. Their trees are walked after it, since what is found of it is still being counted. */
static bool see_table(struct walk *w, uint64_t pgno, const struct node *node)
{
	if (node->flags != F_SUBDATA || node->data_bytes != DB_BYTES || node->key_bytes >= sizeof w->tables[0].name ||
	    w->n_tables == RP_T_COUNT)
		return bad(w, pgno, "a table's row is damaged");
	memcpy(w->tables[w->n_tables].name, node->key, node->key_bytes);
	w->tables[w->n_tables].name[node->key_bytes] = '\0';
	w->tables[w->n_tables++].tree = tree_at(node->data);
	return true;
}

/* The meta page of the transaction. */
static bool read_meta(struct walk *w, uint64_t txn, struct tree *free, struct tree *all)
{
	unsigned char meta[META_LAST + 16];
	uint64_t i;

	for (i = 0; i < 2; i++) {
		ssize_t got = pread(w->fd, meta, sizeof meta, (off_t)(i * PAGE));

		if (got < 0)
			w->sys = errno;
		if (got != (ssize_t)sizeof meta || u64_at(meta + META_LAST + 8) != txn)
			continue;
		w->last = u64_at(meta + META_LAST);
		*free = tree_at(meta + META_DBS);
		*all = tree_at(meta + META_DBS + DB_BYTES);
		return true;
	}
	return false;
}

/* LMDB takes the page size of the machine that made the file. */
static bool knows_pages(struct rp_outbox *ob)
{
	MDB_stat st;

	return mdb_env_stat(ob->env, &st) == 0 && st.ms_psize == PAGE;
}

/* Frees what the walk has. `e` is how it went; a read that failed is the disk's trouble, not damage. */
static enum rp_err walk_end(struct walk *w, struct rp_outbox *ob, enum rp_err e, struct rp_error *err)
{
	free(w->seen);
	free(w->free);
	free(w->big);
	return w->sys != 0 ? rp_fail_sys(err, RP_ERR_IO, w->sys, "%s/data.mdb: read", ob->dir) : e;
}

/* Reads the meta page and the free list. RP_ERR_STALE: later transactions have taken the place of this one's meta page.
 * RP_ERR_DAMAGED: w->n_problems is not 0. */
static enum rp_err walk_begin(struct walk *w, struct rp_outbox *ob, MDB_txn *txn, struct tree *all,
			      struct rp_error *err)
{
	struct tree free_list;
	struct stat st;
	uint64_t bytes;

	w->table = "meta page";
	mdb_env_get_fd(ob->env, &w->fd);
	if (fstat(w->fd, &st) != 0)
		return rp_fail_sys(err, RP_ERR_IO, errno, "%s/data.mdb", ob->dir);
	if (!read_meta(w, mdb_txn_id(txn), &free_list, all))
		return RP_ERR_STALE;
	/* the unwritten end of a file in use is short: what is far behind its end is damage */
	if (w->last < 1 || w->last > (uint64_t)st.st_size / PAGE + RP_PAGES_UNWRITTEN_MAX) {
		bad(w, w->last, "it should be the last, and the file has %" PRIu64, (uint64_t)st.st_size / PAGE);
		return RP_ERR_DAMAGED;
	}
	bytes = w->last / 8 + 1;
	w->seen = calloc(1, bytes);
	w->free = calloc(1, bytes);
	if (w->seen == NULL || w->free == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	return walk_tree(w, "free list", &free_list, see_free) ? RP_OK : RP_ERR_DAMAGED;
}

enum rp_err rp_pages_check(struct rp_txn *t, void (*problem)(void *arg, const char *text), void *arg,
			   uint64_t *n_problems, struct rp_error *err)
{
	struct walk w = {.problem = problem, .arg = arg};
	struct tree all;
	uint64_t i;
	enum rp_err e;

	if (!knows_pages(t->ob))
		return RP_OK;
	e = walk_begin(&w, t->ob, t->mdb, &all, err);
	if (e == RP_OK && walk_tree(&w, "list of tables", &all, see_table))
		for (i = 0; i < w.n_tables; i++) {
			snprintf(w.table_text, sizeof w.table_text, "table %.20s", w.tables[i].name);
			walk_tree(&w, w.table_text, &w.tables[i].tree, NULL);
		}
	w.table = "free list";
	for (i = 2; e == RP_OK && i <= w.last; i++)
		if (bit(w.free, i) && bit(w.seen, i))
			bad(&w, i, "it is free and in use");
	*n_problems += w.n_problems;
	e = walk_end(&w, t->ob, e, err);
	return e == RP_ERR_DAMAGED ? RP_OK : e;
}

/* LMDB does not write pages that a transaction took and gave back, so the file may end before the last page that is
 * counted; but what is missing must be free. */
enum rp_err rp_pages_check_end(struct rp_outbox *ob, MDB_txn *txn, struct rp_error *err)
{
	struct walk w = {.problem = NULL};
	struct tree all;
	struct stat st;
	MDB_envinfo info;
	uint64_t first, i, missing = 0;
	enum rp_err e;
	int fd;

	mdb_env_info(ob->env, &info);
	mdb_env_get_fd(ob->env, &fd);
	if (!knows_pages(ob))
		return RP_OK;
	if (fstat(fd, &st) != 0)
		return rp_fail_sys(err, RP_ERR_IO, errno, "%s/data.mdb", ob->dir);
	first = (uint64_t)st.st_size / PAGE;
	if (first > info.me_last_pgno)
		return RP_OK;
	e = walk_begin(&w, ob, txn, &all, err);
	for (i = first; e == RP_OK && i <= w.last; i++)
		missing += !bit(w.free, i);
	e = walk_end(&w, ob, e, err);
	if (e == RP_ERR_STALE) /* somebody writes, so it cannot be as bad as that */
		return RP_OK;
	if (e == RP_ERR_DAMAGED || (e == RP_OK && missing > 0))
		return rp_fail(err, RP_ERR_DAMAGED,
			       "%s: data.mdb is cut off: it has %" PRIu64 " pages of %" PRIu64 "; restore a backup",
			       ob->dir, first, (uint64_t)info.me_last_pgno + 1);
	return e;
}
