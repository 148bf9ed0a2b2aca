/* schema.h - private to src/store/postgres: the tables of an outbox, made and brought up to date by
 * numbered migrations (schema/NNNN_*.sql), which are part of the program. */
#ifndef RP_STORE_POSTGRES_SCHEMA_H
#define RP_STORE_POSTGRES_SCHEMA_H

#include "store/postgres/address.h"
#include "store/postgres/connection.h"

/* Sees that the schema is the one that this program knows. create: makes it, or applies what is
 * missing, in one transaction; two that come at the same time wait for each other. Else
 * RP_ERR_NOTFOUND: there is none. RP_ERR_FORMAT: it is a newer one, an older one (err says how to
 * bring it up to date), or not ours; nothing was changed. */
enum rp_err rp_pg_schema_check(struct rp_pg *pg, const struct rp_pg_address *address, bool create,
			       struct rp_error *err);

/* The number of the last migration that this program knows. */
#define RP_PG_SCHEMA_NUMBER 1

#endif
