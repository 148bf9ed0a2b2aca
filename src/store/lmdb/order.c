/* order.c - finds which entry of an order is in front and keeps the others out of the queue. The
 * answer depends on the states alone, so it can be verified and rebuilt. */

#include "store/lmdb/store_int.h"

#include <inttypes.h>

#include "base/log.h"
#include "sign/crypto.h"

/* Flags in the value of an `order` row: what the delivery record says too, so that a damaged one
 * can be rebuilt. A row without flags belongs to the front, waiting or in flight, whose own index
 * row tells the rest. */
enum { ORDER_BEHIND = 1, ORDER_HELD = 2 };

uint64_t rp_order_key(struct rp_span order_by)
{
	unsigned char sha[RP_SHA256_BYTES];
	struct rp_reader r;
	uint64_t key;

	if (order_by.len == 0)
		return 0;
	rp_sha256(&order_by, 1, sha);
	r = rp_reader_of(sha, sizeof sha);
	key = rp_get_u64(&r);
	return key != 0 ? key : 1;
}

bool rp_order_is_live(const struct rp_delivery *d)
{
	return d->state == RP_STATE_WAITING || d->state == RP_STATE_IN_FLIGHT ||
	       d->state == RP_STATE_HELD;
}

static struct rp_key row_key(uint64_t seq, const struct rp_delivery *d)
{
	return rp_key3(d->endpoint, d->order_key, seq);
}

static enum rp_err put_row(struct rp_txn *t, uint64_t seq, const struct rp_delivery *d,
			   struct rp_error *err)
{
	unsigned char flags = (unsigned char)((d->behind ? ORDER_BEHIND : 0) |
					      (d->state == RP_STATE_HELD ? ORDER_HELD : 0));

	return rp_row_put(t, RP_T_ORDER, row_key(seq, d), &flags, sizeof flags, 0, err);
}

void rp_order_read_row(const MDB_val *v, bool *behind, bool *held)
{
	struct rp_reader r = rp_reader_of(v->mv_data, v->mv_size);
	unsigned flags = rp_get_u8(&r);

	*behind = (flags & ORDER_BEHIND) != 0;
	*held = (flags & ORDER_HELD) != 0;
}

static enum rp_err set_place(struct rp_txn *t, uint64_t seq, struct rp_delivery *d, bool behind,
			     struct rp_error *err)
{
	enum rp_err e = rp_entry_set_behind(t, seq, d, behind, err);

	return e == RP_OK ? put_row(t, seq, d, err) : e;
}

/* A row found on the way that is not to be relied on: without its entry it goes, and an entry
 * whose record is damaged is set aside, or it would stand before the others for ever. */
static enum rp_err mend_row(struct rp_txn *t, uint64_t seq, enum rp_err why, const uint64_t key[3],
			    struct rp_error *err)
{
	struct rp_delivery from, to;
	enum rp_err e;

	if (why != RP_ERR_DAMAGED) {
		rp_log(RP_LOG_ERROR, "damage", "seq=%" PRIu64 " what=stray_order_row", seq);
		return rp_row_del(t, RP_T_ORDER, rp_key3(key[0], key[1], key[2]), err);
	}
	rp_log(RP_LOG_ERROR, "damage", "seq=%" PRIu64 " what=delivery_record", seq);
	e = rp_entry_reconstruct(t, seq, &from, err);
	if (e != RP_OK)
		return e;
	from.endpoint = key[0];
	from.order_key = key[1];
	rp_transition_set_aside(&from, &to);
	return rp_entry_move(t, seq, &from, &to, err);
}

/* The first entry of an order; *seq 0: there is none. */
static enum rp_err first_of(struct rp_txn *t, uint64_t endpoint, uint64_t order_key, uint64_t *seq,
			    struct rp_delivery *d, struct rp_error *err)
{
	uint64_t key[3];
	enum rp_err e;

