/* connection.c - one connection in pipeline mode: what is asked waits in libpq's buffer until a go
 * sends it with one sync point, and reads every answer up to that. */
#include "store/postgres/connection.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/sys.h"
#include "store/postgres/dial.h"
#include "store/postgres/libpq.h"
#include "store/postgres/sqlstate.h"

#define SERVER_VERSION_MIN 150000
#define STATEMENTS_MAX 256
#define ASKS_MAX 64 /* of one go */

/* One question of a go, in the order they were sent. */
struct ask {
	const struct rp_pg_statement *prepares; /* it only prepares this one */
	bool commits;
	PGresult *result;
};

/* What a go asks; that of the last one is kept until the next. */
struct round {
	size_t first; /* the number of its first question, as it was given to the caller */
	size_t n, n_answers;
	struct ask all[2 * ASKS_MAX];
	size_t answer_at[ASKS_MAX]; /* by question: its place in all[] */
};

struct rp_pg {
	PGconn *conn;
	const struct rp_libpq *pq;
	const struct rp_pg_statement *prepared[STATEMENTS_MAX];
	size_t n_prepared;
	struct rp_pg_params params;
	struct round rounds[2]; /* [0]: the one being put together, or answered last */
	size_t n_asked;
	bool going; /* rounds[0] has been answered: what is asked next begins another */
	bool lost, no_memory;
	bool late; /* it is lost because it did not answer in time */
	char sqlstate[RP_PG_SQLSTATE_MAX];
};

/* --- making and ending ------------------------------------------------------------------- */

/* What libpq says, without its line end. It names hosts, users and databases, and no password. */
static enum rp_err fail_as(const struct rp_pg *pg, const char *what, enum rp_err code,
			   struct rp_error *err)
{
	const char *text = pg->pq->PQerrorMessage(pg->conn);

	if (text[strspn(text, "\n")] == '\0')
		text = "the connection is lost";
	text += strspn(text, "\n");
	return rp_fail(err, code, "%s: %.*s", what, (int)strcspn(text, "\n"), text);
}

static enum rp_err prepare_session(struct rp_pg *pg, const struct rp_pg_address *address,
				   struct rp_error *err)
{
	static const char *const settings[] = {
	    "SET TimeZone = 'UTC'", "SET plan_cache_mode = force_generic_plan", "SET jit = off",
	    "SET synchronous_commit = local",
	    /* who waits for a lock that long waits for somebody who is stuck */
	    "SET lock_timeout = '20s'", "SET statement_timeout = '25s'",
	    /* and a process that was stopped in the middle lets go of its locks before that */
	    "SET idle_in_transaction_session_timeout = '15s'",
	    /* a backend whose client has died gives up its locks while a statement runs */
	    "SET client_connection_check_interval = '200ms'",
	    /* and so does one whose client's machine is cut off; nothing on a local socket */
	    "SET tcp_keepalives_idle = 5", "SET tcp_keepalives_interval = 2",
	    "SET tcp_keepalives_count = 3", "SET tcp_user_timeout = '10s'"};
	char path[RP_PG_SCHEMA_MAX + 64];
	size_t who, i;
	enum rp_err e;

	snprintf(path, sizeof path, "SET search_path = \"%s\", pg_catalog", address->schema);
	rp_pg_ask_plain(pg, path);
	for (i = 0; i < sizeof settings / sizeof settings[0]; i++)
		rp_pg_ask_plain(pg, settings[i]);
	who = rp_pg_ask_plain(pg, "SELECT pg_backend_pid()");
	e = rp_pg_go(pg, err);
	if (e != RP_OK)
		return e;
	/* A pooler makes the number up that a client is told at first. */
	if (!address->pooled &&
	    rp_pg_i64(rp_pg_answer(pg, who), 0, 0) != pg->pq->PQbackendPID(pg->conn))
		return rp_fail(
		    err, RP_ERR_INVAL,
		    "%s: a pooler is in between: connect to the server itself, or, where "
		    "the pooler is in session mode, add pooler=session to the address",
		    address->shown);
	return RP_OK;
}

static enum rp_err connected(struct rp_pg *pg, const struct rp_pg_address *address,
			     struct rp_error *err)
{
	const struct rp_libpq *pq = pg->pq;
	const char *standby = pq->PQparameterStatus(pg->conn, "in_hot_standby");

