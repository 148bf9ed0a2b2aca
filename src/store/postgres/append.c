/* append.c - stores new entries: finds what is there already, then locks, inserts and counts. */
#include "store/postgres/insert.h"
#include "store/postgres/tell.h"
#include "store/postgres/postgres_ops.h"
#include "store/postgres/standby.h"

static const struct rp_pg_statement take_numbers = {
    "take_numbers", "SELECT nextval('entry_seq') FROM generate_series(1, $1::bigint)"};

/* Of all in one round trip: new numbers, and which are there already. Numbers of a sequence are
 * never given twice by one server. One that takes over after a failure may give those again that
 * the last one gave without a commit, so an entry that is tried again takes a new number. */
static enum rp_err number_them(struct rp_pg_txn *t, struct rp_pg_incoming *all, size_t n,
			       struct rp_error *err)
{
	struct rp_pg *pg = t->store->pg;
	const struct rp_pg_rows *rows;
	unsigned char random[10];
	enum rp_err e;
	size_t ask, i;

	rp_pg_put_i64(rp_pg_params(pg), (int64_t)n);
	ask = rp_pg_ask(pg, &take_numbers);
	e = rp_pg_find_keys(t, all, n, err);
	if (e != RP_OK)
		return e;
	rows = rp_pg_answer(pg, ask);
	for (i = 0; i < n; i++) {
		all[i].seq = (uint64_t)rp_pg_i64(rows, i, 0);
		rp_sys_random(t->store->sys, random, sizeof random);
		rp_id_make(all[i].seq, random, all[i].facts.id);
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

static enum rp_err take_in(struct rp_pg_txn *t, struct rp_pg_incoming *in, struct rp_error *err)
{
	struct rp_acceptance a = {.endpoint = in->facts.endpoint,
				  .not_before_at_ms = in->facts.not_before_at_ms,
				  .expires_at_ms = in->facts.expires_at_ms,
				  .order_key = rp_sequence_key(in->facts.order_by)};
	struct rp_delivery d;

	if (in->is_there)
		return RP_OK;
	if (rp_pg_add(t, in->seq, &in->facts) == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	rp_transition_append(&a, t->now_at_ms, &d);
	return rp_pg_move(t, in->seq, NULL, &d, err);
}

/* done: all is stored. Else out[] has the ids by which another try knows its own entries, should
 * this one have been done after all, or the one before it: only what was inserted keeps whoever
 * tried before from coming later. */
static void tell(struct rp_pgstore *s, const struct rp_pg_incoming *all,
		 const struct rp_new_entry *entries, size_t n, bool done, struct rp_appended *out)
{
	size_t i;

	for (i = 0; i < n; i++) {
		const struct rp_pg_incoming *in = &all[i];
		const unsigned char *id = in->inserted ? in->facts.id : entries[i].id;

		/* with its own id it is from a try of which nobody knew what became */
		out[i].duplicate =
		    in->is_there && memcmp(in->there_id, entries[i].id, RP_ID_BYTES) != 0;
		out[i].seq = in->is_there ? in->there_seq : in->seq;
		memcpy(out[i].id, done && in->is_there ? in->there_id : id, RP_ID_BYTES);
		if (done && out[i].duplicate)
			s->writer->untold_duplicates++;
	}
}

static enum rp_err append_all(struct rp_pg_txn *t, struct rp_pg_incoming *all,
			      const struct rp_new_entry *entries, size_t n, struct rp_error *err)
{
	enum rp_err e = number_them(t, all, n, err);
	size_t i;

	if (e == RP_OK)
		e = intern(t, all, entries, n, err);
	if (e == RP_OK)
		e = rp_pg_insert(t, all, n, err);
	for (i = 0; e == RP_OK && i < n; i++)
		e = take_in(t, &all[i], err);
	return e;
}

enum rp_err rp_pgop_append(struct rp_outbox *outbox, int64_t now_at_ms,
			   const struct rp_new_entry *entries, size_t n, struct rp_appended *out,
			   struct rp_error *err)
{
	struct rp_buf memory = {.max = SIZE_MAX / 4};
	struct rp_pgstore *s = rp_pgstore_of(outbox);
	struct rp_pg_incoming *all;
	struct rp_pg_txn *t;
	enum rp_err e;
	size_t i;

	if (n == 0)
		return RP_OK;
	if (!rp_buf_reserve(&memory, n * sizeof *all))
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	all = memset(memory.data, 0, n * sizeof *all);
	for (i = 0; i < n; i++)
		fill(&all[i], &entries[i], now_at_ms);
	e = rp_pg_begin(s, now_at_ms, &t, err);
	if (e == RP_OK) {
		t->synced = true;
		e = rp_pg_standby_check(s, err);
		if (e == RP_OK)
			e = append_all(t, all, entries, n, err);
		e = rp_pg_finish(t, e, err);
	}
	tell(s, all, entries, n, e == RP_OK, out);
	rp_buf_release(&memory);
	/* it may be there and be sent, though the standby has not confirmed it */
	if (e == RP_OK || e == RP_ERR_AWAY)
		rp_pg_tell(s, RP_WATCH_WORK);
	return e;
}
