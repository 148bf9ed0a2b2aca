/* dial.h - private to src/store/postgres: makes a connection: one host after the other, each with
 * its own time to answer. For connection.c alone. */
#ifndef RP_STORE_POSTGRES_DIAL_H
#define RP_STORE_POSTGRES_DIAL_H

#include "store/postgres/address.h"
#include "store/postgres/libpq.h"

/* The first host that takes the session (target_session_attrs). Errors as of rp_pg_connect; where
 * one host may yet come back, it is RP_ERR_AWAY whatever the others say. *out is to be ended with
 * PQfinish. Notices of the server are dropped. */
enum rp_err rp_pg_dial(const struct rp_libpq *pq, const struct rp_pg_address *address, PGconn **out,
		       struct rp_error *err);

#endif
