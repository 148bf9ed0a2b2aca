/* schema.h - private to src/store/postgres: the tables of an outbox, made and brought up to date by
 * numbered migrations (schema/NNNN_*.sql), which are part of the program. A migration that was in a
 * release is not changed any more. */
#ifndef RP_STORE_POSTGRES_SCHEMA_H
#define RP_STORE_POSTGRES_SCHEMA_H

#include "store/postgres/address.h"
#include "store/postgres/connection.h"

/* The number of the last migration that this program knows. */
#define RP_PG_SCHEMA_NUMBER 3

/* What may be done about a schema that is not as it should be. */
enum rp_pg_schema_may {
	RP_PG_SCHEMA_CREATE = 1,  /* there is none: it is made */
	RP_PG_SCHEMA_UPGRADE = 2, /* an older one: what is missing is applied */
};

/* Sees that the schema is the one that this program knows; `may`: a set of enum rp_pg_schema_may.
 *   RP_ERR_NOTFOUND  there is none
 *   RP_ERR_FORMAT    it is a newer one, an older one (err says how to bring it up to date), or it
 *                    has tables that are not ours
 *   RP_ERR_DENIED    the role may not use it, or not make it
 *   RP_ERR_AWAY      somebody else's transaction has held its tables for too long
 * Nothing was changed then. */
enum rp_err rp_pg_schema_check(struct rp_pg *pg, const struct rp_pg_address *address, unsigned may,
			       struct rp_error *err);

/* Applies what is missing, up to the migration `number`, in one transaction; two that come at the
 * same time wait for each other. Tests stop at an older number. */
enum rp_err rp_pg_schema_apply(struct rp_pg *pg, const struct rp_pg_address *address,
			       int64_t number, struct rp_error *err);

#endif