	if (pq->PQserverVersion(pg->conn) < SERVER_VERSION_MIN)
		return rp_fail(err, RP_ERR_FORMAT,
			       "%s: PostgreSQL %d is too old: 15 is the oldest that works",
			       address->shown, pq->PQserverVersion(pg->conn) / 10000);
	if (standby != NULL && strcmp(standby, "on") == 0)
		return rp_fail(err, RP_ERR_AWAY,
			       "%s: the server is a standby, which takes no writes",
			       address->shown);
	if (pq->PQsetnonblocking(pg->conn, 1) != 0 || pq->PQenterPipelineMode(pg->conn) != 1)
		return fail_as(pg, address->shown, RP_ERR_IO, err);
	return prepare_session(pg, address, err);
}

enum rp_err rp_pg_connect(const struct rp_pg_address *address, struct rp_pg **out,
			  struct rp_error *err)
{
	const struct rp_libpq *pq;
	enum rp_err e = rp_libpq_load(&pq, err);
	struct rp_pg *pg;

	*out = NULL;
	if (e != RP_OK)
		return e;
	pg = calloc(1, sizeof *pg);
	if (pg == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	pg->pq = pq;
	e = rp_pg_dial(pq, address, &pg->conn, err);
	if (e == RP_OK)
		e = connected(pg, address, err);
	if (e != RP_OK)
		rp_pg_disconnect(pg);
	else
		*out = pg;
	return e;
}

static void clear_round(struct rp_pg *pg, struct round *r)
{
	size_t i;

	for (i = 0; i < r->n; i++)
		pg->pq->PQclear(r->all[i].result);
	r->n = r->n_answers = 0;
}

void rp_pg_disconnect(struct rp_pg *pg)
{
	if (pg == NULL)
		return;
	clear_round(pg, &pg->rounds[0]);
	clear_round(pg, &pg->rounds[1]);
	rp_pg_params_release(&pg->params);
	pg->pq->PQfinish(pg->conn);
	free(pg);
}

/* --- asking ------------------------------------------------------------------------------ */

struct rp_pg_params *rp_pg_params(struct rp_pg *pg)
{
	rp_pg_params_clear(&pg->params);
	return &pg->params;
}

static struct round *round_to_ask(struct rp_pg *pg)
{
	if (pg->going) {
		clear_round(pg, &pg->rounds[1]);
		pg->rounds[1] = pg->rounds[0];
		pg->rounds[0].n = pg->rounds[0].n_answers = 0;
		pg->rounds[0].first = pg->n_asked;
		pg->going = false;
	}
	return &pg->rounds[0];
}

static size_t add_ask(struct rp_pg *pg, struct round *r)
{
	assert(r->n_answers < ASKS_MAX);
	r->answer_at[r->n_answers++] = r->n;
	r->all[r->n++] = (struct ask){.commits = false};
	return pg->n_asked++;
}

static bool is_prepared(const struct rp_pg *pg, const struct rp_pg_statement *s)
{
	size_t i;

	for (i = 0; i < pg->n_prepared; i++)
		if (pg->prepared[i] == s)
			return true;
	return false;
}

static bool prepares(const struct round *r, const struct rp_pg_statement *s)
{
	size_t i;

	for (i = 0; i < r->n; i++)
		if (r->all[i].prepares == s)
			return true;
	return false;
}

static void see_sent(struct rp_pg *pg, int sent)
{
	if (sent != 1)
		pg->lost = true;
}

size_t rp_pg_ask(struct rp_pg *pg, const struct rp_pg_statement *s)
{
	struct round *r = round_to_ask(pg);
	const struct rp_pg_params *p = &pg->params;
	const char *values[RP_PG_PARAMS_MAX];
	int lengths[RP_PG_PARAMS_MAX], formats[RP_PG_PARAMS_MAX];
	size_t i;

	pg->no_memory = pg->no_memory || p->no_memory;
	if (!is_prepared(pg, s) && !prepares(r, s)) {
		see_sent(pg, pg->pq->PQsendPrepare(pg->conn, s->name, s->sql, 0, NULL));
		r->all[r->n++] = (struct ask){.prepares = s};
	}
	for (i = 0; i < p->n; i++) {
		const char *at = p->bytes.data != NULL ? p->bytes.data + p->all[i].at : "";

		values[i] = p->all[i].len >= 0 ? at : NULL;
		lengths[i] = p->all[i].len;
		formats[i] = 1;
	}
	see_sent(pg, pg->pq->PQsendQueryPrepared(pg->conn, s->name, (int)p->n, values, lengths,
						 formats, 1));
	return add_ask(pg, r);
}

size_t rp_pg_ask_plain(struct rp_pg *pg, const char *sql)
{
	struct round *r = round_to_ask(pg);
	size_t ask;

	see_sent(pg, pg->pq->PQsendQueryParams(pg->conn, sql, 0, NULL, NULL, NULL, NULL, 1));
	ask = add_ask(pg, r);
	r->all[r->n - 1].commits = strcmp(sql, "COMMIT") == 0;
	return ask;
}

/* --- waiting ----------------------------------------------------------------------------- */

/* Until the socket can be read, or written while there is something to write. */
static bool wait_for_socket(struct rp_pg *pg, bool writes, int64_t until_us)
{
	struct pollfd fd = {.fd = pg->pq->PQsocket(pg->conn),
			    .events = (short)(POLLIN | (writes ? POLLOUT : 0))};
	int64_t left_us = until_us - rp_sys_stopwatch_us();
	int n;

	pg->late = left_us <= 0;
	if (pg->late)
		return false;
	n = poll(&fd, 1, (int)(left_us / 1000) + 1);
	return n >= 0 || errno == EINTR;
}

/* Sees that an answer, if there is one, can be had without a wait. false: the connection is lost.
 */
static bool await(struct rp_pg *pg, int64_t until_us)
{
	int unsent = pg->pq->PQflush(pg->conn);

	while (unsent >= 0 && (unsent > 0 || pg->pq->PQisBusy(pg->conn))) {
		if (!wait_for_socket(pg, unsent > 0, until_us) || !pg->pq->PQconsumeInput(pg->conn))
			return false;
		unsent = pg->pq->PQflush(pg->conn);
	}
	return unsent >= 0;
}

static enum rp_err lose(struct rp_pg *pg, struct rp_error *err)
{
	pg->lost = true;
	if (pg->late)
		return rp_fail(err, RP_ERR_AWAY, "PostgreSQL: no answer within %d s",
			       RP_PG_ANSWER_MS / 1000);
	return fail_as(pg, "PostgreSQL", RP_ERR_AWAY, err);
}

static enum rp_err fail_by(struct rp_pg *pg, const PGresult *result, struct rp_error *err)
{
	const char *state = pg->pq->PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *text = pg->pq->PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

