/* The door's numbers: they outlive the door, several doors share them, and no file that is in
 * their way keeps a door from counting. */
#include "serve/door_counts.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/outbox_fixture.h"

#define SERVICE 4711

static struct rp_door_counts door, other;
static struct rp_door_numbers seen;

static const char *door_path(void)
{
	static char path[300];

	fx_path("door", path, sizeof path);
	return path;
}

static enum rp_err open_door(struct rp_door_counts *c)
{
	return rp_door_counts_open(fx.ob, FX_NOW_MS, c, &fx.err);
}

static void must_open(struct rp_door_counts *c)
{
	enum rp_err e = open_door(c);

	ck_assert_msg(e == RP_OK, "%d: %s", (int)e, e != RP_OK ? fx.err.text : "");
}

static void look(void)
{
	memset(&seen, 0xff, sizeof seen);
	ck_assert_int_eq(rp_door_counts_read(fx.ob, &seen, &fx.err), RP_OK);
}

static void set_up(void)
{
	fx_setup();
	memset(&door, 0, sizeof door);
	memset(&other, 0, sizeof other);
}

static void tear_down(void)
{
	rp_door_counts_close(&door);
	rp_door_counts_close(&other);
	fx_teardown();
}

/* --- counting ----------------------------------------------------------------------- */

START_TEST(there_is_nothing_before_the_first_door)
{
	ck_assert_int_eq(rp_door_counts_read(fx.ob, &seen, &fx.err), RP_ERR_NOTFOUND);
	ck_assert_int_ne(access(door_path(), F_OK), 0);
}
END_TEST

START_TEST(each_status_and_each_code_has_a_place_and_all_others_share_the_last)
{
	size_t i, n_statuses = 0, n_codes = 0;

	must_open(&door);
	for (i = 0; i < RP_DOOR_STATUSES; i++)
		if (rp_door_status(i) != 0) {
			rp_door_count_answer(&door, rp_door_status(i));
			n_statuses++;
		}
	for (i = 0; i < RP_DOOR_CODES - 1; i++)
		if (rp_door_code(i) != NULL) {
			rp_door_count_refused(&door, rp_door_code(i), FX_NOW_MS);
			n_codes++;
		}
	rp_door_count_answer(&door, 418);
	rp_door_count_refused(&door, "teapot", FX_NOW_MS);
	look();
	for (i = 0; i < n_statuses; i++)
		ck_assert_uint_eq(seen.answers[i], 1);
	for (i = 0; i < n_codes; i++)
		ck_assert_uint_eq(seen.refused[i], 1);
	ck_assert_uint_eq(seen.answers[RP_DOOR_STATUSES - 1], 1);
	ck_assert_uint_eq(seen.refused[RP_DOOR_CODES - 1], 1);
	ck_assert_str_eq(rp_door_code(RP_DOOR_CODES - 1), "other");
	ck_assert(n_statuses > 15 && n_codes > 15);
	ck_assert_uint_eq(rp_door_access_refusals(&seen), 11);
}
END_TEST

