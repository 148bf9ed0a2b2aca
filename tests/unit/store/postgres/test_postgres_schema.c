/* The schema of an outbox in PostgreSQL: it is made, brought up to date or refused, and a person
 * can read it. What needs a server takes the one that RP_POSTGRES names. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "model/control.h"
#include "model/counters.h"
#include "model/job.h"
#include "model/level.h"
#include "model/outcome.h"
#include "outbox/work.h"
#include "sign/ident.h"
#include "store/postgres/schema.h"

#define SERVER "RP_POSTGRES"

static const char sql_of_names[] =
#include "src/store/postgres/schema/0002_names_and_views.sql.inc"
    ;

static char schema[40], address_text[RP_PG_ADDRESS_MAX];
static struct rp_pg_address address;
static struct rp_pg *pg; /* the test's own connection */

/* --- asking ------------------------------------------------------------------------------ */

static enum rp_err run(const char *sql)
{
	return rp_pg_run_script(pg, sql, &fx.err);
}

static void must_run(const char *sql)
{
	fx_must(run(sql), sql);
}

/* The name stands between them. */
static void must_run_for(const char *before, const char *name, const char *after)
{
	char sql[256];

	snprintf(sql, sizeof sql, "%s%s%s", before, name, after);
	must_run(sql);
}

static const struct rp_pg_rows *ask(const char *sql)
{
	size_t n = rp_pg_ask_plain(pg, sql);

	fx_must(rp_pg_go(pg, &fx.err), sql);
	return rp_pg_answer(pg, n);
}

static int64_t number(const char *sql)
{
	const struct rp_pg_rows *rows = ask(sql);

	ck_assert_uint_eq(rp_pg_n_rows(rows), 1);
	return rp_pg_i64(rows, 0, 0);
}

static void check_text(const struct rp_pg_rows *rows, int column, const char *wanted)
{
	struct rp_span found = rp_pg_bytes(rows, 0, column);

	ck_assert_msg(rp_span_is(found, wanted), "'%.*s' is not '%s'", (int)found.len, found.ptr,
		      wanted);
}

static enum rp_err open_as(const char *more, bool create, bool upgrade)
{
	char text[RP_PG_ADDRESS_MAX + 128];
	enum rp_err e;

	snprintf(text, sizeof text, "%s%s", address_text, more);
	fx.options.create = create;
	fx.options.upgrade = upgrade;
	e = rp_outbox_open(text, &fx.options, &fx.ob, &fx.err);
	if (e != RP_OK)
		ck_assert_ptr_null(fx.ob);
	return e;
}

static enum rp_err opens(bool create, bool upgrade)
{
	enum rp_err e = open_as("", create, upgrade);

	if (e == RP_OK)
		fx_close();
	return e;
}

static void setup(void)
{
	static unsigned n;
	const char *server = getenv(SERVER);

	fx_prepare();
	snprintf(schema, sizeof schema, "schema_%ld_%u", (long)getpid(), n++);
	snprintf(address_text, sizeof address_text, "%s%cschema=%s", server,
		 strchr(server, '?') != NULL ? '&' : '?', schema);
	fx_must(rp_pg_address_parse(address_text, &address, &fx.err), "address");
	fx_must(rp_pg_connect(&address, &pg, &fx.err), "connect");
}

static void teardown(void)
{
	must_run_for("DROP SCHEMA IF EXISTS ", schema, " CASCADE");
	rp_pg_disconnect(pg);
}

/* --- made, or refused -------------------------------------------------------------------- */

START_TEST(it_is_made_once)
{
	char sql[128];

	snprintf(sql, sizeof sql, "SELECT count(*) FROM pg_namespace WHERE nspname = '%s'", schema);
	ck_assert_int_eq(opens(false, true), RP_ERR_NOTFOUND);
	ck_assert_int_eq(number(sql), 0);
	ck_assert_int_eq(opens(true, false), RP_OK);
	ck_assert_int_eq(opens(true, true), RP_OK);
	ck_assert_int_eq(opens(false, false), RP_OK);
	ck_assert_int_eq(number("SELECT count(*) FROM migration"), RP_PG_SCHEMA_NUMBER);
	ck_assert_int_eq(number("SELECT max(number) FROM migration"), RP_PG_SCHEMA_NUMBER);
}
END_TEST

