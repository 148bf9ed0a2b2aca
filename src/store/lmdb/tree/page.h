/* page.h - private to src/store/lmdb: one page of LMDB's data file, read without LMDB and without
 * trust. This folder knows LMDB's page format, but for the first bytes of the file (beginning.c)
 * and how much fits into a page (body.c); what it is for is told here.
 *
 * WHAT IT BUYS. LMDB has no checksums and trusts what stands in a page. One flipped bit can make it
 * run in circles, end with a signal, or write over this process's memory, payloads that are about
 * to be sent included. And it reads through a map: each page that a long walk comes to costs a
 * page fault, and is memory of this process from then on. So pages are read here a second time, for
 * three ends:
 *   rows.c   rows in the order of their keys, with read(2), for lists and searches. Of a walk
 *              over a million rows, page faults were two thirds of the time; read(2) copies a page
 *              at a fifth of that.
 *   pages.c    the check of all pages for `runpostctl verify`, the check of the free list and of
 *              the list of tables before the first write, and that of the file's length at opening
 *              (pages_walk.c goes through one tree).
 *   page_guard.c    the guard: a transaction that writes looks at each page before LMDB comes to
 *              it. page_guard_begin.c finds the map and counts the pages. Without the guard 343 of
 *              10,593 damaged files made LMDB read or write beside its copies; with it none of
 *              226,275 did.
 * They share this header (one page), and cursor.c (pages by read(2), and the way from a root to a
 * leaf and on to the next one); each brings its own pages, and decides how far to trust them:
 * rows.c looks at the header of a page and at each row that it returns, pages_walk.c at all rows,
 * page_guard.c at all rows of a page that is new to the process, else at its header and its bounds.
 * db/damage.c turns the signals that are left into an exit code.
 *
 * WHAT IT COSTS. A second reader of a format that is another project's. The guard takes 2 to 3 % of
 * a drain and 5 % of ingest's instructions. A process reads the free list and the list of tables
 * once before it writes. A check of all pages reads all of the file.
 *
 * WHAT IT RELIES ON. A read transaction keeps its snapshot's pages as they are, and LMDB changes a
 * page only in a copy, so what was read stays true while the transaction lives (MDB_WRITEMAP is
 * never used). read(2) and the map show the same, as on any local file system of Linux. LMDB's row
 * of a table, from its list of tables, says where the table's root is.
 *
 * WHAT IT DOES NOT KNOW.
 *   Another LMDB. The format is that of 0.9: with the header of another version this does not
 *     compile (pages_int.h). A library that is exchanged later opens only files with the version
 *     number it knows. One that wrote another format under the same number would be taken for
 *     damage: lists say RP_ERR_DAMAGED, and the first write is refused with RP_ERR_FORMAT before
 *     LMDB has changed anything. Nothing is ever written by what this folder believes.
 *   Another word size or byte order. 32 bits do not compile either. A file in another byte order
 *     has another magic number, and LMDB refuses it.
 *   Another page size. The size of a page is the file's own and not the machine's, so a file of 4
 *     KiB pages works on a machine with 64 KiB and the reverse. What is no power of two between
 *     RP_PAGE_BYTES_MIN and RP_PAGE_BYTES_MAX is refused at opening (db_open.c, beginning.c); LMDB
 *     makes no other. tests/run.py runs the tests with pages of 16 and 32 KiB too.
 *   Another file. A tree with sorted duplicates or with keys in another order, a table too many,
 *     rows of a kind that is not used here: `verify` names them, and the guard refuses to write.
 *     A tree deeper than RP_TREE_DEPTH_MAX is damage: no map has room for one.
 *   A damaged file. The same words, with the number of the page. What cannot be read is an error
 *     of the disk (RP_ERR_IO) and not damage.
 *
 * THE FORMAT is that of LMDB 0.9 on 64 bits (mdb.c: MDB_page, MDB_node, MDB_meta, MDB_db),
 * integers in host order. A page is as large as one of memory was where the file was made, but 32
 * KiB at most; the second meta page is the second page:
 *   page   u64 own number | u16 | u16 flags | u16 lower, u16 upper (or u32 pages, of an overflow) |
 *          u16 offsets of nodes
 *   node   u32 size (or, with the flags above it, a child's number) | u16 flags | u16 key bytes |
 *          key | data, or the number of an overflow page
 *   meta   page header | u32 magic | u32 version | u64 | u64 map | 2 x db (free list, main) | u64
 *          last page | u64 txn
 *   db     u32 | u16 flags | u16 depth | u64 branch, leaf, overflow pages | u64 entries | u64 root,
 *          all ones: empty
 *
 * Inline, since a walk over a million rows asks for each of them. */
