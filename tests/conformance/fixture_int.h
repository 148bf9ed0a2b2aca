/* fixture_int.h - between fixture.c, peers.c, stores.c and store_postgres.c. */
#ifndef CONFORMANCE_FIXTURE_INT_H
#define CONFORMANCE_FIXTURE_INT_H

#include "store/outbox.h"

/* Before anything is open in this process. */
void fx_peers_start(void);
/* Also when none was started. */
void fx_peers_stop(void);

/* --- the store in PostgreSQL: as struct fx_store says; a schema is a place -------------------- */

const char *fx_schema_missing(void);
void *fx_schema_make(void);
enum rp_err fx_schema_open(void *place, const struct rp_outbox_options *options,
			   struct rp_outbox **out, struct rp_error *err);
void fx_schema_remove(void *place);

#endif
