/* order.c - keeps the rows of orders: who of an order lives, and who of them stands behind. */

#include "store/lmdb/order.h"

#include <inttypes.h>

#include "base/log.h"
#include "store/lmdb/row.h"

/* Flags in the value of an `order` row: what the delivery record says too, so that a damaged one
 * can be rebuilt. A row without flags belongs to the front, waiting or in flight, whose own index
 * row tells the rest. */
enum { ORDER_BEHIND = 1, ORDER_HELD = 2 };

static struct rp_key row_key(uint64_t seq, const struct rp_delivery *d)
{
	return rp_key3(d->endpoint, d->order_key, seq);
}

enum rp_err rp_order_put(struct rp_txn *t, uint64_t seq, const struct rp_delivery *d,
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

bool rp_order_row_waits(const MDB_val *v)
{
	bool behind, held;

	rp_order_read_row(v, &behind, &held);
	return behind && !held;
}

enum rp_err rp_order_remove(struct rp_txn *t, uint64_t seq, const struct rp_delivery *d,
			    struct rp_error *err)
{
	enum rp_err e = rp_row_del(t, RP_T_ORDER, row_key(seq, d), err);

	if (e != RP_ERR_NOTFOUND)
		return e;
	rp_log(RP_LOG_ERROR, "damage", "seq=%" PRIu64 " what=order_row", seq);
	return RP_OK;
}

enum rp_err rp_order_first(struct rp_txn *t, uint64_t endpoint, uint64_t order_key, uint64_t *seq,
			   struct rp_error *err)
{
	uint64_t key[3];
	enum rp_err e =
	    rp_row_first(t, RP_T_ORDER, rp_key3(endpoint, order_key, 0), key, 3, NULL, err);

	if (e != RP_OK)
		return e;
	*seq = key[2];
	return key[0] == endpoint && key[1] == order_key ? RP_OK : RP_ERR_NOTFOUND;
}
