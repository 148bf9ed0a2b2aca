/* address.h - private to src/store/postgres: what a connection string means. Pure.
 *
 *   postgresql://[user@]host[:port][,host...]/database[?parameter=value&...]
 *
 * All parameters are libpq's, but for two of ours, which are taken out:
 *   schema   the schema of the outbox; `runpost` if it is not given: lower case letters, digits, _
 *   pooler   `session`: a pooler is in between that gives a session its own connection
 * target_session_attrs is read-write unless it is given. */
#ifndef RP_STORE_POSTGRES_ADDRESS_H
#define RP_STORE_POSTGRES_ADDRESS_H

#include "base/bytes.h"
#include "base/err.h"

#define RP_PG_SCHEMA_MAX 64
#define RP_PG_ADDRESS_MAX 2048

struct rp_pg_address {
	char conninfo[RP_PG_ADDRESS_MAX]; /* for libpq; may have a password: never shown */
	char shown[RP_PG_ADDRESS_MAX];    /* for people: without password and parameters */
	char schema[RP_PG_SCHEMA_MAX];
	bool pooled;
	bool has_password; /* which others can see where the string came from argv */
};

/* RP_ERR_INVAL: err says what is wrong, and names no password. */
enum rp_err rp_pg_address_parse(const char *text, struct rp_pg_address *out, struct rp_error *err);

#endif
