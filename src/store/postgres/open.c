/* open.c - opens and closes an outbox in a database. */
#include <stdlib.h>

#include "base/sys.h"
#include "store/postgres/handle.h"
#include "store/postgres/listener.h"
#include "store/postgres/postgres_ops.h"
#include "store/postgres/postgres_store.h"
#include "store/postgres/schema.h"
#include "store/postgres/senders.h"
#include "store/postgres/txn.h"

static const struct rp_store_ops ops = {
    .close = rp_pgop_close,
    .sync = rp_pgop_sync,
    .check = rp_pgop_check,
    .act = rp_pgop_act,
    .append = rp_pgop_append,
    .import = rp_pgop_import,
    .join = rp_pgop_join,
    .leave = rp_pgop_leave,
    .beat = rp_pgop_beat,
    .offer = rp_pgop_offer,
    .withdraw = rp_pgop_withdraw,
    .take = rp_pgop_take,
    .reap = rp_pgop_reap,
    .exchange = rp_pgop_exchange,
    .renew_limits = rp_pgop_renew_limits,
    .fix_clock = rp_pgop_fix_clock,
    .fetch = rp_pgop_fetch,
    .fetch_piece = rp_pgop_fetch_piece,
    .expire = rp_pgop_expire,
    .watch = rp_pgop_watch,
    .drain = rp_pgop_drain,
    .select = rp_pgop_select,
    .select_end = rp_pgop_select_end,
    .attempts = rp_pgop_attempts,
    .recent = rp_pgop_recent,
    .body = rp_pgop_body,
    .ledger = rp_pgop_ledger,
    .info = rp_pgop_info,
    .counters = rp_pgop_counters,
    .endpoints = rp_pgop_endpoints,
    .endpoint_find = rp_pgop_endpoint_find,
    .senders = rp_pgop_senders,
    .change = rp_pgop_change,
    .endpoint_pause = rp_pgop_endpoint_pause,
    .backup = rp_pgop_backup,
    .plan_begin = rp_pgop_plan_begin,
    .plan_add = rp_pgop_plan_add,
    .job_order = rp_pgop_job_order,
    .jobs_step = rp_pgop_jobs_step,
    .jobs = rp_pgop_jobs,
    .plan_rows = rp_pgop_plan_rows,
    .audit_add = rp_pgop_audit_add,
    .audit_count = rp_pgop_audit_count,
    .audit = rp_pgop_audit,
    .verify = rp_pgop_verify,
};

static const struct rp_pg_statement settings = {
    "settings", "SELECT name FROM pg_settings WHERE (name, setting) IN (('fsync', 'off'),"
		" ('full_page_writes', 'off')) UNION ALL SELECT 'server_encoding' WHERE"
		" current_setting('server_encoding') <> 'UTF8'"};

/* What would break promises without a word. fsync = off is the server's own choice; it is told by
 * runpostctl doctor. */
static enum rp_err check_settings(struct rp_pgstore *s, struct rp_error *err)
{
	const struct rp_pg_rows *rows;
	size_t ask, i;
	enum rp_err e;

	rp_pg_params(s->pg);
	ask = rp_pg_ask(s->pg, &settings);
	e = rp_pg_go(s->pg, err);
	if (e != RP_OK)
		return e;
	rows = rp_pg_answer(s->pg, ask);
	for (i = 0; i < rp_pg_n_rows(rows); i++)
		if (rp_span_is(rp_pg_bytes(rows, i, 0), "server_encoding"))
			return rp_fail(err, RP_ERR_FORMAT,
				       "%s: the database is not encoded in UTF-8: make one with "
				       "CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0",
				       s->address.shown);
	return RP_OK;
}

void rp_pgop_close(struct rp_outbox *outbox)
{
	struct rp_pgstore *s = rp_pgstore_of(outbox);

	rp_pg_tell_counts(s);
	rp_pg_senders_close(s);
	rp_pg_listeners_close(s);
	rp_pg_disconnect(s->pg);
	rp_pg_disconnect(s->side);
	rp_pg_txn_free(s->txn);
	free(s->writer);
	free(s);
}

static enum rp_err open_it(struct rp_pgstore *s, const char *address,
			   const struct rp_outbox_options *options, struct rp_error *err)
{
	enum rp_err e = rp_pg_address_parse(address, &s->address, err);

	if (e == RP_OK)
		e = rp_pg_connect(&s->address, &s->pg, err);
	s->n_connected = 1;
	if (e == RP_OK)
		e = check_settings(s, err);
	if (e == RP_OK)
		e = rp_pg_schema_check(s->pg, &s->address,
				       (options->create ? RP_PG_SCHEMA_CREATE : 0) |
					   (options->upgrade ? RP_PG_SCHEMA_UPGRADE : 0),
				       err);
	return e;
}

enum rp_err rp_postgres_open(const char *address, const struct rp_outbox_options *options,
			     struct rp_outbox **out, struct rp_error *err)
{
	struct rp_pgstore *s = calloc(1, sizeof *s);
	enum rp_err e;

	*out = NULL;
	if (s == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	s->outbox = (struct rp_outbox){&ops, s->address.shown};
	s->sys = options->sys != NULL ? options->sys : &rp_sys_real;
	e = open_it(s, address, options, err);
	if (e != RP_OK)
		rp_pgop_close(&s->outbox);
	else
		*out = &s->outbox;
	return e;
}

/* --- what a database does by itself ------------------------------------------------------ */

static const struct rp_pg_statement flush_log = {
    "flush_log", "SELECT pg_logical_emit_message(true, 'runpost', '')"};

/* A commit that is flushed has everything before it flushed. */
enum rp_err rp_pgop_sync(struct rp_outbox *outbox, struct rp_error *err)
{
	struct rp_pgstore *s = rp_pgstore_of(outbox);
	enum rp_err e = rp_pg_reach(s, err);

	if (e != RP_OK)
		return e;
	rp_pg_params(s->pg);
	rp_pg_ask(s->pg, &flush_log);
	return rp_pg_go(s->pg, err);
}

/* It cannot be moved away under a connection. A connection that is lost is told by the next
 * call. */
enum rp_err rp_pgop_check(struct rp_outbox *outbox, struct rp_error *err)
{
	(void)outbox;
	(void)err;
	return RP_OK;
}

enum rp_err rp_pgop_act(struct rp_outbox *outbox, uid_t *before, struct rp_error *err)
{
	(void)outbox;
	(void)err;
	*before = (uid_t)-1;
	return RP_OK;
}

enum rp_err rp_pgop_backup(struct rp_outbox *outbox, const char *dir, struct rp_backup *backup,
			   struct rp_error *err)
{
	const struct rp_pgstore *s = rp_pgstore_of(outbox);

	(void)dir;
	(void)backup;
	return rp_fail(err, RP_ERR_INVAL,
		       "%s is a database: copy it with pg_dump --schema=%s, or with "
		       "pg_basebackup the whole server",
		       s->address.shown, s->address.schema);
}