START_TEST(what_happens_is_what_is_read)
{
	must_open(&door);
	rp_door_count_runs(&door, RP_DOOR_QUEUED, 3, FX_NOW_MS + 1);
	rp_door_count_runs(&door, RP_DOOR_DUPLICATE, 2, FX_NOW_MS + 2);
	rp_door_count_body(&door, 700);
	rp_door_count_connection(&door);
	rp_door_count_held(&door);
	rp_door_count_commit(&door, 5);
	rp_door_count_commit(&door, 100000);
	rp_door_count_commit_failed(&door);
	rp_door_count_wait(&door, 250);
	rp_door_count_wait(&door, 251);
	rp_door_count_wait(&door, -1);
	rp_door_count_refused(&door, "unauthorized", FX_NOW_MS + 3);
	rp_door_count_reject(&door, "bad_json", 11, true, FX_NOW_MS + 4);
	rp_door_count_reject(&door, "too_large", 22, false, FX_NOW_MS + 5);
	look();
	ck_assert_uint_eq(seen.runs[RP_DOOR_QUEUED], 3);
	ck_assert_uint_eq(seen.runs[RP_DOOR_DUPLICATE], 2);
	ck_assert_uint_eq(seen.last_queued_at_ms, FX_NOW_MS + 1);
	ck_assert_uint_eq(seen.requests_bytes, 700);
	ck_assert_uint_eq(seen.connections + seen.held + seen.failed, 3);
	ck_assert_uint_eq(rp_door_histogram_count(&seen.batches), 2);
	ck_assert_uint_eq(seen.batches.sum, 100005);
	ck_assert_uint_eq(seen.batches.count[RP_DOOR_BUCKETS - 1], 1);
	ck_assert_uint_eq(seen.waits.count[0], 2);
	ck_assert_uint_eq(seen.waits.count[1], 1);
	ck_assert_uint_eq(seen.last_access_at_ms, FX_NOW_MS + 3);
	ck_assert_str_eq(rp_door_code(seen.last_access), "unauthorized");
	ck_assert_uint_eq(rp_door_rejects(&seen), 2);
	ck_assert_uint_eq(seen.kept_bytes, 11);
	ck_assert_uint_eq(seen.lost_bytes, 22);
	ck_assert_str_eq(rp_door_code(seen.last_reject), "too_large");
	ck_assert_uint_eq(seen.last_reject_at_ms, FX_NOW_MS + 5);
	ck_assert_uint_eq(seen.last_lost_at_ms, FX_NOW_MS + 5);
}
END_TEST

START_TEST(bounds_ascend)
{
	size_t i;

	for (i = 1; i < RP_DOOR_BUCKETS - 1; i++) {
		ck_assert_uint_gt(rp_door_bounds_batch[i], rp_door_bounds_batch[i - 1]);
		ck_assert_uint_gt(rp_door_bounds_wait_us[i], rp_door_bounds_wait_us[i - 1]);
	}
}
END_TEST

/* --- doors that come and go --------------------------------------------------------- */

START_TEST(the_next_door_goes_on_where_the_last_one_stopped)
{
	must_open(&door);
	rp_door_count_answer(&door, 202);
	rp_door_counts_close(&door);
	must_open(&door);
	rp_door_count_answer(&door, 202);
	look();
	ck_assert_uint_eq(seen.answers[1], 2);
	ck_assert_uint_eq(seen.starts, 2);
	ck_assert_uint_eq(seen.last_start_at_ms, FX_NOW_MS);
}
END_TEST

START_TEST(doors_add_up_and_what_they_do_now_ends_with_them)
{
	const struct rp_door_now one = {.state = RP_DOOR_ACCEPTING, .connections = 3, .held = 1},
				 two = {.state = RP_DOOR_FULL, .connections = 4, .body_bytes = 9};
	struct rp_door_now sum;
	unsigned n;

	must_open(&door);
	must_open(&other);
	rp_door_count_answer(&door, 200);
	rp_door_count_answer(&other, 200);
	rp_door_show(&door, &one);
	rp_door_show(&other, &two);
	look();
	sum = rp_door_now_sum(&seen, &n);
	ck_assert_uint_eq(n, 2);
	ck_assert_uint_eq(sum.connections, 7);
	ck_assert_uint_eq(sum.state, RP_DOOR_FULL);
	ck_assert_uint_eq(seen.answers[0], 2);
	rp_door_counts_close(&other);
	look();
	sum = rp_door_now_sum(&seen, &n);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(sum.connections + sum.held + sum.body_bytes, 4);
	ck_assert_uint_eq(seen.answers[0], 2);
}
END_TEST

static void be_a_door(int in, int out)
{
	const struct rp_door_now now = {.connections = 5};

	(void)in;
	fx_open();
	must_open(&door);
	rp_door_count_answer(&door, 202);
	rp_door_show(&door, &now);
	fx_send(out, "!", 1);
	pause();
}

