/* The files of an outbox are removed, moved or replaced while it is open; others open it from
 * another PID namespace; root looks at somebody else's; links and foreign files stand in their
 * places. */
#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit/outbox_fixture.h"

#include "store/lmdb/host/open_lock.h"
#include "store/lmdb/host/registry.h"

#define SERVICE 12345 /* a user who has no name here */

static char side[300];              /* where things are moved to */
static void (*within_commit)(void); /* once, when the pages of a commit are written */

/* In the place of libc's, also for LMDB. */
int fdatasync(int fd)
{
	void (*meddle)(void) = within_commit;

	within_commit = NULL;
	if (meddle != NULL)
		meddle();
	return (int)syscall(SYS_fdatasync, fd);
}

static void (*within_opening)(void); /* once, when LMDB has opened its files */

int mdb_reader_check(MDB_env *env, int *dead)
{
	int (*real)(MDB_env *, int *) =
	    (int (*)(MDB_env *, int *))(uintptr_t)dlsym(RTLD_NEXT, "mdb_reader_check");
	void (*meddle)(void) = within_opening;

	within_opening = NULL;
	if (meddle != NULL)
		meddle();
	return real(env, dead);
}

static void (*at_leaving_the_gate)(void);

int flock(int fd, int operation)
{
	if (operation == LOCK_UN && at_leaving_the_gate != NULL)
		at_leaving_the_gate();
	return (int)syscall(SYS_flock, fd, operation);
}

static const char *path(const char *name)
{
	static char out[4][320];
	static unsigned next;
	char *p = out[next++ % 4];

	fx_path(name, p, 320);
	return p;
}

static enum rp_err try_append(void)
{
	struct rp_new_entry n = fx_new(1);
	struct rp_appended out;

	return rp_outbox_append(fx.ob, fx.now_ms, &n, 1, &out, &fx.err);
}

static enum rp_err try_read(void)
{
	struct rp_ledger l;

	return rp_outbox_ledger(fx.ob, &l, &fx.err);
}

static enum rp_err try_open(struct rp_outbox **ob)
{
	return rp_outbox_open(fx_dir, &fx.options, ob, &fx.err);
}

static void setup(void)
{
	fx_setup();
	snprintf(side, sizeof side, "%s.side", fx_dir);
	mdb_env_set_flags(fx_db()->db.env, MDB_NOSYNC, 0); /* so that a commit calls fdatasync */
}

static void teardown(void)
{
	fx_teardown_damaged();
}

/* --- removed, moved, replaced
 * ----------------------------------------------------------------------------------- */

static void remove_lock(void)
{
	ck_assert_int_eq(unlink(path("lock.mdb")), 0);
}

static void replace_lock(void)
{
	int fd;

	ck_assert_int_eq(rename(path("lock.mdb"), side), 0);
	fd = open(path("lock.mdb"), O_CREAT | O_WRONLY, 0600);
	ck_assert(fd >= 0 && close(fd) == 0);
}

static void remove_data(void)
{
	ck_assert_int_eq(unlink(path("data.mdb")), 0);
}

static void restore_data(void)
{
	char command[1000];

	snprintf(command, sizeof command, "cp '%s' '%s' && mv '%s' '%s'", path("data.mdb"), side,
		 side, path("data.mdb"));
	ck_assert_int_eq(system(command), 0);
}

static void remove_doorbell(void)
{
	ck_assert_int_eq(unlink(path("doorbell")), 0);
}

static void remove_senders(void)
{
	ck_assert_int_eq(unlink(path("senders")), 0);
}

static void move_dir(void)
{
	ck_assert_int_eq(rename(fx_dir, side), 0);
}

static void replace_dir(void)
{
	move_dir();
	ck_assert_int_eq(mkdir(fx_dir, 0700), 0);
}

static void remove_all(void)
{
	char command[400];

	snprintf(command, sizeof command, "rm -r '%s'", fx_dir);
	ck_assert_int_eq(system(command), 0);
}

