/* What is logged comes as lines, and nobody waits for whoever reads them. Each test has a standard
 * error of its own. */
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

enum { N_MORE_THAN_FIT = 3000 };

static struct rlimit descriptors;
static int stderr_before, far_end; /* whatever reads what is written to stderr; -1: nobody */

static void setup(void)
{
	stderr_before = dup(STDERR_FILENO);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &descriptors), 0);
	far_end = -1;
	rp_log_setup("test", RP_LOG_INFO); /* with another one than those to come */
	rp_log_forked();
}

static void teardown(void)
{
	setrlimit(RLIMIT_NOFILE, &descriptors);
	dup2(stderr_before, STDERR_FILENO);
	close(stderr_before);
	if (far_end >= 0)
		close(far_end);
}

static void become_stderr(int fd)
{
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	close(fd);
}

static void open_pipe(void)
{
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	far_end = ends[0];
	become_stderr(ends[1]);
}

static void open_socket(void)
{
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	far_end = ends[0];
	become_stderr(ends[1]);
}

static void open_terminal(void)
{
	far_end = posix_openpt(O_RDWR | O_NOCTTY);
	ck_assert_int_ge(far_end, 0);
	ck_assert(grantpt(far_end) == 0 && unlockpt(far_end) == 0);
	become_stderr(open(ptsname(far_end), O_RDWR | O_NOCTTY));
}

/* As from a place where one may not open it again. */
static void open_pipe_that_cannot_be_opened_again(void)
{
	struct rlimit none = descriptors;

	open_pipe();
	none.rlim_cur = 3;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	ck_assert_int_lt(open("/dev/null", O_RDONLY), 0);
}

static FILE *open_file(void)
{
	FILE *file = tmpfile();

	ck_assert_ptr_nonnull(file);
	become_stderr(fcntl(fileno(file), F_DUPFD_CLOEXEC, 0));
	return file;
}

/* What has been written, until `mark` and the end of its line were; NULL: as much as there is. */
static char *read_until(const char *mark)
{
	static char text[4 << 20];
	struct pollfd ready = {.fd = far_end, .events = POLLIN};
	char *at = NULL;
	size_t len = 0;
	ssize_t n;

	text[0] = '\0';
	while ((mark == NULL && poll(&ready, 1, 0) > 0) ||
	       (mark != NULL && ((at = strstr(text, mark)) == NULL || strchr(at, '\n') == NULL))) {
		n = read(far_end, text + len, sizeof text - 1 - len);
		ck_assert_int_gt(n, 0);
		len += (size_t)n;
		text[len] = '\0';
	}
	return text;
}

static unsigned long dropped_in(const char *text)
{
	static const char mark[] = " log_dropped=";
	unsigned long n = 0;

	while ((text = strstr(text, mark)) != NULL)
		n += strtoul(text += sizeof mark - 1, NULL, 10);
	return n;
}

/* The number of lines; each must be one of those that were said, whole. A terminal takes as much
 * as it has room for. */
static unsigned long check_lines(char *text)
{
	unsigned long n = 0;
	char *line, *end;

	for (line = text; *line != '\0'; line = end + 1) {
		end = strchr(line, '\n');
		if (end == NULL && isatty(STDERR_FILENO))
			break;
		ck_assert_msg(end != NULL, "the last line is cut short: %s", line);
		*end = '\0';
		end[-1] = end[-1] == '\r' ? '\0' : end[-1]; /* a terminal's */
		ck_assert_msg(strncmp(line, "at=", 3) == 0 && strstr(line, " ev=said ") != NULL,
			      "%s", line);
		n++;
	}
	return n;
}

static void say(unsigned long n)
{
	rp_log(RP_LOG_INFO, "said", "n=%lu", n);
}

static void (*const unread[])(void) = {open_pipe, open_socket, open_terminal,
				       open_pipe_that_cannot_be_opened_again};
enum { N_UNREAD = sizeof unread / sizeof unread[0] };

START_TEST(nobody_waits_for_a_reader_and_what_was_dropped_is_counted)
{
	unsigned long i, went_out, dropped, flags;
	char *text;

	unread[_i / 2]();
	if (_i % 2 == 1) /* its own from the beginning */
		rp_log_setup("test", RP_LOG_INFO);
	flags = (unsigned long)fcntl(STDERR_FILENO, F_GETFL);
	for (i = 0; i < N_MORE_THAN_FIT; i++)
		say(i);
	ck_assert_uint_eq((unsigned long)fcntl(STDERR_FILENO, F_GETFL), flags);
	text = read_until(NULL);
	dropped = dropped_in(text); /* a terminal may find room again while the lines are said */
	ck_assert(dropped == 0 || isatty(STDERR_FILENO));
	went_out = check_lines(text);
	ck_assert_uint_gt(went_out, 10);
	say(i);
	text = read_until(" log_dropped=");
	dropped += dropped_in(text);
	went_out += check_lines(text);
	ck_assert_uint_eq(went_out + dropped, N_MORE_THAN_FIT + 1);
	say(i);
	ck_assert_ptr_null(strstr(read_until(" ev=said "), "log_dropped"));
}
END_TEST

START_TEST(what_is_no_line_goes_out_as_it_is_or_is_dropped)
{
	const char *text;
	unsigned n;

	open_pipe();
	rp_log_say("runpost: %s; see `runpost --help`", "a verb is missing");
	ck_assert_str_eq(read_until(NULL), "runpost: a verb is missing; see `runpost --help`\n");
	for (n = 0; n < 5000; n++)
		rp_log_say("runpost: %080u", n);
	(void)read_until(NULL);
	rp_log_say("runpost: the last");
	text = read_until(NULL);
	ck_assert_msg(strncmp(text, "runpost: the last log_dropped=", 30) == 0, "%s", text);
}
END_TEST

