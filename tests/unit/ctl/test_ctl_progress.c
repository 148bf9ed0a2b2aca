/* What a progress line says. It is no part of the library: its source is linked into this test. */
#include "ctl/screen/progress.h"

#include <check.h>
#include <string.h>

#define S INT64_C(1000000)

static const char *text_of(unsigned width, uint64_t total, uint64_t done, int64_t elapsed_us,
			   bool bytes)
{
	static char out[RP_PROGRESS_TEXT_MAX];
	struct rp_progress p = {.what = "export", .total = total, .width = width, .bytes = bytes};

	return rp_progress_text(&p, done, elapsed_us, out);
}

START_TEST(it_tells_how_much_how_fast_and_how_long_still)
{
	ck_assert_str_eq(text_of(80, 1000, 500, 5 * S, false),
			 "export 500/1000  [###############...............]  50%  100/s  5s left");
	ck_assert_str_eq(text_of(80, 1000, 0, 5 * S, false),
			 "export 0/1000  [..............................]  0%  0.0/s");
	ck_assert_str_eq(text_of(80, 1000, 1000, 4 * S, false),
			 "export 1000/1000  [##############################]  100%  250/s");
	ck_assert_str_eq(text_of(80, 0, 700, 100 * S, false), "export 700  7.0/s");
	ck_assert_str_eq(
	    text_of(100, 4096, 1024, 1 * S, true),
	    "export 1.0 KiB of 4.0 KiB  [#######.......................]  25%  1.0 KiB/s  3s left");
}
END_TEST

START_TEST(a_narrow_terminal_gets_what_fits)
{
	unsigned width;

	ck_assert_str_eq(text_of(40, 1000, 500, 5 * S, false),
			 "export 500/1000  50%  100/s  5s left");
	ck_assert_str_eq(text_of(30, 1000, 500, 5 * S, false), "export 500/1000  50%  100/s");
	ck_assert_str_eq(text_of(20, 1000, 500, 5 * S, false), "export 500/1000  50%");
	for (width = 20; width < 150; width++)
		ck_assert_uint_le(strlen(text_of(width, 1000, 500, 5 * S, false)), width);
}
END_TEST

START_TEST(more_than_expected_is_no_trouble)
{
	ck_assert_str_eq(text_of(40, 10, 20, 1 * S, false),
			 "export 20/10  [############]  100%  20/s");
	ck_assert_str_eq(text_of(60, UINT64_MAX, 1, INT64_MAX, false),
			 "export 1/18446744073709551615  [................]  0%  0.0/s");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("progress");
	TCase *t = tcase_create("progress");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_test(t, it_tells_how_much_how_fast_and_how_long_still);
	tcase_add_test(t, a_narrow_terminal_gets_what_fits);
	tcase_add_test(t, more_than_expected_is_no_trouble);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
