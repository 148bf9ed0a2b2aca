/* What a process needs before it opens a file. Each case runs in a child, which may close what it
 * likes. */
#include "base/sys.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Exit code of `run` in a child that has closed the descriptors in the mask. */
static int in_child(unsigned closed, int (*run)(unsigned closed))
{
	int status, fd;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		for (fd = 0; fd <= 2; fd++)
			if (closed & 1u << fd)
				close(fd);
		_exit(run(closed));
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int open_a_file(unsigned closed)
{
	int fd;

	(void)closed;
	if (!rp_sys_hold_stdio())
		return 100;
	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	return fd <= 2 ? 1 : 0;
}

static int use_the_closed_ones(unsigned closed)
{
	char byte = 0;
	int fd;

	if (!rp_sys_hold_stdio())
		return 100;
	for (fd = 0; fd <= 2; fd++)
		if ((closed & 1u << fd) &&
		    ((fd == 0 ? read(fd, &byte, 1) : write(fd, &byte, 1)) != -1 || errno != EBADF))
			return 1 + fd;
	return 0;
}

START_TEST(no_file_opened_later_is_a_standard_stream)
{
	ck_assert_int_eq(in_child((unsigned)_i, open_a_file), 0);
}
END_TEST

START_TEST(a_closed_stream_stays_useless)
{
	ck_assert_int_eq(in_child((unsigned)_i, use_the_closed_ones), 0);
}
END_TEST

/* Children of one parent, which has drawn some before. */
START_TEST(random_bytes_differ_between_forked_processes)
{
	unsigned char drawn[3][16], more[16];
	int i, ends[2], status;

	rp_sys_random(&rp_sys_real, more, sizeof more);
	ck_assert_int_eq(pipe(ends), 0);
	for (i = 0; i < 3; i++) {
		pid_t pid = fork();

		ck_assert_int_ge(pid, 0);
		if (pid == 0) {
			rp_sys_random(&rp_sys_real, more, sizeof more);
			_exit(write(ends[1], more, sizeof more) == (ssize_t)sizeof more ? 0 : 1);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_int_eq(status, 0);
		ck_assert_int_eq(read(ends[0], drawn[i], sizeof drawn[i]),
				 (ssize_t)sizeof drawn[i]);
	}
	ck_assert_mem_ne(drawn[0], drawn[1], sizeof drawn[0]);
	ck_assert_mem_ne(drawn[0], drawn[2], sizeof drawn[0]);
	ck_assert_mem_ne(drawn[1], drawn[2], sizeof drawn[0]);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("sys");
	TCase *tc = tcase_create("stdio");

	tcase_add_loop_test(tc, no_file_opened_later_is_a_standard_stream, 0, 8);
	tcase_add_loop_test(tc, a_closed_stream_stays_useless, 0, 8);
	tcase_add_test(tc, random_bytes_differ_between_forked_processes);
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
