/* Spans, the growing buffer, and the big-endian writers and readers that cannot overrun. */
#include "base/bytes.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

START_TEST(a_span_is_a_text_or_it_is_not)
{
	struct rp_span s = rp_span_of("abc"), none = rp_span_of(NULL);

	ck_assert_uint_eq(s.len, 3);
	ck_assert(rp_span_is(s, "abc"));
	ck_assert(!rp_span_is(s, "abcd"));
	ck_assert(!rp_span_is(s, "ab"));
	ck_assert(!rp_span_is(s, "abd"));
	ck_assert_uint_eq(none.len, 0);
	ck_assert(rp_span_is(none, ""));
	ck_assert(!rp_span_is(none, "a"));
	ck_assert(rp_span_is((struct rp_span){"abc", 2}, "ab"));
}
END_TEST

START_TEST(a_buffer_grows_and_stays_terminated)
{
	struct rp_buf b = {0};
	int i;

	ck_assert(rp_buf_add(&b, NULL, 0));
	ck_assert_str_eq(b.data, "");
	for (i = 0; i < 1000; i++) {
		ck_assert(rp_buf_add_text(&b, "ab"));
		ck_assert(rp_buf_add_char(&b, 'c'));
		ck_assert(rp_buf_printf(&b, "%d", i % 10));
		ck_assert_uint_eq(b.len, 4 * ((size_t)i + 1));
		ck_assert_uint_eq(strlen(b.data), b.len);
	}
	for (i = 0; i < 1000; i++)
		ck_assert_msg(memcmp(b.data + 4 * i, "abc", 3) == 0 &&
				  b.data[4 * i + 3] == '0' + i % 10,
			      "piece %d", i);
	rp_buf_clear(&b);
	ck_assert_str_eq(b.data, "");
	ck_assert_uint_ge(b.cap, 4001);
	rp_buf_release(&b);
	ck_assert_ptr_null(b.data);
	rp_buf_release(&b);
	rp_buf_clear(&b);
	ck_assert(rp_buf_add_text(&b, "again"));
	ck_assert_str_eq(b.data, "again");
	rp_buf_release(&b);
}
END_TEST

START_TEST(a_decimal_is_what_printf_makes)
{
	static const uint64_t numbers[] = {0, 1, 9, 10, 99, 100, 1700000000, INT64_MAX, UINT64_MAX};
	char ours[RP_DECIMAL_MAX], theirs[32];
	size_t i;

	for (i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		snprintf(theirs, sizeof theirs, "%" PRIu64, numbers[i]);
		ck_assert_str_eq(rp_decimal(numbers[i], ours), theirs);
	}
}
END_TEST

START_TEST(a_buffer_keeps_any_byte)
{
	struct rp_buf b = {0};

	ck_assert(rp_buf_add(&b, "a\0b", 3));
	ck_assert(rp_buf_add_char(&b, '\0'));
	ck_assert_uint_eq(b.len, 4);
	ck_assert_mem_eq(b.data, "a\0b\0", 5);
	rp_buf_release(&b);
}
END_TEST

START_TEST(an_append_beyond_max_changes_nothing)
{
	struct rp_buf b = {.max = 8};

	ck_assert(rp_buf_add_text(&b, "1234567"));
	ck_assert(!rp_buf_add_text(&b, "89"));
	ck_assert(!rp_buf_printf(&b, "%d", 89));
	ck_assert(!rp_buf_reserve(&b, 2));
	ck_assert_str_eq(b.data, "1234567");
	ck_assert(rp_buf_add_char(&b, '8'));
	ck_assert(!rp_buf_add_char(&b, '9'));
	ck_assert(rp_buf_printf(&b, "%s", ""));
	ck_assert_str_eq(b.data, "12345678");
	rp_buf_release(&b);
}
END_TEST

START_TEST(an_absurd_size_is_refused)
{
	struct rp_buf b = {0}, huge = {.max = SIZE_MAX};

	ck_assert(!rp_buf_reserve(&b, RP_BUF_MAX_DEFAULT + 1));
	ck_assert(!rp_buf_reserve(&b, SIZE_MAX));
	ck_assert_ptr_null(b.data);
	ck_assert(rp_buf_add_char(&huge, 'x'));
	ck_assert(!rp_buf_reserve(&huge, SIZE_MAX));
	ck_assert(!rp_buf_reserve(&huge, SIZE_MAX - 1));
	ck_assert(!rp_buf_reserve(&huge, SIZE_MAX / 2 + 1));
	ck_assert_str_eq(huge.data, "x");
	rp_buf_release(&huge);
}
END_TEST

START_TEST(integers_are_big_endian)
{
	unsigned char mem[23];
	struct rp_writer w = rp_writer_of(mem, sizeof mem);

	rp_put_u8(&w, 0x01);
	rp_put_u16(&w, 0x0203);
	rp_put_u32(&w, UINT32_C(0x04050607));
	rp_put_u64(&w, UINT64_C(0x08090a0b0c0d0e0f));
	rp_put_i64(&w, -2);
	ck_assert(w.ok);
	ck_assert_ptr_eq(w.at, w.end);
	ck_assert_mem_eq(mem,
			 "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\xff\xff\xff"
			 "\xff\xff\xff\xff\xfe",
			 sizeof mem);
}
END_TEST

