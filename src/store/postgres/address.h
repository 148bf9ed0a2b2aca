/* address.h - private to src/store/postgres: what a connection string means. Pure.
 *
 *   postgresql://[user[:password]@][host[:port]][,host...]/database[?parameter=value&...]
 *
 * All parameters are libpq's, but for three of ours, which are taken out:
 *   schema      the schema of the outbox; `runpost` if it is not given: lower case letters, digits,
 *               _
 *   durability  `local`, or `standby` (standby.h)
 *   pooler      `session`: a pooler is in between that gives a session its own connection
 * target_session_attrs is read-write unless it is given. A password is taken out as well, and goes
 * to libpq apart: so no text that libpq makes of the string can have it. */
#ifndef RP_STORE_POSTGRES_ADDRESS_H
#define RP_STORE_POSTGRES_ADDRESS_H

#include "base/bytes.h"
#include "base/err.h"

#define RP_PG_SCHEMA_MAX 64
#define RP_PG_ADDRESS_MAX 2048
#define RP_PG_PASSWORD_MAX 1024
#define RP_PG_HOSTS_MAX 16
#define RP_PG_HOST_MAX 256
/* A host has so long to answer, unless connect_timeout says otherwise. */
#define RP_PG_CONNECT_MS 5000

struct rp_pg_host {
	char name[RP_PG_HOST_MAX], port[8];
};

struct rp_pg_address {
	char conninfo[RP_PG_ADDRESS_MAX]; /* for libpq */
	char shown[RP_PG_ADDRESS_MAX];    /* for people: without password and parameters */
	char schema[RP_PG_SCHEMA_MAX];
	char password[RP_PG_PASSWORD_MAX]; /* never shown; "": libpq looks for one */
	bool has_password;                 /* others can see it where the string came from argv */
	bool pooled, standby;
	/* Where it names several hosts: each of them, to be tried in this order. 0: libpq knows. */
	size_t n_hosts;
	struct rp_pg_host hosts[RP_PG_HOSTS_MAX];
	int connect_ms; /* for each host */
};

/* RP_ERR_INVAL: err says what is wrong, and names no password. */
enum rp_err rp_pg_address_parse(const char *text, struct rp_pg_address *out, struct rp_error *err);

#endif
