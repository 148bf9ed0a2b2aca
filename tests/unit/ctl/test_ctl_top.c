/* What `runpostctl top` makes of keys and numbers. It is no part of the library: its source is
 * linked into this test. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/screen/sparkline.h"
#include "ctl/screen/top_draw.h"
#include "ctl/screen/top_keys.h"

#define NOW_MS INT64_C(1700000000000)

/* --- keys */

static const struct {
	const char *bytes;
	bool waited;
	int keys[4];
	size_t left;
} typed[] = {
    {"jk", false, {'j', 'k'}, 0},
    {"\033[A\033[B", false, {RP_KEY_UP, RP_KEY_DOWN}, 0},
    {"\033OA\033OBx", false, {RP_KEY_UP, RP_KEY_DOWN, 'x'}, 0},
    {"\033[5~\033[6~\033[H", false, {RP_KEY_PAGE_UP, RP_KEY_PAGE_DOWN, RP_KEY_HOME}, 0},
    {"\033[1~\033[4~\033[F", false, {RP_KEY_HOME, RP_KEY_END, RP_KEY_END}, 0},
    {"\r\n\177\b", false, {RP_KEY_ENTER, RP_KEY_ENTER, RP_KEY_BACKSPACE, RP_KEY_BACKSPACE}, 0},
    {"\033", false, {RP_KEY_NONE}, 1},
    {"\033", true, {RP_KEY_ESCAPE}, 0},
    {"\033[", false, {RP_KEY_NONE}, 2},
    {"\033[1;5", true, {RP_KEY_OTHER}, 0},
    {"\033q", false, {RP_KEY_ESCAPE, 'q'}, 0},
    {"\033[1;5C", false, {RP_KEY_OTHER}, 0},
    {"\303\251\001", false, {RP_KEY_OTHER, RP_KEY_OTHER, RP_KEY_OTHER}, 0},
};

START_TEST(bytes_become_keys)
{
	struct rp_keys k = {0};
	size_t i;

	rp_keys_put(&k, typed[_i].bytes, strlen(typed[_i].bytes));
	for (i = 0; i < 4 && typed[_i].keys[i] != RP_KEY_NONE; i++)
		ck_assert_int_eq(rp_keys_next(&k, typed[_i].waited), typed[_i].keys[i]);
	ck_assert_int_eq(rp_keys_next(&k, false), RP_KEY_NONE);
	ck_assert_uint_eq(k.n, typed[_i].left);
}
END_TEST

START_TEST(a_flood_of_bytes_is_dropped_and_never_stuck)
{
	struct rp_keys k = {0};
	char flood[500];
	int n = 0;

	memset(flood, '0', sizeof flood);
	memcpy(flood, "\033[", 2);
	rp_keys_put(&k, flood, sizeof flood);
	ck_assert_int_eq(rp_keys_next(&k, false), RP_KEY_OTHER);
	while (rp_keys_next(&k, false) != RP_KEY_NONE)
		n++;
	ck_assert_uint_eq(k.n, 0);
	ck_assert_int_lt(n, 64);
}
END_TEST

/* --- series and sparklines */

START_TEST(a_series_forgets_what_is_older_than_it_reaches)
{
	struct rp_top_series s = {0};
	uint32_t out[RP_TOP_SLOTS];

	rp_top_series_add(&s, NOW_MS, 3);
	rp_top_series_add(&s, NOW_MS - 2 * RP_TOP_SLOT_MS, 2);
	rp_top_series_add(&s, NOW_MS + RP_TOP_SLOT_MS, 1);
	rp_top_series_add(&s, NOW_MS - 1000 * RP_TOP_SLOT_MS, 99);
	rp_top_series_read(&s, NOW_MS + RP_TOP_SLOT_MS, out, 4);
	ck_assert_uint_eq(out[0], 2);
	ck_assert_uint_eq(out[1], 0);
	ck_assert_uint_eq(out[2], 3);
	ck_assert_uint_eq(out[3], 1);
	rp_top_series_read(&s, NOW_MS + RP_TOP_SLOTS * RP_TOP_SLOT_MS, out, RP_TOP_SLOTS);
	ck_assert_uint_eq(out[0], 1);
	ck_assert_uint_eq(out[1], 0);
	rp_top_series_add(&s, NOW_MS + 500 * RP_TOP_SLOT_MS, 7);
	rp_top_series_read(&s, NOW_MS + 500 * RP_TOP_SLOT_MS, out, RP_TOP_SLOTS);
	ck_assert_uint_eq(out[RP_TOP_SLOTS - 1], 7);
	ck_assert_uint_eq(out[0], 0);
}
END_TEST

