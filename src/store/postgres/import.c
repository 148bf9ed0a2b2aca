/* import.c - stores entries of another outbox. */
#include <stdlib.h>

#include "model/arrival.h"
#include "store/postgres/insert.h"
#include "store/postgres/audit.h"
#include "store/postgres/tell.h"
#include "store/postgres/postgres_ops.h"
#include "store/postgres/standby.h"

static const struct rp_pg_statement find_ids = {
    "find_ids", "SELECT k.i, e.seq FROM unnest($1::bigint[], $2::bytea[]) AS k (i, id)"
		" JOIN entry e ON e.id = k.id"};
/* Imports wait for each other. Who appends meanwhile takes numbers as well: the one taken here is
 * ours, and the sequence is moved on at once behind all that are. */
static const struct rp_pg_statement take_number = {"import_take_number",
						   "SELECT nextval('entry_seq')"};
static const struct rp_pg_statement move_numbers = {
    "import_move_numbers",
    "SELECT setval('entry_seq', greatest(last_value, $1::bigint)) FROM entry_seq"};

struct importing {
	const struct rp_import *entries;
	struct rp_import_result *results;
	size_t n;
	struct rp_pg_incoming *all; /* of those that are stored */
	size_t *from;               /* ... which of the entries each is */
	size_t n_new;
};

static void put_indexes(struct rp_pg_params *p, size_t n)
{
	size_t i;

	rp_pg_array_begin(p, RP_PG_INT8, n);
	for (i = 0; i < n; i++)
		rp_pg_add_i64(p, (int64_t)i);
	rp_pg_array_end(p);
}

