/* order.h - private to src/store/postgres: the live entries of an order, as far as a transaction
 * has to know them. */
#ifndef RP_STORE_POSTGRES_ORDER_H
#define RP_STORE_POSTGRES_ORDER_H

#include "store/postgres/txn.h"

/* The first live entry of the order of `d`, other than number `but`; NULL: there is none. May
 * ask. */
enum rp_err rp_pg_order_first(struct rp_pg_txn *t, const struct rp_delivery *d, uint64_t but,
			      struct rp_pg_entry **out, struct rp_error *err);
/* The entry has moved, or is new: its order knows it from now on. */
enum rp_err rp_pg_order_join(struct rp_pg_txn *t, struct rp_pg_entry *entry, struct rp_error *err);

#endif
