/* dial.c - connects. libpq itself goes from host to host, but its calls that do not block know no
 * time limit, and one host that is silent would keep it from all others: so each is dialled
 * apart. */
#include "store/postgres/dial.h"

#include <errno.h>
#include <poll.h>

#include "base/sys.h"
#include "store/postgres/sqlstate.h"

#define KEYWORDS_MAX 16

struct keywords {
	const char *names[KEYWORDS_MAX], *values[KEYWORDS_MAX];
	size_t n;
};

static void set(struct keywords *k, const char *name, const char *value)
{
	k->names[k->n] = name;
	k->values[k->n++] = value;
}

static PGconn *start(const struct rp_libpq *pq, const struct rp_pg_address *address,
		     const struct rp_pg_host *host)
{
	struct keywords k = {.n = 0};

	/* What stands before dbname is a default that the address may change. A host that is cut
	 * off is found to be gone within some ten seconds. */
	set(&k, "keepalives_idle", "5");
	set(&k, "keepalives_interval", "2");
	set(&k, "keepalives_count", "3");
	set(&k, "tcp_user_timeout", "10000");
	set(&k, "target_session_attrs", "read-write");
	set(&k, "fallback_application_name", "runpost");
	set(&k, "dbname", address->conninfo);
	set(&k, "client_encoding", "UTF8");
	if (address->password[0] != '\0')
		set(&k, "password", address->password);
	if (host != NULL) {
		set(&k, "host", host->name);
		set(&k, "port", host->port);
	}
	return pq->PQconnectStartParams(k.names, k.values, 1);
}

static void be_silent(void *arg, const PGresult *notice)
{
	(void)arg;
	(void)notice;
}

/* Whether the socket is ready in time. */
static bool wait_for(int socket, PostgresPollingStatusType what, int64_t until_us)
{
	struct pollfd fd = {.fd = socket,
			    .events = what == PGRES_POLLING_READING ? POLLIN : POLLOUT};

	for (;;) {
		int64_t left_us = until_us - rp_sys_stopwatch_us();
		int n = left_us > 0 ? poll(&fd, 1, (int)(left_us / 1000) + 1) : 0;

		if (n > 0)
			return true;
		if (left_us <= 0 || (n < 0 && errno != EINTR))
			return false;
	}
}

/* false: it did not answer in time. */
static bool finish(const struct rp_libpq *pq, PGconn *conn, int64_t until_us)
{
	PostgresPollingStatusType what = PGRES_POLLING_WRITING;

	while (what == PGRES_POLLING_WRITING || what == PGRES_POLLING_READING) {
		if (!wait_for(pq->PQsocket(conn), what, until_us))
			return false;
		what = pq->PQconnectPoll(conn);
	}
	return true;
}

static enum rp_err refused(const struct rp_libpq *pq, const PGconn *conn,
			   const struct rp_pg_address *address, struct rp_error *err)
{
	const struct rp_pg_refusal r = rp_pg_refusal_read(pq->PQerrorMessage(conn));
	enum rp_err code = rp_pg_refusal_code(&r);

	return rp_fail(err, code, "%s: %.*s%.*s%s%s%s", address->shown, (int)r.before.len,
		       r.before.ptr, (int)r.after.len, r.after.len > 0 ? r.after.ptr : "",
		       r.state[0] != '\0' ? " (" : "", r.state, r.state[0] != '\0' ? ")" : "");
}

static enum rp_err dial_one(const struct rp_libpq *pq, const struct rp_pg_address *address,
			    const struct rp_pg_host *host, PGconn **out, struct rp_error *err)
{
	int64_t until_us = rp_sys_stopwatch_us() + address->connect_ms * INT64_C(1000);
	enum rp_err e = RP_OK;

	*out = start(pq, address, host);
	if (*out == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	pq->PQsetNoticeReceiver(*out, be_silent, NULL);
	pq->PQsetErrorVerbosity(*out, PQERRORS_VERBOSE);
	if (pq->PQstatus(*out) != CONNECTION_BAD && !finish(pq, *out, until_us))
		e = rp_fail(err, RP_ERR_AWAY, "%s: %s%sno answer within %d ms", address->shown,
			    host != NULL ? host->name : "", host != NULL ? ": " : "",
			    address->connect_ms);
	else if (pq->PQstatus(*out) != CONNECTION_OK)
		e = refused(pq, *out, address, err);
	if (e == RP_OK)
		return RP_OK;
	pq->PQfinish(*out);
	*out = NULL;
	return e;
}

enum rp_err rp_pg_dial(const struct rp_libpq *pq, const struct rp_pg_address *address, PGconn **out,
		       struct rp_error *err)
{
	struct rp_error one, *told = err != NULL ? err : &one;
	enum rp_err e =
	    dial_one(pq, address, address->n_hosts > 0 ? &address->hosts[0] : NULL, out, told);
	size_t i;

	for (i = 1; e != RP_OK && i < address->n_hosts; i++) {
		enum rp_err other = dial_one(pq, address, &address->hosts[i], out, &one);

		if (other == RP_OK)
			return RP_OK;
		/* the first that may come back is what is told */
		if (other == RP_ERR_AWAY && e != RP_ERR_AWAY) {
			e = other;
			*told = one;
		}
	}
	return e;
}
