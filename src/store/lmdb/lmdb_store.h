/* lmdb_store.h - opens an outbox in a directory: the store that LMDB keeps. */
#ifndef RP_STORE_LMDB_LMDB_STORE_H
#define RP_STORE_LMDB_LMDB_STORE_H

#include "store/outbox.h"

/* As rp_outbox_open, of a directory. */
enum rp_err rp_lmdb_open(const char *dir, const struct rp_outbox_options *options,
			 struct rp_outbox **out, struct rp_error *err);

#endif
