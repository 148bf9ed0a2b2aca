#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/lines.h"

static void put(struct rp_lines *lines, const char *bytes, size_t n)
{
	while (n > 0) {
		size_t room, part;
		char *at = rp_lines_room(lines, &room);

		ck_assert_ptr_nonnull(at);
		part = n < room ? n : room;
		memcpy(at, bytes, part);
		rp_lines_filled(lines, part);
		bytes += part;
		n -= part;
	}
}

/* What came out, written as one text: "<line>", "[piece", "tail]". */
static void drain(struct rp_lines *lines, struct rp_buf *seen)
{
	static const char *const before[] = {"", "<", "[", ""}, *const after[] = {"", ">", "", "]"};
	enum rp_lines_kind kind;
	struct rp_span s;

	while ((kind = rp_lines_next(lines, &s)) != RP_LINES_NONE)
		ck_assert(rp_buf_add_text(seen, before[kind]) && rp_buf_add(seen, s.ptr, s.len) &&
			  rp_buf_add_text(seen, after[kind]));
	ck_assert(!rp_lines_ready(lines));
}

#define BOM "\xef\xbb\xbf"

struct sample {
	const char *in;   /* '|' ends a turn of filling */
	const char *want; /* at the end of input */
};

static const struct sample samples[] = {
    {"", ""},
    {"\n", "<>"},
    {"a\n", "<a>"},
    {"a", "<a>"},
    {"a\nbc\n", "<a><bc>"},
    {"a\nbc", "<a><bc>"},
    {"a\n\nb\n", "<a><><b>"},
    {"a\r\n", "<a\r>"},
    {"a|b|c\nd", "<abc><d>"},
    {"ab|\n|cd|\n", "<ab><cd>"},
    {"12345678\n", "<12345678>"},
    {"12345678", "<12345678>"},
    {"1234567|8|\n", "<12345678>"},
    {"123456789\n", "123456789]"},
    {"123456789", "[123456789]"},
    {"x\n123456789\ny\n", "<x>123456789]<y>"},
    {"123456789|abc|d\ny\n", "[123456789[abcd]<y>"},
    {"x\n123456789|\n\ny", "<x>[123456789]<><y>"},
    {"12345|6789a|b\ny", "[123456789ab]<y>"},
    {BOM "12345678\n", "<12345678>"},
    {BOM "123456789|\n", "[123456789]"},
    {"\xef|\xbb|\xbf|a\n", "<a>"},
    {BOM, ""},
    {BOM "\n", "<>"},
    {BOM BOM "\n", "<" BOM ">"},
    {"a\n" BOM "\n", "<a><" BOM ">"},
    {"\xef\xbb", "<\xef\xbb>"},
    {"\xef\xbb\n\xbf\n", "<\xef\xbb><\xbf>"},
};

START_TEST(lines_come_out_whole_and_overlong_ones_in_pieces)
{
	const struct sample *s = &samples[_i];
	struct rp_lines lines;
	struct rp_buf seen = {0};
	const char *at = s->in;

	rp_lines_init(&lines, 8);
	for (;;) {
		size_t n = strcspn(at, "|");

		put(&lines, at, n);
		drain(&lines, &seen);
		if (at[n] == '\0')
			break;
		at += n + 1;
	}
	rp_lines_end(&lines);
	drain(&lines, &seen);
	ck_assert_msg(strcmp(seen.len > 0 ? seen.data : "", s->want) == 0, "%s: got %s, want %s",
		      s->in, seen.len > 0 ? seen.data : "", s->want);
	rp_buf_release(&seen);
	rp_lines_release(&lines);
}
END_TEST

/* The same text cut in every way must give the same lines. */
START_TEST(how_reads_are_cut_does_not_matter)
{
	static const char text[] = "{\"a\":1}\n\n{\"b\":\"two\"}\nlast";
	size_t cut, n = sizeof text - 1;

	for (cut = 0; cut <= n; cut++) {
		struct rp_lines lines;
		struct rp_buf seen = {0};

		rp_lines_init(&lines, 100);
		put(&lines, text, cut);
		drain(&lines, &seen);
		put(&lines, text + cut, n - cut);
		drain(&lines, &seen);
		rp_lines_end(&lines);
		drain(&lines, &seen);
		ck_assert_str_eq(seen.data, "<{\"a\":1}><><{\"b\":\"two\"}><last>");
		rp_buf_release(&seen);
		rp_lines_release(&lines);
	}
}
END_TEST

