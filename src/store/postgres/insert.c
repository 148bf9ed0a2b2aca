/* insert.c - inserts entries. A dedupe key that is there already is no error. */
#include "store/postgres/insert.h"

#include <stdlib.h>

#include "store/postgres/columns.h"

static const struct rp_pg_statement insert_entries = {
    "insert_entries",
    "INSERT INTO entry (seq" RP_PG_FACTS(
	RP_PG_LIST) ", payload)"
		    " SELECT * FROM unnest($1::bigint[]" RP_PG_FACTS(
			RP_PG_ARRAYS) ", $17::bytea[])"
				      " ON CONFLICT (dedupe_key) DO NOTHING RETURNING seq"};

const struct rp_pg_statement rp_pg_keys_there = {
    "find_keys", "SELECT k.i, e.seq, e.id FROM unnest($1::bigint[], $2::text[]) AS k (i, key)"
		 " JOIN entry e ON e.dedupe_key = k.key"};

static const void *facts_at(void *arg, size_t i)
{
	struct rp_pg_incoming *const *sorted = arg;

	return &sorted[i]->facts;
}

static int compare(const void *a, const void *b)
{
	const struct rp_pg_incoming *const *x = a, *const *y = b;
	struct rp_span p = (*x)->facts.dedupe_key, q = (*y)->facts.dedupe_key;
	size_t len = p.len < q.len ? p.len : q.len;
	int c = memcmp(p.ptr, q.ptr, len);

	if (c == 0)
		c = (p.len > q.len) - (p.len < q.len);
	/* of two with one key the first one of the batch counts */
	return c != 0 ? c : (*x > *y) - (*x < *y);
}

static void put(struct rp_pg_params *p, struct rp_pg_incoming **sorted, size_t n)
{
	size_t i;

	rp_pg_array_begin(p, RP_PG_INT8, n);
	for (i = 0; i < n; i++)
		rp_pg_add_i64(p, (int64_t)sorted[i]->seq);
	rp_pg_array_end(p);
	rp_pg_put_columns(p, &rp_pg_facts, facts_at, sorted, n);
	rp_pg_array_begin(p, RP_PG_BYTEA, n);
	for (i = 0; i < n; i++)
		rp_pg_add_bytea(p, sorted[i]->payload);
	rp_pg_array_end(p);
}

/* Asks for the entries that have these keys. *n_found: how many have one. */
static enum rp_err find_keys_of(struct rp_pg_txn *t, struct rp_pg_incoming **some, size_t n,
				size_t *n_found, struct rp_error *err)
{
	struct rp_pg *pg = t->begun ? rp_pg_of(t) : t->store->pg;
	struct rp_pg_params *p = rp_pg_params(pg);
	const struct rp_pg_rows *rows;
	size_t ask, i;
	enum rp_err e;

	rp_pg_array_begin(p, RP_PG_INT8, n);
	for (i = 0; i < n; i++)
		rp_pg_add_i64(p, (int64_t)i);
	rp_pg_array_end(p);
	rp_pg_array_begin(p, RP_PG_TEXT, n);
	for (i = 0; i < n; i++)
		rp_pg_add_text(p, some[i]->facts.dedupe_key);
	rp_pg_array_end(p);
	ask = rp_pg_ask(pg, &rp_pg_keys_there);
	e = rp_pg_go(pg, err);
	if (e != RP_OK)
		return e;
	rows = rp_pg_answer(pg, ask);
	*n_found = rp_pg_n_rows(rows);
	for (i = 0; i < *n_found; i++) {
		struct rp_pg_incoming *in = some[rp_pg_i64(rows, i, 0)];

		in->is_there = true;
		in->there_seq = (uint64_t)rp_pg_i64(rows, i, 1);
		memcpy(in->there_id, rp_pg_bytes(rows, i, 2).ptr, RP_ID_BYTES);
	}
	return RP_OK;
}

enum rp_err rp_pg_find_keys(struct rp_pg_txn *t, struct rp_pg_incoming *all, size_t n,
			    struct rp_error *err)
{
	struct rp_pg_incoming **some = rp_pg_alloc(t, (n + 1) * sizeof(void *));
	size_t n_found, i;

	if (some == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	for (i = 0; i < n; i++)
		some[i] = &all[i];
	return find_keys_of(t, some, n, &n_found, err);
}

enum rp_err rp_pg_insert(struct rp_pg_txn *t, struct rp_pg_incoming *all, size_t n,
			 struct rp_error *err)
{
	struct rp_pg_incoming **sorted = rp_pg_alloc(t, (n + 1) * sizeof(void *));
	size_t n_new = 0, n_refused = 0, n_found, ask, i, j = 0;
	const struct rp_pg_rows *rows;
	enum rp_err e;

	if (sorted == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	for (i = 0; i < n; i++)
		if (!all[i].is_there)
			sorted[n_new++] = &all[i];
	if (n_new == 0)
		return RP_OK;
	qsort(sorted, n_new, sizeof(void *), compare);
	put(rp_pg_params(rp_pg_of(t)), sorted, n_new);
	ask = rp_pg_ask(t->store->pg, &insert_entries);
	e = rp_pg_go(t->store->pg, err);
	if (e != RP_OK)
		return e;
	/* they come back in the order in which they were inserted; the others came just now, or
	 * have the key of one before in the batch */
	rows = rp_pg_answer(t->store->pg, ask);
	for (i = 0; i < n_new; i++) {
		sorted[i]->inserted =
		    j < rp_pg_n_rows(rows) && sorted[i]->seq == (uint64_t)rp_pg_i64(rows, j, 0);
		j += sorted[i]->inserted;
		if (!sorted[i]->inserted)
			sorted[n_refused++] = sorted[i];
	}
	if (n_refused == 0)
		return RP_OK;
	e = find_keys_of(t, sorted, n_refused, &n_found, err);
	if (e == RP_OK && n_found < n_refused)
		e = rp_fail(err, RP_ERR_AWAY,
			    "an entry with the same dedupe key went just now: ask again");
	return e;
}
