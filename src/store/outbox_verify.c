#include "store/store_int.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* The argument that nothing is missed: each entry is checked to have its facts, its whole payload, its one index row,
 * its order row and its dedupe row; then, because every such row belongs to exactly one entry, equal totals mean that
 * no table holds a row too many. */

/* Meta pages are taken again by the second commit after theirs. */
#define PAGES_TRIES 1000

struct recount {
	uint64_t id;
	uint64_t count[RP_STATE_COUNT];
};

struct check {
	struct rp_txn *t;
	void (*problem)(void *arg, const char *text);
	void *arg;
	struct rp_verify_counts *out;
	uint64_t count[RP_STATE_COUNT];
	uint64_t queued, ordered, by_run, retrying, aliased;
	uint64_t chunks;
	struct recount *endpoints; /* sorted by id */
	size_t n_endpoints;
	struct rp_buf payload;
};

static void complain(struct check *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void complain(struct check *c, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	c->out->problems++;
	c->problem(c->arg, text);
}

/* Real trouble (memory, I/O) ends the check; damage is what it looks for. */
static bool is_trouble(enum rp_err e)
{
	return e != RP_OK && e != RP_ERR_NOTFOUND && e != RP_ERR_DAMAGED;
}

static uint64_t table_rows(struct check *c, enum rp_table table)
{
	MDB_stat st = {0};

	mdb_stat(c->t->mdb, c->t->ob->table[table], &st);
	return st.ms_entries;
}

static int by_id(const void *a, const void *b)
{
	const struct recount *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static struct recount *find_endpoint(struct check *c, uint64_t id)
{
	struct recount key = {.id = id};

	return c->n_endpoints == 0 ? NULL : bsearch(&key, c->endpoints, c->n_endpoints, sizeof key, by_id);
}

static enum rp_err load_endpoints(struct check *c, struct rp_error *err)
{
	uint64_t id = 0;
	enum rp_err e;

	c->endpoints = calloc(table_rows(c, RP_T_ENDPOINT) + 1, sizeof c->endpoints[0]);
	if (c->endpoints == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	while ((e = rp_row_first(c->t, RP_T_ENDPOINT, rp_key1(id), &id, 1, NULL, err)) == RP_OK &&
	       c->n_endpoints < table_rows(c, RP_T_ENDPOINT))
		c->endpoints[c->n_endpoints++].id = id++;
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

static bool has_row(struct check *c, enum rp_table table, struct rp_key key)
{
	MDB_val v;

	return rp_row_get(c->t, table, key, &v, NULL) == RP_OK;
}

static bool has_dead_row(struct check *c, uint64_t seq, const struct rp_delivery *d)
{
	unsigned char why[RP_WHY_BYTES];
	MDB_val v;

	if (rp_row_get(c->t, RP_T_DEAD, rp_key2((uint64_t)d->state_at_ms, seq), &v, NULL) != RP_OK)
		return false;
	rp_entry_put_why(d, why);
	if (v.mv_size != sizeof why || memcmp(v.mv_data, why, sizeof why) != 0)
		complain(c, "entry %" PRIu64 ": its row among the dead tells another cause than its delivery record",
			 seq);
	return true;
}

static void check_index_row(struct check *c, uint64_t seq, const struct rp_delivery *d)
{
	bool there = true;

	switch (d->state) {
	case RP_STATE_WAITING:
		if (d->behind)
			break;
		c->queued++;
		there = has_row(c, RP_T_QUEUE, rp_key3(d->endpoint, (uint64_t)d->due_at_ms, seq));
		break;
	case RP_STATE_IN_FLIGHT:
		there = has_row(c, RP_T_CLAIM, rp_key2(d->slot, seq));
		if (!has_row(c, RP_T_SENDER, rp_key1(d->slot)))
			complain(c, "entry %" PRIu64 ": is claimed by sender slot %u, which nobody has registered", seq,
				 d->slot);
		break;
	case RP_STATE_DELIVERED:
		there = has_row(c, RP_T_DONE, rp_key2((uint64_t)d->state_at_ms, seq));
		break;
	case RP_STATE_DEAD:
		there = has_dead_row(c, seq, d);
		break;
	case RP_STATE_HELD:
		there = has_row(c, RP_T_HELD, rp_key2((uint64_t)d->state_at_ms, seq));
		break;
	}
	if (!there)
		complain(c, "entry %" PRIu64 ": is %s, but the index row for it is missing", seq,
			 rp_state_name(d->state));
}

static void check_order_row(struct check *c, uint64_t seq, const struct rp_delivery *d)
{
	bool behind, held;
	MDB_val v;

	if (d->behind && (d->order_key == 0 || !rp_order_is_live(d) || d->state == RP_STATE_IN_FLIGHT))
		complain(c, "entry %" PRIu64 ": is behind, which an entry like it cannot be", seq);
	if (d->order_key == 0 || !rp_order_is_live(d))
		return;
	c->ordered++;
	if (rp_row_get(c->t, RP_T_ORDER, rp_key3(d->endpoint, d->order_key, seq), &v, NULL) != RP_OK) {
		complain(c, "entry %" PRIu64 ": has an order_by, but its order row is missing", seq);
		return;
	}
	rp_order_read_row(&v, &behind, &held);
	if (behind != d->behind || held != (d->state == RP_STATE_HELD))
		complain(c, "entry %" PRIu64 ": its order row contradicts its delivery record", seq);
}

static enum rp_err count_chunks(struct check *c, uint64_t seq, struct rp_error *err)
{
	uint64_t key[2] = {seq, 0};
	enum rp_err e;

	while ((e = rp_row_first(c->t, RP_T_BODY, rp_key2(seq, key[1]), key, 2, NULL, err)) == RP_OK && key[0] == seq) {
		c->chunks++;
		key[1]++;
	}
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

/* Whether the entry's id leads to it. */
static void check_id(struct check *c, uint64_t seq, const unsigned char id[RP_ID_BYTES])
{
	uint64_t there;

	c->aliased += rp_id_seq(id) != seq;
	if (rp_entry_seq(c->t, id, &there, NULL) != RP_OK || there != seq)
		complain(c, "entry %" PRIu64 ": its id does not lead to it", seq);
}

static enum rp_err check_facts(struct check *c, uint64_t seq, const struct rp_delivery *d, struct rp_error *err)
{
	struct rp_facts f;
	enum rp_err e = rp_entry_facts(c->t, seq, &f, err);
	unsigned char run_key[RP_RUN_KEY_MAX];
	MDB_val k, v;

	if (e != RP_OK) {
		if (!is_trouble(e))
			complain(c, "entry %" PRIu64 ": its record is %s", seq,
				 e == RP_ERR_NOTFOUND ? "missing" : "damaged");
		return is_trouble(e) ? e : count_chunks(c, seq, err);
	}
	check_id(c, seq, f.id);
	if (d->state != 0 && f.endpoint != d->endpoint)
		complain(c, "entry %" PRIu64 ": its two records name different endpoints", seq);
	if (d->state != 0 && rp_order_key(f.order_by) != d->order_key)
		complain(c, "entry %" PRIu64 ": its two records name different orders", seq);
	k = (MDB_val){f.dedupe_key.len, (void *)(uintptr_t)f.dedupe_key.ptr};
	if (mdb_get(c->t->mdb, c->t->ob->table[RP_T_SEEN], &k, &v) != 0 || v.mv_size != RP_ID_BYTES ||
	    memcmp(v.mv_data, f.id, RP_ID_BYTES) != 0)
		complain(c, "entry %" PRIu64 ": its dedupe key does not lead back to it", seq);
	k = (MDB_val){rp_entry_run_key(seq, f.run_id, f.dedupe_key, run_key), run_key};
	c->by_run += k.mv_size > 0;
	if (k.mv_size > 0 && mdb_get(c->t->mdb, c->t->ob->table[RP_T_RUN], &k, &v) != 0)
		complain(c, "entry %" PRIu64 ": its run does not lead to it", seq);
	rp_buf_clear(&c->payload);
	e = rp_entry_payload(c->t, seq, &f, &c->payload, err);
	if (e == RP_ERR_DAMAGED)
		complain(c, "entry %" PRIu64 ": its payload does not match its checksum", seq);
	return is_trouble(e) ? e : count_chunks(c, seq, err);
}

static enum rp_err check_entries(struct check *c, struct rp_error *err)
{
	struct recount *ep;
	uint64_t seq = 0;
	enum rp_err e;
	MDB_val v;

	while ((e = rp_row_first(c->t, RP_T_DELIVERY, rp_key1(seq), &seq, 1, &v, err)) == RP_OK) {
		struct rp_delivery d;

		c->out->entries++;
		if (!rp_delivery_unpack(&d, seq, v.mv_data, v.mv_size)) {
			complain(c, "entry %" PRIu64 ": its delivery record is damaged", seq);
		} else {
			c->count[d.state]++;
			c->retrying += d.state == RP_STATE_WAITING && d.attempts > 0;
			ep = find_endpoint(c, d.endpoint);
			if (ep == NULL)
				complain(c, "entry %" PRIu64 ": its endpoint %" PRIu64 " does not exist", seq,
					 d.endpoint);
			else
				ep->count[d.state]++;
			check_index_row(c, seq, &d);
			check_order_row(c, seq, &d);
		}
		e = check_facts(c, seq, &d, err);
		if (e != RP_OK)
			return e;
		seq++;
	}
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

static void check_total(struct check *c, const char *what, uint64_t stored, uint64_t counted)
{
	if (stored != counted)
		complain(c, "%s: %" PRIu64 " stored, %" PRIu64 " counted", what, stored, counted);
}

static void check_totals(struct check *c)
{
	const struct rp_head *h = &c->t->head;
	uint64_t sum = h->purged;
	int s;

	for (s = RP_STATE_WAITING; s <= RP_STATE_DEAD; s++) {
		char what[40];

		snprintf(what, sizeof what, "ledger: %s", rp_state_name((enum rp_state)s));
		check_total(c, what, h->count[s], c->count[s]);
		sum += h->count[s];
	}
	check_total(c, "ledger: retrying", h->retrying, c->retrying);
	check_total(c, "ledger: accepted against the sum of the states and purged", h->accepted, sum);
	check_total(c, "table entry", table_rows(c, RP_T_ENTRY), c->out->entries);
	check_total(c, "table body", table_rows(c, RP_T_BODY), c->chunks);
	check_total(c, "table seen", table_rows(c, RP_T_SEEN), c->out->entries);
	check_total(c, "table alias", table_rows(c, RP_T_ALIAS), c->aliased);
	check_total(c, "table queue", table_rows(c, RP_T_QUEUE), c->queued);
	check_total(c, "table order", table_rows(c, RP_T_ORDER), c->ordered);
	check_total(c, "table held", table_rows(c, RP_T_HELD), c->count[RP_STATE_HELD]);
	check_total(c, "table run", table_rows(c, RP_T_RUN), c->by_run);
	check_total(c, "table claim", table_rows(c, RP_T_CLAIM), c->count[RP_STATE_IN_FLIGHT]);
	check_total(c, "table done", table_rows(c, RP_T_DONE), c->count[RP_STATE_DELIVERED]);
	check_total(c, "table dead", table_rows(c, RP_T_DEAD), c->count[RP_STATE_DEAD]);
	for (s = 0; s < RP_T_COUNT; s++)
		c->out->rows += table_rows(c, (enum rp_table)s);
}

static enum rp_err check_tally(struct check *c, struct rp_error *err)
{
	enum rp_err e = rp_tally_verify(c->t, err);

	if (e != RP_ERR_DAMAGED)
		return e;
	complain(c, "a record of counters for metrics is damaged");
	return RP_OK;
}

struct order_check {
	uint64_t endpoint, key;
	uint64_t first_seq, fronts, in_flight;
	bool first_is_front;
};

static void end_order(struct check *c, const struct order_check *o)
{
	if (o->first_seq == 0)
		return;
	if (o->fronts != 1)
		complain(c, "order of entry %" PRIu64 ": %" PRIu64 " entries stand in front instead of one",
			 o->first_seq, o->fronts);
	else if (!o->first_is_front && o->in_flight == 0)
		complain(c, "order of entry %" PRIu64 ": a later entry stands in front", o->first_seq);
}

/* Each order has one front: else its entries would overtake each other, or wait for ever. */
static enum rp_err check_orders(struct check *c, struct rp_error *err)
{
	uint64_t key[3] = {0, 0, 0};
	struct order_check o = {0};
	bool behind, held;
	enum rp_err e;
	MDB_val v;

	while ((e = rp_row_first(c->t, RP_T_ORDER, rp_key3(key[0], key[1], key[2]), key, 3, &v, err)) == RP_OK) {
		struct rp_delivery d;

		rp_order_read_row(&v, &behind, &held);
		if (o.first_seq == 0 || key[0] != o.endpoint || key[1] != o.key) {
			end_order(c, &o);
			o = (struct order_check){.endpoint = key[0], .key = key[1]};
		}
		e = rp_entry_delivery(c->t, key[2], &d, err);
		if (is_trouble(e))
			return e;
		if (e == RP_ERR_NOTFOUND ||
		    (e == RP_OK && (!rp_order_is_live(&d) || d.endpoint != key[0] || d.order_key != key[1]))) {
			complain(c, "entry %" PRIu64 ": has an order row that does not belong to it", key[2]);
		} else {
			if (o.first_seq == 0) {
				o.first_seq = key[2];
				o.first_is_front = !behind;
			}
			o.fronts += !behind;
			o.in_flight += d.state == RP_STATE_IN_FLIGHT;
		}
		key[2]++;
	}
	end_order(c, &o);
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

/* An endpoint with work that stands nowhere on the agenda would never be looked at: the worst kind of damage. */
static void check_agenda(struct check *c, uint64_t id, const struct rp_endpoint *r)
{
	uint64_t key[3];
	int64_t ready_at_ms = rp_ep_ready_at_ms(r);

	if (r->look_at_ms != RP_LOOK_NEVER && !has_row(c, RP_T_AGENDA, rp_key2((uint64_t)r->look_at_ms, id)))
		complain(c, "endpoint %" PRIu64 ": its agenda row is missing", id);
	if (ready_at_ms == RP_LOOK_NEVER && r->look_at_ms != RP_LOOK_NEVER)
		complain(c, "endpoint %" PRIu64 ": is on the agenda, though nothing may be claimed from it", id);
	if (r->count[RP_STATE_WAITING] == 0 || ready_at_ms == RP_LOOK_NEVER)
		return;
	if (rp_row_first(c->t, RP_T_QUEUE, rp_key3(id, 0, 0), key, 3, NULL, NULL) != RP_OK || key[0] != id)
		return; /* all are behind one in flight or held; else the totals have said so */
	if (r->look_at_ms > (int64_t)key[1] && r->look_at_ms > r->served_at_ms && r->look_at_ms > ready_at_ms)
		complain(c, "endpoint %" PRIu64 ": has work that nobody would look at in time", id);
}

static void check_name(struct check *c, uint64_t id)
{
	struct rp_span name;
	uint64_t back = 0;

	if (rp_ep_name(c->t, id, &name, NULL) != RP_OK)
		complain(c, "endpoint %" PRIu64 ": its name is missing", id);
	else if (rp_ep_find(c->t, name, &back, NULL) != RP_OK || back != id)
		complain(c, "endpoint %" PRIu64 ": its name does not lead back to it", id);
}

static enum rp_err check_endpoints(struct check *c, struct rp_error *err)
{
	uint64_t on_agenda = 0;
	size_t i;
	int s;

	for (i = 0; i < c->n_endpoints; i++) {
		const struct recount *seen = &c->endpoints[i];
		struct rp_endpoint r;
		MDB_val v;
		enum rp_err e = rp_row_get(c->t, RP_T_ENDPOINT, rp_key1(seen->id), &v, err);

		if (e != RP_OK)
			return e;
		if (!rp_endpoint_unpack(&r, seen->id, v.mv_data, v.mv_size)) {
			complain(c, "endpoint %" PRIu64 ": its record is damaged", seen->id);
			continue;
		}
		for (s = RP_STATE_WAITING; s <= RP_STATE_DEAD; s++)
			if (r.count[s] != seen->count[s])
				complain(c, "endpoint %" PRIu64 ": %s: %" PRIu64 " stored, %" PRIu64 " counted",
					 seen->id, rp_state_name((enum rp_state)s), r.count[s], seen->count[s]);
		check_name(c, seen->id);
		check_agenda(c, seen->id, &r);
		on_agenda += r.look_at_ms != RP_LOOK_NEVER;
	}
	check_total(c, "table agenda", table_rows(c, RP_T_AGENDA), on_agenda);
	check_total(c, "table endpoint_id", table_rows(c, RP_T_ENDPOINT_ID), c->n_endpoints);
	return RP_OK;
}

static enum rp_err check_attempts(struct check *c, struct rp_error *err)
{
	uint64_t key[2] = {0, 0};
	enum rp_err e;
	MDB_val v;

	while ((e = rp_row_first(c->t, RP_T_ATTEMPT, rp_key2(key[0], key[1]), key, 2, &v, err)) == RP_OK) {
		struct rp_attempt a;

		if (!rp_attempt_unpack(&a, key[0], v.mv_data, v.mv_size))
			complain(c, "entry %" PRIu64 ": the record of attempt %" PRIu64 " is damaged", key[0], key[1]);
		if (!has_row(c, RP_T_DELIVERY, rp_key1(key[0])))
			complain(c, "attempt %" PRIu64 " of entry %" PRIu64 ": there is no such entry", key[1], key[0]);
		key[1]++;
	}
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

/* Whether the log of recent attempts agrees with the entry, if that is still there. */
static enum rp_err check_noted(struct check *c, const struct rp_recent *r, struct rp_error *err)
{
	struct rp_delivery d;
	enum rp_err e = rp_entry_delivery(c->t, r->seq, &d, err);

	if (e == RP_OK && r->attempt > d.attempts)
		complain(c, "entry %" PRIu64 ": attempt %" PRIu32 " is in the log, but it has had only %" PRIu32,
			 r->seq, r->attempt, d.attempts);
	return is_trouble(e) ? e : RP_OK;
}

static enum rp_err check_recent(struct check *c, struct rp_error *err)
{
	struct rp_recent row[RP_RECENT_ROW_ATTEMPTS];
	uint64_t key = 0, expected = 0;
	int64_t settled_at_ms;
	enum rp_err e;
	size_t n, i;
	MDB_val v;

	while ((e = rp_row_first(c->t, RP_T_RECENT, rp_key1(key), &key, 1, &v, err)) == RP_OK) {
		if (expected != 0 && key != expected)
			complain(c, "recent attempts: row %" PRIu64 " stands where %" PRIu64 " should", key, expected);
		n = rp_recent_unpack(&settled_at_ms, row, key, v.mv_data, v.mv_size);
		if (n == 0)
			complain(c, "recent attempts: row %" PRIu64 " is damaged", key);
		for (i = 0; i < n; i++) {
			e = check_noted(c, &row[i], err);
			if (e != RP_OK)
				return e;
		}
		expected = key + rp_recent_count(v.mv_size);
		key++;
	}
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

/* Begins the transaction of the check, and looks at its pages, if need be in several goes. */
static enum rp_err check_pages(struct check *c, struct rp_outbox *ob, struct rp_error *err)
{
	enum rp_err e = RP_ERR_STALE;
	int i;

	for (i = 0; i < PAGES_TRIES && e == RP_ERR_STALE; i++) {
		e = rp_txn_read(ob, c->t, err);
		if (e != RP_OK)
			return e;
		e = rp_pages_check(c->t, c->problem, c->arg, &c->out->problems, err);
		if (e != RP_OK)
			rp_txn_end(c->t);
	}
	return e == RP_ERR_STALE ? rp_fail(err, RP_ERR_BUSY, "%s: too busy to be checked; try again", ob->dir) : e;
}

static void say_problem(void *arg, const char *text)
{
	complain(arg, "%s", text);
}

enum rp_err rp_outbox_verify(struct rp_outbox *ob, void (*problem)(void *arg, const char *text), void *arg,
			     struct rp_verify_counts *out, struct rp_error *err)
{
	struct rp_txn t;
	struct check c = {.t = &t, .problem = problem, .arg = arg, .out = out};
	enum rp_err e;

	memset(out, 0, sizeof *out);
	e = check_pages(&c, ob, err);
	if (e != RP_OK)
		return e;
	if (out->problems > 0) { /* LMDB would be led astray by them */
		rp_txn_end(&t);
		return RP_OK;
	}
	e = load_endpoints(&c, err);
	if (e == RP_OK)
		e = check_entries(&c, err);
	if (e == RP_OK)
		check_totals(&c);
	if (e == RP_OK)
		e = check_tally(&c, err);
	if (e == RP_OK)
		e = check_endpoints(&c, err);
	if (e == RP_OK)
		e = check_attempts(&c, err);
	if (e == RP_OK)
		e = check_orders(&c, err);
	if (e == RP_OK)
		e = rp_verify_jobs(&t, say_problem, &c, err);
	if (e == RP_OK)
		e = check_recent(&c, err);
	rp_txn_end(&t);
	free(c.endpoints);
	rp_buf_release(&c.payload);
	return e;
}
