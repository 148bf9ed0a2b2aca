/* Sockets that listen: files of their own in the place of dead ones, and those that others hand
 * over. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "http_server/listener.h"

static char folder[64], path[100];
static struct rp_error err;

static void set_up(void)
{
	snprintf(folder, sizeof folder, "/tmp/runpost-listener-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/door.sock", folder);
}

static void tear_down(void)
{
	unlink(path);
	ck_assert_int_eq(rmdir(folder), 0);
}

static int connect_to(const char *at_path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(at.sun_path, sizeof at.sun_path, "%s", at_path);
	if (connect(fd, (struct sockaddr *)&at, sizeof at) == 0)
		return fd;
	close(fd);
	return -1;
}

static bool is_there(void)
{
	struct stat there;

	return lstat(path, &there) == 0;
}

START_TEST(a_socket_file_has_its_mode_and_goes_with_its_maker)
{
	struct rp_http_listener l;
	struct stat there;
	int fd;

	umask(0);
	ck_assert_int_eq(rp_http_listener_open_unix(path, 0660, &l, &err), RP_OK);
	ck_assert_int_eq(stat(path, &there), 0);
	ck_assert_uint_eq(there.st_mode & 07777, 0660);
	ck_assert(l.is_unix);
	ck_assert_str_eq(l.url + strlen("unix:"), path);
	fd = connect_to(path);
	ck_assert_int_ge(fd, 0);
	close(fd);
	rp_http_listener_close(&l);
	ck_assert(!is_there());
	rp_http_listener_close(&l); /* once is enough, twice does no harm */
}
END_TEST

START_TEST(a_child_that_closes_it_leaves_the_file)
{
	struct rp_http_listener l;
	int status;
	pid_t child;

	ck_assert_int_eq(rp_http_listener_open_unix(path, 0660, &l, &err), RP_OK);
	child = fork();
	if (child == 0) {
		rp_http_listener_close(&l);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(is_there());
	rp_http_listener_close(&l);
	ck_assert(!is_there());
}
END_TEST

START_TEST(a_file_that_another_has_put_in_its_place_stays)
{
	struct rp_http_listener old, young;
	int fd;

	ck_assert_int_eq(rp_http_listener_open_unix(path, 0660, &old, &err), RP_OK);
	unlink(path);
	ck_assert_int_eq(rp_http_listener_open_unix(path, 0660, &young, &err), RP_OK);
	rp_http_listener_close(&old);
	fd = connect_to(path);
	ck_assert_int_ge(fd, 0);
	close(fd);
	rp_http_listener_close(&young);
}
END_TEST

START_TEST(a_dead_socket_is_replaced_and_a_living_one_refused)
{
	struct rp_http_listener l, second;

	ck_assert_int_eq(rp_http_listener_open_unix(path, 0660, &l, &err), RP_OK);
	ck_assert_int_eq(rp_http_listener_open_unix(path, 0660, &second, &err), RP_ERR_IO);
	ck_assert_int_eq(err.sys, EADDRINUSE);
	ck_assert_ptr_nonnull(strstr(err.text, path));
	ck_assert_int_eq(second.fd, -1);
	ck_assert(is_there());
	close(l.fd); /* it dies, and leaves its file */
	ck_assert_int_lt(connect_to(path), 0);
	ck_assert_int_eq(rp_http_listener_open_unix(path, 0660, &second, &err), RP_OK);
	ck_assert_int_ge(connect_to(path), 0);
	rp_http_listener_close(&second);
}
END_TEST

START_TEST(a_folder_that_somebody_keeps_locked_is_an_error)
{
	struct rp_http_listener l;
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	alarm(60);
	ck_assert_int_eq(flock(fd, LOCK_SH), 0);
	ck_assert_int_eq(rp_http_listener_open_unix(path, 0660, &l, &err), RP_ERR_IO);
	ck_assert_ptr_nonnull(strstr(err.text, "holds a lock"));
	ck_assert_ptr_nonnull(strstr(err.text, path));
	ck_assert_int_eq(l.fd, -1);
	ck_assert(!is_there());
	close(fd);
	ck_assert_int_eq(rp_http_listener_open_unix(path, 0660, &l, &err), RP_OK);
	rp_http_listener_close(&l);
}
END_TEST

START_TEST(what_is_no_socket_is_left_alone)
{
	struct rp_http_listener l;
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	close(fd);
	ck_assert_int_eq(rp_http_listener_open_unix(path, 0660, &l, &err), RP_ERR_INVAL);
	ck_assert(is_there());
}
END_TEST

START_TEST(a_path_must_fit_and_its_folder_exist)
{
	struct rp_http_listener l;
	char text[200];

	ck_assert_int_eq(rp_http_listener_open_unix("", 0660, &l, &err), RP_ERR_INVAL);
	memset(text, 'x', sizeof text);
	text[108] = '\0';
	ck_assert_int_eq(rp_http_listener_open_unix(text, 0660, &l, &err), RP_ERR_INVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "107"));
	snprintf(text, sizeof text, "%s/no/socket", folder);
	ck_assert_int_eq(rp_http_listener_open_unix(text, 0660, &l, &err), RP_ERR_IO);
	ck_assert_int_eq(err.sys, ENOENT);
	ck_assert_int_eq(l.fd, -1);
}
END_TEST