START_TEST(a_killed_door_leaves_its_numbers_and_nothing_of_what_it_did)
{
	struct fx_child c;
	unsigned n;
	char ready;

	fx_close();
	c = fx_start(be_a_door);
	fx_receive(c.out, &ready, 1);
	fx_open();
	look();
	ck_assert_uint_eq(rp_door_now_sum(&seen, &n).connections, 5);
	fx_kill(&c);
	look();
	ck_assert_uint_eq(rp_door_now_sum(&seen, &n).connections, 0);
	ck_assert_uint_eq(n, 0);
	ck_assert_uint_eq(seen.answers[1], 1);
}
END_TEST

START_TEST(a_door_too_many_counts_and_shows_nothing_of_itself)
{
	struct rp_door_counts *many = calloc(RP_DOOR_SLOTS, sizeof *many);
	const struct rp_door_now now = {.connections = 1};
	unsigned n;
	int i;

	for (i = 0; i < RP_DOOR_SLOTS; i++)
		must_open(&many[i]);
	ck_assert_int_eq(open_door(&door), RP_ERR_BUSY);
	rp_door_count_answer(&door, 202);
	rp_door_show(&door, &now);
	look();
	ck_assert_uint_eq(seen.answers[1], 1);
	ck_assert_uint_eq(rp_door_now_sum(&seen, &n).connections, 0);
	ck_assert_uint_eq(n, RP_DOOR_SLOTS);
	for (i = 0; i < RP_DOOR_SLOTS; i++)
		rp_door_counts_close(&many[i]);
	free(many);
}
END_TEST

/* --- what is in the way ------------------------------------------------------------- */