START_TEST(what_a_parent_dropped_is_not_told_by_its_child)
{
	unsigned long i;

	open_pipe();
	for (i = 0; i < N_MORE_THAN_FIT; i++)
		say(i);
	read_until(NULL);
	rp_log_forked();
	say(i);
	ck_assert_ptr_null(strstr(read_until(NULL), "log_dropped"));
}
END_TEST

START_TEST(a_reader_that_has_gone_ends_nobody)
{
	open_socket();
	close(far_end);
	far_end = -1;
	say(1);
}
END_TEST

START_TEST(a_full_disk_is_survived_and_told)
{
	char text[1000];
	size_t n;
	FILE *file;

	become_stderr(open("/dev/full", O_WRONLY));
	say(1);
	say(2);
	file = open_file();
	say(3);
	rewind(file);
	n = fread(text, 1, sizeof text - 1, file);
	text[n] = '\0';
	ck_assert_msg(strstr(text, "n=3 log_dropped=2\n") != NULL, "%s", text);
	fclose(file);
}
END_TEST

START_TEST(behind_a_line_that_was_cut_short_the_next_begins_anew)
{
	struct rlimit full, room;
	char text[1000], *second;
	FILE *file = open_file();
	size_t n;

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &room), 0);
	full = room;
	full.rlim_cur = 20;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &full), 0);
	say(1);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &room), 0);
	say(2);
	rewind(file);
	n = fread(text, 1, sizeof text - 1, file);
	text[n] = '\0';
	second = strchr(text, '\n');
	ck_assert_msg(second == text + 20 && strncmp(second + 1, "at=", 3) == 0, "%s", text);
	ck_assert_msg(strstr(second, "n=2 log_dropped=1\n") != NULL, "%s", text);
	fclose(file);
}
END_TEST

START_TEST(held_lines_go_out_together_in_their_order)
{
	char *text;

	open_pipe();
	rp_log_hold();
	rp_log_hold();
	say(1);
	rp_log(RP_LOG_INFO, "said", "n=2 two\nlines");
	rp_log_release();
	say(3);
	ck_assert_str_eq(read_until(NULL), "");
	rp_log_release();
	text = read_until(NULL);
	ck_assert_msg(strstr(text, "n=1\n") < strstr(text, "n=2 two?lines\n") &&
			  strstr(text, "n=2 two?lines\n") < strstr(text, "n=3\n"),
		      "%s", text);
	ck_assert_uint_eq(check_lines(text), 3);
	say(4);
	ck_assert_uint_eq(check_lines(read_until(NULL)), 1);
}
END_TEST

START_TEST(too_much_that_is_held_is_dropped_and_counted)
{
	unsigned long i, kept;
	FILE *file = open_file();
	char *text = calloc(1, 1 << 20), *count;

	ck_assert_ptr_nonnull(text);
	rp_log_hold();
	for (i = 0; i < N_MORE_THAN_FIT; i++)
		say(i);
	rp_log_release();
	rewind(file);
	ck_assert_uint_gt(fread(text, 1, (1 << 20) - 1, file), 0);
	count = strstr(text, " log_dropped=");
	ck_assert_ptr_nonnull(count);
	kept = N_MORE_THAN_FIT - strtoul(count + sizeof " log_dropped=" - 1, NULL, 10);
	ck_assert_uint_eq(check_lines(text), kept);
	ck_assert_uint_gt(kept, 500);
	free(text);
	fclose(file);
}
END_TEST

START_TEST(last_words_come_behind_what_was_held)
{
	char *text;

	open_pipe();
	rp_log_hold();
	say(1);
	rp_log_last("the end\n");
	text = read_until(NULL);
	ck_assert_msg(strstr(text, "n=1\nthe end\n") != NULL, "%s", text);
	rp_log_release();
}
END_TEST

START_TEST(a_line_that_is_too_long_is_cut_and_stays_a_line)
{
	char word[5000];
	char *text;

	memset(word, 'x', sizeof word - 1);
	word[sizeof word - 1] = '\0';
	open_pipe();
	rp_log(RP_LOG_INFO, "said", "%s", word);
	rp_log(RP_LOG_INFO, word, "n=1");
	text = read_until(NULL);
	ck_assert_uint_le(strlen(text), 4096);
	ck_assert_ptr_eq(strrchr(text, '\n'), text + strlen(text) - 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("log");
	TCase *tc = tcase_create("lines");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, nobody_waits_for_a_reader_and_what_was_dropped_is_counted, 0,
			    2 * N_UNREAD);
	tcase_add_test(tc, what_is_no_line_goes_out_as_it_is_or_is_dropped);
	tcase_add_test(tc, what_a_parent_dropped_is_not_told_by_its_child);
	tcase_add_test(tc, a_reader_that_has_gone_ends_nobody);
	tcase_add_test(tc, a_full_disk_is_survived_and_told);
	tcase_add_test(tc, behind_a_line_that_was_cut_short_the_next_begins_anew);
	tcase_add_test(tc, held_lines_go_out_together_in_their_order);
	tcase_add_test(tc, too_much_that_is_held_is_dropped_and_counted);
	tcase_add_test(tc, last_words_come_behind_what_was_held);
	tcase_add_test(tc, a_line_that_is_too_long_is_cut_and_stays_a_line);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
