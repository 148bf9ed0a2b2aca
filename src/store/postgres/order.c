/* order.c - orders. An order is read in pieces, from its first live entry on. All that is live up
 * to the last one that was read is in memory: it was read, or has moved in this transaction. */
#include "store/postgres/order.h"

#include "store/postgres/txn_int.h"

#define PIECE 32
#define TEXT_OF(n) #n
#define LIMIT(n) " LIMIT " TEXT_OF(n)

struct order {
	uint64_t endpoint, key;
	struct order *next;        /* another one with the same number in the index */
	struct rp_pg_list members; /* loaded or moved; some may have left */
	uint64_t read_to;          /* all up to this number were read */
	bool is_read;              /* ... and beyond */
};

static const struct rp_pg_statement read_order = {
    "read_order", "SELECT " RP_PG_ENTRY_ROW " FROM delivery d WHERE d.endpoint = $1::bigint AND"
		  " d.order_key = $2::bigint AND d.order_key <> 0 AND d.state IN (1, 2, 3)"
		  " AND d.seq > $3::bigint ORDER BY d.seq" LIMIT(PIECE)};

static struct order *order_of(struct rp_pg_txn *t, const struct rp_delivery *d)
{
	uint64_t number = (d->order_key ^ d->endpoint * UINT64_C(0x9e3779b97f4a7c15)) | 1;
	struct order *first = rp_pg_index_find(&t->parts->orders, number), *o;

	for (o = first; o != NULL; o = o->next)
		if (o->endpoint == d->endpoint && o->key == d->order_key)
			return o;
	o = rp_pg_alloc(t, sizeof *o);
	if (o == NULL)
		return NULL;
	o->endpoint = d->endpoint;
	o->key = d->order_key;
	if (first != NULL) {
		o->next = first->next;
		first->next = o;
	} else if (!rp_pg_index_add(&t->parts->orders, number, o)) {
		return NULL;
	}
	return o;
}

/* Its list is of the transaction's memory, so it grows by copies. */
static bool join(struct rp_pg_txn *t, struct order *o, struct rp_pg_entry *entry)
{
	struct rp_pg_list *l = &o->members;
	void **items;

	RP_PG_EACH(struct rp_pg_entry, member, l)
	if (member == entry)
		return true;
	if (l->n == l->cap) {
		items = rp_pg_alloc(t, 2 * (l->cap + 8) * sizeof *items);
		if (items == NULL)
			return false;
		if (l->n > 0)
			memcpy(items, l->items, l->n * sizeof *items);
		l->items = items;
		l->cap = 2 * (l->cap + 8);
	}
	l->items[l->n++] = entry;
	return true;
}

static enum rp_err read_on(struct rp_pg_txn *t, struct order *o, struct rp_error *err)
{
	struct rp_pg_params *p = rp_pg_params(rp_pg_of(t));
	const struct rp_pg_rows *rows;
	size_t ask, n, i;
	enum rp_err e;

	rp_pg_put_i64(p, (int64_t)o->endpoint);
	rp_pg_put_i64(p, (int64_t)o->key);
	rp_pg_put_i64(p, (int64_t)o->read_to);
	ask = rp_pg_ask(t->store->pg, &read_order);
	e = rp_pg_go(t->store->pg, err);
	if (e != RP_OK)
		return e;
	rows = rp_pg_answer(t->store->pg, ask);
	n = rp_pg_n_rows(rows);
	for (i = 0; i < n; i++) {
		struct rp_pg_entry *entry = rp_pg_meet_entry(t, rows, i, 0);

		if (entry == NULL || !join(t, o, entry))
			return rp_fail(err, RP_ERR_NOMEM, "out of memory");
		o->read_to = entry->seq;
	}
	o->is_read = n < PIECE;
	return RP_OK;
}

static struct rp_pg_entry *first_of(const struct order *o, uint64_t but)
{
	struct rp_pg_entry *first = NULL;

	RP_PG_EACH(struct rp_pg_entry, member, &o->members)
	if (member->seq != but && !member->removed &&
	    rp_sequence_is_member(&member->d, o->endpoint, o->key) &&
	    (first == NULL || member->seq < first->seq))
		first = member;
	return first;
}

enum rp_err rp_pg_order_first(struct rp_pg_txn *t, const struct rp_delivery *d, uint64_t but,
			      struct rp_pg_entry **out, struct rp_error *err)
{
	struct order *o = order_of(t, d);
	enum rp_err e = RP_OK;

	if (o == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	*out = first_of(o, but);
	while (e == RP_OK && !o->is_read && (*out == NULL || (*out)->seq > o->read_to)) {
		e = read_on(t, o, err);
		*out = first_of(o, but);
	}
	return e;
}

enum rp_err rp_pg_order_join(struct rp_pg_txn *t, struct rp_pg_entry *entry, struct rp_error *err)
{
	struct order *o;

	if (entry->d.order_key == 0)
		return RP_OK;
	o = order_of(t, &entry->d);
	if (o == NULL || !join(t, o, entry))
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	return RP_OK;
}