START_TEST(an_empty_schema_is_taken)
{
	must_run_for("CREATE SCHEMA ", schema, "");
	ck_assert_int_eq(opens(false, false), RP_ERR_NOTFOUND);
	ck_assert_int_eq(opens(true, false), RP_OK);
}
END_TEST

START_TEST(several_that_make_it_wait_for_each_other)
{
	enum { MAKERS = 4 };
	pid_t makers[MAKERS];
	int i, status;

	for (i = 0; i < MAKERS; i++) {
		makers[i] = fork();
		ck_assert_int_ge(makers[i], 0);
		if (makers[i] == 0)
			_exit(opens(true, false) == RP_OK ? 0 : 1);
	}
	for (i = 0; i < MAKERS; i++) {
		ck_assert_int_eq(waitpid(makers[i], &status, 0), makers[i]);
		ck_assert_int_eq(status, 0);
	}
	ck_assert_int_eq(number("SELECT count(*) FROM migration"), RP_PG_SCHEMA_NUMBER);
}
END_TEST

START_TEST(a_newer_one_is_refused)
{
	ck_assert_int_eq(opens(true, false), RP_OK);
	must_run("INSERT INTO migration (number, name) VALUES (999, 'of the future')");
	ck_assert_int_eq(opens(true, true), RP_ERR_FORMAT);
	ck_assert_ptr_nonnull(strstr(fx.err.text, "a newer runpost"));
	ck_assert_ptr_nonnull(strstr(fx.err.text, "999"));
	ck_assert_int_eq(number("SELECT count(*) FROM migration"), RP_PG_SCHEMA_NUMBER + 1);
}
END_TEST

START_TEST(an_older_one_is_brought_up_to_date_when_it_is_told_to)
{
	fx_must(rp_pg_schema_apply(pg, &address, 1, &fx.err), "the first migration");
	must_run("INSERT INTO audit VALUES (7, 0, 1, 0, 0, 0, 'pause', 'me', 'all', 'kept')");
	ck_assert_int_eq(opens(true, false), RP_ERR_FORMAT);
	ck_assert_ptr_nonnull(strstr(fx.err.text, "an older runpost"));
	ck_assert_ptr_nonnull(strstr(fx.err.text, "runpost init"));
	ck_assert_int_eq(number("SELECT max(number) FROM migration"), 1);
	ck_assert_int_eq(opens(false, true), RP_OK);
	ck_assert_int_eq(number("SELECT max(number) FROM migration"), RP_PG_SCHEMA_NUMBER);
	ck_assert_int_eq(number("SELECT number FROM audit WHERE reason = 'kept'"), 7);
	ck_assert_int_eq(opens(false, false), RP_OK);
}
END_TEST

/* A long transaction of somebody else's keeps it from its table; nobody waits behind it for long,
 * and nothing is half done. */
START_TEST(an_upgrade_gives_up_rather_than_stand_in_the_way)
{
	struct rp_pg *other;

	fx_must(rp_pg_schema_apply(pg, &address, 1, &fx.err), "the first migration");
	fx_must(rp_pg_connect(&address, &other, &fx.err), "connect");
	must_run("BEGIN; LOCK TABLE migration IN ACCESS EXCLUSIVE MODE");
	fx_must(rp_pg_run_script(other, "SET lock_timeout = '100ms'", &fx.err), "SET");
	ck_assert_int_eq(rp_pg_schema_check(other, &address, RP_PG_SCHEMA_UPGRADE, &fx.err),
			 RP_ERR_AWAY);
	must_run("COMMIT");
	ck_assert_int_eq(number("SELECT max(number) FROM migration"), 1);
	ck_assert_int_eq(rp_pg_schema_check(other, &address, RP_PG_SCHEMA_UPGRADE, &fx.err), RP_OK);
	rp_pg_disconnect(other);
}
END_TEST

