/* schema.c - applies migrations. */
#include "store/postgres/schema.h"

#include <stdio.h>
#include <stdlib.h>

static const struct migration {
	const char *name, *sql;
} migrations[RP_PG_SCHEMA_NUMBER] = {
    {
	"outbox",
#include "src/store/postgres/schema/0001_outbox.sql.inc"
    },
};

static const struct rp_pg_statement look = {
    "schema_look",
    "SELECT n.oid IS NOT NULL, m.oid IS NOT NULL,"
    " (SELECT count(*) FROM pg_class c WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'v'))"
    " FROM (SELECT $1::text AS name) s"
    " LEFT JOIN pg_namespace n ON n.nspname = s.name"
    " LEFT JOIN pg_class m ON m.relnamespace = n.oid AND m.relname = 'migration'"};

static const struct rp_pg_statement last = {"schema_last",
					    "SELECT coalesce(max(number), 0) FROM migration"};

/* *number: of the last migration that was applied; 0: there is none. */
static enum rp_err find_number(struct rp_pg *pg, const struct rp_pg_address *address,
			       int64_t *number, struct rp_error *err)
{
	const struct rp_pg_rows *rows;
	enum rp_err e;
	size_t ask;

	*number = 0;
	rp_pg_put_text(rp_pg_params(pg), rp_span_of(address->schema));
	ask = rp_pg_ask(pg, &look);
	e = rp_pg_go(pg, err);
	if (e != RP_OK)
		return e;
	rows = rp_pg_answer(pg, ask);
	if (!rp_pg_bool(rows, 0, 1))
		return rp_pg_i64(rows, 0, 2) == 0
			   ? RP_OK
			   : rp_fail(err, RP_ERR_FORMAT,
				     "%s: the schema %s has tables that are not runpost's: name "
				     "another one (?schema=NAME)",
				     address->shown, address->schema);
	rp_pg_params(pg);
	ask = rp_pg_ask(pg, &last);
	e = rp_pg_go(pg, err);
	if (e == RP_OK)
		*number = rp_pg_i64(rp_pg_answer(pg, ask), 0, 0);
	return e;
}

/* As one text: PostgreSQL runs it as one transaction, which its lock keeps to one at a time. */
static enum rp_err apply(struct rp_pg *pg, const struct rp_pg_address *address, int64_t from,
			 struct rp_error *err)
{
	struct rp_buf sql = {.max = (size_t)1 << 20};
	bool ok = rp_buf_printf(&sql, "CREATE SCHEMA IF NOT EXISTS \"%s\";\n", address->schema);
	enum rp_err e;
	int64_t i;

	for (i = from; i < RP_PG_SCHEMA_NUMBER; i++)
		ok = ok && rp_buf_add_text(&sql, migrations[i].sql) &&
		     rp_buf_printf(&sql,
				   ";\nINSERT INTO migration (number, name) VALUES (%d, '%s');\n",
				   (int)i + 1, migrations[i].name);
	if (ok)
		e = rp_pg_run_script(pg, sql.data, err);
	else
		e = rp_fail(err, RP_ERR_NOMEM, "out of memory");
	rp_buf_release(&sql);
	return e;
}

static enum rp_err bring_up(struct rp_pg *pg, const struct rp_pg_address *address,
			    struct rp_error *err)
{
	int64_t number;
	enum rp_err e;

	e = rp_pg_run_script(pg, "BEGIN; SELECT pg_advisory_xact_lock(7305234)", err);
	if (e == RP_OK)
		e = find_number(pg, address, &number, err);
	if (e == RP_OK && number < RP_PG_SCHEMA_NUMBER)
		e = apply(pg, address, number, err);
	if (e == RP_OK)
		return rp_pg_run_script(pg, "COMMIT", err);
	if (!rp_pg_is_lost(pg))
		(void)rp_pg_run_script(pg, "ROLLBACK", NULL);
	return e;
}

enum rp_err rp_pg_schema_check(struct rp_pg *pg, const struct rp_pg_address *address, bool create,
			       struct rp_error *err)
{
	int64_t number;
	enum rp_err e = find_number(pg, address, &number, err);

	if (e == RP_OK && number < RP_PG_SCHEMA_NUMBER && create) {
		e = bring_up(pg, address, err);
		number = RP_PG_SCHEMA_NUMBER;
	}
	if (e != RP_OK)
		return e;
	if (number == 0)
		return rp_fail(err, RP_ERR_NOTFOUND, "%s: no outbox in the schema %s",
			       address->shown, address->schema);
	if (number != RP_PG_SCHEMA_NUMBER)
		return rp_fail(err, RP_ERR_FORMAT,
			       number > RP_PG_SCHEMA_NUMBER
				   ? "%s: a newer runpost made the schema %s (its number is %d)"
				   : "%s: an older runpost made the schema %s (its number is %d): "
				     "`runpost init` brings it up to date",
			       address->shown, address->schema, (int)number);
	return RP_OK;
}