	if (state == NULL)
		return lose(pg, err);
	snprintf(pg->sqlstate, sizeof pg->sqlstate, "%.5s", state);
	pg->lost = pg->lost || rp_pg_state_ends_session(state);
	return rp_fail(err, rp_pg_code_of_state(state), "PostgreSQL: %s (%s)",
		       text != NULL ? text : "", state);
}

/* The next answer, a sync point's too. */
static enum rp_err take(struct rp_pg *pg, int64_t until_us, PGresult **out, struct rp_error *err)
{
	*out = await(pg, until_us) ? pg->pq->PQgetResult(pg->conn) : NULL;
	if (*out == NULL)
		return lose(pg, err);
	/* a NULL ends the answers to each question, but follows no sync point */
	if (pg->pq->PQresultStatus(*out) != PGRES_PIPELINE_SYNC && await(pg, until_us))
		pg->pq->PQclear(pg->pq->PQgetResult(pg->conn));
	return RP_OK;
}

static bool is_good(ExecStatusType status)
{
	return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

/* A COMMIT of a transaction that has failed is answered as a success that did a rollback. */
static bool did_not_commit(const struct rp_pg *pg, const struct ask *a)
{
	return a->commits && strcmp(pg->pq->PQcmdStatus(a->result), "COMMIT") != 0;
}

static void note_prepared(struct rp_pg *pg, const struct ask *a)
{
	if (a->prepares == NULL)
		return;
	assert(pg->n_prepared < STATEMENTS_MAX);
	pg->prepared[pg->n_prepared++] = a->prepares;
}

static enum rp_err take_all(struct rp_pg *pg, struct round *r, int64_t until_us,
			    struct rp_error *err)
{
	enum rp_err first = RP_OK, e;
	PGresult *sync;
	size_t i;

	for (i = 0; i < r->n; i++) {
		ExecStatusType status;

		e = take(pg, until_us, &r->all[i].result, first == RP_OK ? err : NULL);
		if (e != RP_OK)
			return first != RP_OK ? first : e;
		status = pg->pq->PQresultStatus(r->all[i].result);
		if (is_good(status))
			note_prepared(pg, &r->all[i]);
		if (first != RP_OK || status == PGRES_PIPELINE_ABORTED)
			continue;
		if (!is_good(status))
			first = fail_by(pg, r->all[i].result, err);
		else if (did_not_commit(pg, &r->all[i]))
			first = rp_fail(err, RP_ERR_IO, "PostgreSQL: the transaction had failed");
	}
	e = take(pg, until_us, &sync, first == RP_OK ? err : NULL);
	if (e == RP_OK)
		pg->pq->PQclear(sync);
	return first != RP_OK ? first : e;
}

enum rp_err rp_pg_go(struct rp_pg *pg, struct rp_error *err)
{
	struct round *r = round_to_ask(pg);
	int64_t until_us = rp_sys_stopwatch_us() + RP_PG_ANSWER_MS * INT64_C(1000);
	bool no_memory = pg->no_memory;
	enum rp_err e;

	pg->going = true;
	pg->sqlstate[0] = '\0';
	pg->no_memory = false;
	if (pg->lost || pg->pq->PQpipelineSync(pg->conn) != 1)
		return lose(pg, err);
	e = take_all(pg, r, until_us, err);
	return no_memory ? rp_fail(err, RP_ERR_NOMEM, "out of memory") : e;
}

void rp_pg_say(struct rp_pg *pg, const struct rp_pg_statement *s)
{
	rp_pg_ask_plain(pg, "BEGIN");
	rp_pg_ask_plain(pg, "SET LOCAL synchronous_commit = off");
	rp_pg_ask(pg, s);
	rp_pg_ask_plain(pg, "COMMIT");
	if (rp_pg_go(pg, NULL) != RP_OK && !rp_pg_is_lost(pg)) {
		rp_pg_ask_plain(pg, "ROLLBACK");
		(void)rp_pg_go(pg, NULL);
	}
}

const struct rp_pg_rows *rp_pg_answer(const struct rp_pg *pg, size_t ask)
{
	const struct round *r = &pg->rounds[ask < pg->rounds[0].first ? 1 : 0];

	assert(ask >= r->first && ask - r->first < r->n_answers);
	return (const struct rp_pg_rows *)(const void *)r->all[r->answer_at[ask - r->first]].result;
}

enum rp_err rp_pg_run_script(struct rp_pg *pg, const char *sql, struct rp_error *err)
{
	enum rp_err e = RP_OK;
	PGresult *result;

	assert(pg->going || pg->rounds[0].n == 0);
	if (pg->pq->PQexitPipelineMode(pg->conn) != 1)
		return fail_as(pg, "PostgreSQL", RP_ERR_IO, err);
	result = pg->pq->PQexec(pg->conn, sql);
	if (!is_good(pg->pq->PQresultStatus(result)))
		e = fail_by(pg, result, err);
	pg->pq->PQclear(result);
	if (pg->pq->PQenterPipelineMode(pg->conn) != 1)
		pg->lost = true;
	return e;
}

bool rp_pg_is_lost(const struct rp_pg *pg)
{
	return pg->lost;
}

bool rp_pg_look(struct rp_pg *pg)
{
	struct pollfd fd = {.fd = pg->pq->PQsocket(pg->conn), .events = POLLIN};

	/* A server that ends a session says so before it closes; what else it says, a setting that
	 * was changed, is taken in and goes on. */
	while (!pg->lost && poll(&fd, 1, 0) > 0)
		pg->lost = !pg->pq->PQconsumeInput(pg->conn) ||
			   pg->pq->PQstatus(pg->conn) != CONNECTION_OK;
	return !pg->lost;
}

const char *rp_pg_sqlstate(const struct rp_pg *pg)
{
	return pg->sqlstate;
}

/* --- to be told -------------------------------------------------------------------------- */

int rp_pg_socket(const struct rp_pg *pg)
{
	return pg->pq->PQsocket(pg->conn);
}

enum rp_err rp_pg_take_in(struct rp_pg *pg, void (*see)(void *arg, struct rp_span payload),
			  void *arg, struct rp_error *err)
{
	PGnotify *n;

	if (pg->lost || !pg->pq->PQconsumeInput(pg->conn))
		return lose(pg, err);
	while ((n = pg->pq->PQnotifies(pg->conn)) != NULL) {
		see(arg, rp_span_of(n->extra));
		pg->pq->PQfreemem(n);
	}
	return RP_OK;
}
