/* schema.c - looks what a schema is, and applies migrations. */
#include "store/postgres/schema.h"

#include <inttypes.h>

/* One upgrade, or making, at a time in a database. */
#define LOCK "7305234"

static const struct migration {
	const char *name, *sql;
} migrations[RP_PG_SCHEMA_NUMBER] = {
    {
	"outbox",
#include "src/store/postgres/schema/0001_outbox.sql.inc"
    },
    {
	"names_and_views",
#include "src/store/postgres/schema/0002_names_and_views.sql.inc"
    },
    {
	"roles",
#include "src/store/postgres/schema/0003_roles.sql.inc"
    },
};

/* What is known of a schema without a look into its tables. Rights on them show as "no such table"
 * where the schema may not be used, so they are asked for. */
static const struct rp_pg_statement look = {
    "schema_look",
    "SELECT n.oid IS NOT NULL,"
    " n.oid IS NULL OR (has_schema_privilege(n.oid, 'USAGE')"
    "  AND (m.oid IS NULL OR has_table_privilege(m.oid, 'SELECT'))),"
    " (SELECT count(*) = 3 FROM pg_attribute a WHERE a.attrelid = m.oid AND NOT a.attisdropped"
    "  AND (a.attname, a.atttypid) IN (('number', 'int4'::regtype), ('name', 'text'::regtype),"
    "   ('applied_at', 'timestamptz'::regtype))),"
    " (SELECT count(*) FROM pg_class c WHERE c.relnamespace = n.oid"
    "  AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')),"
    " current_user::text"
    " FROM (SELECT $1::text AS name) s"
    " LEFT JOIN pg_namespace n ON n.nspname = s.name"
    " LEFT JOIN pg_class m ON m.relnamespace = n.oid AND m.relname = 'migration'"
    "  AND m.relkind = 'r'"};

/* Our first migration stands in a table that is ours. */
static const struct rp_pg_statement last = {
    "schema_last", "SELECT max(number)::bigint,"
		   " coalesce(bool_or(number = 1 AND name = 'outbox'), false) FROM migration"};

struct found {
	bool exists;    /* the schema, with or without an outbox */
	int64_t number; /* of the last migration that was applied; 0: none was */
};

static enum rp_err fail_foreign(const struct rp_pg_address *address, struct rp_error *err)
{
	return rp_fail(err, RP_ERR_FORMAT,
		       "%s: the schema %s has tables that are not runpost's: name another one "
		       "(?schema=NAME)",
		       address->shown, address->schema);
}

static enum rp_err find_number(struct rp_pg *pg, const struct rp_pg_address *address,
			       int64_t *number, struct rp_error *err)
{
	const struct rp_pg_rows *rows;
	enum rp_err e;
	size_t ask;

	rp_pg_params(pg);
	ask = rp_pg_ask(pg, &last);
	e = rp_pg_go(pg, err);
	if (e != RP_OK)
		return e;
	rows = rp_pg_answer(pg, ask);
	if (!rp_pg_bool(rows, 0, 1))
		return fail_foreign(address, err);
	*number = rp_pg_i64(rows, 0, 0);
	return RP_OK;
}

static enum rp_err find(struct rp_pg *pg, const struct rp_pg_address *address, struct found *out,
			struct rp_error *err)
{
	const struct rp_pg_rows *rows;
	enum rp_err e;
	size_t ask;

	*out = (struct found){.exists = false};
	rp_pg_put_text(rp_pg_params(pg), rp_span_of(address->schema));
	ask = rp_pg_ask(pg, &look);
	e = rp_pg_go(pg, err);
	if (e != RP_OK)
		return e;
	rows = rp_pg_answer(pg, ask);
	out->exists = rp_pg_bool(rows, 0, 0);
	if (!rp_pg_bool(rows, 0, 1)) {
		struct rp_span role = rp_pg_bytes(rows, 0, 4);

		return rp_fail(err, RP_ERR_DENIED,
			       "%s: the role %.*s may not use the schema %s: its owner can let it "
			       "(SELECT %s.grant_writer('%.*s'))",
			       address->shown, (int)role.len, role.ptr, address->schema,
			       address->schema, (int)role.len, role.ptr);
	}
	if (rp_pg_bool(rows, 0, 2))
		return find_number(pg, address, &out->number, err);
	return rp_pg_i64(rows, 0, 3) == 0 ? RP_OK : fail_foreign(address, err);
}

/* All as one text within the transaction. The search_path names the schema already. */
static enum rp_err run(struct rp_pg *pg, const struct rp_pg_address *address,
		       const struct found *found, int64_t number, struct rp_error *err)
{
	struct rp_buf sql = {.max = (size_t)1 << 20};
	bool ok = found->exists || rp_buf_printf(&sql, "CREATE SCHEMA \"%s\";\n", address->schema);
	enum rp_err e;
	int64_t i;

	for (i = found->number; i < number; i++)
		ok = ok && rp_buf_add_text(&sql, migrations[i].sql) &&
		     rp_buf_printf(&sql,
				   ";\nINSERT INTO migration (number, name) VALUES (%" PRId64
				   ", '%s');\n",
				   i + 1, migrations[i].name);
	e = ok ? rp_pg_run_script(pg, sql.data, err) : rp_fail(err, RP_ERR_NOMEM, "out of memory");
	rp_buf_release(&sql);
	return e;
}

enum rp_err rp_pg_schema_apply(struct rp_pg *pg, const struct rp_pg_address *address,
			       int64_t number, struct rp_error *err)
{
	struct found found;
	enum rp_err e;

	/* Who waits for a table has those behind it wait as well: programs that are at work. */
	e = rp_pg_run_script(pg,
			     "BEGIN; SELECT pg_advisory_xact_lock(" LOCK ");"
			     " SET LOCAL lock_timeout = '5s'; SET LOCAL statement_timeout = 0",
			     err);
	if (e == RP_OK)
		e = find(pg, address, &found, err);
	if (e == RP_OK && found.number < number)
		e = run(pg, address, &found, number, err);
	if (e == RP_OK)
		return rp_pg_run_script(pg, "COMMIT", err);
	if (!rp_pg_is_lost(pg))
		(void)rp_pg_run_script(pg, "ROLLBACK", NULL);
	return e;
}

enum rp_err rp_pg_schema_check(struct rp_pg *pg, const struct rp_pg_address *address, unsigned may,
			       struct rp_error *err)
{
	struct found found;
	enum rp_err e = find(pg, address, &found, err);
	bool is_old = found.number > 0 && found.number < RP_PG_SCHEMA_NUMBER;

	if (e != RP_OK)
		return e;
	if ((found.number == 0 && (may & RP_PG_SCHEMA_CREATE)) ||
	    (is_old && (may & RP_PG_SCHEMA_UPGRADE)))
		return rp_pg_schema_apply(pg, address, RP_PG_SCHEMA_NUMBER, err);
	if (found.number == 0)
		return rp_fail(err, RP_ERR_NOTFOUND, "%s: no outbox in the schema %s",
			       address->shown, address->schema);
	if (found.number != RP_PG_SCHEMA_NUMBER)
		return rp_fail(err, RP_ERR_FORMAT,
			       is_old ? "%s: an older runpost made the schema %s (its number is "
					"%" PRId64 "): `runpost init` brings it up to date"
				      : "%s: a newer runpost made the schema %s (its number is "
					"%" PRId64 ")",
			       address->shown, address->schema, found.number);
	return RP_OK;
}
