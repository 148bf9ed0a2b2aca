/* without_postgres.c - in the place of src/store/postgres in a build with POSTGRES=0: an address of
 * a database is known as one, and refused. */

#include <string.h>

#include "store/postgres/postgres_store.h"

bool rp_postgres_is_address(const char *address)
{
	return strncmp(address, "postgresql://", 13) == 0 ||
	       strncmp(address, "postgres://", 11) == 0;
}

enum rp_err rp_postgres_open(const char *address, const struct rp_outbox_options *options,
			     struct rp_outbox **out, struct rp_error *err)
{
	(void)address;
	(void)options;
	*out = NULL;
	return rp_fail(err, RP_ERR_INVAL,
		       "this build knows no outbox in PostgreSQL: it was made with POSTGRES=0");
}
