/* order.h - private to src/store/lmdb: entries with the same order_by go one by one.
 *
 * model/sequence.h says who is in front. All others of an order are `behind`: they have no queue
 * row, so that no claim can meet them, and a million of them cost nothing. */
#ifndef RP_STORE_LMDB_ORDER_H
#define RP_STORE_LMDB_ORDER_H

#include <lmdb.h>
#include "model/record.h"

struct rp_txn;

void rp_order_read_row(const MDB_val *v, bool *behind, bool *held);
/* Whether it is of an entry that is WAITING behind another, which has no other row to tell so. */
bool rp_order_row_waits(const MDB_val *v);
/* The row of an entry that lives and has an order, as its values are now. */
enum rp_err rp_order_put(struct rp_txn *t, uint64_t seq, const struct rp_delivery *d,
			 struct rp_error *err);
/* One that is missing is logged as damage, and no error. */
enum rp_err rp_order_remove(struct rp_txn *t, uint64_t seq, const struct rp_delivery *d,
			    struct rp_error *err);
/* The first row of an order. RP_ERR_NOTFOUND without filling err: it has none. */
enum rp_err rp_order_first(struct rp_txn *t, uint64_t endpoint, uint64_t order_key, uint64_t *seq,
			   struct rp_error *err);

#endif
