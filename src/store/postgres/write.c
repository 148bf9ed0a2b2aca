/* write.c - writes what a transaction has changed, in two round trips: entries and attempts with
 * the questions that depend on them, then endpoints from the paths up. */
#include "model/schedule.h"
#include "store/postgres/txn_int.h"

#define RECENT_KEPT "4096"

/* --- statements -------------------------------------------------------------------------- */

static const struct rp_pg_statement insert_deliveries = {
    "insert_deliveries", "INSERT INTO delivery (seq" RP_PG_DELIVERY(
			     RP_PG_LIST) ", not_before_at_ms)"
					 " SELECT * FROM unnest($1::bigint[]" RP_PG_DELIVERY(
					     RP_PG_ARRAYS) ", $20::bigint[])"};

static const struct rp_pg_statement update_deliveries = {
    "update_deliveries",
    "UPDATE delivery d SET seq = d.seq" RP_PG_DELIVERY(
	RP_PG_SET) " FROM unnest($1::bigint[]" RP_PG_DELIVERY(RP_PG_ARRAYS) ")"
									    " AS n "
									    "(seq" RP_PG_DELIVERY(
										RP_PG_LIST) ") "
											    "WHERE "
											    "d.seq "
											    "= "
											    "n."
											    "seq"};

static const struct rp_pg_statement delete_deliveries = {
    "delete_deliveries", "DELETE FROM delivery WHERE seq = ANY($1::bigint[])"};
static const struct rp_pg_statement delete_entries = {
    "delete_entries", "DELETE FROM entry WHERE seq = ANY($1::bigint[])"};
static const struct rp_pg_statement delete_attempts = {
    "delete_attempts", "DELETE FROM attempt WHERE seq = ANY($1::bigint[])"};

/* Of the last of each number, if one was logged twice. */
static const struct rp_pg_statement insert_attempts = {
    "insert_attempts", "INSERT INTO attempt (seq, n" RP_PG_ATTEMPT(
			   RP_PG_LIST) ", response)"
				       " SELECT * FROM unnest($1::bigint[], "
				       "$2::bigint[]" RP_PG_ATTEMPT(
					   RP_PG_ARRAYS) ", $18::bytea[]) AS n (seq, "
							 "n" RP_PG_ATTEMPT(RP_PG_LIST) ", response)"
										       " ON "
										       "CONFLICT "
										       "(seq, n) "
										       "DO UPDATE "
										       "SET "
										       "(cause, "
										       "late, "
										       "http_"
										       "version, "
										       "http_"
										       "status, "
										       "slot, pid,"
										       " started_"
										       "at_ms, "
										       "duration_"
										       "us, "
										       "dns_us, "
										       "connect_us,"
										       " tls_us, "
										       "first_byte_"
										       "us, "
										       "retry_"
										       "after_ms, "
										       "peer,"
										       " detail, "
										       "response) "
										       "= "
										       "(excluded."
										       "cause, "
										       "excluded."
										       "late, "
										       "excluded."
										       "http_"
										       "version,"
										       " excluded."
										       "http_"
										       "status, "
										       "excluded."
										       "slot, "
										       "excluded."
										       "pid, "
										       "excluded."
										       "started_at_"
										       "ms,"
										       " excluded."
										       "duration_"
										       "us, "
										       "excluded."
										       "dns_us, "
										       "excluded."
										       "connect_us,"
										       " excluded."
										       "tls_us,"
										       " excluded."
										       "first_byte_"
										       "us, "
										       "excluded."
										       "retry_"
										       "after_ms, "
										       "excluded."
										       "peer, "
										       "excluded."
										       "detail,"
										       " excluded."
										       "response)"};

static const struct rp_pg_statement insert_recent = {
    "insert_recent",
    "INSERT INTO recent SELECT nextval('recent_number'), pg_current_xact_id(), $1::bigint, n.*"
    " FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::boolean[],"
    " $7::bigint[], $8::bigint[], $9::bigint[])"
    " AS n (seq, endpoint, attempt, cause, late, http_status, slot, duration_ms)"};
/* Now and then: numbers that divide by 64 are among each 64. */
static const struct rp_pg_statement trim_recent = {
    "trim_recent",
    "DELETE FROM recent WHERE number <= (SELECT last_value FROM recent_number) - " RECENT_KEPT};

