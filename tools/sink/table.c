/* table.c - a hash table of counts under short keys. It exists so that memory stays bounded,
 * whatever is sent. */

#include "table.h"

#include <stdlib.h>

/* FNV-1a, then a multiply and fold: FNV alone leaves the low bits, which choose the slot, poorly
 * mixed. */
static uint64_t hash_of(struct rp_span key)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	size_t i;

	for (i = 0; i < key.len; i++)
		h = (h ^ (unsigned char)key.ptr[i]) * UINT64_C(0x100000001b3);
	h ^= h >> 32;
	h *= UINT64_C(0x9e3779b97f4a7c15);
	h ^= h >> 29;
	return h != 0 ? h : 1;
}

static struct rp_sink_slot *find(struct rp_sink_slot *slots, size_t n_slots, uint64_t hash)
{
	size_t i = hash & (n_slots - 1);

	while (slots[i].hash != 0 && slots[i].hash != hash)
		i = (i + 1) & (n_slots - 1);
	return &slots[i];
}

static void grow(struct rp_sink_table *t)
{
	size_t n = t->n_slots != 0 ? t->n_slots * 2 : 256, i;
	struct rp_sink_slot *slots = calloc(n, sizeof *slots);

	if (slots == NULL)
		return;
	for (i = 0; i < t->n_slots; i++)
		if (t->slots[i].hash != 0)
			*find(slots, n, t->slots[i].hash) = t->slots[i];
	free(t->slots);
	t->slots = slots;
	t->n_slots = n;
}

uint64_t *rp_sink_table_at(struct rp_sink_table *t, struct rp_span key)
{
	struct rp_sink_slot *slot;
	uint64_t hash = hash_of(key);

	if (t->n_keys >= t->n_slots / 2)
		grow(t);
	if (t->n_slots == 0)
		return NULL;
	slot = find(t->slots, t->n_slots, hash);
	if (slot->hash == 0) {
		/* A table that could not grow keeps one slot in eight empty, so that every search
		 * ends soon. */
		if (t->n_keys >= t->max_keys || t->n_keys >= t->n_slots - t->n_slots / 8)
			return NULL;
		slot->hash = hash;
		t->n_keys++;
	}
	return &slot->value;
}

void rp_sink_table_release(struct rp_sink_table *t)
{
	free(t->slots);
	t->slots = NULL;
	t->n_slots = t->n_keys = 0;
}
