/* postgres_store.h - the store in a PostgreSQL database, for outbox.c alone: a schema of tables
 * that a person can read, shared by the processes of many hosts. What LMDB does with one writer at
 * a time, locks of rows do here; the rules are those of src/model. */
#ifndef RP_STORE_POSTGRES_POSTGRES_STORE_H
#define RP_STORE_POSTGRES_POSTGRES_STORE_H

#include "store/outbox.h"

enum rp_err rp_postgres_open(const char *address, const struct rp_outbox_options *options,
			     struct rp_outbox **out, struct rp_error *err);

#endif
