/* What doctor advises for an error: a backup only where something was damaged. */
#include "report/remedy.h"

#include <check.h>
#include <errno.h>
#include <string.h>

static bool speaks_of_backup(enum rp_err code, int sys)
{
	return strstr(rp_remedy_of(code, sys).remedy, "backup") != NULL;
}

START_TEST(a_backup_is_spoken_of_only_where_damage_was_seen)
{
	static const int errnos[] = {ENOMEM, EMFILE, ENFILE, EAGAIN, EROFS, EACCES,
				     EPERM,  ENOENT, ENOSPC, EDQUOT, EIO,   ENOLCK,
				     EBUSY,  EINVAL, ENODEV, ENOTDIR};
	int code;
	size_t i;

	for (code = RP_OK; code <= RP_ERR_IO; code++)
		ck_assert_msg(speaks_of_backup(code, 0) ==
				  (code == RP_ERR_DAMAGED || code == RP_ERR_FORMAT),
			      "%s", rp_err_name(code));
	for (i = 0; i < sizeof errnos / sizeof errnos[0]; i++)
		ck_assert_msg(!speaks_of_backup(rp_err_of_errno(errnos[i]), errnos[i]), "%s",
			      strerror(errnos[i]));
}
END_TEST

START_TEST(a_limit_is_told_from_a_permission_and_both_from_what_is_missing)
{
	ck_assert_ptr_nonnull(strstr(rp_remedy_of(RP_ERR_IO, EMFILE).remedy, "ulimit -n"));
	ck_assert_ptr_nonnull(strstr(rp_remedy_of(RP_ERR_NOMEM, ENOMEM).remedy, "ulimit -v"));
	ck_assert_ptr_nonnull(strstr(rp_remedy_of(RP_ERR_DENIED, EACCES).remedy, "user"));
	ck_assert_ptr_nonnull(strstr(rp_remedy_of(RP_ERR_DENIED, EROFS).remedy, "remount"));
	ck_assert_ptr_nonnull(strstr(rp_remedy_of(RP_ERR_NOTFOUND, ENOENT).remedy, "runpost init"));
	ck_assert_ptr_nonnull(strstr(rp_remedy_of(RP_ERR_NOTFOUND, 0).remedy, "--outbox"));
}
END_TEST

/* doctor completes them: whatever stands behind the verb would be its arguments. */
static void assert_commands_end(const char *remedy)
{
	static const char *const programs[] = {"runpostctl ", "runpost "};
	size_t i, n;

	for (i = 0; i < sizeof programs / sizeof programs[0]; i++) {
		const char *at = strstr(remedy, programs[i]);

		n = at != NULL ? strcspn(at + strlen(programs[i]), " ,;") : 0;
		ck_assert_msg(at == NULL || at[strlen(programs[i]) + n] != ' ', "%s", remedy);
	}
}

START_TEST(a_command_ends_before_the_words_that_follow_it)
{
	int code, sys;

	for (code = RP_OK; code <= RP_ERR_IO; code++)
		assert_commands_end(rp_remedy_of(code, 0).remedy);
	for (sys = 1; sys < 134; sys++)
		assert_commands_end(rp_remedy_of(RP_ERR_IO, sys).remedy);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("remedy");
	TCase *tc = tcase_create("remedy");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, a_backup_is_spoken_of_only_where_damage_was_seen);
	tcase_add_test(tc, a_limit_is_told_from_a_permission_and_both_from_what_is_missing);
	tcase_add_test(tc, a_command_ends_before_the_words_that_follow_it);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
