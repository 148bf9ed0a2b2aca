/* Commands that are printed: a shell reads them back as they were meant, and a name means
 * itself. */
#include "report/command.h"
#include "report/selector.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define N(table) ((int)(sizeof(table) / sizeof((table)[0])))

static struct rp_buf out;
static struct rp_place place;

static void set_up(void)
{
	memset(&out, 0, sizeof out);
	memset(&place, 0, sizeof place);
}

static void tear_down(void)
{
	rp_buf_release(&out);
	rp_place_release(&place);
}

/* What a shell makes of the words. */
static void read_back(const char *words, char *got, size_t size)
{
	struct rp_buf line = {0};
	size_t n;
	FILE *shell;

	ck_assert(rp_buf_printf(&line, "printf '%%s|' %s", words));
	shell = popen(line.data, "r");
	ck_assert_ptr_nonnull(shell);
	n = fread(got, 1, size - 1, shell);
	got[n] = '\0';
	ck_assert_int_eq(pclose(shell), 0);
	rp_buf_release(&line);
}

static const char *const texts[] = {
    "",
    "plain",
    "/var/lib/runpost",
    "/srv/my outbox",
    "it's",
    "'",
    "''",
    "$(touch pwned)",
    "`id`;&|<>()",
    "a*b?[c]",
    "~",
    "~root",
    "x=y",
    "{a,b}",
    "#",
    "!!",
    "\\",
    "a\nb",
    "a\tb",
    "\033[31m'\\''",
    "50%\n %d\\n",
    "a\n\n",
    "\n",
    "\n'x",
    "bad\xff\xc2",
    "m\xc3\xbcll \xe2\x80\xae",
    "\0011",
    "\"",
    "https://a.example/$IFS&'b'*!(c);d",
};

START_TEST(a_shell_reads_a_quoted_text_as_it_was)
{
	char got[200], want[200];

	ck_assert(rp_shell_quote(texts[_i], &out));
	read_back(out.data, got, sizeof got);
	snprintf(want, sizeof want, "%s|", texts[_i]);
	ck_assert_str_eq(got, want);
}
END_TEST

/* A slip that doubles backslashes must not let what others wrote out of its quotes. */
START_TEST(a_quoted_text_has_no_backslash_outside_of_quotes)
{
	ck_assert(rp_shell_quote("it's", &out));
	ck_assert_str_eq(out.data, "'it'\"'\"'s'");
}
END_TEST

START_TEST(a_quoted_text_can_be_printed)
{
	ck_assert(rp_shell_quote("/m\xc3\xbcll\t'\x9b%s\\", &out));
	ck_assert_str_eq(out.data, "\"$(printf '/m\xc3\xbcll\\011\\047\\233%%s\\134')\"");
}
END_TEST

START_TEST(what_needs_no_quotes_gets_none)
{
	ck_assert(rp_shell_quote("https://a.example:8443/in", &out));
	ck_assert_str_eq(out.data, "https://a.example:8443/in");
}
END_TEST

START_TEST(a_command_carries_what_was_given_as_absolute_paths)
{
	char cwd[4096], want[8300];

	ck_assert_ptr_nonnull(getcwd(cwd, sizeof cwd));
	ck_assert(rp_place_init(&place, "my outbox", "/etc/r.conf"));
	ck_assert(rp_command_add_on(&out, &place, "runpostctl replay", "msg_1"));
	snprintf(want, sizeof want,
		 "runpostctl replay msg_1 --outbox '%s/my outbox' --config /etc/r.conf", cwd);
	ck_assert_str_eq(out.data, want);
	rp_buf_clear(&out);
	ck_assert(rp_command_add(&out, &place, "runpost check-config"));
	ck_assert_str_eq(out.data, "runpost check-config --config /etc/r.conf");
	rp_buf_clear(&out);
	rp_place_release(&place);
	ck_assert(rp_place_init(&place, NULL, NULL));
	ck_assert(rp_command_add(&out, &place, "runpostctl dead"));
	ck_assert_str_eq(out.data, "runpostctl dead");
}
END_TEST

