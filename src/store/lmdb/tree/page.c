/* page.c - checks that the rows on one page are sound. It knows a single page; the trees above
 * it are in pages_walk.c and page_guard.c. */

#include "store/lmdb/tree/page.h"

/* What LMDB takes up for a row: as much as its header, key and data need, padded to even. */
static size_t room_of(const struct rp_node *node, bool leaf)
{
	size_t data = !leaf ? 0 : (node->flags & RP_NODE_BIGDATA) != 0 ? 8 : node->data_bytes;

	return (RP_NODE_HEADER + node->key_bytes + data + 1) & ~(size_t)1;
}

/* Rows lie one behind the other, in any order, from `upper` to the end of the page; to move or
 * remove one LMDB adds up their sizes. */
static bool fills_page(const unsigned char *page, size_t page_bytes, unsigned n, bool leaf)
{
	uint16_t room[RP_PAGE_BYTES_MAX / 2]; /* of the row that begins there */
	size_t at, rows = 0;
	unsigned i;

	memset(room, 0, page_bytes / 2 * sizeof room[0]);
	for (i = 0; i < n; i++) {
		struct rp_node node = rp_page_sound_node(page, i, leaf);

		at = (size_t)(node.key - page) - RP_NODE_HEADER;
		if (at % 2 != 0)
			return false;
		room[at / 2] = (uint16_t)room_of(&node, leaf);
	}
	for (at = rp_page_u16(page + 14); at < page_bytes && room[at / 2] != 0; at += room[at / 2])
		rows++;
	return at == page_bytes && rows == n;
}

const char *rp_page_rows(const unsigned char *page, size_t page_bytes, bool leaf, bool numbers,
			 unsigned flags, const struct rp_bounds *b, unsigned *row)
{
	unsigned n = rp_page_count(page), first = leaf ? 0 : 1, i;
	struct rp_node node, before = {0};
	const char *wrong;

	for (i = 0; i < n; i++, before = node) {
		*row = i;
		wrong = rp_page_node(page, page_bytes, i, leaf, &node);
		if (wrong != NULL)
			return wrong;
		if ((node.flags & ~flags) != 0)
			return "is of a kind that is not used";
		if (i >= first && !rp_bounds_hold(b, node.key, node.key_bytes, numbers))
			return "is out of order";
		if (i > first && rp_page_order(before.key, before.key_bytes, node.key,
					       node.key_bytes, numbers) >= 0)
			return "is out of order";
	}
	return fills_page(page, page_bytes, n, leaf)
		   ? NULL
		   : "is the last of rows that overlap or leave gaps";
}
