/* LMDB's pages, damaged in the file: named by verify before LMDB is led astray, and a file that is
 * cut off is refused. */
#include "unit/outbox_fixture.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* With large values, a tree of several levels, and free pages. */
static void fill(void)
{
	uint64_t first;
	size_t i;

	fx_open();
	fx_join();
	first = fx_append(1, 300);
	fx_append(2, 100);
	fx_exchange(50, NULL, 0);
	for (i = 0; i < 50; i++)
		fx_change(RP_CHANGE_PURGE, first + 100 + i);
	fx_verify_sound();
	fx_close();
}

static void see_problem(void *arg, const char *text)
{
	(void)arg;
	ck_assert(text[0] != '\0');
}

static void fail_on_problem(void *arg, const char *text)
{
	(void)arg;
	ck_abort_msg("%s", text);
}

/* max_rows 0: in one snapshot. */
static enum rp_err verify(size_t max_rows, struct rp_verify_counts *counts)
{
	struct rp_verify v = {.max_rows = max_rows, .problem = see_problem};
	enum rp_err e = RP_OK;
	unsigned n;

	for (n = 0; e == RP_OK && !v.done; n++) {
		e = rp_outbox_verify(fx.ob, &v, &fx.err);
		ck_assert_uint_lt(n, 10000);
	}
	*counts = v.counts;
	return e;
}

/* What verify says, or the error of opening; whichever, it ends, and not by a signal. */
static bool is_noticed(size_t max_rows)
{
	enum rp_err e = rp_outbox_open(fx_dir, &fx.options, &fx.ob, &fx.err);
	struct rp_verify_counts counts = {0};

	if (e != RP_OK) {
		ck_assert_msg(e == RP_ERR_DAMAGED || e == RP_ERR_FORMAT, "%s", fx.err.text);
		return true;
	}
	e = verify(max_rows, &counts);
	fx_close();
	ck_assert_msg(e == RP_OK || e == RP_ERR_DAMAGED, "%s", fx.err.text);
	return e != RP_OK || counts.problems > 0;
}

static const struct {
	size_t max_rows;
	int byte; /* of a page's header: what kind it is, and how many rows it has */
} forms[] = {{0, 10}, {0, 11}, {0, 12}, {1000, 12}, {1, 10}, {1, 12}};

START_TEST(a_page_of_a_tree_that_is_damaged_is_noticed)
{
	size_t max_rows = forms[_i].max_rows, n, i, noticed = 0, used = 0;
	unsigned char sound[FX_PAGE_MAX], page[FX_PAGE_MAX];

	fill();
	n = fx_pages();
	ck_assert_uint_gt(n, 30);
	for (i = 2; i < n; i++) {
		fx_page_read(i, sound);
		memset(page, 0, sizeof page);
		fx_page_write(i, page);
		used += is_noticed(max_rows);
		memcpy(page, sound, sizeof page);
		page[forms[_i].byte] ^= 0x04;
		fx_page_write(i, page);
		noticed += is_noticed(max_rows);
		fx_page_write(i, sound);
	}
	/* the others are free */
	ck_assert_uint_gt(used, n / 4);
	ck_assert_msg(noticed == used, "of %zu pages in use %zu are noticed", used, noticed);
	ck_assert(!is_noticed(max_rows));
}
END_TEST

/* Pages come, go and move while the check is between two slices. */
START_TEST(pages_that_change_between_slices_are_no_problem)
{
	struct rp_verify v = {.max_rows = 1, .problem = fail_on_problem};
	uint64_t seq;
	unsigned n;

	fill();
	fx_open();
	fx_join();
	seq = fx_append(3, 500);
	for (n = 0; !v.done; n++) {
		ck_assert_int_eq(rp_outbox_verify(fx.ob, &v, &fx.err), RP_OK);
		ck_assert_uint_le(v.counts.steps, v.counts.steps_all + 64);
		if (n < 200) {
			fx_append(n % 5, 1 + n % 30);
			fx_change(RP_CHANGE_PURGE, seq + n);
			fx_change(RP_CHANGE_HOLD, seq + 499 - n);
		}
	}
	ck_assert_uint_eq(v.counts.problems, 0);
	ck_assert_uint_gt(n, 200);
	fx_verify_sound();
	fx_close();
}
END_TEST

START_TEST(a_file_that_is_cut_off_is_refused)
{
	size_t n, left, i, refused = 0;
	unsigned char *sound;

	fill();
	n = fx_pages();
	sound = malloc(n * fx_page_bytes());
	ck_assert_ptr_nonnull(sound);
	for (i = 0; i < n; i++)
		fx_page_read(i, sound + i * fx_page_bytes());
	for (left = n - 1; left >= 2; left -= 1 + left / 8) {
		ck_assert_int_eq(
		    truncate(fx_data_path(), (off_t)(left * fx_page_bytes() - (left % 3) * 100)),
		    0);
		if (rp_outbox_open(fx_dir, &fx.options, &fx.ob, &fx.err) ==
		    RP_OK) { /* the pages at its end were free */
			ck_assert_uint_eq(fx_problems(), 0);
			fx_close();
		} else {
			ck_assert_int_eq(fx.err.code, RP_ERR_DAMAGED);
			ck_assert_msg(strstr(fx.err.text, "cut off") != NULL, "%s", fx.err.text);
			refused++;
		}
		ck_assert_int_eq(truncate(fx_data_path(), (off_t)(n * fx_page_bytes())), 0);
		for (i = 2; i < n; i++)
			fx_page_write(i, sound + i * fx_page_bytes());
	}
	free(sound);
	ck_assert_uint_gt(refused, 5);
}
END_TEST

START_TEST(pages_that_were_taken_and_given_back_need_not_be_there)
{
	int i;

	/* transactions that grow the file and shrink again; whatever is unwritten at its end must
	 * not stop an opening */
	fx_open();
	fx_join();
	for (i = 0; i < 60; i++) {
		uint64_t seq = fx_append(1, (size_t)(1 + i % 40));

		fx_exchange(20, NULL, 0);
		fx_change(RP_CHANGE_PURGE, seq);
		fx_close();
		fx_open();
		fx_join();
		fx_verify_sound();
	}
	fx_close();
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("outbox_pages");
	TCase *tc = tcase_create("pages");

	tcase_add_checked_fixture(tc, fx_setup_dir, fx_teardown_dir);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, a_page_of_a_tree_that_is_damaged_is_noticed, 0,
			    (int)(sizeof forms / sizeof forms[0]));
	tcase_add_test(tc, pages_that_change_between_slices_are_no_problem);
	tcase_add_test(tc, a_file_that_is_cut_off_is_refused);
	tcase_add_test(tc, pages_that_were_taken_and_given_back_need_not_be_there);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