static void check_foreign(void)
{
	int64_t before = number("SELECT count(*) FROM pg_class WHERE relnamespace ="
				" current_schema()::regnamespace");

	ck_assert_int_eq(opens(true, true), RP_ERR_FORMAT);
	ck_assert_msg(strstr(fx.err.text, "not runpost's") != NULL, "%s", fx.err.text);
	ck_assert_int_eq(opens(false, false), RP_ERR_FORMAT);
	ck_assert_int_eq(number("SELECT count(*) FROM pg_class WHERE relnamespace ="
				" current_schema()::regnamespace"),
			 before);
}

START_TEST(tables_of_others_are_left_alone)
{
	must_run_for("CREATE SCHEMA ", schema, "; CREATE TABLE customer (id int)");
	check_foreign();
	must_run("CREATE TABLE migration (number int, applied boolean)");
	check_foreign();
	must_run("DROP TABLE migration; CREATE TABLE migration"
		 " (number int, name text, applied_at timestamptz);"
		 " INSERT INTO migration VALUES (1, 'customers', now())");
	check_foreign();
}
END_TEST

/* --- who may what ------------------------------------------------------------------------ */

static char app[64], as_app[96];

static void setup_roles(void)
{
	setup();
	ck_assert_int_eq(opens(true, false), RP_OK);
	snprintf(app, sizeof app, "%s_app", schema);
	snprintf(as_app, sizeof as_app, "&options=-c%%20role%%3D%s", app);
	must_run_for("CREATE ROLE ", app, "");
}

static void teardown_roles(void)
{
	must_run_for("DROP OWNED BY ", app, "");
	must_run_for("DROP ROLE ", app, "");
	teardown();
}

static void grant(const char *function)
{
	char sql[256];

	snprintf(sql, sizeof sql, "SELECT %s('%s')", function, app);
	fx_must(run(sql), sql);
}

START_TEST(a_role_without_rights_is_told_what_to_ask_for)
{
	ck_assert_int_eq(open_as(as_app, false, false), RP_ERR_DENIED);
	ck_assert_msg(strstr(fx.err.text, "grant_writer") != NULL, "%s", fx.err.text);
	ck_assert_ptr_nonnull(strstr(fx.err.text, app));
}
END_TEST

START_TEST(a_writer_works_it_and_changes_no_table)
{
	uint64_t dead, delivered;

	grant("grant_writer");
	ck_assert_int_eq(open_as(as_app, true, false), RP_OK);
	fx_join();
	dead = fx_entry_in(1, RP_STATE_DEAD);
	delivered = fx_entry_in(2, RP_STATE_DELIVERED);
	ck_assert_int_eq(fx_change(RP_CHANGE_REPLAY, dead), RP_CHANGED_DONE);
	ck_assert_int_eq(fx_change(RP_CHANGE_PURGE, delivered), RP_CHANGED_DONE);
	fx_close();
	ck_assert_int_eq(number("SELECT has_schema_privilege((SELECT rolname FROM pg_roles WHERE"
				" rolname = current_schema() || '_app'), current_schema(),"
				" 'CREATE')::int"),
			 0);
	ck_assert_int_eq(
	    number("SELECT has_table_privilege(current_schema() || '_app', 'migration',"
		   " 'INSERT')::int"),
	    0);
}
END_TEST

START_TEST(a_reader_reads)
{
	struct rp_new_entry n = fx_new(1);
	struct rp_appended out = {.seq = 0};

	grant("grant_reader");
	ck_assert_int_eq(open_as(as_app, false, false), RP_OK);
	ck_assert_uint_eq(fx_ledger().accepted, 0);
	ck_assert_int_eq(rp_outbox_append(fx.ob, fx.now_ms, &n, 1, &out, &fx.err), RP_ERR_DENIED);
	fx_close();
}
END_TEST

START_TEST(support_sees_views_and_no_payload)
{
	grant("grant_support");
	must_run_for("SET ROLE ", app, "");
	fx_must(run("SELECT * FROM dead_by_cause; SELECT * FROM endpoint_status;"
		    " SELECT * FROM entry_timeline"),
		"views");
	ck_assert_int_eq(run("SELECT payload FROM entry"), RP_ERR_DENIED);
	fx_must(run("RESET ROLE"), "RESET ROLE");
}
END_TEST

