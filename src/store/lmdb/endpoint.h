/* endpoint.h - private to src/store/lmdb: endpoints: names, counters, and the place in the ready
 * queue.
 *
 * Those that a transaction touches are held in memory, and written once, before the commit. */
#ifndef RP_STORE_LMDB_ENDPOINT_H
#define RP_STORE_LMDB_ENDPOINT_H

#include "model/record.h"

struct rp_lmdb;
struct rp_txn;

/* An endpoint as one transaction sees it. */
struct rp_ep {
	uint64_t id;
	struct rp_endpoint rec;
	bool dirty;
	uint64_t was_in_flight; /* when the transaction first met it */
};

/* The endpoint in this transaction; set ep->dirty after changing ep->rec. A damaged record is
 * rebuilt by a recount. */
enum rp_err rp_ep_get(struct rp_txn *t, uint64_t id, struct rp_ep **out, struct rp_error *err);
/* The id of an endpoint by name. RP_ERR_NOTFOUND without filling err: there is none. */
enum rp_err rp_ep_find(struct rp_txn *t, struct rp_span name, uint64_t *id, struct rp_error *err);
/* The same, creating it when it is new. */
enum rp_err rp_ep_intern(struct rp_txn *t, struct rp_span name, uint64_t *id, struct rp_error *err);
enum rp_err rp_ep_name(struct rp_txn *t, uint64_t id, struct rp_span *name, struct rp_error *err);
/* Writes what changed; called by rp_txn_commit. */
enum rp_err rp_ep_flush(struct rp_txn *t, struct rp_error *err);
void rp_ep_forget(struct rp_lmdb *ob); /* at the start of a transaction */

#endif