START_TEST(a_rate_is_that_of_the_last_seconds)
{
	struct rp_top_series s = {0};
	int64_t at_ms;

	for (at_ms = NOW_MS; at_ms < NOW_MS + 60000; at_ms += 100)
		rp_top_series_add(&s, at_ms, 5);
	ck_assert_double_eq_tol(rp_top_series_rate(&s, NOW_MS + 60000), 50, 1);
	ck_assert_double_eq_tol(rp_top_series_rate(&s, NOW_MS + 57500), 50, 20);
	ck_assert_double_eq_tol(rp_top_series_rate(&s, NOW_MS + 120000), 0, 0.001);
}
END_TEST

START_TEST(ninety_five_of_a_hundred_took_no_longer)
{
	struct rp_top_endpoint e = {0};
	uint32_t i;

	ck_assert_int_eq(rp_top_p95_ms(&e), -1);
	for (i = 1; i <= 100; i++)
		e.durations_ms[e.n_durations++ % RP_TOP_DURATIONS] = i;
	ck_assert_int_eq(rp_top_p95_ms(&e), 95);
	e.n_durations = 0;
	e.durations_ms[e.n_durations++] = 7;
	ck_assert_int_eq(rp_top_p95_ms(&e), 7);
}
END_TEST

START_TEST(bars_show_the_largest_and_fall_back_to_ascii)
{
	const uint32_t values[] = {99, 0, 0, 1, 3, 4, 4};
	struct rp_buf out = {0};

	ck_assert(rp_sparkline_add(&out, values + 1, 6, 6, false));
	ck_assert_str_eq(out.data, "  :*##");
	rp_buf_clear(&out);
	ck_assert(rp_sparkline_add(&out, values, 7, 3, false)); /* the first one does not divide */
	ck_assert_str_eq(out.data, " =#");
	rp_buf_clear(&out);
	ck_assert(rp_sparkline_add(&out, values + 4, 3, 3, true));
	ck_assert_str_eq(out.data, "\xe2\x96\x86\xe2\x96\x88\xe2\x96\x88");
	rp_buf_clear(&out);
	ck_assert(rp_sparkline_add(&out, values, 2, 4, true));
	ck_assert_str_eq(out.data, "    ");
	rp_buf_release(&out);
}
END_TEST

/* --- the screen */

static struct rp_known_endpoint endpoints[40];
static const struct rp_known_endpoint *shown[40];
static struct rp_top_failure failures[20];
static struct rp_top top;
static struct rp_buf frame;

static void set_up(void)
{
	static char names[40][100];
	size_t i;

	memset(&top, 0, sizeof top);
	memset(&frame, 0, sizeof frame);
	top.now_at_ms = NOW_MS;
	for (i = 0; i < 40; i++) {
		snprintf(names[i], sizeof names[i],
			 "https://hooks-%zu.example.com/a/rather/long/path/to/be/cut\033[2J", i);
		endpoints[i] = (struct rp_known_endpoint){.id = i + 1, .name = names[i]};
		endpoints[i].e.count[RP_STATE_WAITING] = 1234567;
		endpoints[i].e.control.breaker = i % 3;
		endpoints[i].e.control.probe_at_ms = NOW_MS + 59000;
		shown[i] = &endpoints[i];
	}
	for (i = 0; i < 20; i++) {
		failures[i].r =
		    (struct rp_recent){.cause = RP_CAUSE_BLOCKED_ADDRESS, .settled_at_ms = NOW_MS};
		memcpy(failures[i].endpoint, names[i], sizeof names[i]);
		snprintf(failures[i].id, sizeof failures[i].id, "msg_000000000G1CY55NDPRXZQ0S4M");
		snprintf(failures[i].now, sizeof failures[i].now, "again in 3h04m");
	}
	for (i = 0; i < 12; i++)
		top.senders[i].info =
		    (struct rp_sender_info){.slot = (unsigned)i, .pid = 4000000, .alive = i > 0};
}

