/* What is known of the address of a database without connecting. */
#include "config/database_url.h"

#include <check.h>
#include <stdlib.h>

static const struct {
	const char *text, *shown;
	bool is, has_password;
} addresses[] = {
    {"postgresql://db/x", "postgresql://db/x", true, false},
    {"postgres://me@db:5433/x?sslmode=require", "postgres://me@db:5433/x", true, false},
    {"postgresql://me:geheim@db/x", "postgresql://me@db/x", true, true},
    {"postgresql://me:ge@heim@a:1,b:2/x", "postgresql://me@a:1,b:2/x", true, true},
    {"postgresql://db:5433/x", "postgresql://db:5433/x", true, false},
    {"postgresql:///x?host=/run&password=geheim", "postgresql:///x", true, true},
    {"postgresql:///x?user=me&passfile=/f", "postgresql:///x", true, false},
    {"postgresql://db", "postgresql://db", true, false},
    {"/var/lib/runpost", "/var/lib/runpost", false, false},
    {"https://db/x", "https://db/x", false, false},
};

START_TEST(no_password_is_shown)
{
	struct rp_buf shown = {0};

	ck_assert_int_eq(rp_database_url_is(addresses[_i].text), addresses[_i].is);
	if (!addresses[_i].is)
		return;
	ck_assert_int_eq(rp_database_url_has_password(addresses[_i].text),
			 addresses[_i].has_password);
	ck_assert(rp_database_url_show(addresses[_i].text, &shown));
	ck_assert(rp_buf_add_char(&shown, '\0'));
	ck_assert_str_eq(shown.data, addresses[_i].shown);
	rp_buf_release(&shown);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("database_url");
	TCase *tc = tcase_create("database_url");
	SRunner *runner = srunner_create(s);
	int failed;

	tcase_add_loop_test(tc, no_password_is_shown, 0, sizeof addresses / sizeof addresses[0]);
	suite_add_tcase(s, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
