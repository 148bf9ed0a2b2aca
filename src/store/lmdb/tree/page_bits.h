/* page_bits.h - private to src/store/lmdb/tree: a bit for each page of the file. Whoever keeps them
 * has as many as there are pages. */
#ifndef RP_STORE_LMDB_TREE_PAGE_BITS_H
#define RP_STORE_LMDB_TREE_PAGE_BITS_H

#include <stdbool.h>
#include <stdint.h>

static inline bool rp_page_bit(const unsigned char *bits, uint64_t i)
{
	return (bits[i / 8] >> i % 8 & 1) != 0;
}

static inline void rp_page_set_bit(unsigned char *bits, uint64_t i)
{
	bits[i / 8] = (unsigned char)(bits[i / 8] | 1u << i % 8);
}

static inline void rp_page_clear_bit(unsigned char *bits, uint64_t i)
{
	bits[i / 8] = (unsigned char)(bits[i / 8] & ~(1u << i % 8));
}

#endif