/* When the first of these paths' entries is due that waits in front; not before `floor`. */
static const struct rp_pg_statement first_due = {
    "first_due",
    "SELECT p.id, (SELECT d.due_at_ms FROM delivery d WHERE d.endpoint = p.id AND d.state = 1"
    " AND NOT d.behind AND d.due_at_ms >= p.floor ORDER BY d.due_at_ms LIMIT 1)"
    " FROM unnest($1::bigint[], $2::bigint[]) AS p (id, floor)"};

/* What comes first in these queues, beyond those that are loaded. */
static const struct rp_pg_statement first_ready = {
    "first_ready",
    "SELECT q.id, m.id, m.ready_at_ms FROM unnest($1::bigint[], $2::bigint[]) AS q (id, n)"
    " CROSS JOIN LATERAL (SELECT id, ready_at_ms FROM endpoint WHERE queue = q.id"
    " AND ready_at_ms IS NOT NULL ORDER BY ready_at_ms, id LIMIT q.n) m"};

static const struct rp_pg_statement delete_endpoints = {
    "delete_endpoints", "DELETE FROM endpoint WHERE id = ANY($1::bigint[])"};

/* --- entries and attempts ---------------------------------------------------------------- */

static const void *delivery_at(void *arg, size_t i)
{
	struct rp_pg_entry *const *entries = arg;

	return &entries[i]->d;
}

static void ask_deliveries(struct rp_pg_txn *t, struct rp_pg_entry **entries, size_t n,
			   bool are_new)
{
	struct rp_pg_params *p = rp_pg_params(rp_pg_of(t));
	size_t i;

	rp_pg_array_begin(p, RP_PG_INT8, n);
	for (i = 0; i < n; i++)
		rp_pg_add_i64(p, (int64_t)entries[i]->seq);
	rp_pg_array_end(p);
	rp_pg_put_columns(p, &rp_pg_delivery, delivery_at, entries, n);
	if (are_new) {
		rp_pg_array_begin(p, RP_PG_INT8, n);
		for (i = 0; i < n; i++)
			rp_pg_add_i64(p, entries[i]->not_before_at_ms);
		rp_pg_array_end(p);
	}
	rp_pg_ask(t->store->pg, are_new ? &insert_deliveries : &update_deliveries);
}

static void ask_removals(struct rp_pg_txn *t, const uint64_t *seqs, size_t n)
{
	rp_pg_put_u64_array(rp_pg_params(rp_pg_of(t)), seqs, n);
	rp_pg_ask(t->store->pg, &delete_deliveries);
	rp_pg_ask(t->store->pg, &delete_entries);
	rp_pg_ask(t->store->pg, &delete_attempts);
}

static bool ask_entries(struct rp_pg_txn *t)
{
	size_t n = t->parts->entries.n, n_new = 0, n_changed = 0, n_removed = 0;
	struct rp_pg_entry **added = rp_pg_alloc(t, (n + 1) * sizeof(void *)),
			   **changed = rp_pg_alloc(t, (n + 1) * sizeof(void *));
	uint64_t *removed = rp_pg_alloc(t, (n + 1) * sizeof *removed);

	if (added == NULL || changed == NULL || removed == NULL)
		return false;
	RP_PG_EACH(struct rp_pg_entry, entry, &t->parts->entries)
	{
		if (entry->removed && !entry->is_new && entry->seq != 0)
			removed[n_removed++] = entry->seq;
		else if (entry->is_new && !entry->removed)
			added[n_new++] = entry;
		else if (entry->dirty && !entry->removed)
			changed[n_changed++] = entry;
		entry->is_new = entry->dirty = false;
	}
	if (n_new > 0)
		ask_deliveries(t, added, n_new, true);
	if (n_changed > 0)
		ask_deliveries(t, changed, n_changed, false);
	if (n_removed > 0)
		ask_removals(t, removed, n_removed);
	return true;
}

static const void *attempt_at(void *arg, size_t i)
{
	struct rp_pg_logged *const *logged = arg;

	return &logged[i]->a;
}

static void put_numbers(struct rp_pg_params *p, struct rp_pg_logged **l, size_t n,
			int64_t (*number)(const struct rp_pg_logged *l))
{
	size_t i;

	rp_pg_array_begin(p, RP_PG_INT8, n);
	for (i = 0; i < n; i++)
		rp_pg_add_i64(p, number(l[i]));
	rp_pg_array_end(p);
}

