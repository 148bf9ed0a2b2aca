/* address.h - private to src/store/postgres: what a connection string means. Pure but for the
 * files that it names.
 *
 *   postgresql://[user@]host[:port][,host...]/database[?parameter=value&...]
 *
 * All parameters are libpq's, but for two of ours, which are taken out:
 *   schema   the schema of the outbox; `runpost` if it is not given; lower case letters, digits, _
 *   pooler   `session`: a pooler is in between that gives a session its own connection. Others
 *            are refused, as far as they can be told.
 * Where several hosts are named and target_session_attrs is not, it is read-write. A password in
 * the string is refused when it comes from argv (address_may_have_password false): a password is
 * kept in a file (PGPASSFILE, passfile=), in a service file, or in the configuration file. */
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
};

/* Whether it is one: it begins with postgresql:// or postgres://. */
bool rp_pg_is_address(const char *text);
/* RP_ERR_INVAL: err says what is wrong, and names no password. */
enum rp_err rp_pg_address_parse(const char *text, struct rp_pg_address *out, struct rp_error *err);

#endif
