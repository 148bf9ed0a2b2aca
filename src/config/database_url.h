/* database_url.h - what can be said of the address of an outbox in a database without connecting:
 * whether it is one, and what of it may be shown. */
#ifndef RP_CONFIG_DATABASE_URL_H
#define RP_CONFIG_DATABASE_URL_H

#include "base/bytes.h"

/* Of one on a command line. */
#define RP_DATABASE_URL_PASSWORD                                                                   \
	"every user of this machine can read its password there; put it into ~/.pgpass "           \
	"(PGPASSFILE), or the whole address into [outbox] url of the configuration"

bool rp_database_url_is(const char *text);
/* In "user:password@" or as a parameter. */
bool rp_database_url_has_password(const char *text);
/* Appends it without password and parameters. false: out of memory. */
bool rp_database_url_show(const char *text, struct rp_buf *out);

#endif
