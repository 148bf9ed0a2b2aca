/* order.c - brings model/sequence the first entry of an order, and keeps those behind out of the
 * queue. The answer depends on the states alone, so it can be verified and rebuilt. */

#include "store/lmdb/store_int.h"

#include <inttypes.h>

#include "base/log.h"

/* Flags in the value of an `order` row: what the delivery record says too, so that a damaged one
 * can be rebuilt. A row without flags belongs to the front, waiting or in flight, whose own index
 * row tells the rest. */
enum { ORDER_BEHIND = 1, ORDER_HELD = 2 };

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
		if (e == RP_OK && rp_sequence_is_member(d, endpoint, order_key)) {
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

/* The entry's row goes, so that the table holds the others only. */
static enum rp_err leave(struct rp_txn *t, uint64_t seq, const struct rp_delivery *from,
			 struct rp_error *err)
{
	enum rp_err e = rp_row_del(t, RP_T_ORDER, row_key(seq, from), err);

	if (e != RP_ERR_NOTFOUND)
		return e;
	rp_log(RP_LOG_ERROR, "damage", "seq=%" PRIu64 " what=order_row", seq);
	return RP_OK;
}

enum rp_err rp_order_move(struct rp_txn *t, uint64_t seq, const struct rp_delivery *from,
			  struct rp_delivery *to, struct rp_error *err)
{
	const struct rp_delivery *any = from != NULL ? from : to;
	const struct rp_sequence_move m = {seq, from, to};
	const struct rp_sequence_need need = rp_sequence_need_of(&m);
	struct rp_sequence_choice choice;
	struct rp_delivery first;
	uint64_t first_seq = 0;
	enum rp_err e = need.leaves ? leave(t, seq, from, err) : RP_OK;

	if (e == RP_OK && need.first)
		e = first_of(t, any->endpoint, any->order_key, &first_seq, &first, err);
	if (e != RP_OK)
		return e;
	choice = rp_sequence_choose(&m, first_seq, &first);
	if (to != NULL)
		to->behind = choice.behind;
	if (choice.moves_first)
		e = set_place(t, first_seq, &first, choice.first_behind, err);
	return e == RP_OK && need.enters ? put_row(t, seq, to, err) : e;
}
