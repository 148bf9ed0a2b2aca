/* wakeup.h - private to src/store/lmdb: wakes other processes. */
#ifndef RP_STORE_LMDB_HOST_WAKEUP_H
#define RP_STORE_LMDB_HOST_WAKEUP_H

#include "base/err.h"

struct rp_lmdb;

enum rp_err rp_wakeup_open(struct rp_lmdb *ob, struct rp_error *err); /* once is enough */
void rp_wakeup_close(struct rp_lmdb *ob);
/* Wakes the senders that watch: there is work, or a limit was lifted. */
void rp_wakeup_ring(struct rp_lmdb *ob);

#endif