static void tear_down(void)
{
	rp_buf_release(&frame);
}

static struct rp_top_view view(unsigned rows, unsigned cols, enum rp_top_mode mode)
{
	return (struct rp_top_view){.rows = rows,
				    .cols = cols,
				    .mode = mode,
				    .shown = shown,
				    .n_shown = 40,
				    .selected = 3,
				    .failures = failures,
				    .n_failures = 20,
				    .outbox = "/var/lib/runpost",
				    .filter = "",
				    .prompt = "",
				    .message = ""};
}

/* Follows the frame as a terminal would: how many rows it touches, and the longest line. */
static void measure(unsigned *rows, unsigned *longest)
{
	const char *p = frame.data, *end = frame.data + frame.len;
	unsigned at = 0;

	*rows = 1;
	*longest = 0;
	while (p < end) {
		if (*p == '\033') {
			ck_assert_int_eq(p[1], '[');
			for (p += 2; *p < '@'; p++)
				;
			ck_assert_ptr_nonnull(strchr("HKJm", *p));
			at = *p == 'H' ? 0 : at;
		} else if (*p == '\n') {
			++*rows;
			at = 0;
		} else if (*p != '\r') {
			if ((unsigned char)*p < ' ')
				ck_abort_msg("a control byte: %d", *p);
			at += ((unsigned char)*p & 0xc0) != 0x80;
		}
		*longest = at > *longest ? at : *longest;
		p++;
	}
}

START_TEST(the_screen_fits_every_size_and_foreign_bytes_stay_bytes)
{
	static const enum rp_top_mode modes[] = {RP_TOP_LIST, RP_TOP_DETAIL, RP_TOP_HELP};
	unsigned rows, cols, used, longest;
	size_t m;

	for (m = 0; m < 3; m++) {
		for (rows = 11; rows < 70; rows += 7) {
			for (cols = 40; cols < 230; cols += 11) {
				struct rp_top_view v = view(rows, cols, modes[m]);

				rp_buf_clear(&frame);
				v.color = cols % 2 == 0;
				v.utf8 = cols % 3 == 0;
				ck_assert(rp_top_draw(&top, &v, &frame));
				measure(&used, &longest);
				ck_assert_uint_le(longest, cols);
				ck_assert_uint_le(used, rows);
				ck_assert_ptr_null(strstr(frame.data, "cut\033[2J"));
			}
		}
	}
}
END_TEST

START_TEST(without_colour_there_is_none)
{
	struct rp_top_view v = view(30, 100, RP_TOP_LIST);

	ck_assert(rp_top_draw(&top, &v, &frame));
	ck_assert_ptr_null(strstr(frame.data, "\033[31m"));
	v.color = true;
	ck_assert(rp_top_draw(&top, &v, &frame));
	ck_assert_ptr_nonnull(strstr(frame.data, "\033[31m"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("top");
	TCase *t = tcase_create("top"), *screen = tcase_create("screen");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, bytes_become_keys, 0, (int)(sizeof typed / sizeof typed[0]));
	tcase_add_test(t, a_flood_of_bytes_is_dropped_and_never_stuck);
	tcase_add_test(t, a_series_forgets_what_is_older_than_it_reaches);
	tcase_add_test(t, a_rate_is_that_of_the_last_seconds);
	tcase_add_test(t, ninety_five_of_a_hundred_took_no_longer);
	tcase_add_test(t, bars_show_the_largest_and_fall_back_to_ascii);
	tcase_add_checked_fixture(screen, set_up, tear_down);
	tcase_add_test(screen, the_screen_fits_every_size_and_foreign_bytes_stay_bytes);
	tcase_add_test(screen, without_colour_there_is_none);
	suite_add_tcase(s, t);
	suite_add_tcase(s, screen);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
