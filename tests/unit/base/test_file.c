/* Files that are written where somebody said: what is no regular file stays what it is. */
#include "base/file.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char dir[] = "/tmp/runpost-file-XXXXXX", path[100], other[100];
static struct rp_error err;

static void setup(void)
{
	memcpy(dir + sizeof dir - 7, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/file", dir);
	snprintf(other, sizeof other, "%s/other", dir);
}

/* Also sees that nothing was left beside them. */
static void teardown(void)
{
	unlink(path);
	rmdir(path);
	unlink(other);
	ck_assert_int_eq(rmdir(dir), 0);
}

static void put_file(const char *at, const char *text, unsigned mode)
{
	FILE *f = fopen(at, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert(fputs(text, f) >= 0 && fclose(f) == 0 && chmod(at, mode) == 0);
}

static void check_file(const char *at, const char *text, unsigned mode)
{
	char got[100] = "";
	struct stat st;
	FILE *f = fopen(at, "r");

	ck_assert_ptr_nonnull(f);
	got[fread(got, 1, sizeof got - 1, f)] = '\0';
	fclose(f);
	ck_assert_str_eq(got, text);
	ck_assert(stat(at, &st) == 0);
	ck_assert_uint_eq(st.st_mode & 07777, mode);
}

static void put_link(void)
{
	put_file(other, "somebody else's", 0644);
	ck_assert_int_eq(symlink(other, path), 0);
}

static void put_link_to_nowhere(void)
{
	ck_assert_int_eq(symlink(other, path), 0);
}

static void put_directory(void)
{
	ck_assert_int_eq(mkdir(path, 0700), 0);
}

static void put_fifo(void)
{
	ck_assert_int_eq(mkfifo(path, 0600), 0);
}

static void put_socket(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(at.sun_path, path, strlen(path) + 1);
	ck_assert(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0);
	close(fd);
}

static const struct {
	void (*put)(void);
	const char *kind;
} no_files[] = {{put_link, "symbolic link"},
		{put_link_to_nowhere, "symbolic link"},
		{put_directory, "directory"},
		{put_fifo, "FIFO"},
		{put_socket, "socket"}};
enum { N_NO_FILES = sizeof no_files / sizeof no_files[0] };

static struct stat looked_at(void)
{
	struct stat st;

	ck_assert_int_eq(lstat(path, &st), 0);
	return st;
}

static void check_untouched(const struct stat *before, int no)
{
	struct stat after = looked_at();

	ck_assert(after.st_ino == before->st_ino && after.st_mode == before->st_mode);
	ck_assert_msg(strstr(err.text, no_files[no].kind) != NULL && strstr(err.text, path) != NULL,
		      "%s", err.text);
	if (no_files[no].put == put_link)
		check_file(other, "somebody else's", 0644);
	else
		ck_assert_int_ne(access(other, F_OK), 0);
}

START_TEST(what_is_no_file_is_not_replaced)
{
	struct stat before;

	no_files[_i].put();
	before = looked_at();
	ck_assert_int_eq(rp_file_replace(path, rp_span_of("new"), 0644, &err), RP_ERR_INVAL);
	check_untouched(&before, _i);
}
END_TEST

START_TEST(what_is_no_file_is_not_appended_to)
{
	struct stat before;
	int fd;

	no_files[_i].put();
	before = looked_at();
	ck_assert_int_eq(rp_file_append(path, &fd, &err), RP_ERR_INVAL);
	ck_assert_int_eq(fd, -1);
	check_untouched(&before, _i);
}
END_TEST

START_TEST(nothing_that_is_there_is_created)
{
	int fd;

	no_files[_i].put();
	ck_assert_int_eq(rp_file_create(path, &fd, &err), RP_ERR_EXISTS);
	ck_assert_int_eq(fd, -1);
	ck_assert_int_eq(access(other, F_OK), no_files[_i].put == put_link ? 0 : -1);
}
END_TEST

/* Those that are there and those that an outbox would make later. */
START_TEST(what_an_outbox_is_made_of_is_not_written)
{
	static const char *const names[] = {"data.mdb", "lock.mdb", "doorbell",
					    "senders",  "door",     "DATA.MDB"};
	bool present = _i % 2 == 1;
	int fd = 0;

	snprintf(path, sizeof path, "%s/%s", dir, names[_i / 2]);
	if (present)
		put_file(path, "precious", 0600);
	ck_assert_int_eq(rp_file_replace(path, rp_span_of("text"), 0644, &err), RP_ERR_INVAL);
	ck_assert_msg(strstr(err.text, path) != NULL && strstr(err.text, "an outbox has") != NULL,
		      "%s", err.text);
	ck_assert_int_eq(rp_file_append(path, &fd, &err), RP_ERR_INVAL);
	ck_assert_int_eq(fd, -1);
	ck_assert_int_eq(rp_file_create(path, &fd, &err), RP_ERR_INVAL);
	ck_assert_int_eq(fd, -1);
	if (present)
		check_file(path, "precious", 0600);
	else
		ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

START_TEST(a_file_is_replaced_whole_and_keeps_its_mode_and_owner)
{
	struct stat st;

	umask(077);
	ck_assert_int_eq(rp_file_replace(path, rp_span_of("new"), 0644, &err), RP_OK);
	check_file(path, "new", 0644);
	ck_assert_int_eq(chmod(path, 0640), 0);
	if (geteuid() == 0)
		ck_assert_int_eq(chown(path, 12345, 54321), 0);
	ck_assert_int_eq(rp_file_replace(path, rp_span_of("newer"), 0644, &err), RP_OK);
	check_file(path, "newer", 0640);
	st = looked_at();
	ck_assert(geteuid() != 0 || (st.st_uid == 12345 && st.st_gid == 54321));
	ck_assert_int_eq(rp_file_replace(path, rp_span_of(""), 0644, &err), RP_OK);
	check_file(path, "", 0640);
}
END_TEST

START_TEST(on_a_full_disk_the_old_file_stays)
{
	struct rlimit full, room;

	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &room), 0);
	full = room;
	full.rlim_cur = 3;
	put_file(path, "old", 0600);
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &full), 0);
	ck_assert_int_ne(rp_file_replace(path, rp_span_of("longer"), 0644, &err), RP_OK);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &room), 0);
	check_file(path, "old", 0600);
}
END_TEST