#ifndef RP_STORE_LMDB_TREE_PAGE_H
#define RP_STORE_LMDB_TREE_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* No Linux has smaller pages, and LMDB makes none larger (MAX_PAGESIZE). A power of two. */
#define RP_PAGE_BYTES_MIN 4096
#define RP_PAGE_BYTES_MAX 32768

enum { RP_PAGE_HEADER = 16, RP_NODE_HEADER = 8, RP_NODE_KEY_MAX = 511, RP_TREE_BYTES = 48 };
enum { RP_PAGE_BRANCH = 1, RP_PAGE_LEAF = 2, RP_PAGE_OVERFLOW = 4 };
enum { RP_NODE_BIGDATA = 1, RP_NODE_SUBDATA = 2 };
#define RP_PAGE_NO_ROOT UINT64_MAX

/* Where a meta page has its magic number, its two trees, the first of which begins with the size
 * of a page, the last page, and the number of the transaction that wrote it. */
enum {
	RP_META_MAGIC_AT = RP_PAGE_HEADER,
	RP_META_TREES_AT = RP_PAGE_HEADER + 24,
	RP_META_PAGE_BYTES_AT = RP_META_TREES_AT
};
enum {
	RP_META_LAST_AT = RP_META_TREES_AT + 2 * RP_TREE_BYTES,
	RP_META_TXN_AT = RP_META_LAST_AT + 8
};
#define RP_META_MAGIC UINT32_C(0xbeefc0de)

struct rp_tree {
	uint16_t flags, depth;
	uint64_t branches, leaves, overflows, entries, root;
};

/* Pointers lead into the page. */
struct rp_node {
	const unsigned char *key, *data;
	size_t key_bytes,
	    /* data_bytes: of the value, also where the data is the number of a page (BIGDATA) */
	    data_bytes;
	uint16_t flags; /* of a leaf's node */
	uint64_t child; /* of a branch's node */
};

