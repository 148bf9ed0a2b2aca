/* txn_memory.c - the memory of a transaction: blocks that live until its end, lists, and indexes by
 * number. */
#include <stdlib.h>

#include "base/assert.h"
#include "store/postgres/txn_int.h"

#define BLOCK_BYTES ((size_t)64 << 10)

struct rp_pg_block {
	struct rp_pg_block *next;
	_Alignas(16) char bytes[];
};

void *rp_pg_alloc(struct rp_pg_txn *t, size_t n)
{
	struct rp_pg_txn_parts *p = t->parts;
	size_t bytes = (n + 15) & ~(size_t)15, block = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
	struct rp_pg_block *b;
	void *at;

	if (bytes > p->block_left) {
		b = malloc(sizeof *b + block);
		if (b == NULL) {
			p->no_memory = true;
			return NULL;
		}
		b->next = p->blocks;
		p->blocks = b;
		p->block_at = b->bytes;
		p->block_left = block;
	}
	at = p->block_at;
	p->block_at += bytes;
	p->block_left -= bytes;
	return memset(at, 0, bytes);
}

struct rp_span rp_pg_keep(struct rp_pg_txn *t, struct rp_span text)
{
	char *at = text.len > 0 ? rp_pg_alloc(t, text.len) : NULL;

	if (at == NULL)
		return (struct rp_span){"", 0};
	memcpy(at, text.ptr, text.len);
	return (struct rp_span){at, text.len};
}

bool rp_pg_list_add(struct rp_pg_list *l, void *item)
{
	if (l->n == l->cap) {
		size_t cap = l->cap > 0 ? 2 * l->cap : 64;
		void **items = realloc(l->items, cap * sizeof *items);

		if (items == NULL)
			return false;
		l->items = items;
		l->cap = cap;
	}
	l->items[l->n++] = item;
	return true;
}

static size_t place_of(const struct rp_pg_index *x, uint64_t number)
{
	size_t at = (size_t)(number * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (x->size - 1);

	while (x->slots[at].number != 0 && x->slots[at].number != number)
		at = (at + 1) & (x->size - 1);
	return at;
}

void *rp_pg_index_find(const struct rp_pg_index *x, uint64_t number)
{
	return x->size > 0 ? x->slots[place_of(x, number)].item : NULL;
}

static bool grow(struct rp_pg_index *x)
{
	struct rp_pg_index bigger = {.size = x->size > 0 ? 2 * x->size : 256};
	size_t i;

	bigger.slots = calloc(bigger.size, sizeof *bigger.slots);
	if (bigger.slots == NULL)
		return false;
	for (i = 0; i < x->size; i++)
		if (x->slots[i].number != 0)
			bigger.slots[place_of(&bigger, x->slots[i].number)] = x->slots[i];
	bigger.n = x->n;
	free(x->slots);
	*x = bigger;
	return true;
}

bool rp_pg_index_add(struct rp_pg_index *x, uint64_t number, void *item)
{
	assert(number != 0);
	if (2 * (x->n + 1) > x->size && !grow(x))
		return false;
	x->slots[place_of(x, number)] = (struct rp_pg_slot){number, item};
	x->n++;
	return true;
}

static void empty(struct rp_pg_index *x)
{
	if (x->n > 0)
		memset(x->slots, 0, x->size * sizeof *x->slots);
	x->n = 0;
}

void rp_pg_forget_all(struct rp_pg_txn_parts *p)
{
	while (p->blocks != NULL) {
		struct rp_pg_block *next = p->blocks->next;

		free(p->blocks);
		p->blocks = next;
	}
	p->block_left = 0;
	p->endpoints.n = p->entries.n = p->logged.n = 0;
	empty(&p->endpoint_by_id);
	empty(&p->entry_by_seq);
	empty(&p->locked);
	empty(&p->orders);
	p->no_memory = false;
}
