/* What the front door alone needs of the settings. */
#include "config/settings.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64], conf[96];
static struct rp_settings settings;
static struct rp_error error;

static const char *in_dir(const char *name)
{
	static char path[128];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

static void put(const char *name, const char *text, mode_t mode)
{
	FILE *f = fopen(in_dir(name), "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(chmod(in_dir(name), mode), 0);
}

static void setup(void)
{
	char *at = getenv("TMPDIR");

	snprintf(dir, sizeof dir, "%s/settings.XXXXXX",
		 at != NULL && strlen(at) < 40 ? at : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_ptr_nonnull(at = realpath(dir, NULL));
	ck_assert_uint_lt(strlen(at), sizeof dir);
	strcpy(dir, at);
	free(at);
	strcpy(conf, in_dir("r.conf"));
	memset(&settings, 0, sizeof settings);
	memset(&error, 0, sizeof error);
}

static void teardown(void)
{
	static const char *const names[] = {"r.conf", "tokens", "keys"};
	size_t i;

	rp_settings_release(&settings);
	for (i = 0; i < sizeof names / sizeof names[0]; i++)
		unlink(in_dir(names[i]));
	ck_assert_int_eq(rmdir(dir), 0);
}

static enum rp_err load(const char *text)
{
	put("r.conf", text, 0600);
	ck_assert_msg(rp_settings_load(conf, &settings, &error) == RP_OK, "%s", error.text);
	return rp_settings_load_door(&settings, &error);
}

static void check_error(const char *expected)
{
	char want[600];

	snprintf(want, sizeof want, "%s:%s", conf, expected);
	ck_assert_msg(strstr(error.text, want) == error.text, "got  %s\nwant %s", error.text, want);
	ck_assert_ptr_null(settings.door.tokens.ptr);
	ck_assert_ptr_null(settings.door.keys.ptr);
	ck_assert_uint_eq(settings.door.n_users, 0);
}

START_TEST(without_a_section_there_are_no_tokens_and_the_own_user)
{
	ck_assert_msg(load("") == RP_OK, "%s", error.text);
	ck_assert_ptr_null(settings.door.tokens.ptr);
	ck_assert_ptr_null(settings.door.keys.ptr);
	ck_assert_uint_eq(settings.door.n_users, 1);
	ck_assert_uint_eq(settings.door.users[0], geteuid());
}
END_TEST

START_TEST(files_beside_the_configuration_are_read_as_they_are)
{
	put("tokens", "# two\nabcdefghijklmnop\nponmlkjihgfedcba\n", 0640);
	put("keys", "0123456789abcdef", 0600);
	ck_assert_msg(load("[door]\ntoken_file = tokens\ndoor_key_file = keys\nrejects = r\n") ==
			  RP_OK,
		      "%s", error.text);
	ck_assert(rp_span_is(settings.door.tokens, "# two\nabcdefghijklmnop\nponmlkjihgfedcba\n"));
	ck_assert(rp_span_is(settings.door.keys, "0123456789abcdef"));
	ck_assert_str_eq(settings.config.door.rejects, in_dir("r"));
	rp_settings_release(&settings);
	ck_assert_ptr_null(settings.door.tokens.ptr);
}
END_TEST

START_TEST(users_have_their_numbers)
{
	ck_assert_msg(load("[door]\ndoor_users = root self 4294967294\n") == RP_OK, "%s",
		      error.text);
	ck_assert_uint_eq(settings.door.n_users, 3);
	ck_assert_uint_eq(settings.door.users[0], 0);
	ck_assert_uint_eq(settings.door.users[1], geteuid());
	ck_assert_uint_eq(settings.door.users[2], 4294967294);
}
END_TEST

START_TEST(nobody_is_nobody)
{
	ck_assert_msg(load("[door]\ndoor_users = none\n") == RP_OK, "%s", error.text);
	ck_assert_uint_eq(settings.door.n_users, 0);
}
END_TEST

START_TEST(a_user_that_does_not_exist_is_an_error_with_its_line)
{
	ck_assert_int_eq(load("[door]\ndoor_users = self\ndoor_users = no-such-user-here\n"),
			 RP_ERR_INVAL);
	check_error("3: [door] door_users: there is no user no-such-user-here; accepted: names and "
		    "numbers of users, self, or none alone");
}
END_TEST

START_TEST(files_of_the_door_are_under_the_rules_of_secrets)
{
	char want[300];

	put("tokens", "abcdefghijklmnop\n", 0644);
	ck_assert_int_eq(load("[door]\n\ntoken_file = tokens\n"), RP_ERR_DENIED);
	snprintf(want, sizeof want,
		 "3: [door] token_file = %s: mode 0644 lets others at the secret; mend it with: "
		 "chmod 0600 ",
		 in_dir("tokens"));
	check_error(want);
	rp_settings_release(&settings);
	put("tokens", "abcdefghijklmnop\n", 0600);
	ck_assert_int_eq(load("[door]\ntoken_file = tokens\ndoor_key_file = keys\n"),
			 RP_ERR_NOTFOUND);
	snprintf(want, sizeof want, "3: [door] door_key_file = %s: cannot open it", in_dir("keys"));
	check_error(want);
}
END_TEST

START_TEST(others_do_not_need_what_the_door_needs)
{
	put("r.conf", "[door]\ntoken_file = missing\ndoor_users = no-such-user-here\n", 0600);
	ck_assert_int_eq(rp_settings_load(conf, &settings, &error), RP_OK);
	ck_assert_msg(rp_settings_load_secrets(&settings, &error) == RP_OK, "%s", error.text);
}
END_TEST

START_TEST(what_is_wrong_in_a_file_is_told_with_where_it_is_named)
{
	char want[300];

	put("keys", "short", 0600);
	ck_assert_int_eq(load("[door]\ndoor_key_file = keys\n"), RP_OK);
	rp_fail(&error, RP_ERR_INVAL, "line 1: too short");
	ck_assert_int_eq(rp_settings_fail_door(&settings, "door_key_file", &error, &error),
			 RP_ERR_INVAL);
	snprintf(want, sizeof want, "%s:2: [door] door_key_file = %s/keys: line 1: too short", conf,
		 dir);
	ck_assert_str_eq(error.text, want);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("settings_door");
	TCase *tc = tcase_create("settings_door");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, without_a_section_there_are_no_tokens_and_the_own_user);
	tcase_add_test(tc, files_beside_the_configuration_are_read_as_they_are);
	tcase_add_test(tc, users_have_their_numbers);
	tcase_add_test(tc, nobody_is_nobody);
	tcase_add_test(tc, a_user_that_does_not_exist_is_an_error_with_its_line);
	tcase_add_test(tc, files_of_the_door_are_under_the_rules_of_secrets);
	tcase_add_test(tc, others_do_not_need_what_the_door_needs);
	tcase_add_test(tc, what_is_wrong_in_a_file_is_told_with_where_it_is_named);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(suite());
	int failed;

	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