static void write_door(const void *bytes, size_t n)
{
	int fd = open(door_path(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
	close(fd);
}

static void put_text(void)
{
	write_door("precious words", 14);
}

static void put_page(void)
{
	unsigned char page[RP_DOOR_FILE_BYTES];

	memset(page, 'x', sizeof page);
	write_door(page, sizeof page);
}

static void put_longer(void)
{
	static const unsigned char zeroes[RP_DOOR_FILE_BYTES + 1];

	write_door(zeroes, sizeof zeroes);
}

static void put_link(void)
{
	ck_assert_int_eq(symlink("/dev/null", door_path()), 0);
}

static void put_fifo(void)
{
	ck_assert_int_eq(mkfifo(door_path(), 0600), 0);
}

static void put_directory(void)
{
	ck_assert_int_eq(mkdir(door_path(), 0700), 0);
}

static void (*const obstacles[])(void) = {put_text, put_page, put_longer,
					  put_link, put_fifo, put_directory};
#define N_OBSTACLES (sizeof obstacles / sizeof obstacles[0])

START_TEST(whatever_is_in_the_way_the_door_counts)
{
	struct stat before, after;
	unsigned n;

	obstacles[_i]();
	ck_assert_int_eq(lstat(door_path(), &before), 0);
	ck_assert_int_ne(open_door(&door), RP_OK);
	ck_assert_msg(strstr(fx.err.text, "door") != NULL, "%s", fx.err.text);
	rp_door_count_answer(&door, 202);
	rp_door_show(&door, &(struct rp_door_now){.connections = 2});
	ck_assert_uint_eq(door.numbers->answers[1], 1);
	ck_assert_uint_eq(rp_door_now_sum(door.numbers, &n).connections, 0);
	ck_assert_int_ne(rp_door_counts_read(fx.ob, &seen, &fx.err), RP_OK);
	ck_assert_int_eq(lstat(door_path(), &after), 0);
	ck_assert(after.st_ino == before.st_ino && after.st_mode == before.st_mode);
	if (obstacles[_i] == put_text) {
		char text[20] = "";
		int fd = open(door_path(), O_RDONLY | O_CLOEXEC);

		ck_assert_int_eq(read(fd, text, sizeof text), 14);
		ck_assert_str_eq(text, "precious words");
		close(fd);
	}
	(void)(rmdir(door_path()) == 0 || unlink(door_path()) == 0);
}
END_TEST

START_TEST(where_there_is_no_room_for_the_file_the_door_counts)
{
	struct rlimit before, small;

	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = (struct rlimit){1024, before.rlim_max};
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	ck_assert_int_ne(open_door(&door), RP_OK);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	rp_door_count_answer(&door, 202);
	ck_assert_uint_eq(door.numbers->answers[1], 1);
}
END_TEST

START_TEST(a_file_that_was_cut_is_told_to_those_who_look)
{
	must_open(&door);
	rp_door_counts_close(&door);
	ck_assert_int_eq(truncate(door_path(), 100), 0);
	ck_assert_int_eq(rp_door_counts_read(fx.ob, &seen, &fx.err), RP_ERR_FORMAT);
}
END_TEST

/* --- whose it is -------------------------------------------------------------------- */

START_TEST(the_file_is_its_owners_alone)
{
	struct stat st;

	must_open(&door);
	ck_assert_int_eq(stat(door_path(), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(st.st_size, RP_DOOR_FILE_BYTES);
	ck_assert_int_ge(st.st_blocks * 512, RP_DOOR_FILE_BYTES);
}
END_TEST

static void give_all(uid_t uid)
{
	static const char *const names[] = {"", "data.mdb", "lock.mdb", "doorbell", "senders"};
	char path[300];
	size_t i;

	for (i = 0; i < sizeof names / sizeof names[0]; i++) {
		fx_path(names[i], path, sizeof path);
		ck_assert(chown(path, uid, uid) == 0 || errno == ENOENT);
	}
}

START_TEST(what_root_makes_belongs_to_the_outboxs_user_and_nobody_elses_is_taken)
{
	char parent[300];
	struct stat st;

	if (geteuid() != 0) {
		printf("skipped: only root can look at somebody else's outbox\n");
		return;
	}
	fx_close();
	fx_path("..", parent, sizeof parent);
	ck_assert_int_eq(chmod(parent, 0755), 0);
	give_all(SERVICE);
	fx_open();
	must_open(&door);
	ck_assert_int_eq(stat(door_path(), &st), 0);
	ck_assert_uint_eq(st.st_uid, SERVICE);
	rp_door_counts_close(&door);
	ck_assert(chown(door_path(), SERVICE + 1, SERVICE + 1) == 0 &&
		  chmod(door_path(), 0666) == 0);
	ck_assert_int_eq(open_door(&door), RP_ERR_DENIED);
	ck_assert_int_eq(rp_door_counts_read(fx.ob, &seen, &fx.err), RP_ERR_DENIED);
	fx_close();
	give_all(0);
	fx_open();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("door_counts");
	TCase *tc = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, there_is_nothing_before_the_first_door);
	tcase_add_test(tc, each_status_and_each_code_has_a_place_and_all_others_share_the_last);
	tcase_add_test(tc, what_happens_is_what_is_read);
	tcase_add_test(tc, bounds_ascend);
	tcase_add_test(tc, the_next_door_goes_on_where_the_last_one_stopped);
	tcase_add_test(tc, doors_add_up_and_what_they_do_now_ends_with_them);
	tcase_add_test(tc, a_killed_door_leaves_its_numbers_and_nothing_of_what_it_did);
	tcase_add_test(tc, a_door_too_many_counts_and_shows_nothing_of_itself);
	tcase_add_loop_test(tc, whatever_is_in_the_way_the_door_counts, 0, N_OBSTACLES);
	tcase_add_test(tc, where_there_is_no_room_for_the_file_the_door_counts);
	tcase_add_test(tc, a_file_that_was_cut_is_told_to_those_who_look);
	tcase_add_test(tc, the_file_is_its_owners_alone);
	tcase_add_test(tc, what_root_makes_belongs_to_the_outboxs_user_and_nobody_elses_is_taken);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