static bool is_same(struct rp_span a, struct rp_span b)
{
	return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

/* As if those before it in the batch had been stored. */
static void judge_by_batch(struct importing *im, size_t i)
{
	const struct rp_import *in = &im->entries[i];
	bool same = false, key = false;
	uint64_t same_seq = 0, key_seq = 0;
	size_t j;

	for (j = 0; j < i; j++) {
		const struct rp_import *other = &im->entries[j];

		if (im->results[j].kind != RP_IMPORT_DONE)
			continue;
		if (memcmp(other->facts.id, in->facts.id, RP_ID_BYTES) == 0) {
			same = true;
			same_seq = im->results[j].seq;
		}
		if (is_same(other->facts.dedupe_key, in->facts.dedupe_key)) {
			key = true;
			key_seq = im->results[j].seq;
		}
	}
	im->results[i].kind = rp_arrival_kind(same, key);
	if (im->results[i].kind != RP_IMPORT_DONE)
		im->results[i].seq = im->results[i].kind == RP_IMPORT_PRESENT ? same_seq : key_seq;
}

static enum rp_err find_those_there(struct rp_pg_txn *t, struct importing *im, struct rp_error *err)
{
	struct rp_pg_params *p = rp_pg_params(rp_pg_of(t));
	const struct rp_pg_rows *rows;
	size_t ids, keys, i;
	enum rp_err e;

	put_indexes(p, im->n);
	rp_pg_array_begin(p, RP_PG_BYTEA, im->n);
	for (i = 0; i < im->n; i++)
		rp_pg_add_bytea(
		    p, (struct rp_span){(const char *)im->entries[i].facts.id, RP_ID_BYTES});
	rp_pg_array_end(p);
	ids = rp_pg_ask(t->store->pg, &find_ids);
	p = rp_pg_params(t->store->pg);
	put_indexes(p, im->n);
	rp_pg_array_begin(p, RP_PG_TEXT, im->n);
	for (i = 0; i < im->n; i++)
		rp_pg_add_text(p, im->entries[i].facts.dedupe_key);
	rp_pg_array_end(p);
	keys = rp_pg_ask(t->store->pg, &rp_pg_keys_there);
	e = rp_pg_go(t->store->pg, err);
	if (e != RP_OK)
		return e;
	for (i = 0; i < im->n; i++)
		im->results[i] = (struct rp_import_result){0};
	rows = rp_pg_answer(t->store->pg, keys);
	for (i = 0; i < rp_pg_n_rows(rows); i++)
		im->results[rp_pg_i64(rows, i, 0)] = (struct rp_import_result){
		    rp_arrival_kind(false, true), (uint64_t)rp_pg_i64(rows, i, 1)};
	rows = rp_pg_answer(t->store->pg, ids);
	for (i = 0; i < rp_pg_n_rows(rows); i++)
		im->results[rp_pg_i64(rows, i, 0)] = (struct rp_import_result){
		    rp_arrival_kind(true, false), (uint64_t)rp_pg_i64(rows, i, 1)};
	return RP_OK;
}

/* Which are new, and the numbers of those: their own where these are still to come. */
static enum rp_err judge(struct rp_pg_txn *t, struct importing *im, bool dry_run,
			 struct rp_error *err)
{
	enum rp_err e = find_those_there(t, im, err);
	uint64_t next;
	size_t ask, i;

	if (e != RP_OK)
		return e;
	rp_pg_params(t->store->pg);
	ask = rp_pg_ask(t->store->pg, &take_number);
	e = rp_pg_go(t->store->pg, err);
	if (e != RP_OK)
		return e;
	next = (uint64_t)rp_pg_i64(rp_pg_answer(t->store->pg, ask), 0, 0);
	for (i = 0; i < im->n; i++) {
		if (im->results[i].kind == 0)
			judge_by_batch(im, i);
		if (im->results[i].kind != RP_IMPORT_DONE)
			continue;
		rp_arrival_number(rp_id_seq(im->entries[i].facts.id), &next, &im->results[i].seq);
		im->from[im->n_new++] = i;
	}
	if (dry_run)
		return RP_OK;
	rp_pg_put_i64(rp_pg_params(t->store->pg), (int64_t)next - 1);
	rp_pg_ask(t->store->pg, &move_numbers);
	return rp_pg_go(t->store->pg, err);
}

static enum rp_err store(struct rp_pg_txn *t, struct importing *im, const uint64_t *endpoints,
			 struct rp_error *err)
{
	enum rp_err e = RP_OK;
	size_t i;

	for (i = 0; i < im->n_new; i++) {
		const struct rp_import *in = &im->entries[im->from[i]];

		im->all[i].facts = in->facts;
		im->all[i].facts.endpoint = endpoints[im->from[i]];
		im->all[i].facts.payload_bytes = in->payload.len;
		im->all[i].facts.payload_hash = rp_payload_hash(in->payload.ptr, in->payload.len);
		im->all[i].payload = in->payload;
		im->all[i].seq = im->results[im->from[i]].seq;
	}
	if (im->n_new > 0)
		e = rp_pg_insert(t, im->all, im->n_new, err);
	for (i = 0; e == RP_OK && i < im->n_new; i++) {
		const struct rp_import *in = &im->entries[im->from[i]];
		struct rp_pg_incoming *to = &im->all[i];
		struct rp_delivery d;

		if (to->is_there)
			return rp_fail(
			    err, RP_ERR_AWAY,
			    "an entry with the same dedupe key came just now: ask again");
		if (rp_pg_add(t, to->seq, &to->facts) == NULL)
			return rp_fail(err, RP_ERR_NOMEM, "out of memory");
		rp_transition_import(&in->delivery, to->facts.endpoint,
				     rp_sequence_key(to->facts.order_by), &d);
		e = rp_pg_move(t, to->seq, NULL, &d, err);
	}
	return e;
}

static enum rp_err import_all(struct rp_pg_txn *t, struct importing *im, bool dry_run,
			      uint64_t audit, struct rp_span *names, uint64_t *endpoints,
			      struct rp_error *err)
{
	enum rp_err e = RP_OK;
	size_t i;

	for (i = 0; i < im->n; i++)
		names[i] = im->entries[i].endpoint;
	if (!dry_run)
		e = rp_pg_intern(t, names, im->n, endpoints, err);
	if (e == RP_OK)
		e = judge(t, im, dry_run, err);
	if (e != RP_OK || dry_run)
		return e;
	e = store(t, im, endpoints, err);
	if (e == RP_OK && audit != 0) {
		rp_pg_audit_ask(t, audit, im->n_new, im->n - im->n_new);
		t->dirty = true;
	}
	return e;
}

enum rp_err rp_pgop_import(struct rp_outbox *outbox, int64_t now_at_ms,
			   const struct rp_import *entries, size_t n, bool dry_run, uint64_t audit,
			   struct rp_import_result *results, struct rp_error *err)
{
	struct importing im = {.entries = entries,
			       .results = results,
			       .n = n,
			       .all = calloc(n + 1, sizeof *im.all),
			       .from = calloc(n + 1, sizeof *im.from)};
	struct rp_span *names = calloc(n + 1, sizeof *names);
	uint64_t *endpoints = calloc(n + 1, sizeof *endpoints);
	struct rp_pgstore *s = rp_pgstore_of(outbox);
	struct rp_pg_txn *t;
	enum rp_err e;

	if (im.all == NULL || im.from == NULL || names == NULL || endpoints == NULL)
		e = rp_fail(err, RP_ERR_NOMEM, "out of memory");
	else
		e = rp_pg_begin(s, now_at_ms, &t, err);
	if (e == RP_OK) {
		t->synced = true;
		e = rp_pg_standby_check(s, err);
		if (e == RP_OK)
			e = import_all(t, &im, dry_run, audit, names, endpoints, err);
		if (dry_run)
			rp_pg_rollback(t);
		else
			e = rp_pg_finish(t, e, err);
	}
	if ((e == RP_OK || e == RP_ERR_AWAY) && !dry_run)
		rp_pg_tell(s, RP_WATCH_WORK);
	free(im.all);
	free(im.from);
	free(names);
	free(endpoints);
	return e;
}
