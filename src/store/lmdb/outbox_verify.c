/* outbox_verify.c - checks the whole outbox in one snapshot. It sees what only one snapshot can
 * show; outbox_verify_slice.c checks the rest without holding up others. */

#include "store/lmdb/verify_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* The argument that nothing is missed: each entry is checked to have its facts, its whole payload,
 * its one index row, its order row and its dedupe row; then, because every such row belongs to
 * exactly one entry, equal totals mean that no table holds a row too many. */

enum { ASK_STEPS = 1024 };

static enum rp_err advance(struct rp_check *c, uint64_t steps, struct rp_error *err)
{
	c->out->steps += steps;
	if (c->go_on == NULL || c->out->steps - c->asked_at < ASK_STEPS)
		return RP_OK;
	c->asked_at = c->out->steps;
	c->stopped = !c->go_on(c->arg, c->out);
	return c->stopped ? rp_fail(err, RP_ERR_STALE, "stopped") : RP_OK;
}

static int by_id(const void *a, const void *b)
{
	const struct rp_recount *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static struct rp_recount *find_endpoint(struct rp_check *c, uint64_t id)
{
	struct rp_recount key = {.id = id};

	return c->n_endpoints == 0 ? NULL
				   : bsearch(&key, c->endpoints, c->n_endpoints, sizeof key, by_id);
}

static enum rp_err load_endpoints(struct rp_check *c, struct rp_error *err)
{
	uint64_t id = 0;
	enum rp_err e;

	c->endpoints = calloc(rp_check_rows(c, RP_T_ENDPOINT) + 1, sizeof c->endpoints[0]);
	if (c->endpoints == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	while ((e = rp_row_first(c->t, RP_T_ENDPOINT, rp_key1(id), &id, 1, NULL, err)) == RP_OK &&
	       c->n_endpoints < rp_check_rows(c, RP_T_ENDPOINT))
		c->endpoints[c->n_endpoints++].id = id++;
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

static enum rp_err check_entries(struct rp_check *c, struct rp_error *err)
{
	struct rp_recount *ep;
	uint64_t seq = 0;
	enum rp_err e;
	MDB_val v;

	while ((e = rp_row_first(c->t, RP_T_DELIVERY, rp_key1(seq), &seq, 1, &v, err)) == RP_OK) {
		struct rp_delivery d;

		e = rp_check_entry(c, seq, &v, &d, err);
		if (e != RP_OK)
			return e;
		c->count[d.state]++;
		c->retrying += d.state == RP_STATE_WAITING && d.attempts > 0;
		ep = find_endpoint(c, d.endpoint);
		if (ep != NULL)
			ep->count[d.state]++;
		seq++;
		e = advance(c, RP_VERIFY_ENTRY_STEPS, err);
		if (e != RP_OK)
			return e;
	}
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

static enum rp_err check_totals(struct rp_check *c, struct rp_error *err)
{
	const struct rp_head *h = &c->t->head;
	uint64_t sum = h->purged;
	int s;

	(void)err;
	for (s = RP_STATE_WAITING; s <= RP_STATE_DEAD; s++) {
		char what[40];

		snprintf(what, sizeof what, "ledger: %s", rp_state_name((enum rp_state)s));
		rp_check_total(c, what, h->count[s], c->count[s]);
		sum += h->count[s];
	}
	rp_check_total(c, "ledger: retrying", h->retrying, c->retrying);
	rp_check_total(c, "ledger: accepted against the sum of the states and purged", h->accepted,
		       sum);
	rp_check_total(c, "table entry", rp_check_rows(c, RP_T_ENTRY), c->out->entries);
	rp_check_total(c, "table body", rp_check_rows(c, RP_T_BODY), c->chunks);
	rp_check_total(c, "table seen", rp_check_rows(c, RP_T_SEEN), c->out->entries);
	rp_check_total(c, "table alias", rp_check_rows(c, RP_T_ALIAS), c->aliased);
	rp_check_total(c, "table queue", rp_check_rows(c, RP_T_QUEUE), c->queued);
	rp_check_total(c, "table order", rp_check_rows(c, RP_T_ORDER), c->ordered);
	rp_check_total(c, "table held", rp_check_rows(c, RP_T_HELD), c->count[RP_STATE_HELD]);
	rp_check_total(c, "table run", rp_check_rows(c, RP_T_RUN), c->by_run);
	rp_check_total(c, "table claim", rp_check_rows(c, RP_T_CLAIM),
		       c->count[RP_STATE_IN_FLIGHT]);
	rp_check_total(c, "table done", rp_check_rows(c, RP_T_DONE), c->count[RP_STATE_DELIVERED]);
	rp_check_total(c, "table dead", rp_check_rows(c, RP_T_DEAD), c->count[RP_STATE_DEAD]);
	for (s = 0; s < RP_T_COUNT; s++)
		c->out->rows += rp_check_rows(c, (enum rp_table)s);
	return RP_OK;
}

/* Each order has one front: else its entries would overtake each other, or wait for ever. */
static enum rp_err check_orders(struct rp_check *c, struct rp_error *err)
{
	struct rp_order_check o = {0};
	uint64_t key[3] = {0, 0, 0};
	enum rp_err e;
	MDB_val v;

	while ((e = rp_row_first(c->t, RP_T_ORDER, rp_key3(key[0], key[1], key[2]), key, 3, &v,
				 err)) == RP_OK) {
		e = rp_check_order(c, &o, key, &v, err);
		if (e != RP_OK)
			return e;
		key[2]++;
		e = advance(c, 1, err);
		if (e != RP_OK)
			return e;
	}
	rp_check_end_order(c, &o);
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

static enum rp_err check_endpoints(struct rp_check *c, struct rp_error *err)
{
	uint64_t on_agenda = 0;
	size_t i;
	int s;

	for (i = 0; i < c->n_endpoints; i++) {
		const struct rp_recount *seen = &c->endpoints[i];
		struct rp_endpoint r;
		MDB_val v;
		enum rp_err e = rp_row_get(c->t, RP_T_ENDPOINT, rp_key1(seen->id), &v, err);

		if (e != RP_OK)
			return e;
		if (!rp_check_endpoint(c, seen->id, &v, &r))
			continue;
		for (s = RP_STATE_WAITING; s <= RP_STATE_DEAD; s++)
			if (r.count[s] != seen->count[s])
				rp_check_complain(c,
						  "endpoint %" PRIu64 ": %s: %" PRIu64
						  " stored, %" PRIu64 " counted",
						  seen->id, rp_state_name((enum rp_state)s),
						  r.count[s], seen->count[s]);
		on_agenda += r.look_at_ms != RP_LOOK_NEVER;
	}
	rp_check_total(c, "table agenda", rp_check_rows(c, RP_T_AGENDA), on_agenda);
	rp_check_total(c, "table endpoint_id", rp_check_rows(c, RP_T_ENDPOINT_ID), c->n_endpoints);
	return RP_OK;
}

static enum rp_err check_attempts(struct rp_check *c, struct rp_error *err)
{
	uint64_t key[2] = {0, 0};
	enum rp_err e;
	MDB_val v;

	while ((e = rp_row_first(c->t, RP_T_ATTEMPT, rp_key2(key[0], key[1]), key, 2, &v, err)) ==
	       RP_OK) {
		rp_check_attempt(c, key, &v);
		key[1]++;
		e = advance(c, 1, err);
		if (e != RP_OK)
			return e;
	}
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

static enum rp_err check_recent(struct rp_check *c, struct rp_error *err)
{
	uint64_t key = 0, expected = 0;
	enum rp_err e;
	MDB_val v;

	while ((e = rp_row_first(c->t, RP_T_RECENT, rp_key1(key), &key, 1, &v, err)) == RP_OK) {
		if (expected != 0 && key != expected)
			rp_check_complain(
			    c, "recent attempts: row %" PRIu64 " stands where %" PRIu64 " should",
			    key, expected);
		e = rp_check_recent(c, key, &v, err);
		if (e != RP_OK)
			return e;
		expected = key + rp_recent_count(v.mv_size);
		key++;
	}
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

static enum rp_err check_job_entries(struct rp_check *c, struct rp_error *err)
{
	uint64_t key[3] = {0, 0, 0};
	enum rp_err e;
	MDB_val v;

	while ((e = rp_row_first(c->t, RP_T_JOB_ENTRY, rp_key3(key[0], key[1], key[2]), key, 3, &v,
				 err)) == RP_OK) {
		rp_check_job_entry(c, key, &v);
		key[2]++;
		e = advance(c, 1, err);
		if (e != RP_OK)
			return e;
	}
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

static enum rp_err check_jobs(struct rp_check *c, struct rp_error *err)
{
	uint64_t number;
	enum rp_err e;
	size_t n;
	MDB_val v;

	for (number = 0;
	     (e = rp_row_first(c->t, RP_T_JOB, rp_key1(number), &number, 1, &v, err)) == RP_OK;
	     number++) {
		e = rp_check_job(c, number, &v, SIZE_MAX - 1, &n, err);
		if (e != RP_OK)
			return e;
	}
	if (e != RP_ERR_NOTFOUND)
		return e;
	rp_check_total(c, "table job_entry", rp_check_rows(c, RP_T_JOB_ENTRY), c->planned);
	for (number = 0;
	     (e = rp_row_first(c->t, RP_T_AUDIT, rp_key1(number), &number, 1, &v, err)) == RP_OK;
	     number++)
		rp_check_audit(c, number, &v);
	return e == RP_ERR_NOTFOUND ? check_job_entries(c, err) : e;
}

/* --- all of it ----------------------------------------------------------------------------
 */

static bool go_on_with_pages(void *arg, uint64_t n_pages)
{
	struct rp_check *c = arg;

	c->out->steps = n_pages;
	return advance(c, 0, NULL) == RP_OK;
}

/* Begins the transaction of the check, and looks at its pages, if need be in several goes. */
static enum rp_err check_pages(struct rp_check *c, struct rp_outbox *ob, struct rp_error *err)
{
	struct rp_pages_watch watch = {c->problem, c->arg, go_on_with_pages, c};
	enum rp_err e = RP_ERR_STALE;
	int i;

	for (i = 0; i < RP_VERIFY_TRIES && e == RP_ERR_STALE && !c->stopped; i++) {
		e = rp_txn_read(ob, c->t, err);
		if (e != RP_OK)
			return e;
		c->out->steps_all = rp_check_pages(c) +
				    RP_VERIFY_ENTRY_STEPS * rp_check_rows(c, RP_T_DELIVERY) +
				    rp_check_rows(c, RP_T_ATTEMPT) + rp_check_rows(c, RP_T_ORDER) +
				    rp_check_rows(c, RP_T_JOB_ENTRY);
		e = rp_pages_check(c->t, &watch, &c->out->problems, err);
		if (e != RP_OK)
			rp_txn_end(c->t);
	}
	if (e == RP_ERR_STALE)
		return c->stopped ? rp_fail(err, e, "stopped")
				  : rp_fail(err, RP_ERR_BUSY,
					    "%s: too busy to be checked; try again", ob->dir);
	c->out->steps = rp_check_pages(c); /* those that are free, too */
	return e;
}

enum rp_err rp_outbox_verify(struct rp_outbox *ob, void (*problem)(void *arg, const char *text),
			     bool (*go_on)(void *arg, const struct rp_verify_counts *so_far),
			     void *arg, struct rp_verify_counts *out, struct rp_error *err)
{
	static enum rp_err (*const parts[])(struct rp_check * c, struct rp_error * err) = {
	    load_endpoints, check_entries, check_totals, rp_check_tally, check_endpoints,
	    check_attempts, check_orders,  check_jobs,   check_recent,
	};
	struct rp_txn t;
	struct rp_check c = {.t = &t, .problem = problem, .go_on = go_on, .arg = arg, .out = out};
	bool sound;
	enum rp_err e;
	size_t i;

	memset(out, 0, sizeof *out);
	e = check_pages(&c, ob, err);
	if (e != RP_OK)
		return e;
	sound = out->problems == 0; /* LMDB would be led astray by damaged pages */
	for (i = 0; i < sizeof parts / sizeof parts[0] && e == RP_OK && sound; i++)
		e = parts[i](&c, err);
	rp_txn_end(&t);
	free(c.endpoints);
	rp_buf_release(&c.payload);
	return e;
}