	*seq = 0;
	while ((e = rp_row_first(t, RP_T_ORDER, rp_key3(endpoint, order_key, 0), key, 3, NULL,
				 err)) == RP_OK &&
	       key[0] == endpoint && key[1] == order_key) {
		e = rp_entry_delivery(t, key[2], d, err);
		if (e == RP_OK && rp_order_is_live(d) && d->endpoint == endpoint &&
		    d->order_key == order_key) {
			*seq = key[2];
			return RP_OK;
		}
		if (e == RP_OK || e == RP_ERR_NOTFOUND || e == RP_ERR_DAMAGED)
			e = mend_row(t, key[2], e, key, err);
		if (e != RP_OK)
			return e;
	}
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

/* An entry that lives on beside `first`, the first of the others: which of the two is in front? */
static enum rp_err compare(struct rp_txn *t, uint64_t seq, bool was_front, struct rp_delivery *to,
			   uint64_t first_seq, struct rp_delivery *first, struct rp_error *err)
{
	if (first_seq < seq) {
		to->behind = true;
		return was_front && first->behind ? set_place(t, first_seq, first, false, err)
						  : RP_OK;
	}
	if (was_front)
		return RP_OK;
	/* Somebody is in flight: the first itself, or a later one for which it waits. */
	if (first->behind || first->state == RP_STATE_IN_FLIGHT) {
		to->behind = true;
		return RP_OK;
	}
	return set_place(t, first_seq, first, true, err);
}

enum rp_err rp_order_move(struct rp_txn *t, uint64_t seq, const struct rp_delivery *from,
			  struct rp_delivery *to, struct rp_error *err)
{
	const struct rp_delivery *any = from != NULL ? from : to;
	bool was = from != NULL && rp_order_is_live(from), was_front = was && !from->behind;
	bool will = to != NULL && rp_order_is_live(to);
	struct rp_delivery first;
	uint64_t first_seq = 0;
	enum rp_err e = RP_OK;

	if (to != NULL)
		to->behind = false;
	if (any->order_key == 0 || (!was && !will))
		return RP_OK;
	/* only the front is claimed, and stays the front */
	if (will && to->state == RP_STATE_IN_FLIGHT)
		return RP_OK;
	if (was)
		e = rp_row_del(t, RP_T_ORDER, row_key(seq, from), err);
	if (e == RP_ERR_NOTFOUND) {
		rp_log(RP_LOG_ERROR, "damage", "seq=%" PRIu64 " what=order_row", seq);
		e = RP_OK;
	}
	/* From here to put_row below the table holds the others only. */
	if (e == RP_OK && (was_front || will))
		e = first_of(t, any->endpoint, any->order_key, &first_seq, &first, err);
	if (e == RP_OK && first_seq != 0 && will)
		e = compare(t, seq, was_front, to, first_seq, &first, err);
	else if (e == RP_OK && first_seq != 0 && first.behind)
		e = set_place(t, first_seq, &first, false, err);
	return e == RP_OK && will ? put_row(t, seq, to, err) : e;
}

enum rp_err rp_outbox_front(struct rp_outbox *ob, const struct rp_delivery *behind,
			    unsigned char id[RP_ID_BYTES], struct rp_error *err)
{
	uint64_t key[3] = {0, 0, 0};
	bool is_behind = true, held;
	struct rp_facts f;
	struct rp_txn t;
	MDB_val v;
	enum rp_err e = rp_txn_read(ob, &t, err);

	while (e == RP_OK && is_behind) {
		e = rp_row_first(&t, RP_T_ORDER,
				 rp_key3(behind->endpoint, behind->order_key, key[2] + 1), key, 3,
				 &v, err);
		if (e == RP_OK && (key[0] != behind->endpoint || key[1] != behind->order_key))
			e = RP_ERR_NOTFOUND;
		if (e == RP_OK)
			rp_order_read_row(&v, &is_behind, &held);
	}
	if (e == RP_OK)
		e = rp_entry_facts(&t, key[2], &f, err);
	if (e == RP_OK)
		memcpy(id, f.id, RP_ID_BYTES);
	rp_txn_end(&t);
	if (e == RP_ERR_NOTFOUND || e == RP_ERR_DAMAGED)
		return rp_fail(err, RP_ERR_NOTFOUND, "no readable entry stands in front");
	return e;
}
