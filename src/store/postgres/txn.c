/* txn.c - begins and ends transactions, and looks after their memory. */
#include "store/postgres/txn_int.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/sys.h"
#include "store/postgres/listener.h"
#include "store/postgres/standby.h"

#define BLOCK_BYTES ((size_t)64 << 10)

/* --- memory ------------------------------------------------------------------------------ */

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

static void forget_all(struct rp_pg_txn_parts *p)
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

void rp_pg_txn_free(struct rp_pg_txn *t)
{
	if (t == NULL)
		return;
	forget_all(t->parts);
	free(t->parts->endpoints.items);
	free(t->parts->entries.items);
	free(t->parts->logged.items);
	free(t->parts->endpoint_by_id.slots);
	free(t->parts->entry_by_seq.slots);
	free(t->parts->locked.slots);
	free(t->parts->orders.slots);
	free(t->parts);
	free(t);
}

/* --- begin and end ----------------------------------------------------------------------- */

static struct rp_pg_txn *make(void)
{
	struct rp_pg_txn *t = calloc(1, sizeof *t);

	if (t != NULL)
		t->parts = calloc(1, sizeof *t->parts);
	if (t != NULL && t->parts == NULL) {
		free(t);
		return NULL;
	}
	return t;
}

enum rp_err rp_pg_begin(struct rp_pgstore *s, int64_t now_at_ms, struct rp_pg_txn **out,
			struct rp_error *err)
{
	enum rp_err e = rp_pg_reach(s, err);
	struct rp_pg_txn_parts *parts;

	if (e == RP_OK)
		e = rp_pg_writer_take(s, err);
	if (e != RP_OK)
		return e;
	if (s->txn == NULL)
		s->txn = make();
	if (s->txn == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	assert(!s->txn->begun);
	parts = s->txn->parts;
	*s->txn = (struct rp_pg_txn){.store = s, .now_at_ms = now_at_ms, .parts = parts};
	rp_pg_writer_save(s->writer);
	*out = s->txn;
	return RP_OK;
}

struct rp_pg *rp_pg_of(struct rp_pg_txn *t)
{
	if (!t->begun)
		rp_pg_ask_plain(t->store->pg, "BEGIN");
	t->begun = true;
	return t->store->pg;
}

void rp_pg_rollback(struct rp_pg_txn *t)
{
	struct rp_pgstore *s = t->store;

	if (t->parts == NULL)
		return;
	if (t->begun && !rp_pg_is_lost(s->pg)) {
		rp_pg_ask_plain(s->pg, "ROLLBACK");
		(void)rp_pg_go(s->pg, NULL);
	}
	t->begun = t->dirty = false;
	rp_pg_writer_restore(s->writer);
	forget_all(t->parts);
}

static enum rp_err commit(struct rp_pg_txn *t, size_t *nobody, struct rp_error *err)
{
	struct rp_pgstore *s = t->store;
	int64_t start_us;
	enum rp_err e;

	if (!t->synced)
		rp_pg_ask_plain(rp_pg_of(t), "SET LOCAL synchronous_commit = off");
	e = rp_pg_write(t, true, err);
	if (e != RP_OK)
		return e;
	*nobody = rp_pg_ask_nobody_watches(s->pg);
	rp_pg_ask_plain(rp_pg_of(t), "COMMIT");
	start_us = rp_sys_stopwatch_us();
	e = rp_pg_go(s->pg, err);
	if (e == RP_OK)
		rp_histogram_add(&s->writer->untold_commits, rp_bounds_commit_us,
				 rp_sys_stopwatch_us() - start_us);
	return e;
}

enum rp_err rp_pg_commit(struct rp_pg_txn *t, struct rp_error *err)
{
	struct rp_pgstore *s = t->store;
	size_t nobody;
	enum rp_err e = commit(t, &nobody, err);
	bool watched;

	if (e != RP_OK) {
		rp_pg_rollback(t);
		return e;
	}
	watched = !rp_pg_bool(rp_pg_answer(s->pg, nobody), 0, 0);
	t->begun = t->dirty = false;
	forget_all(t->parts);
	if (watched)
		rp_pg_tell(s, RP_WATCH_COMMITS);
	return RP_OK;
}

enum rp_err rp_pg_finish(struct rp_pg_txn *t, enum rp_err e, struct rp_error *err)
{
	if (e == RP_OK && t->parts->no_memory)
		e = rp_fail(err, RP_ERR_NOMEM, "out of memory");
	if (e == RP_OK && t->dirty)
		e = rp_pg_commit(t, err);
	else
		rp_pg_rollback(t);
	/* also where nothing was changed: what it found done may not be confirmed yet */
	return e == RP_OK && t->synced ? rp_pg_standby_await(t->store, err) : e;
}

enum rp_err rp_pg_flush(struct rp_pg_txn *t, struct rp_error *err)
{
	enum rp_err e = rp_pg_write(t, false, err);

	return e == RP_OK ? rp_pg_go(rp_pg_of(t), err) : e;
}

void rp_pg_tell_counts(struct rp_pgstore *s)
{
	struct rp_pg_txn *t;

	if (s->writer == NULL || s->writer->untold_duplicates == 0 || s->pg == NULL ||
	    rp_pg_is_lost(s->pg) || rp_pg_begin(s, 0, &t, NULL) != RP_OK)
		return;
	t->dirty = true;
	(void)rp_pg_commit(t, NULL);
}
