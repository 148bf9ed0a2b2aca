/* connection.h - private to src/store/postgres: a connection to the server, statements that are
 * asked through it, and their answers. The door to libpq, which connection.c alone calls.
 *
 * libpq is loaded when the first connection is made (dlopen): a program that works with LMDB
 * alone starts without it, and without the libraries that it brings.
 *
 * A call of the store is a transaction of few round trips. What is to be asked is queued, and one
 * rp_pg_go sends all of it (pipeline mode), waits, and has all answers:
 *
 *   struct rp_pg_params *p = rp_pg_params(pg);
 *   rp_pg_put_i64_array(p, seqs, n);
 *   size_t found = rp_pg_ask(pg, &find_statement);
 *   e = rp_pg_go(pg, err);
 *   rows = rp_pg_answer(pg, found);
 *
 * A statement is prepared when a connection first asks it. Parameters and results are binary. */
#ifndef RP_STORE_POSTGRES_CONNECTION_H
#define RP_STORE_POSTGRES_CONNECTION_H

#include "base/bytes.h"
#include "base/err.h"
#include "store/postgres/address.h"
#include "store/postgres/params.h"
#include "store/postgres/rows.h"

struct rp_pg;

/* Static. `name` is unique; each parameter has a type in the text ($1::bigint[]). Names of tables
 * stand without a schema: the connection's search_path is the outbox's schema, then pg_catalog. */
struct rp_pg_statement {
	const char *name, *sql;
};

/* No answer for so long ends the connection; what was asked has an unknown outcome. */
#define RP_PG_ANSWER_MS 30000

/* Connects and prepares the session (search_path, statement and lock time limits, UTF-8, UTC,
 * client_connection_check_interval, plans). RP_ERR_AWAY: nobody answers there now, or who does
 * takes no writes. RP_ERR_DENIED: password, pg_hba, certificate, or no right to connect.
 * RP_ERR_NOTFOUND: no such database. RP_ERR_INVAL: the address is wrong, a pooler is in between, or
 * libpq is not installed. RP_ERR_FORMAT: a server older than 15. No text in err ever has a
 * password. */
enum rp_err rp_pg_connect(const struct rp_pg_address *address, struct rp_pg **out,
			  struct rp_error *err);
void rp_pg_disconnect(struct rp_pg *pg); /* NULL: does nothing; rolls back what is open */

/* The parameters of the next rp_pg_ask, emptied. */
struct rp_pg_params *rp_pg_params(struct rp_pg *pg);
/* Queues the statement with these parameters. Result: names its answer until the go after next
 * begins. */
size_t rp_pg_ask(struct rp_pg *pg, const struct rp_pg_statement *s);
/* A statement without parameters, not prepared: BEGIN, COMMIT, SET LOCAL ... */
size_t rp_pg_ask_plain(struct rp_pg *pg, const char *sql);
/* Sends all that is queued, in one round trip, and waits for every answer. When one statement
 * fails those behind it are not done, the transaction is to be rolled back, and the first failure
 * is told:
 *   RP_ERR_AWAY    the connection is lost (rp_pg_is_lost), the server stops, recovers, has become
 *                  a standby, chose this transaction to end a deadlock, or did not answer in time.
 *                  If a COMMIT was among what was asked its outcome is unknown.
 *   RP_ERR_FULL    the server's disk is full
 *   RP_ERR_DENIED  the role may not do this
 *   RP_ERR_NOMEM   ours
 *   RP_ERR_FORMAT  the schema is not the one expected (no such table, column)
 *   RP_ERR_IO      everything else */
enum rp_err rp_pg_go(struct rp_pg *pg, struct rp_error *err);
/* One statement, with its parameters put, in a transaction of its own that waits for no disk. For
 * what may be lost: a heartbeat, a bell. */
void rp_pg_say(struct rp_pg *pg, const struct rp_pg_statement *s);
const struct rp_pg_rows *rp_pg_answer(const struct rp_pg *pg, size_t ask);

/* Several statements in one text, outside of pipeline mode; for migrations. Nothing may be
 * queued. */
enum rp_err rp_pg_run_script(struct rp_pg *pg, const char *sql, struct rp_error *err);

bool rp_pg_is_lost(const struct rp_pg *pg);
/* Looks, without waiting, whether the server has closed it meanwhile. false: it is lost. Nothing
 * may be queued. */
bool rp_pg_look(struct rp_pg *pg);
/* SQLSTATE of the last failure, "" if it had none: five characters. */
const char *rp_pg_sqlstate(const struct rp_pg *pg);

/* --- to be told ------------------------------------------------------------------------------- */

/* For a connection that listens: its socket, readable when there is something to take in. */
int rp_pg_socket(const struct rp_pg *pg);
/* Takes in what has come, without waiting. see: each notification. */
enum rp_err rp_pg_take_in(struct rp_pg *pg, void (*see)(void *arg, struct rp_span payload),
			  void *arg, struct rp_error *err);

#endif
