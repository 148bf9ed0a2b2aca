/* load.c - locks hosts, and loads what lies under them. */
#include <stdlib.h>

#include "base/assert.h"
#include "store/postgres/txn_int.h"

static const struct rp_pg_statement lock_waiting = {
    "lock_hosts", "SELECT " RP_PG_ENDPOINT_ROW " FROM endpoint e WHERE id = ANY($1::bigint[])"
		  " ORDER BY id FOR UPDATE"};
static const struct rp_pg_statement lock_free = {
    "lock_free_hosts", "SELECT " RP_PG_ENDPOINT_ROW " FROM endpoint e WHERE id = ANY($1::bigint[])"
		       " ORDER BY id FOR UPDATE SKIP LOCKED"};

/* They, the paths of these entries, and the sections of all. */
static const struct rp_pg_statement load_members = {
    "load_endpoints",
    "WITH named AS (SELECT unnest($1::bigint[]) AS id UNION"
    " SELECT endpoint FROM delivery WHERE seq = ANY($2::bigint[]))"
    " SELECT " RP_PG_ENDPOINT_ROW " FROM endpoint e WHERE id = ANY (ARRAY(SELECT id FROM named"
    " UNION SELECT section FROM endpoint p WHERE p.id = ANY (ARRAY(SELECT id FROM named))))"};

static const struct rp_pg_statement load_entries = {
    "load_entries",
    "SELECT " RP_PG_ENTRY_ROW " FROM delivery d WHERE d.seq = ANY($1::bigint[]) ORDER BY d.seq"};

static const struct rp_pg_statement find_paths = {
    "find_paths", "SELECT DISTINCT endpoint FROM delivery WHERE seq = ANY($1::bigint[])"};

/* --- what is loaded ---------------------------------------------------------------------- */

struct rp_pg_endpoint *rp_pg_endpoint_of(const struct rp_pg_txn *t, uint64_t id)
{
	struct rp_pg_endpoint *ep =
	    id != 0 ? rp_pg_index_find(&t->parts->endpoint_by_id, id) : NULL;

	return ep != NULL && !ep->over ? ep : NULL;
}

struct rp_pg_entry *rp_pg_entry_of(const struct rp_pg_txn *t, uint64_t seq)
{
	struct rp_pg_entry *entry =
	    seq != 0 ? rp_pg_index_find(&t->parts->entry_by_seq, seq) : NULL;

	return entry != NULL && !entry->removed ? entry : NULL;
}

bool rp_pg_has_host(const struct rp_pg_txn *t, uint64_t endpoint)
{
	return rp_pg_index_find(&t->parts->locked, rp_level_host(endpoint)) != NULL;
}

struct rp_receiver rp_pg_receiver(const struct rp_pg_txn *t, uint64_t path)
{
	struct rp_pg_endpoint *at = rp_pg_endpoint_of(t, path),
			      *host = rp_pg_endpoint_of(t, rp_level_host(path)), *section;
	struct rp_receiver r;

	assert(at != NULL && host != NULL);
	section = rp_pg_endpoint_of(t, at->rec.section);
	r = (struct rp_receiver){{&at->rec, section != NULL ? &section->rec : NULL, &host->rec}};
	return r;
}

static void read_endpoint(struct rp_pg_txn *t, struct rp_pg_endpoint *ep,
			  const struct rp_pg_rows *rows, size_t row, int first)
{
	struct rp_buf scratch = {.max = (size_t)1 << 20};

	ep->name = rp_pg_keep(t, rp_pg_text(rows, row, first + 1, &scratch));
	rp_buf_release(&scratch);
	ep->queue = (uint64_t)rp_pg_i64(rows, row, first + 2);
	rp_pg_read_columns(rows, row, first + 3, &rp_pg_endpoint_row, &ep->rec, NULL);
	ep->rec.level = rp_level_of(ep->id);
	ep->was_in_use = rp_endpoint_in_use(&ep->rec);
	ep->floor_ms = ep->rec.first_due_at_ms;
}

struct rp_pg_endpoint *rp_pg_meet_endpoint(struct rp_pg_txn *t, const struct rp_pg_rows *rows,
					   size_t row, int first)
{
	uint64_t id = (uint64_t)rp_pg_i64(rows, row, first);
	struct rp_pg_endpoint *ep = rp_pg_index_find(&t->parts->endpoint_by_id, id);

	if (ep != NULL)
		return ep;
	ep = rp_pg_alloc(t, sizeof *ep);
	if (ep == NULL)
		return NULL;
	ep->id = id;
	read_endpoint(t, ep, rows, row, first);
	if (rp_pg_list_add(&t->parts->endpoints, ep) &&
	    rp_pg_index_add(&t->parts->endpoint_by_id, id, ep))
		return ep;
	t->parts->no_memory = true;
	return NULL;
}

struct rp_pg_entry *rp_pg_meet_entry(struct rp_pg_txn *t, const struct rp_pg_rows *rows, size_t row,
				     int first)
{
	uint64_t seq = (uint64_t)rp_pg_i64(rows, row, first);
	struct rp_pg_entry *entry = rp_pg_index_find(&t->parts->entry_by_seq, seq);

	if (entry != NULL)
		return entry;
	entry = rp_pg_alloc(t, sizeof *entry);
	if (entry == NULL)
		return NULL;
	entry->seq = seq;
	entry->not_before_at_ms = rp_pg_i64(rows, row, first + 1);
	rp_pg_read_columns(rows, row, first + 2, &rp_pg_delivery, &entry->d, NULL);
	if (rp_pg_list_add(&t->parts->entries, entry) &&
	    rp_pg_index_add(&t->parts->entry_by_seq, seq, entry))
		return entry;
	t->parts->no_memory = true;
	return NULL;
}