START_TEST(what_was_written_is_read)
{
	unsigned char mem[64], raw[3];
	struct rp_writer w = rp_writer_of(mem, sizeof mem);
	struct rp_reader r;

	rp_put_u8(&w, UINT8_MAX);
	rp_put_u16(&w, UINT16_MAX);
	rp_put_u32(&w, UINT32_MAX);
	rp_put_u64(&w, UINT64_MAX);
	rp_put_i64(&w, INT64_MIN);
	rp_put_str16(&w, rp_span_of("text"));
	rp_put_str16(&w, (struct rp_span){NULL, 0});
	rp_put_bytes(&w, "raw", 3);
	rp_put_bytes(&w, NULL, 0);
	ck_assert(w.ok);
	r = rp_reader_of(mem, (size_t)(w.at - mem));
	ck_assert_uint_eq(rp_get_u8(&r), UINT8_MAX);
	ck_assert_uint_eq(rp_get_u16(&r), UINT16_MAX);
	ck_assert_uint_eq(rp_get_u32(&r), UINT32_MAX);
	ck_assert_uint_eq(rp_get_u64(&r), UINT64_MAX);
	ck_assert_int_eq(rp_get_i64(&r), INT64_MIN);
	ck_assert(rp_span_is(rp_get_str16(&r), "text"));
	ck_assert(rp_span_is(rp_get_str16(&r), ""));
	rp_get_bytes(&r, raw, sizeof raw);
	ck_assert_mem_eq(raw, "raw", 3);
	rp_get_bytes(&r, NULL, 0);
	ck_assert(r.ok);
	ck_assert_ptr_eq(r.at, r.end);
}
END_TEST

START_TEST(a_writer_stops_at_its_end_and_stays_stopped)
{
	unsigned char mem[6];
	struct rp_writer w = rp_writer_of(mem, 5);

	memset(mem, 0xee, sizeof mem);
	rp_put_u32(&w, 0);
	rp_put_u16(&w, 0);
	ck_assert(!w.ok);
	rp_put_u8(&w, 0);
	ck_assert(!w.ok);
	ck_assert_mem_eq(mem, "\0\0\0\0\xee\xee", sizeof mem);
}
END_TEST

START_TEST(a_string_too_long_for_its_length_is_an_overrun)
{
	static char text[UINT16_MAX + 1];
	static unsigned char mem[sizeof text + 2];
	struct rp_writer w = rp_writer_of(mem, sizeof mem);

	rp_put_str16(&w, (struct rp_span){text, UINT16_MAX});
	ck_assert(w.ok);
	w = rp_writer_of(mem, sizeof mem);
	rp_put_str16(&w, (struct rp_span){text, UINT16_MAX + 1});
	ck_assert(!w.ok);
	ck_assert_ptr_eq(w.at, mem);
}
END_TEST

START_TEST(a_reader_past_its_end_yields_zeroes_and_stays_bad)
{
	unsigned char mem[] = {1, 2, 3}, out[4] = {9, 9, 9, 9};
	struct rp_reader r = rp_reader_of(mem, sizeof mem);

	ck_assert_uint_eq(rp_get_u16(&r), 0x0102);
	ck_assert_uint_eq(rp_get_u16(&r), 0);
	ck_assert(!r.ok);
	ck_assert_uint_eq(rp_get_u8(&r), 0);
	ck_assert_int_eq(rp_get_i64(&r), 0);
	rp_get_bytes(&r, out, sizeof out);
	ck_assert_mem_eq(out, "\0\0\0\0", 4);
	ck_assert_uint_eq(rp_get_str16(&r).len, 0);
	ck_assert(!r.ok);
}
END_TEST

START_TEST(a_string_longer_than_the_record_is_refused)
{
	unsigned char mem[] = {0, 3, 'a', 'b'};
	struct rp_reader r = rp_reader_of(mem, sizeof mem);
	struct rp_span s = rp_get_str16(&r);

	ck_assert(!r.ok);
	ck_assert_ptr_null(s.ptr);
	ck_assert_uint_eq(s.len, 0);
	mem[1] = 2;
	r = rp_reader_of(mem, sizeof mem);
	ck_assert(rp_span_is(rp_get_str16(&r), "ab"));
	ck_assert(r.ok);
}
END_TEST

START_TEST(no_memory_is_an_empty_record)
{
	struct rp_reader r = rp_reader_of(NULL, 0);
	struct rp_writer w = rp_writer_of(NULL, 0);

	ck_assert(r.ok);
	ck_assert(w.ok);
	ck_assert_uint_eq(rp_get_u8(&r), 0);
	ck_assert(!r.ok);
	rp_put_u8(&w, 1);
	ck_assert(!w.ok);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("bytes");
	TCase *tc = tcase_create("bytes");

	tcase_add_test(tc, a_span_is_a_text_or_it_is_not);
	tcase_add_test(tc, a_buffer_grows_and_stays_terminated);
	tcase_add_test(tc, a_decimal_is_what_printf_makes);
	tcase_add_test(tc, a_buffer_keeps_any_byte);
	tcase_add_test(tc, an_append_beyond_max_changes_nothing);
	tcase_add_test(tc, an_absurd_size_is_refused);
	tcase_add_test(tc, integers_are_big_endian);
	tcase_add_test(tc, what_was_written_is_read);
	tcase_add_test(tc, a_writer_stops_at_its_end_and_stays_stopped);
	tcase_add_test(tc, a_string_too_long_for_its_length_is_an_overrun);
	tcase_add_test(tc, a_reader_past_its_end_yields_zeroes_and_stays_bad);
	tcase_add_test(tc, a_string_longer_than_the_record_is_refused);
	tcase_add_test(tc, no_memory_is_an_empty_record);
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