static const struct {
	void (*meddle)(void);
	const char *told;
} meddlers[] = {
    {remove_lock, "/lock.mdb was removed"},
    {replace_lock, "/lock.mdb was removed"},
    {remove_data, "/data.mdb was removed"},
    {restore_data, "/data.mdb was removed"},
    {remove_doorbell, "/doorbell was removed"},
    {remove_senders, "/senders was removed"},
    {move_dir, "/box was removed"},
    {replace_dir, "/box was removed"},
    {remove_all, " was removed"},
};
#define MEDDLERS ((int)(sizeof meddlers / sizeof meddlers[0]))

static void see_told(enum rp_err e, int i)
{
	ck_assert_msg(e == RP_ERR_IO, "%s: %s", rp_err_name(e), fx.err.text);
	ck_assert_msg(strstr(fx.err.text, meddlers[i].told) != NULL, "%s", fx.err.text);
}

/* Without the doorbell others could come from anywhere. Where "senders" is gone that is only
 * noticed by reading. */
START_TEST(nothing_is_stored_in_files_that_left_the_path)
{
	bool reading = meddlers[_i].meddle == remove_senders;

	ck_assert_int_eq(try_append(), RP_OK);
	meddlers[_i].meddle();
	if (!reading) {
		see_told(try_append(), _i);
		see_told(try_append(), _i);
	}
	see_told(try_read(), _i);
	see_told(rp_outbox_check(fx.ob, &fx.err), _i);
}
END_TEST

/* As late as can be: LMDB has begun to write. */
START_TEST(a_commit_into_files_that_left_the_path_does_not_count)
{
	if (meddlers[_i].meddle == remove_senders || meddlers[_i].meddle == remove_doorbell)
		return; /* the data are where they were */
	within_commit = meddlers[_i].meddle;
	see_told(try_append(), _i);
	ck_assert_ptr_null(within_commit);
}
END_TEST

/* lock.mdb was not there before, so there is nothing to compare the new one with. */
START_TEST(what_is_removed_while_it_is_opened_is_not_used)
{
	fx_close();
	if (_i == 0)
		remove_lock();
	within_opening = _i == 0 ? remove_lock : remove_data;
	ck_assert_int_eq(try_open(&fx.ob), RP_ERR_IO);
	ck_assert_msg(strstr(fx.err.text, "was removed while it was being opened") != NULL, "%s",
		      fx.err.text);
	fx.ob = NULL;
}
END_TEST

static void hold_open(int in, int out)
{
	char told;

	fx_open();
	fx_send(out, "!", 1);
	fx_receive(in, &told, 1);
	fx_close();
}

static struct fx_child start_holder(void)
{
	struct fx_child c;
	char told;

	fx_close();
	c = fx_start(hold_open);
	fx_receive(c.out, &told, 1);
	return c;
}

static void finish_holder(struct fx_child *c)
{
	fx_send(c->in, "!", 1);
	fx_finish(c);
}

START_TEST(nobody_opens_other_files_beside_users_of_the_old_ones)
{
	static void (*const meddle[])(void) = {remove_lock, replace_lock, restore_data};
	struct fx_child holder = start_holder();

	meddle[_i]();
	ck_assert_int_eq(try_open(&fx.ob), RP_ERR_BUSY);
	ck_assert_msg(strstr(fx.err.text, "end those first") != NULL, "%s", fx.err.text);
	ck_assert_int_eq(access(path("lock.mdb"), F_OK), meddle[_i] == remove_lock ? -1 : 0);
	finish_holder(&holder);
	fx_open();
	ck_assert_int_eq(try_append(), RP_OK);
	fx_verify_sound();
}
END_TEST

START_TEST(a_new_directory_under_the_path_is_an_outbox_of_its_own)
{
	struct fx_child holder = start_holder();

	replace_dir();
	fx_open();
	ck_assert_int_eq(try_append(), RP_OK);
	ck_assert_uint_eq(fx_ledger().waiting, 1);
	finish_holder(&holder);
	ck_assert_int_eq(try_append(), RP_OK);
	fx_verify_sound();
}
END_TEST