/* --- what a person reads ----------------------------------------------------------------- */

START_TEST(each_table_and_column_says_what_it_is)
{
	const struct rp_pg_rows *rows;

	ck_assert_int_eq(opens(true, false), RP_OK);
	rows =
	    ask("SELECT c.relname || coalesce('.' || a.attname, '')"
		" FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid"
		"  AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind = 'r'"
		" WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'v')"
		"  AND (obj_description(c.oid, 'pg_class') IS NULL OR (a.attnum IS NOT NULL"
		"   AND col_description(c.oid, a.attnum) IS NULL))");
	if (rp_pg_n_rows(rows) > 0) {
		struct rp_span name = rp_pg_bytes(rows, 0, 0);

		ck_abort_msg("%zu without a comment, %.*s among them", rp_pg_n_rows(rows),
			     (int)name.len, name.ptr);
	}
}
END_TEST

START_TEST(ids_and_causes_are_shown_as_the_programs_do)
{
	unsigned char id[RP_ID_BYTES];
	const struct rp_pg_rows *rows;
	char text[RP_ID_TEXT_MAX], cause[RP_CAUSE_TEXT_MAX], sql[128];
	unsigned c;

	ck_assert_int_eq(opens(true, false), RP_OK);
	rp_id_make(1234567, (const unsigned char *)"\xff\x00\x7f\x80 abcde", id);
	rows = ask("SELECT id_text('\\x00000012d687ff007f80206162636465'::bytea)");
	check_text(rows, 0, rp_id_format(id, text));
	for (c = 0; c < RP_CAUSE_MAX_; c++) {
		snprintf(sql, sizeof sql, "SELECT cause_text(%u, 503), cause_text(%u, 0)", c, c);
		rows = ask(sql);
		check_text(rows, 0, rp_cause_format((enum rp_cause)c, 503, cause));
		check_text(rows, 1, rp_cause_format((enum rp_cause)c, 0, cause));
	}
}
END_TEST

START_TEST(views_tell_what_became_of_entries)
{
	const struct rp_pg_rows *rows;
	char sql[256];
	uint64_t dead;

	ck_assert_int_eq(open_as("", true, false), RP_OK);
	fx_join();
	dead = fx_entry_in(1, RP_STATE_DEAD);
	fx_entry_in(2, RP_STATE_DELIVERED);
	fx_close();
	rows = ask(
	    "SELECT entries, host, cause, last_at - first_at = interval '0' FROM dead_by_cause");
	ck_assert_uint_eq(rp_pg_n_rows(rows), 1);
	ck_assert_int_eq(rp_pg_i64(rows, 0, 0), 1);
	ck_assert_uint_gt(rp_pg_bytes(rows, 0, 1).len, 0);
	ck_assert_uint_gt(rp_pg_bytes(rows, 0, 2).len, 0);
	ck_assert(rp_pg_bool(rows, 0, 3));
	rows = ask(
	    "SELECT level, breaker, dead FROM endpoint_status WHERE dead > 0 AND level = 'path'");
	ck_assert_uint_eq(rp_pg_n_rows(rows), 1);
	check_text(rows, 1, "closed");
	ck_assert_int_eq(
	    number("SELECT count(*) FROM endpoint_status WHERE level = 'host' AND host ="
		   " name AND breaker = 'closed'"),
	    2);
	snprintf(
	    sql, sizeof sql,
	    "SELECT what, id LIKE 'msg\\_%%', at IS NOT NULL FROM entry_timeline WHERE seq = %llu"
	    " ORDER BY at, what <> 'accepted', what <> 'attempt'",
	    (unsigned long long)dead);
	rows = ask(sql);
	ck_assert_uint_ge(rp_pg_n_rows(rows), 2);
	check_text(rows, 0, "accepted");
	ck_assert(rp_pg_bool(rows, 0, 1));
	ck_assert(rp_pg_bool(rows, 0, 2));
	ck_assert(rp_span_is(rp_pg_bytes(rows, rp_pg_n_rows(rows) - 1, 0), "dead"));
}
END_TEST