START_TEST(a_line_without_an_end_takes_no_more_memory_than_max_line)
{
	enum { MAX_LINE = 1 << 20 };
	char *chunk = malloc(RP_LINES_CHUNK);
	struct rp_lines lines;
	struct rp_span s;
	size_t i, total = 0;

	ck_assert_ptr_nonnull(chunk);
	memset(chunk, 'x', RP_LINES_CHUNK);
	rp_lines_init(&lines, MAX_LINE);
	for (i = 0; i < 64; i++) {
		put(&lines, chunk, RP_LINES_CHUNK);
		while (rp_lines_next(&lines, &s) == RP_LINES_PIECE)
			total += s.len;
	}
	ck_assert_uint_ge(total, 63 * RP_LINES_CHUNK);
	ck_assert_uint_le(lines.buf.cap, 2 * (MAX_LINE + RP_LINES_CHUNK));
	put(&lines, "\nshort\n", 7);
	ck_assert_int_eq(rp_lines_next(&lines, &s), RP_LINES_TAIL);
	ck_assert_int_eq(rp_lines_next(&lines, &s), RP_LINES_LINE);
	ck_assert(rp_span_is(s, "short"));
	rp_lines_release(&lines);
	free(chunk);
}
END_TEST

START_TEST(spans_stay_valid_in_the_memory_that_is_left)
{
	struct rp_lines lines;
	struct rp_buf spare = {0};
	struct rp_span first, second, third;
	size_t room, rounds;
	char *at;

	rp_lines_init(&lines, 100);
	put(&lines, "one\ntwo", 7);
	for (rounds = 0; rounds < 3; rounds++) {
		ck_assert_int_eq(rp_lines_next(&lines, &first), RP_LINES_LINE);
		ck_assert_ptr_nonnull(at = rp_lines_room_after(&lines, &room));
		ck_assert_uint_gt(room, RP_LINES_CHUNK / 2);
		memcpy(at, "-and-a-half\nthr", 15);
		rp_lines_filled(&lines, 15);
		ck_assert_int_eq(rp_lines_next(&lines, &second), RP_LINES_LINE);
		ck_assert(rp_lines_swap(&lines, &spare));
		ck_assert(!rp_lines_ready(&lines));
		put(&lines, "ee\none\ntwo", 10);
		ck_assert_int_eq(rp_lines_next(&lines, &third), RP_LINES_LINE);
		ck_assert(rp_span_is(first, "one"));
		ck_assert(rp_span_is(second, "two-and-a-half"));
		ck_assert(rp_span_is(third, "three"));
		ck_assert(first.ptr >= spare.data &&
			  second.ptr + second.len <= spare.data + spare.cap);
	}
	rp_buf_release(&spare);
	rp_lines_release(&lines);
}
END_TEST

START_TEST(room_behind_spans_comes_to_an_end)
{
	struct rp_lines lines;
	struct rp_buf spare = {0};
	struct rp_span s;
	size_t room, bytes = 0;
	char *at;

	rp_lines_init(&lines, 100);
	ck_assert_ptr_null(rp_lines_room_after(&lines, &room));
	put(&lines, "x\n", 2);
	while ((at = rp_lines_room_after(&lines, &room)) != NULL) {
		memset(at, '\n', room);
		rp_lines_filled(&lines, room);
		bytes += room;
	}
	ck_assert_uint_ge(bytes, RP_LINES_CHUNK - 2);
	ck_assert_uint_le(bytes, 2 * RP_LINES_CHUNK + 100);
	ck_assert_int_eq(rp_lines_next(&lines, &s), RP_LINES_LINE);
	ck_assert(rp_lines_swap(&lines, &spare));
	ck_assert(rp_span_is(s, "x"));
	while (rp_lines_next(&lines, &s) == RP_LINES_LINE)
		bytes--;
	ck_assert_uint_eq(bytes, 0);
	rp_buf_release(&spare);
	rp_lines_release(&lines);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("lines");
	TCase *tc = tcase_create("lines");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, lines_come_out_whole_and_overlong_ones_in_pieces, 0,
			    sizeof samples / sizeof samples[0]);
	tcase_add_test(tc, how_reads_are_cut_does_not_matter);
	tcase_add_test(tc, a_line_without_an_end_takes_no_more_memory_than_max_line);
	tcase_add_test(tc, spans_stay_valid_in_the_memory_that_is_left);
	tcase_add_test(tc, room_behind_spans_comes_to_an_end);
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
