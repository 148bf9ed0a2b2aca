/* seqset.c - a set of entry numbers, kept as bits. An entry may be met twice on its way through
 * the outbox, and the set tells. */

#include "ctl/select/seqset.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK_BITS = 16, WORD_BITS = 6, BLOCK_WORDS = 1 << (BLOCK_BITS - WORD_BITS) };

static bool reach(struct rp_seqset *s, size_t block)
{
	size_t n = s->n_blocks > 0 ? s->n_blocks : 16;
	uint64_t **more;

	if (block < s->n_blocks)
		return true;
	while (n <= block)
		n *= 2;
	more = realloc(s->blocks, n * sizeof more[0]);
	if (more == NULL)
		return false;
	memset(more + s->n_blocks, 0, (n - s->n_blocks) * sizeof more[0]);
	s->blocks = more;
	s->n_blocks = n;
	return true;
}

bool rp_seqset_add(struct rp_seqset *s, uint64_t seq, bool *added)
{
	size_t block = (size_t)(seq >> BLOCK_BITS);
	uint64_t *word, bit = UINT64_C(1) << (seq & ((1u << WORD_BITS) - 1));

	if (!reach(s, block))
		return false;
	if (s->blocks[block] == NULL)
		s->blocks[block] = calloc(BLOCK_WORDS, sizeof s->blocks[block][0]);
	if (s->blocks[block] == NULL)
		return false;
	word = &s->blocks[block][(seq >> WORD_BITS) & (BLOCK_WORDS - 1)];
	*added = (*word & bit) == 0;
	*word |= bit;
	return true;
}

void rp_seqset_release(struct rp_seqset *s)
{
	size_t i;

	for (i = 0; i < s->n_blocks; i++)
		free(s->blocks[i]);
	free(s->blocks);
	memset(s, 0, sizeof *s);
}
