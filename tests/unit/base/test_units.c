/* Durations, sizes and times: text to numbers and back. */
#include "base/units.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define N(table) ((int)(sizeof(table) / sizeof((table)[0])))
#define REFUSED INT64_C(-77)

static const struct {
	const char *text;
	int64_t ms; /* REFUSED: no duration */
} durations[] = {
    {"0", 0},
    {"0s", 0},
    {"1ms", 1},
    {"100ms", 100},
    {"5s", 5000},
    {"3m", 180000},
    {"2h", 7200000},
    {"7d", 604800000},
    {"1h30m", 5400000},
    {"1d2h3m4s5ms", 93784005},
    {"007s", 7000},
    {"9223372036854775807ms", INT64_MAX},
    {"9223372036854775806ms1ms", INT64_MAX},
    {"106751991167d", INT64_C(106751991167) * 86400000},
    {"9223372036854775808ms", REFUSED},
    {"9223372036854775807ms1ms", REFUSED},
    {"106751991168d", REFUSED},
    {"99999999999999999999s", REFUSED},
    {"", REFUSED},
    {"5", REFUSED},
    {"00", REFUSED},
    {"s", REFUSED},
    {"ms", REFUSED},
    {"-5s", REFUSED},
    {"+5s", REFUSED},
    {"5 s", REFUSED},
    {" 5s", REFUSED},
    {"5s ", REFUSED},
    {"5S", REFUSED},
    {"1.5s", REFUSED},
    {"5us", REFUSED},
    {"5w", REFUSED},
    {"5s3", REFUSED},
    {"5sm", REFUSED},
};

START_TEST(durations_carry_units)
{
	int64_t ms = REFUSED;
	bool ok = rp_duration_parse(rp_span_of(durations[_i].text), &ms);

	ck_assert_msg(ok == (durations[_i].ms != REFUSED), "'%s' -> %d", durations[_i].text, ok);
	ck_assert_msg(ms == durations[_i].ms, "'%s' -> %lld", durations[_i].text, (long long)ms);
}
END_TEST

static const struct {
	const char *text;
	bool ok;
	uint64_t bytes;
} sizes[] = {
    {"0", true, 0},
    {"1", true, 1},
    {"4096", true, 4096},
    {"1K", true, 1024},
    {"1k", true, 1024},
    {"1KB", true, 1024},
    {"1KiB", true, 1024},
    {"16M", true, UINT64_C(16) << 20},
    {"16MiB", true, UINT64_C(16) << 20},
    {"64G", true, UINT64_C(64) << 30},
    {"64GB", true, UINT64_C(64) << 30},
    {"9223372036854775807", true, INT64_MAX},
    {"8589934591G", true, UINT64_C(8589934591) << 30},
    {"8589934592G", false, 0},
    {"9223372036854775808", false, 0},
    {"9007199254740992K", false, 0},
    {"", false, 0},
    {"K", false, 0},
    {"-1", false, 0},
    {"1.5G", false, 0},
    {"1 K", false, 0},
    {"1K ", false, 0},
    {"1Ki", false, 0},
    {"1KiBs", false, 0},
    {"1KK", false, 0},
    {"1m", false, 0},
    {"1X", false, 0},
    {"0x10", false, 0},
};

START_TEST(sizes_count_in_1024s)
{
	uint64_t bytes = 77;
	bool ok = rp_size_parse(rp_span_of(sizes[_i].text), &bytes);

	ck_assert_msg(ok == sizes[_i].ok, "'%s' -> %d", sizes[_i].text, ok);
	ck_assert_msg(bytes == (ok ? sizes[_i].bytes : 77), "'%s' -> %llu", sizes[_i].text,
		      (unsigned long long)bytes);
}
END_TEST

START_TEST(the_empty_span_is_nothing)
{
	struct rp_span none = {NULL, 0};
	int64_t ms = 77;
	uint64_t bytes = 77;

	ck_assert(!rp_duration_parse(none, &ms));
	ck_assert(!rp_time_parse(none, &ms));
	ck_assert(!rp_size_parse(none, &bytes));
	ck_assert_int_eq(ms, 77);
	ck_assert_uint_eq(bytes, 77);
}
END_TEST

static const struct {
	const char *text;
	int64_t at_ms;
} times[] = {
    {"1970-01-01T00:00:00Z", 0},
    {"1970-01-01T00:00:00.001Z", 1},
    {"1970-01-01t00:00:00z", 0},
    {"1970-01-01 00:00:00Z", 0},
    {"1969-12-31T23:59:59.999Z", -1},
    {"2026-11-23T12:00:00Z", INT64_C(1795435200000)},
    {"2026-11-23T12:00:00.1Z", INT64_C(1795435200100)},
    {"2026-11-23T12:00:00.12Z", INT64_C(1795435200120)},
    {"2026-11-23T12:00:00.123999999999Z", INT64_C(1795435200123)},
    {"2026-11-23T14:30:00+02:30", INT64_C(1795435200000)},
    {"2026-11-23T04:00:00-08:00", INT64_C(1795435200000)},
    {"2026-11-24T11:59:00+23:59", INT64_C(1795435200000)},
    {"2026-11-23T12:00:00-00:00", INT64_C(1795435200000)},
    {"2016-12-31T23:59:60Z", INT64_C(1483228800000)},
    {"2024-02-29T00:00:00Z", INT64_C(1709164800000)},
    {"2000-02-29T00:00:00Z", INT64_C(951782400000)},
    {"0000-01-01T00:00:00Z", INT64_C(-62167219200000)},
    {"9999-12-31T23:59:59.999Z", INT64_C(253402300799999)},
};