static inline uint16_t rp_page_u16(const unsigned char *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

static inline uint64_t rp_page_u64(const unsigned char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

static inline struct rp_tree rp_page_tree(const unsigned char *p)
{
	return (struct rp_tree){rp_page_u16(p + 4),  rp_page_u16(p + 6),  rp_page_u64(p + 8),
				rp_page_u64(p + 16), rp_page_u64(p + 24), rp_page_u64(p + 32),
				rp_page_u64(p + 40)};
}

static inline uint32_t rp_page_u32(const unsigned char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

/* Whether a page can have so many bytes, as the first meta page tells it. */
static inline bool rp_page_bytes_possible(uint64_t bytes)
{
	return bytes >= RP_PAGE_BYTES_MIN && bytes <= RP_PAGE_BYTES_MAX &&
	       (bytes & (bytes - 1)) == 0;
}

/* With the flags of pages in memory, none of which LMDB leaves in a page that it writes: one that
 * says that it is being changed already (0x10) would be changed in the map, which is read-only. */
static inline unsigned rp_page_kind(const unsigned char *page)
{
	return rp_page_u16(page + 10);
}

/* Pages that a value of so many bytes has to itself. */
static inline uint64_t rp_page_overflows(size_t page_bytes, uint64_t bytes)
{
	return (RP_PAGE_HEADER - 1 + bytes) / page_bytes + 1;
}

/* How many pages a value has, as the first of them says; 0: it is no such page, or says less than
 * the value needs. It may be more: a value that becomes shorter in the transaction that wrote it
 * keeps its pages. */
static inline uint64_t rp_page_value_pages(const unsigned char *first, uint64_t needs)
{
	uint32_t says = rp_page_u32(first + 12);

	return rp_page_kind(first) == RP_PAGE_OVERFLOW && says >= needs ? says : 0;
}

/* The header of a page that should be of this kind: NULL and the number of its nodes, or what is
 * wrong. */
static inline const char *rp_page_check(const unsigned char *page, size_t page_bytes, unsigned kind,
					unsigned *n)
{
	unsigned lower = rp_page_u16(page + 12), upper = rp_page_u16(page + 14);

	if (rp_page_kind(page) != kind)
		return "it is not the kind of page that belongs there";
	if (lower < RP_PAGE_HEADER || lower > upper || upper > page_bytes || lower % 2 != 0)
		return "its header is damaged";
	*n = (lower - RP_PAGE_HEADER) / 2;
	return *n == 0 ? "it is empty" : NULL;
}

/* The same, and of a branch that it leads to more than one page. */
static inline const char *rp_page_sound(const unsigned char *page, size_t page_bytes, bool leaf,
					unsigned *n)
{
	const char *wrong =
	    rp_page_check(page, page_bytes, leaf ? RP_PAGE_LEAF : RP_PAGE_BRANCH, n);

	return wrong == NULL && *n == 1 && !leaf ? "it leads to one page only" : wrong;
}

/* The number of rows of a page whose header has passed. */
static inline unsigned rp_page_count(const unsigned char *page)
{
	return (rp_page_u16(page + 12) - RP_PAGE_HEADER) / 2u;
}

/* Node i of a page whose rows have passed (rp_page_rows). */
static inline struct rp_node rp_page_sound_node(const unsigned char *page, unsigned i, bool leaf)
{
	const unsigned char *p = page + rp_page_u16(page + RP_PAGE_HEADER + 2 * i);
	uint64_t size = rp_page_u32(p);
	struct rp_node node = {.key = p + RP_NODE_HEADER, .key_bytes = rp_page_u16(p + 6)};

	node.data = node.key + node.key_bytes;
	if (leaf) {
		node.flags = rp_page_u16(p + 4);
		node.data_bytes = (size_t)size;
	} else {
		node.child = size | (uint64_t)rp_page_u16(p + 4) << 32;
	}
	return node;
}

/* Node i of a page whose header has passed: NULL, or what is wrong with it; then nothing in `out`
 * is to be used. */
static inline const char *rp_page_node(const unsigned char *page, size_t page_bytes, unsigned i,
				       bool leaf, struct rp_node *out)
{
	unsigned at = rp_page_u16(page + RP_PAGE_HEADER + 2 * i);
	uint64_t size;

	if (at < rp_page_u16(page + 14) || at > page_bytes - RP_NODE_HEADER)
		return "is outside of the page";
	*out = rp_page_sound_node(page, i, leaf);
	if ((out->flags & ~(RP_NODE_BIGDATA | RP_NODE_SUBDATA)) != 0)
		return "is of a kind that is not used";
	size = (out->flags & RP_NODE_BIGDATA) != 0 ? 8 : out->data_bytes;
	if (out->key_bytes > RP_NODE_KEY_MAX ||
	    at + RP_NODE_HEADER + out->key_bytes + size > page_bytes)
		return "reaches beyond the page";
	return NULL;
}

static inline int rp_page_key_order(const void *a, size_t a_bytes, const void *b, size_t b_bytes)
{
	int order = memcmp(a, b, a_bytes < b_bytes ? a_bytes : b_bytes);

	return order != 0 ? order : a_bytes < b_bytes ? -1 : a_bytes > b_bytes;
}

/* Which keys may stand below a node of a branch: from its own key to before the next one's. NULL:
 * no bound. */
struct rp_bounds {
	const unsigned char *low, *high;
	size_t low_bytes, high_bytes;
};

/* numbers: keys are numbers in host order, as those of the free list. */
static inline int rp_page_order(const void *a, size_t a_bytes, const void *b, size_t b_bytes,
				bool numbers)
{
	if (numbers && (a_bytes < b_bytes ? a_bytes : b_bytes) == 8)
		return rp_page_u64(a) < rp_page_u64(b) ? -1 : rp_page_u64(a) > rp_page_u64(b);
	return rp_page_key_order(a, a_bytes, b, b_bytes);
}

static inline bool rp_bounds_hold(const struct rp_bounds *b, const void *key, size_t bytes,
				  bool numbers)
{
	return (b->low == NULL || rp_page_order(b->low, b->low_bytes, key, bytes, numbers) <= 0) &&
	       (b->high == NULL || rp_page_order(key, bytes, b->high, b->high_bytes, numbers) < 0);
}

/* All rows of a page whose header has passed: within the page and filling it, in the order of
 * their keys and within the bounds, with no other flags than these. NULL, or what is wrong with
 * row *row. */
const char *rp_page_rows(const unsigned char *page, size_t page_bytes, bool leaf, bool numbers,
			 unsigned flags, const struct rp_bounds *b, unsigned *row);

#endif