static const struct {
	const char *outbox, *config; /* as given */
	const char *read, *names;    /* the file that was read, and the outbox it names */
	const char *opened;
	const char *want; /* NULL: no command */
} senders[] = {
    {"/x", "/c", "/c", "/y", "/x", "runpost send --outbox /x --config /c"},
    {NULL, "/c", "/c", "/y", "/y", "runpost send --config /c"},
    {NULL, NULL, "/etc/runpost/runpost.conf", "/y", "/y", "runpost send"},
    {"/y", NULL, "/etc/runpost/runpost.conf", "/y", "/y", "runpost send --outbox /y"},
    {"/proc/../tmp", NULL, "/etc/runpost/runpost.conf", "/tmp", "/tmp/",
     "runpost send --outbox /proc/../tmp"},
    {"/x", NULL, "/etc/runpost/runpost.conf", "/y", "/x", NULL},
    {"/x", NULL, NULL, "/var/lib/runpost", "/x", NULL},
    {NULL, NULL, NULL, "/var/lib/runpost", "/var/lib/runpost", NULL},
};

START_TEST(a_sender_is_only_suggested_with_the_configuration_it_has)
{
	bool is_command;

	ck_assert(rp_place_init(&place, senders[_i].outbox, senders[_i].config));
	rp_place_judge(&place, senders[_i].read, senders[_i].names, senders[_i].opened);
	ck_assert(rp_command_add_send(&out, &place, &is_command));
	ck_assert(is_command == (senders[_i].want != NULL));
	if (is_command)
		ck_assert_str_eq(out.data, senders[_i].want);
	else
		ck_assert_msg(strstr(out.data, "--config") != NULL &&
				  strncmp(out.data, "runpost", 7) != 0,
			      "%s", out.data);
}
END_TEST

static const char *const names[] = {"https://a.example/x*",
				    "https://a.example/xy",
				    "https://a.example/x*y",
				    "https://a.example/x**",
				    "https://a.example/*",
				    "https://a.example/",
				    "http://[::1]:8080/x*",
				    "http://[::1]:8080/xy",
				    "http://[::1]/",
				    "http://1/",
				    "https://a.example/'*'",
				    "https://a.example/$(id)*",
				    "https://a.example/!(x)*",
				    "https://a.example/;*&",
				    "https://a.example/x%5B*%5D",
				    "https://a.example/[x]y",
				    "https://a.example/x[!a]",
				    "http://[::1]/[x]"};

/* Printed, read by a shell, taken for an endpoint: of all names it means its own alone, whether
 * that is known to exist or not. */
START_TEST(a_printed_name_means_its_endpoint_alone)
{
	struct rp_endpoint_glob glob;
	char got[300];
	int i;

	ck_assert(rp_place_init(&place, NULL, NULL));
	ck_assert(rp_command_add_on_endpoint(&out, &place, "x", names[_i]));
	read_back(out.data + strlen("x "), got, sizeof got);
	got[strlen(got) - 1] = '\0';
	ck_assert(rp_endpoint_glob_init(&glob, got));
	for (i = 0; i < N(names); i++)
		ck_assert_msg(rp_endpoint_glob_match(&glob, rp_span_of(names[i])) == (i == _i),
			      "%s and %s", got, names[i]);
	rp_endpoint_glob_release(&glob);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("command");
	TCase *tc = tcase_create("command");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, a_shell_reads_a_quoted_text_as_it_was, 0, N(texts));
	tcase_add_test(tc, a_quoted_text_has_no_backslash_outside_of_quotes);
	tcase_add_test(tc, a_quoted_text_can_be_printed);
	tcase_add_test(tc, what_needs_no_quotes_gets_none);
	tcase_add_test(tc, a_command_carries_what_was_given_as_absolute_paths);
	tcase_add_loop_test(tc, a_sender_is_only_suggested_with_the_configuration_it_has, 0,
			    N(senders));
	tcase_add_loop_test(tc, a_printed_name_means_its_endpoint_alone, 0, N(names));
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
