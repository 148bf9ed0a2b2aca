/* store_postgres.c - the store in PostgreSQL for the conformance tests: a schema for each test, in
 * the database that RP_POSTGRES names, dropped when the test is over. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conformance/fixture.h"
#include "conformance/fixture_int.h"
#include "store/postgres/connection.h"

#define SERVER "RP_POSTGRES"

struct place {
	char address[RP_PG_ADDRESS_MAX], schema[RP_PG_SCHEMA_MAX];
};

const char *fx_schema_missing(void)
{
	const char *server = getenv(SERVER);

	return server != NULL && server[0] != '\0' ? NULL : SERVER " names no server";
}

/* Tests run at a time, and a test that was killed leaves its schema behind. */
void *fx_schema_make(void)
{
	static unsigned n;
	const char *server = getenv(SERVER);
	struct place *p = malloc(sizeof *p);
	int len;

	ck_assert_ptr_nonnull(p);
	snprintf(p->schema, sizeof p->schema, "fx_%ld_%u", (long)getpid(), n++);
	len = snprintf(p->address, sizeof p->address, "%s%cschema=%s", server,
		       strchr(server, '?') != NULL ? '&' : '?', p->schema);
	ck_assert_int_lt(len, (int)sizeof p->address);
	return p;
}

enum rp_err fx_schema_open(void *place, const struct rp_outbox_options *options,
			   struct rp_outbox **out, struct rp_error *err)
{
	const struct place *p = place;

	return rp_outbox_open(p->address, options, out, err);
}

void fx_schema_remove(void *place)
{
	struct rp_pg_address address;
	struct place *p = place;
	struct rp_pg *pg;
	char drop[128];

	snprintf(drop, sizeof drop, "DROP SCHEMA IF EXISTS %s CASCADE", p->schema);
	fx_must(rp_pg_address_parse(p->address, &address, &fx.err), "address");
	fx_must(rp_pg_connect(&address, &pg, &fx.err), "connect");
	rp_pg_ask_plain(pg, drop);
	fx_must(rp_pg_go(pg, &fx.err), drop);
	rp_pg_disconnect(pg);
	free(p);
}
