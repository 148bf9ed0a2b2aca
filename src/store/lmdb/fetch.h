/* fetch.h - private to src/store/lmdb: the transaction in which claimed entries are read. */
#ifndef RP_STORE_LMDB_FETCH_H
#define RP_STORE_LMDB_FETCH_H

struct rp_lmdb;

/* At the end of a handle. */
void rp_fetcher_close(struct rp_lmdb *ob);

#endif
