#include "store/verify_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* The argument that nothing is missed: each entry is checked to have its facts, its whole payload, its one index row,
 * its order row and its dedupe row; then, because every such row belongs to exactly one entry, equal totals mean that
 * no table holds a row too many. */

static int by_id(const void *a, const void *b)
{
	const struct rp_recount *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static struct rp_recount *find_endpoint(struct rp_check *c, uint64_t id)
{
	struct rp_recount key = {.id = id};

	return c->n_endpoints == 0 ? NULL : bsearch(&key, c->endpoints, c->n_endpoints, sizeof key, by_id);
}

static enum rp_err load_endpoints(struct rp_check *c, struct rp_error *err)
{
	uint64_t id = 0;
	enum rp_err e;

	c->endpoints = calloc(rp_check_rows(c, RP_T_ENDPOINT) + 1, sizeof c->endpoints[0]);
	if (c->endpoints == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	while ((e = rp_row_first(c->t, RP_T_ENDPOINT, rp_key1(id), &id, 1, NULL, err)) == RP_OK)
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
	}
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

static void check_totals(struct rp_check *c)
{
	const struct rp_head *h = &c->t->head;
	uint64_t sum = h->purged;
	int s;

	for (s = RP_STATE_WAITING; s <= RP_STATE_DEAD; s++) {
		char what[40];

		snprintf(what, sizeof what, "ledger: %s", rp_state_name((enum rp_state)s));
		rp_check_total(c, what, h->count[s], c->count[s]);
		sum += h->count[s];
	}
	rp_check_total(c, "ledger: retrying", h->retrying, c->retrying);
	if (!rp_tally_is_sound(c->t))
		rp_check_complain(c, "a record of counters for metrics is damaged");
	rp_check_total(c, "ledger: accepted against the sum of the states and purged", h->accepted, sum);
	rp_check_total(c, "table entry", rp_check_rows(c, RP_T_ENTRY), c->out->entries);
	rp_check_total(c, "table body", rp_check_rows(c, RP_T_BODY), c->chunks);
	rp_check_total(c, "table seen", rp_check_rows(c, RP_T_SEEN), c->out->entries);
	rp_check_total(c, "table alias", rp_check_rows(c, RP_T_ALIAS), c->aliased);
	rp_check_total(c, "table queue", rp_check_rows(c, RP_T_QUEUE), c->queued);
	rp_check_total(c, "table order", rp_check_rows(c, RP_T_ORDER), c->ordered);
	rp_check_total(c, "table held", rp_check_rows(c, RP_T_HELD), c->count[RP_STATE_HELD]);
	rp_check_total(c, "table run", rp_check_rows(c, RP_T_RUN), c->by_run);
	rp_check_total(c, "table claim", rp_check_rows(c, RP_T_CLAIM), c->count[RP_STATE_IN_FLIGHT]);
	rp_check_total(c, "table done", rp_check_rows(c, RP_T_DONE), c->count[RP_STATE_DELIVERED]);
	rp_check_total(c, "table dead", rp_check_rows(c, RP_T_DEAD), c->count[RP_STATE_DEAD]);
	for (s = 0; s < RP_T_COUNT; s++)
		c->out->rows += rp_check_rows(c, (enum rp_table)s);
}

/* Each order has one front: else its entries would overtake each other, or wait for ever. */
static enum rp_err check_orders(struct rp_check *c, struct rp_error *err)
{
	struct rp_order_check o = {0};
	uint64_t key[3] = {0, 0, 0};
	enum rp_err e;
	MDB_val v;

	while ((e = rp_row_first(c->t, RP_T_ORDER, rp_key3(key[0], key[1], key[2]), key, 3, &v, err)) == RP_OK) {
		e = rp_check_order(c, &o, key, &v, err);
		if (e != RP_OK)
			return e;
		key[2]++;
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
				rp_check_complain(
				    c, "endpoint %" PRIu64 ": %s: %" PRIu64 " stored, %" PRIu64 " counted", seen->id,
				    rp_state_name((enum rp_state)s), r.count[s], seen->count[s]);
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

	while ((e = rp_row_first(c->t, RP_T_ATTEMPT, rp_key2(key[0], key[1]), key, 2, &v, err)) == RP_OK) {
		rp_check_attempt(c, key, &v);
		key[1]++;
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
			rp_check_complain(c, "recent attempts: row %" PRIu64 " stands where %" PRIu64 " should", key,
					  expected);
		e = rp_check_recent(c, key, &v, err);
		if (e != RP_OK)
			return e;
		expected = key + rp_recent_count(v.mv_size);
		key++;
	}
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

enum rp_err rp_outbox_verify(struct rp_outbox *ob, void (*problem)(void *arg, const char *text), void *arg,
			     struct rp_verify_counts *out, struct rp_error *err)
{
	struct rp_txn t;
	struct rp_check c = {.t = &t, .problem = problem, .arg = arg, .out = out};
	enum rp_err e = rp_txn_read(ob, &t, err);

	memset(out, 0, sizeof *out);
	if (e != RP_OK)
		return e;
	e = load_endpoints(&c, err);
	if (e == RP_OK)
		e = check_entries(&c, err);
	if (e == RP_OK)
		check_totals(&c);
	if (e == RP_OK)
		e = check_endpoints(&c, err);
	if (e == RP_OK)
		e = check_attempts(&c, err);
	if (e == RP_OK)
		e = check_orders(&c, err);
	if (e == RP_OK)
		e = check_recent(&c, err);
	rp_txn_end(&t);
	free(c.endpoints);
	rp_buf_release(&c.payload);
	return e;
}