START_TEST(a_file_is_appended_to_and_keeps_its_mode)
{
	int fd;

	umask(0);
	ck_assert_int_eq(rp_file_append(path, &fd, &err), RP_OK);
	ck_assert_int_eq(rp_file_write(fd, rp_span_of("one"), path, &err), RP_OK);
	close(fd);
	check_file(path, "one", 0600);
	ck_assert_int_eq(chmod(path, 0644), 0);
	ck_assert_int_eq(rp_file_append(path, &fd, &err), RP_OK);
	ck_assert_int_eq(rp_file_write(fd, rp_span_of("two"), path, &err), RP_OK);
	close(fd);
	check_file(path, "onetwo", 0644);
	ck_assert_int_eq(rp_file_sync_name(path, &err), RP_OK);
}
END_TEST

START_TEST(a_fifo_with_a_reader_and_the_names_of_descriptors_are_appended_to)
{
	int reader, fd;
	char got[4] = "";

	put_fifo();
	reader = open(path, O_RDONLY | O_NONBLOCK);
	ck_assert_int_ge(reader, 0);
	ck_assert_int_eq(rp_file_append(path, &fd, &err), RP_OK);
	ck_assert_int_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_eq(rp_file_write(fd, rp_span_of("one"), path, &err), RP_OK);
	ck_assert_int_eq(read(reader, got, 3), 3);
	ck_assert_str_eq(got, "one");
	close(reader);
	close(fd);
	ck_assert_int_eq(rp_file_append("/dev/null", &fd, &err), RP_OK);
	ck_assert_int_eq(rp_file_sync_name("/dev/null", &err), RP_OK);
	ck_assert_int_eq(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	close(fd);
	ck_assert_int_eq(rp_file_append("/dev/stderr", &fd, &err), RP_OK);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("file");
	TCase *tc = tcase_create("file");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, what_is_no_file_is_not_replaced, 0, N_NO_FILES);
	tcase_add_loop_test(tc, what_is_no_file_is_not_appended_to, 0, N_NO_FILES);
	tcase_add_loop_test(tc, nothing_that_is_there_is_created, 0, N_NO_FILES);
	tcase_add_loop_test(tc, what_an_outbox_is_made_of_is_not_written, 0, 12);
	tcase_add_test(tc, a_file_is_replaced_whole_and_keeps_its_mode_and_owner);
	tcase_add_test(tc, on_a_full_disk_the_old_file_stays);
	tcase_add_test(tc, a_file_is_appended_to_and_keeps_its_mode);
	tcase_add_test(tc, a_fifo_with_a_reader_and_the_names_of_descriptors_are_appended_to);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