/* A socket that listens and is nobody's yet, as its opener passes it on. Without ck_assert, which
 * speaks through a descriptor that some tests have given to others. */
static int raw_listener(int family)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(family, SOCK_STREAM, 0);

	snprintf(un.sun_path, sizeof un.sun_path, "%s", path);
	if ((family == AF_INET ? bind(fd, (struct sockaddr *)&v4, sizeof v4)
			       : bind(fd, (struct sockaddr *)&un, sizeof un)) != 0 ||
	    listen(fd, 5) != 0)
		abort();
	return fd;
}

START_TEST(one_that_was_handed_over_is_named_and_set_up)
{
	struct rp_http_listener l;
	int fd = raw_listener(AF_INET);

	ck_assert_int_eq(rp_http_listener_adopt(fd, &l, &err), RP_OK);
	ck_assert_int_eq(l.fd, fd);
	ck_assert_int_eq(strncmp(l.url, "http://127.0.0.1:", 17), 0);
	ck_assert_int_gt(atoi(l.url + 17), 0);
	ck_assert(!l.is_unix);
	ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	rp_http_listener_close(&l);
	fd = raw_listener(AF_UNIX);
	ck_assert_int_eq(rp_http_listener_adopt(fd, &l, &err), RP_OK);
	ck_assert(l.is_unix);
	ck_assert_str_eq(l.url + strlen("unix:"), path);
	rp_http_listener_close(&l);
	ck_assert(is_there()); /* its file is its maker's */
}
END_TEST

START_TEST(what_does_not_listen_is_not_taken)
{
	struct rp_http_listener l;
	int fds[3];

	fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	fds[1] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	fds[2] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(rp_http_listener_adopt(fds[0], &l, &err), RP_ERR_INVAL);
	ck_assert_int_eq(rp_http_listener_adopt(fds[1], &l, &err), RP_ERR_INVAL);
	ck_assert_int_eq(rp_http_listener_adopt(fds[2], &l, &err), RP_ERR_INVAL);
	ck_assert_int_eq(l.fd, -1);
	ck_assert_int_eq(rp_http_listener_adopt(900, &l, &err), RP_ERR_INVAL);
	ck_assert_int_eq(close(fds[0]) | close(fds[1]) | close(fds[2]), 0);
}
END_TEST

/* In a child, since descriptor 3 is the test's own. It says what it missed by its line. */
#define MUST(what)                                                                                 \
	do {                                                                                       \
		if (!(what))                                                                       \
			_exit(__LINE__ % 256);                                                     \
	} while (0)

static void in_child(void (*body)(int i), int i)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		body(i);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));
	ck_assert_msg(WEXITSTATUS(status) == 0, "line %d (of 256)", WEXITSTATUS(status));
}