START_TEST(times_are_rfc_3339)
{
	int64_t at_ms;

	ck_assert_msg(rp_time_parse(rp_span_of(times[_i].text), &at_ms), "%s", times[_i].text);
	ck_assert_msg(at_ms == times[_i].at_ms, "%s -> %lld", times[_i].text, (long long)at_ms);
}
END_TEST

static const char *const no_times[] = {
    "",
    "2026-11-23",
    "2026-11-23T12:00:00",
    "2026-11-23T12:00Z",
    "2026-11-23T12:00:00Z ",
    " 2026-11-23T12:00:00Z",
    "2026-11-23_12:00:00Z",
    "2026-11-23T12:00:00.Z",
    "2026-11-23T12:00:00,5Z",
    "2026-11-23T12:00:00+02",
    "2026-11-23T12:00:00+0200",
    "2026-11-23T12:00:00+24:00",
    "2026-11-23T12:00:00+01:60",
    "2026-00-23T12:00:00Z",
    "2026-13-23T12:00:00Z",
    "2026-11-00T12:00:00Z",
    "2026-11-31T12:00:00Z",
    "2026-02-29T12:00:00Z",
    "1900-02-29T12:00:00Z",
    "2026-11-23T24:00:00Z",
    "2026-11-23T12:60:00Z",
    "2026-11-23T12:00:61Z",
    "26-11-23T12:00:00Z",
    "12026-11-23T12:00:00Z",
    "-026-11-23T12:00:00Z",
    "2026-1-23T12:00:00Z",
    "2026-11-23T1:00:00Z",
};

START_TEST(other_texts_are_no_times)
{
	int64_t at_ms = 77;

	ck_assert_msg(!rp_time_parse(rp_span_of(no_times[_i]), &at_ms), "'%s' -> %lld",
		      no_times[_i], (long long)at_ms);
	ck_assert_int_eq(at_ms, 77);
}
END_TEST

START_TEST(times_agree_with_the_c_library_and_survive_their_text)
{
	char text[RP_TIME_TEXT_MAX], want[RP_TIME_TEXT_MAX];
	uint64_t x = UINT64_C(0x369dea0f31a53f85);
	int64_t at_ms, back;
	struct tm tm;
	time_t second;
	int round, ms;
	size_t n;

	for (round = 0; round < 50000; round++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		at_ms = (int64_t)(x % UINT64_C(315569520000000)) - INT64_C(62167219200000);
		ms = (int)((at_ms % 1000 + 1000) % 1000);
		second = (time_t)((at_ms - ms) / 1000);
		ck_assert_ptr_nonnull(gmtime_r(&second, &tm));
		n = (size_t)snprintf(want, sizeof want, "%04d-", tm.tm_year + 1900);
		n += strftime(want + n, sizeof want - n, "%m-%dT%H:%M:%S", &tm);
		snprintf(want + n, sizeof want - n, ".%03dZ", ms);
		ck_assert_str_eq(rp_time_format(at_ms, text), want);
		ck_assert_msg(rp_time_parse(rp_span_of(text), &back) && back == at_ms, "%s", text);
	}
}
END_TEST

START_TEST(times_beyond_four_digit_years_are_clamped)
{
	char text[RP_TIME_TEXT_MAX];

	ck_assert_str_eq(rp_time_format(INT64_MIN, text), "0000-01-01T00:00:00.000Z");
	ck_assert_str_eq(rp_time_format(INT64_MAX, text), "9999-12-31T23:59:59.999Z");
}
END_TEST

static const struct {
	int64_t ms;
	const char *text;
} spoken[] = {
    {INT64_MIN, "0s"},   {-1, "0s"},           {0, "0s"},
    {1, "1ms"},          {120, "120ms"},       {999, "999ms"},
    {1000, "1s"},        {42999, "42s"},       {59999, "59s"},
    {60000, "1m00s"},    {185000, "3m05s"},    {3599999, "59m59s"},
    {3600000, "1h00m"},  {7440000, "2h04m"},   {86399999, "23h59m"},
    {86400000, "1d00h"}, {532800000, "6d04h"}, {INT64_MAX, "106751991167d07h"},
};

START_TEST(durations_are_short_for_people)
{
	char text[RP_DURATION_TEXT_MAX];

	ck_assert_str_eq(rp_duration_format(spoken[_i].ms, text), spoken[_i].text);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("units");
	TCase *tc = tcase_create("units");

	tcase_add_loop_test(tc, durations_carry_units, 0, N(durations));
	tcase_add_loop_test(tc, sizes_count_in_1024s, 0, N(sizes));
	tcase_add_test(tc, the_empty_span_is_nothing);
	tcase_add_loop_test(tc, times_are_rfc_3339, 0, N(times));
	tcase_add_loop_test(tc, other_texts_are_no_times, 0, N(no_times));
	tcase_add_test(tc, times_agree_with_the_c_library_and_survive_their_text);
	tcase_add_test(tc, times_beyond_four_digit_years_are_clamped);
	tcase_add_loop_test(tc, durations_are_short_for_people, 0, N(spoken));
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