/* The path is what it was when the outbox was opened. */
START_TEST(a_relative_path_outlives_a_change_of_directory)
{
	char whole[256], *parent = strdup(fx_dir);
	int here = open(".", O_PATH | O_CLOEXEC), gate;

	ck_assert(parent != NULL && here >= 0);
	fx_close();
	snprintf(whole, sizeof whole, "%s", fx_dir);
	*strrchr(parent, '/') = '\0';
	ck_assert_int_eq(chdir(parent), 0);
	snprintf(fx_dir, sizeof fx_dir, "box");
	fx_open();
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(try_append(), RP_OK);
	ck_assert_uint_ne(rp_db_disk_free_bytes(&fx_db()->db), UINT64_MAX);
	ck_assert_int_eq(rp_open_lock_enter(fx_db(), 1, &gate, &fx.err), RP_OK);
	rp_open_lock_leave(gate);
	ck_assert_int_eq(fchdir(here), 0);
	snprintf(fx_dir, sizeof fx_dir, "%s", whole);
	replace_dir();
	ck_assert_int_eq(try_append(), RP_ERR_IO);
	close(here);
	free(parent);
}
END_TEST

/* --- users elsewhere
 * ------------------------------------------------------------------------------------------ */

/* The child of a process that has unshared its PID namespace is the first in the new one. */
static void hold_open_elsewhere(int in, int out)
{
	pid_t pid;
	int status;

	if (unshare(CLONE_NEWPID) != 0) {
		fx_send(out, "-", 1);
		return;
	}
	pid = fork();
	if (pid == 0) {
		hold_open(in, out);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
}

static int n_locks_left;

/* Of this PID namespace; users.c says where they are. */
static void count_lock_left(void)
{
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
	struct stat st;
	int fd = open(path("doorbell"), O_RDWR | O_CLOEXEC);

	ck_assert(fd >= 0 && stat("/proc/self/ns/pid", &st) == 0);
	l.l_start = ((off_t)1 << 60) + (off_t)st.st_ino;
	ck_assert_int_eq(fcntl(fd, F_OFD_GETLK, &l), 0);
	n_locks_left += l.l_type != F_UNLCK;
	close(fd);
}

/* Those who are refused leave nothing behind for which a user of the other namespace would be. */
START_TEST(users_in_another_pid_namespace_keep_others_out)
{
	struct fx_child c;
	char told;

	fx_close();
	c = fx_start(hold_open_elsewhere);
	fx_receive(c.out, &told, 1);
	if (told == '-') {
		printf("skipped: this user may not make a PID namespace\n");
		fx_finish(&c);
		fx_open();
		return;
	}
	at_leaving_the_gate = count_lock_left;
	ck_assert_int_eq(try_open(&fx.ob), RP_ERR_BUSY);
	at_leaving_the_gate = NULL;
	ck_assert_int_eq(n_locks_left, 0);
	ck_assert_msg(strstr(fx.err.text, "another PID namespace (pid:[") != NULL, "%s",
		      fx.err.text);
	ck_assert_msg(strstr(fx.err.text, "or end them first") != NULL, "%s", fx.err.text);
	finish_holder(&c);
	fx_open();
	ck_assert_int_eq(try_append(), RP_OK);
	fx_verify_sound();
}
END_TEST

START_TEST(users_in_the_same_pid_namespace_keep_nobody_out)
{
	struct fx_child holder = start_holder();

	fx_open();
	ck_assert_int_eq(try_append(), RP_OK);
	finish_holder(&holder);
	fx_verify_sound();
}
END_TEST

/* --- whose files they are
 * ---------------------------------------------------------------------------------------- */

static const char *const all_names[] = {"data.mdb", "lock.mdb", "doorbell", "senders"};

static enum rp_err open_all(void)
{
	enum rp_err e = try_open(&fx.ob);

	return e == RP_OK ? rp_registry_open(fx_db(), &fx.err) : e;
}

static bool is_root(void)
{
	if (geteuid() == 0)
		return true;
	printf("skipped: only root can look at somebody else's outbox\n");
	return false;
}

static void give_to_service(void)
{
	static const char *const names[] = {"", "data.mdb", "lock.mdb", "doorbell", "senders"};
	size_t i;

	for (i = 0; i < sizeof names / sizeof names[0]; i++)
		ck_assert(chown(path(names[i]), SERVICE, SERVICE) == 0 || errno == ENOENT);
}

static uid_t owner_of(const char *name)
{
	struct stat st;

	ck_assert_int_eq(stat(path(name), &st), 0);
	return st.st_uid;
}

static void work_as_service(int in, int out)
{
	(void)in;
	(void)out;
	ck_assert_int_eq(setgid(SERVICE), 0);
	ck_assert_int_eq(setuid(SERVICE), 0);
	fx_open();
	fx_join();
	ck_assert_int_eq(try_append(), RP_OK);
	fx_close();
}

static void open_to_all(void)
{
	char *parent = strdup(fx_dir);

	ck_assert_ptr_nonnull(parent);
	*strrchr(parent, '/') = '\0';
	ck_assert_int_eq(chmod(parent, 0755), 0);
	free(parent);
}

/* 0: there is the data alone, as after a restore; 1: the directory is root's, as of a volume with
 * a group */
START_TEST(what_root_makes_belongs_to_the_outboxs_user)
{
	struct fx_child c;

	if (!is_root())
		return;
	open_to_all();
	fx_close();
	give_to_service();
	ck_assert_int_eq(
	    unlink(path("lock.mdb")) + unlink(path("doorbell")) + unlink(path("senders")), 0);
	if (_i == 1)
		ck_assert(chown(fx_dir, 0, SERVICE) == 0 && chmod(fx_dir, 0770) == 0);
	fx_open();
	fx_join();
	ck_assert_uint_eq(owner_of("lock.mdb"), SERVICE);
	ck_assert_uint_eq(owner_of("doorbell"), SERVICE);
	ck_assert_uint_eq(owner_of("senders"), SERVICE);
	ck_assert_int_eq(setfsuid((uid_t)-1), 0);
	ck_assert_int_eq(setfsgid((gid_t)-1), 0);
	fx_close();
	c = fx_start(work_as_service);
	fx_finish(&c);
	fx_open();
}
END_TEST

START_TEST(a_file_of_root_among_a_users_is_told_with_its_mend)
{
	const char *name = all_names[_i];
	char mend[400];
	enum rp_err e;

	if (!is_root())
		return;
	open_to_all();
	fx_close();
	give_to_service();
	ck_assert_int_eq(chown(path(name), 0, 0), 0);
	e = open_all();
	ck_assert_msg(e == RP_ERR_DENIED, "%s", fx.err.text);
	snprintf(mend, sizeof mend, "chown %d %s)", SERVICE, path(name));
	ck_assert_msg(strstr(fx.err.text, mend) != NULL, "%s", fx.err.text);
}
END_TEST

START_TEST(the_mend_can_be_pasted)
{
	struct rp_buf word = {0};
	char whole[256];

	fx_close();
	snprintf(whole, sizeof whole, "%s", fx_dir);
	snprintf(side, sizeof side, "%s of o'brien", whole);
	ck_assert_int_eq(rename(whole, side), 0);
	snprintf(fx_dir, sizeof fx_dir, "%.255s", side);
	fx_open();
	ck_assert_str_eq(strstr(rp_files_word(fx_db(), "lock.mdb", &word), " of"),
			 " of o'\"'\"'brien/lock.mdb'");
	rp_buf_release(&word);
	fx_close();
	snprintf(fx_dir, sizeof fx_dir, "%s", whole);
	ck_assert_int_eq(rename(side, whole), 0);
	fx_open();
}
END_TEST

static void open_as_service_in_vain(int in, int out)
{
	(void)in;
	ck_assert_int_eq(setgid(SERVICE), 0);
	ck_assert_int_eq(setuid(SERVICE), 0);
	ck_assert_int_eq(try_open(&fx.ob), RP_ERR_DENIED);
	fx_send(out, fx.err.text, sizeof fx.err.text);
}

START_TEST(its_user_is_told_of_a_file_of_root)
{
	struct fx_child c;
	char text[RP_ERROR_TEXT_MAX];

	if (!is_root())
		return;
	open_to_all();
	fx_close();
	give_to_service();
	ck_assert_int_eq(chown(path("lock.mdb"), 0, 0), 0);
	c = fx_start(open_as_service_in_vain);
	fx_receive(c.out, text, sizeof text);
	fx_finish(&c);
	ck_assert_msg(
	    strstr(text,
		   "lock.mdb belongs to user 0, the outbox to user 12345 (as root: chown 12345 ") !=
		NULL,
	    "%s", text);
}
END_TEST

/* For a link to a file that is there, and to one that is not. */
START_TEST(no_file_is_opened_through_a_link)
{
	const char *name = all_names[_i / 2];
	bool there = _i % 2 == 0;
	struct stat st;
	int fd;

	fx_close();
	if (there) {
		fd = open(side, O_CREAT | O_WRONLY, 0600);
		ck_assert(fd >= 0 && write(fd, "precious", 8) == 8 && close(fd) == 0);
	}
	ck_assert_int_eq(unlink(path(name)), 0);
	ck_assert_int_eq(symlink("../box.side", path(name)), 0);
	ck_assert_int_eq(open_all(), RP_ERR_DENIED);
	ck_assert_msg(strstr(fx.err.text, "is a symbolic link") != NULL, "%s", fx.err.text);
	ck_assert_int_eq(stat(side, &st), there ? 0 : -1);
	ck_assert(!there || st.st_size == 8);
}
END_TEST

START_TEST(no_fifo_is_opened)
{
	const char *name = all_names[_i];

	fx_close();
	ck_assert_int_eq(unlink(path(name)), 0);
	ck_assert_int_eq(mkfifo(path(name), 0600), 0);
	ck_assert_int_eq(open_all(), RP_ERR_DENIED);
	ck_assert_msg(strstr(fx.err.text, "is a FIFO") != NULL, "%s", fx.err.text);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("outbox_place");
	TCase *tc = tcase_create("place");

	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, nothing_is_stored_in_files_that_left_the_path, 0, MEDDLERS);
	tcase_add_loop_test(tc, a_commit_into_files_that_left_the_path_does_not_count, 0, MEDDLERS);
	tcase_add_loop_test(tc, what_is_removed_while_it_is_opened_is_not_used, 0, 2);
	tcase_add_loop_test(tc, nobody_opens_other_files_beside_users_of_the_old_ones, 0, 3);
	tcase_add_test(tc, a_new_directory_under_the_path_is_an_outbox_of_its_own);
	tcase_add_test(tc, a_relative_path_outlives_a_change_of_directory);
	tcase_add_test(tc, users_in_another_pid_namespace_keep_others_out);
	tcase_add_test(tc, users_in_the_same_pid_namespace_keep_nobody_out);
	tcase_add_loop_test(tc, what_root_makes_belongs_to_the_outboxs_user, 0, 2);
	tcase_add_loop_test(tc, a_file_of_root_among_a_users_is_told_with_its_mend, 0, 4);
	tcase_add_test(tc, the_mend_can_be_pasted);
	tcase_add_test(tc, its_user_is_told_of_a_file_of_root);
	tcase_add_loop_test(tc, no_file_is_opened_through_a_link, 0, 8);
	tcase_add_loop_test(tc, no_fifo_is_opened, 0, 4);
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
