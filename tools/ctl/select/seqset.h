/* seqset.h - a set of sequence numbers that takes memory only where there are some: 8 KiB for each
 * stretch of 65,536. */
#ifndef RP_CTL_SELECT_SEQSET_H
#define RP_CTL_SELECT_SEQSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* {0} is the empty set. */
struct rp_seqset {
	uint64_t **blocks;
	size_t n_blocks;
};

/* *added: it was not in the set before. false: out of memory. */
bool rp_seqset_add(struct rp_seqset *s, uint64_t seq, bool *added);
void rp_seqset_release(struct rp_seqset *s);

#endif