/* --- locking and loading ----------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return x < y ? -1 : x > y;
}

/* The hosts of these that are not locked yet, each once. */
static size_t hosts_of(struct rp_pg_txn *t, const uint64_t *endpoints, size_t n, uint64_t *out)
{
	size_t n_hosts = 0, i, kept = 0;

	for (i = 0; i < n; i++)
		if (!rp_pg_has_host(t, endpoints[i]))
			out[n_hosts++] = rp_level_host(endpoints[i]);
	qsort(out, n_hosts, sizeof *out, compare);
	for (i = 0; i < n_hosts; i++)
		if (i == 0 || out[i] != out[i - 1])
			out[kept++] = out[i];
	return kept;
}

static enum rp_err meet_hosts(struct rp_pg_txn *t, const struct rp_pg_rows *rows,
			      struct rp_error *err)
{
	size_t n = rp_pg_n_rows(rows), i;

	for (i = 0; i < n; i++) {
		struct rp_pg_endpoint *host = rp_pg_meet_endpoint(t, rows, i, 0);

		if (host == NULL || !rp_pg_index_add(&t->parts->locked, host->id, host))
			return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	}
	return RP_OK;
}

/* Under a host that was skipped they are not ours to look at. */
static enum rp_err meet_members(struct rp_pg_txn *t, const struct rp_pg_rows *rows,
				struct rp_error *err)
{
	size_t n = rp_pg_n_rows(rows), i;

	for (i = 0; i < n; i++)
		if (rp_pg_has_host(t, (uint64_t)rp_pg_i64(rows, i, 0)) &&
		    rp_pg_meet_endpoint(t, rows, i, 0) == NULL)
			return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	return RP_OK;
}

static enum rp_err meet_entries(struct rp_pg_txn *t, const struct rp_pg_rows *rows,
				struct rp_error *err)
{
	size_t n = rp_pg_n_rows(rows), i;

	for (i = 0; i < n; i++)
		if (rp_pg_has_host(t, (uint64_t)rp_pg_i64(rows, i, 2)) &&
		    rp_pg_meet_entry(t, rows, i, 0) == NULL)
			return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	return RP_OK;
}

static size_t ask_numbers(struct rp_pg_txn *t, const struct rp_pg_statement *s,
			  const uint64_t *numbers, size_t n)
{
	struct rp_pg *pg = rp_pg_of(t);

	rp_pg_put_u64_array(rp_pg_params(pg), numbers, n);
	return rp_pg_ask(pg, s);
}

static size_t ask_members(struct rp_pg_txn *t, const uint64_t *endpoints, size_t n,
			  const uint64_t *seqs, size_t n_seqs)
{
	struct rp_pg *pg = rp_pg_of(t);
	struct rp_pg_params *p = rp_pg_params(pg);

	rp_pg_put_u64_array(p, endpoints, n);
	rp_pg_put_u64_array(p, seqs, n_seqs);
	return rp_pg_ask(pg, &load_members);
}

enum rp_err rp_pg_lock(struct rp_pg_txn *t, const uint64_t *endpoints, size_t n,
		       const uint64_t *seqs, size_t n_seqs, enum rp_pg_wait wait,
		       struct rp_error *err)
{
	uint64_t *hosts = rp_pg_alloc(t, (n + 1) * sizeof *hosts);
	size_t n_hosts, locked = 0, members, entries;
	enum rp_err e;

	if (hosts == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	n_hosts = hosts_of(t, endpoints, n, hosts);
	assert(n_hosts == 0 || wait == RP_PG_SKIP || t->parts->locked.n == 0);
	if (n_hosts > 0)
		locked =
		    ask_numbers(t, wait == RP_PG_WAIT ? &lock_waiting : &lock_free, hosts, n_hosts);
	/* each statement sees what was committed when it begins: these begin with the locks held */
	members = ask_members(t, endpoints, n, seqs, n_seqs);
	entries = ask_numbers(t, &load_entries, seqs, n_seqs);
	e = rp_pg_go(t->store->pg, err);
	if (e == RP_OK && n_hosts > 0)
		e = meet_hosts(t, rp_pg_answer(t->store->pg, locked), err);
	if (e == RP_OK)
		e = meet_members(t, rp_pg_answer(t->store->pg, members), err);
	if (e == RP_OK)
		e = meet_entries(t, rp_pg_answer(t->store->pg, entries), err);
	return e;
}

enum rp_err rp_pg_lock_entries(struct rp_pg_txn *t, const uint64_t *seqs, size_t n,
			       struct rp_error *err)
{
	const struct rp_pg_rows *rows;
	uint64_t *paths;
	size_t ask = ask_numbers(t, &find_paths, seqs, n), i;
	enum rp_err e = rp_pg_go(t->store->pg, err);

	if (e != RP_OK)
		return e;
	rows = rp_pg_answer(t->store->pg, ask);
	paths = rp_pg_alloc(t, (rp_pg_n_rows(rows) + 1) * sizeof *paths);
	if (paths == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	for (i = 0; i < rp_pg_n_rows(rows); i++)
		paths[i] = (uint64_t)rp_pg_i64(rows, i, 0);
	return rp_pg_lock(t, paths, rp_pg_n_rows(rows), seqs, n,
			  t->parts->locked.n > 0 ? RP_PG_SKIP : RP_PG_WAIT, err);
}

enum rp_err rp_pg_load_endpoints(struct rp_pg_txn *t, const uint64_t *endpoints, size_t n,
				 struct rp_error *err)
{
	size_t ask = ask_members(t, endpoints, n, NULL, 0);
	enum rp_err e = rp_pg_go(t->store->pg, err);

	return e == RP_OK ? meet_members(t, rp_pg_answer(t->store->pg, ask), err) : e;
}