/* As systemd does it: from descriptor 3 on. pid NULL: for this process. */
static void hand_over(const char *pid, const char *n, const char *names)
{
	char own[20];
	int fds[2];

	unlink(path);
	fds[0] = fcntl(raw_listener(AF_INET), F_DUPFD, 20);
	fds[1] = fcntl(raw_listener(AF_UNIX), F_DUPFD, 20);
	MUST(dup2(fds[0], 3) == 3 && dup2(fds[1], 4) == 4);
	close(fds[0]);
	close(fds[1]);
	snprintf(own, sizeof own, "%ld", (long)getpid());
	setenv("LISTEN_PID", pid != NULL ? pid : own, 1);
	setenv("LISTEN_FDS", n, 1);
	if (names != NULL)
		setenv("LISTEN_FDNAMES", names, 1);
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static bool is_unset(void)
{
	return getenv("LISTEN_PID") == NULL && getenv("LISTEN_FDS") == NULL &&
	       getenv("LISTEN_FDNAMES") == NULL;
}

static void take_over(int i)
{
	struct rp_http_listener l[4];
	size_t n;

	(void)i;
	hand_over(NULL, "2", "door:ui");
	MUST(rp_http_listeners_inherited(l, 4, &n, &err) == RP_OK && n == 2);
	MUST(l[0].fd == 3 && l[1].fd == 4);
	MUST(strcmp(l[0].name, "door") == 0 && strcmp(l[1].name, "ui") == 0);
	MUST(!l[0].is_unix && l[1].is_unix);
	MUST(fcntl(4, F_GETFD) == FD_CLOEXEC);
	MUST(is_unset());
	MUST(rp_http_listeners_inherited(l, 4, &n, &err) == RP_OK && n == 0);
	hand_over(NULL, "1", NULL); /* without names */
	MUST(rp_http_listeners_inherited(l, 4, &n, &err) == RP_OK && n == 1);
	MUST(l[0].name[0] == '\0');
}

START_TEST(those_that_systemd_opened_are_taken_over)
{
	in_child(take_over, 0);
}
END_TEST

static const struct {
	const char *pid, *n;
} others[] = {{"1", "2"}, {NULL, "0"}, {NULL, "x"}, {NULL, "-1"}, {"", "2"}};

static void leave_alone(int i)
{
	struct rp_http_listener l[4];
	size_t n = 7;

	hand_over(others[i].pid, others[i].n, NULL);
	MUST(rp_http_listeners_inherited(l, 4, &n, &err) == RP_OK && n == 0);
	MUST(is_open(3) && is_open(4));
	MUST(is_unset());
}

START_TEST(what_is_for_another_process_is_left_alone)
{
	in_child(leave_alone, _i);
}
END_TEST

static void reject(int i)
{
	struct rp_http_listener l[4];
	size_t n;

	(void)i;
	hand_over(NULL, "2", NULL);
	MUST(rp_http_listeners_inherited(l, 1, &n, &err) == RP_ERR_INVAL);
	MUST(!is_open(3) && !is_open(4));
	hand_over(NULL, "2", "one");
	MUST(dup2(open("/dev/null", O_RDONLY), 4) == 4);
	MUST(rp_http_listeners_inherited(l, 4, &n, &err) == RP_ERR_INVAL && n == 0);
	MUST(!is_open(3) && !is_open(4));
	MUST(is_unset());
}

START_TEST(too_many_or_strange_ones_are_an_error_and_closed)
{
	in_child(reject, 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("server_listener");
	TCase *tc = tcase_create("files");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, a_socket_file_has_its_mode_and_goes_with_its_maker);
	tcase_add_test(tc, a_child_that_closes_it_leaves_the_file);
	tcase_add_test(tc, a_file_that_another_has_put_in_its_place_stays);
	tcase_add_test(tc, a_dead_socket_is_replaced_and_a_living_one_refused);
	tcase_add_test(tc, a_folder_that_somebody_keeps_locked_is_an_error);
	tcase_add_test(tc, what_is_no_socket_is_left_alone);
	tcase_add_test(tc, a_path_must_fit_and_its_folder_exist);
	suite_add_tcase(s, tc);
	tc = tcase_create("handed over");
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, one_that_was_handed_over_is_named_and_set_up);
	tcase_add_test(tc, what_does_not_listen_is_not_taken);
	tcase_add_test(tc, those_that_systemd_opened_are_taken_over);
	tcase_add_loop_test(tc, what_is_for_another_process_is_left_alone, 0,
			    sizeof others / sizeof others[0]);
	tcase_add_test(tc, too_many_or_strange_ones_are_an_error_and_closed);
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