static int64_t seq_of(const struct rp_pg_logged *l)
{
	return (int64_t)l->seq;
}

static int64_t endpoint_of(const struct rp_pg_logged *l)
{
	return (int64_t)l->endpoint;
}

static int64_t n_of(const struct rp_pg_logged *l)
{
	return l->n;
}

static int64_t cause_of(const struct rp_pg_logged *l)
{
	return l->a.outcome.cause;
}

static int64_t status_of(const struct rp_pg_logged *l)
{
	return l->a.outcome.http_status;
}

static int64_t slot_of(const struct rp_pg_logged *l)
{
	return l->a.slot;
}

static int64_t duration_ms_of(const struct rp_pg_logged *l)
{
	return l->a.outcome.duration_us / 1000;
}

static void ask_recent(struct rp_pg_txn *t, struct rp_pg_logged **all, size_t n)
{
	struct rp_pg_params *p = rp_pg_params(rp_pg_of(t));
	size_t i;

	rp_pg_put_i64(p, t->now_at_ms);
	put_numbers(p, all, n, seq_of);
	put_numbers(p, all, n, endpoint_of);
	put_numbers(p, all, n, n_of);
	put_numbers(p, all, n, cause_of);
	rp_pg_array_begin(p, RP_PG_BOOL, n);
	for (i = 0; i < n; i++)
		rp_pg_add_bool(p, all[i]->a.late);
	rp_pg_array_end(p);
	put_numbers(p, all, n, status_of);
	put_numbers(p, all, n, slot_of);
	put_numbers(p, all, n, duration_ms_of);
	rp_pg_ask(t->store->pg, &insert_recent);
	rp_pg_params(t->store->pg);
	rp_pg_ask(t->store->pg, &trim_recent);
}

/* Attempts of entries that are there; and of two with one number the last. */
static size_t attempts_to_keep(struct rp_pg_txn *t, struct rp_pg_logged **all, size_t n,
			       struct rp_pg_logged **out)
{
	size_t kept = 0, i, j;

	for (i = 0; i < n; i++) {
		const struct rp_pg_entry *entry =
		    rp_pg_index_find(&t->parts->entry_by_seq, all[i]->seq);

		for (j = i + 1; j < n; j++)
			if (all[j]->seq == all[i]->seq && all[j]->n == all[i]->n)
				break;
		if (j == n && (entry == NULL || !entry->removed))
			out[kept++] = all[i];
	}
	return kept;
}

static bool ask_attempts(struct rp_pg_txn *t)
{
	size_t n = t->parts->logged.n, i;
	struct rp_pg_logged **all = (struct rp_pg_logged **)(void *)t->parts->logged.items,
			    **kept = rp_pg_alloc(t, (n + 1) * sizeof(void *));
	struct rp_pg_params *p;

	if (kept == NULL)
		return false;
	if (n == 0)
		return true;
	ask_recent(t, all, n);
	n = attempts_to_keep(t, all, n, kept);
	t->parts->logged.n = 0;
	p = rp_pg_params(t->store->pg);
	put_numbers(p, kept, n, seq_of);
	put_numbers(p, kept, n, n_of);
	rp_pg_put_columns(p, &rp_pg_attempt, attempt_at, kept, n);
	rp_pg_array_begin(p, RP_PG_BYTEA, n);
	for (i = 0; i < n; i++)
		rp_pg_add_bytea(p, (struct rp_span){(const char *)kept[i]->a.outcome.response,
						    kept[i]->a.outcome.response_bytes});
	rp_pg_array_end(p);
	rp_pg_ask(t->store->pg, &insert_attempts);
	return true;
}

/* --- what comes first -------------------------------------------------------------------- */

struct firsts {
	size_t due, ready; /* answers */
	bool asks_due, asks_ready;
};

static bool is_written(const struct rp_pg_endpoint *ep)
{
	return ep->dirty && !ep->over;
}

