/* fetch.h - private to src/store/lmdb: the transaction in which claimed entries are read. */
#ifndef RP_STORE_LMDB_FETCH_H
#define RP_STORE_LMDB_FETCH_H

#include "store/outbox.h"

struct rp_lmdb;
struct rp_txn;

/* At the end of a handle. */
void rp_fetcher_close(struct rp_lmdb *ob);
/* A snapshot for reading rows, as cheap as can be; one at a time. *t is the handle's until
 * rp_fetcher_end. */
enum rp_err rp_fetcher_begin(struct rp_lmdb *ob, struct rp_txn **t, struct rp_error *err);
void rp_fetcher_end(struct rp_lmdb *ob);
/* Fills in at[] and endpoint_known, as rp_outbox_fetch does. */
enum rp_err rp_fetch_receiver(struct rp_txn *t, uint64_t path, struct rp_dispatch *out,
			      struct rp_error *err);

#endif
