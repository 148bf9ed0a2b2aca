/* The tables of runpostctl are no part of the library: their source is compiled into this test. */
#include "ctl/screen/table.h"
#include "text/escape.h"

#include <check.h>

static const struct rp_column columns[] = {
    {"ID", false, 0}, {"N", true, 0}, {"ENDPOINT", false, 8}};

static struct rp_buf out;

static void set_up(void)
{
	memset(&out, 0, sizeof out);
}

static void tear_down(void)
{
	rp_buf_release(&out);
}

static struct rp_table *table_of(struct rp_table_options options)
{
	struct rp_table *t = rp_table_new(columns, 3, options);

	ck_assert_ptr_nonnull(t);
	return t;
}

static void add_row(struct rp_table *t, const char *id, uint64_t n, const char *endpoint)
{
	rp_table_cell(t, rp_span_of(id));
	rp_table_number(t, n);
	rp_table_cell(t, rp_span_of(endpoint));
}

START_TEST(columns_are_as_wide_as_their_widest_cell)
{
	struct rp_table *t = table_of((struct rp_table_options){.width = 80});

	add_row(t, "a", 5, "x");
	add_row(t, "bcd", 1234, "");
	ck_assert(rp_table_flush(t, &out));
	ck_assert_str_eq(out.data, "ID      N  ENDPOINT\n"
				   "a       5  x\n"
				   "bcd  1234\n");
	rp_table_free(t);
}
END_TEST

START_TEST(a_column_that_may_be_cut_gives_way_to_the_width)
{
	struct rp_table *t = table_of((struct rp_table_options){.width = 20});

	add_row(t, "abcd", 7, "https://hooks.example.com/");
	ck_assert(rp_table_flush(t, &out));
	ck_assert_str_eq(out.data, "ID    N  ENDPOINT\n"
				   "abcd  7  https://...\n");
	rp_table_free(t);
}
END_TEST

START_TEST(no_cut_goes_below_the_least_width_of_a_column)
{
	struct rp_table *t = table_of((struct rp_table_options){.width = 1});

	add_row(t, "abcd", 7, "https://hooks.example.com/");
	ck_assert(rp_table_flush(t, &out));
	ck_assert_ptr_nonnull(strstr(out.data, "abcd  7  https...\n"));
	rp_table_free(t);
}
END_TEST

START_TEST(a_pipe_gets_tabs_no_header_and_nothing_cut)
{
	struct rp_table *t =
	    table_of((struct rp_table_options){.tsv = true, .color = true, .width = 10});

	rp_table_styled(t, RP_STYLE_BAD, "a");
	rp_table_number(t, UINT64_MAX);
	rp_table_cell(t, rp_span_of("https://hooks.example.com/"));
	ck_assert(rp_table_flush(t, &out));
	ck_assert_str_eq(out.data, "a\t18446744073709551615\thttps://hooks.example.com/\n");
	rp_table_free(t);
}
END_TEST

START_TEST(a_second_block_has_no_header_and_the_same_widths)
{
	struct rp_table *t = table_of((struct rp_table_options){0});

	add_row(t, "abcdef", 1, "x");
	ck_assert(rp_table_flush(t, &out));
	rp_buf_clear(&out);
	add_row(t, "b", 2, "y");
	ck_assert_uint_eq(rp_table_rows(t), 1);
	ck_assert(rp_table_flush(t, &out));
	ck_assert_str_eq(out.data, "b       2  y\n");
	rp_table_free(t);
}
END_TEST

START_TEST(a_table_without_rows_prints_nothing)
{
	struct rp_table *t = table_of((struct rp_table_options){0});

	ck_assert(rp_table_flush(t, &out));
	ck_assert_uint_eq(out.len, 0);
	rp_table_free(t);
}
END_TEST

START_TEST(characters_are_counted_not_bytes)
{
	struct rp_table *t = table_of((struct rp_table_options){0});

	add_row(t, "\xc3\xa4\xc3\xb6", 1, "x");
	ck_assert(rp_table_flush(t, &out));
	ck_assert_str_eq(out.data, "ID  N  ENDPOINT\n\xc3\xa4\xc3\xb6  1  x\n");
	rp_table_free(t);
}
END_TEST

START_TEST(colours_do_not_count_as_width)
{
	struct rp_table *t = table_of((struct rp_table_options){.color = true});

	rp_table_styled(t, RP_STYLE_BAD, "a");
	rp_table_number(t, 1);
	rp_table_cell(t, rp_span_of("x"));
	ck_assert(rp_table_flush(t, &out));
	ck_assert_str_eq(out.data, "ID  N  ENDPOINT\n\033[31ma\033[0m   1  x\n");
	rp_table_free(t);
}
END_TEST

static const struct {
	const char *raw;
	size_t len;
	const char *shown;
} texts[] = {
#define RAW(text) text, sizeof(text) - 1
    {RAW("plain ~ text"), "plain ~ text"},
    {RAW("a\tb\nc\rd"), "a\\tb\\nc\\rd"},
    {RAW("C:\\x41"), "C:\\\\x41"},
    {RAW("\033[31mred\a"), "\\x1b[31mred\\x07"},
    {RAW("nul\0del\x7f"), "nul\\x00del\\x7f"},
    {RAW("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80"), "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80"},
    {RAW("\xc2\x9b"
	 "31m"),
     "\\xc2\\x9b31m"},
    {RAW("\xff\xfe"
	 "a"),
     "\\xff\\xfea"},
    {RAW("cut \xe2\x82"), "cut \\xe2\\x82"},
    {RAW("over\xc0\xaf"), "over\\xc0\\xaf"},
    {RAW("\xe2\x80\xae"
	 "evil"),
     "\\xe2\\x80\\xaeevil"},
    {RAW("\xe2\x81\xa6"
	 "evil"),
     "\\xe2\\x81\\xa6evil"},
};

START_TEST(foreign_text_cannot_steer_a_terminal_or_break_a_row)
{
	ck_assert(rp_text_escape((struct rp_span){texts[_i].raw, texts[_i].len}, &out));
	ck_assert_str_eq(out.data, texts[_i].shown);
}
END_TEST

START_TEST(cells_are_escaped_in_both_forms)
{
	int tsv;

	for (tsv = 0; tsv < 2; tsv++) {
		struct rp_table *t = table_of((struct rp_table_options){.tsv = tsv});

		rp_buf_clear(&out);
		add_row(t, "a\tb\n\033[2J", 1, "x");
		ck_assert(rp_table_flush(t, &out));
		ck_assert_ptr_nonnull(strstr(out.data, "a\\tb\\n\\x1b[2J"));
		rp_table_free(t);
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("table");
	TCase *t = tcase_create("table");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, columns_are_as_wide_as_their_widest_cell);
	tcase_add_test(t, a_column_that_may_be_cut_gives_way_to_the_width);
	tcase_add_test(t, no_cut_goes_below_the_least_width_of_a_column);
	tcase_add_test(t, a_pipe_gets_tabs_no_header_and_nothing_cut);
	tcase_add_test(t, a_second_block_has_no_header_and_the_same_widths);
	tcase_add_test(t, a_table_without_rows_prints_nothing);
	tcase_add_test(t, characters_are_counted_not_bytes);
	tcase_add_test(t, colours_do_not_count_as_width);
	tcase_add_loop_test(t, foreign_text_cannot_steer_a_terminal_or_break_a_row, 0,
			    (int)(sizeof texts / sizeof texts[0]));
	tcase_add_test(t, cells_are_escaped_in_both_forms);
	suite_add_tcase(s, t);
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
