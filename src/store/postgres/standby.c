/* standby.c - looks how far the synchronous standbys are. */
#include "store/postgres/standby.h"

#include "base/sys.h"

/* How many there must be: the n of "FIRST n (...)", "ANY n (...)" or "n (...)", else one. */
#define NEEDED                                                                                     \
	"coalesce(substring(current_setting('synchronous_standby_names')"                          \
	" from '(?i)^\\s*(?:first|any)?\\s*(\\d+)\\s*\\(')::bigint, 1)"
/* One that only catches up has a sync_state as well, and is not waited for. */
#define SYNCHRONOUS "state = 'streaming' AND sync_state IN ('sync', 'quorum')"

static const struct rp_pg_statement look = {
    "standby_look", "SELECT " NEEDED " <= count(*) FILTER (WHERE " SYNCHRONOUS "),"
		    " pg_has_role('pg_read_all_stats', 'USAGE') FROM pg_stat_replication"};

/* Not the position that is written to: at the end of a page that one lies behind the header of the
 * next, which on a quiet server is never flushed. A commit that was waited for is before this. */
static const struct rp_pg_statement position = {"standby_position",
						"SELECT pg_current_wal_flush_lsn()"};

static const struct rp_pg_statement compare = {
    "standby_compare", "SELECT " NEEDED " <= count(*) FILTER (WHERE " SYNCHRONOUS
		       " AND flush_lsn >= $1::pg_lsn) FROM pg_stat_replication"};

static enum rp_err ask(struct rp_pgstore *s, const struct rp_pg_statement *statement,
		       const struct rp_pg_rows **out, struct rp_error *err)
{
	size_t n = rp_pg_ask(s->pg, statement);
	enum rp_err e = rp_pg_go(s->pg, err);

	if (e == RP_OK)
		*out = rp_pg_answer(s->pg, n);
	return e;
}

enum rp_err rp_pg_standby_check(struct rp_pgstore *s, struct rp_error *err)
{
	const struct rp_pg_rows *rows;
	enum rp_err e;

	if (!s->address.standby)
		return RP_OK;
	rp_pg_params(s->pg);
	e = ask(s, &look, &rows, err);
	if (e != RP_OK)
		return e;
	if (!rp_pg_bool(rows, 0, 1))
		return rp_fail(err, RP_ERR_DENIED,
			       "%s: durability = standby: the role may not see the standbys: GRANT "
			       "pg_read_all_stats TO it",
			       s->address.shown);
	if (!rp_pg_bool(rows, 0, 0))
		return rp_fail(err, RP_ERR_FULL,
			       "%s: durability = standby: fewer synchronous standbys are streaming "
			       "than synchronous_standby_names asks for",
			       s->address.shown);
	return RP_OK;
}

/* A standby on the same network takes less than a millisecond: at first it is asked again at
 * once. */
static void nap(int n)
{
	if (n >= 10)
		rp_sys_pause_ms(n < 30 ? 1 : n < 60 ? 5 : 20);
}

enum rp_err rp_pg_standby_await(struct rp_pgstore *s, struct rp_error *err)
{
	int64_t until_us = rp_sys_stopwatch_us() + RP_PG_STANDBY_MS * INT64_C(1000);
	const struct rp_pg_rows *rows;
	int64_t flushed;
	enum rp_err e;
	int n;

	if (!s->address.standby)
		return RP_OK;
	rp_pg_params(s->pg);
	e = ask(s, &position, &rows, err);
	if (e != RP_OK)
		return e;
	flushed = rp_pg_i64(rows, 0, 0);
	for (n = 0; rp_sys_stopwatch_us() < until_us; n++) {
		rp_pg_put_i64(rp_pg_params(s->pg), flushed);
		e = ask(s, &compare, &rows, err);
		if (e != RP_OK || rp_pg_bool(rows, 0, 0))
			return e;
		nap(n);
	}
	return rp_fail(err, RP_ERR_AWAY,
		       "%s: durability = standby: no synchronous standby has confirmed within %d s",
		       s->address.shown, RP_PG_STANDBY_MS / 1000);
}
