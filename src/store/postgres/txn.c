/* txn.c - begins transactions, and gives them up. */
#include "store/postgres/txn_int.h"

#include <stdlib.h>

#include "base/assert.h"

void rp_pg_txn_free(struct rp_pg_txn *t)
{
	if (t == NULL)
		return;
	rp_pg_forget_all(t->parts);
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
	rp_pg_forget_all(t->parts);
}