/* Paths, from where their entries may be due on. */
static bool ask_first_due(struct rp_pg_txn *t, struct firsts *f)
{
	size_t max = t->parts->endpoints.n, n = 0;
	uint64_t *ids = rp_pg_alloc(t, (max + 1) * sizeof *ids),
		 *floors = rp_pg_alloc(t, (max + 1) * sizeof *floors);
	struct rp_pg_params *p;

	if (ids == NULL || floors == NULL)
		return false;
	RP_PG_EACH(struct rp_pg_endpoint, ep, &t->parts->endpoints)
	{
		if (!is_written(ep) || ep->rec.level != RP_LEVEL_PATH)
			continue;
		ep->rec.first_due_at_ms = RP_NEVER;
		if (ep->floor_ms == RP_NEVER)
			continue;
		ids[n] = ep->id;
		floors[n++] = (uint64_t)ep->floor_ms;
	}
	f->asks_due = n > 0;
	if (n == 0)
		return true;
	p = rp_pg_params(rp_pg_of(t));
	rp_pg_put_u64_array(p, ids, n);
	rp_pg_put_u64_array(p, floors, n);
	f->due = rp_pg_ask(t->store->pg, &first_due);
	return true;
}

static void count_loaded(struct rp_pg_txn *t)
{
	RP_PG_EACH(struct rp_pg_endpoint, ep, &t->parts->endpoints)
	ep->n_loaded = 0;
	RP_PG_EACH(struct rp_pg_endpoint, ep, &t->parts->endpoints)
	{
		struct rp_pg_endpoint *owner = rp_pg_endpoint_of(t, ep->queue);

		if (owner != NULL)
			owner->n_loaded++;
	}
}

/* Sections and hosts: of each as many as are loaded of its queue, and one. */
static bool ask_first_ready(struct rp_pg_txn *t, struct firsts *f)
{
	size_t max = t->parts->endpoints.n, n = 0;
	uint64_t *ids = rp_pg_alloc(t, (max + 1) * sizeof *ids),
		 *limits = rp_pg_alloc(t, (max + 1) * sizeof *limits);
	struct rp_pg_params *p;

	if (ids == NULL || limits == NULL)
		return false;
	count_loaded(t);
	RP_PG_EACH(struct rp_pg_endpoint, ep, &t->parts->endpoints)
	{
		if (!is_written(ep) || ep->is_new || ep->rec.level == RP_LEVEL_PATH ||
		    !rp_schedule_asks_first_due(&ep->rec))
			continue;
		ids[n] = ep->id;
		limits[n++] = ep->n_loaded + 1;
	}
	f->asks_ready = n > 0;
	if (n == 0)
		return true;
	p = rp_pg_params(rp_pg_of(t));
	rp_pg_put_u64_array(p, ids, n);
	rp_pg_put_u64_array(p, limits, n);
	f->ready = rp_pg_ask(t->store->pg, &first_ready);
	return true;
}

static void see_first_due(struct rp_pg_txn *t, const struct rp_pg_rows *rows)
{
	size_t n = rp_pg_n_rows(rows), i;

	for (i = 0; i < n; i++) {
		struct rp_pg_endpoint *ep = rp_pg_endpoint_of(t, (uint64_t)rp_pg_i64(rows, i, 0));

		ep->rec.first_due_at_ms =
		    rp_pg_is_null(rows, i, 1) ? RP_NEVER : rp_pg_i64(rows, i, 1);
		ep->floor_ms = ep->rec.first_due_at_ms;
	}
}

/* The earliest in the queue: of those that are loaded as they are now, of others as they stand in
 * the rows. */
static int64_t first_in_queue_ms(const struct rp_pg_txn *t, uint64_t queue,
				 const struct rp_pg_rows *rows)
{
	int64_t first_ms = RP_NEVER;
	size_t n = rp_pg_n_rows(rows), i;

	for (i = 0; i < n; i++)
		if ((uint64_t)rp_pg_i64(rows, i, 0) == queue && rp_pg_i64(rows, i, 2) < first_ms &&
		    rp_pg_index_find(&t->parts->endpoint_by_id, (uint64_t)rp_pg_i64(rows, i, 1)) ==
			NULL)
			first_ms = rp_pg_i64(rows, i, 2);
	RP_PG_EACH(struct rp_pg_endpoint, ep, &t->parts->endpoints)
	if (!ep->over && ep->queue == queue && ep->rec.level != RP_LEVEL_HOST &&
	    ep->rec.ready_at_ms < first_ms)
		first_ms = ep->rec.ready_at_ms;
	return first_ms;
}

/* --- places ------------------------------------------------------------------------------ */

