/* sqlstate.h - private to src/store/postgres: what the codes of PostgreSQL's errors mean to us.
 * Pure. */
#ifndef RP_STORE_POSTGRES_SQLSTATE_H
#define RP_STORE_POSTGRES_SQLSTATE_H

#include "base/bytes.h"
#include "base/err.h"

#define RP_PG_SQLSTATE_MAX 6 /* with the NUL */

/* What a call that met this error returns (connection.h says which). */
enum rp_err rp_pg_code_of_state(const char *state);
/* Whether the session is of no use any more, though it may still be open: its server takes no
 * writes now, or what was prepared in it does not hold. */
bool rp_pg_state_ends_session(const char *state);

/* A refused connection is told in words alone, which the server translates; asked to be verbose,
 * libpq puts the code among them: "FATAL:  28P01: password ...". Finds it in a message of several
 * lines, and the line that it stands in, or the first line where there is none. */
struct rp_pg_refusal {
	char state[RP_PG_SQLSTATE_MAX]; /* "": none */
	struct rp_span before, after;   /* the line, without the code */
};
struct rp_pg_refusal rp_pg_refusal_read(const char *message);
/* What a refusal means to rp_pg_connect. */
enum rp_err rp_pg_refusal_code(const struct rp_pg_refusal *refusal);

#endif