/* --- names, without a server ------------------------------------------------------------- */

static const char *name_of_cause(unsigned i)
{
	static char text[RP_CAUSE_TEXT_MAX];

	return rp_cause_format((enum rp_cause)i, 0, text);
}

static const char *name_of_state(unsigned i)
{
	return rp_state_name((enum rp_state)i);
}

static const char *name_of_level(unsigned i)
{
	return rp_level_name((enum rp_level)i);
}

static const char *name_of_breaker(unsigned i)
{
	return rp_breaker_name((enum rp_breaker)i);
}

static const char *name_of_verb(unsigned i)
{
	return rp_job_verb_name((enum rp_job_verb)i);
}

static const char *name_of_phase(unsigned i)
{
	return rp_job_phase_name((enum rp_job_phase)i);
}

static const char *name_of_class(unsigned i)
{
	return rp_outcome_class_name((enum rp_outcome_class)i);
}

static const struct {
	const char *table;
	unsigned from, to;
	const char *(*name)(unsigned i);
} tables[] = {
    {"state_name", RP_STATE_WAITING, RP_STATE_DEAD, name_of_state},
    {"cause_name", 1, RP_CAUSE_MAX_ - 1, name_of_cause},
    {"level_name", RP_LEVEL_PATH, RP_LEVEL_HOST, name_of_level},
    {"breaker_name", RP_BREAKER_CLOSED, RP_BREAKER_HALF_OPEN, name_of_breaker},
    {"job_verb_name", RP_JOB_REPLAY, RP_JOB_PURGE, name_of_verb},
    {"job_phase_name", RP_JOB_PLANNING, RP_JOB_EXPIRED, name_of_phase},
    {"outcome_class_name", 0, RP_CLASS_COUNT - 1, name_of_class},
};

START_TEST(names_in_tables_are_those_of_the_program)
{
	char text[4096];
	unsigned i = tables[_i].from, to = tables[_i].to;
	int len =
	    snprintf(text, sizeof text, "INSERT INTO %s (number, name) VALUES\n", tables[_i].table);

	for (; i <= to; i++)
		len += snprintf(text + len, sizeof text - (size_t)len, "    (%u, '%s')%s\n", i,
				tables[_i].name(i), i < to ? "," : ";");
	ck_assert_msg(strstr(sql_of_names, text) != NULL, "this is not in the migration:\n%s",
		      text);
}
END_TEST

static void add_server_cases(Suite *s)
{
	TCase *tc = tcase_create("schema");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, it_is_made_once);
	tcase_add_test(tc, an_empty_schema_is_taken);
	tcase_add_test(tc, several_that_make_it_wait_for_each_other);
	tcase_add_test(tc, a_newer_one_is_refused);
	tcase_add_test(tc, an_older_one_is_brought_up_to_date_when_it_is_told_to);
	tcase_add_test(tc, an_upgrade_gives_up_rather_than_stand_in_the_way);
	tcase_add_test(tc, tables_of_others_are_left_alone);
	tcase_add_test(tc, each_table_and_column_says_what_it_is);
	tcase_add_test(tc, ids_and_causes_are_shown_as_the_programs_do);
	tcase_add_test(tc, views_tell_what_became_of_entries);
	suite_add_tcase(s, tc);
	tc = tcase_create("roles");
	tcase_add_checked_fixture(tc, setup_roles, teardown_roles);
	tcase_add_test(tc, a_role_without_rights_is_told_what_to_ask_for);
	tcase_add_test(tc, a_writer_works_it_and_changes_no_table);
	tcase_add_test(tc, a_reader_reads);
	tcase_add_test(tc, support_sees_views_and_no_payload);
	suite_add_tcase(s, tc);
}

int main(void)
{
	Suite *s = suite_create("postgres_schema");
	TCase *tc = tcase_create("names");
	const char *server = getenv(SERVER);
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tc, names_in_tables_are_those_of_the_program, 0,
			    sizeof tables / sizeof tables[0]);
	suite_add_tcase(s, tc);
	if (server != NULL && server[0] != '\0')
		add_server_cases(s);
	else
		printf("skipped on postgres: " SERVER " names no server\n");
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