static void leave(struct rp_pg_txn *t, struct rp_pg_endpoint *ep)
{
	struct rp_pg_endpoint *host = rp_pg_endpoint_of(t, rp_level_host(ep->id)),
			      *section = rp_pg_endpoint_of(t, ep->rec.section);

	if (section != NULL)
		rp_receiver_leave(&section->rec, &ep->rec);
	if (ep->rec.level != RP_LEVEL_HOST)
		host->rec.members--;
	ep->over = true;
}

static void place(struct rp_pg_txn *t, struct rp_pg_endpoint *ep, const struct rp_pg_rows *ready)
{
	int64_t first_at_ms = ep->rec.first_due_at_ms;

	if (ep->rec.level != RP_LEVEL_PATH)
		first_at_ms = rp_schedule_asks_first_due(&ep->rec)
				  ? first_in_queue_ms(t, ep->id, ready)
				  : RP_NEVER;
	rp_schedule_fix_clock(&ep->rec, t->now_at_ms);
	if (ep->rec.level != RP_LEVEL_PATH)
		ep->rec.first_due_at_ms = RP_NEVER;
	ep->rec.ready_at_ms = rp_schedule_ready_at_ms(&ep->rec, first_at_ms, t->now_at_ms);
	if (ep->rec.level == RP_LEVEL_HOST)
		ep->rec.in_proven = rp_schedule_is_proven(&ep->rec, t->now_at_ms);
	ep->queue = rp_schedule_queue(&ep->rec, ep->id);
	if (rp_schedule_is_over(&ep->rec, t->now_at_ms))
		leave(t, ep);
}

static void place_all(struct rp_pg_txn *t, const struct rp_pg_rows *ready)
{
	int level;

	for (level = RP_LEVEL_PATH; level <= RP_LEVEL_HOST; level++)
		RP_PG_EACH(struct rp_pg_endpoint, ep, &t->parts->endpoints)
	if ((int)ep->rec.level == level && is_written(ep))
		place(t, ep, ready);
}

/* --- endpoints --------------------------------------------------------------------------- */

static bool ask_endpoints(struct rp_pg_txn *t)
{
	size_t max = t->parts->endpoints.n, n_new = 0, n_changed = 0, n_over = 0;
	struct rp_pg_endpoint **added = rp_pg_alloc(t, (max + 1) * sizeof(void *)),
			      **changed = rp_pg_alloc(t, (max + 1) * sizeof(void *));
	uint64_t *over = rp_pg_alloc(t, (max + 1) * sizeof *over);

	if (added == NULL || changed == NULL || over == NULL)
		return false;
	RP_PG_EACH(struct rp_pg_endpoint, ep, &t->parts->endpoints)
	{
		if (ep->over && ep->dirty && !ep->is_new)
			over[n_over++] = ep->id;
		else if (is_written(ep) && ep->is_new)
			added[n_new++] = ep;
		else if (is_written(ep))
			changed[n_changed++] = ep;
		ep->dirty = false;
		ep->is_new = ep->is_new && ep->over;
	}
	if (n_new > 0) {
		rp_pg_put_endpoints(rp_pg_params(rp_pg_of(t)), added, n_new, true);
		rp_pg_ask(t->store->pg, &rp_pg_insert_endpoints);
	}
	if (n_changed > 0) {
		rp_pg_put_endpoints(rp_pg_params(rp_pg_of(t)), changed, n_changed, false);
		rp_pg_ask(t->store->pg, &rp_pg_update_endpoints);
	}
	if (n_over > 0) {
		rp_pg_put_u64_array(rp_pg_params(rp_pg_of(t)), over, n_over);
		rp_pg_ask(t->store->pg, &delete_endpoints);
	}
	return true;
}

enum rp_err rp_pg_write(struct rp_pg_txn *t, bool ends, struct rp_error *err)
{
	struct firsts f = {.due = 0};
	enum rp_err e = RP_OK;

	if (!ask_entries(t) || !ask_attempts(t) || !ask_first_due(t, &f) || !ask_first_ready(t, &f))
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	e = rp_pg_go(rp_pg_of(t), err);
	if (e != RP_OK)
		return e;
	if (f.asks_due)
		see_first_due(t, rp_pg_answer(t->store->pg, f.due));
	place_all(t, f.asks_ready ? rp_pg_answer(t->store->pg, f.ready) : NULL);
	if (!ask_endpoints(t))
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	if (ends)
		rp_pg_writer_ask(t->store, t->now_at_ms);
	return RP_OK;
}
