/* Connection strings: what is ours is taken out, passwords are never shown, each host is found. */
#include "store/postgres/address.h"

#include <check.h>
#include <stdlib.h>

static struct rp_pg_address a;
static struct rp_error err;

static void parse(const char *text)
{
	ck_assert_msg(rp_pg_address_parse(text, &a, &err) == RP_OK, "%s: %s", text, err.text);
}

START_TEST(what_is_ours_is_taken_out)
{
	parse("postgresql://u@h/db?sslmode=require&schema=out_2&pooler=session&application_name=x");
	ck_assert_str_eq(a.conninfo, "postgresql://u@h/db?sslmode=require&application_name=x");
	ck_assert_str_eq(a.schema, "out_2");
	ck_assert(a.pooled);
	ck_assert_str_eq(a.shown, "postgresql://u@h/db");
	ck_assert(!a.standby);
	parse("postgres://h/db?durability=standby");
	ck_assert(a.standby);
	ck_assert_str_eq(a.conninfo, "postgres://h/db");
	parse("postgres://h/db?durability=local");
	ck_assert(!a.standby);
	parse("postgres://h/db?schema=a");
	ck_assert_str_eq(a.conninfo, "postgres://h/db");
	ck_assert(!a.pooled);
	parse("postgresql:///");
	ck_assert_str_eq(a.schema, "runpost");
	ck_assert_uint_eq(a.n_hosts, 0);
	ck_assert_int_eq(a.connect_ms, RP_PG_CONNECT_MS);
	parse("postgresql://h?connect_timeout=2");
	ck_assert_int_eq(a.connect_ms, 2000);
}
END_TEST

START_TEST(a_password_goes_apart)
{
	parse("postgresql://u:s%40%2Fcret?x@h:1/db?sslmode=disable");
	ck_assert_str_eq(a.password, "s@/cret?x");
	ck_assert(a.has_password);
	ck_assert_str_eq(a.conninfo, "postgresql://u@h:1/db?sslmode=disable");
	ck_assert_str_eq(a.shown, "postgresql://u@h:1/db");
	parse("postgresql://u@h/db?password=secret");
	ck_assert_str_eq(a.password, "secret");
	ck_assert_str_eq(a.conninfo, "postgresql://u@h/db");
	parse("postgresql://u@h/db");
	ck_assert(!a.has_password);
	ck_assert_str_eq(a.password, "");
}
END_TEST

START_TEST(each_of_several_hosts_is_found)
{
	parse("postgresql://u@one,two:5433,[2001:db8::1]:5434,%2Frun%2Fpg/db");
	ck_assert_uint_eq(a.n_hosts, 4);
	ck_assert_str_eq(a.hosts[0].name, "one");
	ck_assert_str_eq(a.hosts[0].port, "5432");
	ck_assert_str_eq(a.hosts[1].name, "two");
	ck_assert_str_eq(a.hosts[1].port, "5433");
	ck_assert_str_eq(a.hosts[2].name, "2001:db8::1");
	ck_assert_str_eq(a.hosts[2].port, "5434");
	ck_assert_str_eq(a.hosts[3].name, "/run/pg");
	parse("postgresql:///db?host=one,/run/pg&port=1,2");
	ck_assert_uint_eq(a.n_hosts, 2);
	ck_assert_str_eq(a.hosts[1].name, "/run/pg");
	ck_assert_str_eq(a.hosts[1].port, "2");
	parse("postgresql:///db?host=one,two&port=7");
	ck_assert_str_eq(a.hosts[0].port, "7");
	ck_assert_str_eq(a.hosts[1].port, "7");
	parse("postgresql://one,two/db?hostaddr=127.0.0.1,127.0.0.2");
	ck_assert_uint_eq(a.n_hosts, 0);
	parse("postgresql://one:5433/db");
	ck_assert_uint_eq(a.n_hosts, 0);
}
END_TEST

/* Each with a password in it, which no text may have. */
static const char *const bad[] = {
    "postgresql://u:secret@h/db?schema=Upper",
    "postgresql://u:secret@h/db?schema=",
    "postgresql://u:secret@h/db?schema=pg_x",
    "postgresql://u:secret@h/db?schema=1a",
    "postgresql://u:secret@h/db?schema=a%22b",
    "postgresql://u:secret@h/db?pooler=transaction",
    "postgresql://u:secret@h/db?target_session_attrs=standby",
    "postgresql://u:secret@h/db?target_session_attrs=prefer-standby",
    "postgresql://u:secret@h/db?connect_timeout=soon",
    "postgresql://u:secret@h/db?durability=both",
    "postgresql://u:secret@h/db?sslmode",
    "postgresql://u:secret@h/db?host=a,b&port=1,2,3",
    "postgresql://u:secret@h:port/db",
    "postgresql://u:secret@h:0/db",
    "postgresql://u:secret@h:65536/db",
    "postgresql://u:secret@h,,i/db",
    "postgresql://u:secret@h,/db",
    "postgresql://u:secret@[::1/db",
    "postgresql://u:secret@[::1]x/db",
    "postgresql://u:secret%@h/db",
    "postgresql://u:secret%4g@h/db",
    "postgresql://u:secret%00@h/db",
    "postgresql://u:se@cret-secret@h/db",
    "postgresql://u:secret/secret@h/db",
    "mysql://u:secret@h/db",
};

START_TEST(a_bad_address_is_refused_without_its_password)
{
	err = (struct rp_error){.text = ""};
	ck_assert_int_eq(rp_pg_address_parse(bad[_i], &a, &err), RP_ERR_INVAL);
	ck_assert_msg(strlen(err.text) > 20, "%s", bad[_i]);
	ck_assert_msg(strstr(err.text, "secret") == NULL, "%s", err.text);
	ck_assert_ptr_null(strstr(a.shown, "secret"));
}
END_TEST

START_TEST(what_is_too_long_is_refused)
{
	char text[RP_PG_ADDRESS_MAX + 100];

	memset(text, 'x', sizeof text);
	memcpy(text, "postgresql://", 13);
	text[sizeof text - 1] = '\0';
	ck_assert_int_eq(rp_pg_address_parse(text, &a, &err), RP_ERR_INVAL);
	text[RP_PG_HOST_MAX + 20] = '\0';
	ck_assert_int_eq(rp_pg_address_parse(text, &a, &err), RP_ERR_INVAL);
	memset(text + 13, ',', 100);
	for (int i = 0; i < 40; i += 2)
		text[13 + i] = 'h';
	memcpy(text + 13 + 39, "/db", 4);
	ck_assert_int_eq(rp_pg_address_parse(text, &a, &err), RP_ERR_INVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "16 hosts"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pg_address");
	TCase *tc = tcase_create("pg_address");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, what_is_ours_is_taken_out);
	tcase_add_test(tc, a_password_goes_apart);
	tcase_add_test(tc, each_of_several_hosts_is_found);
	tcase_add_loop_test(tc, a_bad_address_is_refused_without_its_password, 0,
			    sizeof bad / sizeof bad[0]);
	tcase_add_test(tc, what_is_too_long_is_refused);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
