/* append.c - stores new entries: finds what is there already, then locks, inserts and counts. */
#include "store/postgres/insert.h"
#include "store/postgres/listener.h"
#include "store/postgres/postgres_ops.h"
#include "store/postgres/standby.h"

static const struct rp_pg_statement take_numbers = {
    "take_numbers", "SELECT nextval('entry_seq') FROM generate_series(1, $1::bigint)"};

static bool has_id(const unsigned char id[RP_ID_BYTES])
{
	static const unsigned char none[RP_ID_BYTES];

	return memcmp(id, none, RP_ID_BYTES) != 0;
}

/* Numbers of a sequence are never given twice. An entry that has an id, from a try of which nobody
 * knows what became, keeps it: then its number is in it. */
static enum rp_err number_them(struct rp_pg_txn *t, struct rp_pg_incoming *all,
			       const struct rp_new_entry *entries, size_t n,
			       struct rp_appended *out, struct rp_error *err)
{
	struct rp_pg *pg = t->store->pg;
	unsigned char random[10];
	const struct rp_pg_rows *rows;
	size_t n_new = 0, ask, i, j = 0;
	enum rp_err e;

	for (i = 0; i < n; i++)
		n_new += !has_id(entries[i].id);
	rp_pg_put_i64(rp_pg_params(pg), (int64_t)n_new);
	ask = rp_pg_ask(pg, &take_numbers);
	e = rp_pg_go(pg, err);
	if (e != RP_OK)
		return e;
	rows = rp_pg_answer(pg, ask);
	for (i = 0; i < n; i++) {
		if (has_id(entries[i].id)) {
			memcpy(out[i].id, entries[i].id, RP_ID_BYTES);
			out[i].seq = rp_id_seq(out[i].id);
		} else {
			out[i].seq = (uint64_t)rp_pg_i64(rows, j++, 0);
			rp_sys_random(t->store->sys, random, sizeof random);
			rp_id_make(out[i].seq, random, out[i].id);
		}
		all[i].seq = out[i].seq;
		memcpy(all[i].facts.id, out[i].id, RP_ID_BYTES);
	}
	return RP_OK;
}

static void fill(struct rp_pg_incoming *in, const struct rp_new_entry *n, int64_t now_at_ms)
{
	in->payload = n->payload;
	in->facts = (struct rp_facts){
	    .accepted_at_ms = now_at_ms,
	    .not_before_at_ms = n->not_before_at_ms,
	    .expires_at_ms = n->expires_at_ms,
	    .payload_bytes = n->payload.len,
	    .payload_hash = rp_payload_hash(n->payload.ptr, n->payload.len),
	    .url = n->url,
	    .run_id = n->run_id,
	    .thread_id = n->thread_id,
	    .event = n->event,
	    .operation = n->operation,
	    .order_by = n->order_by,
	    .headers = n->headers,
	    .dedupe_key = n->dedupe_key,
	};
}

static enum rp_err intern(struct rp_pg_txn *t, struct rp_pg_incoming *all,
			  const struct rp_new_entry *entries, size_t n, struct rp_error *err)
{
	/* not of the transaction's memory: it may begin anew */
	struct rp_buf memory = {.max = SIZE_MAX / 4};
	enum rp_err e = RP_OK;
	struct rp_span *names;
	size_t n_new = 0, i;
	uint64_t *ids;

	if (!rp_buf_reserve(&memory, n * (sizeof *names + sizeof *ids)))
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	names = (struct rp_span *)(void *)memory.data;
	ids = (uint64_t *)(void *)(names + n);
	for (i = 0; i < n; i++)
		if (!all[i].is_there)
			names[n_new++] = entries[i].endpoint;
	if (n_new > 0)
		e = rp_pg_intern(t, names, n_new, ids, err);
	for (i = 0, n_new = 0; e == RP_OK && i < n; i++)
		if (!all[i].is_there)
			all[i].facts.endpoint = ids[n_new++];
	rp_buf_release(&memory);
	return e;
}

static enum rp_err take_in(struct rp_pg_txn *t, struct rp_pg_incoming *in, struct rp_appended *out,
			   struct rp_error *err)
{
	struct rp_acceptance a = {.endpoint = in->facts.endpoint,
				  .not_before_at_ms = in->facts.not_before_at_ms,
				  .expires_at_ms = in->facts.expires_at_ms,
				  .order_key = rp_sequence_key(in->facts.order_by)};
	struct rp_delivery d;

	/* with its own id it is from a try of which nobody knew what became: it was done */
	out->duplicate = in->is_there && memcmp(in->there_id, out->id, RP_ID_BYTES) != 0;
	if (in->is_there) {
		t->store->writer->untold_duplicates += out->duplicate;
		out->seq = in->there_seq;
		memcpy(out->id, in->there_id, RP_ID_BYTES);
		return RP_OK;
	}
	if (rp_pg_add(t, in->seq, &in->facts) == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	rp_transition_append(&a, t->now_at_ms, &d);
	return rp_pg_move(t, in->seq, NULL, &d, err);
}

static enum rp_err append_all(struct rp_pg_txn *t, struct rp_pg_incoming *all,
			      const struct rp_new_entry *entries, size_t n, struct rp_appended *out,
			      struct rp_error *err)
{
	enum rp_err e;
	size_t i;

	for (i = 0; i < n; i++)
		fill(&all[i], &entries[i], t->now_at_ms);
	e = number_them(t, all, entries, n, out, err);
	if (e == RP_OK)
		e = rp_pg_find_keys(t, all, n, err);
	if (e == RP_OK)
		e = intern(t, all, entries, n, err);
	if (e == RP_OK)
		e = rp_pg_insert(t, all, n, err);
	for (i = 0; e == RP_OK && i < n; i++)
		e = take_in(t, &all[i], &out[i], err);
	return e;
}

enum rp_err rp_pgop_append(struct rp_outbox *outbox, int64_t now_at_ms,
			   const struct rp_new_entry *entries, size_t n, struct rp_appended *out,
			   struct rp_error *err)
{
	struct rp_buf memory = {.max = SIZE_MAX / 4};
	struct rp_pgstore *s = rp_pgstore_of(outbox);
	struct rp_pg_txn *t;
	enum rp_err e;

	if (n == 0)
		return RP_OK;
	if (!rp_buf_reserve(&memory, n * sizeof(struct rp_pg_incoming)))
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	memset(memory.data, 0, n * sizeof(struct rp_pg_incoming));
	e = rp_pg_begin(s, now_at_ms, &t, err);
	if (e == RP_OK) {
		t->synced = true;
		e = rp_pg_standby_check(s, err);
		if (e == RP_OK)
			e = append_all(t, (struct rp_pg_incoming *)(void *)memory.data, entries, n,
				       out, err);
		e = rp_pg_finish(t, e, err);
	}
	rp_buf_release(&memory);
	/* it may be there and be sent, though the standby has not confirmed it */
	if (e == RP_OK || e == RP_ERR_AWAY)
		rp_pg_tell(s, RP_WATCH_WORK);
	return e;
}
