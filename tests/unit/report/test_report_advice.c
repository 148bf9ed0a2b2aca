/* What to do about what attempts come back with: every status and every cause has a sensible
 * word. */
#include "report/advice.h"

#include <check.h>
#include <string.h>

#define N(table) ((int)(sizeof(table) / sizeof((table)[0])))

static bool says(const struct rp_advice *a, const char *word)
{
	return strstr(a->what, word) != NULL || strstr(a->then, word) != NULL;
}

static const struct {
	unsigned status;
	enum rp_outlook outlook;
	const char *says, *not ;
} rows[] = {
    {301, RP_OUTLOOK_MEND, "never followed", "purge"},
    {302, RP_OUTLOOK_MEND, "never followed", "purge"},
    {303, RP_OUTLOOK_MEND, "logins", "purge"},
    {307, RP_OUTLOOK_MEND, "never followed", "purge"},
    {308, RP_OUTLOOK_MEND, "never followed", "purge"},
    {304, RP_OUTLOOK_MEND, "cache", "points to"},
    {401, RP_OUTLOOK_MEND, "token or signature", "purge"},
    {403, RP_OUTLOOK_MEND, "CSRF", "purge"},
    {403, RP_OUTLOOK_MEND, "firewall", "purge"},
    {404, RP_OUTLOOK_MEND, "route", "purge"},
    {405, RP_OUTLOOK_MEND, "POST", "nothing listens"},
    {407, RP_OUTLOOK_MEND, "proxy", "our token"},
    {408, RP_OUTLOOK_PASS, "then replay", "purge"},
    {409, RP_OUTLOOK_PASS, "if the receiver has it", NULL},
    {410, RP_OUTLOOK_MEND, "gone for good", NULL},
    {411, RP_OUTLOOK_MEND, "Content-Length", "purge"},
    {413, RP_OUTLOOK_MEND, "limit", "purge"},
    {414, RP_OUTLOOK_MEND, "URL is too long", "purge"},
    {415, RP_OUTLOOK_MEND, "application/json", "purge"},
    {421, RP_OUTLOOK_MEND, "not the server", "purge"},
    {422, RP_OUTLOOK_MEND, "validation", NULL},
    {425, RP_OUTLOOK_PASS, "later", "purge"},
    {426, RP_OUTLOOK_MEND, "https", "purge"},
    {429, RP_OUTLOOK_PASS, "rate", "purge"},
    {431, RP_OUTLOOK_MEND, "header", "purge"},
    {451, RP_OUTLOOK_MEND, "legal", NULL},
    {418, RP_OUTLOOK_MEND, "its answer", NULL},
    {500, RP_OUTLOOK_PASS, "its log", "purge"},
    {501, RP_OUTLOOK_MEND, "mend the route", "once it is well"},
    {502, RP_OUTLOOK_PASS, "proxy", "purge"},
    {503, RP_OUTLOOK_PASS, "once it is well", "purge"},
    {504, RP_OUTLOOK_PASS, "may have the event", "purge"},
    {505, RP_OUTLOOK_MEND, "HTTP/1.1", "once it is well"},
    {522, RP_OUTLOOK_PASS, "CDN", "purge"},
    {526, RP_OUTLOOK_MEND, "certificate", "purge"},
    {599, RP_OUTLOOK_PASS, "its log", "purge"},
};

START_TEST(a_status_is_told_as_what_it_is)
{
	struct rp_advice dead = rp_advice(RP_CAUSE_EXHAUSTED, RP_CAUSE_HTTP, rows[_i].status);
	struct rp_advice waits = rp_advice(RP_CAUSE_NONE, RP_CAUSE_HTTP, rows[_i].status);

	ck_assert_msg(says(&dead, rows[_i].says), "%u: %s%s", rows[_i].status, dead.what,
		      dead.then);
	ck_assert_msg(rows[_i].not == NULL || !says(&dead, rows[_i].not ), "%u: %s%s",
		      rows[_i].status, dead.what, dead.then);
	ck_assert_msg(dead.outlook == rows[_i].outlook, "%u", rows[_i].status);
	ck_assert_str_eq(dead.what, waits.what);
}
END_TEST

static bool is_sound(struct rp_advice a)
{
	return a.what != NULL && a.then != NULL && strlen(a.what) > 10 &&
	       strlen(a.what) + strlen(a.then) < 250 && a.what[strlen(a.what) - 1] != '.' &&
	       strchr(",:;", a.then[0]) != NULL &&
	       (strstr(a.then, "replay") != NULL || strstr(a.then, "purge") != NULL) &&
	       strstr(a.what, "replay") == NULL;
}

START_TEST(every_status_and_every_cause_has_advice)
{
	int cause, last;
	unsigned status;

	for (status = 0; status <= 999; status++) {
		struct rp_advice a = rp_advice(RP_CAUSE_NONE, RP_CAUSE_HTTP, status);

		ck_assert_msg(is_sound(a), "%u: %s%s", status, a.what, a.then);
		/* what a redirect, a client error and a server error are is never mixed up */
		ck_assert(status < 400 || !says(&a, "redirect"));
		ck_assert(status < 500 || status > 599 || !says(&a, "rejects"));
	}
	for (cause = RP_CAUSE_NONE; cause <= RP_CAUSE_MAX_; cause++) {
		for (last = RP_CAUSE_NONE; last <= RP_CAUSE_MAX_; last++) {
			struct rp_advice a =
			    rp_advice((enum rp_cause)cause, (enum rp_cause)last, 503);

			ck_assert_msg(is_sound(a), "cause %d, last %d: %s%s", cause, last, a.what,
				      a.then);
		}
	}
}
END_TEST

START_TEST(no_cause_is_left_to_the_words_for_unknown_ones)
{
	struct rp_advice unknown = rp_advice(RP_CAUSE_MAX_, RP_CAUSE_NONE, 0);
	int cause;

	for (cause = RP_CAUSE_HTTP; cause < RP_CAUSE_MAX_; cause++)
		ck_assert_msg(strcmp(rp_advice((enum rp_cause)cause, RP_CAUSE_NONE, 500).what,
				     unknown.what) != 0,
			      "cause %d", cause);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("advice");
	TCase *tc = tcase_create("advice");

	tcase_add_loop_test(tc, a_status_is_told_as_what_it_is, 0, N(rows));
	tcase_add_test(tc, every_status_and_every_cause_has_advice);
	tcase_add_test(tc, no_cause_is_left_to_the_words_for_unknown_ones);
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
